"""The section ``alerting:`` as engineers write it; see ``inventory.schema``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from inventory.supervision_schema import HOURS, MAIL, LimitText
from inventory.written import Name, Text, Written

NUMBER = r"^\+?[0-9]{3,15}$"
SERVER = r"^[A-Za-z0-9.-]{1,190}(:[0-9]{1,5})?$"
URL = r"^https?://[A-Za-z0-9.:\[\]-]{1,190}(/[^\s]{0,400})?$"

MailText = Annotated[str, StringConstraints(pattern=MAIL)]
Channel = Literal["mail", "sms"]


class CallIntent(Written):
    """One step of calling."""

    after: LimitText | None = None
    to: Annotated[tuple[Name, ...], Field(min_length=1)]


class AddressIntent(Written):
    """How one person is reached."""

    mail: MailText | None = None
    sms: Annotated[str, StringConstraints(pattern=NUMBER)] | None = None


class SeverityIntent(Written):
    """Who is told of alerts of a severity, and how."""

    by: tuple[Channel, ...] = ()
    calls: Annotated[tuple[CallIntent, ...], Field(min_length=1)]


class MeetingsIntent(Written):
    """How people are asked to meetings, and how long before they are reminded."""

    by: tuple[Channel, ...] = ()
    remind: Annotated[tuple[LimitText, ...], Field(max_length=5)] = ("30m",)


class MailIntent(Written):
    """The mail server."""

    server: Annotated[str, StringConstraints(pattern=SERVER)]
    sender: MailText
    login: Annotated[str, StringConstraints(max_length=128)] = ""
    tls: Literal["starttls", "tls", "none"] = "starttls"


class SmsIntent(Written):
    """The gateway for short messages."""

    url: Annotated[str, StringConstraints(pattern=URL)]
    body: Text
    header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{0,64}$")] = ""


class WebhookIntent(Written):
    """Another system that is told."""

    url: Annotated[str, StringConstraints(pattern=URL)]
    severity: Literal["critical", "warning"] = "warning"


class AlertingIntent(Written):
    """Who is told of what, and how."""

    critical: SeverityIntent
    warning: SeverityIntent
    meetings: MeetingsIntent = MeetingsIntent()
    quiet: Annotated[str, StringConstraints(pattern=HOURS)] | None = None
    people: dict[Name, AddressIntent] = {}
    mail: MailIntent | None = None
    sms: SmsIntent | None = None
    webhooks: dict[Name, WebhookIntent] = {}

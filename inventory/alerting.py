"""Who is told of an alert, when and by what way, as the county's files have it (the model)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta

from inventory.workdays import Limit

CHANNELS = ("mail", "sms")
"""Ways to a person; a webhook goes to a system."""

SEVERITIES = ("critical", "warning")

MEETING = "meeting"
"""Level of what is told about meetings: invitations, changes, reminders."""


@dataclass(frozen=True, slots=True)
class Call:
    """One step: so long after the alert, if nobody has acknowledged it by then, these are told."""

    after: Limit | None  # None: at once
    to: tuple[str, ...]  # roles and logins


@dataclass(frozen=True, slots=True)
class Address:
    """How one person is reached; "" where there is no such way."""

    mail: str = ""
    sms: str = ""  # telephone number


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server (RFC 5321); its password is the secret ``alerting/mail``."""

    host: str
    port: int
    sender: str
    login: str  # "": none is asked for
    tls: str  # "starttls", "tls" or "none"


@dataclass(frozen=True, slots=True)
class SmsGateway:
    """A gateway that takes short messages by HTTP; its secret is ``alerting/sms``."""

    url: str
    body: str  # with {number}, {text} and, where the gateway wants it, {secret}; filled in as JSON strings
    header: str  # name of the header that carries the secret; "": none does


@dataclass(frozen=True, slots=True)
class Webhook:
    """A system that is told of every alert of a severity, and of worse ones, in Alertmanager's own form."""

    name: str
    url: str
    severity: str


@dataclass(frozen=True, slots=True)
class Alerting:
    """Everything that calling goes by."""

    calls: Mapping[str, tuple[Call, ...]]  # by severity
    by: Mapping[str, tuple[str, ...]]  # by severity, and for MEETING: channels
    quiet: tuple[time, time] | None  # from, to; local time; warnings wait, critical alerts do not
    people: Mapping[str, Address]  # by login
    mail: MailServer | None
    sms: SmsGateway | None
    webhooks: tuple[Webhook, ...]
    remind: tuple[timedelta, ...] = (timedelta(minutes=30),)  # so long before a meeting its people are told again

    def address(self, login: str, channel: str) -> str:
        """Where a person gets messages of a channel; "" when there is none."""
        found = self.people.get(login, Address())
        return found.mail if channel == "mail" else found.sms

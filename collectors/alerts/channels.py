"""Ways to a person: mail (SMTP, RFC 5321) and short messages (a gateway's HTTP interface).  Both block."""

from __future__ import annotations

import hashlib
import json
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from inventory.alerting import Alerting, MailServer, SmsGateway

_TIMEOUT_S = 15.0
_SMS_LENGTH = 335  # five parts of 67 characters (3GPP TS 23.040, UCS-2)
_METHOD = re.compile(r"^METHOD:([A-Z]+)", re.MULTILINE)
_PLACE = re.compile(r"\{(number|text|secret)\}")

Secret = Callable[[str], str]
"""Name of a secret ("alerting/mail") -> its value, "" when there is none."""


class NotSent(Exception):
    """A message did not go out; the text says why, without any secret."""


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody is to be told; the key makes a mail that is sent twice, after a crash, the same mail."""

    key: str
    at: datetime
    zh: str
    en: str
    calendar: str = ""  # iCalendar (RFC 5545) that goes with a mail


def send(alerting: Alerting, channel: str, address: str, message: Message, secret: Secret) -> None:
    """One message.

    Raises:
        NotSent: The server cannot be reached or refuses.
    """
    if channel == "mail" and alerting.mail is not None:
        _mail(alerting.mail, address, message, secret)
    elif channel == "sms" and alerting.sms is not None:
        _sms(alerting.sms, address, message.zh, secret)
    else:
        raise NotSent(f"alerting.{channel}: not set up in the county's files any more")


def _mail(server: MailServer, address: str, message: Message, secret: Secret) -> None:
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.zh.split())[:200]
    mail["From"], mail["To"] = server.sender, address
    mail["Date"] = format_datetime(message.at)
    identity = hashlib.sha256(f"{message.key} {address}".encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<{identity}@{server.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    mail.set_content(f"{message.zh}\n\n{message.en}\n")
    if message.calendar:
        method = _METHOD.search(message.calendar)
        params = {"method": method[1] if method else "PUBLISH"}  # RFC 6047 section 2.4: programs act on it
        mail.add_attachment(message.calendar, subtype="calendar", filename="meeting.ics", params=params)
    context = ssl.create_default_context()
    try:
        if server.tls == "tls":
            link: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=_TIMEOUT_S, context=context)
        else:
            link = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S)
        with link:
            if server.tls == "starttls":
                link.starttls(context=context)
            if server.login:
                link.login(server.login, secret("alerting/mail"))
            link.send_message(mail)
    except (OSError, smtplib.SMTPException) as problem:
        raise NotSent(f"{server.host}:{server.port}: {problem}") from None


def _sms(gateway: SmsGateway, number: str, text: str, secret: Secret) -> None:
    import httpx  # only where a gateway is: the collector is lean

    held = secret("alerting/sms") if gateway.header or "{secret}" in gateway.body else ""
    values = {"number": number, "text": " ".join(text.split())[:_SMS_LENGTH], "secret": held}
    # In one pass: what an alert says is never looked into for {secret}.
    body = _PLACE.sub(lambda place: json.dumps(values[place[1]], ensure_ascii=False)[1:-1], gateway.body)
    headers = {"content-type": "application/json"} | ({gateway.header: held} if gateway.header else {})
    try:
        answer = httpx.post(gateway.url, content=body.encode(), headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPStatusError as problem:
        raise NotSent(f"{gateway.url}: answered {problem.response.status_code}") from None
    except httpx.HTTPError as problem:
        raise NotSent(f"{gateway.url}: {problem or type(problem).__name__}") from None

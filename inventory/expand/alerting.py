"""Phase of alerting: everybody who is called is there, and every channel that is named has its server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import time, timedelta
from typing import get_args

from inventory.alerting import MEETING, SEVERITIES, Address, Alerting, Call, MailServer, SmsGateway, Webhook
from inventory.alerting_schema import AlertingIntent, SeverityIntent
from inventory.errors import Report
from inventory.expand.supervision import limit
from inventory.people import Duty, Person
from inventory.schema import Intent

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def expand_alerting(intent: Intent, people: Mapping[str, Person], report: Report) -> Alerting | None:
    """Who is called; None where the county wrote nothing: alerts are then on the pages alone."""
    written = intent.alerting
    if written is None:
        return None
    by_severity: dict[str, SeverityIntent] = {name: getattr(written, name) for name in SEVERITIES}
    for name, each in by_severity.items():
        _check_calls(name, each, people, report)
        _check_channels(name, each.by, written, report)
    _check_channels("meetings", written.meetings.by, written, report)
    for login in written.people:
        if login not in people:
            report.error(("alerting", "people", login), login, f"a login of people: {', '.join(people)}", "correct it")
    return Alerting(
        calls={
            name: tuple(Call(limit(call.after) if call.after else None, call.to) for call in each.calls)
            for name, each in by_severity.items()
        },
        by={name: each.by for name, each in by_severity.items()} | {MEETING: written.meetings.by},
        quiet=_quiet(written, report),
        people={login: Address(each.mail or "", each.sms or "") for login, each in written.people.items()},
        mail=_mail(written),
        sms=_sms(written, report),
        webhooks=tuple(Webhook(name, each.url, each.severity) for name, each in written.webhooks.items()),
        remind=_remind(written, report),
    )


def _check_channels(name: str, by: Iterable[str], written: AlertingIntent, report: Report) -> None:
    for index, channel in enumerate(by):
        if getattr(written, channel) is None:
            expected = f"a section alerting.{channel}"
            report.error(("alerting", name, "by", index), channel, expected, f"write it, or take {channel} out")


def _remind(written: AlertingIntent, report: Report) -> tuple[timedelta, ...]:
    """The longest first."""
    found = []
    for index, text in enumerate(written.meetings.remind):
        each = limit(text)
        if each.unit.startswith("w"):
            report.error(("alerting", "meetings", "remind", index), text, "30m, 2h or 1d", "a meeting does not wait")
        else:
            found.append(timedelta(minutes=each.count * {"m": 1, "h": 60, "d": 1440}[each.unit]))
    return tuple(sorted(set(found), reverse=True))


def _check_calls(name: str, written: SeverityIntent, people: Mapping[str, Person], report: Report) -> None:
    known = {*get_args(Duty), *people}
    last = -1.0
    for number, call in enumerate(written.calls):
        for index, whom in enumerate(call.to):
            if whom not in known:
                key = ("alerting", name, "calls", number, "to", index)
                report.error(key, whom, "a role or a login", "correct it")
        found = limit(call.after) if call.after else None
        if found is not None and found.unit.startswith("w"):
            report.error(
                ("alerting", name, "calls", number, "after"), found.text, "30m, 2h or 1d", "calls do not sleep"
            )
            continue
        length = found.count * {"m": 1, "h": 60, "d": 1440}[found.unit] if found else 0
        if length <= last:
            report.error(
                ("alerting", name, "calls", number, "after"),
                f"{length} minutes",
                f"more than {last:g} minutes",
                "reorder",
            )
        last = length


def _quiet(written: AlertingIntent, report: Report) -> tuple[time, time] | None:
    if written.quiet is None:
        return None
    begin, end = (time.fromisoformat(part) for part in written.quiet.split("-"))
    if begin == end:
        report.error(("alerting", "quiet"), written.quiet, "two different times", "correct one")
    return begin, end


def _mail(written: AlertingIntent) -> MailServer | None:
    if written.mail is None:
        return None
    host, _, port = written.mail.server.partition(":")
    tls = written.mail.tls
    return MailServer(host, int(port) if port else _PORTS[tls], written.mail.sender, written.mail.login, tls)


def _sms(written: AlertingIntent, report: Report) -> SmsGateway | None:
    if written.sms is None:
        return None
    body = written.sms.body
    for part in ("{number}", "{text}"):
        if part not in body:
            report.error(("alerting", "sms", "body"), body, f"a body that holds {part}", f"write {part} where it goes")
    try:
        json.loads(body)
    except ValueError:
        report.error(("alerting", "sms", "body"), body, "JSON, with {number} and {text} in strings", "correct it")
    return SmsGateway(written.sms.url, body, written.sms.header)

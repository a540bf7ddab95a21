"""From alerts to people: whom to tell at once, and whom next when nobody acknowledges.  All of it in the store.

Alertmanager tells (its webhook, version 4), grouped, silenced in maintenance windows, quiet at night where it may be;
each message has a key of its own, so that whatever is told twice, or again after a restart, reaches nobody twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from collectors.alerts.tables import CallRow
from collectors.desk.tables import NotificationRow
from collectors.faults.tables import FaultRow
from inventory.alerting import Alerting, Call
from inventory.model import NetworkModel

_MOST_ALERTS = 2000
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_FORGET = timedelta(days=30)


class BadPayload(ValueError):
    """Not what Alertmanager's webhook sends."""


def people_of(model: NetworkModel, whom: Iterable[str]) -> list[str]:
    """Logins that roles and logins stand for, each once."""
    found: dict[str, None] = {}
    for each in whom:
        if each in model.people:
            found[each] = None
        else:
            found.update(dict.fromkeys(login for login, person in model.people.items() if each in person.roles))
    return list(found)


def take(session: Session, model: NetworkModel, alerting: Alerting, payload: Mapping[str, Any], now: datetime) -> int:
    """Alertmanager's webhook: begin calls, end calls; returns how many messages were written.

    Raises:
        BadPayload: It is none.
    """
    alerts = payload.get("alerts")
    if not isinstance(alerts, list) or len(alerts) > _MOST_ALERTS:
        raise BadPayload(f"alerts: expected a list of at most {_MOST_ALERTS}")
    return sum(_alert(session, model, alerting, alert, now) for alert in alerts)


def _alert(session: Session, model: NetworkModel, alerting: Alerting, alert: Any, now: datetime) -> int:
    try:
        labels, notes = alert["labels"], alert["annotations"]
        status, name = alert["status"], str(labels["alertname"])
        key = f"{str(alert['fingerprint'])[:32]}@{str(alert['startsAt'])[:19]}"
    except (KeyError, TypeError) as problem:
        raise BadPayload(f"an alert without {problem}") from None
    row = session.get(CallRow, key)
    if status == "firing" and row is None:
        severity = "critical" if labels.get("severity") == "critical" else "warning"
        number = str(labels.get("fault", ""))
        row = CallRow(
            key=key,
            fault=int(number) if number.isdigit() else None,
            severity=severity,
            zh=str(notes.get("summary_zh") or notes.get("summary") or name),
            en=str(notes.get("summary") or name),
            began_at=now,
            over_at=None,
            step=0,
            told=[],
        )
        session.add(row)
        return _steps(session, model, alerting, row, now)
    if status == "resolved" and row is not None and row.over_at is None:
        row.over_at = now
        return _tell(session, row, row.told, "over", f"已恢复:{row.zh}", f"Over: {row.en}", now)
    return 0


def escalate(session: Session, model: NetworkModel, alerting: Alerting, now: datetime) -> int:
    """Steps that are due of calls that run and that nobody acknowledged; returns how many messages were written."""
    count = 0
    for row in session.scalars(select(CallRow).where(CallRow.over_at.is_(None))).all():
        fault = session.get(FaultRow, row.fault) if row.fault is not None else None
        if fault is not None and fault.cleared_at is not None:
            row.over_at = now  # Alertmanager forgot to say so, or was started anew
            count += _tell(session, row, row.told, "over", f"已恢复:{row.zh}", f"Over: {row.en}", now)
        elif fault is None or fault.acknowledged_at is None:
            count += _steps(session, model, alerting, row, now)
    session.execute(delete(CallRow).where(CallRow.over_at < now - _FORGET))
    return count


def _steps(session: Session, model: NetworkModel, alerting: Alerting, row: CallRow, now: datetime) -> int:
    calls = alerting.calls.get(row.severity, ())
    count = 0
    while row.step < len(calls) and now - row.began_at >= _after(calls[row.step]):
        if row.step and row.fault is None:
            row.step = len(calls)  # nobody can acknowledge it, so nobody can be late
            break
        logins = people_of(model, calls[row.step].to)
        late = f"(第 {row.step + 1} 次呼叫,尚无人确认)" if row.step else ""
        late_en = f" (call {row.step + 1}: nobody has acknowledged)" if row.step else ""
        count += _tell(session, row, logins, str(row.step), row.zh + late, row.en + late_en, now)
        row.told = list(dict.fromkeys((*row.told, *logins)))
        row.step += 1
    return count


def _after(call: Call) -> timedelta:
    return call.after.count * _UNITS[call.after.unit] if call.after else timedelta()


def _tell(session: Session, row: CallRow, logins: Iterable[str], step: str, zh: str, en: str, now: datetime) -> int:
    count = 0
    for login in logins:
        key = f"alert:{row.key}:{step}:{login}"
        if session.get(NotificationRow, key) is None:
            level = "info" if step == "over" else row.severity
            subject = f"fault:{row.fault}" if row.fault else "alert"
            session.add(
                NotificationRow(
                    key=key, at=now, recipient=login, level=level, subject=subject, zh=zh, en=en, sent_at=None
                )
            )
            count += 1
    return count

"""Messages on their way: every notification is given to the ways its person has, each way is tried until it works.

A try is written down before it is made. So a killed process neither forgets a message nor sends one again at once; a
mail that did go out just before is known by its Message-ID.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.alerts.channels import Message, NotSent, Secret, send
from collectors.alerts.tables import DeliveryRow
from collectors.desk.tables import NotificationRow
from inventory.alerting import MEETING, Alerting
from inventory.model import NetworkModel
from store.engine import Store

TRIES = 10
_FIRST = timedelta(seconds=30)  # doubled with each try: the tenth is four hours after the first
_AT_ONCE = 20
_UNIT = "unit:"


@dataclass(slots=True)
class Counts:
    """What became of messages since the start."""

    sent: int = 0
    failed: int = 0  # tries
    given_up: int = 0


def ways(model: NetworkModel, alerting: Alerting | None, recipient: str, level: str) -> dict[str, str]:
    """Channel -> address for a login or ``unit:CODE``; empty for somebody who looks at the pages alone."""
    if alerting is None:
        return {}
    channels = alerting.by.get(level if level in ("critical", MEETING) else "warning", ())
    if not recipient.startswith(_UNIT):
        return {channel: address for channel in channels if (address := alerting.address(recipient, channel))}
    contact = model.supervision.contacts.get(recipient[len(_UNIT) :]) if model.supervision is not None else None
    if contact is None:
        return {}
    if level == MEETING:
        own = {"mail": contact.mail, "sms": _number(contact.phone)}
        return {channel: own[channel] for channel in channels if own[channel]}
    number = _number(contact.phone)
    return {"sms": number} if alerting.sms is not None and number else {}


def _number(phone: str) -> str:
    """As a gateway takes it; "" when it is none."""
    number = phone.replace("-", "").replace(" ", "")
    return number if number.lstrip("+").isdigit() else ""


def plan(session: Session, model: NetworkModel, alerting: Alerting | None, now: datetime) -> None:
    """Give new notifications to their channels, and close those whose ways are all done."""
    for row in session.scalars(select(NotificationRow).where(NotificationRow.sent_at.is_(None))).all():
        under_way = session.scalars(select(DeliveryRow).where(DeliveryRow.key == row.key)).all()
        if not under_way:
            found = ways(model, alerting, row.recipient, row.level)
            session.add_all(
                DeliveryRow(
                    key=row.key, channel=channel, address=address, attempts=0, next_at=now, sent_at=None, error=""
                )
                for channel, address in found.items()
            )
            if found:
                continue
        if all(each.next_at is None for each in under_way):
            row.sent_at = now


def deliver(
    store: Store, alerting: Alerting, now: Callable[[], datetime], secret: Secret, counts: Counts
) -> list[tuple[str, str]]:
    """Try what is due; blocks for as long as servers take. Gives (recipient, why) of messages that were given up."""
    lost: list[tuple[str, str]] = []
    for key, channel in _claim(store, now()):
        with store.reading() as session:
            row, notification = session.get_one(DeliveryRow, (key, channel)), session.get_one(NotificationRow, key)
        message = Message(key, notification.at, notification.zh, notification.en, notification.attachment or "")
        error = ""
        try:
            send(alerting, channel, row.address, message, secret)
            counts.sent += 1
        except NotSent as problem:
            error = str(problem)
            counts.failed += 1
        with store.session() as session:
            held = session.get_one(DeliveryRow, (key, channel))
            held.error = error
            if not error:
                held.sent_at, held.next_at = now(), None
            elif held.attempts >= TRIES:
                held.next_at = None
                counts.given_up += 1
                lost.append((notification.recipient, error))
    return lost


def _claim(store: Store, now: datetime) -> list[tuple[str, str]]:
    """What is due, with the try written down."""
    with store.session() as session:
        due = select(DeliveryRow).where(DeliveryRow.next_at <= now).order_by(DeliveryRow.next_at).limit(_AT_ONCE)
        rows = session.scalars(due).all()
        for row in rows:
            row.attempts += 1
            row.next_at = now + _FIRST * 2 ** (row.attempts - 1)
        return [(row.key, row.channel) for row in rows]

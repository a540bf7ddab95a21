"""People are asked to meetings by real mail and a real gateway: once, over restarts, with a calendar to read."""

from __future__ import annotations

import email
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import Message as Mail
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from collectors.alerts.deliver import Counts, deliver, plan
from collectors.alerts.tables import DeliveryRow
from collectors.desk.tables import NotificationRow
from dashboards.invitations import Invitations
from inventory.alerting import Address, Alerting, MailServer, SmsGateway
from inventory.impact import Faults, ImpactMap
from inventory.load import load_model
from inventory.model import LinkKind, NetworkModel
from inventory.supervision import Contact
from provision.render.qos import sure_bps
from store.audit import AuditEntry
from store.engine import Store, open_store
from tests.collectors.test_alerts import Mailbox, gateway, mailbox
from vconf import meetings
from vconf.booking import book as booking
from vconf.booking.book import Change, Wanted
from vconf.booking.checker import Checker
from vconf.booking.ical_read import Occasion, read
from vconf.meetings import Meeting

__all__ = ["gateway", "mailbox"]
NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW + timedelta(hours=3)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    found = load_model("shili")
    alerting = Alerting(
        calls={"critical": (), "warning": ()},
        by={"critical": (), "warning": (), "meeting": ("mail", "sms")},
        quiet=None,
        people={"zhao": Address("zhao@example.internal", "13900000001")},
        mail=MailServer("127.0.0.1", 25, "meet@example.internal", "", "none"),
        sms=SmsGateway("http://127.0.0.1:1/send", '{"to": "{number}", "say": "{text}"}', "X-Token"),
        webhooks=(),
        remind=(timedelta(hours=1), timedelta(minutes=10)),
    )
    assert found.supervision is not None
    contacts = {"t01": Contact("周明", "0900-5550101", "t01@example.internal"), "t02": Contact("李", "0900-5550102")}
    return replace(found, alerting=alerting, supervision=replace(found.supervision, contacts=contacts))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.db")
    yield opened
    opened.close()


class World:
    """Invitations, and what of them arrived."""

    def __init__(self, store: Store, model: NetworkModel, mailbox: Mailbox, gateway: tuple[str, Any]) -> None:
        self.store, self.model, self.mailbox, self.messages = store, model, mailbox, gateway[1]
        assert model.alerting is not None
        assert model.alerting.mail is not None
        assert model.alerting.sms is not None
        self.alerting = replace(
            model.alerting,
            mail=replace(model.alerting.mail, port=mailbox.server_address[1]),
            sms=replace(model.alerting.sms, url=gateway[0]),
        )
        self.now = NOW
        self.faults = Faults()
        self.checker = Checker(ImpactMap(model), sure_bps(model), lambda: self.faults)

    def look(self) -> list[tuple[str, str]]:
        """One round of everything, with everybody who looks started anew; (recipient, words) that are new."""
        with self.store.reading() as session:
            before = set(session.scalars(select(NotificationRow.key)))
        Invitations(self.store, self.model, self.checker, lambda: self.now).once()
        with self.store.session() as session:
            plan(session, self.model, self.alerting, self.now)
        deliver(self.store, self.alerting, lambda: self.now, lambda _: "", Counts())
        with self.store.reading() as session:
            rows = session.scalars(select(NotificationRow).order_by(NotificationRow.recipient)).all()
            return [(row.recipient, row.zh) for row in rows if row.key not in before]

    def book(self, *halls: str, **more: Any) -> list[Meeting]:
        wanted = Wanted(title="防汛会商", start_at=START, duration=HOUR, halls=halls, **more)
        with self.store.session() as session:
            return booking.book(session, wanted, "zhao", self.model.halls)

    def calendars(self) -> list[tuple[Mail, list[Occasion]]]:
        """Every mail with a calendar, as it arrived."""
        found = []
        for text in self.mailbox.mails:
            mail = email.message_from_string(text)
            for part in mail.walk():
                if part.get_content_type() == "text/calendar":
                    data = part.get_payload(decode=True)
                    assert isinstance(data, bytes)
                    assert f"METHOD:{part.get_param('method')}".encode() in data
                    found.append((mail, read(data)))
        return found


@pytest.fixture
def world(store: Store, model: NetworkModel, mailbox: Mailbox, gateway: tuple[str, Any]) -> World:
    return World(store, model, mailbox, gateway)


def test_the_halls_units_the_chair_and_the_booker_are_asked_once(world: World) -> None:
    (meeting,) = world.book("t01", "t02")
    told = world.look()
    assert {"unit:t01", "unit:t02", "zhao"} <= {recipient for recipient, _ in told}
    assert told[0][1].startswith("会议邀请：防汛会商，")
    assert world.look() == [], "not again after a restart"
    assert sorted(mail["To"] for mail, _ in world.calendars()) == ["t01@example.internal", "zhao@example.internal"]
    ((mail, (event,)), *_) = world.calendars()
    assert (event.uid, event.start_at, event.halls) == (
        f"meeting-{meeting.id}@shili.sanwang.internal",
        START,
        ("t01", "t02"),
    )
    assert "text/plain" in [part.get_content_type() for part in mail.walk()]
    numbers = sorted(body for _, body in world.messages)
    assert len(numbers) == 3, "the two units and zhao"
    assert "09005550101" in numbers[0]
    with world.store.reading() as session:
        assert all(row.sent_at for row in session.scalars(select(DeliveryRow)))


def test_a_mail_server_that_is_away_gets_it_later_and_once(world: World) -> None:
    world.book("t01")
    world.mailbox.refuse = True
    world.look()
    assert world.mailbox.mails == []
    world.mailbox.refuse = False
    world.now += timedelta(minutes=1)
    assert world.look() == []
    world.look()
    assert len(world.mailbox.mails) == 2


def test_a_change_and_who_is_no_longer_asked(world: World) -> None:
    (meeting,) = world.book("t01", "t02")
    world.look()
    with world.store.session() as session:
        wanted = Change(start_at=START + HOUR, halls=("t02", "t03"))
        booking.change(session, meeting.id, wanted, "zhao", world.model.halls, NOW)
    told = dict(world.look())
    assert told["unit:t02"].startswith("会议变更")
    assert told["unit:t03"].startswith("会议变更")
    assert told["unit:t01"].startswith("会议取消")
    newest = {str(mail["To"]): events[0] for mail, events in world.calendars()}
    assert newest["t01@example.internal"].cancelled
    assert newest["zhao@example.internal"].start_at == START + HOUR
    assert newest["zhao@example.internal"].sequence == 1
    with world.store.session() as session:
        booking.cancel(session, meeting.id, "zhao", "", NOW)
    assert {zh[:4] for _, zh in world.look()} == {"会议取消"}
    with world.store.session() as session:
        again = world.book("t04")[0]
        assert again
    with world.store.session() as session:
        booking.cancel(session, again.id, "zhao", "", NOW)
    assert world.look() == [], "nobody had heard of it"


def test_a_series_is_one_message_and_one_event(world: World) -> None:
    series = world.book("t01", "t02", repeat="FREQ=WEEKLY;COUNT=3")
    assert len([each for each in world.look() if each[0] == "unit:t01"]) == 1
    newest = {str(mail["To"]): events for mail, events in world.calendars()}
    assert [(event.rule, event.recurrence_at) for event in newest["t01@example.internal"]] == [
        ("FREQ=WEEKLY;COUNT=3", None)
    ]
    with world.store.session() as session:
        booking.change(session, series[1].id, Change(halls=("t02", "t03")), "zhao", world.model.halls, NOW)
    assert dict(world.look())["unit:t01"].startswith("会议变更"), "still asked to the others"
    newest = {str(mail["To"]): events for mail, events in world.calendars()}
    assert newest["t01@example.internal"][0].without == {series[1].start_at}
    assert [event.recurrence_at for event in newest["zhao@example.internal"]] == [None, series[1].start_at]
    with world.store.session() as session:
        booking.cancel(session, series[2].id, "zhao", "", NOW)
    world.look()
    newest = {str(mail["To"]): events for mail, events in world.calendars()}
    assert (newest["t01@example.internal"][0].cancelled, newest["t01@example.internal"][0].recurrence_at) == (
        True,
        series[2].start_at,
    )
    with world.store.session() as session:
        booking.cancel(session, series[0].id, "zhao", "", NOW, series=True)
    world.look()
    newest = {str(mail["To"]): events for mail, events in world.calendars()}
    assert all(event.cancelled for event in newest["zhao@example.internal"])


def test_people_are_reminded_once_each_time(world: World) -> None:
    world.book("t01")
    world.look()
    world.now = START - timedelta(minutes=61)
    assert world.look() == []
    world.now = START - timedelta(minutes=59)
    assert {zh[:4] for _, zh in world.look()} == {"会议提醒"}
    assert world.look() == []
    world.now = START - timedelta(minutes=9)
    assert len(world.look()) == len({"unit:t01", "zhao", *hall_people(world.model)})
    world.now = START
    assert world.look() == []
    world.now = NOW
    with world.store.session() as session:
        late = Wanted(title="急", start_at=START + 2 * HOUR, duration=HOUR, halls=("t02",))
        booking.book(session, late, "zhao", world.model.halls)
    world.now = NOW + timedelta(seconds=1)
    assert {zh[:4] for _, zh in world.look()} == {"会议邀请"}, "booked before the reminder's time"


def hall_people(model: NetworkModel) -> set[str]:
    return {each.login for each in model.people.values() if "t01" in each.units and {"hall", "clerk"} & set(each.roles)}


def test_whoever_booked_hears_that_a_fault_takes_what_it_needs(world: World) -> None:
    (meeting,) = world.book("t01", "t07")
    people = Invitations(world.store, world.model, world.checker, lambda: world.now)
    people.check()
    line = [
        name
        for name in world.checker.impacts.paths(Faults())["t07"] or ()
        if world.model.links[name].kind is LinkKind.ACCESS
    ]
    second = [
        name
        for name in world.checker.impacts.paths(Faults(links=frozenset(line)))["t07"] or ()
        if world.model.links[name].kind is LinkKind.ACCESS
    ]

    def warnings() -> list[str]:
        people.check()
        with world.store.reading() as session:
            query = select(NotificationRow).where(NotificationRow.subject == f"capacity:{meeting.id}")
            return [row.zh for row in session.scalars(query.order_by(NotificationRow.at, NotificationRow.key))]

    assert warnings() == []
    world.faults = Faults(links=frozenset(line))
    assert warnings() == [], "carried on its second way"
    world.faults = Faults(links=frozenset({*line, *second}))
    world.now += timedelta(minutes=1)
    (warned,) = warnings()
    assert warned.startswith("会议网络不足：防汛会商")
    assert "没有通路" in warned
    assert warnings() == [warned], "once"
    world.faults = Faults()
    world.now += timedelta(minutes=1)
    assert warnings()[-1].startswith("会议网络恢复")
    with world.store.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.what == "meeting.capacity")).all()
        assert len(entries) == 2
        found = meetings.found(session, meeting.id)
        assert found.capacity is not None
        assert found.capacity["ok"]

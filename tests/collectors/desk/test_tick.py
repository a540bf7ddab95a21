"""What time does: everything once, whatever happens to the process, the clock or the database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from collectors.desk import actions, filing
from collectors.desk.service import DeskService
from collectors.desk.steps import Desk, DeskError, get
from collectors.desk.tables import MarkRow, NotificationRow, StepRow, TicketRow
from collectors.events import Events
from collectors.faults.tables import FaultRow
from inventory.load import load_model
from store.audit import AuditEntry, verify_chain
from store.engine import Store
from tests.collectors.desk.conftest import Clock

Make = Callable[..., DeskService]
Fault = Callable[..., int]


def fired(store: Store, ticket: int = 1) -> dict[str, int]:
    """What the history says fired, and how often."""
    with store.reading() as session:
        whats = session.scalars(select(StepRow.what).where(StepRow.ticket == ticket)).all()
        held = set(session.scalars(select(MarkRow.kind).where(MarkRow.ticket == ticket)))
    counted = Counter(what for what in whats if what in ("late-response", "yellow", "red", "escalate", "slow-answer"))
    assert set(counted) - {"escalate", "slow-answer"} <= held
    return dict(counted)


def test_a_fault_gets_one_ticket_of_its_class(store: Store, service: Make, fault: Fault, clock: Clock) -> None:
    fault()
    fault(key="link:t02-c1", subject="t02-c1", site="t02", severity="warning", impact={"sites_cut": []})
    desk = service()
    for _ in range(3):
        desk.look()
        clock.go(seconds=2)
    service().look()
    with store.reading() as session:
        tickets = session.scalars(select(TicketRow).order_by(TicketRow.id)).all()
        assert [(each.fault, each.class_name, each.site) for each in tickets] == [
            (1, "outage", "t01"),
            (2, "fault", "t02"),
        ]
        assert tickets[0].due_at == tickets[0].opened_at + timedelta(hours=4)
        assert tickets[0].respond_due_at == tickets[0].opened_at + timedelta(minutes=15)
        audited = session.scalars(select(AuditEntry.what)).all()
        assert audited.count("ticket.opened") == 2
        assert verify_chain(session).ok


@pytest.mark.parametrize(("lasts_s", "tickets"), [(5, 0), (29.9, 0), (30, 1), (600, 1)])
def test_a_fault_that_heals_at_once_opens_no_clock(
    store: Store, fault: Fault, clock: Clock, lasts_s: float, tickets: int
) -> None:
    model = load_model("xiao")
    assert model.supervision is not None
    desk = DeskService(model, model.supervision, store, Events(), now=clock.now, monotonic_s=clock.monotonic_s)
    number, began = fault(), clock.now()
    while clock.now() < began + timedelta(days=1):  # looked at often while it lasts, and long after
        if clock.now() - began >= timedelta(seconds=lasts_s):
            with store.session() as session:
                found = session.get(FaultRow, number)
                assert found is not None
                found.cleared_at = began + timedelta(seconds=lasts_s)
        desk.look()
        clock.go(seconds=1 if clock.now() - began < timedelta(seconds=35) else 14_400)
    with store.reading() as session:
        assert [each.opened_at for each in session.scalars(select(TicketRow))] == [began] * tickets
        assert session.scalars(select(FaultRow.id)).all() == [number]
        assert session.scalars(select(TicketRow.outcome)).all() == ["self-cleared"] * tickets
        assert session.scalars(select(MarkRow.kind)).all() == []


def test_an_impact_that_is_not_known_yet_is_waited_for(store: Store, service: Make, fault: Fault, clock: Clock) -> None:
    number = fault(impact={})
    desk = service()
    desk.look()
    with store.session() as session:
        assert session.scalars(select(TicketRow)).all() == []
        found = session.get(FaultRow, number)
        assert found is not None
        found.impact = {"sites_cut": ["t01"]}
    desk.look()
    with store.reading() as session:
        assert session.scalars(select(TicketRow.class_name)).all() == ["outage"]


def test_cards_and_escalation_come_once_and_in_order(store: Store, service: Make, fault: Fault, clock: Clock) -> None:
    fault()
    desk = service()
    for _ in range(8 * 6):  # eight hours, and every hour another process
        desk.look()
        clock.go(minutes=10)
        if clock.wall.minute == 0:
            desk = service()
    assert fired(store) == {"late-response": 1, "yellow": 1, "red": 1, "escalate": 4}
    with store.reading() as session:
        marks = {row.kind: row for row in session.scalars(select(MarkRow))}
        ticket = get(session, 1)
        told = session.scalars(select(NotificationRow.recipient).where(NotificationRow.key.contains("told-3"))).all()
        leader = session.scalars(select(NotificationRow).where(NotificationRow.key.contains("told-4"))).one()
    assert marks["yellow"].due_at == ticket.opened_at + timedelta(hours=3)
    assert marks["red"].due_at == ticket.opened_at + timedelta(hours=4)
    assert all(mark.at - mark.due_at <= timedelta(minutes=10) for mark in marks.values())
    assert set(told) == {"wang", "huang", "unit:t01"}
    assert leader.recipient == "chen"
    assert leader.at - marks["red"].at >= timedelta(hours=2)


def test_what_came_due_while_nobody_looked_fires_once_afterwards(
    store: Store, service: Make, fault: Fault, clock: Clock
) -> None:
    fault()
    service().look()
    clock.go(days=2)  # kill -9, and the machine is off over two nights: the clock of the law ran on
    for _ in range(3):
        service().look()
    assert fired(store) == {"late-response": 1, "yellow": 1, "red": 1, "escalate": 3}
    clock.go(hours=3)
    service().look()
    assert fired(store)["escalate"] == 4


def test_a_transaction_that_dies_half_way_leaves_nothing_and_is_done_again(
    store: Store, service: Make, fault: Fault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault()
    desk = service()
    desk.look()
    clock.go(hours=5)
    real = Session.flush
    flushes = iter(range(100))

    def dies(self: Session, *rest: object) -> None:
        real(self)
        if next(flushes) == 4:
            raise OperationalError("COMMIT", {}, Exception("the server was killed"))

    monkeypatch.setattr(Session, "flush", dies)
    with pytest.raises(OperationalError):
        desk.look()
    monkeypatch.undo()
    assert fired(store) == {}
    for _ in range(3):
        desk.look()
    assert fired(store) == {"late-response": 1, "yellow": 1, "red": 1, "escalate": 3}


async def test_the_service_outlives_a_database_that_is_away(
    store: Store, service: Make, fault: Fault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.desk.service.EVERY_S", 0.01)
    fault()
    desk = service()
    real = DeskService.look
    looks = iter(range(1, 1000))

    def look(self: DeskService) -> list[tuple[StepRow, str, str]]:
        clock.go(seconds=2)
        if next(looks) <= 30:  # a minute
            raise OperationalError("SELECT", {}, Exception("connection refused"))
        return real(self)

    monkeypatch.setattr(DeskService, "look", look)
    with desk._events.follow() as follower:
        task = asyncio.create_task(desk.run())
        await asyncio.wait_for(follower.queue.get(), 60)
    task.cancel()
    assert desk.failed == 30
    with store.reading() as session:
        assert len(session.scalars(select(TicketRow)).all()) == 1
    kinds = [(event.kind, event.state) for event in desk._events.recent]
    assert kinds == [("ticket", "opened")]


@pytest.mark.parametrize("hours", [30, -30])
def test_a_stepped_clock_fires_nothing_until_it_is_steady(
    store: Store, service: Make, fault: Fault, clock: Clock, hours: int
) -> None:
    fault()
    desk = service()
    desk.look()
    clock.go(seconds=2)
    clock.step(hours=hours)
    for _ in range(6):  # two minutes later somebody sets it right
        desk.look()
        clock.go(seconds=20)
    clock.step(hours=-hours)
    for _ in range(17):
        desk.look()
        clock.go(seconds=20)
    assert fired(store) == {}
    with store.reading() as session:
        audited = session.scalars(select(AuditEntry.detail).where(AuditEntry.what == "desk.clock-step")).all()
    assert len(audited) == 2
    while clock.wall < get_due(store):
        desk.look()
        clock.go(minutes=10)
    for _ in range(3):
        desk.look()
        clock.go(seconds=2)
    assert fired(store) == {"late-response": 1, "yellow": 1, "red": 1, "escalate": 3}


def get_due(store: Store) -> object:
    with store.reading() as session:
        return get(session, 1).due_at


def test_a_clock_that_stays_forward_is_believed_after_a_while(
    store: Store, service: Make, fault: Fault, clock: Clock
) -> None:
    fault()
    desk = service()
    desk.look()
    clock.step(hours=5)
    desk.look()
    clock.go(minutes=4)
    desk.look()
    assert fired(store) == {}
    clock.go(minutes=2)
    desk.look()
    desk.look()
    assert fired(store)["red"] == 1
    clock.step(hours=-5)  # and set right only now: what fired is not fired again
    for _ in range(8 * 4):
        desk.look()
        clock.go(minutes=15)
    assert fired(store) == {"late-response": 1, "yellow": 1, "red": 1, "escalate": 4}


def test_a_clock_set_back_while_it_was_down_is_noticed(store: Store, service: Make, fault: Fault, clock: Clock) -> None:
    fault()
    service().look()
    clock.step(days=-3)
    clock.monotonic = 5.0  # another boot
    desk = service()
    desk.look()
    with store.reading() as session:
        audited = session.scalars(select(AuditEntry.detail).where(AuditEntry.what == "desk.clock-step")).all()
    assert audited == ['{"seconds":-259200.0}']
    assert fired(store) == {}


def test_a_fault_that_clears_restores_its_ticket_and_silence_closes_it(
    store: Store, service: Make, fault: Fault, clock: Clock
) -> None:
    number = fault()
    desk = service()
    desk.look()
    clock.go(minutes=10)
    with store.session() as session:
        found = session.get(FaultRow, number)
        assert found is not None
        found.cleared_at = clock.now() - timedelta(seconds=5)
    desk.look()
    with store.reading() as session:
        ticket = get(session, 1)
        assert (ticket.state, ticket.outcome, ticket.restored_at, ticket.spent_s) == (
            "restored",
            "self-cleared",
            clock.now() - timedelta(seconds=5),
            595.0,
        )
    clock.go(days=2, hours=23)
    desk.look()
    with store.reading() as session:
        assert get(session, 1).state == "restored"
    clock.go(hours=2)
    desk.look()
    with store.reading() as session:
        assert get(session, 1).state == "closed"
    assert fired(store) == {}


def test_a_fault_that_grows_gets_the_stricter_class(store: Store, service: Make, fault: Fault, clock: Clock) -> None:
    number = fault(severity="warning", impact={"sites_cut": [], "sites_unprotected": ["t01"]})
    desk = service()
    desk.look()
    clock.go(hours=2)
    with store.session() as session:
        found = session.get(FaultRow, number)
        assert found is not None
        found.impact = {"sites_cut": ["t01"]}
    desk.look()
    desk.look()
    with store.reading() as session:
        ticket = get(session, 1)
        assert (ticket.class_name, ticket.due_at) == ("outage", clock.now() + timedelta(hours=4))
        whats = session.scalars(select(StepRow.what)).all()
    assert whats.count("reclass") == 1


def test_a_clock_that_waits_for_the_unit_stands(store: Store, desk: Desk, service: Make, clock: Clock) -> None:
    with store.session() as session:
        filing.report(session, desk, who="qian", site="t01", text="网页打不开", contact="周明 0900-5550101")
        actions.take(session, desk, 1, "wang")
    ticking = service()
    ticking.look()
    clock.go(hours=17)  # of 24: a card would come at 18
    with store.session() as session:
        actions.wait(session, desk, 1, "wang", "请确认机房供电")
    for _ in range(30):
        clock.go(hours=6)
        ticking.look()
    assert fired(store) == {"slow-answer": 1}
    with store.session() as session:
        actions.resume(session, desk, 1, "wang")
        assert get(session, 1).due_at == clock.now() + timedelta(hours=7)
    clock.go(minutes=59)
    ticking.look()
    assert fired(store) == {"slow-answer": 1}
    clock.go(minutes=2)
    ticking.look()
    assert fired(store) == {"slow-answer": 1, "yellow": 1}


def meeting(session: Session, desk: Desk, clock: Clock, hours: float = 48) -> TicketRow:
    return filing.request(
        session, desk, who="qian", site="t01", kind="meeting", text="例会",
        detail={"title": "例会", "start_at": clock.now().timestamp() + hours * 3600, "minutes": 60, "halls": ["t01"]},
    )  # fmt: skip


def test_silence_grants_a_meeting_once_and_never_an_opening(
    store: Store, desk: Desk, service: Make, clock: Clock
) -> None:
    granted: list[int] = []

    def grant(session: Session, ticket: TicketRow, who: str) -> str:
        granted.append(ticket.id)
        return f"meeting {len(granted)} is booked"

    with store.session() as session:
        meeting(session, desk, clock)
        filing.request(
            session, desk, who="qian", site="t01", kind="opening", text="新系统",
            detail={"source": "t01", "target": "exchange", "protocol": "tcp", "ports": "443"},
        )  # fmt: skip
    for _ in range(24):
        for _ in range(2):
            service(grant=grant).look()
        clock.go(hours=12)
    assert granted == [1]
    with store.reading() as session:
        yes, no = get(session, 1), get(session, 2)
        assert (yes.outcome, no.state, no.outcome) == ("deemed-granted", "opened", "")
        said = session.scalars(select(StepRow.detail).where(StepRow.what == "restore")).all()
    assert [each["done"] for each in said] == ["meeting 1 is booked"]
    assert fired(store, 1)["red"] == 1
    assert fired(store, 2)["red"] == 1


def test_a_meeting_that_cannot_be_booked_is_not_granted_by_silence(
    store: Store, desk: Desk, service: Make, clock: Clock
) -> None:
    def grant(session: Session, ticket: TicketRow, who: str) -> str:
        raise DeskError(("the hall is gone", "会场没有了"))

    with store.session() as session:
        meeting(session, desk, clock)
    clock.go(days=2)
    for _ in range(3):
        service(grant=grant).look()
    with store.reading() as session:
        assert get(session, 1).state == "opened"
        whats = session.scalars(select(StepRow.what)).all()
    assert whats.count("not-granted") == 1
    assert whats.count("red") == 1


def test_a_meeting_is_answered_before_it_would_begin(store: Store, desk: Desk, clock: Clock) -> None:
    with store.session() as session:
        ticket = meeting(session, desk, clock, hours=3)
        assert ticket.due_at == clock.now() + timedelta(hours=3)


def test_two_processes_at_once_fire_once(store: Store, service: Make, fault: Fault, clock: Clock) -> None:
    from concurrent.futures import ThreadPoolExecutor

    fault()
    first, second = service(), service()
    first.look()
    second.look()
    clock.go(hours=5)

    def look(desk: DeskService) -> None:
        for _ in range(5):
            try:
                desk.look()
            except IntegrityError:  # the loser's transaction is undone as a whole, and it looks again
                continue

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(look, (first, second)))
    assert fired(store) == {"late-response": 1, "yellow": 1, "red": 1, "escalate": 3}


def test_a_month_before_the_calendar_ends_somebody_is_told_once(
    store: Store, service: Make, fault: Fault, clock: Clock
) -> None:
    clock.go(days=20)
    fault()
    for _ in range(3):
        service().look()
        clock.go(minutes=2)
    with store.reading() as session:
        told = session.scalars(select(NotificationRow.key).where(NotificationRow.subject == "calendar")).all()
    assert sorted(told) == ["calendar-2027:huang", "calendar-2027:wang"]

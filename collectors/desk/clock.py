"""A ticket's clock, and whether the clock of the machine can be believed.  Pure; the caller brings the time.

A ticket keeps how much of its limit was spent until it last stood still; while it runs, all its deadlines are moments
in the store.  So nothing is lost when the process dies, and nothing depends on how often somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors.desk.tables import CLOSED, RED, RESTORED, YELLOW, TicketRow
from inventory.workdays import WorkCalendar, gone, passed

STEP = timedelta(seconds=10)
"""The wall clock may drift this far from the monotonic one between two looks (NTP slews 0.5 ms a second)."""

SETTLE = timedelta(minutes=5)
"""After a step nothing fires until the clock has been steady for so long."""


def spent(ticket: TicketRow, calendar: WorkCalendar, now: datetime) -> float:
    """Seconds of the limit that are spent; never less than what was counted already, whatever the clock says."""
    if ticket.counting_from is None:
        return ticket.spent_s
    return ticket.spent_s + gone(calendar, ticket.counting_from, now, working=ticket.working)


def stop(ticket: TicketRow, calendar: WorkCalendar, now: datetime) -> None:
    """Count what was spent; there are no deadlines while the clock stands."""
    ticket.spent_s = spent(ticket, calendar, now)
    ticket.counting_from = ticket.yellow_at = ticket.due_at = None


def start(ticket: TicketRow, calendar: WorkCalendar, now: datetime) -> None:
    """Run on from what is spent."""
    ticket.counting_from = now
    _deadlines(ticket, calendar)


def change_limit(ticket: TicketRow, calendar: WorkCalendar, now: datetime, limit_s: float, working: bool) -> None:
    """Another limit from now on: a fault that grew to an outage has the outage's whole time."""
    ticket.limit_s, ticket.working, ticket.spent_s = limit_s, working, 0.0
    if ticket.counting_from is not None:
        start(ticket, calendar, now)


def _deadlines(ticket: TicketRow, calendar: WorkCalendar) -> None:
    assert ticket.counting_from is not None
    for name, share in (("yellow_at", ticket.yellow_share), ("due_at", 1.0)):
        left = ticket.limit_s * share - ticket.spent_s
        setattr(ticket, name, passed(calendar, ticket.counting_from, left, working=ticket.working))


def light(ticket: TicketRow, fired: frozenset[str]) -> str:
    """ "green", "yellow" or "red" by the cards that stand; "off" when it is finished without any."""
    for card in (RED, YELLOW):
        if card in fired:
            return card
    return "off" if ticket.state in (RESTORED, CLOSED) else "green"


@dataclass(slots=True)
class Trust:
    """Notices a stepped clock by holding it against the monotonic one.

    A forward step would give every ticket its red card at once, a step back would hide them; and what was set wrong is
    often set right soon.  So after a step nothing fires until the clock has run steadily for ``SETTLE``; then the time
    is what it says.
    """

    wall: datetime | None = None
    monotonic_s: float = 0.0
    settled_s: float = 0.0  # monotonic moment from which it is believed again

    def look(self, wall: datetime, monotonic_s: float) -> timedelta | None:
        """Take note of the time; the size of a step, or None.  The first look may be given the store's last one."""
        step = None
        if self.wall is not None:
            off = wall - self.wall - timedelta(seconds=monotonic_s - self.monotonic_s)
            if abs(off) > STEP:
                step = off
                self.settled_s = monotonic_s + SETTLE.total_seconds()
        self.wall, self.monotonic_s = wall, monotonic_s
        return step

    def began(self, stored: datetime | None, wall: datetime, monotonic_s: float) -> timedelta | None:
        """The first look after a start: time that passed while nobody looked is not a step, time that ran back is."""
        back = stored - wall if stored is not None else timedelta()
        if back > STEP:
            self.settled_s = monotonic_s + SETTLE.total_seconds()
        self.wall, self.monotonic_s = wall, monotonic_s
        return -back if back > STEP else None

    def steady(self, monotonic_s: float) -> bool:
        """True when deadlines may fire."""
        return monotonic_s >= self.settled_s

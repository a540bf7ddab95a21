"""What a granted request does at once: a meeting is booked.  Everything else is a planned change, by people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from collectors.desk.actions import Grant
from collectors.desk.steps import DeskError
from collectors.desk.tables import TicketRow
from inventory.model import NetworkModel
from store.base import utc_now


def granting(model: NetworkModel, now: Callable[[], datetime] = utc_now) -> Grant:
    """Books the meetings of this county, in the ticket's own transaction."""

    def grant(session: Session, ticket: TicketRow, who: str) -> str:
        if ticket.request != "meeting":
            return ""
        from vconf.booking.book import Wanted, book  # the collector needs it once in a while
        from vconf.meetings import MeetingError

        asked = ticket.detail
        start = datetime.fromtimestamp(asked["start_at"], UTC)
        if start + timedelta(minutes=asked["minutes"]) <= now():
            en = f"ticket {ticket.id}: its meeting would be over already, it began {start:%Y-%m-%d %H:%M}Z"
            raise DeskError((en, f"工单 {ticket.id}：会议时间已过"))
        try:
            wanted = Wanted(
                title=asked["title"],
                start_at=start,
                duration=timedelta(minutes=asked["minutes"]),
                halls=tuple(asked["halls"]),
            )
            (booked,) = book(session, wanted, ticket.opened_by, model.halls)
        except MeetingError as problem:
            raise DeskError(
                (f"ticket {ticket.id}: {problem}", f"工单 {ticket.id}：会议无法登记（{problem}）")
            ) from None
        return f"meeting {booked.id}"

    return grant

"""People are asked to meetings, told of changes, and reminded; and whoever booked one, when the network lacks for it.

Each message is a row of ``notification`` with a key of its own, written in one transaction with what says that it was
told: no restart forgets one or says it twice.  How it goes out is ``collectors.alerts``'s affair.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from collectors.desk.steps import notify
from collectors.desk.tables import NotificationRow
from inventory.alerting import MEETING
from inventory.model import NetworkModel
from inventory.workdays import CHINA
from store.base import utc_now
from store.engine import Store
from vconf import links, meetings
from vconf.booking import feeds
from vconf.booking.checker import Checker
from vconf.booking.ical import About, calendar, uid_of
from vconf.booking.recheck import Verdict, keep, recheck
from vconf.meetings import Meeting
from vconf.tables import MeetingRow

LOOK_S = 5.0
CHECK_S = 60.0
_LONG_GONE = timedelta(days=1)  # nobody is told any more of what is over that long
_OF_HALLS = ("hall", "clerk")
_SHOWN = 6

log = logging.getLogger(__name__)


class Invitations:
    """Looks what is new, for life.

    Args:
        store: Meetings and notifications.
        model: Who belongs to which hall.
        checker: Whether the network carries a meeting.
        now: UTC.
    """

    def __init__(
        self, store: Store, model: NetworkModel, checker: Checker, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._store, self._model, self._checker, self._now = store, model, checker, now

    async def run(self) -> None:
        """Until cancelled."""
        looks = 0
        while True:
            try:
                await asyncio.to_thread(self.once)
                if looks % round(CHECK_S / LOOK_S) == 0:
                    await asyncio.to_thread(self.check)
            except SQLAlchemyError as problem:
                log.warning("invitations: %s; tried again", problem)
            looks += 1
            await asyncio.sleep(LOOK_S)

    def once(self) -> None:
        """Write down every message that is due."""
        now = self._now()
        with self._store.reading() as session:
            due = self._pending(session, now) or self._reminders(session, now)
        if not due:
            return
        with self._store.session() as session:
            for group in self._pending(session, now):
                self._tell(session, group, now)
            for meeting, ahead in self._reminders(session, now):
                self._remind(session, meeting, ahead, now)

    def check(self) -> None:
        """Check meetings against the network; whoever booked or chairs one hears when that has changed."""
        now = self._now()
        with self._store.reading() as session:
            news = recheck(session, self._checker, now)
        if not news:
            return
        with self._store.session() as session:
            for verdict in keep(session, news):
                self._warn(session, verdict, now)

    # -- asked, changed, cancelled ------------------------------------------------------------

    def _pending(self, session: Session, now: datetime) -> list[list[Meeting]]:
        """Meetings whose newest version nobody was told of; those of a series that belong together in one list."""
        found = meetings.found_by(session, MeetingRow.told < MeetingRow.sequence, MeetingRow.end_at > now - _LONG_GONE)
        groups: dict[tuple[str, bool, int], list[Meeting]] = {}
        for each in found:
            gone = each.cancelled_at is not None
            key = (uid_of(each, self._model.name), gone, 0 if gone else each.sequence)
            groups.setdefault(key, []).append(each)
        return list(groups.values())

    def _tell(self, session: Session, group: Sequence[Meeting], now: datetime) -> None:
        first = group[0]
        rows = [session.get_one(MeetingRow, each.id) for each in group]
        known = self._told(session, group)
        gone = first.cancelled_at is not None
        for row in rows:
            row.told = row.sequence
        if gone and not known:
            return  # booked and cancelled before anybody heard of it
        every = group
        if first.series is not None:
            every = meetings.found_by(session, MeetingRow.series == first.series)
        held = [each for each in every if each.cancelled_at is None]
        still = self._people(held)
        asked = [] if gone else [*self._people(group), *(each for each in known if each in still)]
        out = known if gone else [each for each in known if each not in asked]
        key = f"meeting:{first.id}:{max(each.sequence for each in group)}"
        what = ("会议变更", "Meeting changed") if known else ("会议邀请", "Invitation")
        begins = feeds.firsts(session, group)

        def request(recipient: str) -> bytes:
            return calendar(self._theirs(recipient, held), begins, self._about(recipient), now, "REQUEST")

        def cancellation(recipient: str) -> bytes:
            over = [_as_cancelled(each, now) for each in group]
            about = self._about(recipient)
            return calendar(over, begins, about, now, "CANCEL", whole=first.series is not None and not (gone and held))

        self._send(session, key, asked, what, group, now, request)
        self._send(session, f"{key}:out", out, ("会议取消", "Meeting cancelled"), group, now, cancellation)

    def _told(self, session: Session, group: Sequence[Meeting]) -> list[str]:
        """Who has heard of any of them, in the order of telling; of a series: of any of it."""
        subjects = {_subject(each) for each in group}
        if (series := group[0].series) is not None:
            subjects.add(f"meeting:{series}")
        query = (
            select(NotificationRow.recipient)
            .where(NotificationRow.subject.in_(subjects), NotificationRow.level == MEETING)
            .order_by(NotificationRow.at)
        )
        return list(dict.fromkeys(session.scalars(query)))

    def _people(self, group: Iterable[Meeting]) -> list[str]:
        """The units of the halls, who looks after these, the chair and the booker; logins and ``unit:CODE``."""
        found: dict[str, None] = {}
        for meeting in group:
            for code in meeting.halls:
                if (hall := self._model.halls.get(code)) is None:
                    continue
                found[f"unit:{hall.site}"] = None
                for person in self._model.people.values():
                    if hall.site in person.units and set(person.roles) & set(_OF_HALLS):
                        found[person.login] = None
            for login in (meeting.owner.removeprefix("@"), meeting.booked_by):
                if login in self._model.people:
                    found[login] = None
        return list(found)

    def _send(
        self,
        session: Session,
        key: str,
        whom: Sequence[str],
        what: tuple[str, str],
        group: Sequence[Meeting],
        now: datetime,
        made: Callable[[str], bytes],
    ) -> None:
        if not whom:
            return
        zh, en = self._words(group)
        said = (f"{what[0]}：{zh}", f"{what[1]}: {en}")
        notify(session, key, now, whom, MEETING, _subject(group[0]), *said, lambda each: made(each).decode())

    def _theirs(self, recipient: str, held: Sequence[Meeting]) -> list[Meeting]:
        """Of a series, the meetings that they are asked to."""
        return [each for each in held if recipient in self._people([each])]

    def _about(self, recipient: str) -> About:
        alerting, rules = self._model.alerting, self._model.supervision
        attendee = ""
        if recipient.startswith("unit:"):
            contact = rules.contacts.get(recipient[5:]) if rules is not None else None
            attendee = contact.mail if contact is not None else ""
        elif alerting is not None:
            attendee = alerting.address(recipient, "mail")
        organizer = alerting.mail.sender if alerting is not None and alerting.mail is not None else ""
        halls = self._model.halls
        names: Callable[[str], str] = lambda code: halls[code].zh if code in halls else code  # noqa: E731
        return About(self._model.name, self._model.zh, names, self._url(), organizer, attendee)

    def _url(self) -> str:
        try:
            return f"{links.pages_address(self._model)}/hall/"
        except LookupError:
            return ""

    def _words(self, group: Sequence[Meeting]) -> tuple[str, str]:
        first = group[0]
        when = "、".join(_when(each) for each in group[:_SHOWN])
        more = len(group) - _SHOWN
        halls = self._model.halls
        main = halls[first.main].zh if first.main in halls else first.main
        zh = f"{first.title}，{when}" + (f" 等 {len(group)} 次" if more > 0 else "")
        en = f"{first.title}, {when}" + (f" and {more} more times" if more > 0 else "")
        zh += f"，主会场{main}，{len(first.halls)} 个会场（会议 {first.id}）"
        en += f", main venue {halls[first.main].en if first.main in halls else first.main}"
        return zh, f"{en}, {len(first.halls)} halls (meeting {first.id})"

    # -- reminders, warnings ------------------------------------------------------------------

    def _reminders(self, session: Session, now: datetime) -> list[tuple[Meeting, timedelta]]:
        """Meetings that begin soon, with the shortest time before them that has come and was not told of."""
        ahead = self._model.alerting.remind if self._model.alerting is not None else ()
        if not ahead:
            return []
        rows = session.scalars(
            select(MeetingRow).where(
                MeetingRow.start_at > now,
                MeetingRow.start_at <= now + max(ahead),
                MeetingRow.cancelled_at.is_(None),
                MeetingRow.ended_at.is_(None),
                MeetingRow.told >= 0,
            )
        ).all()
        due = []
        for row in rows:
            reached = [each for each in ahead if row.start_at - each <= now and row.booked_at < row.start_at - each]
            key = f"meeting:{row.id}:remind:{_minutes(min(reached))}:{row.start_at:%Y%m%dT%H%M}" if reached else ""
            told = select(NotificationRow.key).where(NotificationRow.key.startswith(key + ":")).limit(1)
            if key and session.scalar(told) is None:
                due.append((meetings.found(session, row.id), min(reached)))
        return due

    def _remind(self, session: Session, meeting: Meeting, ahead: timedelta, now: datetime) -> None:
        zh, en = self._words([meeting])
        key = f"meeting:{meeting.id}:remind:{_minutes(ahead)}:{meeting.start_at:%Y%m%dT%H%M}"
        said = (f"会议提醒：{zh}", f"Reminder: {en}")
        notify(session, key, now, self._people([meeting]), MEETING, _subject(meeting), *said)

    def _warn(self, session: Session, verdict: Verdict, now: datetime) -> None:
        meeting = verdict.meeting
        known = (meeting.owner.removeprefix("@"), meeting.booked_by)
        whom = [login for login in known if login in self._model.people]
        zh = "；".join(zh for zh, _ in verdict.words[:3])
        en = "; ".join(en for _, en in verdict.words[:3])
        digest = sha256(f"{now.isoformat()} {zh}".encode()).hexdigest()[:12]
        if verdict.ok:
            said = (
                f"会议网络恢复：{meeting.title}，{_when(meeting)}",
                f"The network carries it again: {meeting.title}",
            )
        else:
            said = (
                f"会议网络不足：{meeting.title}，{_when(meeting)}，{zh}",
                f"Short for meeting {meeting.title}: {en}",
            )
        notify(session, f"meeting:{meeting.id}:capacity:{digest}", now, whom, MEETING, f"capacity:{meeting.id}", *said)


def _subject(meeting: Meeting) -> str:
    return f"meeting:{meeting.id}"


def _when(meeting: Meeting) -> str:
    start, end = meeting.start_at.astimezone(CHINA), meeting.end_at.astimezone(CHINA)
    return f"{start:%m-%d %H:%M}–{end:%H:%M}"


def _minutes(ahead: timedelta) -> int:
    return round(ahead.total_seconds() / 60)


def _as_cancelled(meeting: Meeting, now: datetime) -> Meeting:
    """For who is no longer asked, it is not held."""
    return meeting if meeting.cancelled_at is not None else replace(meeting, cancelled_at=now)

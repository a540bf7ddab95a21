"""The shift log (值班): who is on duty, what was noted, and what was handed over to whom.  One shift at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.desk.steps import Desk, DeskError, Refused, get, mistake, notify
from collectors.desk.tables import UNFINISHED, ShiftNoteRow, ShiftRow, TicketRow
from collectors.desk.view import Document, seconds
from store import audit


def current(session: Session) -> ShiftRow | None:
    """The shift that goes on now."""
    return session.scalars(select(ShiftRow).where(ShiftRow.running == 1)).first()


def handed_over(session: Session) -> ShiftRow | None:
    """The last shift, where it was handed over and nobody took it yet."""
    last = session.scalars(select(ShiftRow).order_by(ShiftRow.id.desc()).limit(1)).first()
    return last if last is not None and last.handed_to and last.taken_at is None else None


def on(session: Session, desk: Desk, who: str, why: str = "") -> ShiftRow:
    """Begin a shift, and take what was handed over.

    Raises:
        Refused: Somebody is on duty already, or the last shift was handed to somebody else (who may be ill: ``why``).
    """
    running = current(session)
    if running is not None:
        en = f"{running.login} is on duty since {running.began_at:%Y-%m-%d %H:%M}Z: 'sanwang shift handover'"
        raise Refused((en, f"{running.login} 正在值班：请先交接班"))
    waiting = handed_over(session)
    if waiting is not None and waiting.handed_to != who and not why.strip():
        en = f"the last shift was handed to {waiting.handed_to}: give a reason to take it instead"
        raise Refused((en, f"上一班已交给 {waiting.handed_to}：代接须写明原因"))
    now = desk.now()
    if waiting is not None:
        waiting.taken_at = now
    row = ShiftRow(login=who, running=1, began_at=now, handed_to="", handed_text="", open_tickets=[])
    session.add(row)
    session.flush()
    audit.record(session, who, "shift.on", why, {"shift": row.id, "took": waiting.id if waiting else None})
    return row


def note(session: Session, desk: Desk, who: str, text: str, ticket: int | None = None) -> ShiftNoteRow:
    """One line of the log, by whoever is there.  Raises DeskError."""
    running = _running(session)
    if not 1 <= len(text.strip()) <= 4000:
        raise DeskError(mistake("text", f"{len(text.strip())} characters", "1 to 4000", " 1 到 4000 字"))
    if ticket is not None:
        get(session, ticket)
    row = ShiftNoteRow(shift=running.id, at=desk.now(), who=who, text=text.strip(), ticket=ticket)
    session.add(row)
    session.flush()
    audit.record(session, who, "shift.note", "", {"shift": running.id, "note": row.id})
    return row


def handover(session: Session, desk: Desk, who: str, to: str, text: str) -> ShiftRow:
    """End the shift and hand it over (交接班), with every ticket that is open; the next one is told."""
    running = _running(session)
    _own(running, who)
    handlers = sorted({login for team in desk.rules.teams.values() for login in team.members})
    if to not in handlers or to == who:
        raise DeskError(mistake("to", to, f"another one of {', '.join(handlers)}", f"另一位：{'、'.join(handlers)}"))
    if not text.strip():
        raise DeskError(mistake("text", "", "what the next shift has to know", "交接事项"))
    open_now = _open(session)
    _end(running, desk)
    running.handed_to, running.handed_text, running.open_tickets = to, text.strip(), open_now
    audit.record(session, who, "shift.handover", text, {"shift": running.id, "to": to, "tickets": open_now})
    zh, en = f"交接班：{text}（未结工单 {len(open_now)}）", f"Handover: {text} ({len(open_now)} tickets open)"
    notify(session, f"shift-{running.id}:handover", desk.now(), (to,), "info", f"shift:{running.id}", zh, en)
    return running


def off(session: Session, desk: Desk, who: str, why: str = "") -> ShiftRow:
    """End the shift with nobody to follow; only while no ticket is open."""
    running = _running(session)
    _own(running, who)
    if open_now := _open(session):
        en = f"{len(open_now)} tickets are open (first: {open_now[0]}): hand the shift over instead"
        raise Refused((en, f"还有 {len(open_now)} 个未结工单（{open_now[0]} 等）：请交接班"))
    _end(running, desk)
    audit.record(session, who, "shift.off", why, {"shift": running.id})
    return running


def log(session: Session, *, limit: int = 30, before: int | None = None) -> Sequence[ShiftRow]:
    """Shifts, newest first."""
    query = select(ShiftRow).order_by(ShiftRow.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(ShiftRow.id < before)).all()


def document(session: Session, desk: Desk, row: ShiftRow | None) -> Document | None:
    """A shift with its notes."""
    if row is None:
        return None
    person = desk.model.people.get(row.login)
    notes = session.scalars(select(ShiftNoteRow).where(ShiftNoteRow.shift == row.id).order_by(ShiftNoteRow.id))
    lines: list[dict[str, Any]] = [
        {"id": each.id, "at": seconds(each.at), "who": each.who, "text": each.text, "ticket": each.ticket}
        for each in notes
    ]
    return {
        "id": row.id,
        "login": row.login,
        "zh": person.zh if person else row.login,
        "en": person.en if person else row.login,
        "began_at": seconds(row.began_at),
        "ended_at": seconds(row.ended_at),
        "handed_to": row.handed_to,
        "handed_text": row.handed_text,
        "taken_at": seconds(row.taken_at),
        "open_tickets": row.open_tickets,
        "notes": lines,
    }


def _running(session: Session) -> ShiftRow:
    found = current(session)
    if found is None:
        raise Refused(("nobody is on duty: 'sanwang shift on' begins a shift", "现在无人值班：请先接班"))
    return found


def _own(running: ShiftRow, who: str) -> None:
    if running.login != who:
        raise Refused((f"{running.login} is on duty, not {who}", f"正在值班的是 {running.login}，不是 {who}"))


def _end(running: ShiftRow, desk: Desk) -> None:
    running.running, running.ended_at = None, desk.now()


def _open(session: Session) -> list[int]:
    return list(session.scalars(select(TicketRow.id).where(TicketRow.state.in_(UNFINISHED)).order_by(TicketRow.id)))

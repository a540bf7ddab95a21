"""The audit log: who did what and why, as a chain that shows when a line was changed or taken out.

Each entry's digest covers its own fields and the digest before it.  Whoever can write the whole database could
compute a new chain from some entry on; therefore a head (number and digest) noted elsewhere, on paper or in
another centre, can be checked with ``verify_chain(session, head=...)``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Integer, String, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, utc_now

GENESIS = "0" * 64
"""What the first entry has for the digest before it."""

_CHAIN_LOCK = 0x53414E58  # PostgreSQL advisory lock: one entry is appended at a time


class AuditEntry(Base):
    """One line of the log; never updated, never deleted."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # 1, 2, 3 ... no gaps
    at: Mapped[str] = mapped_column(String(32))  # UTC, ISO 8601 with microseconds: text, so that the digest is exact
    who: Mapped[str] = mapped_column(Text)  # login, or the name of a service
    what: Mapped[str] = mapped_column(Text)  # "apply", "enrol", "meeting.book" ...
    why: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)  # canonical JSON
    previous: Mapped[str] = mapped_column(String(64))  # hexadecimal SHA-256
    digest: Mapped[str] = mapped_column(String(64))

    def computed_digest(self) -> str:
        """What the digest has to be, from the other fields."""
        fields = [self.number, self.at, self.who, self.what, self.why, self.detail, self.previous]
        return sha256(json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Chain:
    """What a verification found."""

    entries: int
    head: tuple[int, str]  # number and digest of the last entry; (0, GENESIS) when the log is empty
    problems: tuple[str, ...]  # empty when the chain holds

    @property
    def ok(self) -> bool:
        """True when nothing was changed, taken out or put in."""
        return not self.problems


def record(
    session: Session, who: str, what: str, why: str = "", detail: Mapping[str, object] | None = None
) -> AuditEntry:
    """Append one entry, in the caller's transaction: what it tells and the entry are kept together or not at all.

    Args:
        session: A writing session (``Store.session()``).
        who: Login of the person, or the service's name.
        what: The action, a short word: "apply", "meeting.book".
        why: The reason that was given.
        detail: Anything JSON can hold; never a secret.
    """
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
    last = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1)).first()
    entry = AuditEntry(
        number=last.number + 1 if last else 1,
        at=utc_now().isoformat(timespec="microseconds"),
        who=who,
        what=what,
        why=why,
        detail=json.dumps(detail or {}, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        previous=last.digest if last else GENESIS,
    )
    entry.digest = entry.computed_digest()
    session.add(entry)
    session.flush()
    return entry


def verify_chain(session: Session, head: tuple[int, str] | None = None) -> Chain:
    """Walk the whole log.

    Args:
        session: Any session.
        head: Number and digest noted earlier: the log must still hold that entry, so that a cut-off tail is seen.
    """
    problems: list[str] = []
    number, digest = 0, GENESIS
    entries = 0
    head_seen = head is None or head == (0, GENESIS)
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.number).execution_options(yield_per=500)):
        entries += 1
        if entry.number != number + 1:
            problems.append(f"entry {entry.number}: expected {number + 1}, entries between them are missing")
        elif entry.previous != digest:
            problems.append(f"entry {entry.number}: does not follow entry {number}, one of the two was changed")
        if entry.digest != entry.computed_digest():
            problems.append(f"entry {entry.number}: its fields do not give its digest, it was changed")
        number, digest = entry.number, entry.digest
        head_seen = head_seen or (number, digest) == head
    if head is not None and not head_seen:
        problems.append(f"entry {head[0]} with digest {head[1][:12]}... noted earlier is not in the log")
    return Chain(entries=entries, head=(number, digest), problems=tuple(problems))

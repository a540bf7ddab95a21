"""What a running instance shows, read from its own files and log: nothing on a device is touched."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from identity.accounts import everyone
from identity.directory import grants_of
from inventory.places import Places
from provision.backup.archive import Archive, ArchiveError, place
from provision.comply.subject import Account, Certificate, Facts
from store.audit import AuditEntry, verify_chain
from store.base import utc_now
from store.engine import open_store

RESTORES = ("restore", "backup.restore", "drill.restore", "device.restore")
"""Actions of the audit log that prove that a device came back from its backup."""

BACKUPS = ("backup.take",)
"""Actions after which every device's configuration is in the repository, changed or not."""

_NEVER = datetime.min.replace(tzinfo=UTC)
_PRIVATE = ("vault.key", "vault.bin", "ca.key")


def gather(places: Places) -> Facts:
    """Facts of one instance; empty when none of that name was ever started."""
    identity = places.lib / "identity"
    if not places.lib.is_dir() or not identity.is_dir():
        return Facts()
    records = _records(places.database)
    backup, source = max(_backup(places), records.pop("taken", (_NEVER, "")))
    return Facts(
        instance=places.instance,
        certificates=_certificates(identity),
        key_modes={str(path): path.stat().st_mode for name in _PRIVATE for path in sorted(identity.rglob(name))},
        backup_at=None if backup == _NEVER else backup,
        backup_source=source,
        **records,
    )


def _certificates(identity: Path) -> tuple[Certificate, ...] | None:
    index = next(iter(sorted(identity.rglob("index.json"))), None)
    if index is None:
        return None
    return tuple(
        Certificate(row["name"], row["kind"], _time(row["not_after"]), bool(row.get("revoked_at")))
        for row in json.loads(index.read_text(encoding="utf-8"))
    )


def _records(database: str) -> dict[str, Any]:
    """Of the audit log; a database that is not there yet is not made by looking."""
    url = make_url(database)
    if url.drivername.startswith("sqlite") and not Path(url.database or "").is_file():
        return {}
    store = open_store(database)
    try:
        with store.reading() as session:
            return {**_log(session), "accounts": _accounts(session)}
    finally:
        store.close()


def _accounts(session: Session) -> tuple[Account, ...]:
    now = utc_now()
    return tuple(
        Account(
            account.login,
            tuple(grant.role for grant in grants_of(session, now, account.login)),
            bool(account.totp),
            account.locked_at is not None,
            account.seen_at or account.created_at,
        )
        for account in everyone(session)
    )


def _log(session: Session) -> dict[str, Any]:
    chain = verify_chain(session)
    first = session.scalars(select(AuditEntry).order_by(AuditEntry.number).limit(1)).first()
    restored, taken = _latest(session, RESTORES), _latest(session, BACKUPS)
    return {
        "audit_problems": chain.problems,
        "audit_entries": chain.entries,
        "oldest_record": _time(first.at) if first else None,
        "first_record": first.number if first else 0,
        "restore_rehearsed_at": _time(restored.at) if restored else None,
        "taken": (_time(taken.at), f"audit log: entry {taken.number} ({taken.what})") if taken else (_NEVER, ""),
    }


def _latest(session: Session, actions: tuple[str, ...]) -> AuditEntry | None:
    wanted = select(AuditEntry).where(AuditEntry.what.in_(actions)).order_by(AuditEntry.number.desc()).limit(1)
    return session.scalars(wanted).first()


def _backup(places: Places) -> tuple[datetime, str]:
    """When the county's repository of configurations was last written to."""
    folder = place(places)
    try:
        newest = next(iter(Archive(folder).history(last=1)), None)
    except ArchiveError:
        newest = None
    if newest is None:
        return _NEVER, ""
    return _time(newest.at), f"{folder}: commit {newest.commit[:12]} ({newest.what})"


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

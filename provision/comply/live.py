"""What a running instance shows, read from its own files and log: nothing on a device is touched."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from inventory.places import Places
from provision.comply.subject import Certificate, Facts
from store.audit import AuditEntry, verify_chain
from store.engine import open_store

RESTORES = ("restore", "rehearse.restore", "drill.restore", "device.restore")
"""Actions of the audit log that prove that a device came back from its backup."""

_PRIVATE = ("vault.key", "vault.bin", "ca.key")


def gather(places: Places) -> Facts:
    """Facts of one instance; empty when none of that name was ever started."""
    identity = places.lib / "identity"
    if not places.lib.is_dir() or not identity.is_dir():
        return Facts()
    backup, source = _backup(places.lib)
    return Facts(
        instance=places.instance,
        certificates=_certificates(identity),
        key_modes={str(path): path.stat().st_mode for name in _PRIVATE for path in sorted(identity.rglob(name))},
        backup_at=backup,
        backup_source=source,
        **_records(places.database),
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
            return _log(session)
    finally:
        store.close()


def _log(session: Session) -> dict[str, Any]:
    chain = verify_chain(session)
    first = session.scalars(select(AuditEntry).order_by(AuditEntry.number).limit(1)).first()
    rehearsed = select(AuditEntry).where(AuditEntry.what.in_(RESTORES)).order_by(AuditEntry.number.desc()).limit(1)
    restored = session.scalars(rehearsed).first()
    return {
        "audit_problems": chain.problems,
        "audit_entries": chain.entries,
        "oldest_record": _time(first.at) if first else None,
        "first_record": first.number if first else 0,
        "restore_rehearsed_at": _time(restored.at) if restored else None,
    }


def _backup(lib: Path) -> tuple[datetime | None, str]:
    """When the county's repository of running configurations was last written to."""
    for name in ("configurations", "backup", "configs", "history"):
        folder = lib / name
        if not ((folder / ".git").exists() or (folder / "HEAD").exists()):
            continue
        asked = subprocess.run(
            ["git", "-C", str(folder), "log", "-1", "--format=%ct %h"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if asked.returncode == 0 and asked.stdout.strip():
            at, commit = asked.stdout.split()
            return datetime.fromtimestamp(int(at), UTC), f"{folder}: commit {commit}"
    return None, ""


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

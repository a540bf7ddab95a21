"""What was changed, by whom, when, why and approved by whom: kept configurations, plans with their journals, the audit.

Everything here reads what others wrote (git, files, the store) and blocks: callers ask beside the loop.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import select

from inventory.places import Places
from store.audit import AuditEntry
from store.engine import Store

Document = dict[str, Any]

MOST = 200
_PLANS = 40  # each is read whole, and may hold a county
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_PLAN = re.compile(r"[0-9a-f]{12}")
_DIFF_BYTES = 400_000
# What people do to the network; comings and goings at meetings and pages have pages of their own.
_CHANGES = (
    "apply",
    "approve",
    "change.",
    "exit.",
    "plan",
    "playbook",
    "replace",
    "restore",
    "rollback",
    "rotate",
    "takeover",
    "vpn.",
)


class NoSuchChange(LookupError):
    """There is no such commit, plan or device in the history."""


class Changes:
    """The history of one instance."""

    def __init__(self, places: Places, store: Store) -> None:
        self._places, self._store = places, store

    def versions(self, device: str, last: int) -> list[Document]:
        """Kept configurations, newest first; of one device when it is given."""
        # Git and plans are read by this page alone: the server does not hold them for all its life.
        from provision.backup.archive import Archive, ArchiveError, document, place

        archive = Archive(place(self._places))
        if not (archive.folder / "HEAD").exists():
            return []
        try:
            return [document(version) for version in archive.history(device, last=min(last, MOST))]
        except ArchiveError as problem:
            raise NoSuchChange(str(problem)) from None

    def difference(self, device: str, commit: str) -> Document:
        """What one commit changed on one device, as a unified diff."""
        from provision.backup.archive import Archive, ArchiveError, document, place

        if not _COMMIT.fullmatch(commit):
            raise NoSuchChange(f"commit {commit!r}: expected hexadecimal digits")
        archive = Archive(place(self._places))
        version = archive.version(commit)
        if version is None or device not in version.hosts:
            raise NoSuchChange(f"commit {commit!r} changed nothing on {device!r}")
        try:
            text = archive.difference(device, version.commit)
        except ArchiveError as problem:
            raise NoSuchChange(str(problem)) from None
        return {**document(version), "device": device, "diff": text[:_DIFF_BYTES], "cut": len(text) > _DIFF_BYTES}

    def plans(self) -> list[Document]:
        """Plans that were carried out or begun, newest first."""
        from provision.change.journal import folder

        found = []
        try:
            paths = sorted(folder(self._places).glob("*.plan"), key=lambda path: -path.stat().st_mtime)
        except OSError:
            return []
        for path in paths[:_PLANS]:
            plan = self._plan(path.stem)
            if plan is not None:
                found.append(plan)
        return found

    def plan(self, plan_id: str) -> Document:
        """One plan with the steps of its journal; NoSuchChange."""
        found = self._plan(plan_id, whole=True) if _PLAN.fullmatch(plan_id) else None
        if found is None:
            raise NoSuchChange(f"plan {plan_id!r}: not among those carried out")
        return found

    def _plan(self, plan_id: str, *, whole: bool = False) -> Document | None:
        from provision.change.journal import Journal
        from provision.change.plan import Plan, PlanError

        journal = Journal(self._places, plan_id)
        try:
            plan = Plan.load(journal.plan_path)
        except PlanError:
            return None
        steps = journal.current
        found = {
            "id": plan.id,
            "made_at": plan.made_at,
            "author": plan.author,
            "why": plan.why,
            "hosts": list(plan.hosts),
            "risk": getattr(plan.risk, "level", ""),
            "approvals": [{"login": each.login, "at": each.at} for each in plan.approvals],
            "evidence": [{"kind": each.kind, "good": each.good, "words": each.words} for each in plan.evidence],
            "began_at": steps[0].at if steps else "",
            "ended_at": steps[-1].at if journal.ended else "",
            "result": journal.ended or ("running" if steps else "waiting"),
        }
        if whole:
            found["steps"] = [
                {"at": each.at, "what": each.what, "stage": each.stage, "host": each.host, "words": each.words}
                for each in journal.steps
            ]
        return found

    def audit(self, last: int) -> list[Document]:
        """Audited acts on the network, newest first."""
        wanted = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(2_000)
        with self._store.reading() as session:
            rows = [row for row in session.scalars(wanted) if row.what.startswith(_CHANGES)]
            return [
                {
                    "number": row.number,
                    "at": row.at,
                    "who": row.who,
                    "what": row.what,
                    "why": row.why,
                    "detail": json.loads(row.detail),
                }
                for row in rows[: min(last, MOST)]
            ]

"""A fault as a row of the store, back again, and as the JSON that pages, events and commands show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from collectors.faults.book import Fault
from collectors.faults.diagnose import Child
from collectors.faults.tables import FaultRow
from collectors.faults.words import words
from inventory.model import NetworkModel

Document = dict[str, Any]
NO_MARKS: Document = {"acknowledged_by": None, "acknowledged_at": None, "acknowledged_why": None, "window": None}


def fault_document(model: NetworkModel, fault: Fault, marks: Mapping[str, Any] | None = None) -> Document:
    """Times in UNIX seconds; ``link`` and ``host`` are "" where the subject is neither."""
    said = words(model, fault)
    kind, _, subject = fault.key.partition(":")
    return {
        "id": fault.id,
        "key": fault.key,
        "kind": fault.kind,
        "subject": fault.subject,
        "link": subject if kind == "link" else "",
        "host": subject.partition("/")[0] if kind in ("host", "service", "wrong") else "",
        "site": fault.site,
        "severity": fault.severity,
        "zh": said.zh,
        "en": said.en,
        "next_step": said.next_step,
        "opened_at": fault.opened_at,
        "cleared_at": fault.cleared_at,
        "links": list(fault.links),
        "hosts": list(fault.hosts),
        "detail": fault.detail,
        "children": [{"kind": child.kind, "subject": child.subject} for child in fault.children],
        "impact": fault.impact,
        **(marks or NO_MARKS),
    }


def row_document(model: NetworkModel, row: FaultRow) -> Document:
    """The same of a row."""
    return fault_document(model, fault_of(row), marks_of(row))


def marks_of(row: FaultRow) -> Document:
    """What others than the collector write of a fault."""
    at = row.acknowledged_at
    return {
        "acknowledged_by": row.acknowledged_by,
        "acknowledged_at": at.timestamp() if at is not None else None,
        "acknowledged_why": row.acknowledged_why,
        "window": row.window,
    }


def fault_of(row: FaultRow) -> Fault:
    """The fault that a row holds."""
    detail = dict(row.detail)
    book = detail.pop("book", {})
    children = tuple(Child(child["kind"], child["subject"]) for child in detail.pop("children", []))
    kind, severity = book.get("opened_as", (row.kind, row.severity))
    return Fault(
        row.id, row.key, row.kind, (kind, severity), row.subject, row.site, row.severity, row.opened_at.timestamp(),
        tuple(book.get("links", ())), tuple(book.get("hosts", ())), detail, children, dict(row.impact),
        row.cleared_at.timestamp() if row.cleared_at is not None else None,
    )  # fmt: skip


def save(session: Session, fault: Fault) -> None:
    """Write a fault's row; what others write of it stays."""
    row = session.get(FaultRow, fault.id)
    if row is None:
        row = FaultRow(id=fault.id, key=fault.key, subject=fault.subject, opened_at=_moment(fault.opened_at))
        session.add(row)
    row.kind, row.site, row.severity = fault.kind, fault.site, fault.severity
    row.cleared_at = _moment(fault.cleared_at) if fault.cleared_at is not None else None
    row.impact = fault.impact
    row.detail = {
        **fault.detail,
        "children": [{"kind": child.kind, "subject": child.subject} for child in fault.children],
        "book": {"opened_as": list(fault.opened_as), "links": list(fault.links), "hosts": list(fault.hosts)},
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

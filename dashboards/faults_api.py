"""Faults for the alerts page, out of the fault book that the collector keeps.

===================================  =====================================================================
``GET /api/faults``                  faults, newest first: open ones, or history by time, kind, site, words
``POST /api/faults/ID/acknowledge``  somebody looks after it, and says what is being done (HANDLE)
===================================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Query

from collectors.faults.tables import FaultRow, NoSuchFault, acknowledge, faults_between, open_faults
from dashboards.access import Access, Person
from identity.people import Right
from store.engine import Store

Document = dict[str, Any]

_MOST = 200
_LONGEST_S = 366 * 86_400.0


def fault_document(row: FaultRow) -> Document:
    """One fault as JSON types; times are seconds UTC."""
    return {
        "id": row.id,
        "key": row.key,
        "kind": row.kind,
        "subject": row.subject,
        "site": row.site,
        "severity": row.severity,
        "opened_at": row.opened_at.timestamp(),
        "cleared_at": row.cleared_at.timestamp() if row.cleared_at else None,
        "detail": row.detail,
        "impact": row.impact,
        "acknowledged": {"who": row.acknowledged_by, "at": row.acknowledged_at.timestamp(), "why": row.acknowledged_why}
        if row.acknowledged_at
        else None,
        "window": row.window,
    }


def build_faults(store: Store, access: Access) -> APIRouter:
    """The router; its functions are plain ones, so that the database is asked beside the loop."""
    router = APIRouter(prefix="/api/faults")
    may_watch = Depends(access.needs(Right.WATCH, Right.HANDLE, Right.SUPERVISE))

    may_handle = Depends(access.needs(Right.HANDLE))

    @router.get("", dependencies=[may_watch])
    def faults(
        state: Annotated[str, Query(pattern="^(open|cleared|all)$")] = "open",
        start_at: float = 0.0,
        end_at: float | None = None,
        kind: Annotated[str, Query(max_length=24)] = "",
        site: Annotated[str, Query(max_length=16)] = "",
        severity: Annotated[str, Query(max_length=16)] = "",
        text: Annotated[str, Query(max_length=100)] = "",
        before: int | None = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    ) -> Document:
        with store.reading() as session:
            if state == "open":
                rows = open_faults(session)
            else:
                start, end = _period(start_at, end_at)
                rows = faults_between(session, start, end)
            if state == "cleared":
                rows = [row for row in rows if row.cleared_at]
            found = [row for row in _newest(rows, before) if _wanted(row, kind, site, severity, text)]
            return {"faults": [fault_document(row) for row in found[:limit]], "more": len(found) > limit}

    @router.post("/{number}/acknowledge")
    def look_after(
        number: int,
        why: Annotated[str, Body(embed=True, max_length=500)],
        person: Person = may_handle,
    ) -> Document:
        try:
            with store.session() as session:
                return fault_document(acknowledge(session, number, person.login, why))
        except NoSuchFault as problem:
            raise HTTPException(404, str(problem)) from None
        except ValueError as problem:
            raise HTTPException(422, str(problem)) from None

    return router


def _period(start_at: float, end_at: float | None) -> tuple[datetime, datetime]:
    """Aware bounds of at most a year; the last year when nothing is asked."""
    end = end_at if end_at is not None else datetime.now(UTC).timestamp() + 1
    start = max(start_at, end - _LONGEST_S)
    if not 0 <= start < end < 4e9:
        raise HTTPException(422, f"start_at {start_at}, end_at {end_at}: expected a time in seconds, start before end")
    return datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)


def _newest(rows: Sequence[FaultRow], before: int | None) -> Sequence[FaultRow]:
    return [row for row in reversed(rows) if before is None or row.id < before]


def _wanted(row: FaultRow, kind: str, site: str, severity: str, text: str) -> bool:
    said = f"{row.subject} {row.kind} {row.site}".casefold()
    return (
        (not kind or row.kind == kind)
        and (not site or row.site == site or site in row.impact.get("sites_cut", ()))
        and (not severity or row.severity == severity)
        and text.casefold() in said
    )

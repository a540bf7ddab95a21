"""``GET /api/events``: what happened, found by time, kind, subject and words; six months of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from collectors.tables import search_events
from dashboards.access import Access
from identity.people import Right
from store.engine import Store

_PAGE = 200


def build_events(store: Store, access: Access) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/api/events")

    @router.get("", dependencies=[Depends(access.needs(Right.WATCH))])
    def events(
        since: AwareDatetime | None = None,
        until: AwareDatetime | None = None,
        kind: Annotated[str, Query(max_length=16)] = "",
        subject: Annotated[str, Query(max_length=80)] = "",
        text: Annotated[str, Query(max_length=200)] = "",
        before: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, Any]:
        """Newest first, by default of the last day; ``before`` the last number goes on. 200 to a page."""
        first = since or datetime.now(UTC) - timedelta(days=1)
        with store.reading() as session:
            rows = search_events(
                session,
                since=first,
                until=until,
                kind=kind,
                subject=subject,
                text=text,
                before=before,
                limit=_PAGE,
            )
            found = [
                {
                    "number": row.number,
                    "at": row.at.timestamp(),
                    "kind": row.kind,
                    "subject": row.subject,
                    "state": row.state,
                    "detail": row.detail,
                }
                for row in rows
            ]
        return {"since": first.timestamp(), "events": found, "more": len(found) == _PAGE}

    return router

"""Maintenance windows for the alerts page: faults in one are shown and counted, and call nobody.

==================================  =============================================================================
``GET /api/maintenance``            windows that run, will run, or ended within the last day
``POST /api/maintenance``           open one for sites, hosts or links, with its end and its reason (HANDLE)
``POST /api/maintenance/ID/end``    end one now (HANDLE)
==================================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from collectors.alerts.tables import NoSuchWindow, WindowRow, end_window, open_window, windows
from dashboards.access import Access, Person, asker_key
from identity.people import Right
from inventory.model import NetworkModel
from store.base import utc_now
from store.engine import Store
from store.once import KeyReused, once

Document = dict[str, Any]

LONGEST = timedelta(days=7)
_SHOWN_AFTER = timedelta(days=1)

Names = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100)]


class WindowBody(BaseModel):
    """A window to open; a site stands for all its hosts."""

    model_config = ConfigDict(extra="forbid")

    sites: Names = []
    hosts: Names = []
    links: Names = []
    start_at: float | None = None  # seconds UTC; None: now
    end_at: float | None = None  # seconds UTC; None: ``minutes`` after the start
    minutes: Annotated[int | None, Field(ge=1, le=7 * 1440)] = None
    why: Annotated[str, Field(max_length=500)]


def build_maintenance(
    model: NetworkModel, store: Store, access: Access, now: Callable[[], datetime] = utc_now
) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/api/maintenance")
    may_handle, own_key = Depends(access.needs(Right.HANDLE)), Depends(asker_key)

    def document(row: WindowRow) -> Document:
        begun, over = row.start_at <= now(), row.end_at <= now()
        return {
            "id": row.id,
            "hosts": row.hosts,
            "links": row.links,
            "start_at": row.start_at.timestamp(),
            "end_at": row.end_at.timestamp(),
            "state": "over" if over else "running" if begun else "planned",
            "who": row.who,
            "why": row.why,
            "plan": row.plan,
        }

    @router.get("", dependencies=[Depends(access.needs(Right.WATCH, Right.HANDLE, Right.SUPERVISE))])
    def listed() -> Document:
        with store.reading() as session:
            return {"windows": [document(row) for row in windows(session, now() - _SHOWN_AFTER)]}

    @router.post("")
    def begin(body: WindowBody, key: str = own_key, person: Person = may_handle) -> Document:
        start = now() if body.start_at is None else _moment(body.start_at)
        if (body.end_at is None) == (body.minutes is None):
            raise HTTPException(422, "end_at, minutes: expected one of the two")
        end = start + timedelta(minutes=body.minutes or 0) if body.end_at is None else _moment(body.end_at)
        if end - start > LONGEST:
            raise HTTPException(422, f"end_at: a window of {end - start}, expected at most {LONGEST.days} days")
        hosts = {*body.hosts, *(host.name for site in body.sites for host in model.site_hosts(site))}
        for what, given, known in (
            ("site", body.sites, model.sites),
            ("host", body.hosts, model.hosts),
            ("link", body.links, model.links),
        ):
            if strange := [name for name in given if name not in known]:
                raise HTTPException(422, f"{what}s: found {strange[0]!r}, expected a {what} of the county")
        try:
            with store.session() as session:

                def opened() -> int:
                    return open_window(
                        session,
                        hosts=sorted(hosts),
                        links=body.links,
                        start=start,
                        end=end,
                        who=person.login,
                        why=body.why,
                    ).id

                number = once(session, person.login, "maintenance", key, body.model_dump(), now(), opened)
                return document(session.get_one(WindowRow, number))
        except (ValueError, KeyReused) as problem:
            raise HTTPException(422, str(problem)) from None

    @router.post("/{number}/end")
    def finish(
        number: int, why: Annotated[str, Body(embed=True, max_length=500)], person: Person = may_handle
    ) -> Document:
        try:
            with store.session() as session:
                return document(end_window(session, number, now(), person.login, why))
        except NoSuchWindow as problem:
            raise HTTPException(404, str(problem)) from None

    return router


def _moment(seconds: float) -> datetime:
    if not 0 < seconds < 4e9:
        raise HTTPException(422, f"found {seconds}, expected a time in seconds since 1970")
    return datetime.fromtimestamp(seconds, UTC)

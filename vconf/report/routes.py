"""``/api/meet``, the part after a meeting: its report as JSON, as a page, and on paper with its signature."""

from __future__ import annotations

import asyncio
import io
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any, Protocol

from fastapi import APIRouter, HTTPException, Response

from store import audit
from store.engine import Store
from vconf.meetings import Meeting

PAPER = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
"""A page to print brings its style along, and no script."""


class Paper(Protocol):
    """A report on paper."""

    @property
    def pdf(self) -> bytes:
        """The document."""

    @property
    def signature(self) -> bytes:
        """Its detached signature (``identity.sealing``)."""


class Reports(Protocol):
    """Makes reports; every method blocks."""

    def document(self, meeting: Meeting) -> dict[str, Any]:
        """See ``vconf.report.document``."""

    def page(self, meeting: Meeting) -> str:
        """HTML."""

    def printed(self, meeting: Meeting) -> Paper:
        """PDF, signed; RuntimeError, OSError or subprocess.SubprocessError when nothing can be printed."""


def add(router: APIRouter, who: Any, store: Store, found: Callable[[int, Any], Meeting], reports: Reports) -> None:
    """Put the routes on the router; ``who`` is the dependency that gives the caller."""
    printing = asyncio.Lock()  # a Chromium each: one at a time

    @router.get("/meetings/{number}/report")
    def told(number: int, caller: Any = who) -> dict[str, Any]:
        """Attendance, roll call, quality of each venue, faults meanwhile, what the chair did."""
        return reports.document(found(number, caller))

    @router.get("/meetings/{number}/report.html", response_class=Response)
    def page(number: int, caller: Any = who) -> Response:
        """The report to print."""
        page_ = reports.page(found(number, caller))
        return Response(page_, media_type="text/html; charset=utf-8", headers=dict(PAPER))

    @router.get("/meetings/{number}/report.zip", response_class=Response)
    async def paper(number: int, caller: Any = who) -> Response:
        """The report as PDF, and beside it the signature that proves it."""
        meeting = await asyncio.to_thread(found, number, caller)
        async with printing:
            try:
                printed = await asyncio.to_thread(reports.printed, meeting)
            except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
                zh = "服务器上无法生成 PDF：请打开“打印”，用浏览器另存为 PDF"
                en = f"{problem}; next step: open the page to print, and print it there"
                raise HTTPException(503, {"zh": zh, "en": en}) from None
        await asyncio.to_thread(_audited, store, caller.login, meeting)
        name = f"meeting-{meeting.id}"
        headers = {"content-disposition": f'attachment; filename="{name}.zip"'}
        return Response(packed(name, printed), media_type="application/zip", headers=headers)


def packed(name: str, printed: Paper) -> bytes:
    """Both files as one."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.pdf", printed.pdf)
        archive.writestr(f"{name}.pdf.p7s", printed.signature)
    return held.getvalue()


def _audited(store: Store, login: str, meeting: Meeting) -> None:
    with store.session() as session:
        audit.record(session, login, "meeting.report", meeting.title, {"meeting": meeting.id})

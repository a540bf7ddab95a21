"""``GET /api/desk/report/2026-11``: the monthly report; with ``.html`` as one page, with ``.pdf`` printed."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from pathlib import Path

from fastapi import APIRouter, Depends, HTTPException, Response

from collectors.desk.steps import DeskError
from dashboards.access import Access, said
from dashboards.desk.month import MonthReport
from dashboards.desk.page import html
from dashboards.desk.tables import Document
from identity.people import Right
from identity.refusal import Refusal
from provision.printing import print_pdf
from vconf.report.routes import PAPER


def build_month(report: MonthReport | None, access: Access) -> APIRouter:
    """The router; None: the county has no desk."""
    router = APIRouter(prefix="/api/desk/report")
    reader = Depends(access.needs(Right.LEAD, Right.SUPERVISE, Right.WATCH))

    async def made(month: str) -> Document:
        if report is None:
            raise HTTPException(404, "the county's files have no section supervision; see /api/desk/classes")
        try:
            return await report.document(month)
        except DeskError as wrong:
            raise said(422, wrong) from None

    @router.get("/{month}.html", dependencies=[reader])
    async def page(month: str) -> Response:
        return Response(html(await made(month)), media_type="text/html; charset=utf-8", headers=dict(PAPER))

    printing = asyncio.Lock()  # a Chromium each: one at a time

    @router.get("/{month}.pdf", dependencies=[reader])
    async def printed(month: str) -> Response:
        text = html(await made(month))
        async with printing:
            try:
                content = await asyncio.to_thread(_printed, text)
            except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
                zh = "服务器上无法生成 PDF：请打开“打印”，用浏览器另存为 PDF"
                raise said(
                    503, Refusal(f"{problem}; next step: open the page to print, and print it there", zh)
                ) from None
        name = f'attachment; filename="{month}.pdf"'
        return Response(content, media_type="application/pdf", headers={"content-disposition": name})

    @router.get("/{month}", dependencies=[reader])
    async def document(month: str) -> Document:
        return await made(month)

    return router


def _printed(text: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="sanwang-month-") as folder:
        path = Path(folder) / "month.pdf"
        print_pdf(text, path)
        return path.read_bytes()

"""``GET /api/desk/report/2026-11``: the monthly report; with ``.html`` the same as one page to print."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Response

from collectors.desk.steps import DeskError
from dashboards.access import Access, said
from dashboards.desk.month import MonthReport
from dashboards.desk.page import html
from dashboards.desk.tables import Document
from identity.people import Right


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
        return Response(html(await made(month)), media_type="text/html; charset=utf-8")

    @router.get("/{month}", dependencies=[reader])
    async def document(month: str) -> Document:
        return await made(month)

    return router

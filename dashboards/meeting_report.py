"""Reports of meetings: the document with the faults of its time, the page, and the page on paper with its signature."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from collectors.faults.rows import row_document
from collectors.faults.tables import faults_between
from dashboards.meeting_page import html
from identity.sealing import sign
from identity.secrets import Secrets
from inventory.model import NetworkModel
from provision.printing import print_pdf
from store.base import utc_now
from store.engine import Store
from vconf.meetings import Meeting
from vconf.report.document import document

SIGNER = "meetings"
"""Whose key signs: ``meetings.sanwang.internal``."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A report on paper, and its detached signature."""

    pdf: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class MeetingReports:
    """Makes them; every method blocks."""

    model: NetworkModel
    store: Store
    secrets: Secrets
    now: Callable[[], datetime] = utc_now

    def document(self, meeting: Meeting) -> dict[str, Any]:
        """See ``vconf.report.document``."""
        with self.store.reading() as session:
            return document(session, self.model, meeting, self._faults(session, meeting), self.now())

    def page(self, meeting: Meeting) -> str:
        """HTML to read and to print."""
        return html(self.document(meeting))

    def printed(self, meeting: Meeting) -> Printed:
        """PDF, signed.

        Raises:
            provision.printing.ChromiumMissing, RuntimeError, OSError, subprocess.SubprocessError: Nothing was printed.
        """
        with tempfile.TemporaryDirectory(prefix="sanwang-meeting-") as folder:
            path = Path(folder) / "report.pdf"
            print_pdf(self.page(meeting), path)
            pdf = path.read_bytes()
        return Printed(pdf, sign(self.secrets, SIGNER, pdf))

    def _faults(self, session: Session, meeting: Meeting) -> list[dict[str, Any]]:
        over = min(meeting.ended_at or meeting.closes_at, self.now())
        rows = faults_between(session, meeting.start_at, max(over, meeting.start_at))
        return [row_document(self.model, row) for row in rows]

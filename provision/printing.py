"""A page of HTML on paper: PDF by the installed Chromium, which fetches nothing."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
TIMEOUT_S = 180


class ChromiumMissing(RuntimeError):
    """No Chromium to print with; the message says what to install."""


def print_pdf(page: str, path: Path) -> None:
    """Print ``page`` (HTML) to ``path``.  Raises ChromiumMissing, or RuntimeError when Chromium prints nothing."""
    if not CHROMIUM.exists():
        raise ChromiumMissing(f"{CHROMIUM} is not there: apt-get install chromium, or use --html")
    with tempfile.TemporaryDirectory(prefix="sanwang-print-") as folder:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8")
        printed = Path(folder) / "report.pdf"
        command = [
            str(CHROMIUM),
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={printed}",
            file.as_uri(),
        ]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium's own sandbox refuses root
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if not printed.exists():
            raise RuntimeError(f"{CHROMIUM} printed nothing: {ran.stderr.strip()[-300:]}")
        path.write_bytes(printed.read_bytes())

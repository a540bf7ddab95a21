"""A page of HTML on paper: PDF by the installed Chromium, which fetches nothing."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
TIMEOUT_S = 180

STYLE = """\
:root { --ink: #1b2733; --soft: #5b6b7a; --line: #d5dde5; }
body { font: 15px/1.55 "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", sans-serif; color: var(--ink);
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 1.8rem 0 .3rem; break-after: avoid; }
.en, .meta { color: var(--soft); font-size: .85em; font-weight: normal; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; vertical-align: top; padding: .24rem .5rem; border-bottom: 1px solid var(--line); }
tr { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; font-size: 12px; } }
"""
"""How every report of ours looks, on a screen and on paper (CSS); a report adds what it alone has."""


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

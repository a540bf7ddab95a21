"""``sanwang report month``: the monthly report, as text, JSON, one HTML file or PDF.

The running pages' server makes it: it stands beside Prometheus, and the page there shows the same figures.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from dashboards.access import ops_token
from dashboards.desk.page import figure, html
from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.places import Places, current_instance
from provision.printing import ChromiumMissing, print_pdf
from sanwang import ops_link
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, MISSING, emit, guarded

app = typer.Typer(
    help="Reports on a month of the county.\n\nexample: sanwang report month 2026-11 --pdf november.pdf",
    no_args_is_help=True,
    add_completion=False,
)

_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
_BASE = "https://localhost"
_TIMEOUT_S = 120.0


@app.callback()
def reports() -> None:
    """Reports on a month of the county."""


@app.command()
def month(
    which: Annotated[str, typer.Argument(metavar="MONTH", help="such as 2026-11; one that runs is told until now")],
    html_file: Annotated[Path | None, typer.Option("--html", help="write it as one HTML file")] = None,
    pdf_file: Annotated[Path | None, typer.Option("--pdf", help="write it as PDF (needs chromium)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Tickets against their limits, cards, scores, service levels, faults, meetings, capacity, light and savings.

    Every table names where its figures come from.

    example: sanwang report month 2026-11 --pdf november.pdf
    """

    def action() -> int:
        if not _MONTH.fullmatch(which):
            print(f"sanwang report month: found {which!r}, expected a month such as 2026-11", file=sys.stderr)
            return BAD_INPUT
        try:
            report = fetched(Places(current_instance()), which)
        except (httpx.HTTPError, OSError) as problem:
            print(
                f"sanwang report month: the pages' server does not answer ({problem}); next step: sanwang status",
                file=sys.stderr,
            )
            return MISSING
        except ValueError as wrong:
            print(f"sanwang report month: {wrong}", file=sys.stderr)
            return BAD_INPUT
        try:
            _write(report, html_file, pdf_file)
        except (ChromiumMissing, OSError) as problem:
            print(f"sanwang report month: {problem}", file=sys.stderr)
            return MISSING
        if as_json:
            emit(report)
        elif not (html_file or pdf_file):
            _print(report)
        return 0

    return guarded(action)


def fetched(places: Places, which: str) -> dict[str, Any]:
    """The report's document from the instance's pages' server.

    Raises:
        httpx.HTTPError, OSError: The server is not there.
        ValueError: It refuses; the message is its own.
    """
    import ssl

    secrets = Secrets(places.lib / "identity")
    trust = ssl.create_default_context(cadata=secrets.ca.certificate_pem)
    transport = httpx.HTTPTransport(uds=str(places.serve_socket), verify=trust)
    with httpx.Client(transport=transport, base_url=_BASE, timeout=_TIMEOUT_S, headers={"origin": _BASE}) as client:
        token = ops_token(Tokens(secrets.resolve(ops_link.KEY)))
        entered = client.post("/api/session", json={"token": token})
        entered.raise_for_status()
        try:
            answer = client.get(f"/api/desk/report/{which}")
            if answer.status_code in (404, 422):
                raise ValueError(answer.json()["detail"])
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found
        finally:
            client.delete("/api/session")


def _write(report: dict[str, Any], html_file: Path | None, pdf_file: Path | None) -> None:
    page = html(report) if html_file or pdf_file else ""
    if html_file:
        html_file.write_text(page, encoding="utf-8")
        print(f"{html_file}: {len(page) // 1024} KiB")
    if pdf_file:
        print_pdf(page, pdf_file)
        print(f"{pdf_file}: {pdf_file.stat().st_size // 1024} KiB")


def _print(report: dict[str, Any]) -> None:
    for section in report["sections"]:
        print(f"\n{section['zh']}  {section['en']}")
        if section["missing"]:
            print(f"  {section['missing']['zh']}  {section['missing']['en']}")
        for row in section["rows"]:
            cells = zip(row, section["columns"], strict=True)
            print("  " + "  ".join(f"{column['en']} {_text(cell, column['unit'])}" for cell, column in cells))


def _text(cell: Any, unit: str) -> str:
    if isinstance(cell, dict):
        return str(cell["en"])
    if isinstance(cell, int | float):
        return figure(cell, unit)
    return "-" if cell in (None, "") else str(cell)


def main(argv: list[str]) -> int:
    """Exit codes: 0 good, 2 bad input, 3 the pages' server or chromium is not there."""
    return run_app(app, argv, "sanwang report")

"""``sanwang comply``: graded protection (等级保护 2.0), check by check, with evidence."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from inventory.load import load_model
from inventory.places import COUNTIES, Places, current_instance
from provision.comply import Report, Switch, assess, planned
from provision.comply.findings import GROUPS, Status
from provision.comply.live import gather
from provision.comply.page import WORDS, html, pdf
from provision.comply.switches import TONGUES
from provision.environment import EnvironmentProblem, load_environment
from provision.environment import recorded as recorded_environment
from provision.printing import ChromiumMissing
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, MISSING, emit, guarded

app = typer.Typer(add_completion=False)


@app.command()
def comply(
    county: Annotated[
        str, typer.Argument(help="a county's folder or name; default: the instance's own, else shili")
    ] = "",
    instance: Annotated[str, typer.Option(help="name of the instance whose live facts count")] = "",
    environment: Annotated[str, typer.Option(help="where devices stand; default: the instance's, else twin")] = "",
    switch: Annotated[list[str] | None, typer.Option(help="PLATFORM:FILE: a vendor's configuration, too")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="write the report as one HTML file")] = None,
    pdf_file: Annotated[Path | None, typer.Option("--pdf", help="write the report as PDF (needs chromium)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Check the county against GB/T 22239-2019, level three: every result with clause, device, time and evidence.

    Over the configurations as planned, and over live facts where the instance runs. Exit code 1 names every failure;
    what nobody can tell from here is "not assessable" and fails nothing.

    Example: sanwang comply --html report.html
    """

    def action() -> int:
        places = Places(instance or current_instance())
        recorded = places.lib / "county"
        named = county or (recorded.read_text(encoding="utf-8").strip() if recorded.exists() else "shili")
        folder = Path(named) if "/" in named else COUNTIES / named
        try:
            found = load_environment(environment or recorded_environment(places))
        except EnvironmentProblem as problem:
            print(f"sanwang comply: {problem}", file=sys.stderr)
            return BAD_INPUT
        try:
            switches = tuple(_switch(text) for text in switch or ())
        except ValueError as wrong:
            print(f"sanwang comply: --switch {wrong}", file=sys.stderr)
            return BAD_INPUT
        report = assess(planned(load_model(folder), found, gather(places), switches))
        if html_file:
            html_file.write_text(html(report), encoding="utf-8")
        if pdf_file:
            try:
                pdf(report, pdf_file)
            except ChromiumMissing as missing:
                print(f"sanwang comply: {missing}", file=sys.stderr)
                return MISSING
        if as_json:
            emit(report.document())
        else:
            _print(report)
        return 1 if report.failures else 0

    return guarded(action)


def _switch(text: str) -> Switch:
    """``PLATFORM:FILE``; named as the configuration itself says.  Raises ValueError."""
    platform, _, path = text.partition(":")
    if platform not in TONGUES or not path:
        raise ValueError(f"{text!r}: expected PLATFORM:FILE with one of {', '.join(TONGUES)}")
    try:
        config = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    named = re.search(r"(?m)^\s*(?:sysname|hostname) (\S+)", config)
    return Switch(named[1] if named else Path(path).stem, platform, path, config)


def _print(report: Report) -> None:
    for group, counts in report.counts().items():
        told = ", ".join(f"{WORDS[status][0]} {counts[status.value]}" for status in Status)
        print(f"{group} {GROUPS[group][0]} ({GROUPS[group][1]}): {told}")
    last = ""
    for check, found in report.results:
        if found.status is Status.PASS:
            continue
        if check.name != last:
            print(f"\n{check.clause} {check.zh} ({check.en})")
            last = check.name
        print(f"  {WORDS[found.status][0]} {found.device or '-'}: {found.evidence}")


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang comply")

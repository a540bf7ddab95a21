"""``sanwang dashboards``: the Grafana dashboards that stand beside the pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sanwang.cli import run_app
from sanwang.report import MISSING, emit

app = typer.Typer(add_completion=False)


@app.callback()
def _group() -> None:
    """Grafana dashboards as code.

    example: sanwang dashboards export /etc/grafana/dashboards
    """


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="where to; made when missing")],
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Write every dashboard as a file that Grafana's provisioning (or "Import") reads.

    example: sanwang dashboards export /etc/grafana/dashboards
    """
    from dashboards.grafana.boards import BOARDS
    from dashboards.grafana.build import board_json

    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for board in BOARDS:
            path = folder / f"{board.uid}.json"
            path.write_text(board_json(board) + "\n", encoding="utf-8")
            written.append({"uid": board.uid, "title": board.title, "file": str(path), "queries": len(board.queries)})
    except OSError as problem:
        print(f"sanwang dashboards: {problem.filename}: {problem.strerror}; next step: another folder", file=sys.stderr)
        return MISSING
    if as_json:
        emit({"dashboards": written})
    else:
        for each in written:
            print(f"{each['file']}  {each['title']}  ({each['queries']} queries)")
    return 0


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang dashboards")

"""``sanwang import``: what a county already has, from CSV or Excel into its files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from inventory.errors import CountyErrors
from inventory.intake.put import finish as finish_import
from inventory.intake.put import put
from inventory.intake.tables import read_tables
from inventory.intake.take_in import Intake, take_in
from inventory.intake.words import KINDS, kind_of, kind_words
from inventory.load import find
from inventory.places import Places, current_instance
from provision.broker.client import operator
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, emit, guarded
from store.audit import record
from store.engine import open_store

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Take in the sites and devices that a county already has, from CSV or Excel.\n\n"
    "Example: sanwang import sites 站点.xlsx --into mycounty",
)
Into = Annotated[
    str, typer.Option("--into", metavar="FOLDER", help="the county: a folder, or a name under inventory/counties")
]
Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]


@app.command()
def sites(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV (UTF-8, GB 18030) or Excel (.xlsx)")],
    into: Into = "shili",
    write: Annotated[bool, typer.Option("--write", help="write the county's files; without it, only show")] = False,
    kind: Annotated[str, typer.Option(help="kind of all rows of a table that has no such column")] = "",
    origin: Annotated[
        str, typer.Option(metavar="LON,LAT", help="the information centre, for tables with degrees")
    ] = "",
    as_json: Json = False,
) -> int:
    """Compare tables with a county's files and show what would be added or changed; --write puts it there.

    Numbers, codes and English names are proposed where the tables have none. The result must be a good county, or
    nothing is written. Exit code 2 names every bad row.

    Example: sanwang import sites 乡镇.csv 学校.xlsx --into mycounty --write
    """

    def action() -> int:
        try:
            section, at = _kind(kind), _origin(origin)
        except ValueError as wrong:
            print(f"sanwang import: {wrong}", file=sys.stderr)
            return BAD_INPUT
        try:
            if write:
                finish_import(find(into))
            intake = take_in([sheet for path in files for sheet in read_tables(path)], into, kind=section, origin=at)
        except CountyErrors as wrong:
            for problem in wrong.problems:
                print(f"error: {problem}", file=sys.stderr)
            print(f"{len(wrong.problems)} mistakes; nothing was written", file=sys.stderr)
            if as_json:
                emit({"good": False, "written": False, "errors": [problem.as_json() for problem in wrong.problems]})
            return BAD_INPUT
        _show(intake)
        document = intake.as_json()
        written = bool(write and intake.texts)
        if written:
            put(intake.folder, intake.texts)
            _audit(intake, files)
        print(_done(intake, written=written))
        if as_json:
            emit({"good": True, "written": written, **document})
        return 0

    return _guarded(action)


@app.command()
def template(
    out: Annotated[Path, typer.Option(metavar="FILE", help="a new .xlsx file")],
    english: Annotated[bool, typer.Option("--english", help="English headings instead of Chinese ones")] = False,
    as_json: Json = False,
) -> int:
    """Write an Excel file with the headings to fill in.

    Example: sanwang import template --out 站点.xlsx
    """

    def action() -> int:
        from inventory.intake.template import write_template

        sheets = write_template(out, english=english)
        print(f"{out}: sheets {', '.join(sheets)}; fill in, then: sanwang import sites {out} --into COUNTY")
        if as_json:
            emit({"file": str(out), "sheets": sheets})
        return 0

    return _guarded(action)


@app.command()
def finish(into: Into = "shili", as_json: Json = False) -> int:
    """Bring an import that was interrupted while it wrote to its end.

    Example: sanwang import finish --into mycounty
    """

    def action() -> int:
        names = finish_import(find(into))
        print(f"put in place: {', '.join(names)}" if names else "no import was interrupted there")
        if as_json:
            emit({"files": names})
        return 0

    return _guarded(action)


def _kind(text: str) -> str:
    if text and not kind_of(text):
        raise ValueError(f"--kind: found {text!r}; expected one of {kind_words()} ({', '.join(KINDS)}); correct it")
    return kind_of(text)


def _origin(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        lon, lat = map(float, text.split(","))
    except ValueError:
        lon, lat = 999.0, 999.0
    if not (-180 <= lon <= 180 and -89 <= lat <= 89):
        raise ValueError(f"--origin: found {text!r}; expected longitude,latitude in degrees; such as 105.84,32.43")
    return lon, lat


def _show(intake: Intake) -> None:
    for idle in intake.idle:
        print(f"note: {idle}", file=sys.stderr)
    for problem in intake.loaded.warnings:
        print(f"warning: {problem}", file=sys.stderr)
    for each in intake.merged.proposals:
        print(f"proposed: {each.section}.{each.code}.{each.field} = {each.value}")
    print(intake.diff(), end="")


def _done(intake: Intake, *, written: bool) -> str:
    changed = len({(each.section, each.code) for each in intake.merged.changes})
    counts = f"{len(intake.merged.added)} new, {changed} changed, {intake.merged.kept} as they are"
    if not intake.texts:
        return f"{counts}: nothing to write"
    done = f"written to {intake.folder}" if written else "nothing is written yet: --write puts it there"
    return f"{counts}; {done}"


def _audit(intake: Intake, files: list[Path]) -> None:
    """Note the import where the instance of this county lives here."""
    places = Places(current_instance())
    named = places.lib / "county"
    if not named.exists() or Path(named.read_text(encoding="utf-8").strip()).resolve() != intake.folder.resolve():
        return
    store = open_store(places.database)
    try:
        with store.session() as session:
            detail = {
                "tables": [path.name for path in files],
                "files": sorted(intake.texts),
                "added": [f"{section}.{code}" for section, code in intake.merged.added],
                "changed": [f"{each.section}.{each.code}.{each.field}" for each in intake.merged.changes],
            }
            record(session, operator(), "import", "sites and devices from tables", detail)
    finally:
        store.close()


def _guarded(action: Callable[[], int]) -> int:
    def inner() -> int:
        try:
            return action()
        except FileExistsError as there:
            print(
                f"sanwang import: {there.filename}: found a file; expected a new name; choose another", file=sys.stderr
            )
        except OSError as wrong:
            print(f"sanwang import: {wrong.filename}: {wrong.strerror}; nothing was half written", file=sys.stderr)
        return BAD_INPUT

    return guarded(inner)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang import")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

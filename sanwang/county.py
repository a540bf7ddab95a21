"""``sanwang county``: check a county's data, show it, start a new one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from inventory.describe import describe_county, describe_site, describe_walk, single_homed
from inventory.errors import CountyErrors, Problem
from inventory.load import load, load_model
from inventory.start import start_county
from inventory.trace import Unclear, flow_of
from inventory.walk import County
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, emit, guarded

app = typer.Typer(
    add_completion=False,
    help="Check, show or start a county's data.\n\nExample: sanwang county check inventory/counties/shili",
)

Folder = Annotated[str, typer.Argument(metavar="[DIR]", help="a folder of *.yml, or a name under inventory/counties")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]


@app.command()
def check(county: Folder = "shili", as_json: Json = False) -> int:
    """Read, check and expand a county; list every mistake of the first phase that has any, and all warnings.

    Exit code 2 when there are mistakes.

    Example: sanwang county check mycounty
    """
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    phase = ""
    single: list[str] = []
    try:
        loaded = load(county)
    except CountyErrors as wrong:
        errors, phase = wrong.problems, wrong.phase
    else:
        warnings = loaded.warnings
        single = single_homed(loaded.model)
    for problem in errors:
        print(f"error: {problem}", file=sys.stderr)
    for problem in warnings:
        print(f"warning: {problem}", file=sys.stderr)
    if as_json:
        emit(
            {
                "good": not errors,
                "phase": phase,
                "errors": [problem.as_json() for problem in errors],
                "warnings": [problem.as_json() for problem in warnings],
                "single_homed": single,
            }
        )
    elif errors:
        print(f"{len(errors)} mistakes ({phase}); later phases were not reached")
    else:
        model = loaded.model
        print(
            f"{model.zh} {model.en}: good; {len(model.sites)} sites, {len(model.hosts)} hosts, "
            f"{len(model.links)} links, {len(warnings)} warnings; "
            f"{len(single)} sites on a single line (--json lists them)"
        )
    return BAD_INPUT if errors else 0


@app.command()
def show(
    site: Annotated[str, typer.Argument(metavar="[SITE]", help="a site's code, such as t01")] = "",
    county: Annotated[str, typer.Option(help="a folder of *.yml, or a name under inventory/counties")] = "shili",
    as_json: Json = False,
) -> int:
    """Show the whole county, or one site with its addresses, hosts and links.

    Example: sanwang county show t01
    """

    def action() -> int:
        model = load_model(county)
        if site and site not in model.sites:
            print(f"sanwang county: no site {site!r} in {model.name}; a code as written, such as t01", file=sys.stderr)
            return BAD_INPUT
        document = describe_site(model, site) if site else describe_county(model)
        if as_json:
            emit(document)
        else:
            _print(document)
        return 0

    return guarded(action)


@app.command()
def walk(
    source: Annotated[str, typer.Argument(metavar="FROM", help="site:network, such as t01:gov, or host:mgmt")],
    target: Annotated[str, typer.Argument(metavar="TO", help="service:name, site:network or address, and tcp/PORT")],
    cut: Annotated[list[str] | None, typer.Option(help="a link taken as cut; may be repeated")] = None,
    dead: Annotated[list[str] | None, typer.Option(help="a host taken as dead; may be repeated")] = None,
    county: Annotated[str, typer.Option(help="a folder of *.yml, or a name under inventory/counties")] = "shili",
    as_json: Json = False,
) -> int:
    """Follow a packet and its answer through the written county; no packet is sent. Exit code 1 when it is lost.

    Example: sanwang county walk t01:gov "b05:gov tcp/22" --cut ring-c1-c2
    """

    def action() -> int:
        model = load_model(county)
        unknown = [name for name in cut or () if name not in model.links]
        unknown += [name for name in dead or () if name not in model.hosts]
        if unknown:
            print(f"sanwang county: nothing called {', '.join(unknown)} in {model.name}", file=sys.stderr)
            return BAD_INPUT
        try:
            flow = flow_of(model, source, target)
        except Unclear as unclear:
            print(f"sanwang county: {unclear}", file=sys.stderr)
            return BAD_INPUT
        there, back = County(model, cut or (), dead or ()).round_trip(flow)
        good = back is not None and back.verdict == "delivered"
        if as_json:
            emit({"good": good, "there": describe_walk(there), "back": describe_walk(back) if back else None})
        else:
            for word, way in (("there", there), ("back", back)):
                if way is not None:
                    print(f"{word}: {way.verdict}: {' > '.join(describe_walk(way)['hops'])}")
                    print(f"  links: {', '.join(way.links) or '-'}")
                    print(f"  firewall: {', '.join(f'{a} to {b}' for a, b in way.crossings) or '-'} {way.rule}")
        return 0 if good else 1

    return guarded(action)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a new or empty folder")],
    name: Annotated[str, typer.Option(help="the county's name, 1-8 letters and digits; default: the folder's")] = "",
    as_json: Json = False,
) -> int:
    """Start a county: a small one that comes up as it is, to be edited.

    Example: sanwang county new mycounty
    """

    def action() -> int:
        written = start_county(folder, name)
        if as_json:
            emit({"files": [str(path) for path in written]})
        else:
            for path in written:
                print(path)
            print(f"now edit them, then: sanwang county check {folder}")
        return 0

    return guarded(action)


def _print(document: dict[str, Any]) -> None:
    """Simple values as lines, lists of objects as tables."""
    console = Console()
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            table = Table(title=key, title_justify="left", title_style="bold")
            for column in value[0]:
                table.add_column(column)
            for row in value:
                table.add_row(*(_text(cell) for cell in row.values()))
            console.print(table)
        elif value not in ([], {}, ""):
            console.print(f"[bold]{key}[/bold]: {_text(value)}", highlight=False)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def main(argv: list[str]) -> int:
    """Entry point of the command table."""
    return run_app(app, argv, "sanwang county")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

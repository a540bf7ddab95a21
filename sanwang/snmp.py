"""``sanwang snmp``: the normalised facts of a device, live or from a recorded walk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, FAILED, emit, guarded

app = typer.Typer(
    add_completion=False,
    help="What devices say over SNMP: system, ports, optics, processors, memory, neighbours, whoever made them."
    "\n\nExample: sanwang snmp facts --replay walk.snmprec --json",
)

Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]
_SHOWN = {
    "ports": ("index", "name", "alias", "speed_bps", "admin", "oper", "mac", "mtu"),
    "optics": ("port", "lane", "rx_dbm", "tx_dbm", "bias_ma", "temperature_c", "voltage_v", "model", "reason"),
    "processors": ("name", "usage_percent"),
    "memory": ("name", "used_percent", "total_bytes"),
    "temperatures": ("name", "celsius"),
    "fans": ("name", "state", "speed_rpm", "speed_percent"),
    "power_supplies": ("name", "state", "power_w", "voltage_v", "current_ma"),
    "neighbours": ("port", "system", "remote_port", "chassis", "management"),
    "bgp": ("address", "state", "remote_as", "established_s"),
    "ospf": ("address", "router_id", "state"),
    "pon_ports": ("port", "state", "onus"),
    "onus": ("port", "number", "name", "serial", "state", "rx_dbm", "distance_m"),
}
"""What a terminal has room for; --json has everything."""


@app.command("facts")
def facts(
    replay: Annotated[Path | None, typer.Option(help="a recorded walk (snmprec: OID|type|value); no network")] = None,
    profile: Annotated[str, typer.Option(help="the vendor profile to read it by; default what matches")] = "",
    as_json: Json = False,
) -> int:
    """The normalised facts of one device: units are in the names, what is not known is null.

    Exit code 2 when the walk cannot be read or the profile is unknown.

    Example: sanwang snmp facts --replay walk.snmprec --json
    """
    return guarded(lambda: _facts(replay, profile, as_json))


def _facts(replay: Path | None, profile: str, as_json: bool) -> int:
    from collectors.snmp.profile import profiles
    from collectors.snmp.read import read_facts
    from collectors.snmp.walk import BadWalk, read_walk

    if profile and profile not in profiles():
        print(f"sanwang snmp: no profile {profile!r}; there are {', '.join(sorted(profiles()))}", file=sys.stderr)
        return BAD_INPUT
    if replay is None:
        print("sanwang snmp facts: --replay FILE.snmprec", file=sys.stderr)
        return BAD_INPUT
    try:
        walk = read_walk(replay)
    except OSError as problem:
        print(f"sanwang snmp facts: {replay}: {problem.strerror or problem}; name a recorded walk", file=sys.stderr)
        return BAD_INPUT
    except BadWalk as problem:
        print(f"sanwang snmp facts: {problem}", file=sys.stderr)
        return BAD_INPUT
    document = read_facts(walk, profiles()[profile] if profile else None).document()
    if as_json:
        emit(document)
    else:
        _print(document)
    return 0


def _print(document: dict[str, Any]) -> None:
    """Tables of what is there, without the columns that nobody has."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for name, value in document["system"].items():
        if value not in (None, ""):
            console.print(f"{name:12} {value}", markup=False, highlight=False, soft_wrap=True)
    for kind, names in _SHOWN.items():
        rows = document[kind]
        columns = [name for name in names if any(row[name] not in (None, "") for row in rows)]
        if not columns:
            continue
        table = Table(title=kind, title_justify="left")
        for name in columns:
            table.add_column(name)
        for row in rows:
            table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
        console.print(table, markup=False)


@app.command("compile")
def compile_names(
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit 1 when it is out of date")] = False,
) -> int:
    """Check every vendor profile, and write down what their names of MIB objects mean (after a profile was changed).

    Exit code 2 when a profile is wrong: every mistake with file, line and key.

    Example: sanwang snmp compile
    """
    return guarded(lambda: _compile(check))


def _compile(check: bool) -> int:
    from collectors.snmp.mibs import NAMES, compiled
    from collectors.snmp.profile import names, profiles

    text = compiled(names())
    old = NAMES.read_text(encoding="utf-8") if NAMES.exists() else ""
    if check and text != old:
        print(f"sanwang snmp: {NAMES.name} is not what the profiles name; run: sanwang snmp compile", file=sys.stderr)
        return FAILED
    if text != old:
        NAMES.write_text(text, encoding="utf-8")
    print(f"{len(profiles())} profiles, {len(names())} names of MIB objects")
    return 0


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang snmp")

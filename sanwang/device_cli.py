"""``sanwang cli``: ask a vendor's device, and what it printed as a table."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from inventory.places import Places, current_instance
from provision.broker.client import BrokerClient
from provision.parsers.catalog import ALIASES, UnknownParser, commands, platforms
from provision.parsers.run import NotUnderstood, Row, parse
from provision.parsers.transcript import decode
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, FAILED, emit, guarded

LARGEST = 64 << 20
"""Bytes of a transcript that are read at most; a device's output is thousands of times smaller."""

app = typer.Typer(
    add_completion=False,
    help="Ask a vendor's device, or read what one printed."
    '\n\nExample: sanwang cli parse huawei_vrp8 "display interface brief" saved.txt',
)

Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]


def _read(file: str) -> bytes:
    """The transcript's bytes.

    Raises:
        OSError: it cannot be read, or is larger than any transcript.
    """
    if file == "-":
        raw = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with Path(file).open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise OSError(f"larger than {LARGEST >> 20} MiB, which no device prints")
    return raw


@app.command("parse")
def parse_output(
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help="such as huawei_vrp8; 'sanwang cli list'")],
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="as typed on the device, in quotes")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="its output; - reads standard input")],
    as_json: Json = False,
) -> int:
    """Make rows out of what a command printed; with --json, a list of them.

    Exit code 1 when a line is not understood; 2 when platform or command is unknown or the file cannot be read.

    Example: sanwang cli parse ruijie_rgos "show interfaces status" saved.txt --json
    """
    try:
        rows = parse(platform, command, decode(_read(file)))
    except (OSError, ValueError) as wrong:
        print(f"sanwang cli: {file}: cannot be read: {wrong}", file=sys.stderr)
        return BAD_INPUT
    except UnknownParser as wrong:
        print(f"sanwang cli: {wrong}; known are:", file=sys.stderr)
        for name in wrong.known:
            print(f"  {name}", file=sys.stderr)
        return BAD_INPUT
    except NotUnderstood as wrong:
        print(f"sanwang cli: {file}: {wrong}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(rows, ensure_ascii=False), flush=True)
    else:
        _print(rows)
    return 0


@app.command("ask")
def ask_device(
    host: Annotated[str, typer.Argument(metavar="HOST", help="a vendor's device, such as b01-sw")],
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="one line of its command line, in quotes")],
    why: Annotated[str, typer.Option(help="kept in the audit log, as the line is")] = "",
    as_json: Json = False,
) -> int:
    """Say one line to a device through the broker and print its answer, secrets hidden; with --json also its rows.

    {"host", "platform", "code": 1 when it was refused, "out", "rows": null where no parser reads it}

    Example: sanwang cli ask b01-sw "display vlan" --json
    """
    return guarded(lambda: _ask(host, command, why, as_json))


def _ask(host: str, command: str, why: str, as_json: bool) -> int:
    client = BrokerClient(Places(current_instance()).broker_socket)
    answer = client.call("command", why=why, host=host, kind="cli", text=command)
    rows = None
    with contextlib.suppress(UnknownParser, NotUnderstood):
        rows = parse(answer["platform"], command, answer["out"]) if not answer["code"] else None
    if as_json:
        emit({"host": host, **{name: answer[name] for name in ("platform", "code", "out")}, "rows": rows})
    else:
        print(answer["out"])
    return FAILED if answer["code"] else 0


def _print(rows: list[Row]) -> None:
    table = Table()
    for name in rows[0] if rows else ():
        table.add_column(name)
    for row in rows:
        table.add_row(
            *(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in row.values())
        )
    Console().print(table if rows else "no rows", markup=False)


@app.command("list")
def list_known(
    platform: Annotated[str, typer.Argument(metavar="[PLATFORM]", help="its commands only")] = "",
    as_json: Json = False,
) -> int:
    """List the platforms, or the commands of one of them, that can be read.

    Example: sanwang cli list ruijie_rgos
    """
    try:
        names = commands(platform) if platform else (*ALIASES, *platforms())
    except UnknownParser as wrong:
        print(f"sanwang cli: {wrong}; known are: {' '.join(wrong.known)}", file=sys.stderr)
        return BAD_INPUT
    if as_json:
        print(json.dumps(names, ensure_ascii=False), flush=True)
        return 0
    for name in names:
        print(f"{name} (as {ALIASES[name]})" if not platform and name in ALIASES else name)
    return 0


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang cli")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

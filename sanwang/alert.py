"""``sanwang alert``: what is broken, since when, what it means, and who looks after it."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from collectors.faults.rows import row_document
from collectors.faults.tables import FaultRow, NoSuchFault, acknowledge, fault, faults_between, open_faults
from drills.errors import Missing
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, emit, guarded
from store.engine import Store, open_store

app = typer.Typer(
    help="What is broken, since when, what it means, and who looks after it.\n\nExample: sanwang alert list",
    add_completion=False,
    no_args_is_help=True,
)
Instance = Annotated[str, typer.Option(help="name of the instance")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]
Number = Annotated[int, typer.Argument(help="number of the fault, as `sanwang alert list` shows it")]


@app.command("list")
def list_(
    days: Annotated[float, typer.Option(help="also what is over, of so many days")] = 0.0,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Open faults, one for one root cause, oldest first.

    Example: sanwang alert list --days 7
    """

    def action() -> int:
        now = datetime.now(UTC)
        with _opened(instance) as (model, store), store.reading() as session:
            rows = faults_between(session, now - timedelta(days=days), now) if days else open_faults(session)
            documents = [row_document(model, row) for row in rows]
        if as_json:
            emit({"faults": documents})
        else:
            print("\n".join(_line(each) for each in documents) or "nothing is broken")
        return 0

    return guarded(action)


@app.command()
def show(number: Number, instance: Instance = "", as_json: AsJson = False) -> int:
    """One fault: its cause, what follows from it, whom it hits, what to do first.

    Example: sanwang alert show 12
    """

    def action() -> int:
        with _opened(instance) as (model, store), store.reading() as session:
            found = row_document(model, fault(session, number))
        _tell(found, _story(found), as_json)
        return 0

    return _of_fault(action, "sanwang alert list --days 7")


@app.command()
def ack(
    number: Number,
    why: Annotated[str, typer.Option(help="what is being done about it")],
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Say that you look after a fault; it is audited, and nobody is called again for it.

    Example: sanwang alert ack 12 --why "crew is on its way to the eastern duct"
    """

    def action() -> int:
        who = os.environ.get("SUDO_USER") or getpass.getuser()
        with _opened(instance) as (model, store), store.session() as session:
            row: FaultRow = acknowledge(session, number, who, why)
            found = row_document(model, row)
        said = f"fault {number}: looked after by {found['acknowledged_by']}: {found['acknowledged_why']}"
        _tell(found, [said], as_json)
        return 0

    return _of_fault(action, "sanwang alert list")


def _of_fault(action: Callable[[], int], next_step: str) -> int:
    """Run what asks for one fault: one that is not there, or a bad reason, is bad input."""

    def asked() -> int:
        try:
            return action()
        except (NoSuchFault, ValueError) as problem:
            print(f"sanwang alert: {problem}; next step: {next_step}", file=sys.stderr)
            return BAD_INPUT

    return guarded(asked)


def _tell(found: dict[str, Any], words: Iterable[str], as_json: bool) -> None:
    if as_json:
        emit(found)
    else:
        print("\n".join(words))


@contextmanager
def _opened(instance: str) -> Iterator[tuple[NetworkModel, Store]]:
    places = Places(instance or current_instance())
    try:
        folder = (places.lib / "county").read_text(encoding="utf-8").strip()
    except OSError:
        raise Missing(f"instance {places.instance!r} has never been up", "sanwang up, or --instance") from None
    model, store = load_model(Path(folder)), open_store(places.database)
    try:
        yield model, store
    finally:
        store.close()


def _line(row: dict[str, Any]) -> str:
    over = f" - {_local(row['cleared_at'])}" if row["cleared_at"] else ""
    looked_after = f"  [{row['acknowledged_by']}: {row['acknowledged_why']}]" if row["acknowledged_by"] else ""
    return f"{row['id']:5}  {row['severity']:8}  {_local(row['opened_at'])}{over}  {row['zh']}{looked_after}"


def _story(row: dict[str, Any]) -> list[str]:
    lines = [_line(row), f"       {row['en']}", f"       next: {row['next_step']}"]
    if reason := row["detail"].get("reason"):
        lines.append(f"       seen: {reason}")
    for hall in row["impact"].get("halls", ()):
        way = f" over {' '.join(hall['after'])}" if hall["after"] else ""
        lines.append(f"       hall {hall['hall']}: {hall['state']}{way}")
    for meeting in row["impact"].get("meetings", ()):
        when = f"{_local(meeting['starts_at'])} " if meeting.get("starts_at") else ""
        lines.append(f"       meeting {when}{meeting['title']}")
    if row["children"]:
        shown = ", ".join(f"{child['kind']} {child['subject']}" for child in row["children"][:15])
        more = f" and {len(row['children']) - 15} more" if len(row["children"]) > 15 else ""
        lines.append(f"       follows from it: {shown}{more}")
    return lines


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%m-%d %H:%M:%S")


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang alert")

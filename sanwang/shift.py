"""``sanwang shift``: who is on duty, the shift log and the handover (值班、交接班)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from collectors.desk import shifts
from collectors.desk.steps import Desk
from provision.broker.client import operator
from sanwang.cli import run_app
from sanwang.desk import at_desk, local
from sanwang.report import emit
from store.engine import Store

app = typer.Typer(
    help='Who is on duty, the shift log and the handover.\n\nexample: sanwang shift note "generator tested"',
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command()
def show(last: Annotated[int, typer.Option(help="how many shifts", min=1)] = 1, as_json: _Json = False) -> int:
    """The newest shifts with their notes.

    example: sanwang shift show --last 3
    """

    def work(store: Store, desk: Desk) -> int:
        with store.reading() as session:
            found = [shifts.document(session, desk, row) for row in shifts.log(session, limit=last)]
        if as_json:
            emit({"shifts": found})
        else:
            for each in reversed(found):
                _print(each)
        return 0

    return at_desk("shift show", work)


@app.command()
def on(
    why: Annotated[str, typer.Option(help="when it was handed to somebody else")] = "", as_json: _Json = False
) -> int:
    """Begin your shift, and take what was handed over.

    example: sanwang shift on
    """
    return _do("on", as_json, lambda session, desk, who: shifts.on(session, desk, who, why))


@app.command()
def off(why: Annotated[str, typer.Option(help="for the audit")] = "", as_json: _Json = False) -> int:
    """End your shift with nobody to follow; only while no ticket is open.

    example: sanwang shift off
    """
    return _do("off", as_json, lambda session, desk, who: shifts.off(session, desk, who, why))


@app.command()
def note(
    text: Annotated[str, typer.Argument(help="what happened")],
    ticket: Annotated[int, typer.Option(help="the ticket that it is about; 0: none")] = 0,
    as_json: _Json = False,
) -> int:
    """Write a line into the shift log.

    example: sanwang shift note "carrier called back" --ticket 12
    """

    def noted(session: Session, desk: Desk, who: str) -> Any:
        shifts.note(session, desk, who, text, ticket or None)
        return shifts.current(session)

    return _do("note", as_json, noted)


@app.command()
def handover(
    to: Annotated[str, typer.Argument(help="login of who is next")],
    text: Annotated[str, typer.Argument(help="what the next shift has to know")],
    as_json: _Json = False,
) -> int:
    """End your shift and hand it over, with every open ticket.

    example: sanwang shift handover li "12 waits for the crew"
    """
    return _do("handover", as_json, lambda session, desk, who: shifts.handover(session, desk, who, to, text))


def _do(name: str, as_json: bool, act: Callable[[Session, Desk, str], Any]) -> int:
    def work(store: Store, desk: Desk) -> int:
        with store.session() as session:
            row = act(session, desk, operator())
            session.flush()
            found = shifts.document(session, desk, row)
        if as_json:
            emit({"shift": found})
        else:
            _print(found)
        return 0

    return at_desk(f"shift {name}", work)


def _print(each: dict[str, Any] | None) -> None:
    if each is None:
        return
    print(f"{each['id']:>5}  {each['login']:<10} {local(each['began_at'])} to {local(each['ended_at'])}")
    for line in each["notes"]:
        about = f"  (ticket {line['ticket']})" if line["ticket"] else ""
        print(f"       {local(line['at'])}  {line['who']:<10} {line['text']}{about}")
    if each["handed_to"]:
        taken = local(each["taken_at"]) if each["taken_at"] else "not taken yet"
        tickets = f"{len(each['open_tickets'])} tickets"
        print(f"       handed to {each['handed_to']} ({taken}), {tickets}: {each['handed_text']}")


def main(argv: list[str]) -> int:
    """Exit codes: 0 good, 2 bad input or not possible now, 3 the county has no desk or no store."""
    return run_app(app, argv, "sanwang shift")

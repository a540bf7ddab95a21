"""``sanwang meet``: book, list and cancel meetings; links of halls and chair; what the chair does."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from sanwang import (
    meet_book,
    meet_calendar,
    meet_chair,
    meet_hall,
    meet_load,
    meet_recording,
    meet_report,
    meet_stream,
    meet_turn,
    meet_webhook,
)
from sanwang.cli import run_app
from sanwang.meet_book import chair_address, hall_links, line_of
from sanwang.meeting import alive, base, county, found, opened, token_key, who
from sanwang.report import emit
from vconf import links, meetings
from vconf.whip.tickets import KINDS

app = typer.Typer(
    help="Book, list, chair and cancel meetings.\n\nexample: sanwang meet book --title 防汛会商 --halls t01,t02",
    no_args_is_help=True,
)
app.command(name="load")(meet_load.load)
app.command(name="turn")(meet_turn.turn)
app.add_typer(meet_webhook.app, name="webhook")
app.add_typer(meet_recording.app, name="recording")
for kind in KINDS:
    app.add_typer(meet_stream.group(kind), name=kind)
for name, command in {
    **meet_book.COMMANDS,
    **meet_calendar.COMMANDS,
    **meet_chair.COMMANDS,
    **meet_hall.COMMANDS,
    **meet_report.COMMANDS,
}.items():
    app.command(name)(command)

_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Meeting = Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")]


@app.command(name="list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Past and cancelled meetings too.")] = False,
    as_json: _Json = False,
) -> None:
    """List the meetings that are not over, and the halls in them now.

    example: sanwang meet list --all
    """
    _, places = county()
    with opened(places) as store, store.reading() as session:
        rows = meetings.upcoming(session, datetime.now(UTC), everything=everything)
    if as_json:
        emit({"meetings": [meeting.as_json() for meeting in rows]})
        return
    for meeting in rows:
        print(line_of(meeting))
    if not rows:
        print("no meeting is booked: sanwang meet book --help")


@app.command()
def show(meeting_id: _Meeting, as_json: _Json = False) -> None:
    """Show one meeting.

    example: sanwang meet show 7
    """
    _, places = county()
    with opened(places) as store:
        meeting = found(store, meeting_id)
    if as_json:
        emit({"meeting": meeting.as_json()})
        return
    print(line_of(meeting))
    print(f"       main {meeting.main}  chair {meeting.owner}  booked by {meeting.booked_by}")


@app.command()
def link(meeting_id: _Meeting, as_json: _Json = False) -> None:
    """Print the links of a booked meeting again.

    example: sanwang meet link 7
    """
    model, places = county()
    with opened(places) as store:
        meeting = alive(found(store, meeting_id))
    addresses = hall_links(model, places, meeting)
    if as_json:
        emit({"meeting": meeting.as_json(), "links": addresses})
        return
    for code, address in addresses.items():
        print(f"{code} {address}")


@app.command(name="chair-link")
def chair_link(
    meeting_id: _Meeting,
    login: Annotated[str, typer.Option("--for", help="Login of who chairs; default the chair, else you.")] = "",
    as_json: _Json = False,
) -> None:
    """Print the link of the chair's page; whoever else opens one helps the chair.

    example: sanwang meet chair-link 7 --for li
    """
    model, places = county()
    with opened(places) as store:
        meeting = alive(found(store, meeting_id))
    address = chair_address(model, places, meeting, login)
    if as_json:
        emit({"meeting": meeting.as_json(), "chair_link": address})
    else:
        print(address)


@app.command()
def guests(
    meeting_id: _Meeting,
    close: Annotated[bool, typer.Option("--close", help="Ask nobody in any more.")] = False,
    as_json: _Json = False,
) -> None:
    """Let phones and notebooks in by a link and a PIN; they wait until the chair admits them.

    example: sanwang meet guests 7
    """
    model, places = county()
    with opened(places) as store:
        alive(found(store, meeting_id))
        with store.session() as session:
            meeting = meetings.ask_guests(session, meeting_id, who(), on=not close)
    address = None if close else links.guest_link(token_key(places), base(model), meeting, datetime.now(UTC))
    if as_json:
        emit({"meeting": meeting.as_json(), "guest_link": address, "pin": meeting.guest_pin})
    elif address is None:
        print(f"meeting {meeting_id}: no guests")
    else:
        print(f"{address}\nPIN {meeting.guest_pin} (send it another way)")


def main(argv: list[str]) -> int:
    """Exit codes: 0 good, 1 refused, 2 bad input, 3 the county, its store or its pages' server is not there."""
    return run_app(app, argv, "sanwang meet")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``sanwang meet``: book, list and cancel meetings; links of halls and chair; what the chair does."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from inventory.model import NetworkModel
from inventory.places import Places
from sanwang import meet_chair, meet_hall, meet_load, meet_webhook
from sanwang.cli import run_app
from sanwang.meeting import BAD, alive, base, county, fail, found, opened, token_key, who
from sanwang.report import emit
from vconf import links, meetings

app = typer.Typer(
    help="Book, list, chair and cancel meetings.\n\nexample: sanwang meet book --title 防汛会商 --halls t01,t02",
    no_args_is_help=True,
)
app.command(name="load")(meet_load.load)
app.add_typer(meet_webhook.app, name="webhook")
for name, command in {**meet_chair.COMMANDS, **meet_hall.COMMANDS}.items():
    app.command(name)(command)

_DURATION = re.compile(r"(\d+)\s*(m|min|h)?")
_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Meeting = Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")]


@app.command()
def book(
    title: Annotated[str, typer.Option(help="What the halls see.")],
    halls: Annotated[str, typer.Option(help="Codes of the halls, separated by commas.")],
    start: Annotated[str, typer.Option(help="Local time, 2027-05-01T09:00, or now.")] = "now",
    duration: Annotated[str, typer.Option(help="Minutes, or 90m, or 2h.")] = "120",
    main: Annotated[str, typer.Option(help="The main venue (主会场); default the first hall.")] = "",
    chair: Annotated[str, typer.Option(help="Whose the chair is: a hall, or @login; default you.")] = "",
    as_json: _Json = False,
) -> None:
    """Book a meeting and print each hall's link and the chair's.

    example: sanwang meet book --title 防汛会商 --start 2027-05-01T09:00 --duration 2h --halls t01,t02
    """
    model, places = county()
    with opened(places) as store:
        try:
            with store.session() as session:
                meeting = meetings.book(
                    session,
                    title=title,
                    start_at=_start(start),
                    duration=_duration(duration),
                    halls=[code.strip() for code in halls.split(",") if code.strip()],
                    who=who(),
                    known_halls=model.halls,
                    main=main,
                    chair=chair,
                )
        except meetings.MeetingError as error:
            fail(BAD, str(error))
    addresses = _links(model, places, meeting)
    console = _chair_link(model, places, meeting, "")
    if as_json:
        emit({"meeting": meeting.as_json(), "links": addresses, "chair_link": console})
        return
    print(_line(meeting))
    for code, address in addresses.items():
        print(f"  {code} {model.halls[code].zh}\n      {address}")
    print(f"  主席 chair {meeting.owner}\n      {console}")


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
        print(_line(meeting))
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
    print(_line(meeting))
    print(f"       main {meeting.main}  chair {meeting.owner}  booked by {meeting.booked_by}")


@app.command()
def link(meeting_id: _Meeting, as_json: _Json = False) -> None:
    """Print the links of a booked meeting again.

    example: sanwang meet link 7
    """
    model, places = county()
    with opened(places) as store:
        meeting = alive(found(store, meeting_id))
    addresses = _links(model, places, meeting)
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
    address = _chair_link(model, places, meeting, login)
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


@app.command()
def cancel(
    meeting_id: _Meeting,
    why: Annotated[str, typer.Option(help="For the audit.")] = "",
    as_json: _Json = False,
) -> None:
    """Cancel a meeting; halls that are in it are told.

    example: sanwang meet cancel 7 --why 改期
    """
    _, places = county()
    with opened(places) as store:
        try:
            with store.session() as session:
                meeting = meetings.cancel(session, meeting_id, who(), why)
        except meetings.MeetingError as error:
            fail(BAD, str(error))
    if as_json:
        emit({"meeting": meeting.as_json()})
    else:
        print(_line(meeting))


def main(argv: list[str]) -> int:
    """Exit codes: 0 good, 1 refused, 2 bad input, 3 the county, its store or its pages' server is not there."""
    return run_app(app, argv, "sanwang meet")


def _links(model: NetworkModel, places: Places, meeting: meetings.Meeting) -> dict[str, str]:
    tokens = token_key(places)
    return {hall: links.link(tokens, base(model, hall), meeting, hall, datetime.now(UTC)) for hall in meeting.halls}


def _chair_link(model: NetworkModel, places: Places, meeting: meetings.Meeting, login: str) -> str:
    login = login or (meeting.owner[1:] if meeting.owner.startswith("@") else who())
    return links.chair_link(token_key(places), base(model), meeting, login, datetime.now(UTC))


def _start(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        fail(BAD, f"--start: found {text!r}, expected now or a time like 2027-05-01T09:00")


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        fail(BAD, f"--duration: found {text!r}, expected minutes (120), 90m or 2h")
    return timedelta(hours=int(match[1])) if match[2] == "h" else timedelta(minutes=int(match[1]))


def _line(meeting: meetings.Meeting) -> str:
    start, end = meeting.start_at.astimezone(), meeting.end_at.astimezone()
    state = "  CANCELLED" if meeting.cancelled_at else ""
    present = f"  present: {' '.join(meeting.present)}" if meeting.present else ""
    when = f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}"
    return f"{meeting.id:>5}  {when}  {meeting.title}  [{' '.join(meeting.halls)}]{present}{state}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

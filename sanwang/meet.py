"""``sanwang meet``: book, list and cancel meetings; print each hall's link."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from sanwang.cli import run_app
from store.engine import Store, open_store
from vconf import links, meetings

app = typer.Typer(
    help="Book, list and cancel meetings.\n\nexample: sanwang meet book --title 防汛会商 --halls t01,t02",
    no_args_is_help=True,
)

_BAD, _MISSING = 2, 3
_DURATION = re.compile(r"(\d+)\s*(m|min|h)?")
_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]


@app.command()
def book(
    title: Annotated[str, typer.Option(help="What the halls see.")],
    halls: Annotated[str, typer.Option(help="Codes of the halls, separated by commas.")],
    start: Annotated[str, typer.Option(help="Local time, 2027-05-01T09:00, or now.")] = "now",
    duration: Annotated[str, typer.Option(help="Minutes, or 90m, or 2h.")] = "120",
    as_json: _Json = False,
) -> None:
    """Book a meeting and print each hall's link.

    example: sanwang meet book --title 防汛会商 --start 2027-05-01T09:00 --duration 2h --halls t01,t02
    """
    model, places = _county()
    with _open(places) as store:
        try:
            with store.session() as session:
                meeting = meetings.book(
                    session,
                    title=title,
                    start_at=_start(start),
                    duration=_duration(duration),
                    halls=[code.strip() for code in halls.split(",") if code.strip()],
                    who=_who(),
                    known_halls=model.halls,
                )
        except meetings.MeetingError as error:
            _fail(_BAD, str(error))
    found = _links(model, places, meeting)
    if as_json:
        _emit({"meeting": meeting.as_json(), "links": found})
        return
    print(_line(meeting))
    for code, address in found.items():
        print(f"  {code} {model.halls[code].zh}\n      {address}")


@app.command(name="list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Past and cancelled meetings too.")] = False,
    as_json: _Json = False,
) -> None:
    """List the meetings that are not over, and the halls in them now.

    example: sanwang meet list --all
    """
    _, places = _county()
    with _open(places) as store, store.reading() as session:
        found = meetings.upcoming(session, datetime.now(UTC), everything=everything)
    if as_json:
        _emit({"meetings": [meeting.as_json() for meeting in found]})
        return
    for meeting in found:
        print(_line(meeting))
    if not found:
        print("no meeting is booked: sanwang meet book --help")


@app.command()
def link(
    meeting_id: Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")],
    as_json: _Json = False,
) -> None:
    """Print the links of a booked meeting again.

    example: sanwang meet link 7
    """
    model, places = _county()
    with _open(places) as store, store.reading() as session:
        meeting = meetings.get(session, meeting_id)
    if meeting is None:
        _fail(_BAD, f"meeting {meeting_id}: not found; 'sanwang meet list --all' shows them")
    if meeting.state(datetime.now(UTC)) in ("cancelled", "over"):
        _fail(_BAD, f"meeting {meeting_id} is {meeting.state(datetime.now(UTC))}")
    found = _links(model, places, meeting)
    if as_json:
        _emit({"meeting": meeting.as_json(), "links": found})
        return
    for code, address in found.items():
        print(f"{code} {address}")


@app.command()
def cancel(
    meeting_id: Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")],
    why: Annotated[str, typer.Option(help="For the audit.")] = "",
    as_json: _Json = False,
) -> None:
    """Cancel a meeting; halls that are in it are told.

    example: sanwang meet cancel 7 --why 改期
    """
    _, places = _county()
    with _open(places) as store:
        try:
            with store.session() as session:
                meeting = meetings.cancel(session, meeting_id, _who(), why)
        except meetings.MeetingError as error:
            _fail(_BAD, str(error))
    if as_json:
        _emit({"meeting": meeting.as_json()})
    else:
        print(_line(meeting))


def main(argv: list[str]) -> int:
    """Exit codes: 0 good, 2 bad input, 3 the county or its store is not there."""
    return run_app(app, argv, "sanwang meet")


def _county() -> tuple[NetworkModel, Places]:
    places = Places(current_instance())
    county = places.lib / "county"
    try:
        return load_model(Path(county.read_text().strip()) if county.exists() else "shili"), places
    except CountyErrors as errors:
        _fail(_BAD, str(errors))


@contextmanager
def _open(places: Places) -> Iterator[Store]:
    try:
        store = open_store(places.database)
    except (OSError, SQLAlchemyError) as error:
        _fail(_MISSING, f"the store cannot be opened: {error}")
    try:
        yield store
    finally:
        store.close()


def _links(model: NetworkModel, places: Places, meeting: meetings.Meeting) -> dict[str, str]:
    tokens = Tokens(Secrets(places.lib / "identity").resolve(links.KEY))
    base = base_address(model)
    return {hall: links.link(tokens, base, meeting, hall, datetime.now(UTC)) for hall in meeting.halls}


def base_address(model: NetworkModel) -> str:
    """Where halls find the pages: the service of kind "meet"."""
    for service in model.services.values():
        if service.kind == "meet":
            port = "" if service.port == 443 else f":{service.port}"
            return f"https://{service.address}{port}"
    _fail(_BAD, f"county {model.name}: no service of kind meet; add one to services.yml")


def _start(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        _fail(_BAD, f"--start: found {text!r}, expected now or a time like 2027-05-01T09:00")


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        _fail(_BAD, f"--duration: found {text!r}, expected minutes (120), 90m or 2h")
    return timedelta(hours=int(match[1])) if match[2] == "h" else timedelta(minutes=int(match[1]))


def _who() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _line(meeting: meetings.Meeting) -> str:
    start, end = meeting.start_at.astimezone(), meeting.end_at.astimezone()
    state = "  CANCELLED" if meeting.cancelled_at else ""
    present = f"  present: {' '.join(meeting.present)}" if meeting.present else ""
    when = f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}"
    return f"{meeting.id:>5}  {when}  {meeting.title}  [{' '.join(meeting.halls)}]{present}{state}"


def _emit(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False), flush=True)


def _fail(code: int, text: str) -> NoReturn:
    print(f"sanwang meet: {text}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``sanwang meet book``, ``change``, ``cancel`` and ``groups``: meetings before they begin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from inventory.impact import ImpactMap
from inventory.model import NetworkModel
from inventory.places import Places
from provision.render.qos import sure_bps
from sanwang.meeting import BAD, base, county, fail, opened, token_key, who
from sanwang.report import FAILED, emit
from store.engine import Store
from vconf import links, meetings
from vconf.booking import book as booking
from vconf.booking.book import Change, Wanted
from vconf.booking.checker import Checker
from vconf.booking.conflicts import Clashes
from vconf.booking.groups import groups, spread

_DURATION = re.compile(r"(\d+)\s*(m|min|h)?")
_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Meeting = Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")]
_Force = Annotated[bool, typer.Option("--force", help="Although a hall is in another meeting then; audited.")]


def book(
    title: Annotated[str, typer.Option(help="What the halls see.")],
    halls: Annotated[str, typer.Option(help="Codes and groups (sanwang meet groups), separated by commas.")],
    start: Annotated[str, typer.Option(help="Local time, 2027-05-01T09:00, or now.")] = "now",
    duration: Annotated[str, typer.Option(help="Minutes, or 90m, or 2h.")] = "120",
    main: Annotated[str, typer.Option(help="The main venue (主会场); default the first hall.")] = "",
    chair: Annotated[str, typer.Option(help="Whose the chair is: a hall, or @login; default you.")] = "",
    repeat: Annotated[str, typer.Option(help="A rule of RFC 5545: FREQ=WEEKLY;COUNT=10.")] = "",
    force: _Force = False,
    only_check: Annotated[bool, typer.Option("--check", help="Only say what it would run into.")] = False,
    as_json: _Json = False,
) -> int:
    """Book a meeting and print each hall's link and the chair's; told beside it: what the network lacks for it.

    Exit code 1: a hall is in another meeting then; with --check also when the network does not carry it.

    example: sanwang meet book --title 防汛会商 --start 2027-05-01T09:00 --duration 2h --halls townships --main t01
    """
    model, places = county()
    now = datetime.now(UTC)
    asked = Wanted(
        title=title,
        start_at=_start(start),
        duration=_duration(duration),
        halls=tuple(spread(model, _words(halls))),
        main=main,
        chair=chair,
        repeat=repeat,
    )
    checker = checker_of(model, places)
    with opened(places) as store:
        try:
            if only_check:
                return _check(store, model, checker, asked, now, as_json)
            with store.session() as session:
                made = booking.book(session, asked, who(), model.halls, force=force)
                capacity = checker.keep(session, made, now) or {}
                made = [meetings.found(session, each.id) for each in made]
        except Clashes as found:
            return _clashed(model, found, as_json)
        except meetings.MeetingError as error:
            fail(BAD, str(error))
    meeting = made[0]
    addresses = hall_links(model, places, meeting)
    console = chair_address(model, places, meeting, "")
    if as_json:
        series = [{"id": each.id, "start": each.start_at.isoformat()} for each in made]
        found_doc = {"meeting": meeting.as_json(), "series": series, "capacity": capacity}
        emit({**found_doc, "links": addresses, "chair_link": console})
        return 0
    for each in made:
        print(line_of(each))
    for code, address in addresses.items():
        print(f"  {code} {model.halls[code].zh}\n      {address}")
    print(f"  主席 chair {meeting.owner}\n      {console}")
    _print_capacity(capacity)
    return 0


def change(
    meeting_id: _Meeting,
    title: Annotated[str | None, typer.Option(help="What the halls see.")] = None,
    start: Annotated[str | None, typer.Option(help="Local time; the others of its series move as far.")] = None,
    duration: Annotated[str | None, typer.Option(help="Minutes, or 90m, or 2h.")] = None,
    halls: Annotated[str | None, typer.Option(help="All its halls: codes and groups.")] = None,
    main: Annotated[str | None, typer.Option(help="The main venue.")] = None,
    chair: Annotated[str | None, typer.Option(help="Whose the chair is: a hall, or @login.")] = None,
    series: Annotated[bool, typer.Option("--series", help="All of its series that have not begun.")] = False,
    force: _Force = False,
    as_json: _Json = False,
) -> int:
    """Change a meeting that has not begun; who was asked is told.

    example: sanwang meet change 7 --start 2027-05-02T09:00 --series
    """
    model, places = county()
    now = datetime.now(UTC)
    wanted = Change(
        title=title,
        start_at=None if start is None else _start(start),
        duration=None if duration is None else _duration(duration),
        halls=None if halls is None else tuple(spread(model, _words(halls))),
        main=main,
        chair=chair,
    )
    with opened(places) as store:
        try:
            with store.session() as session:
                made = booking.change(session, meeting_id, wanted, who(), model.halls, now, series=series, force=force)
                capacity = checker_of(model, places).keep(session, made, now) or {}
                made = [meetings.found(session, each.id) for each in made]
        except Clashes as found:
            return _clashed(model, found, as_json)
        except meetings.MeetingError as error:
            fail(BAD, str(error))
    if as_json:
        emit({"meetings": [each.as_json() for each in made], "capacity": capacity})
        return 0
    for each in made:
        print(line_of(each))
    _print_capacity(capacity)
    return 0


def cancel(
    meeting_id: _Meeting,
    why: Annotated[str, typer.Option(help="For the audit.")] = "",
    series: Annotated[bool, typer.Option("--series", help="All of its series that are not over.")] = False,
    as_json: _Json = False,
) -> None:
    """Cancel a meeting; halls that are in it are told.

    example: sanwang meet cancel 7 --why 改期
    """
    _, places = county()
    with opened(places) as store:
        try:
            with store.session() as session:
                gone = booking.cancel(session, meeting_id, who(), why, datetime.now(UTC), series=series)
        except meetings.MeetingError as error:
            fail(BAD, str(error))
    if as_json:
        emit({"meeting": gone[0].as_json(), "meetings": [each.id for each in gone]})
    else:
        for each in gone:
            print(line_of(each))


def groups_(as_json: _Json = False) -> None:
    """List the groups of halls that a booking may name.

    example: sanwang meet groups
    """
    model, _ = county()
    found = groups(model)
    if as_json:
        emit({"groups": {name: list(group.halls) for name, group in found.items()}})
        return
    for name, group in found.items():
        print(f"{name:<12} {group.zh} {group.en}: {' '.join(group.halls)}")


COMMANDS: dict[str, Callable[..., Any]] = {"book": book, "change": change, "cancel": cancel, "groups": groups_}


def checker_of(model: NetworkModel, places: Places) -> Checker:
    """Against the county's files, and what the running county says of its faults and loads."""
    from sanwang.impact import seen

    faults, loads = seen(model, places.instance)
    return Checker(ImpactMap(model), sure_bps(model), lambda: faults, lambda: loads or {})


def hall_links(model: NetworkModel, places: Places, meeting: meetings.Meeting) -> dict[str, str]:
    """Every hall's link."""
    tokens = token_key(places)
    return {hall: links.link(tokens, base(model, hall), meeting, hall, datetime.now(UTC)) for hall in meeting.halls}


def chair_address(model: NetworkModel, places: Places, meeting: meetings.Meeting, login: str) -> str:
    """A link of the chair's page; "" as login: of the chair, else of who calls."""
    login = login or (meeting.owner[1:] if meeting.owner.startswith("@") else who())
    return links.chair_link(token_key(places), base(model), meeting, login, datetime.now(UTC))


def line_of(meeting: meetings.Meeting) -> str:
    """One line of words."""
    start, end = meeting.start_at.astimezone(), meeting.end_at.astimezone()
    state = "  CANCELLED" if meeting.cancelled_at else ""
    present = f"  present: {' '.join(meeting.present)}" if meeting.present else ""
    when = f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}"
    return f"{meeting.id:>5}  {when}  {meeting.title}  [{' '.join(meeting.halls)}]{present}{state}"


def _check(store: Store, model: NetworkModel, checker: Checker, asked: Wanted, now: datetime, as_json: bool) -> int:
    with store.reading() as session:
        moments = asked.starts()
        found = booking.meets(session, asked)
        capacity = checker.document(session, asked.halls, [(at, at + asked.duration) for at in moments], now)
    if as_json:
        starts = [at.isoformat() for at in moments]
        emit({"starts": starts, "clashes": [each.as_json() for each in found], "capacity": capacity})
    else:
        for each in found:
            print("; ".join(each.words(_name(model, each.hall))))
        _print_capacity(capacity)
    return FAILED if found or not capacity["ok"] else 0


def _clashed(model: NetworkModel, found: Clashes, as_json: bool) -> int:
    if as_json:
        emit({"clashes": [each.as_json() for each in found.found]})
    for each in found.found:
        zh, en = each.words(_name(model, each.hall))
        typer.echo(f"sanwang meet: {en}  {zh}", err=True)
    typer.echo("next step: another time, other halls, or --force", err=True)
    return FAILED


def _print_capacity(capacity: Mapping[str, Any]) -> None:
    words: Sequence[Mapping[str, str]] = capacity.get("words", ())
    for each in words:
        print(f"  网络 {each['zh']}\n       {each['en']}")
    for cut, halls in capacity.get("single", {}).items():
        print(f"  网络 {cut} 一断，{' '.join(halls)} 即中断  one cut of {cut} takes off {' '.join(halls)}")
    if not words:
        mbit = capacity.get("hall_down_bps", 0) / 1e6
        print(f"  网络 带宽足够，每会场 {mbit:.1f} Mbit/s  the network carries it, {mbit:.1f} Mbit/s a hall")


def _name(model: NetworkModel, code: str) -> str:
    return model.halls[code].zh if code in model.halls else ""


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


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

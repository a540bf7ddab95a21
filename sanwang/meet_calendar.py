"""``sanwang meet calendar``: calendars of halls and people, written, subscribed to and taken in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from inventory.model import NetworkModel
from inventory.places import Places
from sanwang.meet_book import checker_of, line_of
from sanwang.meeting import BAD, base, county, fail, opened, who
from sanwang.report import FAILED, emit
from store.engine import Store
from vconf.booking import feeds
from vconf.booking.conflicts import Clashes
from vconf.booking.ical_read import read
from vconf.booking.imports import Importer
from vconf.meetings import MeetingError


def calendar(
    of: Annotated[str, typer.Argument(metavar="[OF]", help="A hall's code, @ and a login, or county.")] = "county",
    to: Annotated[Path | None, typer.Option("--to", help="Write it to a file; default the terminal.")] = None,
    subscribe: Annotated[bool, typer.Option("--subscribe", help="Print an address that Outlook reads.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Its addresses are good no longer.")] = False,
    take: Annotated[Path | None, typer.Option("--import", help="Take in a calendar: book, change, cancel.")] = None,
    halls: Annotated[str, typer.Option(help="With --import: these halls, not those that it names.")] = "",
    force: Annotated[bool, typer.Option("--force", help="With --import: although a hall is taken; audited.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")] = False,
) -> int:
    """A calendar (RFC 5545) of a hall, a person or the county; or take one in that another program wrote.

    example: sanwang meet calendar t01 --subscribe
    """
    model, places = county()
    with opened(places) as store:
        try:
            if take is not None:
                return _take(store, model, places, take, halls, force, as_json)
            return _give(store, model, of, to, subscribe=subscribe, revoke=revoke, as_json=as_json)
        except Clashes as found:
            if as_json:
                emit({"clashes": [each.as_json() for each in found.found]})
            print(f"sanwang meet: {found}", file=sys.stderr)
            return FAILED
        except MeetingError as error:
            fail(BAD, str(error))
        except OSError as error:
            fail(BAD, f"{take or to}: {error.strerror}")


COMMANDS: dict[str, Callable[..., Any]] = {"calendar": calendar}


def _take(store: Store, model: NetworkModel, places: Places, file: Path, halls: str, force: bool, as_json: bool) -> int:
    now = datetime.now(UTC)
    given = tuple(word.strip() for word in halls.split(",") if word.strip())
    importer = Importer(model=model, who=who(), now=now, may=lambda _: True, halls=given, force=force)
    occasions = read(file.read_bytes())
    checker = checker_of(model, places)
    with store.session() as session:
        taken = importer.take(session, occasions)
        for each in taken:
            checker.keep(session, [one for one in each.meetings if one.cancelled_at is None], now)
    if as_json:
        emit({"events": [each.as_json() for each in taken]})
        return 0
    for each in taken:
        print(f"{each.done}: {each.uid}")
        for one in each.meetings:
            print(line_of(one))
    return 0


def _give(
    store: Store, model: NetworkModel, of: str, to: Path | None, *, subscribe: bool, revoke: bool, as_json: bool
) -> int:
    now, subject = datetime.now(UTC), feeds.subject_of(model, of)
    if subscribe or revoke:
        with store.session() as session:
            gone = feeds.revoke(session, subject, who(), now) if revoke else 0
            token = feeds.make(session, subject, who(), now) if subscribe else ""
        url = f"{base(model)}{feeds.PATH}{token}.ics" if token else ""
        if as_json:
            emit({"subject": subject, "revoked": gone, "url": url})
        else:
            print(url or f"{subject}: {gone} addresses are good no longer")
        return 0
    with store.reading() as session:
        data = feeds.feed(session, model, subject, f"{base(model)}/hall/", now)
    if to is not None:
        to.write_bytes(data)
    if as_json:
        emit({"subject": subject, "bytes": len(data), "calendar": "" if to else data.decode()})
    elif to is None:
        sys.stdout.write(data.decode())
    else:
        print(f"{to}: {len(data)} bytes")
    return 0

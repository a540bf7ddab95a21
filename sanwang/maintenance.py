"""``sanwang maintenance``: times in which faults of some hosts and links call nobody."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from collectors.alerts.tables import NoSuchWindow, WindowRow, end_window, open_window, windows
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from provision.broker.client import operator
from provision.change import approval
from provision.change.plan import Plan, PlanError, county_fingerprint
from sanwang.audit import open_existing
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, emit, guarded
from store.engine import Store

app = typer.Typer(
    help="Times in which faults of some hosts and links call nobody; they are shown and counted all the same.\n\n"
    'example: sanwang maintenance open --link c1-t01 --for 2h --why "splicing at pole 31"',
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]
_Why = Annotated[str, typer.Option(help="what is done, for the audit log and whoever looks")]
_SPANS = {"m": "minutes", "h": "hours", "d": "days"}
_SETTLE = timedelta(minutes=1)
_LONGEST = timedelta(days=30)


class BadWindow(ValueError):
    """What was asked for is no window; the text says what to give."""


@app.command("open")
def open_(
    why: _Why,
    host: Annotated[list[str], typer.Option(help="a host and all that is plugged into it; may be given again")] = [],  # noqa: B006
    link: Annotated[list[str], typer.Option(help="a link; may be given again")] = [],  # noqa: B006
    site: Annotated[list[str], typer.Option(help="all of a site; may be given again")] = [],  # noqa: B006
    start: Annotated[str, typer.Option("--from", help="local time, 2026-11-22T14:00; default now")] = "",
    span: Annotated[str, typer.Option("--for", help="how long: 30m, 2h, 1d")] = "1h",
    as_json: _Json = False,
) -> int:
    """Open a window by hand.

    example: sanwang maintenance open --site t03 --from 2026-11-23T08:00 --for 4h --why "new power supply"
    """

    def work(store: Store, model: NetworkModel) -> int:
        hosts, links = _covered(model, host, link, site)
        begin = _moment(start)
        with store.session() as session:
            row = open_window(
                session, hosts=hosts, links=links, start=begin, end=begin + _span(span), who=operator(), why=why
            )
            return _told(row, as_json)

    return _guarded(work)


@app.command("plan")
def from_plan(
    file: Annotated[Path, typer.Argument(help="an approved plan")],
    as_json: _Json = False,
) -> int:
    """Announce the window of an approved plan, for its devices. (sanwang apply opens one by itself while it works.)

    example: sanwang maintenance plan change.json
    """

    def work(store: Store, model: NetworkModel) -> int:
        plan = Plan.load(str(file))
        folder = Path((Places(current_instance()).lib / "county").read_text(encoding="utf-8").strip())
        approval.check(plan, model, fingerprint=county_fingerprint(folder), now=datetime.now(UTC))
        with store.session() as session:
            return _told(window_of(session, model, plan, datetime.fromisoformat(plan.window_start)), as_json)

    return _guarded(work)


@app.command("end")
def end(
    number: Annotated[int, typer.Argument(help="the window's number")],
    why: _Why = "done",
    as_json: _Json = False,
) -> int:
    """End a window now.

    example: sanwang maintenance end 3 --why "splice measured, 0.1 dB"
    """

    def work(store: Store, _: NetworkModel) -> int:
        with store.session() as session:
            return _told(end_window(session, number, datetime.now(UTC), operator(), why), as_json)

    return _guarded(work)


@app.command("list")
def list_(as_json: _Json = False) -> int:
    """Windows that run, and that will.

    example: sanwang maintenance list --json
    """

    def work(store: Store, _: NetworkModel) -> int:
        with store.reading() as session:
            found = windows(session, datetime.now(UTC))
        for row in found:
            print(_line(row))
        if not found:
            print("no window runs or is announced")
        if as_json:
            emit({"windows": [_document(row) for row in found]})
        return 0

    return _guarded(work)


def window_of(session: Session, model: NetworkModel, plan: Plan, start: datetime) -> WindowRow:
    """The window of a plan's devices, from a moment to the end of the plan's own window."""
    hosts, links = _covered(model, plan.hosts, (), ())
    return open_window(
        session,
        hosts=hosts,
        links=links,
        start=start,
        end=datetime.fromisoformat(plan.window_end),
        who=plan.author,
        why=plan.why,
        plan=plan.digest,
    )


@contextmanager
def in_window(store: Store, model: NetworkModel, plan: Plan) -> Iterator[None]:
    """Nobody is called for the plan's devices while it is carried out, and for as long after as they take to settle."""
    with store.session() as session:
        number = window_of(session, model, plan, datetime.now(UTC)).id
    try:
        yield
    finally:
        with store.session() as session:
            end_window(session, number, datetime.now(UTC) + _SETTLE, plan.author, "carried out")


def _covered(
    model: NetworkModel, hosts: Iterable[str], links: Iterable[str], sites: Iterable[str]
) -> tuple[list[str], list[str]]:
    asked: tuple[tuple[str, Iterable[str], Container[str]], ...] = (
        ("host", hosts, model.hosts),
        ("link", links, model.links),
        ("site", sites, model.sites),
    )
    for what, given, known in asked:
        for name in given:
            if name not in known:
                raise BadWindow(f"--{what} {name}: found nothing of that name; look: sanwang county show")
    every = {*hosts, *(host.name for site in sites for host in model.site_hosts(site))}
    cables = {port.link for name in every for port in model.hosts[name].ports}
    return sorted(every), sorted(cables | set(links))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else datetime.now(UTC)
    except ValueError:
        raise BadWindow(f"--from {text!r}: expected a time such as 2026-11-22T14:00") from None


def _span(text: str) -> timedelta:
    if text[-1:] in _SPANS and text[:-1].isdigit():
        span = timedelta(**{_SPANS[text[-1]]: int(text[:-1])})
        if timedelta() < span <= _LONGEST:
            return span
    raise BadWindow(f"--for {text!r}: expected 30m, 2h or 1d, at most {_LONGEST.days} days")


def _told(row: WindowRow, as_json: bool) -> int:
    print(_line(row))
    if as_json:
        emit(_document(row))
    return 0


def _line(row: WindowRow) -> str:
    begin, over = row.start_at.astimezone(), row.end_at.astimezone()
    what = ", ".join((*row.hosts, *(f"link {name}" for name in row.links)))
    shown = what if len(what) < 90 else f"{len(row.hosts)} hosts, {len(row.links)} links"
    return f"window {row.id}: {begin:%m-%d %H:%M} to {over:%m-%d %H:%M}, {shown}: {row.why} ({row.who})"


def _document(row: WindowRow) -> dict[str, object]:
    return {
        "id": row.id,
        "plan": row.plan,
        "hosts": row.hosts,
        "links": row.links,
        "start_at": row.start_at.isoformat(),
        "end_at": row.end_at.isoformat(),
        "who": row.who,
        "why": row.why,
    }


def _guarded(work: Callable[[Store, NetworkModel], int]) -> int:
    def action() -> int:
        store = open_existing("maintenance")
        try:
            folder = (Places(current_instance()).lib / "county").read_text(encoding="utf-8").strip()
            return work(store, load_model(folder))
        except (BadWindow, NoSuchWindow, PlanError, ValueError) as wrong:
            print(f"sanwang maintenance: {wrong}", file=sys.stderr)
            return BAD_INPUT
        finally:
            store.close()

    return guarded(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang maintenance")

"""``sanwang plan``: what every device would become, in which order, for whom, and how risky; nothing is changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from drills.errors import Missing
from inventory.places import Places, current_instance
from provision.broker.client import BrokerClient, operator
from provision.broker.county import County, county_folder
from provision.broker.groups import groups, match
from provision.broker.wire import BrokerError
from provision.change import planner
from provision.change.plan import Plan, PlanError, county_fingerprint
from provision.environment import recorded
from sanwang import cables
from sanwang.cli import run_app
from sanwang.plan_words import print_plan
from sanwang.report import BAD_INPUT, Lines, emit, guarded
from store.audit import record
from store.engine import open_store

app = typer.Typer(add_completion=False)

WINDOW = timedelta(hours=24)
"""How long a plan without --window may be applied."""

_Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]
_EXAMPLE = 'example: sanwang plan --out vrf.plan --window 2027-05-01T22:00/2h --why "b03 joins the audit group"'


@app.callback(invoke_without_command=True, epilog=_EXAMPLE)
def plan(
    context: typer.Context,
    out: Annotated[str, typer.Option(help="save the plan to this file; without it the plan is only shown")] = "",
    window: Annotated[
        str, typer.Option(help="START/END when it may be applied, local time; END may be a length: 90m, 2h, 1d")
    ] = "",
    why: Annotated[str, typer.Option(help="the reason; it stays in the plan and in the audit")] = "",
    limit: Annotated[str, typer.Option(help="hosts and groups, as Ansible's --limit; default all devices")] = "",
    author: Annotated[
        str, typer.Option("--as", help="login of the author; default SANWANG_WHO, else the account")
    ] = "",
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="show the lines that change")] = True,
    instance: Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")] = "",
    as_json: _Json = False,
) -> int:
    """Ask every device what it would change to be as the model says, and make a plan of it. Changes nothing.

    Exit code 0: a plan was made, or nothing is to do; 2: bad input; 3: a device or the broker does not answer.
    """
    if context.invoked_subcommand is not None:
        return 0

    def action() -> int:
        began_s = time.monotonic()
        places = Places(instance or current_instance())
        allowed = parse_window(window, datetime.now(UTC))
        county = County(recorded_folder(places), recorded(places))
        before = county_fingerprint(county.folder)
        hosts = _limited(county, limit)
        lines = Lines()
        cables.plug(places, county.model, lines.note)  # before devices are asked: a port is part of what they are
        client = BrokerClient(places.broker_socket)
        looked = planner.look(
            client, county, hosts, progress=lambda done, total: lines.step("devices compared", done, total)
        )
        planner.require_all(looked)
        made = None
        if looked.devices:
            store = open_store(places.database)
            try:
                made = planner.make_plan(
                    looked, county, places, store, author=author or operator(), why=why, window=allowed, before=before
                )
                if out:
                    _save(made, out)
                    with store.session() as session:
                        detail = {"plan": made.digest, "hosts": list(made.hosts), "risk": made.risk.level, "file": out}
                        record(session, made.author, "plan", why, detail)
            finally:
                store.close()
        _tell(made, looked, out, time.monotonic() - began_s, diff=diff, as_json=as_json)
        return 0

    return _guarded(action)


@app.command(epilog="example: sanwang plan show vrf.plan --no-diff")
def show(
    file: Annotated[str, typer.Argument(help="a saved plan")],
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="show the lines that change")] = True,
    as_json: _Json = False,
) -> int:
    """Show a saved plan; exit code 2 when a byte of it is not as it was saved."""

    def action() -> int:
        saved = Plan.load(file)
        if as_json:
            emit({"file": file, "id": saved.id, **saved.as_json()})
        else:
            print_plan(saved, diff=diff)
        return 0

    return _guarded(action)


def _save(made: Plan, out: str) -> None:
    try:
        made.save(out)
    except OSError as error:
        raise PlanError(
            f"--out: found {out}: {error.strerror}; expected a file that can be written; give another"
        ) from None


def recorded_folder(places: Places) -> Path:
    """The county's folder of an instance; ``Missing`` when there is no such instance here."""
    if not (places.lib / "county").exists():
        raise Missing(f"no instance {places.instance!r} here", "start it with: make up")
    return county_folder(places)


def parse_window(text: str, now: datetime) -> planner.Window:
    """START/END as people write it; without a text the next ``WINDOW``.  PlanError when it is none.

    >>> parse_window("2027-05-01T22:00+08:00/2h", datetime(2027, 5, 1, tzinfo=UTC)).end.isoformat()
    '2027-05-02T00:00:00+08:00'
    """
    if not text:
        return planner.Window(now, now + WINDOW)
    first, _, last = text.partition("/")
    expected = "START/END as 2027-05-01T22:00/2027-05-02T00:00, now/2h or 2027-05-01T22:00/90m"
    try:
        start = now if first.strip() == "now" else datetime.fromisoformat(first.strip()).astimezone()
        end = start + _length(last.strip()) if last.strip()[-1:] in ("m", "h", "d") else _moment(last)
    except (ValueError, OverflowError):
        raise PlanError(f"--window: found {text!r}; expected {expected}; correct it") from None
    if end <= start or end <= now:
        raise PlanError(f"--window: found {text!r}, which ends {end.isoformat()}; expected {expected} that is to come")
    return planner.Window(start, end)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.strip()).astimezone()


def _length(text: str) -> timedelta:
    return int(text[:-1]) * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[text[-1]]


def _limited(county: County, limit: str) -> tuple[str, ...] | None:
    if not limit:
        return None
    names = [host.name for host in county.model.appliances()]
    try:
        return match(limit, groups(county.model), names)
    except ValueError as wrong:
        raise PlanError(f"--limit: {wrong}") from None


def _tell(made: Plan | None, looked: planner.Looked, out: str, seconds: float, *, diff: bool, as_json: bool) -> None:
    figures = {"asked": looked.asked, "seconds": round(seconds, 2)}
    if made is None:
        if as_json:
            emit({"changed": False, "file": None, **figures})
        else:
            print(f"nothing to do: all {looked.asked} devices are as the model says ({seconds:.1f} s)")
        return
    if as_json:
        emit({"changed": True, "file": out or None, "id": made.id, **figures, **made.as_json()})
        return
    print_plan(made, diff=diff)
    print(f"{looked.asked} devices asked in {seconds:.1f} s")
    if out:
        print(f"saved to {out}; next: sanwang rehearse {out}, sanwang approve {out} --as LOGIN --key FILE")


def _guarded(action: Callable[[], int]) -> int:
    def inner() -> int:
        try:
            return action()
        except PlanError as wrong:
            print(f"sanwang plan: {wrong}", file=sys.stderr)
            return BAD_INPUT
        except BrokerError as wrong:
            if wrong.kind not in ("county", "request"):
                raise
            print(f"sanwang plan: {wrong.message}", file=sys.stderr)
            return BAD_INPUT

    return guarded(inner)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang plan")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

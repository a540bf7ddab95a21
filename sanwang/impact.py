"""``sanwang impact``: what a cut would cost, before it happens; where the county has single points of failure."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from collectors.faults.impacts import load_of_links, meetings_between
from drills.errors import Missing
from drills.lab import Lab
from inventory.impact import Faults, HallImpact, HallState, Impact, ImpactMap, Meeting, document
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from inventory.risks import Risk, risks, shared_ducts
from inventory.whatif import UnknownTarget, cut_of, what_if
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, emit, guarded
from store.engine import open_store

app = typer.Typer(
    help="What a cut would cost, before it happens.\n\nExample: sanwang impact cut ring-c1-c2",
    add_completion=False,
    no_args_is_help=True,
)
Instance = Annotated[str, typer.Option(help="name of the instance; its bookings, loads and open faults count too")]
County = Annotated[str, typer.Option(help="a county's name or folder; default what the instance runs, else shili")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command()
def cut(
    target: Annotated[str, typer.Argument(help="a link, a pair of sites (c1-c2), a duct, a site or a host")],
    at: Annotated[
        str, typer.Option(help="local time, 2027-05-01T15:00: meetings booked then; default the next 24 h")
    ] = "",
    instance: Instance = "",
    county: County = "",
    as_json: AsJson = False,
) -> int:
    """Sites, services, halls and meetings that would suffer, and what still carries them.

    A county that runs adds its bookings, the measured load of its links and the faults it has already.

    Example: sanwang impact cut east --at 2027-05-01T15:00
    """

    def action() -> int:
        places = Places(instance or current_instance())
        model = _model(places, county)
        try:
            start, end = _window(at)
            cut_of(model, target)
        except (ValueError, UnknownTarget) as problem:
            print(f"sanwang impact: {problem}", file=sys.stderr)
            return BAD_INPUT
        known = "" if county else places.instance
        already, loads = seen(model, known)
        booked = _booked(places, start, end) if known else ()
        found = what_if(ImpactMap(model), target, already, booked, loads)
        asked = found.cut
        if as_json:
            emit({"target": target, "from": start.isoformat(), "until": end.isoformat(), "links": sorted(asked.links),
                  "hosts": sorted(asked.hosts), "already": document(found.now), "impact": document(found.then),
                  "meetings_booked": len(booked)})  # fmt: skip
        else:
            print("\n".join(_words(model, asked, found.then, already)))
        return 0

    return guarded(action)


@app.command("risks")
def risks_(
    instance: Instance = "",
    county: County = "",
    every: Annotated[bool, typer.Option("--all", help="also what cuts one small site only")] = False,
    as_json: AsJson = False,
) -> int:
    """Ducts, links and boxes whose loss alone cuts sites, halls or services off; sites with both arms in one trench.

    Example: sanwang impact risks
    """

    def action() -> int:
        model = _model(Places(instance or current_instance()), county)
        found, shared = risks(ImpactMap(model)), shared_ducts(model)
        if as_json:
            emit({"risks": [asdict(risk) for risk in found], "shared_ducts": [asdict(each) for each in shared]})
            return 0
        for each in shared:
            print(f"{each.site}: {' and '.join(each.links)} lie in one duct, {each.duct}")
        if not shared:
            print("no site has two of its fibres in one duct")
        small = [risk for risk in found if risk.weight[:2] == (0, 0) and len(risk.sites_cut) < 2]
        for risk in found:
            if every or risk not in small:
                print(_risk_line(risk))
        if small and not every:
            print(f"and {len(small)} that cut one small site or service each: --all shows them")
        return 0

    return guarded(action)


def _model(places: Places, county: str) -> NetworkModel:
    if county:
        return load_model(county)
    with contextlib.suppress(OSError):
        return load_model((places.lib / "county").read_text(encoding="utf-8").strip())
    return load_model("shili")


def _window(at: str) -> tuple[datetime, datetime]:
    """The moment that was asked for, or the next day; ValueError for a time that is none."""
    if not at:
        now = datetime.now(UTC)
        return now, now + timedelta(hours=24)
    try:
        moment = datetime.fromisoformat(at).astimezone(UTC)
    except ValueError:
        raise ValueError(f"--at {at!r}: expected a local time such as 2027-05-01T15:00") from None
    return moment, moment + timedelta(seconds=1)


def seen(model: NetworkModel, instance: str) -> tuple[Faults, dict[str, float] | None]:
    """What is broken in the running county already, and the load of its links; nothing when it does not run."""
    if not instance:
        return Faults(), None
    try:
        lab = Lab.attach(instance)
        rows: list[dict[str, Any]] = lab.collected("/faults")["faults"]
        loads = load_of_links(lab.collected_text("/metrics?part=slow").encode())
    except (Missing, KeyError, json.JSONDecodeError):
        return Faults(), None
    dead = [row for row in rows if row["kind"] not in ("link-degraded", "service-down")]
    return (
        Faults(
            frozenset(name for row in dead for name in row["links"]),
            frozenset(name for row in dead for name in row["hosts"]),
            degraded=frozenset(name for row in rows if row["kind"] == "link-degraded" for name in row["links"]),
        ),
        loads or None,
    )


def _booked(places: Places, start: datetime, end: datetime) -> tuple[Meeting, ...]:
    if places.database.startswith("sqlite") and not Path(places.database.removeprefix("sqlite:///")).exists():
        return ()
    try:
        store = open_store(places.database)
    except SQLAlchemyError:
        return ()
    try:
        with store.reading() as session:
            return meetings_between(session, start, end)
    finally:
        store.close()


def _words(model: NetworkModel, asked: Faults, impact: Impact, already: Faults) -> list[str]:
    lines = [f"cut: {', '.join(sorted(asked.links | asked.hosts))}"]
    if already != Faults():
        lines.append(f"broken already: {', '.join(sorted(already.links | already.hosts)) or 'degraded links'}")
    lines.append(_listed("sites cut off", (f"{code} {model.sites[code].zh}" for code in impact.sites_cut)))
    lines.append(_listed("on their last arm", impact.sites_unprotected))
    lines.append(_listed("centres apart", impact.centres_apart))
    for hall in impact.halls:
        lines.append("hall " + _hall_words(model, hall))
    for service in impact.services:
        lines.append(f"service {service.service}: {service.usual} -> {service.backend or 'nobody answers'}")
    for meeting in impact.meetings:
        when = datetime.fromtimestamp(meeting.starts_at).strftime("%m-%d %H:%M") if meeting.starts_at else "now"
        states = ", ".join(f"{hall.hall} {hall.state}" for hall in meeting.halls)
        lines.append(f"meeting {when} {meeting.title}: {states}")
    shown = [line for line in lines if line]
    return shown if len(shown) > 1 else [*shown, "nobody would notice: everything stays protected"]


def _listed(what: str, names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - 12} more" if len(found) > 12 else ""
    return f"{what}: {', '.join(found[:12])}{more}" if found else ""


def _hall_words(model: NetworkModel, hall: HallImpact) -> str:
    name = f"{hall.hall} {model.halls[hall.hall].zh}"
    if hall.state is HallState.CUT:
        return f"{name}: cut off"
    if hall.state is HallState.ALONE:
        return f"{name}: cut off from the county; meetings of its own site's relay go on"
    spare = f", {hall.spare_bps / 1e6:.0f} Mbit/s free" if hall.spare_bps is not None else ""
    shared = f"; shares duct {', '.join(hall.shared)} with the old path" if hall.shared else ""
    return f"{name}: {hall.state} over {' '.join(hall.after)} ({hall.capacity_bps / 1e6:.0f} Mbit/s{spare}){shared}"


def _risk_line(risk: Risk) -> str:
    parts = [
        _listed("centres apart", risk.centres_apart),
        _listed("halls", risk.halls_cut),
        _listed("sites", risk.sites_cut),
        _listed("services", risk.services_lost),
    ]
    return f"{risk.kind} {risk.name} cuts off: {'; '.join(part for part in parts if part)}"


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang impact")

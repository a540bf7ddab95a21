"""``sanwang drill``: rehearse a failure on the running county and measure what it cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from drills import apply as apply_drill
from drills import centre as centre_drill
from drills import exit as exit_drill
from drills import fault as fault_drill
from drills import meeting as meeting_drill
from drills import qos as qos_drill
from drills import replace as replace_drill
from drills import restore as restore_drill
from drills import revoke as revoke_drill
from drills import ring as ring_drill
from drills import succession as standby_drill
from drills import watchers as watchers_drill
from drills.lab import Lab
from inventory.places import current_instance
from sanwang.cli import run_app
from sanwang.report import Lines, emit, guarded

app = typer.Typer(
    help="Rehearse a failure on the running county and measure what it cost.\n\nExample: sanwang drill ring --json",
    add_completion=False,
    no_args_is_help=True,
)
Instance = Annotated[str, typer.Option(help="name of the instance")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


def _run(
    instance: str,
    as_json: bool,
    drill: Callable[[Lab, Callable[[str], None]], dict[str, Any]],
    misses: Callable[[dict[str, Any]], list[str]],
) -> int:
    def action() -> int:
        lines = Lines()
        found = drill(Lab.attach(instance or current_instance()), lines.note)
        missed = misses(found)
        if as_json:
            emit(found)
        else:
            print("\n".join(missed) if missed else "within every limit")
        return 1 if missed else 0

    return guarded(action)


@app.command()
def ring(instance: Instance = "", as_json: AsJson = False) -> int:
    """Cut every ring fibre, by carrier and silently; kill every centre router.

    Example: sanwang drill ring --json
    """
    return _run(instance, as_json, ring_drill.ring, ring_drill.misses)


@app.command()
def centre(instance: Instance = "", as_json: AsJson = False) -> int:
    """Kill the information centre whole; its services must answer from another centre.

    Example: sanwang drill centre --json
    """
    return _run(instance, as_json, centre_drill.centre, centre_drill.misses)


@app.command()
def meeting(
    halls: Annotated[int, typer.Option(min=2, max=100, help="of the load tool, over all townships")] = (
        meeting_drill.HALLS
    ),
    browsers: Annotated[int, typer.Option(min=1, max=6, help="halls with a real browser")] = meeting_drill.BROWSERS,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Many halls meet, the chair works; a ring fibre, a relay and a township are lost and come back by themselves.

    Every hall's own view of the chair's decisions is compared with an oracle. What the county has no place for (a
    township with a relay of its own) is not measured and not judged.

    Example: sanwang drill meeting --halls 20 --json
    """

    def drill(lab: Lab, tell: Callable[[str], None]) -> dict[str, Any]:
        return meeting_drill.meeting(lab, tell, halls, browsers)

    return _run(instance, as_json, drill, meeting_drill.misses)


@app.command("exit")
def exit_(instance: Instance = "", as_json: AsJson = False) -> int:
    """Close the Internet exit under running flows and open it; lose the preferred carrier.

    Example: sanwang drill exit --json
    """
    return _run(instance, as_json, exit_drill.exit_, exit_drill.misses)


@app.command()
def replace(
    host: Annotated[str, typer.Argument(help="the box that dies; default: a township's router")] = "",
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Kill a box, put an empty one in its place, make it the dead one's equal, prove the whole county.

    Example: sanwang drill replace t01-rt --json
    """
    return _run(instance, as_json, lambda lab, tell: replace_drill.drill(lab, tell, host), replace_drill.misses)


@app.command()
def restore(
    host: Annotated[str, typer.Argument(help="the one device that is spoilt; default: a router and a switch")] = "",
    seed: Annotated[int, typer.Option(help="what is spoilt; default another one each time, printed")] = -1,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Spoil a router and a switch by hand, restore them from git; put empty ones in their places, restore those.

    Example: sanwang drill restore --json
    """

    def drill(lab: Lab, tell: Callable[[str], None]) -> dict[str, Any]:
        return restore_drill.drill(lab, tell, host, seed if seed >= 0 else None)

    return _run(instance, as_json, drill, restore_drill.misses)


@app.command()
def revoke(instance: Instance = "", as_json: AsJson = False) -> int:
    """Take a remote site's VPN access away under running flows, then enrol it again.

    Example: sanwang drill revoke --json
    """
    return _run(instance, as_json, revoke_drill.revoke, revoke_drill.misses)


@app.command()
def standby(instance: Instance = "", as_json: AsJson = False) -> int:
    """Kill the management host; the standby takes over; the dead one comes back and must not act beside it.

    The county is left in the standby's hands: run it last, `sanwang down` and `up` start as before.

    Example: sanwang drill standby --json
    """
    return _run(instance, as_json, standby_drill.drill, standby_drill.misses)


@app.command(name="apply")
def apply_(
    kills: Annotated[
        int, typer.Option(min=1, max=500, help="how many times the controller or the broker is killed")
    ] = (apply_drill.KILLS),
    seed: Annotated[int, typer.Option(help="who is killed when; default another one each time, printed")] = -1,
    stage: Annotated[list[str] | None, typer.Option(help="only in this stage; may be given several times")] = None,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Kill the controller and the broker at every stage of a real change; no device may be left in between.

    The change reaches every device of every platform. The instance reads a copy of its county meanwhile, and is as it
    was at the end.

    Example: sanwang drill apply --json
    """

    def drill(lab: Lab, tell: Callable[[str], None]) -> dict[str, Any]:
        return apply_drill.drill(lab, tell, kills=kills, seed=seed if seed >= 0 else None, stages=stage or ())

    return _run(instance, as_json, drill, lambda found: apply_drill.misses(found, kills))


@app.command()
def fault(
    count: Annotated[int, typer.Option(min=1, max=500, help="how many faults")] = 20,
    seed: Annotated[int, typer.Option(help="which faults; default other ones each time, printed")] = -1,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Set random faults of every kind, one after another: is each told once, in time, with its cause and meaning?

    Example: sanwang drill fault --seed 7 --json
    """

    def drill(lab: Lab, tell: Callable[[str], None]) -> dict[str, Any]:
        return fault_drill.fault(lab, tell, count, seed if seed >= 0 else None)

    return _run(instance, as_json, drill, fault_drill.misses)


@app.command()
def watchers(
    away_s: Annotated[
        float, typer.Option(min=5, max=600, help="how long the database is away")
    ] = watchers_drill.AWAY_S,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Kill what watches, take its database away, cut fibres meanwhile: is every fault known once, nothing told twice?

    Example: sanwang drill watchers --json
    """

    def drill(lab: Lab, tell: Callable[[str], None]) -> dict[str, Any]:
        return watchers_drill.watchers(lab, tell, away_s)

    return _run(instance, as_json, drill, watchers_drill.misses)


@app.command()
def qos(instance: Instance = "", as_json: AsJson = False) -> int:
    """Fill a township's uplink from the education network; a meeting on it must not lose a packet.

    Example: sanwang drill qos --json
    """
    return _run(instance, as_json, qos_drill.qos, qos_drill.misses)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang drill")

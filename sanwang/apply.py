"""``sanwang apply``: carry an approved plan out, stage by stage; a device that loses us goes back by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from inventory.places import Places, current_instance
from provision.broker.client import BrokerClient
from provision.broker.county import County, county_folder
from provision.change import applied, journal
from provision.change.checks import NotNow
from provision.change.plan import Plan, PlanError
from provision.change.runner import CONFIRM_S, Outcome, Runner
from sanwang import cables
from sanwang.cli import run_app
from sanwang.maintenance import in_window
from sanwang.report import BAD_INPUT, Lines, emit, guarded
from store.engine import open_store

app = typer.Typer(add_completion=False)
FAILED = 1
PlanFile = Annotated[str, typer.Argument(metavar="[PLAN]", help="a saved and approved plan")]
ConfirmS = Annotated[int, typer.Option(min=20, max=3600, help="seconds until a device that lost us goes back")]
Instance = Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]


@app.command(
    epilog="examples: sanwang apply vrf.plan;  sanwang apply --resume (go on after the controller was killed);"
    "  sanwang apply vrf.plan --check"
)
def apply(
    file: PlanFile = "",
    resume: Annotated[bool, typer.Option("--resume", help="go on with a run that was cut off")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="when a stage fails, leave the stages before it")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="send nothing: only say whether it may be applied now")
    ] = False,
    confirm_s: ConfirmS = CONFIRM_S,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Apply a plan: every stage is checked, sent, checked again and confirmed; else it is taken back.

    Refused before the first line is sent, with every reason: a plan that was edited, is stale or lacks its approval, a
    device that moved, protection that is already switched, a meeting that could be cut, a way back that would be lost.

    Exit code 0: applied; 1: not now, or taken back; 2: the plan cannot be used; 3: the broker does not answer.
    """

    def work(places: Places, tell: Callable[[str], None]) -> Outcome:
        plan = _unfinished(places, file) if resume else Plan.load(_given(file))
        store = open_store(places.database)
        try:
            county = County(county_folder(places), plan.environment)
            client = BrokerClient(places.broker_socket)
            runner = Runner(plan, client, county, places, store, confirm_s=confirm_s, tell=tell)
            tell(f"plan {plan.id}: {len(plan.devices)} devices in {len(plan.stages)} stages")
            cables.plug(places, county.model, tell)
            runner.refuse(resume=resume)
            if check:
                return Outcome(plan.id, outcome="may be applied")
            with in_window(store, county.model, plan):
                outcome = runner.apply(resume=resume, keep=keep)
            if outcome.outcome == "applied":
                applied.keep(places, county.folder)
            return outcome
        finally:
            store.close()

    return run(work, "apply", instance, as_json, good=("applied", "may be applied", "rolled back"))


def run(
    work: Callable[[Places, Callable[[str], None]], Outcome],
    name: str,
    instance: str,
    as_json: bool,
    good: tuple[str, ...],
) -> int:
    """Do the work alone on the instance, tell how it went, and give the exit code."""

    def action() -> int:
        places = Places(instance or current_instance())
        lines = Lines()
        try:
            with journal.alone(places):
                outcome = work(places, lines.note)
        except PlanError as wrong:
            return _refused(name, wrong.problems, wrong.exit_code, as_json)
        except NotNow as not_now:
            return _refused(name, not_now.reasons, FAILED, as_json)
        except OSError as wrong:
            place = wrong.filename or "the journal"
            return _refused(name, (f"{place}: {wrong.strerror or wrong}; nothing was sent",), BAD_INPUT, as_json)
        for line in outcome.left:
            lines.note(f"{line} did not answer: it goes back by itself; then: sanwang {name} --resume")
        print(f"plan {outcome.plan}: {outcome.outcome} ({outcome.seconds:.1f} s)")
        if as_json:
            emit(outcome.as_json())
        return 0 if outcome.outcome in good else FAILED

    return guarded(action)


def _refused(name: str, reasons: tuple[str, ...], code: int, as_json: bool) -> int:
    for reason in reasons:
        print(f"sanwang {name}: {reason}", file=sys.stderr)
    if as_json:
        emit({"outcome": "refused", "reasons": list(reasons)})
    return code


def _given(file: str) -> Path:
    if not file:
        raise PlanError("found no plan; expected a file made by `sanwang plan --out FILE`, or --resume")
    return Path(file)


def _unfinished(places: Places, file: str) -> Plan:
    """The plan whose run was cut off."""
    if file:
        return Plan.load(file)
    open_ones = [each for each in journal.journals(places) if not each.ended]
    if not open_ones:
        raise PlanError("--resume: found no run that was cut off; expected one; nothing is to be done")
    return journal.kept_plan(places, open_ones[-1].plan_id)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang apply")

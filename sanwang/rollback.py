"""``sanwang rollback``: bring the devices of an applied plan back to what they were before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.county import County, county_folder
from provision.change import journal
from provision.change.plan import Plan, PlanError
from provision.change.runner import CONFIRM_S, Outcome, Runner
from sanwang.apply import AsJson, ConfirmS, Instance, run
from sanwang.cli import run_app
from store.engine import open_store

app = typer.Typer(add_completion=False)


@app.command(epilog="examples: sanwang rollback;  sanwang rollback vrf.plan;  sanwang rollback 3f2a9c0d11be")
def rollback(
    plan: Annotated[str, typer.Argument(metavar="[PLAN]", help="a plan's file or id; default the last applied")] = "",
    confirm_s: ConfirmS = CONFIRM_S,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Take a plan back, the last stage first: each device brings back the files that it kept when it was changed.

    No second approval is asked for: it is the way out. The county's files still say what the plan said afterwards: take
    the change back there too, or the next plan brings it again. A device that was changed again since is refused.

    Exit code 0: all devices are as before; 1: not now, or not all of them; 2: no such plan; 3: no broker.
    """

    def work(places: Places, tell: Callable[[str], None]) -> Outcome:
        found = _find(places, plan)
        store = open_store(places.database)
        try:
            county = County(county_folder(places), found.environment)
            client = BrokerClient(places.broker_socket)
            return Runner(found, client, county, places, store, confirm_s=confirm_s, tell=tell).rollback()
        finally:
            store.close()

    return run(work, "rollback", instance, as_json, good=("rolled back",))


def _find(places: Places, plan: str) -> Plan:
    applied = [each for each in journal.journals(places) if each.ended in ("applied", "kept", "")]
    if plan:
        held = next((each for each in journal.journals(places) if each.plan_id == plan), None)
        wanted = journal.kept_plan(places, plan) if held is not None else Plan.load(plan)
        if not journal.Journal(places, wanted.id).current:
            raise PlanError(f"plan {wanted.id}: found never applied here; expected one that was; see `sanwang history`")
        return wanted
    if not applied:
        raise PlanError("found no plan that was applied here; expected one; nothing is to be done")
    return journal.kept_plan(places, applied[-1].plan_id)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang rollback")

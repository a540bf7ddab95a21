"""``sanwang rehearse``: try a plan on a twin of the county, and attach what was seen to the plan."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from drills.rehearse import prepare, rehearse
from inventory.places import Places, current_instance
from provision.broker.client import operator
from provision.change.plan import Plan, PlanError
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, Lines, emit, guarded
from store.audit import record
from store.engine import open_store

app = typer.Typer(add_completion=False)


@app.command(epilog="example: sanwang rehearse vrf.plan")
def command(
    file: Annotated[str, typer.Argument(metavar="PLAN", help="a saved plan")],
    name: Annotated[str, typer.Option("--as", help="name of the twin's own instance while it lasts")] = "reh",
    instance: Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document as the last line")] = False,
) -> int:
    """Bring up a second county, carry the plan out on it, try policy and drills, attach the evidence, take it down.

    The running county is not touched. Evidence changes what approvals stand for: approve after the rehearsal.

    Exit code 0: the rehearsal was good; 1: it was not (the plan says why); 2: the plan cannot be rehearsed.
    """

    def action() -> int:
        running = Places(instance or current_instance())
        lines = Lines()
        try:
            plan = Plan.load(file)
            evidence = rehearse(plan, prepare(plan, running, name), lines.note, lines)
        except PlanError as wrong:
            for problem in wrong.problems:
                print(f"sanwang rehearse: {problem}", file=sys.stderr)
            return BAD_INPUT
        plan.with_evidence(evidence).save(file)
        store = open_store(running.database)
        try:
            with store.session() as session:
                detail = {"plan": plan.digest, "good": evidence.good, "evidence": evidence.digest, "file": file}
                record(session, operator(), "rehearse", plan.why, detail)
        finally:
            store.close()
        print(f"plan {plan.id}: rehearsed, {'good' if evidence.good else 'NOT good'}: {evidence.words}")
        if as_json:
            emit({"plan": plan.id, **asdict(evidence)})
        return 0 if evidence.good else 1

    return guarded(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang rehearse")

"""``sanwang prove``: what the rendered configurations let through, proved before anything is sent to a device."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from drills.lab import Lab
from drills.prove import send
from inventory.load import find, load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from provision.broker.county import County
from provision.change.plan import Plan, PlanError
from provision.environment import load_environment, recorded
from provision.prove.errors import ProveError
from provision.prove.planned import planned
from provision.prove.proof import Proof, prove, try_eyes
from provision.prove.query import Answer, QueryError, Witness, ask, parse
from provision.prove.world import Configs, configurations
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, Lines, emit, guarded

app = typer.Typer(add_completion=False)


@app.command(name="prove")
def prove_command(
    question: Annotated[str, typer.Argument(metavar="[QUESTION]", help='such as "edu:* -> gov:approval tcp/443"')] = "",
    everything: Annotated[bool, typer.Option("--all", help="every class of sources to every destination")] = False,
    with_packets: Annotated[
        bool, typer.Option("--packets", help="with --all: send a real packet for every region and boundary")
    ] = False,
    plant: Annotated[int, typer.Option("--plant", min=0, max=1000, help="with --all: plant so many mistakes")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="seed of the first planted mistake")] = 1,
    plan: Annotated[str, typer.Option(help="prove the bytes that this saved plan brings, and no others")] = "",
    county: Annotated[str, typer.Option(help="a folder of *.yml or a name; default: the running county's")] = "",
    environment: Annotated[str, typer.Option(help="what files are rendered for; default: as the instance says")] = "",
    instance: Annotated[str, typer.Option(help="name of the instance (for --packets)")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Prove reachability and policy over the configurations that would be sent: addresses, routes, VRFs, rules, NAT.

    A QUESTION is NETWORK[:SITE|SERVICE|KIND|*] -> NETWORK[:SITE|SERVICE|KIND|*] [tcp/PORT|udp/PORT|icmp]; internet,
    city and province are networks too. Exit code 1 when not all of it passes, or files and policy disagree.

    Example: sanwang prove "edu:* -> gov:approval tcp/443"

    Example: sanwang prove --all --plant 30 --json

    Example: sanwang prove --all --plan vrf.plan
    """

    def action() -> int:
        if bool(question) == everything:
            print("sanwang prove: expected a question or --all; sanwang prove --help shows both", file=sys.stderr)
            return BAD_INPUT
        try:
            query = parse(question) if question else None
            model, configs = _planned(plan, county, instance) if plan else _rendered(county, instance, environment)
            if query is not None:
                return _one(ask(model, configs, query), as_json)
            proof = prove(model, configs)
            lines = Lines()
            try_eyes(proof, plant, seed, lines.step)
            document = ({"plan": Plan.load(plan).digest} if plan else {}) | proof.document()
            good = proof.good
            if with_packets:
                seen = send(Lab.attach(instance or current_instance()), proof, lines.step)
                document["packets"] = seen.document()
                good = good and seen.good
            if as_json:
                emit(document)
            else:
                _show(proof, document)
            return 0 if good else 1
        except (QueryError, ProveError, PlanError) as wrong:
            print(f"sanwang prove: {wrong}", file=sys.stderr)
            return BAD_INPUT

    return guarded(action)


def _rendered(county: str, instance: str, environment: str) -> tuple[NetworkModel, Configs]:
    """What the county's files mean now."""
    model = load_model(county or _recorded(instance) or "shili")
    chosen = environment or recorded(Places(instance or current_instance()))
    return model, configurations(model, load_environment(chosen))


def _planned(plan: str, county: str, instance: str) -> tuple[NetworkModel, Configs]:
    """What a saved plan brings."""
    saved = Plan.load(plan)
    files = County(find(county or _recorded(instance or saved.instance) or saved.county), saved.environment)
    return files.model, planned(saved, files)


def _recorded(instance: str) -> str:
    """The running county's folder, "" when none runs."""
    record = Places(instance or current_instance()).lib / "county"
    return record.read_text().strip() if record.exists() else ""


def _one(answer: Answer, as_json: bool) -> int:
    if as_json:
        emit(answer.document())
    else:
        print(f"{answer.query.text}: {answer.verdict} ({answer.passing} of {answer.asked} pairs pass)")
        opened = ", ".join(answer.policy) or "no rule"
        print(f"policy: {'opens it' if answer.intended else 'does not open all of it'} ({opened})")
        for title, witness in (("passes", answer.passes), ("stops", answer.stops)):
            if witness is not None:
                _witness(title, witness)
    return 0 if answer.verdict == "all" else 1


def _witness(title: str, witness: Witness) -> None:
    print(f"\n{title}: {witness.packet}")
    for step in witness.steps:
        print(f"  {step.space:<16} {step.what}" + (f"   [{step.where}]" if step.where else ""))
    print(f"  => {witness.end}; " + ("the answer comes back" if witness.answered else "no answer"))


def _show(proof: Proof, document: dict[str, object]) -> None:
    keys = ("regions", "boundaries", "disagreements", "exits", "devices", "rules", "planted", "found", "seconds")
    for key in keys:
        value = document.get(key)
        if isinstance(value, dict):
            value = ", ".join(f"{name} {count}" for name, count in value.items() if not isinstance(count, list))
        if value is not None:
            print(f"{key:<14} {value}")
    for each in proof.checks.explain(proof.disagreements[:10]):
        print(f"\n{each.kind}: {each.source} -> {each.target}: {each.text}\n  {each.packet}")
        for step in each.steps:
            print(f"  {step.space:<16} {step.what}" + (f"   [{step.where}]" if step.where else ""))
    for finding in proof.useless:
        print(f"{finding.kind}: {finding.where}: {finding.text}" + (f" (by {finding.by})" if finding.by else ""))
    for mistake, how in proof.planted:
        if not how:
            print(f"NOT FOUND: {mistake}")
    if "packets" in document:
        print(f"packets        {document['packets']}")


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang prove")

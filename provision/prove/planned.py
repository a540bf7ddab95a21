"""The proof of a plan: the very bytes it brings, against what the county's files intend, before a line is sent.

Devices outside the plan are taken as the county's files have them; whether they are is `sanwang drift`'s question.
"""

from __future__ import annotations

from provision.broker.county import County
from provision.change.plan import Plan, PlanError, bundle_fingerprint, county_fingerprint
from provision.prove.checks import Checks, Disagreement
from provision.prove.engine import Engine
from provision.prove.errors import ProveError
from provision.prove.intent import Intent
from provision.prove.measure import Measurement
from provision.prove.world import Configs, build, deciding

SHOWN = 5
"""Differences that a refusal tells; their number is always whole."""


def planned(plan: Plan, county: County) -> Configs:
    """Every device's files once the plan is carried out, as far as they decide where packets go.

    Raises PlanError when the files rendered now are not the bytes that the plan was made, and approved, for.
    """
    if county_fingerprint(county.folder) != plan.fingerprint:
        raise PlanError(_stale(plan, "fingerprint", f"county's files in {county.folder} that have changed since"))
    for device in plan.devices:
        wanted = bundle_fingerprint((file.path, file.mode, file.text) for file in county.files(device.host))
        if wanted != device.wanted:
            raise PlanError(_stale(plan, f"{device.host}: wanted", f"files with the SHA-256 {wanted[:16]}..."))
    return {host.name: deciding(county.files(host.name)) for host in county.model.appliances()}


def _stale(plan: Plan, key: str, found: str) -> str:
    return f"plan {plan.id}: {key}: found {found}; expected the planned bytes; make the plan again with `sanwang plan`"


def unproved(plan: Plan, county: County) -> list[str]:
    """Why the county would not be as intended with the plan's bytes; [] when it would: policy as written, exactly one
    Internet exit, every device reached by the controller.  A line each, with a packet and where it was last seen.

    Raises PlanError when the plan is not for the county's files as they are.
    """
    try:
        world = build(county.model, planned(plan, county))
        checks = Checks(Measurement(Engine(world), Intent(county.model)))
        found = sorted(checks.all(), key=lambda each: each.kind != "out of reach")
    except ProveError as unreadable:
        return [f"not proved: {unreadable}"]
    words = [_word(each) for each in checks.explain(found[:SHOWN])]
    if len(found) > SHOWN:
        words.append(f"not proved: {len(found) - SHOWN} differences more: `sanwang prove --all --plan FILE` shows them")
    return words


def _word(each: Disagreement) -> str:
    """What differs, its packet, and the last hop with the line that decided."""
    end = each.steps[-1] if each.steps else None
    seen = f"; last seen at {end.space}: {end.what}" + (f" [{end.where}]" if end.where else "") if end else ""
    return f"not proved: {each.kind}: {each.source} -> {each.target}: {each.text}: {each.packet}{seen}"

"""How risky a plan is, with the reasons in words: a pure function of the plan's own facts and the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inventory.model import Link, NetworkModel, Role
from provision.change.plan import DevicePlan, Risk, Stage, Touches
from provision.change.touches import forwards
from provision.change.undo import RESTART_S, UNDO

LEVELS = ("low", "medium", "high")
LINKS_FRESH_S = 30
"""An older link state says nothing about protection now: the collector writes every few seconds."""

MANY_SITES = 10
"""A stage that could cut this many sites is of high risk."""


def risk(
    model: NetworkModel,
    devices: Sequence[DevicePlan],
    stages: Sequence[Stage],
    touches: Touches,
    was: NetworkModel | None = None,
) -> Risk:
    """The highest level that any reason gives, and all reasons, gravest first.

    ``was``: the county as it was last applied, for what a changed line was before; None when that is not known.
    """
    reasons = [*_reasons(model, devices, stages, touches), *(_rates(was, model) if was else ())]
    found = sorted(reasons, key=lambda each: -LEVELS.index(each[0]))
    if not found:
        return Risk("low", ("nothing that forwards packets is loaded again",))
    return Risk(found[0][0], tuple(f"{level}: {words}" for level, words in found))


def _reasons(
    model: NetworkModel, devices: Sequence[DevicePlan], stages: Sequence[Stage], touches: Touches
) -> Iterator[tuple[str, str]]:
    """(level, words) of everything that makes the plan risky."""
    by_hand = [device.host for device in devices if device.running]
    if by_hand:
        yield "medium", f"the running configuration of {_some(by_hand)} was changed by hand: that will be undone"
    forwarding = {device.host for device in devices if forwards(device)}
    if not forwarding:
        return
    for meeting in touches.meetings:
        if meeting.cut:
            when = f"{meeting.start[:16]}Z to {meeting.end[:16]}Z"
            yield (
                "high",
                f"meeting {meeting.id} {meeting.title} ({when}) loses {_some(meeting.cut)} should a stage fail",
            )
    if touches.links_age_s is None:
        yield "high", "the state of some fibre is not known: protection may be switched already"
    elif touches.links_age_s > LINKS_FRESH_S:
        yield "high", f"the state of the fibres is {touches.links_age_s} s old: protection may be switched already"
    for alone in touches.unprotected:
        yield "high", f"{alone.link} has no protection right now ({alone.because})"
    if model.firewall in forwarding:
        yield "high", f"{model.firewall} carries every crossing between networks and the Internet exit"
    cores = [host for host in forwarding if model.hosts[host].role is Role.CORE]
    if cores:
        yield "medium", f"centre routers change: {_some(sorted(cores))}"
    if model.vpn in forwarding:
        yield "medium", f"{model.vpn} carries every site behind the VPN"
    restarting = [f"{device.host} ({device.platform})" for device in devices if UNDO[device.platform].restart]
    if restarting:
        words = f"goes back by a restart should we be lost, and cuts its users off for up to {RESTART_S // 60} minutes"
        yield "medium", f"without an undo of its own, {words}: {_some(restarting)}"
    for stage in stages:
        if stage.sites_cut:
            level = "high" if len(stage.sites_cut) >= MANY_SITES else "medium"
            yield level, f"stage {stage.name} can cut {_some(stage.sites_cut)}"
        if stage.sites_unprotected:
            yield "low", f"stage {stage.name} can leave {len(stage.sites_unprotected)} sites on one arm"


def _rates(was: NetworkModel, model: NetworkModel) -> Iterator[tuple[str, str]]:
    """Lines whose rate changes: one that becomes slower may be full at once."""
    for link in model.links.values():
        before = was.links.get(link.name)
        if before is not None and before.rate_bps != link.rate_bps:
            words = f"{link.name} ({link.a.host} to {link.b.host}): rate {_rate(before)} -> {_rate(link)}"
            yield "low" if link.rate_bps > before.rate_bps else "medium", words


def _rate(link: Link) -> str:
    """As the county's files have it: 100M, 1G."""
    return f"{link.rate_bps // 10**9}G" if link.rate_bps % 10**9 == 0 else f"{link.rate_bps // 10**6}M"


def _some(names: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more

"""``sanwang drill exit``: the Internet exit closed under running flows and opened, and its preferred carrier lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from drills.errors import Missing
from drills.flows import Flows
from drills.lab import Lab
from drills.policy import Place
from drills.web import Conversations, Internet, user
from inventory.model import NetworkModel
from twin import faults

Progress = Callable[[str], None]
LIMITS_S = {"close_s": 3.0, "open_s": 3.0, "carrier_s": 3.0, "silent_s": 3.0, "back_s": 3.0}
WATCH_S = 6.0


def through_vpn(model: NetworkModel) -> list[tuple[Place, Place]]:
    """A pair for every kind of tunnel that comes in by a carrier: the remote site and somebody in its network."""
    pairs: dict[str, tuple[Place, Place]] = {}
    carriers = {line.carrier for line in model.exits}
    for tunnel in model.live_tunnels():
        if tunnel.kind in pairs or not carriers & set(model.sites[tunnel.site].homes):
            continue
        far = next((each for each in model.endpoints if each.site == tunnel.site and each.network != "mgmt"), None)
        near = next(
            (
                each
                for each in model.endpoints
                if far and each.network == far.network and model.sites[each.site].dual_homed
            ),
            None,
        )
        if far and near:
            ends = [Place(each.site, each.network, each.host, each.vrf, each.address) for each in (far, near)]
            pairs[tunnel.kind] = (ends[0], ends[1])
    return list(pairs.values())


def exit_(lab: Lab, progress: Progress) -> dict[str, Any]:
    """Close, watch, open, then lose the preferred carrier loudly and silently; everything is as before afterwards."""
    if not lab.model.exits:
        raise Missing("the county has no Internet exit", "write `carriers:` to run this drill")
    if lab.broker().call("exit_status")["state"] != "open":
        raise Missing("the Internet exit is closed", "open it first: sanwang exit open --why TEXT")
    place, port = user(lab.model)
    internet = Internet(lab, port)
    talk = Conversations(lab, place, internet.address)
    vpn = Flows(lab, through_vpn(lab.model))
    try:
        if not talk.talking(within_s=10) or not vpn.flowing(within_s=10):
            raise Missing(f"{place} does not reach the Internet, or the VPN does not carry", "look at: sanwang verify")
        progress(f"{place} talks to {internet.address[0]} port {port}")
        found = _close_and_open(lab, talk, vpn, progress)
        found |= _carriers(lab, talk, progress)
    finally:
        talk.close()
        internet.close()
        vpn.close()
    return found


def _close_and_open(lab: Lab, talk: Conversations, vpn: Flows, progress: Progress) -> dict[str, Any]:
    """Both switches, timed from the moment they are asked for; tunnels run meanwhile."""
    mark = vpn.mark()
    began = time.monotonic()
    lab.broker().call("exit", why="drill exit", state="closed")
    command_s = time.monotonic() - began
    try:
        time.sleep(2.0)
        close_s = max(command_s, talk.last() - began)
        silent_since_s = time.monotonic() - talk.last()
        progress(f"closed after {close_s:.2f} s; nothing was answered for {silent_since_s:.1f} s since")
    finally:
        began = time.monotonic()
        lab.broker().call("exit", why="drill exit is over", state="open")
        command_s = time.monotonic() - began
    first = talk.opened_after(began, within_s=10)
    open_s = max(command_s, first - began) if first else None
    lost = vpn.lost_ms(mark)
    progress(f"open after {open_s or 0:.2f} s; the tunnels lost {lost:.0f} ms")
    return {
        "close_s": round(close_s, 2),
        "stopped": silent_since_s > 1.0,
        "open_s": round(open_s, 2) if open_s is not None else None,
        "vpn_lost_ms": lost,
    }


def _carriers(lab: Lab, talk: Conversations, progress: Progress) -> dict[str, Any]:
    """The preferred carrier's line cut, and dead with its light on; and its return."""
    if len(lab.model.exits) < 2:
        progress("one carrier only: none is lost in this drill")
        return {"carrier_s": None, "silent_s": None, "back_s": None, "lost_carrier": None}
    preferred = lab.model.exits[0]
    link = lab.model.hosts[lab.model.firewall].port(preferred.port).link
    found: dict[str, Any] = {"lost_carrier": preferred.carrier}
    back = []
    for name, fail in (("carrier_s", faults.cut), ("silent_s", faults.silent)):
        began = time.monotonic()
        fault = fail(lab.twin, link)
        try:
            time.sleep(WATCH_S)
            found[name] = round(talk.seconds_out(began, time.monotonic()), 2)
            moved = [line["carrier"] for line in lab.broker().call("exit_status")["lines"] if line["used"]]
            progress(
                f"{link} {name.removesuffix('_s')}: {found[name]:.2f} s out, then by {', '.join(moved) or 'nobody'}"
            )
        finally:
            healed = time.monotonic()
            faults.heal(lab.twin, fault)
        time.sleep(WATCH_S)
        back.append(talk.seconds_out(healed, time.monotonic()))
    found["back_s"] = round(max(back), 2)
    progress(f"{link} healed: at most {found['back_s']:.2f} s out")
    return found


def misses(found: dict[str, Any]) -> list[str]:
    """What went over its limit, in words."""
    over = []
    for name, limit in LIMITS_S.items():
        if found[name] is None and (name == "open_s" or found["lost_carrier"]):
            over.append(f"{name}: never")
        elif found[name] is not None and found[name] > limit:
            over.append(f"{name}: {found[name]:.2f} s, limit {limit:.0f} s")
    if not found["stopped"]:
        over.append("flows to the Internet went on after the exit was closed")
    if found["vpn_lost_ms"] > 0:
        over.append(f"the tunnels of remote sites lost {found['vpn_lost_ms']:.0f} ms")
    return over

"""Doors of nodes and relays, which lie inside one network: the hosts' own rulesets keep them, no firewall sees them.

A door must open to those it is for, and stay shut to a neighbour in the same network, whose try the host's own ruleset
must count: so "shut" never means "not routed" or "nobody listens".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

from drills.lab import Lab
from drills.policy import Check, Place, users
from drills.talk import Listeners, reaches
from inventory import relays
from inventory.model import Host, NetworkModel, Role

REACH_S = 5.0
SHUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Door:
    """A TCP port of a host, somebody it is for, and a neighbour whom it is not for; ``shut`` None: there is nobody."""

    open: Check
    shut: Check | None


def doors(model: NetworkModel) -> Iterator[Door]:
    """Every door that nodes bring: their halls' pages, their relay's control, and the county's two doors for them."""
    acting = _manager(model)
    for node in relays.nodes(model):
        page = Place(node.site, "gov", node.name, "", relays.network_address(model, node, "gov"))
        mine, others = _users(model, node.site)
        if mine is not None:
            yield _door(mine, others, page, relays.NODE_PORT)
        control = _managed(node)
        stranger = next((_managed(host) for host in model.by_role(Role.SERVER) if host.management), None)
        yield _door(acting, stranger, control, relays.CONTROL_PORT)
        for port in (relays.LEAF_PORT, relays.DOOR_PORT):
            yield _door(control, stranger, acting, port)


def paths(model: NetworkModel) -> Iterator[Check]:
    """From each node's relay to the relay above it, which its streams take: echoes, for a relay answers no stranger."""
    centre = [host for host in model.by_role(Role.RELAY) if not relays.is_node(model, host)]
    for node in relays.nodes(model):
        for above in centre[:1]:
            ends = [Place(each.site, "gov", each.name, "", relays.media(model, each)[0]) for each in (node, above)]
            yield Check(ends[0], ends[1], "icmp", 0, "")
            yield Check(ends[1], ends[0], "icmp", 0, "")


async def try_doors(lab: Lab) -> list[tuple[Check, bool, str]]:
    """Each conversation: the check, whether it must work, and "" or what was wrong with it."""
    found: list[tuple[Check, bool, str]] = []
    for check in paths(lab.model):
        works = await reaches(lab, check, REACH_S)
        found.append((check, True, "" if works else "no echo between two relays"))
    async with Listeners(lab) as listeners:
        for door in doors(lab.model):
            listeners.open(door.open.target, "tcp", door.open.port)  # where the real one does not listen just now
            works = await reaches(lab, door.open, REACH_S)
            found.append((door.open, True, "" if works else "the door did not open"))
            if door.shut is not None:
                before = await asyncio.to_thread(dropped, lab, door.shut.target.host)
                through = await reaches(lab, door.shut, SHUT_S)
                counted = await asyncio.to_thread(dropped, lab, door.shut.target.host) > before
                why = "answered, and it is not for them" if through else "" if counted else "its host did not count it"
                found.append((door.shut, False, why if works or through else "its control failed"))
    return found


def dropped(lab: Lab, host: str) -> int:
    """Packets that reached the end of a host's ruleset for what comes in: nobody wanted them."""
    answer = lab.broker().call("command", host=host, text="nft -j list chain inet county input", why="verify")
    rules = [row["rule"]["expr"] for row in json.loads(answer["out"])["nftables"] if "rule" in row]
    return int(rules[-1][0]["counter"]["packets"])


def _door(wanted: Place, stranger: Place | None, target: Place, port: int) -> Door:
    return Door(
        Check(wanted, target, "tcp", port, ""),
        None if stranger is None else Check(stranger, target, "tcp", port, "", wanted),
    )


def _managed(host: Host) -> Place:
    assert host.management is not None
    return Place(host.site, "mgmt", host.name, host.management_vrf, host.management)


def _manager(model: NetworkModel) -> Place:
    return _managed(model.hosts[model.nms])


def _users(model: NetworkModel, site: str) -> tuple[Place | None, Place | None]:
    """A user of gov at a site, and one of another site: (None, ...) where there is none."""
    everyone = users(model).get("gov", ())
    mine = next((place for place in everyone if place.site == site), None)
    return mine, next((place for place in everyone if place.site != site), None)

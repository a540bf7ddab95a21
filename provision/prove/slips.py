"""Mistakes that people make on a vendor's switch, planted into its rendered configuration in its own words."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from inventory.model import Host
from provision.prove import sets
from provision.prove.filter import Hits
from provision.prove.switch import RUNNING, SSH, Switch
from provision.prove.world import World

Edited = tuple[str, str, int, str, str, str]
"""Host, path, line, the line before and after, and the file's new text."""

_OPENED = "no shutdown"


def _chosen(world: World, dice: random.Random) -> tuple[Host, Switch, list[str]]:
    """A switch, the platform first, so that every vendor has its turn."""
    hosts = [world.model.hosts[name] for name in sorted(world.switches)]
    platform = dice.choice(sorted({host.platform for host in hosts}))
    host = dice.choice([each for each in hosts if each.platform == platform])
    return host, world.switches[host.name], world.configs[host.name][RUNNING].split("\n")


def _done(host: Host, lines: list[str], line: int, after: list[str]) -> Edited:
    """The line exchanged for none, one or several."""
    before = lines[line - 1]
    text = "\n".join([*lines[: line - 1], *after, *lines[line:]])
    return host.name, RUNNING, line, before.strip(), " / ".join(each.strip() for each in after), text


def _vlan(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """A port with a cable in another network's VLAN."""
    host, box, lines = _chosen(world, dice)
    port = box.ports[dice.choice(host.ports).label]
    other = dice.choice(sorted(set(box.vlans) - {port.vlan}))
    after = re.sub(r"\d+$", str(other), lines[port.vlan_line - 1])
    return _done(host, lines, port.vlan_line, [after])


def _shut(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """A port with a cable shut."""
    host, box, lines = _chosen(world, dice)
    port = box.ports[dice.choice(host.ports).label]
    if port.shut_line and lines[port.shut_line - 1].strip() == _OPENED:
        return _done(host, lines, port.shut_line, [])
    return _done(host, lines, port.line, [lines[port.line - 1], " shutdown"])


def _missing(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """A VLAN that was never made."""
    host, box, lines = _chosen(world, dice)
    number = dice.choice(sorted(box.vlans))
    kept = list(lines)
    for line in sorted(box.vlans[number], reverse=True):
        words = kept[line - 1].split()
        if words[:2] == ["vlan", "batch"]:
            kept[line - 1] = " ".join(word for word in words if word != str(number))
            continue
        depth = len(kept[line - 1]) - len(kept[line - 1].lstrip())
        end = line
        while end < len(kept) and len(kept[end]) - len(kept[end].lstrip()) > depth:
            end += 1
        end += kept[end].strip() == "$"
        del kept[line - 1 : end]
    line = box.vlans[number][0]
    return host.name, RUNNING, line, f"vlan {number}", "", "\n".join(kept)


def _login(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """Another address than the controller's let in."""
    host, box, lines = _chosen(world, dice)
    controller = world.model.hosts[world.model.nms].management
    assert controller is not None
    allowed = sets.of_address(controller)
    entry = next(each for each in box.lists[box.guards[SSH][1]] if each.permit and each.source == allowed)
    after = lines[entry.line - 1].replace(str(controller), str(controller + dice.randint(20, 99)))
    return _done(host, lines, entry.line, [after])


def _gateway(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """A way back that is nobody."""
    host, box, lines = _chosen(world, dice)
    way = dice.choice(box.ways)
    after = lines[way.line - 1].replace(str(way.via), str(way.via + dice.randint(100, 200)))
    return _done(host, lines, way.line, [after])


SLIPS: dict[str, Callable[[World, Hits, random.Random], Edited | None]] = {
    "switch vlan": _vlan, "switch port shut": _shut, "switch vlan missing": _missing, "switch login": _login,
    "switch gateway": _gateway,
}  # fmt: skip
"""Kind -> how it is made."""

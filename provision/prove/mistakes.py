"""Mistakes planted into rendered files, to test the proof's own eyes: each is one that people make.

A rule dropped, swapped with another, or widened; a route sent elsewhere; one network's line put into another's VRF.
Only lines that some packet of the county meets are touched: a dead line dropped changes nothing.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from provision.prove.filter import Hits
from provision.prove.slips import SLIPS, Edited
from provision.prove.world import FRR, NETWORK, Configs, World

# Doors of the machinery itself, which no user of the county knocks at.
_IRRELEVANT = re.compile(
    r'icmp|iifname "(lo|stg0)"|dport (862|123|9810|9820|443|444|3478) accept|dport \{ (162|500|514), |vrrp|invalid'
)
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Mistake:
    """One planted mistake."""

    kind: str
    seed: int
    host: str
    path: str
    line: int  # 0: several lines of the file
    before: str
    after: str

    def document(self) -> dict[str, Any]:
        """For JSON."""
        where = f"{self.host}:{self.path}" + (f":{self.line}" if self.line else "")
        return {"kind": self.kind, "seed": self.seed, "where": where, "before": self.before, "after": self.after}


def plant(world: World, hits: Hits, seed: int) -> tuple[Mistake, Configs]:
    """One mistake, the same for the same seed; every kind has its turn."""
    dice = random.Random(seed)
    kinds = _KINDS | (SLIPS if world.switches else {})
    kind = list(kinds)[seed % len(kinds)]
    for _ in range(_TRIES):
        edited = kinds[kind](world, hits, dice)
        if edited is not None and edited[5] != world.configs[edited[0]][edited[1]]:
            host, path, line, before, after, text = edited
            configs = {**world.configs, host: {**world.configs[host], path: text}}
            return Mistake(kind, seed, host, path, line, before, after), configs
    raise ValueError(f"no place for a mistake of kind {kind}")


def _lines(world: World, hits: Hits, wanted: str) -> Iterator[tuple[str, str, int, str]]:
    """(host, path, line, text) of rules that packets met and that match a pattern."""
    for where in sorted(hits):
        host, path, number = where.rsplit(":", 2)
        text = world.configs[host][path].split("\n")[int(number) - 1]
        if re.search(wanted, text) and not _IRRELEVANT.search(text):
            yield host, path, int(number), text


def _replaced(world: World, host: str, path: str, line: int, after: str | None) -> str:
    lines = world.configs[host][path].split("\n")
    lines[line - 1 : line] = [] if after is None else [after]
    return "\n".join(lines)


def _choose(
    world: World, hits: Hits, dice: random.Random, wanted: str, at: str = ""
) -> tuple[str, str, int, str] | None:
    """A line of a host chosen first, so that hosts with few rules have their turn too."""
    found: dict[str, list[tuple[str, str, int, str]]] = {}
    for each in _lines(world, hits, wanted):
        if at in ("", each[0]):
            found.setdefault(each[0], []).append(each)
    if not found:
        return None
    firewall = world.model.firewall
    host = firewall if firewall in found and dice.random() < 0.5 else dice.choice(sorted(found))
    return dice.choice(found[host])


def _dropped(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    found = _choose(world, hits, dice, r"accept|masquerade|[sd]nat|spoof-.* drop")
    if found is None:
        return None
    host, path, line, text = found
    return host, path, line, text.strip(), "", _replaced(world, host, path, line, None)


def _swapped(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """A rule behind the one that refuses its packets, or its two sides exchanged."""
    found = _choose(world, hits, dice, r"iifname .*oifname .*accept", world.model.firewall)
    if found is None:
        return None
    host, path, line, text = found
    lines = world.configs[host][path].split("\n")
    if dice.random() < 0.5:
        after = text.replace("iifname", "@").replace("oifname", "iifname").replace("@", "oifname")
        return host, path, line, text.strip(), after.strip(), _replaced(world, host, path, line, after)
    ports = re.search(r"iifname (\{.*?\})", text)
    other = next(
        (number for number, each in enumerate(lines) if ports and each.strip().startswith(f"iifname {ports[1]} jump")),
        None,
    )
    if other is None:
        return None
    before = lines[other].strip()
    lines[line - 1], lines[other] = lines[other], lines[line - 1]
    return host, path, line, text.strip(), before, "\n".join(lines)


def _widened(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """A condition forgotten, or a prefix too short."""
    wanted = r"(daddr|saddr|dport).*accept|spoof-.* drop"
    found = _choose(world, hits, dice, wanted)
    if found is None:
        return None
    host, path, line, text = found
    if "spoof-" in text:
        after = re.sub(r"saddr (!= )?\{.*?\}", "saddr 192.0.2.1", text)
    elif host == world.model.firewall:
        pattern = dice.choice([r"ip daddr \{.*?\} ", r"(tcp|udp) dport \{.*?\} "])
        after = re.sub(pattern, "", text)
    elif re.search(rf"saddr (\{{ .*\b)?{world.model.hosts[world.model.nms].management}\b", text):
        after = re.sub(r"ip saddr (\{.*?\}|\S+) ", "", text)
    elif re.search(r"ip daddr \S+ tcp dport \d+ accept", text):
        after = re.sub(r"tcp dport \d+ ", "", text)
    else:
        return None
    return host, path, line, text.strip(), after.strip(), _replaced(world, host, path, line, after)


def _route(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """A next hop that is somebody else."""
    if dice.random() < 0.6:
        host = dice.choice(sorted(world.routing))
        lines = world.configs[host][FRR].split("\n")
        places = [number for number, each in enumerate(lines) if each.startswith(" ip route ")]
        if not places:
            return None
        place = dice.choice(places)
        words = lines[place].split()
        others = sorted({lines[each].split()[3] for each in places} - {words[3]} | {"100.64.7.254"})
        after = lines[place].replace(f" {words[3]}", f" {dice.choice(others)}", 1)
        return host, FRR, place + 1, lines[place].strip(), after.strip(), _replaced(world, host, FRR, place + 1, after)
    host = dice.choice([world.model.firewall, *([world.model.vpn] if world.model.vpn else [])])
    document = json.loads(world.configs[host][NETWORK])
    routes = document["namespaces"][""]["routes"]
    # A spare line's routes decide nothing while the first one stands.
    used = [row for row in routes if "via" in row and row.get("metric", "10") == "10" and int(_number(row)) < 1100]
    row = dice.choice(used)
    before = dict(row)
    others = sorted({other["via"] for other in routes if "via" in other} - {row["via"]})
    row["via"] = dice.choice(others)
    return host, NETWORK, 0, json.dumps(before), json.dumps(row), _dump(document)


def _number(row: dict[str, str]) -> str:
    return row["table"] if row["table"].isdigit() else "0"


def _leak(world: World, hits: Hits, dice: random.Random) -> Edited | None:
    """Two networks' ports, or overlays, exchanged on one router."""
    host = dice.choice(sorted(world.routing))
    document = json.loads(world.configs[host][NETWORK])
    spaces = {name: space["links"] for name, space in document["namespaces"].items() if name}
    if len(spaces) < 2:
        return None
    one, other = dice.sample(sorted(spaces), 2)
    pairs = [(f"vx-{one}", f"vx-{other}"), (f"lan-{one}", f"lan-{other}")]
    if dice.random() < 0.5:
        ports = [name for name, link in spaces[one].items() if link["kind"] == "port" and link["addresses"]]
        if ports:
            port = dice.choice(sorted(ports))
            spaces[other][port] = spaces[one].pop(port)
            return host, NETWORK, 0, f"{port} in VRF {one}", f"{port} in VRF {other}", _dump(document)
    first, second = dice.choice(pairs)
    if first not in spaces[one] or second not in spaces[other]:
        return None
    if first.startswith("vx-"):
        spaces[one][first], spaces[other][second] = spaces[other][second], spaces[one][first]
    else:
        mine = [link for link in spaces[one].values() if link.get("master") == first]
        theirs = [link for link in spaces[other].values() if link.get("master") == second]
        if not mine or not theirs:
            return None
        name = dice.choice([each for each, link in spaces[one].items() if link.get("master") == first])
        spaces[other][name] = spaces[one].pop(name) | {"master": second}
        return host, NETWORK, 0, f"{name} in {first}", f"{name} in {second}", _dump(document)
    return host, NETWORK, 0, f"{first} in VRF {one}", f"{first} in VRF {other}", _dump(document)


def _dump(document: Any) -> str:
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


_KINDS: dict[str, Callable[[World, Hits, random.Random], Edited | None]] = {
    "dropped": _dropped, "swapped": _swapped, "widened": _widened, "route": _route, "leak": _leak,
}  # fmt: skip

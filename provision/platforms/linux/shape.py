"""Shaping of this appliance's ports: HTB classes by priority, read back and compared like everything else.

Shape of a link's ``shape`` in network.json, rates in bit/s, classes by the minor number of their HTB class::

    {"rate_bps": 95000000, "default": "50", "classes": {
        "10": {"parent": "1", "prio": 0, "rate_bps": 4750000, "ceil_bps": 95000000, "queue": "pfifo", "limit": 100}}}

A class without a queue has classes below it.  A packet's class is its ``skb->priority``, which the ruleset sets from
its DSCP or its address.  Each class is sure of its own rate and borrows what others leave up to its ceiling, the
highest priority first, equals in turns.  Standard library only: it runs on the device.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_CLASS = re.compile(r"class htb 1:(\w+) (?:root|parent 1:(\w+)) .*?rate (\d+)([KMG]?)bit ceil (\d+)([KMG]?)bit")
_PRIO = re.compile(r"prio (\d+)")
QUANTUM_BYTES = 66000  # of one turn among equals: no less than the largest packet the kernel hands on in one piece


def read(qdiscs: list[dict[str, Any]], device: str, classes: str) -> dict[str, Any]:
    """The shape of a device from ``tc -j qdisc show`` and ``tc class show dev``; {} when it has none."""
    mine = [each for each in qdiscs if each.get("dev") == device]
    root = next((each for each in mine if each.get("root")), None)
    if root is None or root["handle"] == "0:":
        return {}  # what the kernel puts there by itself
    if root["kind"] != "htb" or root["handle"] != "1:":
        return {"kind": root["kind"]}  # somebody else's: it is replaced
    found: dict[str, Any] = {
        "rate_bps": 0,
        "default": root.get("options", {}).get("default", "0x0").removeprefix("0x"),
        "classes": {},
    }
    leaves = {each.get("parent", ""): each for each in mine if not each.get("root")}
    for match in filter(None, map(_CLASS.match, classes.splitlines())):
        rate, ceil = int(match[3]) * _UNITS[match[4]], int(match[5]) * _UNITS[match[6]]
        if match[1] == "1":
            found["rate_bps"] = rate
            continue
        leaf = leaves.get(f"1:{match[1]}", {"kind": ""})
        prio = _PRIO.search(match.string)
        found["classes"][match[1]] = {
            "parent": match[2] or "",
            "prio": int(prio[1]) if prio else 0,
            "rate_bps": rate,
            "ceil_bps": ceil,
            "queue": leaf["kind"],
            "limit": leaf.get("options", {}).get("limit", 0),
        }
    return found


def lines(device: str, want: dict[str, Any], have: dict[str, Any]) -> list[str]:
    """``tc -batch`` lines that bring a device from one shape to another; its queues are made anew."""
    done = [f"qdisc del dev {device} root"] if have else []
    if not want:
        return done
    rate = want["rate_bps"]
    quantum = f"quantum {QUANTUM_BYTES}"
    done.append(f"qdisc add dev {device} root handle 1: htb default {want['default']}")
    done.append(f"class add dev {device} parent 1: classid 1:1 htb rate {rate}bit ceil {rate}bit {quantum}")
    for number, row in sorted(want["classes"].items(), key=lambda item: (item[1]["queue"] != "", item[0])):
        settings = f"prio {row['prio']} rate {row['rate_bps']}bit ceil {row['ceil_bps']}bit {quantum}"
        done.append(f"class add dev {device} parent 1:{row['parent']} classid 1:{number} htb {settings}")
        if not row["queue"]:
            continue
        limit = f" limit {row['limit']}" if row["limit"] else ""
        done.append(f"qdisc add dev {device} parent 1:{number} handle {number}: {row['queue']}{limit}")
    return done

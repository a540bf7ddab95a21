"""Make the running network what network.json wants: only the differences, in an order that never opens a hole.

Standard library only: it runs on the device, beside ``network.py``.
"""

from __future__ import annotations

import os

from provision.platforms.linux import network, shape
from provision.platforms.linux.network import PROTOCOL, desired, enter, existing, read
from provision.platforms.linux.spawn import DeviceError, run

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any

_VXLAN_PORT = 4789


def apply(wanted: dict[str, Any]) -> list[str]:
    """Bring every namespace to its wanted state; returns what was done, one line each."""
    done = make_vrfs(wanted)
    spaces: dict[str, Any] = wanted["namespaces"]
    done += _retire(spaces)
    done += _move_ports(spaces)
    for name in ["", *(each for each in spaces if each)]:
        found = read(name, spaces[name])
        done += _namespace(name, desired(spaces[name], found), found)
    return done


def make_vrfs(wanted: dict[str, Any]) -> list[str]:
    """Make the VRFs that are missing: empty, without ports, not forwarding."""
    done = []
    for name in wanted["namespaces"]:
        if name and name not in existing():
            run(["ip", "netns", "add", name])
            enter(name)
            with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
                file.write("0")
            enter("")
            run(["ip", "-n", name, "link", "set", "dev", "lo", "up"])
            done.append(f"vrf {name} made")
    return done


def forward(wanted: dict[str, Any], on: bool) -> None:
    """Switch forwarding of every namespace that forwards; on only once its ruleset stands."""
    for name, space in wanted["namespaces"].items():
        if name and name not in existing():
            continue
        value = "1" if on and space.get("forward") else "0"
        enter(name)
        with open("/proc/sys/net/ipv4/ip_forward", "r+", encoding="ascii") as file:
            if file.read().strip() != value:
                file.seek(0)
                file.write(value)
        enter("")


def _retire(spaces: dict[str, Any]) -> list[str]:
    """Remove VRFs that are no longer wanted; their ports come back to the device first."""
    done = []
    for name in existing():
        if name in spaces:
            continue
        for device in read(name, {})["links"]:
            if network._is_port(device):
                run(["ip", "-n", name, "link", "set", "dev", device, "netns", "1"])
        run(["ip", "netns", "del", name])
        done.append(f"vrf {name} removed")
    return done


def _move_ports(spaces: dict[str, Any]) -> list[str]:
    """Put every port into the namespace of its VRF."""
    home = {
        device: name
        for name, space in spaces.items()
        for device, link in space.get("links", {}).items()
        if link["kind"] == "port"
    }
    done = []
    for name in ["", *existing()]:
        for device in _devices(name):
            goal = home.get(device, "")
            if network._is_port(device) and goal != name:
                target = goal or "1"
                run([*(["ip", "-n", name] if name else ["ip"]), "link", "set", "dev", device, "netns", target])
                done.append(f"{device} moved to {goal or 'the device'}")
    return done


def _devices(name: str) -> list[str]:
    enter(name)
    with open("/proc/net/dev", encoding="ascii") as file:
        found = [line.split(":")[0].strip() for line in file.readlines()[2:]]
    enter("")
    return found


def _namespace(name: str, goal: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Bring one namespace to its goal."""
    outside: list[str] = []  # in the underlay's namespace: a VXLAN keeps its socket where it was made
    inside: list[str] = []
    bridge: list[str] = []
    queues: list[str] = []
    _sysctl(name, goal["sysctl"], found["sysctl"])
    for device in sorted(found["links"]):
        want, have = goal["links"].get(device), found["links"][device]
        if want is None and have["kind"] == "port":
            if have["up"] or have["addresses"] or have["master"]:
                inside += [f"link set dev {device} nomaster down", f"address flush dev {device}"]
        elif want is None or _remade(want, have):
            if have["kind"] == "tunnel":
                continue  # its daemon's
            inside.append(f"link del dev {device}")
            found["links"][device] = None
    for device, want in sorted(goal["links"].items(), key=lambda item: item[1]["kind"] != "bridge"):
        have = found["links"].get(device)
        if have is None:
            have = _make(name, device, want, outside, inside)
        _settings(device, want, have, inside)
        if want.get("shape", {}) != have.get("shape", {}):
            queues += shape.lines(device, want.get("shape", {}), have.get("shape", {}))
        if want["kind"] == "vxlan":
            _overlay(device, want, have, inside, bridge)
    for row in found["rules"]:
        if row not in goal["rules"]:
            inside.append(f"rule del {_rule_text(row)}")
    for row in found["routes"]:
        if row not in goal["routes"]:
            inside.append(f"route del {_route_text(row)}")
    inside += [
        f"route replace {_route_text(row)} proto {PROTOCOL}" for row in goal["routes"] if row not in found["routes"]
    ]
    inside += [f"rule add {_rule_text(row)}" for row in goal["rules"] if row not in found["rules"]]
    for where, tool, lines in (
        ("", "ip", outside),
        (name, "ip", inside),
        (name, "bridge", bridge),
        (name, "tc", queues),
    ):
        if lines:
            run([tool, *(["-n", where] if where else []), "-batch", "-"], "\n".join(lines) + "\n")
    prefix = f"vrf {name}: " if name else ""
    return [prefix + line for line in (*outside, *inside, *bridge, *queues)]


def _remade(want: dict[str, Any], have: dict[str, Any]) -> bool:
    """True when a link cannot be changed into what is wanted."""
    if want["kind"] != have["kind"]:
        return True
    return want["kind"] == "vxlan" and any(want[key] != have[key] for key in ("id", "local", "learning"))


def _make(name: str, device: str, want: dict[str, Any], outside: list[str], inside: list[str]) -> dict[str, Any]:
    """Lines that make a link; returns it as it is then."""
    made: dict[str, Any] = {
        "addresses": [],
        "master": "",
        "mtu": 1500,
        "up": False,
        "fdb": [],
        "neighbours": [],
        "mac": want.get("mac"),
    }
    if want["kind"] == "bridge":
        # The bridge takes no part in anybody's spanning tree and forwards every multicast: keepalived needs it.
        inside.append(f"link add name {device} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
    elif want["kind"] == "dummy":
        inside.append(f"link add name {device} type ifb")  # carries an address as a dummy does, and is in more kernels
    elif want["kind"] == "vxlan":
        learning = "learning" if want["learning"] else "nolearning"
        outside.append(
            f"link add name {device} address {want['mac']} mtu {want['mtu']} type vxlan id {want['id']} "
            f"local {want['local']} dstport {_VXLAN_PORT} ttl 64 tos {want['tos']} {learning}"
        )
        if name:
            outside.append(f"link set dev {device} netns {name}")
        made |= {"mtu": want["mtu"], "tos": want["tos"]}
    elif want["kind"] == "port":
        raise DeviceError(f"port {device} is not there: is the cable's module in place?")
    return made


def _settings(device: str, want: dict[str, Any], have: dict[str, Any], lines: list[str]) -> None:
    """MTU, master, MAC, addresses, and up as the last."""
    if want.get("mac") != have.get("mac") and want.get("mac"):
        lines.append(f"link set dev {device} address {want['mac']}")
    if want.get("mtu", have.get("mtu")) != have.get("mtu"):
        lines.append(f"link set dev {device} mtu {want['mtu']}")
    if want.get("master", "") != have.get("master", ""):
        lines.append(f"link set dev {device} " + (f"master {want['master']}" if want["master"] else "nomaster"))
    if want.get("tos", have.get("tos")) != have.get("tos"):
        lines.append(f"link set dev {device} type vxlan tos {want['tos']}")
    lines += [f"address del {each} dev {device}" for each in have["addresses"] if each not in want["addresses"]]
    lines += [f"address add {each} dev {device}" for each in want["addresses"] if each not in have["addresses"]]
    if want["up"] != have["up"]:
        lines.append(f"link set dev {device} {'up' if want['up'] else 'down'}")


def _overlay(device: str, want: dict[str, Any], have: dict[str, Any], lines: list[str], bridge: list[str]) -> None:
    """Static forwarding entries and neighbours of a VXLAN device."""
    bridge += [f"fdb del {mac} dev {device} dst {vtep}" for mac, vtep in have["fdb"] if [mac, vtep] not in want["fdb"]]
    bridge += [
        f"fdb append {mac} dev {device} dst {vtep}" for mac, vtep in want["fdb"] if [mac, vtep] not in have["fdb"]
    ]
    kept = {address for address, _ in want["neighbours"]}
    lines += [f"neighbour del {address} dev {device}" for address, _ in have["neighbours"] if address not in kept]
    lines += [
        f"neighbour replace {address} lladdr {mac} dev {device} nud permanent"
        for address, mac in want["neighbours"]
        if [address, mac] not in have["neighbours"]
    ]


def _route_text(row: dict[str, str]) -> str:
    return " ".join(
        [row["prefix"], *(f"{key} {row[key]}" for key in ("via", "dev", "src", "metric", "table") if row.get(key))]
    )


def _rule_text(row: dict[str, str]) -> str:
    return " ".join(f"{key} {row[key]}" for key in ("priority", "iif", "from", "fwmark", "table") if key in row)


def _sysctl(name: str, goal: dict[str, str], found: dict[str, str]) -> None:
    enter(name)
    for key, value in goal.items():
        if found.get(key) != value and os.path.exists(f"/proc/sys/{key}"):
            with open(f"/proc/sys/{key}", "w", encoding="ascii") as file:
                file.write(value)
    enter("")

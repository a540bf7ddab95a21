"""Links, addresses, overlays and routes of this appliance, as /etc/sanwang/network.json wants them.

Dump, diff, apply: ``read`` turns the running state into the same shape as the wanted one, ``apply`` changes only what
differs, and removes what is ours and no longer wanted.  Standard library only: it runs on the device.

Shape of network.json::

    {"namespaces": {"": {...}, "gov": {
        "sysctl": {"net/ipv4/conf/all/rp_filter": "0"}, "forward": true,
        "links": {"p12": {"kind": "port", "mtu": 1500, "master": "lan-gov", "addresses": [], "shape": {...}},
                  "vx-gov": {"kind": "vxlan", "id": 1001, "local": "172.16.0.11", "mac": "02:...", "learning": false,
                             "tos": "inherit",
                             "fdb": [["02:...", "172.17.1.2"]], "neighbours": [["100.64.255.254", "02:..."]], ...}},
        "routes": [{"prefix": "0.0.0.0/0", "via": "10.8.1.1", "table": "main"}],
        "rules": [{"priority": 1001, "iif": "wg0", "from": "10.8.0.0/13", "table": "1001"}]}}}
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator

from provision.platforms.linux import shape
from provision.platforms.linux.spawn import run

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any

PATH = "/etc/sanwang/network.json"
PROTOCOL = "153"  # marks our own routes in the kernel's table; no routing daemon has this number
_OURS = ("lan-", "svc-", "vx-", "vc-", "vs-", "any")
_CLONE_NEWNET = 0x40000000
_FOREIGN_RULES = {0, 32766, 32767, 40000}  # the kernel's and strongSwan's
_libc = ctypes.CDLL(None, use_errno=True)


def namespace_path(name: str) -> str:
    """The file that names a VRF's network namespace; "" is the device's own."""
    return f"/run/netns/{name}" if name else "/proc/1/ns/net"


def enter(name: str) -> None:
    """Move this process into a VRF's network namespace; OSError when there is none."""
    handle = os.open(namespace_path(name), os.O_RDONLY)
    try:
        if _libc.setns(handle, _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, f"namespace {name!r}: {os.strerror(code)}")
    finally:
        os.close(handle)


def existing() -> list[str]:
    """The VRFs that are there."""
    try:
        return sorted(os.listdir("/run/netns"))
    except FileNotFoundError:
        return []


def load(path: str = PATH) -> dict[str, Any]:
    """The wanted state; an empty one when nothing was ever applied."""
    try:
        with open(path, encoding="utf-8") as file:
            wanted: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return {"namespaces": {"": {}}}
    return wanted


def _documents(text: str) -> Iterator[Any]:
    """The JSON documents that ``ip -j -batch`` prints one after another; an empty list is printed as nothing or []."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        document, place = decoder.raw_decode(text, place)
        yield document


def _in(name: str, tool: str) -> list[str]:
    return [tool, "-n", name] if name else [tool]


def read(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """The running state of one namespace in the shape of ``wanted``; only what is ours, or stands where ours should."""
    enter("")
    shown = "address show\nroute show table all\nneighbour show nud permanent\nrule show\n"
    # Each document says what it is by its keys: an empty table prints an empty list.
    links: dict[str, Any] = {}
    routes: list[Any] = []
    neighbours: dict[str, list[list[str]]] = {}
    rules: list[Any] = []
    for document in _documents(run([*_in(name, "ip"), "-4", "-j", "-d", "-batch", "-"], "link show\n" + shown)):
        for row in document:
            if "ifname" in row:
                links.setdefault(row["ifname"], {}).update(row)
            elif "lladdr" in row:
                neighbours.setdefault(row["dev"], []).append([row["dst"], row["lladdr"]])
            elif "priority" in row and "src" in row and "dst" not in row:
                rules.append(row)
            elif "dst" in row:
                routes.append(row)
    forwarding: dict[str, list[list[str]]] = {}
    if any(link.get("linkinfo", {}).get("info_kind") == "vxlan" for link in links.values()):
        for row in json.loads(run([*_in(name, "bridge"), "-j", "fdb", "show"]) or "[]"):
            if "dst" in row and row.get("state") in ("permanent", "static"):
                forwarding.setdefault(row["ifname"], []).append([row["mac"], row["dst"]])
    shapes = _shapes(name, links)
    found: dict[str, Any] = {}
    for device, row in links.items():
        if device in wanted.get("links", {}) or device.startswith(_OURS) or _is_port(device):
            found[device] = _link(row, forwarding.get(device, []), neighbours.get(device, []))
            floating = wanted.get("links", {}).get(device, {}).get("floating", [])  # VRRP's to put and take
            found[device]["addresses"] = [each for each in found[device]["addresses"] if each not in floating]
            if _is_port(device):
                found[device]["shape"] = shapes.get(device, {})
    return {
        "links": found,
        "routes": sorted(filter(None, map(_route, routes)), key=_key),
        "rules": sorted(filter(None, map(_rule, rules)), key=_key),
        "sysctl": _sysctls(name, wanted),
    }


def _shapes(name: str, links: dict[str, Any]) -> dict[str, Any]:
    """Device -> its shape, of every port that has a queue; nothing is asked where none has."""
    queued = {device: row["qdisc"] for device, row in links.items() if _is_port(device) and "qdisc" in row}
    queued = {device: kind for device, kind in queued.items() if kind not in ("noqueue", "noop")}
    if not queued:
        return {}
    tool = _in(name, "tc")
    qdiscs = json.loads(run([*tool, "-j", "qdisc", "show"]) or "[]")
    classes = {
        device: run([*tool, "class", "show", "dev", device]) if kind == "htb" else "" for device, kind in queued.items()
    }
    return {device: shape.read(qdiscs, device, classes[device]) for device in queued}


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _is_port(device: str) -> bool:
    return device[:1] == "p" and device[1:].isdigit()


def _link(row: dict[str, Any], fdb: list[list[str]], neighbours: list[list[str]]) -> dict[str, Any]:
    """One link as ``ip -j -d`` shows it, in our shape."""
    info = row.get("linkinfo", {})
    kind, data = info.get("info_kind", ""), info.get("info_data", {})
    own = [each for each in row.get("addr_info", []) if each.get("family") == "inet" and each["local"][:4] != "127."]
    found: dict[str, Any] = {
        "addresses": sorted(f"{each['local']}/{each['prefixlen']}" for each in own),
        "master": row.get("master", ""),
        "mtu": row["mtu"],
        "up": "UP" in row["flags"],
    }
    if row["ifname"] == "lo":
        return {"kind": "loopback", "addresses": found["addresses"], "up": found["up"]}
    if _is_port(row["ifname"]):
        found["kind"] = "port"
    elif kind == "vxlan":
        found |= {"kind": kind, "id": data["id"], "local": data.get("local", ""), "mac": row["address"]}
        found["tos"] = "inherit" if data.get("tos") == "0x1" else "0"
        found |= {"learning": bool(data.get("learning")), "fdb": sorted(fdb), "neighbours": sorted(neighbours)}
    else:
        found["kind"] = {"tun": "tunnel", "wireguard": "tunnel", "ifb": "dummy"}.get(kind, kind)
    return found


def _route(row: dict[str, Any]) -> dict[str, str] | None:
    """A route that is ours or that somebody wrote by hand; None for the kernel's and the routing daemons'."""
    if row.get("protocol") not in (PROTOCOL, "boot"):
        return None
    prefix = "0.0.0.0/0" if row["dst"] == "default" else row["dst"]
    found = {"prefix": prefix if "/" in prefix else prefix + "/32", "table": str(row.get("table", "main"))}
    found |= {"via": row["gateway"]} if "gateway" in row else {"dev": row.get("dev", "")}
    if "prefsrc" in row:
        found["src"] = row["prefsrc"]
    if row.get("metric"):
        found["metric"] = str(row["metric"])
    return found


def _rule(row: dict[str, Any]) -> dict[str, str] | None:
    if row["priority"] in _FOREIGN_RULES:
        return None
    found = {"priority": str(row["priority"]), "table": str(row.get("table", ""))}
    if row["src"] != "all":
        found["from"] = f"{row['src']}/{row.get('srclen', 32)}"
    if "iif" in row:
        found["iif"] = row["iif"]
    if "fwmark" in row:
        found["fwmark"] = str(int(row["fwmark"], 16))
    return found


def _sysctls(name: str, wanted: dict[str, Any]) -> dict[str, str]:
    enter(name)
    found = {}
    for key in wanted.get("sysctl", {}):
        try:
            with open(f"/proc/sys/{key}", encoding="ascii") as file:
                found[key] = file.read().strip()
        except FileNotFoundError:
            found[key] = ""
    enter("")
    return found


def raised(link: dict[str, Any]) -> bool:
    """Whether a link should be up by now: one with ``when`` waits for that file."""
    return "when" not in link or os.path.exists(link["when"])


def desired(namespace: dict[str, Any], running: dict[str, Any]) -> dict[str, Any]:
    """The wanted namespace in the shape that ``read`` gives; a tunnel that its daemon has not made yet is left out."""
    links = {}
    for device, link in namespace.get("links", {}).items():
        if link["kind"] == "tunnel" and device not in running["links"]:
            continue
        whole = {"addresses": sorted(link.get("addresses", [])), "kind": link["kind"], "up": raised(link)}
        if link["kind"] != "loopback":
            whole |= {"master": link.get("master", ""), "mtu": link["mtu"]}
        if link["kind"] == "vxlan":
            whole |= {key: link[key] for key in ("id", "local", "mac", "learning", "tos")}
            whole |= {"fdb": sorted(link["fdb"]), "neighbours": sorted(link["neighbours"])}
        if link["kind"] == "port":
            whole["shape"] = link.get("shape", {})
        links[device] = whole
    missing = {device for device, link in namespace.get("links", {}).items() if device not in links}
    return {
        "links": links,
        "routes": sorted((each for each in namespace.get("routes", []) if each.get("dev") not in missing), key=_key),
        "rules": sorted(namespace.get("rules", []), key=_key),
        "sysctl": dict(namespace.get("sysctl", {})),
    }


def running_state(wanted: dict[str, Any]) -> dict[str, Any]:
    """Every namespace that is wanted or there, as it runs."""
    names = sorted({"", *existing()})
    return {name: read(name, wanted["namespaces"].get(name, {})) for name in names}


def differs(wanted: dict[str, Any], running: dict[str, Any]) -> list[str]:
    """What is not as it should be, one line each; ``running`` as ``running_state`` reads it."""
    lines = []
    for name in sorted({*running, *wanted["namespaces"]}):
        where = f"vrf {name}: " if name else ""
        if name not in running:
            lines.append(f"{where}is missing")
        elif name not in wanted["namespaces"]:
            lines.append(f"{where}is not wanted")
        else:
            lines += [
                where + line for line in _differences(desired(wanted["namespaces"][name], running[name]), running[name])
            ]
    return lines


def _differences(goal: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for device in sorted({*goal["links"], *found["links"]}):
        want, have = goal["links"].get(device), found["links"].get(device)
        if want is None and have is not None:
            if _is_port(device) and not have["up"] and not have["addresses"] and not have["master"]:
                continue  # a spare port, shut
            yield f"{device} is not wanted"
        elif have is None:
            yield f"{device} is missing"
        elif want is not None:
            for key in sorted(want):
                if want[key] != have.get(key):
                    yield f"{device} {key}: found {have.get(key)}, expected {want[key]}"
    for table in ("routes", "rules"):
        yield from (f"{table[:-1]} {_key(row)} is missing" for row in goal[table] if row not in found[table])
        yield from (f"{table[:-1]} {_key(row)} is not wanted" for row in found[table] if row not in goal[table])
    for key, value in goal["sysctl"].items():
        if found["sysctl"].get(key) != value:
            yield f"sysctl {key}: found {found['sysctl'].get(key)!r}, expected {value!r}"

"""A whole county that says everything is well, for the tests of judging: the agents' words are made from the model."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from collectors.county import County
from collectors.expected import expect
from inventory.load import load_model
from inventory.model import NetworkModel


@cache
def model() -> NetworkModel:
    """The reference county."""
    return load_model("shili")


def healthy(county: County) -> dict[str, dict[str, dict[str, Any]]]:
    """State of every agent when nothing is wrong: host -> sections."""
    states: dict[str, dict[str, dict[str, Any]]] = {}
    expected = county.expected
    for name in expected.appliances:
        host = county.model.hosts[name]
        states[name] = {
            "ports": {port.name: {"vrf": port.vrf, "up": True, "admin": True, "mtu": port.mtu} for port in host.ports},
            "sources": {daemon: {"ok": True, "error": ""} for daemon in ("bfdd", "ospfd", "bgpd", "zebra")},
            "services": {},
            "ospf": {},
            "bgp": {},
            "bfd": {},
            "wireguard": {},
            "ipsec": {},
            "probes": {},
        }
    for host_name, service in expected.services:
        states[host_name]["services"][service] = {"up": True, "state": "run", "pid": 7, "since": 1}
    for section, flag in (("ospf", "full"), ("bgp", "up"), ("bfd", "up")):
        for host_name, key in getattr(expected, section):
            states[host_name][section][key] = {flag: True}
    for tunnel in expected.tunnels.values():
        inner = [str(prefix) for prefix in tunnel.inner]
        if tunnel.kind == "wireguard":
            states[tunnel.gateway]["wireguard"][f"wg0/{inner[0]}"] = {"up": True, "allowed": inner}
        else:
            states[tunnel.gateway]["ipsec"][inner[0]] = {"up": True, "remote": inner}
    for path, host_name in expected.probes.items():
        states[host_name]["probes"][path] = {"sent": 20, "loss_ratio": 0.0}
    return states


def all_well() -> County:
    """A county whose agents have all just spoken."""
    county = County(model(), expect(model()))
    now = time.monotonic()
    for name, state in healthy(county).items():
        say(county, name, state, now)
    county.snmp_ok = frozenset(county.expected.appliances) | county.expected.switches.keys()
    county.evaluate()
    return county


def say(county: County, host: str, state: dict[str, Any], now: float | None = None) -> None:
    """The host's agent sends its whole state."""
    view = county.views[host]
    view.connected = True
    county.take(view, view.apply({"type": "state", "seq": 2, "state": state}, now or time.monotonic()))


def change(county: County, host: str, section: str, key: str, value: dict[str, Any] | None) -> None:
    """The host's agent sends one change."""
    view = county.views[host]
    line = {"type": "change", "seq": 3, "at": 0.0, "section": section, "key": key, "value": value}
    county.take(view, view.apply(line, time.monotonic()))


def cut(county: County, link: str, *, carrier: bool) -> None:
    """Both ends see a link fail: by lost carrier, or silently (BFD only)."""
    for end in county.model.links[link].ends:
        if end.host not in county.views or county.views[end.host].heard_at is None:
            continue
        if carrier:
            change(county, end.host, "ports", end.port, {"vrf": "", "up": False, "admin": True, "mtu": 1600})
        key = county.expected.fibre_bfd.get((end.host, end.port))
        if key is not None:
            change(county, end.host, "bfd", key, None)


def silence(county: County, host: str) -> None:
    """The host dies: its agent is gone for long, and every neighbour loses carrier."""
    view = county.views[host]
    view.connected = False
    view.heard_at = time.monotonic() - 60
    for port in county.model.hosts[host].ports:
        peer = county.views.get(port.peer_host)
        if peer is not None and peer.connected:
            change(county, port.peer_host, "ports", port.peer_port, {"vrf": "", "up": False, "admin": True, "mtu": 1})

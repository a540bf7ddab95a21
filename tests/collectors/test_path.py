"""Path discovery: a walk whose every decision is asked for is the model's walk when the hosts do as it says."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.agent import lookup
from collectors.path import RunningCounty, ends, traced
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.walk import County, Flow, _Trip

MODEL = load_model("xiao")


class Obedient:
    """Hosts that forward as the model says, with some fibres cut; what they were asked is counted."""

    def __init__(self, model: NetworkModel, cut: tuple[str, ...] = ()) -> None:
        self.county = County(model, cut)
        self.asked: list[str] = []

    def __call__(self, host: str, fields: dict[str, str]) -> dict[str, Any]:
        self.asked.append(host)
        target = IPv4Address(fields["to"])
        if not fields["vrf"] and fields.get("dport") == "4789":
            carried = self.county.wiring.underlay.carry(host, target)
            if carried is None:
                return {"error": "Network is unreachable"}
            if carried.host == host:
                return {"kind": "local", "device": "lo"}
            port = next(each for each in MODEL.hosts[host].ports if each.link == carried.links[0])
            return {"kind": "unicast", "device": port.name}
        trip = _Trip(
            Flow(host, fields["vrf"], IPv4Address(fields.get("from", "0.0.0.0")), target), (host, fields["vrf"])
        )
        if "iif" in fields and not fields["iif"].startswith("wg"):
            trip.came = next(each for each in self.county.wiring.interfaces[trip.space] if each.name == fields["iif"])
        route = self.county._lookup(trip)
        if self.county._tunnel(trip, route) is not None:
            return {"kind": "unicast", "device": "wg0"}
        if route is None:
            return {"error": "Network is unreachable"}
        return {"kind": "unicast", "device": route.out.name} | ({"gateway": str(route.via)} if route.via else {})


@pytest.mark.parametrize("cut", [(), ("t01-c1",), ("ring-c1-c2",), ("ring-c3-c1", "t02-c1")])
@pytest.mark.parametrize(
    ("source", "target", "network"),
    [("t01", "media", "gov"), ("t02", "media", "gov"), ("b02", "lessons", "edu"), ("s001", "portal", "edu"),
     ("v01", "portal", "gov"), ("portal", "t01", "gov"), ("c2-nms", "t01-rt", "mgmt")],
)  # fmt: skip
def test_obedient_hosts_are_walked_as_the_model_is(
    source: str, target: str, network: str, cut: tuple[str, ...]
) -> None:
    host, vrf, address = ends(MODEL, source, network)
    *_, goal = ends(MODEL, target, network)
    flow = Flow(host, vrf, address, goal, "tcp", 443)
    hosts = Obedient(MODEL, cut)
    document = traced(MODEL, hosts, flow)
    expected = hosts.county.walk(flow)
    assert document["verdict"] == expected.verdict
    assert tuple(document["links"]) == expected.links
    assert not {name for name in hosts.asked if not MODEL.hosts[name].linux}, "nobody of ours runs there"


def test_what_a_host_does_otherwise_is_what_counts() -> None:
    """t01's router sends by its second home though nothing is cut: the model would never say so."""
    obedient = Obedient(MODEL)

    def ask(host: str, fields: dict[str, str]) -> dict[str, Any]:
        if host == "t01-rt" and not fields["vrf"]:
            return {"kind": "unicast", "device": "p102"}
        return obedient(host, fields)

    host, vrf, address = ends(MODEL, "t01", "gov")
    county = RunningCounty(MODEL, ask)
    walk = county.walk(Flow(host, vrf, address, ends(MODEL, "media", "gov")[2], "udp", 3478))
    assert "t01-c2" in walk.links
    assert "t01-c1" not in walk.links


def test_a_word_that_is_nothing_is_said_so() -> None:
    with pytest.raises(LookupError, match="nowhere"):
        ends(MODEL, "nowhere", "gov")
    with pytest.raises(LookupError, match="no users in edu"):
        ends(MODEL, "b01", "edu")


def test_this_machines_kernel_is_asked() -> None:
    assert lookup.lookup("", IPv4Address("127.0.0.1"))["kind"] == "local"
    assert "error" in lookup.lookup("no-such-vrf", IPv4Address("127.0.0.1"))
    assert "error" in lookup.lookup("", IPv4Address("127.0.0.1"), came_by="nosuch0", source=IPv4Address("10.0.0.1"))


@given(st.text(max_size=80))
def test_any_query_is_answered_or_refused(query: str) -> None:
    try:
        kind, _body = lookup.page(query)
    except ValueError:
        return
    assert kind == "application/json"

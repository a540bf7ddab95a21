"""What the county must show: ready only when nothing that the model expects is missing."""

from __future__ import annotations

import time

import pytest

from collectors.expected import expect, services
from inventory.model import ROUTERS, LinkKind, Role

from .county import all_well, change, model


def test_expected_comes_from_the_model_alone() -> None:
    county = model()
    found = expect(county)
    appliances = list(county.linux_appliances())
    fibres = [link for link in county.links.values() if link.kind in (LinkKind.RING, LinkKind.ACCESS)]
    assert len(found.ospf) == 2 * len(fibres)
    cores = len(list(county.by_role(Role.CORE)))
    overlays = {(key.split("/")[0]) for _, key in found.bgp}
    assert overlays == set(county.networks)
    assert len(found.bgp) == len(overlays) * cores * (cores - 1)
    assert len(found.bfd) == len(found.ospf) + len(found.bgp)
    assert len(found.tunnels) == len(county.tunnels)
    assert found.targets == 2 * len(appliances) + len(found.switches) + len(found.probes)
    assert len(found.probes) == 3 * (2 + 11) + len(fibres)
    behind = {host.name for host in county.by_role(Role.SWITCH)}
    users = {host.name for host in county.by_role(Role.LEAF) if host.ports[0].peer_host not in behind}
    assert set(found.leaves) == users
    assert set(found.switches) == behind
    assert set(found.hosts) == {*(host.name for host in appliances), *users, *behind}
    for host in appliances:
        names = services(county, host)
        assert len(set(names)) == len(names)
        assert {"sshd", "snmpd", "agent"} <= set(names)
        assert ({"zebra", "ospfd", "bfdd"} <= set(names)) == (host.role in ROUTERS)


def test_ready_when_all_is_there() -> None:
    document = all_well().status_document()
    assert document["ready"], document["problems"]
    for part in ("hosts", "services", "ospf", "bgp", "bfd", "tunnels", "targets", "relay"):
        assert document[part]["expected"] == document[part]["ok"] > 0


@pytest.mark.parametrize(("host", "service"), sorted(expect(model()).services)[::7])
def test_any_stopped_daemon_makes_it_not_ready_and_is_named(host: str, service: str) -> None:
    county = all_well()
    change(county, host, "services", service, {"up": False, "state": "down", "pid": 0, "since": 1})
    document = county.status_document()
    assert not document["ready"]
    assert document["services"]["ok"] == document["services"]["expected"] - 1
    assert f"service {service} on {host} is down" in document["problems"]


def test_a_silent_agent_is_not_believed() -> None:
    county = all_well()
    county.views["t01-rt"].heard_at = time.monotonic() - 4
    document = county.status_document()
    assert "agent on t01-rt is not heard" in document["problems"]
    assert "host t01-rt is down: its agent is silent" in document["problems"]
    assert any(problem.startswith("OSPF of t01-rt p101") for problem in document["problems"])


@pytest.mark.parametrize(
    ("section", "key", "part", "words"),
    [
        ("ospf", "/p1/172.16.0.2", "ospf", "OSPF of c1-core p1 to 172.16.0.2 is not up"),
        ("bgp", "gov/100.65.255.2", "bgp", "BGP of c1-core (VRF gov) to 100.65.255.2 is not up"),
        ("bfd", "/172.20.0.3", "bfd", "BFD of c1-core to 172.20.0.3 is not up"),
        ("probes", "c1-core-t01-rt", "targets", "probe c1-core-t01-rt does not come back"),
    ],
)
def test_what_is_missing_is_named(section: str, key: str, part: str, words: str) -> None:
    county = all_well()
    change(county, "c1-core", section, key, None)
    document = county.status_document()
    assert document[part]["ok"] == document[part]["expected"] - 1
    assert words in document["problems"]


def test_tunnels_relay_and_snmp() -> None:
    county = all_well()
    (key,) = [name for name in county.views["c1-vpn"].sections["wireguard"] if "10.9.145.0" in name]
    peer = county.views["c1-vpn"].sections["wireguard"][key]
    change(county, "c1-vpn", "wireguard", key, {**peer, "up": False})
    (association,) = county.views["c1-vpn"].sections["ipsec"]
    change(county, "c1-vpn", "ipsec", association, None)
    change(county, "c1-relay", "services", "relay", None)
    county.snmp_ok -= {"c2-nms"}
    document = county.status_document()
    assert document["tunnels"]["expected"] - document["tunnels"]["ok"] == 2
    relays = len(list(model().by_role(Role.RELAY)))
    assert document["relay"] == {"expected": relays, "ok": relays - 1}
    assert "SNMP agent on c2-nms does not answer" in document["problems"]

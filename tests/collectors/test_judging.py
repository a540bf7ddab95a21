"""Links and hosts out of what their ends say; what is a fault and what only suffers from one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.county import County
from collectors.faults.watch import Watch
from collectors.judge import EndSeen, merge
from inventory.model import LinkKind, Role

from .county import all_well, change, cut, model, silence

three = st.none() | st.booleans()
ends = st.builds(EndSeen, st.just("x"), three, three)


@given(ends, ends)
def test_both_ends_are_merged(a: EndSeen, b: EndSeen) -> None:
    verdict = merge((a, b))
    assert verdict.state == merge((b, a)).state  # no end is more equal
    bad = any(end.carrier is False or end.bfd is False for end in (a, b))
    known = any(end.carrier is not None for end in (a, b))
    assert verdict.state == ("down" if bad else "up" if known else "unknown")
    assert (verdict.reason == "") == (verdict.state == "up")


def broken(county: County) -> set[str]:
    """What is named as the fault."""
    county.evaluate()
    watch = Watch(county)
    return {root.key for root in watch.diagnosis.find(watch.symptoms(time.monotonic()))}


def test_all_is_well() -> None:
    county = all_well()
    assert broken(county) == set()
    unseen = {name for name, seen in county.links.items() if seen.state != "up"}
    assert not unseen
    assert {seen.state for seen in county.hosts.values()} == {"up"}


@pytest.mark.parametrize("carrier", [True, False], ids=["carrier", "silent"])
@pytest.mark.parametrize("link", [link.name for link in model().links.values() if link.kind in ("ring", "access")][::9])
def test_a_cut_fibre_is_one_fault(link: str, carrier: bool) -> None:
    county = all_well()
    cut(county, link, carrier=carrier)
    assert broken(county) == {f"link:{link}"}
    seen = county.links[link]
    assert seen.state == "down"
    assert ("carrier" in seen.reason) == carrier
    events = [event for event in county.events.recent if event.kind == "link"]
    assert [(event.subject, event.state) for event in events] == [(link, "down")]


def test_one_end_is_enough_to_know() -> None:
    county = all_well()
    change(county, "c1-core", "ports", "p1", {"vrf": "", "up": False, "admin": True, "mtu": 1600})
    assert broken(county) == {"link:ring-c1-c2"}


def test_a_cut_spur_names_the_link_and_not_the_host_behind_it() -> None:
    county = all_well()
    spur = next(link for link in county.model.links.values() if link.kind is LinkKind.SPUR)
    cut(county, spur.name, carrier=True)
    leaf = next(end.host for end in spur.ends if county.model.hosts[end.host].role is Role.LEAF)
    assert broken(county) == {f"link:{spur.name}"}
    assert county.hosts[leaf].state == "down"


@pytest.mark.parametrize("host", ["c1-core", "c2-core", "t01-rt", "b05-rt", "c1-fw"])
def test_a_dead_box_is_one_fault_and_its_cables_are_none(host: str) -> None:
    county = all_well()
    silence(county, host)
    assert broken(county) == {f"host:{host}"}


@pytest.mark.parametrize("switch", ["b05-sw", "cb-sw"])
def test_a_dead_access_switch_is_one_fault_seen_at_its_router(switch: str) -> None:
    """Nothing of ours runs on it: its uplinks' carrier at the router tells."""
    county = all_well()
    for port in county.model.hosts[switch].ports:
        if port.peer_host in county.views:
            change(
                county, port.peer_host, "ports", port.peer_port, {"vrf": "", "up": False, "admin": True, "mtu": 1500}
            )
    assert broken(county) == {f"host:{switch}"}
    assert county.hosts[switch].state == "down"
    assert f"host {switch} is down: no carrier at" in " ".join(county.status_document()["problems"])


def test_a_port_shut_on_an_access_switch_is_a_fault_of_its_cable() -> None:
    county = all_well()
    link = county.model.links["b05-sw-gov"]
    change(county, link.a.host, "ports", link.a.port, {"vrf": "gov", "up": False, "admin": True, "mtu": 1500})
    assert broken(county) == {f"link:{link.name}"}
    assert county.hosts["b05-sw"].state == "up", "its other uplinks live"


def test_nobody_knows_of_a_switch_whose_router_is_silent() -> None:
    county = all_well()
    silence(county, "b05-rt")
    assert broken(county) == {"host:b05-rt"}
    assert county.hosts["b05-sw"].state == "unknown"


def test_a_dead_centre_is_one_fault() -> None:
    county = all_well()
    boxes = [host.name for host in county.model.site_hosts("c1") if host.appliance]
    for name in boxes:
        silence(county, name)
    behind = [tunnel.host for tunnel in county.model.tunnels.values()]
    for name in behind:  # their tunnels end at c1
        county.views[name].connected = False
        county.views[name].heard_at = time.monotonic() - 60
    assert broken(county) == {"host:c1-core"}
    assert all(county.hosts[name].state == "down" for name in boxes)


def test_a_stopped_routing_daemon_is_no_cut_fibre() -> None:
    county = all_well()
    change(county, "c1-core", "services", "ospfd", {"up": False, "state": "down", "pid": 0, "since": 1})
    cut(county, "ring-c1-c2", carrier=False)  # ospfd takes its BFD sessions along, at both ends
    assert broken(county) == {"service:c1-core/ospfd"}
    assert county.links["ring-c1-c2"].state == "up"
    services = [event for event in county.events.recent if event.kind == "service"]
    assert (services[-1].subject, services[-1].state) == ("c1-core/ospfd", "down")


def test_silence_of_both_ends_is_unknown_not_down() -> None:
    county = all_well()
    for name in ("c1-core", "c2-core"):
        county.views[name].connected = False
        county.views[name].heard_at = time.monotonic() - 60
    county.evaluate()
    assert county.links["ring-c1-c2"].state == "unknown"


def test_a_dead_host_is_seen_sooner_when_its_neighbours_say_so() -> None:
    county = all_well()
    silence(county, "t01-rt")
    county.views["t01-rt"].heard_at = time.monotonic() - 2.0
    county.evaluate()
    assert county.hosts["t01-rt"].reason == "every neighbour has lost it"


def test_an_agent_that_restarts_is_no_dead_host() -> None:
    county = all_well()
    county.views["t01-rt"].connected = False
    county.views["t01-rt"].heard_at = time.monotonic() - 1.0
    county.evaluate()
    assert county.hosts["t01-rt"].state == "up"

"""A township with a media relay of its own: who serves its hall, what moves, and what faults mean for it."""

from __future__ import annotations

from collections.abc import Set
from functools import cache

import pytest

from inventory import relays
from inventory.impact import Faults, HallImpact, HallState, ImpactMap, Meeting
from inventory.model import NetworkModel, Role
from inventory.probes import hall_path
from tests.inventory.relays import with_relays

FIBRES = frozenset({"t01-c1", "t01-c2"})


@cache
def county() -> NetworkModel:
    return with_relays("xiao", "t01")


@cache
def impacts() -> ImpactMap:
    return ImpactMap(county())


def hurt(links: Set[str] = frozenset(), hosts: Set[str] = frozenset(), **more: Set[str]) -> dict[str, HallImpact]:
    """What these faults do to the halls."""
    found = impacts().of(Faults(frozenset(links), frozenset(hosts), **{k: frozenset(v) for k, v in more.items()}))
    return {hall.hall: hall for hall in found.halls}


@pytest.mark.parametrize("name", ["xiao", "shili"])
def test_a_relay_changes_its_own_router_and_moves_nothing(name: str) -> None:
    before, after = with_relays(name), with_relays(name, "t01")
    assert set(after.hosts) - set(before.hosts) == {"t01-relay"}
    assert {host for host in before.hosts if before.hosts[host] != after.hosts[host]} == {"t01-rt"}
    assert set(before.hosts["t01-rt"].ports) < set(after.hosts["t01-rt"].ports)
    assert {link for link in before.links if before.links[link] != after.links[link]} == set()
    numbers = [link.number for link in after.links.values()]
    assert len(set(numbers)) == len(numbers)
    assert (before.services, before.policy, before.endpoints) == (after.services, after.policy, after.endpoints)


def test_a_hall_is_served_by_its_own_site_and_else_by_a_centre() -> None:
    own, other = county().halls["t01"], county().halls["t02"]
    assert (own.relay, own.fallback) == ("t01-relay", "c1-relay")
    assert (other.relay, other.fallback) == ("c1-relay", "")
    assert [relays.above(county(), hall).name for hall in (own, other)] == ["c1-relay", "c1-relay"]
    assert [host.name for host in relays.nodes(county())] == ["t01-relay"]
    assert [relays.node_address(county(), hall) for hall in (own, other)] == ["https://10.8.11.5", ""]
    assert not relays.bus(with_relays("xiao"))


def test_every_relay_has_a_media_address_of_its_own() -> None:
    found = {host.name: relays.media(county(), host) for host in county().by_role(Role.RELAY)}
    assert {name: f"{address}:{port}" for name, (address, port) in found.items()} == {
        "c1-relay": "10.8.1.5:3478",
        "t01-relay": "10.8.11.5:3478",
    }


def test_the_networks_own_figures_of_a_hall_are_still_those_of_its_way_to_the_centre() -> None:
    without = with_relays("xiao")
    assert hall_path(county(), county().halls["t01"]) == hall_path(without, without.halls["t01"]) != ""


def test_a_halls_way_goes_over_its_own_relay() -> None:
    way = impacts().paths(Faults())["t01"]
    assert way is not None
    assert way.count("t01-relay-gov") == 2
    assert way[0] == "t01-hall"
    assert way[-1] == "c1-relay-gov"


@pytest.mark.parametrize("faults", [{"hosts": {"t01-relay"}}, {"mute": {"t01-relay"}}, {"links": {"t01-relay-gov"}}])
def test_a_dead_relay_of_a_township_hurts_its_hall_alone_and_the_centres_takes_it(faults: dict[str, Set[str]]) -> None:
    found = hurt(**faults)
    assert set(found) == {"t01"}
    assert found["t01"].state is HallState.REROUTED
    assert found["t01"].after == impacts().paths(Faults(hosts=frozenset({"t01-relay"})))["t01"]
    assert "t01-relay-gov" not in found["t01"].after
    assert found["t01"].after[-1] == "c1-relay-gov"


def test_a_township_cut_off_goes_on_alone_and_the_meeting_without_it() -> None:
    meetings = [Meeting("1", "both", ("t01", "t02")), Meeting("2", "other", ("t02",))]
    found = impacts().of(Faults(FIBRES), meetings)
    assert "t01" in found.sites_cut
    (meeting,) = found.meetings
    assert (meeting.cut, meeting.alone) == ((), ("t01",))
    (hall,) = meeting.halls
    assert hall.after == ("t01-hall", "t01-sw-gov", "t01-relay-gov")
    assert hall.capacity_bps == 10**9


def test_a_cut_fibre_reroutes_beyond_its_own_relay() -> None:
    found = hurt({"t01-c1"})["t01"]
    assert found.state is HallState.REROUTED
    assert found.after[:4] == found.before[:4]
    assert "t01-c2" in found.after


def test_a_router_that_only_routes_no_more_still_joins_its_room() -> None:
    assert hurt(stuck={"t01-rt"})["t01"].state is HallState.ALONE
    assert hurt(hosts={"t01-rt"})["t01"].state is HallState.CUT
    assert hurt(stuck={"t01-rt"}, hosts={"t01-rt"})["t01"].state is HallState.CUT


def test_without_the_centres_relay_other_halls_are_cut_and_this_one_is_alone() -> None:
    states = {code: hall.state for code, hall in hurt(hosts={"c1-relay"}).items()}
    assert states == {"t01": HallState.ALONE, "t02": HallState.CUT}
    assert hurt(FIBRES, {"t01-relay"})["t01"].state is HallState.CUT
    assert hurt(FIBRES, mute={"t01-relay"})["t01"].state is HallState.CUT

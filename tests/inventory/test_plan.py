"""The address plan: different numbers never share an address, a MAC or a link number."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory import plan
from inventory.load import Loaded
from inventory.model import Network

SITES = st.integers(1, plan.SITE_MAX)
LINKS = st.integers(1, plan.LINK_MAX)


def network(number: int) -> Network:
    return Network("x", number, "", "", "closed", plan.network_prefix(number), 0, 0, 0)


def test_the_plan_as_documented() -> None:
    gov, mgmt = network(1), network(4)
    assert str(plan.network_prefix(1)) == "10.8.0.0/13"
    assert str(plan.network_prefix(31)) == "10.248.0.0/13"
    assert str(plan.site_address(gov, 11, 10)) == "10.8.11.10/24"
    assert str(plan.site_address(mgmt, 2047, 1)) == "10.39.255.1/24"
    assert str(plan.service_vip(gov, 1)) == "10.8.0.101"
    assert str(plan.service_server(gov, 3)) == "10.8.0.13/24"
    assert str(plan.loopback(300)) == "172.16.1.44"
    assert str(plan.anycast_vtep(1, 2)) == "172.17.1.2"
    assert [str(end) for end in plan.underlay_ends(101)] == ["172.20.0.202/31", "172.20.0.203/31"]
    assert [str(end) for end in plan.outer_ends(1)] == ["198.18.0.5/30", "198.18.0.6/30"]
    assert str(plan.staging(11, 1)) == "100.96.0.177/15"
    assert plan.mac(1, 258, 1) == "02:53:01:01:02:01"
    assert plan.gateway_mac(31) == "02:5a:1f:ff:ff:fe"


@given(st.integers(1, 31), st.integers(1, 31), SITES, SITES)
def test_lans_never_overlap(one: int, two: int, site: int, other: int) -> None:
    first, second = plan.site_prefix(network(one), site), plan.site_prefix(network(two), other)
    assert first.overlaps(second) == ((one, site) == (two, other))
    assert first.subnet_of(plan.network_prefix(one))


@given(LINKS, LINKS)
def test_links_never_overlap(one: int, two: int) -> None:
    for ends in (plan.underlay_ends, plan.outer_ends):
        first, second = ends(one)[0].network, ends(two)[0].network
        assert first.overlaps(second) == (one == two)
    assert plan.underlay_ends(one)[1].network.subnet_of(plan.UNDERLAY_LINKS)
    assert plan.outer_ends(one)[1].network.subnet_of(plan.OUTER_LINKS)


@given(SITES, st.integers(1, 15), SITES, st.integers(1, 15))
def test_staging_and_macs_are_unique(site: int, slot: int, other: int, second: int) -> None:
    same = (site, slot) == (other, second)
    assert (plan.staging(site, slot) == plan.staging(other, second)) == same
    assert (plan.mac(1, site, slot) == plan.mac(1, other, second)) == same
    assert plan.staging(site, slot).ip in plan.STAGING


def test_computed_link_numbers_never_meet() -> None:
    numbers = list(range(1, plan.FIBRE_MAX + 1))
    numbers += [plan.line_number(site) for site in range(1, plan.SITE_MAX + 1)]
    numbers += [plan.user_number(site) for site in range(1, plan.SITE_MAX + 1)]
    for centre in range(1, plan.CENTRE_MAX + 1):
        numbers += [plan.patch_number(centre, slot, n) for slot in range(2, 8) for n in range(32)]
        numbers.append(plan.outer_patch_number(centre))
    assert max(numbers) <= plan.LINK_MAX
    for site in range(1, plan.SITE_MAX + 1):  # cables of access switches have no addresses: their numbers may be larger
        numbers += [plan.switch_uplink_number(site, n) for n in range(1, plan.NETWORK_MAX + 1)]
        numbers += [plan.switch_user_number(site, n) for n in range(1, plan.NETWORK_MAX + 1)]
    assert len(numbers) == len(set(numbers))
    assert len(f"m{max(numbers)}a") <= 15, "a device's name in the kernel"


def test_reserved_prefixes_are_apart() -> None:
    for one, two in combinations(plan.RESERVED, 2):
        assert not one.overlaps(two)


@pytest.mark.parametrize("name", ["shili", "xiao"])
def test_no_address_twice_on_a_segment(name: str, request: pytest.FixtureRequest) -> None:
    loaded: Loaded = request.getfixturevalue(name)
    seen: dict[str, str] = {}
    for host in loaded.model.hosts.values():
        for vrf in host.vrfs:
            addresses = [bridge.address for bridge in vrf.bridges]
            addresses += [port.address for port in host.ports if port.vrf == vrf.name and port.address]
            for address in addresses:
                assert str(address.ip) not in seen, (host.name, seen[str(address.ip)])
                seen[str(address.ip)] = host.name

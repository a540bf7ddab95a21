"""What faults mean, as properties of the reference county, and a few cases told by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.impact import Faults, HallState, Impact, ImpactMap, Meeting, NetworkCut
from inventory.load import load_model
from inventory.model import LinkKind, Role, SiteKind
from inventory.relays import above

MODEL = load_model("shili")
IMPACTS = ImpactMap(MODEL)
FIBRES = sorted(name for name, link in MODEL.links.items() if link.fibre)
HOSTS = sorted(MODEL.hosts)
RING = sorted(name for name, link in MODEL.links.items() if link.kind is LinkKind.RING)
CORES = sorted(host.name for host in MODEL.by_role(Role.CORE))
DUAL = {code for code, site in MODEL.sites.items() if site.dual_homed and not site.kind.outside}

faults = st.builds(
    Faults,
    st.frozensets(st.sampled_from(sorted(MODEL.links)), max_size=12),
    st.frozensets(st.sampled_from(HOSTS), max_size=6),
)


def cut(links: set[str] | frozenset[str] = frozenset(), hosts: set[str] | frozenset[str] = frozenset()) -> Impact:
    return IMPACTS.of(Faults(frozenset(links), frozenset(hosts)))


def test_no_fault_has_no_impact() -> None:
    assert IMPACTS.of(Faults(), [Meeting("1", "m", tuple(MODEL.halls))]).none


def test_names_that_the_model_does_not_know_have_no_impact() -> None:
    assert cut({"no-such-link"}, {"no-such-host"}).none


@given(faults, faults)
def test_more_faults_never_help(one: Faults, other: Faults) -> None:
    both = Faults(one.links | other.links, one.hosts | other.hosts)
    few, many = IMPACTS.of(one), IMPACTS.of(both)
    assert set(few.sites_cut) <= set(many.sites_cut)
    assert set(few.sites_unprotected) <= set(many.sites_unprotected) | set(many.sites_cut)
    lost = {hall.hall for hall in few.halls if hall.state is HallState.CUT}
    assert lost <= {hall.hall for hall in many.halls if hall.state is HallState.CUT}


@given(faults)
def test_what_is_reported_holds_together(some: Faults) -> None:
    found = IMPACTS.of(some, [Meeting("1", "all", tuple(MODEL.halls))])
    assert not set(found.sites_cut) & set(found.sites_unprotected)
    concerned = {hall.hall for meeting in found.meetings for hall in meeting.halls}
    assert concerned == {hall.hall for hall in found.halls}
    for hall in found.halls:
        assert not set(hall.after) & some.links
        assert (hall.after == ()) == (hall.state is HallState.CUT)
        if hall.state is HallState.REROUTED:
            assert hall.after != hall.before
            assert hall.capacity_bps == min(MODEL.links[name].rate_bps for name in hall.after)


@given(faults)
def test_a_path_is_a_walk_from_the_hall_to_the_countys_relay_or_alone_to_its_own(some: Faults) -> None:
    for hall in IMPACTS.of(some).halls:
        if not hall.after:
            continue
        here = MODEL.halls[hall.hall].host
        for name in hall.after:
            ends = [end.host for end in MODEL.links[name].ends]
            assert here in ends
            here = ends[1 - ends.index(here)]
            assert here not in some.hosts
        room = MODEL.halls[hall.hall]
        assert here == (room.relay if hall.state is HallState.ALONE else above(MODEL, room).name)


@pytest.mark.parametrize("link", RING)
def test_one_ring_fibre_cut_disconnects_nobody(link: str) -> None:
    found = cut({link})
    assert found.sites_cut == ()
    assert found.centres_apart == ()
    assert {MODEL.hosts[end.host].site for end in MODEL.links[link].ends} <= set(found.sites_unprotected)
    assert all(hall.state is not HallState.CUT for hall in found.halls)


@pytest.mark.parametrize("core", CORES)
def test_a_centre_router_lost_leaves_every_dual_homed_site_connected(core: str) -> None:
    found = cut(hosts={core})
    assert MODEL.hosts[core].site in found.centres_dead
    assert not DUAL & set(found.sites_cut)
    at_it = {code for code in DUAL if MODEL.hosts[core].site in MODEL.sites[code].homes}
    assert at_it <= set(found.sites_unprotected)


@given(st.sampled_from(sorted(DUAL)))
def test_a_dual_homed_site_loses_protection_first_and_service_then(code: str) -> None:
    arms = [
        name
        for name, link in MODEL.links.items()
        if link.kind is LinkKind.ACCESS and code in {MODEL.hosts[end.host].site for end in link.ends}
    ]
    assert len(arms) == 2
    for arm in arms:
        found = cut({arm})
        assert code in found.sites_unprotected
        assert found.sites_cut == ()
    assert code in cut(set(arms)).sites_cut


def test_small_sites_go_with_their_township() -> None:
    behind = {code for code, site in MODEL.sites.items() if site.homes == ("t01",)}
    assert behind
    assert behind | {"t01"} == set(cut(hosts={"t01-rt"}).sites_cut)


def test_sites_behind_the_vpn_go_with_the_firewall_and_nobody_else_does() -> None:
    assert set(cut(hosts={MODEL.firewall}).sites_cut) == {tunnel.site for tunnel in MODEL.tunnels.values()}


@settings(max_examples=25)
@given(st.sampled_from(sorted(MODEL.sites)))
def test_the_world_outside_is_never_reported_cut(code: str) -> None:
    hosts = {host.name for host in MODEL.site_hosts(code)}
    assert not any(MODEL.sites[site].kind.outside for site in cut(hosts=hosts).sites_cut)


def test_services_move_to_the_next_backend_and_are_lost_with_the_last() -> None:
    first = next(service for service in MODEL.services.values() if len(service.backends) == 3)
    hosts = [backend.host for backend in first.backends]
    moved = {one.service: one for one in cut(hosts={hosts[0]}).services}
    assert moved[first.name].backend == hosts[1]
    lost = {one.service: one for one in cut(hosts=set(hosts)).services}
    assert lost[first.name].backend == ""


def test_a_cut_ring_reroutes_halls_and_tells_what_the_backup_still_carries() -> None:
    load = dict.fromkeys(MODEL.links, 30e6)
    found = IMPACTS.of(Faults(frozenset({"ring-c1-c2"})), [Meeting("7", "spring", ("t02", "t03"))], load)
    (meeting,) = found.meetings
    (hall,) = meeting.halls
    assert (meeting.meeting, meeting.cut, hall.hall) == ("7", (), "t02")
    assert "ring-c1-c2" in hall.before
    assert {"ring-c2-c3", "ring-c3-c1"} <= set(hall.after)
    assert hall.spare_bps == hall.capacity_bps - 30_000_000


def test_the_ring_cut_twice_sends_the_lone_centre_over_dual_homed_sites() -> None:
    found = cut(set(RING[:2]))
    assert found.sites_cut == ()
    assert found.centres_apart == ()


def test_every_kind_of_site_has_a_gateway() -> None:
    dead = IMPACTS.of(Faults(hosts=frozenset(HOSTS)))
    inside = {code for code, site in MODEL.sites.items() if not site.kind.outside}
    assert set(dead.sites_cut) == inside
    assert set(dead.centres_dead) == {code for code, site in MODEL.sites.items() if site.kind is SiteKind.CENTRE}


def test_a_centre_off_the_ring_that_access_fibres_still_carry_is_unprotected() -> None:
    ring = {name for name, link in MODEL.links.items() if link.kind is LinkKind.RING}
    off = {name for name in ring if "c2-core" in (end.host for end in MODEL.links[name].ends)}
    found = cut(off)
    assert len(off) == 2
    assert "c2" in found.sites_unprotected
    assert not found.centres_apart


SWITCHES = sorted(host.name for host in MODEL.by_role(Role.SWITCH))


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_dead_access_switch_cuts_its_own_site_and_no_other(switch: str) -> None:
    site = MODEL.hosts[switch].site
    found = cut(hosts={switch})
    assert found.sites_cut == (site,)
    assert found.networks_cut == ()
    assert {hall.hall for hall in found.halls} == {code for code, hall in MODEL.halls.items() if hall.site == site}
    assert {hall.state for hall in found.halls} <= {HallState.CUT}


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_cut_uplink_takes_one_network_from_one_site(switch: str) -> None:
    host = MODEL.hosts[switch]
    users = {each.network for each in MODEL.endpoints if each.site == host.site}
    for name in host.networks:
        found = cut({f"{switch}-{name}"})
        if name not in users:
            assert (found.sites_cut, found.networks_cut) == ((), ())  # mgmt: nobody's but ours
        elif users == {name}:
            assert (found.sites_cut, found.networks_cut) == ((host.site,), ())
        else:
            assert (found.sites_cut, found.networks_cut) == ((), (NetworkCut(host.site, name),))
        assert {hall.hall for hall in found.halls} <= {
            code for code, hall in MODEL.halls.items() if hall.site == host.site
        }


def test_a_computer_with_legs_in_several_networks_joins_none_of_them() -> None:
    """With gov's uplink gone, no path leads from gov's port over another network's cables."""
    site = next(code for code in ("b05",) if len(MODEL.sites[code].networks) > 3)
    names = {each.network for each in MODEL.endpoints if each.site == site} - {"gov"}
    found = cut({f"{site}-sw-gov"})
    assert found.networks_cut == (NetworkCut(site, "gov"),)
    rest = cut({f"{site}-sw-{name}" for name in names})
    assert {each.network for each in rest.networks_cut} == names

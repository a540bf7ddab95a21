"""Which of many things that are down is named as the cause."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboards.causes import causes
from inventory.impact import Faults, ImpactMap
from inventory.load import load_model
from inventory.model import Role

MODEL = load_model("shili")
IMPACTS = ImpactMap(MODEL)


def names(links: set[str], hosts: set[str]) -> list[tuple[str, str]]:
    return [(cause.kind, cause.name) for cause in causes(IMPACTS, links, hosts)]


def lines_of(*hosts: str) -> set[str]:
    return {port.link for host in hosts for port in MODEL.hosts[host].ports}


def test_nothing_down_has_no_cause() -> None:
    assert names(set(), set()) == []


def test_a_cut_fibre_is_named() -> None:
    assert names({"ring-c1-c2"}, set()) == [("link", "ring-c1-c2")]


def test_a_dead_centre_explains_its_hosts_its_lines_and_the_sites_behind_its_vpn() -> None:
    dead = {host.name for host in MODEL.site_hosts("c1")}
    behind = {tunnel.host for tunnel in MODEL.tunnels.values()}
    assert names(lines_of(*dead), dead | behind) == [("site", "c1")]


def test_a_township_without_both_its_fibres_is_one_cause_with_its_lines() -> None:
    (cause,) = causes(IMPACTS, {"t01-c1", "t01-c2"}, {"t01-rt"})
    assert (cause.kind, cause.site, set(cause.links)) == ("site", "t01", {"t01-c1", "t01-c2"})


def test_a_township_behind_two_dead_centres_is_explained() -> None:
    dead = {host.name for code in ("c1", "c2") for host in MODEL.site_hosts(code)} | {"t01-rt"}
    assert ("site", "t01") not in names(lines_of(*dead), dead)


def test_one_dead_box_of_a_living_centre_is_a_host() -> None:
    assert names(lines_of("c1-srv"), {"c1-srv"}) == [("host", "c1-srv")]


def test_a_dead_access_switch_is_a_host_and_its_cables_follow_from_it() -> None:
    assert names(lines_of("b05-sw"), {"b05-sw"}) == [("host", "b05-sw")]
    assert names({"b05-sw-gov"}, set()) == [("link", "b05-sw-gov")]


def test_a_fault_elsewhere_stays_named_beside_a_dead_centre() -> None:
    dead = {host.name for host in MODEL.site_hosts("c1")}
    assert names(lines_of(*dead) | {"t05-c3"}, dead) == [("site", "c1"), ("link", "t05-c3")]


@given(
    st.sets(st.sampled_from(sorted(MODEL.links)), max_size=8),
    st.sets(
        st.sampled_from(sorted(host.name for host in MODEL.hosts.values() if host.role is not Role.LEAF)), max_size=4
    ),
)
def test_every_fault_is_named_or_explained_and_none_invented(links: set[str], hosts: set[str]) -> None:
    found = causes(IMPACTS, links, hosts)
    assert bool(found) == bool(links or hosts)
    for cause in found:
        assert (
            cause.name in {"link": links, "host": hosts, "site": {MODEL.hosts[host].site for host in hosts}}[cause.kind]
        )
    unexplained = links - {cause.name for cause in found} - lines_of(*hosts)
    assert not unexplained
    assert IMPACTS.of(Faults(frozenset(links), frozenset(hosts))).links or not links

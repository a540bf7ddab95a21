"""What the pages name as the cause: the collector's open faults, a router for its whole site."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboards.causes import causes, named
from inventory.load import load_model

MODEL = load_model("shili")


def names(*faults: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cause.kind, cause.name) for cause in causes(MODEL, faults)]


def test_nothing_open_has_no_cause() -> None:
    assert names() == []


def test_a_cut_fibre_is_named_and_a_duct_by_its_fibres() -> None:
    assert names({"key": "link:ring-c1-c2", "kind": "link-down", "links": ["ring-c1-c2"]}) == [("link", "ring-c1-c2")]
    east = [link.name for link in MODEL.links.values() if "east" in link.ducts]
    assert names({"key": "duct:east", "kind": "duct-cut", "links": east}) == [("link", name) for name in east]


def test_a_dead_router_is_its_site_with_its_dark_lines() -> None:
    fault = {"key": "host:t01-rt", "kind": "host-down", "hosts": ["t01-rt"]}
    (cause,) = causes(MODEL, [fault], {"t01-c1", "t01-c2", "t02-c2"})
    assert (cause.kind, cause.site, set(cause.links)) == ("site", "t01", {"t01-c1", "t01-c2"})


def test_one_dead_box_of_a_living_centre_is_a_host() -> None:
    assert names({"key": "host:c1-srv", "kind": "host-down", "hosts": ["c1-srv"]}) == [("host", "c1-srv")]


def test_what_is_bad_but_not_down_is_no_cause_on_the_map() -> None:
    assert names({"key": "link:t01-c1", "kind": "link-degraded", "links": ["t01-c1"]}) == []
    assert names({"key": "service:t01-rt/ospfd", "kind": "service-down", "links": [], "hosts": []}) == []


def test_a_fault_that_the_model_does_not_know_is_left_out() -> None:
    assert names({"key": "link:gone", "kind": "link-down", "links": ["gone"]}, {}) == []


@given(
    st.sets(st.sampled_from(sorted(MODEL.links)), max_size=8), st.sets(st.sampled_from(sorted(MODEL.hosts)), max_size=4)
)
def test_every_one_is_named_or_folded_into_another(links: set[str], hosts: set[str]) -> None:
    found = named(MODEL, links, hosts)
    assert bool(found) == bool(links or hosts)
    shown = {cause.name for cause in found}
    for host in hosts:
        assert host in shown or MODEL.hosts[host].site in shown
    for link in links - shown:
        assert {MODEL.hosts[end.host].site for end in MODEL.links[link].ends} & shown or any(
            end.host in hosts for end in MODEL.links[link].ends
        )

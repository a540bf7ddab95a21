"""Single points of failure, shared trenches, and what daemons and degraded links mean for halls."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from inventory.impact import Faults, HallState, ImpactMap
from inventory.load import load_model
from inventory.model import SiteKind
from inventory.risks import risks, shared_ducts
from sanwang.impact import main

MODEL = load_model("xiao")
WHERE = ImpactMap(MODEL)


def test_the_worst_single_point_comes_first_and_each_cuts_what_it_says() -> None:
    found = risks(WHERE)
    assert (found[0].kind, found[0].name) == ("host", "c1-core"), "the relay and the exit hang on it"
    assert set(found[0].halls_cut) == {hall.code for hall in MODEL.halls.values() if not hall.fallback}, (
        "others have a relay"
    )
    for risk in found:
        faults = Faults(hosts=frozenset({risk.name})) if risk.kind == "host" else Faults(links=frozenset(risk.links))
        assert set(risk.sites_cut) <= set(WHERE.of(faults).sites_cut)
    ring = {link.name for link in MODEL.links.values() if link.kind == "ring"}
    assert not ring & {risk.name for risk in found}, "no single ring fibre cuts anybody off"


def test_two_arms_in_one_trench_are_found() -> None:
    assert shared_ducts(MODEL) == ()
    links = {**MODEL.links, "t01-c2": replace(MODEL.links["t01-c2"], ducts=MODEL.links["t01-c1"].ducts)}
    (shared,) = shared_ducts(replace(MODEL, links=links))
    assert (shared.site, set(shared.links)) == ("t01", {"t01-c1", "t01-c2"})


def test_a_degraded_link_tells_the_halls_that_ride_it() -> None:
    hall, path = next((hall, path) for hall, path in WHERE.paths(Faults()).items() if path)
    impact = WHERE.of(Faults(degraded=frozenset({path[1]})))
    assert hall in {each.hall for each in impact.halls if each.state is HallState.DEGRADED}
    assert impact.sites_cut == ()


def test_a_router_without_routing_cuts_its_halls_and_a_centre_without_bgp_those_of_others() -> None:
    stuck = WHERE.of(Faults(stuck=frozenset({"t02-rt"})))
    assert [hall.hall for hall in stuck.halls if hall.state is HallState.CUT] == ["t02"]
    assert stuck.hosts == (), "it lives"
    apart = WHERE.of(Faults(apart=frozenset({"c1-core"})))
    away = {hall.code for hall in MODEL.halls.values() if MODEL.sites[hall.site].homes[0] != "c1"}
    assert {hall.hall for hall in apart.halls if hall.state is HallState.CUT} == away


def test_services_that_do_not_answer_are_answered_elsewhere() -> None:
    service = next(service for service in MODEL.services.values() if len(service.backends) > 1)
    impact = WHERE.of(Faults(mute=frozenset({service.backends[0].host})))
    moved = {each.service: each.backend for each in impact.services}
    assert moved[service.name] == service.backends[1].host
    assert impact.halls == ()


def test_the_command_says_it_without_a_running_county(capsys: pytest.CaptureFixture[str]) -> None:
    township = next(site.code for site in MODEL.sites.values() if site.kind is SiteKind.TOWNSHIP)
    assert main(["cut", township, "--county", "xiao", "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert township in document["impact"]["sites_cut"]
    assert main(["risks", "--county", "xiao", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["risks"][0]["name"] == "c1-core"
    assert main(["cut", "nowhere", "--county", "xiao"]) == 2
    assert main(["cut", "c1-c2", "--county", "xiao", "--at", "tea time"]) == 2
    assert "--at" in capsys.readouterr().err

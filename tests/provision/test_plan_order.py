"""In which order, for whom, and how risky: the pure parts of a plan on the two counties that ship."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.impact import ImpactMap
from inventory.load import load_model
from inventory.model import Role, SiteKind
from provision.broker.county import County
from provision.change import stages, touches
from provision.change.plan import DevicePlan, Risk, Stage, Touches, Unprotected
from provision.change.risk import LINKS_FRESH_S, risk
from store.queries import BookedMeeting
from tests.provision import plans

XIAO = ImpactMap(load_model("xiao"))
SHILI = ImpactMap(load_model("shili"))
APPLIANCES = [host.name for host in SHILI.model.appliances()]


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> County:
    return plans.county(tmp_path_factory.mktemp("order") / "county")


def device(host: str, *groups: str, running: tuple[str, ...] = ()) -> DevicePlan:
    site = SHILI.model.hosts[host].site
    return DevicePlan(host, site, SHILI.model.hosts[host].role.value, "linux", "", "", groups, (), running)


# Stages --------------------------------------------------------------------------------------------


def test_the_whole_county_in_its_order() -> None:
    order = dict(stages.order(XIAO, [host.name for host in XIAO.model.appliances()]))
    assert list(order) == [
        "canary",
        "arm-1",
        "arm-2",
        "arm-3",
        "inside-1",
        "inside-2",
        "inside-3",
        "access",
        "small",
        "management",
    ]
    assert [order[f"arm-{arm}"] for arm in (1, 2, 3)] == [("c1-core",), ("c2-core",), ("c3-core",)]
    assert order["inside-1"] == ("c1-fw", "c1-vpn", "c1-srv", "c1-relay", "c1-nms")
    assert order["canary"] == ("b01-rt",)  # a body without a hall: its failure hurts least
    assert order["small"] == ("v01-cpe",)
    assert order["management"] == ("c2-nms",)


@given(st.sets(st.sampled_from(APPLIANCES)))
def test_every_device_once_and_nothing_beside_what_backs_it_up(hosts: set[str]) -> None:
    model = SHILI.model
    order = stages.order(SHILI, hosts)
    staged = [host for _, members in order for host in members]
    assert sorted(staged) == sorted(hosts)
    assert all(members for _, members in order)
    pairs = stages.backs_up(model)
    for _, members in order:
        centres = {
            model.hosts[host].site for host in members if model.sites[model.hosts[host].site].kind is SiteKind.CENTRE
        }
        assert not any(pair <= centres for pair in pairs)
        cores = [host for host in members if model.hosts[host].role is Role.CORE]
        for site in model.sites.values():
            homes = {f"{home}-core" for home in site.homes}
            assert len(homes & set(cores)) < 2 or not site.dual_homed
    names = [name for name, _ in order]
    assert "canary" not in names or names[0] == "canary"
    if len(hosts) > 1 and any(model.hosts[host].role is Role.ACCESS for host in hosts):
        assert names[0] == "canary"
        canary = [model.hosts[host] for host in order[0][1]]
        assert {host.role for host in canary} <= {Role.ACCESS, Role.SWITCH}
        assert len({host.site for host in canary}) == 1 or len(canary) < sum(
            model.sites[model.hosts[name].site].kind in stages.ACCESS_KINDS for name in hosts
        )


def test_the_management_host_is_last_and_one_device_needs_no_canary() -> None:
    assert stages.order(SHILI, ["c2-nms", "t01-rt", "c1-core"])[-1] == ("management", ("c2-nms",))
    assert stages.order(SHILI, ["t01-rt"]) == (("access", ("t01-rt",)),)
    assert stages.order(SHILI, []) == ()


# Protection ----------------------------------------------------------------------------------------


def test_a_cut_ring_leaves_the_other_ring_fibres_alone(county: County) -> None:
    guard = touches.protection(county.model, plans.all_up(county, ring_c1_c2="down"), plans.NOW)
    assert {each.link for each in guard.unprotected} == {"ring-c2-c3", "ring-c3-c1"}
    assert guard.unprotected[0].because == "ring-c1-c2 is down (no carrier)"
    assert (guard.down, guard.age_s, guard.unseen) == (frozenset({"ring-c1-c2"}), 3, ())


def test_a_lost_arm_leaves_the_other_one_alone_and_a_dead_site_has_none(county: County) -> None:
    guard = touches.protection(county.model, plans.all_up(county, t01_c1="down"), plans.NOW)
    assert guard.unprotected == (Unprotected("t01-c2", "t01: t01-c1 is down (no carrier)"),)
    both = touches.protection(county.model, plans.all_up(county, t01_c1="down", t01_c2="unknown"), plans.NOW)
    assert both.unprotected == ()
    assert both.down == {"t01-c1", "t01-c2"}


def test_all_up_is_protected_and_unseen_is_said(county: County) -> None:
    states = plans.all_up(county)
    assert touches.protection(county.model, states, plans.NOW).unprotected == ()
    del states["t02-c3"]
    guard = touches.protection(county.model, states, plans.NOW)
    assert (guard.age_s, guard.unseen) == (None, ("t02-c3",))
    assert touches.protection(county.model, {}, plans.NOW).age_s is None


def test_the_oldest_state_is_the_age(county: County) -> None:
    states = plans.all_up(county)
    states["b01-c1"] = replace(states["b01-c1"], checked_at=plans.NOW - timedelta(minutes=9))
    assert touches.protection(county.model, states, plans.NOW).age_s == 540


# Whom it concerns ----------------------------------------------------------------------------------


def test_a_stage_costs_what_its_devices_carry() -> None:
    assert touches.effect(XIAO, ["t01-rt"]).sites_cut == ("t01", "s001")
    assert touches.effect(XIAO, ["t01-rt"]).halls_cut == ("t01",)
    assert touches.effect(XIAO, ["c3-core"]).sites_cut == ("c3",)
    assert touches.effect(XIAO, ["c3-core"]).sites_unprotected == ("c1", "c2", "t02", "b02", "b03")
    assert touches.effect(XIAO, []) == touches.Effect((), (), (), ())


def test_a_live_fault_makes_a_stage_cost_more_and_is_not_counted_itself() -> None:
    lame = touches.effect(XIAO, ["c3-core"], frozenset({"t02-c1"}))
    assert lame.sites_cut == ("c3", "t02")
    assert touches.effect(XIAO, [], frozenset({"t02-c1", "t02-c3"})).sites_cut == ()


def test_meetings_are_concerned_by_the_way_of_their_halls(county: County) -> None:
    held = plans.without_line(county, "t01-rt", "/etc/frr/frr.conf", "ip route")
    meeting = BookedMeeting(7, "防汛会商", plans.NOW, plans.NOW + timedelta(hours=1), ("t01", "t02"))
    plan = plans.make(county, {"t01-rt": held}, booked=(meeting,))
    assert [(each.id, each.halls, each.cut) for each in plan.touches.meetings] == [(7, ("t01",), ("t01",))]
    assert plan.touches.halls == ("t01",)
    assert plan.touches.sites == ("t01", "s001")
    assert plan.risk.level == "high"
    assert "meeting 7 防汛会商" in plan.risk.reasons[0]
    assert plans.make(county, {"t02-rt": plans.Held.as_model(county, "t02-rt")}).touches.meetings == ()


def test_what_only_watches_interrupts_nobody(county: County) -> None:
    held = plans.without_line(county, "t01-rt", "/etc/snmp/snmpd.conf", "sysName")
    plan = plans.make(county, {"t01-rt": held})
    assert plan.devices[0].groups == ("snmp",)
    assert plan.stages == (Stage("access", ("t01-rt",)),)
    assert plan.risk == Risk("low", ("nothing that forwards packets is loaded again",))


# Risk ----------------------------------------------------------------------------------------------

FRESH = Touches(links_age_s=3)


def test_risk_low_medium_high() -> None:
    model = SHILI.model
    assert risk(model, [device("t01-rt", "agent")], [], FRESH).level == "low"
    assert risk(model, [device("t01-rt", "frr")], [Stage("access", ("t01-rt",), ("t01",))], FRESH).level == "medium"
    assert risk(model, [device("c1-core", "frr")], [], FRESH).level == "medium"
    assert risk(model, [device("c1-fw", "nft")], [], FRESH).level == "high"
    many = Stage("access", (), tuple(f"t{number}" for number in range(10)))
    assert risk(model, [device("t01-rt", "frr")], [many], FRESH).level == "high"


@pytest.mark.parametrize(
    ("touched", "words"),
    [
        (Touches(links_age_s=None), "is not known"),
        (Touches(links_age_s=LINKS_FRESH_S + 1), f"{LINKS_FRESH_S + 1} s old"),
        (
            Touches(links_age_s=1, unprotected=(Unprotected("t01-c2", "t01: t01-c1 is down"),)),
            "t01-c2 has no protection",
        ),
    ],
)
def test_protection_that_is_gone_or_unknown_is_high(touched: Touches, words: str) -> None:
    found = risk(SHILI.model, [device("t01-rt", "frr")], [], touched)
    assert found.level == "high"
    assert words in found.reasons[0]
    assert risk(SHILI.model, [device("t01-rt", "snmp")], [], touched).level == "low"


def test_changes_by_hand_are_told_even_where_nothing_forwards() -> None:
    found = risk(SHILI.model, [device("t01-rt", "agent", running=("agent: differs",))], [], FRESH)
    assert found.level == "medium"
    assert "t01-rt was changed by hand" in found.reasons[0]


def test_the_gravest_reason_comes_first_and_gives_the_level() -> None:
    found = risk(SHILI.model, [device("c1-core", "frr"), device("c1-fw", "nft")], [], Touches())
    assert found.level == "high"
    assert [reason.partition(":")[0] for reason in found.reasons] == ["high", "high", "medium"]

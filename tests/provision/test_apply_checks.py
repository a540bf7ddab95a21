"""Why a plan is not applied now: protection, meetings, both arms, the way back; and the journal of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.tables import LinkStateRow, write_links
from inventory.model import Host, NetworkModel
from inventory.places import Places
from provision.broker.county import County
from provision.change import inband, journal
from provision.change.checks import LINKS_MAY_BE_S, Guard
from provision.change.journal import Journal
from provision.change.plan import Plan, PlanError, Stage
from provision.environment import load_environment
from provision.render import render
from store.engine import Store, open_store
from tests.provision import plans
from vconf import meetings


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> County:
    return plans.county(tmp_path_factory.mktemp("checks") / "county")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/s.db")
    yield opened
    opened.close()


def look(store: Store, model: NetworkModel, *down: str) -> None:
    """The collector has just looked at every link."""
    now = datetime.now(UTC)
    with store.session() as session:
        write_links(session, {name: ("down" if name in down else "up", "no carrier", now) for name in model.links})


def nft_plan(of: County, *hosts: str) -> Plan:
    """A plan that changes the underlay's ruleset of these hosts."""
    return plans.make(of, {host: plans.without_line(of, host, "/etc/nftables.conf", "policy") for host in hosts})


def reasons(of: County, store: Store, plan: Plan, *stages: Stage) -> list[str]:
    return Guard(of.model, store).reasons(plan, stages or plan.stages, 60)


def test_a_county_at_rest_takes_the_plan(of: County, store: Store) -> None:
    look(store, of.model)
    assert reasons(of, store, nft_plan(of, "c1-core", "c2-core", "c3-core", "t01-rt", "b01-rt")) == []


def test_protection_that_nobody_looked_at_is_not_known(of: County, store: Store) -> None:
    plan = nft_plan(of, "t01-rt")
    assert "protection is not known: nobody has looked at" in reasons(of, store, plan)[0]
    look(store, of.model)
    with store.session() as session:
        session.query(LinkStateRow).update({"checked_at": datetime.now(UTC) - timedelta(seconds=LINKS_MAY_BE_S + 9)})
    assert f"states are {LINKS_MAY_BE_S + 9} s old, and may be {LINKS_MAY_BE_S} s" in reasons(of, store, plan)[0]


def test_a_cut_ring_takes_no_plan_at_all(of: County, store: Store) -> None:
    look(store, of.model, "ring-c1-c2")
    found = reasons(of, store, nft_plan(of, "b03-rt"))
    assert found
    assert all("protection is already switched: ring-c1-c2 is down" in each for each in found)


def test_a_lost_arm_refuses_what_carries_the_other_and_nothing_else(of: County, store: Store) -> None:
    homes = of.model.sites["t01"].homes
    look(store, of.model, f"t01-{homes[0]}")
    for host in ("t01-rt", f"{homes[1]}-core"):
        assert f"so t01-{homes[1]} carries alone" in reasons(of, store, nft_plan(of, host))[0]
    other = next(site for site in of.model.sites.values() if site.code != "t01" and site.kind.value == "body")
    assert reasons(of, store, nft_plan(of, f"{other.code}-rt")) == []


def test_a_change_that_stops_no_packet_needs_no_protection(of: County, store: Store) -> None:
    held = plans.without_line(of, "t01-rt", "/etc/snmp/snmpd.conf", "sysLocation")
    assert reasons(of, store, plans.make(of, {"t01-rt": held})) == []


def test_both_arms_are_never_touched_at_once(of: County, store: Store) -> None:
    look(store, of.model)
    homes = tuple(f"{home}-core" for home in of.model.sites["t01"].homes)
    found = reasons(of, store, nft_plan(of, *homes), Stage("all", homes))
    assert any(f"touches both arms at once: {' and '.join(sorted(homes))}" in each for each in found)


def test_a_booked_meeting_that_could_be_cut_refuses(of: County, store: Store) -> None:
    look(store, of.model)
    plan = nft_plan(of, "t01-rt")
    with store.session() as session:
        booked = meetings.book(
            session, title="防汛会商", start_at=datetime.now(UTC) + timedelta(minutes=20), duration=timedelta(hours=1),
            halls=["t01", "t02"], who="chen", known_halls=of.model.halls,
        )  # fmt: skip
    assert f"meeting {booked.id} (防汛会商" in reasons(of, store, plan)[0]
    assert "could lose t01" in reasons(of, store, plan)[0]
    assert reasons(of, store, nft_plan(of, "b02-rt")) == []
    with store.session() as session:
        meetings.cancel(session, booked.id, who="chen")
    assert reasons(of, store, plan) == []


# The way back ---------------------------------------------------------------------------------------------------


def files(model: NetworkModel, host: str) -> dict[str, str]:
    rendered = render(model, host, load_environment("twin"))
    return {file.path: file.text for file in rendered if file.path in (inband.NETWORK, inband.FRR)}


def test_what_is_read_from_the_devices_files_walks_as_the_model_does(of: County) -> None:
    hosts = {host.name: inband.as_running(host, files(of.model, host.name)) for host in of.model.appliances()}
    read = replace(of.model, hosts=dict(of.model.hosts) | hosts)
    assert inband.reached(read) == inband.reached(of.model) == {host.name for host in of.model.appliances()}


def moved(host: Host, shift: int) -> Host:
    """The host with its management overlays in other VNIs."""
    vrfs = [
        replace(vrf, vxlans=tuple(replace(each, vni=each.vni + shift) for each in vrf.vxlans))
        if vrf.name == "mgmt"
        else vrf
        for vrf in host.vrfs
    ]
    return replace(host, vrfs=tuple(vrfs))


def test_an_overlay_moved_on_one_end_first_loses_the_other_and_is_refused(of: County) -> None:
    both = [host.name for host in of.model.hosts.values() if host.role.value in ("core", "access")]
    planned = replace(of.model, hosts=dict(of.model.hosts) | {name: moved(of.model.hosts[name], 500) for name in both})
    running = {name: files(of.model, name) for name in both}
    assert inband.lost(planned, running, [("all", both)]) == {}
    cores = [name for name in both if name.endswith("-core")]
    lost = inband.lost(planned, running, [("cores", cores), ("access", set(both) - set(cores))])
    assert set(lost) == {"cores"}
    assert {"t01-rt", "b01-rt"} <= set(lost["cores"])


def test_a_vtep_that_nobody_holds_loses_its_router_and_the_switch_behind_it(of: County) -> None:
    host = of.model.hosts["t01-rt"]
    vrfs = []
    for vrf in host.vrfs:
        wrong = tuple(
            replace(each, fdb=tuple((mac, IPv4Address("172.17.9.9")) for mac, _ in each.fdb)) for each in vrf.vxlans
        )
        vrfs.append(replace(vrf, vxlans=wrong) if vrf.name == "mgmt" else vrf)
    planned = replace(of.model, hosts=dict(of.model.hosts) | {host.name: replace(host, vrfs=tuple(vrfs))})
    running = {host.name: files(of.model, host.name)}
    assert inband.lost(planned, running, [("access", [host.name])]) == {"access": ("t01-rt", "t01-relay", "t01-sw")}


@given(
    st.text(max_size=60) | st.sampled_from(['{"namespaces": {"": 3}}', '{"namespaces": {"": {"links": {"p1": 0}}}}'])
)
def test_files_of_another_shape_tell_nothing_and_stop_nothing(text: str) -> None:
    from inventory.load import load_model

    host = load_model("xiao").hosts["t01-rt"]
    assert isinstance(inband.as_running(host, {inband.NETWORK: text, inband.FRR: text}), Host)


# The journal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path / self.instance))
    return Places("zaunit")


def test_a_journal_says_what_is_done_and_what_is_not(of: County, places: Places) -> None:
    plan = nft_plan(of, "t01-rt", "t02-rt")
    steps = Journal(places, plan.id)
    steps.keep(plan)
    steps.add("begin")
    steps.add("applied", stage="canary", host="t01-rt")
    steps.add("confirmed", stage="canary", host="t01-rt")
    again = Journal(places, plan.id)
    assert (again.confirmed, again.ended) == ({"t01-rt"}, "")
    assert journal.kept_plan(places, plan.id) == plan
    again.add("rolled-back", stage="canary", host="t01-rt")
    again.add("end", words="reverted")
    assert (Journal(places, plan.id).confirmed, Journal(places, plan.id).ended) == (frozenset(), "reverted")
    again.add("begin")
    assert Journal(places, plan.id).ended == ""
    assert [each.plan_id for each in journal.journals(places)] == [plan.id]


@given(st.integers(1, 30), st.binary(max_size=20))
def test_a_torn_line_hides_nothing_that_was_written(
    tmp_path_factory: pytest.TempPathFactory, cut: int, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Places, "lib", property(lambda _: path))
        steps = Journal(Places("zaunit"), "p")
        steps.folder.mkdir(exist_ok=True)
        steps.add("begin")
        whole = steps.path.stat().st_size
        steps.add("confirmed", host="t01-rt")
        data = steps.path.read_bytes()
        steps.path.write_bytes(data[: max(whole, len(data) - cut)] + tail)
        torn = Journal(Places("zaunit"), "p")
        assert torn.steps[0].what == "begin"
        torn.add("confirmed", host="t02-rt")
        assert "t02-rt" in Journal(Places("zaunit"), "p").confirmed


def test_one_run_at_a_time(places: Places) -> None:
    with journal.alone(places), pytest.raises(PlanError, match="is under way"), journal.alone(places):
        pass

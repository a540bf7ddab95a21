"""One fault for one root cause: every single fault of a county, pairs of them, flapping, restarts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.faults.book import Fault
from collectors.view import AgentView
from inventory.model import Role
from inventory.probes import link_paths

from .world import World, small

FIBRES = sorted(path.link for path in link_paths(small()))
BEHIND = {port.link for tunnel in small().tunnels.values() for port in small().hosts[tunnel.host].ports}
WATCHED = sorted(
    name for name, seen in World().county.links.items() if seen.state == "up" and name not in BEHIND | {"c2-nms-mgmt"}
)
ONE_CABLE = {"c1-nms", "s001-pc", "s002-pc", "t01-hall", "t02-hall", "v01-cpe"}
BOXES = sorted(
    name for name, seen in World().county.hosts.items()
    if seen.state == "up" and name != small().nms and name not in ONE_CABLE
)  # fmt: skip
DAEMONS = sorted(
    (host, name) for host, name in World().county.expected.services
    if name not in ("collect", "alertmanager") and (host, name) != (small().nms, "agent")
)  # fmt: skip
live = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def settled(world: World) -> None:
    """Everything is whole again, and nobody is called a second time."""
    before = world.opened
    world.dead.clear()
    world.cut.clear()
    world.silent.clear()
    world.stopped.clear()
    world.bad.clear()
    world.run(20)
    assert (world.open, world.opened) == ({}, before)


@live
@given(st.sampled_from(WATCHED))
def test_a_cut_cable_is_one_fault_within_a_second_and_a_half(link: str) -> None:
    world = World()
    world.cut.add(link)
    world.run(1.5)
    assert world.open == {f"link:{link}": "link-down"}
    world.run(4)
    assert world.opened == [f"link:{link}"]
    settled(world)


@live
@given(st.sampled_from(FIBRES))
def test_a_fibre_with_light_and_nothing_else_is_told_as_such(link: str) -> None:
    world = World()
    world.silent.add(link)
    world.run(6)
    assert (world.open, world.opened) == ({f"link:{link}": "link-silent"}, [f"link:{link}"])
    settled(world)


@pytest.mark.parametrize("relayed", [False, True])
def test_a_silent_fibre_is_sure_when_the_far_end_has_said_so_over_its_other_one(
    relayed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    speak, far = world._speak, world.county.views["t01-rt"]
    monkeypatch.setattr(world, "_speak", lambda name, **how: None if name == "t01-rt" else speak(name, **how))
    link = world.model.links["t01-c1"]
    near = next(end for end in link.ends if end.host == "c1-core")
    mine = next(port for port in world.model.hosts["t01-rt"].ports if port.link == "t01-c2")
    centre = world.model.hosts["c1-core"].port(near.port).address
    assert centre is not None
    assert mine.address is not None
    world.silent.add("t01-c1")  # its own words are on their way round
    world.run(0.4)
    assert world.open == {}
    if relayed:
        told = {"number": 1, "stopped": {}, "dark": [str(centre.ip)], "from": str(mine.address.ip)}
        world._change("c2-core", "told", "t01-rt", told)
        far.relayed_at = world.now
    world.run(0.4)
    assert world.open == ({"link:t01-c1": "link-silent"} if relayed else {})
    world.run(1.2)
    assert world.open == {"link:t01-c1": "link-silent"}


@live
@given(st.sampled_from(BOXES))
def test_a_dead_box_is_one_fault_and_nothing_behind_it_is(host: str) -> None:
    world = World()
    world.dead.add(host)
    world.run(2)
    assert world.open == {f"host:{host}": "host-down"}
    world.run(6)
    assert world.opened == [f"host:{host}"]
    settled(world)


@live
@given(st.sampled_from(DAEMONS))
def test_a_stopped_daemon_is_one_fault_though_its_site_is_out_of_reach(daemon: tuple[str, str]) -> None:
    world = World()
    world.stopped.add(daemon)
    world.run(2)
    key = f"service:{daemon[0]}/{daemon[1]}"
    assert world.open == {key: "service-down"}
    world.run(6)
    assert world.opened == [key]
    settled(world)


@live
@given(st.lists(st.sampled_from(WATCHED), min_size=2, max_size=2, unique=True), st.floats(0.0, 5.0))
def test_two_cut_cables_are_both_told(links: list[str], apart: float) -> None:
    """Unless they are all that a box hangs on, which then cannot be told from a dead one, or a whole duct."""
    world = World()
    world.cut.add(links[0])
    world.run(apart)
    world.cut.add(links[1])
    world.run(5)
    model = world.model
    named = set(world.open)
    if named != {f"link:{link}" for link in links}:
        (key,) = named - {f"link:{link}" for link in links}
        kind, _, name = key.partition(":")
        if kind == "duct":
            assert {link.name for link in model.links.values() if name in link.ducts} == set(links)
        else:
            assert kind == "host"
            assert {port.link for port in model.hosts[name].ports if port.peer_host in world.county.views} <= set(links)
    settled(world)


def test_a_management_host_that_sees_nothing_names_its_centre_or_its_own_cable() -> None:
    world = World()
    world.cut.add("c2-nms-mgmt")
    world.run(12)
    (fault,) = world.watch.book.open
    assert (fault.key, fault.detail["alternatives"]) == ("host:c2-core", ["c2-nms-mgmt"])
    assert world.opened == ["host:c2-core"]
    settled(world)


@pytest.mark.parametrize("host", ["v01-cpe", "s001-pc", "c1-nms"])
def test_a_box_with_one_cable_names_what_it_may_be(host: str) -> None:
    world = World()
    world.dead.add(host)
    world.run(5)
    (fault,) = world.watch.book.open
    assert host in fault.detail["alternatives"]
    assert world.opened == [fault.key]
    settled(world)


def test_a_duct_dug_up_is_one_fault_that_names_the_duct() -> None:
    world = World()
    members = {link.name for link in world.model.links.values() if "town" in link.ducts}
    assert len(members) > 1
    world.cut |= members
    world.run(3)
    assert world.open == {"duct:town": "duct-cut"}
    assert set(world.watch.book.open[0].links) == members
    settled(world)


@pytest.mark.parametrize("phase_s", [0.2, 0.5, 1.5, 4.0])
def test_a_link_that_flaps_is_one_fault_until_it_is_quiet(phase_s: float) -> None:
    world = World()
    for _ in range(6):
        world.cut.add("ring-c1-c2")
        world.run(phase_s)
        world.cut.clear()
        world.run(phase_s)
    assert world.open == {"link:ring-c1-c2": "link-flap"}
    assert world.watch.book.open[0].detail["downs"] >= 3
    world.run(10)
    assert world.open, "it has not been quiet for long enough"
    settled(world)
    assert world.opened == ["link:ring-c1-c2"]


def test_a_degraded_link_names_itself_and_its_death_is_another_call() -> None:
    world = World()
    world.run(11)  # figures of links that have just come up say nothing
    world.bad["t01-c1"] = {"sent": 32, "lost": 8, "lossy_trains": 4, "loss_ratio": 0.25, "rtt_min_ms": 0.3}
    world.run(2)
    assert world.open == {"link:t01-c1": "link-degraded"}
    assert world.watch.book.open[0].detail["loss_ratio"] == 0.25
    world.silent.add("t01-c1")  # BFD gives up for a moment: as bad as before, not dead
    world.run(2)
    world.silent.clear()
    assert world.opened == ["link:t01-c1"]
    world.cut.add("t01-c1")
    world.run(3)
    assert world.open == {"link:t01-c1": "link-down"}
    assert world.opened == ["link:t01-c1"] * 2
    world.bad.clear()
    settled(world)


def test_a_router_never_heard_itself_is_named_by_what_its_neighbours_pass_on() -> None:
    world = World()
    world.county.views["t01-rt"] = AgentView("t01-rt")
    world.stopped.add(("t01-rt", "ospfd"))
    world.run(12)
    assert world.opened == ["service:t01-rt/ospfd"]


def test_a_collector_that_stood_still_calls_nobody_dead() -> None:
    world = World()
    for seconds in (5.0, 2.0, 30.0):
        world.now += seconds  # nothing was read meanwhile
        world.county.evaluate(world.now, world.now)
        assert {seen.state for name, seen in world.county.hosts.items() if name in world.county.views} == {"up"}
        world.changes += world.watch.step(world.now, world.now)
        world.run(3)
    assert world.changes == []


def test_what_a_restarted_collector_finds_open_is_not_opened_again() -> None:
    world = World()
    world.cut.add("t01-c1")
    world.run(3)
    (open_then,) = world.watch.book.open
    after = World()
    after.watch.book.adopt([open_then], open_then.id + 1, after.now)
    after.cut.add("t01-c1")
    after.run(5)
    assert (after.opened, [fault.id for fault in after.watch.book.open]) == ([], [open_then.id])
    after.cut.add("t02-c3")
    after.run(3)
    assert [fault.id for fault in after.watch.book.open] == [open_then.id, open_then.id + 1]
    settled(after)


@pytest.mark.parametrize("host", ["t01-rt", "c1-core", "c3-srv"])
def test_what_died_before_the_collector_began_is_one_fault_too(host: str) -> None:
    world = World(dead={host})
    world.run(20)
    assert (world.open, world.opened) == ({f"host:{host}": "host-down"}, [f"host:{host}"])
    settled(world)


def test_a_fault_healed_while_nobody_looked_is_cleared() -> None:
    world = World()
    old = Fault(7, "link:t01-c1", "link-down", ("link-down", "critical"), "t01-c1", "t01", "critical", 1.0,
                ("t01-c1",), (), {})  # fmt: skip
    gone = Fault(8, "link:long-gone", "link-down", ("link-down", "critical"), "long-gone", "t01", "critical", 1.0,
                 ("long-gone",), (), {})  # fmt: skip
    world.watch.book.adopt([old, gone], 9, world.now)
    world.run(10)
    assert [(change.what, change.fault.id) for change in world.changes] == [("cleared", 7), ("cleared", 8)]


def test_numbers_grow_and_an_open_fault_tells_no_story_twice() -> None:
    world = World()
    world.dead.add("c1-core")
    world.run(20)
    assert world.opened == ["host:c1-core"]
    seen = [change.fault for change in world.changes]
    assert all(len(after.children) >= len(before.children) for before, after in pairwise(seen))
    assert any(world.model.hosts[child.subject].role is Role.FIREWALL for child in seen[-1].children
               if child.kind == "host")  # fmt: skip
    settled(world)

"""A fibre that loses so much that BFD gives up now and then: one fault and one call, in whatever order it is seen."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.faults.lines import PROVEN_S

from .world import World

LINK = "t01-c1"
LOSSY = {"sent": 40, "lost": 13, "lossy_trains": 6, "loss_ratio": 0.325, "rtt_min_ms": 0.3}
DEAD = {"sent": 40, "lost": 40, "lossy_trains": 7, "loss_ratio": 1.0, "rtt_min_ms": None}


def lossy(phases: list[tuple[bool, float]], figures_after_s: float) -> World:
    """BFD up or not, for so long each; the figures tell of the loss from a moment on."""
    world = World()
    world.run(11)  # figures of links that have just come up say nothing
    passed = 0.0
    for up, seconds in phases:
        world.silent = set() if up else {LINK}
        if passed < figures_after_s <= passed + seconds:
            world.run(figures_after_s - passed)
            world.bad[LINK] = LOSSY
            world.run(seconds - (figures_after_s - passed))
        else:
            world.run(seconds)
        passed += seconds
    world.bad[LINK] = LOSSY
    world.silent = set()
    world.run(12)
    return world


def healed(world: World, calls: int = 1) -> None:
    world.bad.clear()
    world.silent.clear()
    world.run(20)
    assert world.open == {}
    assert world.opened == [f"link:{LINK}"] * calls


@pytest.mark.parametrize("away_s", [0.6, 2.0, 6.0, PROVEN_S + 4])
def test_known_as_degraded_it_stays_that_while_bfd_is_away(away_s: float) -> None:
    world = lossy([(True, 4), (False, away_s)], 2)
    assert world.open == {f"link:{LINK}": "link-degraded"}
    assert {change.fault.kind for change in world.changes} == {"link-degraded"}
    healed(world)


def test_seen_as_silence_first_it_becomes_degraded_without_another_call() -> None:
    world = lossy([(False, PROVEN_S + 2), (True, 3), (False, 2)], 3)
    kinds = list(dict.fromkeys(change.fault.kind for change in world.changes))
    assert kinds == ["link-silent", "link-degraded"]
    assert world.watch.book.open[0].opened_as == ("link-silent", "critical")
    healed(world)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.4, 0.8, 1.6, 3.0, 5.0, 9.0, 14.0])), min_size=1, max_size=5),
    st.sampled_from([1.0, 3.0, 9.0]),  # a line that loses is told of within ten seconds
)
def test_whatever_the_order_there_is_one_call(phases: list[tuple[bool, float]], figures_after_s: float) -> None:
    healed(lossy(phases, figures_after_s))


def test_a_degraded_fibre_over_which_nothing_comes_back_any_more_is_another_call() -> None:
    world = lossy([(True, 4)], 2)
    world.silent.add(LINK)
    world.bad[LINK] = DEAD
    world.run(4)
    assert world.open == {f"link:{LINK}": "link-degraded"}
    world.run(PROVEN_S - 3)
    assert world.open == {f"link:{LINK}": "link-silent"}
    assert [change.fault.severity for change in world.changes if change.what == "opened"] == ["warning", "critical"]
    healed(world, calls=2)

"""The estimate against a simulated line: a queue of one second, a rate, jitter; and what a receiver is given by it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vconf.media.estimator import LEAST_BPS, Estimator
from vconf.media.layers import Wish, choose

_STEP_US, _FEEDBACK_US, _WAY_US, _QUEUE_US = 5_000, 50_000, 10_000, 1_000_000


def line(
    capacity_bps: Callable[[float], float],
    offered_bps: Callable[[int], float],
    seconds: float,
    jitter_ms: float = 0.0,
    clock_us: int = 0,
) -> tuple[Estimator, list[int]]:
    """Run it; the estimate after each second.  ``clock_us``: where the receiver's wrapping clock begins."""
    chance = random.Random(7)
    estimator, each_second = Estimator(0), []
    free_us, lost, sent = 0.0, 0, 0.0
    under_way: list[tuple[float, int, float]] = []  # arrival, sent at, octets sent up to it
    for now_us in range(_STEP_US, int(seconds * 1e6) + 1, _STEP_US):
        octets = offered_bps(estimator.bps) * _STEP_US / 8e6
        done_us = max(free_us, now_us) + octets * 8e6 / capacity_bps(now_us / 1e6)
        if done_us - now_us > _QUEUE_US:
            lost += 1
        else:
            free_us = done_us
            sent += octets
            late_us = chance.expovariate(1 / jitter_ms) * 1000 if jitter_ms else 0
            under_way.append((done_us + _WAY_US + late_us, now_us, sent))
        if now_us % _FEEDBACK_US == 0:
            came = [each for each in under_way if each[0] <= now_us - _WAY_US]
            under_way = [each for each in under_way if each[0] > now_us - _WAY_US]
            if came:
                arrived_us = min(came[-1][0], came[0][0] + came[-1][1] - came[0][1])
                estimator.feedback(
                    sent_us=came[-1][1],
                    arrived_us=(int(arrived_us) + clock_us) % (0x1000000 * 64_000),
                    octets=int(came[-1][2]),
                    lost=lost,
                    packets=len(came) + lost,
                    now_us=now_us,
                )
                lost = 0
        if now_us % 1_000_000 == 0:
            each_second.append(estimator.bps)
    return estimator, each_second


@pytest.mark.parametrize("jitter_ms", [0.0, 10.0])
@pytest.mark.parametrize("capacity", [500_000, 1_000_000, 2_000_000])
def test_a_narrow_line_is_found_and_held(capacity: int, jitter_ms: float) -> None:
    estimator, seen = line(lambda s: capacity, lambda bps: min(bps, 2_500_000), 30, jitter_ms)
    assert estimator.is_limited
    assert all(0.6 * capacity < bps < 1.25 * capacity for bps in seen[8:]), seen
    assert sum(seen[8:]) / len(seen[8:]) > 0.85 * capacity


@pytest.mark.parametrize("jitter_ms", [1.0, 15.0, 40.0])
def test_a_wide_line_is_not_taken_for_a_narrow_one(jitter_ms: float) -> None:
    estimator, seen = line(lambda s: 50e6, lambda bps: 1_800_000, 30, jitter_ms)
    assert not estimator.is_limited
    assert min(seen) >= 1_800_000


def test_a_line_that_narrows_is_followed_within_two_seconds_and_left_again() -> None:
    _, seen = line(lambda s: 600_000 if 10 <= s < 20 else 8e6, lambda bps: min(bps, 2_500_000), 40)
    assert seen[8] > 2_500_000
    assert max(seen[13:20]) < 750_000
    assert seen[39] > 2 * seen[19]


def test_the_receivers_clock_may_begin_anew() -> None:
    wrap = 0x1000000 * 64_000
    assert (
        line(lambda s: 1e6, lambda bps: min(bps, 2e6), 12, clock_us=wrap - 3_000_000)[1]
        == line(lambda s: 1e6, lambda bps: min(bps, 2e6), 12)[1]
    )


def test_loss_alone_brings_it_down_and_remb_is_believed_where_nothing_else_comes() -> None:
    estimator = Estimator(0)
    for step in range(60):
        at = step * 100_000
        estimator.feedback(sent_us=at, arrived_us=at + 5000, octets=step * 30_000, lost=4, packets=16, now_us=at)
    assert estimator.loss(at) == pytest.approx(0.25)
    assert estimator.bps < 1_500_000
    assert estimator.loss(at + 3_000_000) == 0, "who is sent nothing tells nothing: old losses are no verdict"
    estimator.feedback(sent_us=9_000_000, arrived_us=9_005_000, octets=9, lost=0, packets=30, now_us=9_000_000)
    assert estimator.loss(9_000_000) == 0
    other = Estimator(0)
    other.remb(700_000, 1)
    assert (other.bps, other.is_limited, other.sampled) == (700_000, True, True)
    other.remb(1, 2)
    assert other.bps == LEAST_BPS


CAMERA, SLIDES = (150_000, 500_000, 1_500_000), (400_000,)


def test_slides_before_camera_and_lowest_layers_before_higher_ones() -> None:
    camera, other, slides = Wish(CAMERA), Wish(CAMERA), Wish(SLIDES, priority=1)
    assert choose([camera, slides], 5e6).layers == [2, 0]
    assert choose([camera, slides], 500_000).layers == [-1, 0]
    assert choose([camera, slides], 600_000).layers == [0, 0]
    assert choose([camera, other], 420_000).layers == [0, 0]
    assert choose([camera, other], 800_000).layers == [1, 0]
    assert choose([camera, slides], 100_000).layers == [-1, -1]
    assert choose([camera, slides], 100_000, all_lowest=True).layers == [0, 0]


def test_a_choice_does_not_swing_and_caps_hold() -> None:
    assert choose([Wish(CAMERA, now=0)], 520_000).layers == [0]  # going up wants room to spare
    assert choose([Wish(CAMERA, now=1)], 520_000).layers == [1]
    assert choose([Wish(CAMERA, most=0)], 9e6).layers == [0]
    assert choose([Wish((150_000, 0, 900_000))], 9e6).layers == [2]  # one that does not arrive is left out
    assert choose([Wish((0, 0, 900_000), most=0)], 9e6).layers == [2]  # there is no other
    assert choose([Wish((0, 0, 0))], 9e6).layers == [-1]


@given(
    st.lists(
        st.builds(
            Wish,
            st.lists(st.integers(0, 3_000_000), max_size=3).map(sorted),
            st.integers(0, 2),
            st.none() | st.integers(0, 2),
            st.integers(-1, 2),
        ),
        max_size=8,
    ),
    st.integers(0, 20_000_000),
)
def test_what_is_chosen_fits_and_exists(wishes: list[Wish], budget: int) -> None:
    choice = choose(wishes, budget)
    chosen = [(wish, layer) for wish, layer in zip(wishes, choice.layers, strict=True) if layer >= 0]
    assert all(layer in wish.steps() for wish, layer in chosen)
    assert choice.used_bps == sum(wish.bps[layer] for wish, layer in chosen) <= budget
    best = all(layer == (wish.steps() or [-1])[-1] for wish, layer in zip(wishes, choice.layers, strict=True))
    assert (choice.missing_bps == 0) == best

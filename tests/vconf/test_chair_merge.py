"""A township that was on its own, and the county: what becomes of two accounts of one meeting."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vconf.test_chair_model import CONSOLES, HALLS, World, arguments
from vconf.chair import document
from vconf.chair.act import ACTIONS, SYSTEM, act
from vconf.chair.merge import Account, Stay, account, merge, read, settled, written
from vconf.chair.refusal import Refused
from vconf.chair.state import OPERATOR, Conference, SignIn
from vconf.chair.view import view

OURS = ["t03", "t04"]
"""Halls of the township."""

THERE = st.builds(
    Stay,
    venue=st.sampled_from(HALLS),
    joined=st.sampled_from([1.0, 2.0, 3.0]),
    left=st.none() | st.sampled_from([4.0, 5.0]),
)
SIGNED = st.builds(SignIn, heads=st.integers(0, 3), name=st.sampled_from(["", "李"]), at=st.sampled_from([1.0, 2.0]))


def some_state(seed: int, steps: int) -> Conference:
    """Any state that a meeting may come to, alone or not."""
    rng = random.Random(seed)
    world = World(rng.choice(["@li", "t01", "t03"]), rng.choice(HALLS))
    for _ in range(steps):
        world.step(rng)
    if rng.random() < 0.5:
        world.goes_alone(OURS)
        for _ in range(rng.randint(0, 5)):
            world.step(rng)
    return world.state


ACCOUNTS = st.builds(
    lambda seed, steps, stays, signed: replace(
        account(some_state(seed, steps), 1000.0, stays), signed={**dict(zip(HALLS, signed, strict=False))}
    ),
    seed=st.integers(0, 40),
    steps=st.integers(0, 12),
    stays=st.lists(THERE, max_size=4),
    signed=st.lists(SIGNED, max_size=3),
)


@given(ACCOUNTS, ACCOUNTS, ACCOUNTS)
@settings(max_examples=60, deadline=None)
def test_the_order_does_not_matter_and_twice_is_once(one: Account, two: Account, three: Account) -> None:
    both = merge(one, two)
    assert both == merge(two, one)
    assert merge(one, one) == one
    assert merge(both, two) == both
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert both.state in (one.state, two.state)
    assert {(stay.venue, stay.joined) for stay in both.stays} == {
        (stay.venue, stay.joined) for stay in one.stays | two.stays
    }
    for venue, sign in both.signed.items():
        assert sign in (one.signed.get(venue), two.signed.get(venue))
        assert all(sign.at >= each.signed[venue].at for each in (one, two) if venue in each.signed)
    assert {*both.signed} == {*one.signed, *two.signed}
    there = json.loads(json.dumps(written(both)))
    assert read(there).state == both.state
    assert read(there).stays == both.stays


def meeting(owner: str = "@li", *there: str) -> World:
    """In which these are, and the county's chair broadcasts t02."""
    world = World(owner, "t01")
    world.comes_or_goes("t04")
    for who in there:
        world.comes_or_goes(who)
    world.does(world.state.chair, "broadcast", {"venue": "t02"})
    return world


def apart(world: World) -> World:
    """The township's world from now on; in the county its halls are gone."""
    township = copy.deepcopy(world)
    township.goes_alone(OURS)
    for hall in OURS:
        if hall in world.oracle.connected:
            world.comes_or_goes(hall)
    return township


def test_a_township_alone_has_a_chair_at_once_and_leaves_the_meeting_s_end_to_the_county() -> None:
    world = meeting("@li", "@li")
    township = apart(world)
    assert (township.state.chair, township.state.epoch) == ("t03", world.state.epoch + 1)
    assert document.shared(township.state)["alone"] is True
    assert view(township.state, "t04").show == ("t03",), "who is broadcast is elsewhere: they see each other"
    township.does("t03", "broadcast", {"venue": "t04"})
    assert view(township.state, "t03").show == ("t04",)
    for action, args in (("end", {}), ("handOver", {"to": "t04"}), ("extend", {"minutes": 5})):
        for who in ("t03", OPERATOR):
            with pytest.raises(Refused) as refused:
                act(township.state, who, action, args, 2000.0)
            assert refused.value.code == "alone"


def test_the_county_s_chair_wins_over_a_deputy() -> None:
    world = meeting("@li", "@li")
    township = apart(world)
    township.does("t03", "broadcast", {"venue": "t04"})
    township.does("t03", "lock", {"on": True})
    world.does("@li", "broadcast", {"venue": "t01"})
    after = settled(world.state, account(township.state, township.now), world.now)
    assert (after.programme.broadcast, after.locked, after.chair) == ("t01", False, "@li")
    assert after.epoch > max(world.state.epoch, township.state.epoch)
    assert settled(after, account(township.state, township.now), world.now).programme == after.programme, (
        "what comes late yields"
    )


def test_whoever_acts_for_the_county_s_chair_by_the_rules_wins_too() -> None:
    world = meeting("@li")  # the owner never came: the main venue acts
    township = apart(world)
    township.does("t03", "broadcast", {"venue": "t04"})
    assert settled(world.state, account(township.state, township.now), world.now).programme.broadcast == "t02"


def test_the_chair_s_own_township_wins_over_who_acts_for_it() -> None:
    world = meeting("t03")
    township = apart(world)
    township.does("t03", "broadcast", {"venue": "t04"})
    world.passes(20.0)
    assert world.state.chair == "t01"
    world.does("t01", "broadcast", {"venue": "t02"})
    after = settled(world.state, account(township.state, township.now), world.now)
    assert after.programme.broadcast == "t04"
    assert after.venues["t01"].present
    assert not after.venues["t03"].present, "it is not back yet"
    assert act(after, SYSTEM, "arrive", {"venue": "t03"}, world.now).state.chair == "t03"


@pytest.mark.parametrize("seconds", [2.0, 60.0])
def test_where_the_county_had_nobody_the_higher_epoch_counts(seconds: float) -> None:
    world = World("@li", "t03")
    world.comes_or_goes("t04")
    for hall in ("t01", "t02"):
        world.comes_or_goes(hall)
    township = apart(world)
    township.does("t03", "broadcast", {"venue": "t04"})
    township.does("t04", "signIn", {"heads": 12, "name": "李"})
    world.passes(seconds)
    after = settled(world.state, account(township.state, township.now), world.now)
    assert after.programme.broadcast == "t04"
    assert after.programme_number == after.number
    sign = after.venues["t04"].signed
    assert sign is not None
    assert sign.heads == 12
    assert not after.deputies


@pytest.mark.parametrize("seed", range(3))
def test_apart_and_together_again_nothing_is_shown_that_the_rules_do_not_say(seed: int) -> None:
    """Both worlds are checked against an oracle each after every step; afterwards the state is a sound one."""
    rng = random.Random(seed)
    for _ in range(12):
        world = World(rng.choice(["@li", "t01", "t03"]), rng.choice(HALLS))
        for _ in range(20):
            world.step(rng)
        township = apart(world)
        for _ in range(25):
            rng.choice([world, township]).step(rng, alone=True)
        people = {who: world.state.there(who) for who in [*world.state.venues, *world.state.consoles]}
        after = settled(world.state, account(township.state, township.now), world.now)
        assert {who: after.there(who) for who in people} == people, "who is in stays in, who is out does not appear"
        assert after.owner == world.state.owner
        assert after.programme in (world.state.programme, after.programme)
        assert document.from_whole(json.loads(json.dumps(document.whole(after)))) == after
        assert all(after.there(hand.venue) for hand in after.hands)
        again = settled(after, account(township.state, township.now), world.now)
        assert again.epoch > after.epoch > township.state.epoch
        for who in [*HALLS, *CONSOLES]:
            view(after, who)
        # the township's halls come back, and the county's rules go on
        for hall in sorted(set(OURS) & township.oracle.connected):
            after = act(after, SYSTEM, "arrive", {"venue": hall}, world.now).state
        if after.chair in after.venues or after.chair in after.consoles:
            act(after, OPERATOR, "muteAll", {}, world.now)


def test_every_refusal_alone_is_one_of_the_chair_s_own() -> None:
    rng = random.Random(1)
    township = apart(meeting("@li", "@li"))
    refused = set()
    for action in [name for name, row in ACTIONS.items() if row.may != "system"]:
        try:
            act(township.state, OPERATOR, action, arguments(rng, action), township.now)
        except Refused as no:
            if no.code == "alone":
                refused.add(action)
    assert refused == {"end", "handOver", "extend"}

"""The chair's rules against an oracle that knows them in another way: every hall's own view after every step."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from vconf.chair import document
from vconf.chair.act import ACTIONS, SYSTEM, act
from vconf.chair.merge import alone
from vconf.chair.oracle import Oracle, wrong
from vconf.chair.refusal import Refused
from vconf.chair.state import OPERATOR, Conference, opened
from vconf.chair.view import heard, may_see, you
from vconf.rooms import enforce

HALLS = ["t01", "t02", "t03", "t04"]
GUEST, STREAM, CONSOLES = "g-1", "s-1", ["@li", "@wang"]
EVERYBODY = [*HALLS, GUEST, STREAM, *CONSOLES]
ACTORS = [*EVERYBODY, OPERATOR]
BY_PEOPLE = [name for name, action in ACTIONS.items() if action.may != "system"]


def arguments(rng: random.Random, action: str) -> dict[str, Any]:
    """Well-formed arguments of an action, those that need not be given now and then left out."""
    some = rng.sample(HALLS, rng.randint(0, 4))
    makes: dict[str, Callable[[], Any]] = {
        "venue": lambda: rng.choice(["", *HALLS] if action == "watch" else HALLS),
        "venues": lambda: some,
        "on": lambda: rng.random() < 0.7,
        "to": lambda: rng.choice(EVERYBODY),
        "heads": lambda: rng.randint(0, 9999),
        "text": lambda: rng.choice(["", "散会", "lunch"]),
        "name": lambda: "李",
        "ticker": lambda: True,
        "scope": lambda: rng.choice(["all", "chair"]),
        "intervalS": lambda: rng.choice([5.0, 20.0]),
        "minutes": lambda: 1,
    }
    if action == "display":
        mode = rng.choice(["fixed", "voice", "grid", "pip"])
        return {"mode": mode, "venues": rng.sample(HALLS, {"fixed": 1, "voice": 0, "pip": 2}.get(mode, len(some)))}
    found = ACTIONS[action]
    return {name: makes[name]() for name in found.args if name in found.needs or rng.random() < 0.5}


class World:
    """The state and the oracle side by side."""

    def __init__(self, owner: str, main: str) -> None:
        self.now = 1000.0
        self.state = opened(
            meeting=7,
            venues={code: (code, code) for code in HALLS},
            main=main,
            owner=owner,
            starts_at=self.now,
            ends_at=self.now + 3600,
        )
        self.oracle = Oracle(HALLS, main=main, owner=owner)
        self.done: Counter[tuple[str, bool]] = Counter()
        self.people = EVERYBODY  # who may come and go
        for hall in HALLS[:3]:
            self.system("arrive", {"venue": hall})

    def system(self, action: str, args: dict[str, Any]) -> None:
        """Something that happens by itself."""
        self.state = act(self.state, SYSTEM, action, args, self.now).state
        self.oracle.did(SYSTEM, action, args, self.now)
        self.check((action, args))

    def comes_or_goes(self, who: str) -> None:
        """A connection begins or ends."""
        if who in self.oracle.connected:
            self.system("depart", {"who": who})
        elif who in CONSOLES:
            self.system("arriveConsole", {"console": who, "name": who})
        else:
            self.system("arrive", {"venue": who} | ({"kind": "stream"} if who == STREAM else {}))

    def passes(self, seconds: float) -> None:
        """Time."""
        self.now += seconds
        self.system("tick", {})

    def loudest(self, who: str) -> None:
        """The relay hears somebody."""
        if self.oracle.inside(who):
            self.system("speaker", {"venue": who})

    def does(self, who: str, action: str, args: dict[str, Any]) -> None:
        """Somebody tries something; it is done or refused, as the oracle says."""
        self.now += 0.1
        allowed = self.oracle.allows(who, action, args)
        after = attempt(self.state, who, action, args, self.now)
        assert (after is not None) == allowed, (who, action, args)
        self.done[action, allowed] += 1
        if after is not None:
            self.state = after
            self.oracle.did(who, action, args, self.now)
        self.check((who, action, args))

    def restarts(self) -> None:
        """What the store kept is taken up; everybody comes back in some order; nothing is forgotten."""
        before = {who: you(self.state, who)["view"] for who in self.oracle.connected}
        kept = json.loads(json.dumps(document.whole(self.state)))
        assert document.from_whole(kept) == self.state
        self.state = document.taken_up(self.state, self.now)
        assert self.state.epoch == kept["epoch"] + 1
        for who in sorted(self.oracle.connected):
            action, key = ("arriveConsole", "console") if who in CONSOLES else ("arrive", "venue")
            self.state = act(self.state, SYSTEM, action, {key: who}, self.now).state
        entered = {v.id for v in self.state.venues.values() if v.there} - self.oracle.let_in
        for who in sorted(entered):  # it waited at a door that is not locked any more, and walks in
            self.oracle.did(SYSTEM, "arrive", {"venue": who}, self.now)
        if self.oracle.gone_at is not None:
            self.oracle.gone_at = self.now  # an absent chair has its grace anew
        poll = self.state.programme.poll  # it may have gone on to whoever was back first
        assert poll or entered or before == {who: you(self.state, who)["view"] for who in self.oracle.connected}
        self.oracle.poll_is(poll.venue if poll else "", self.now)
        self.check("restart")

    def goes_alone(self, halls: list[str]) -> None:
        """The tier with these halls loses the county; they come back to it, nobody else does."""
        here, epoch = self.oracle.connected & set(halls), self.state.epoch
        self.state = alone(self.state, halls, self.now)
        self.oracle.alone(halls, self.now)
        assert self.state.epoch == epoch + 1
        self.people = [*halls, *CONSOLES]
        for hall in sorted(here):
            self.system("arrive", {"venue": hall})

    def check(self, after: Any) -> None:
        """Every participant is told what the oracle expects; who is out gets and gives nothing."""
        state = self.state
        for who in [*state.venues, *state.consoles]:
            told = enforce.told(state, who)
            assert wrong(self.oracle, who, told) == {}, (after, who)
            assert ("chair" in told) == state.there(who), "who is out is told nothing of the meeting"
        for who in state.venues:
            if not state.there(who):
                assert not heard(state, who)
                assert not any(may_see(state, who, other) for other in state.venues)

    def step(self, rng: random.Random, *, alone: bool = False) -> None:
        """Anything; mostly the chair at work."""
        kind = rng.random()
        if kind < 0.12:
            self.comes_or_goes(rng.choice(self.people))
        elif kind < 0.2:
            self.passes(rng.choice([0.5, 5.0, 15.0, 21.0]))
        elif kind < 0.24:
            self.loudest(rng.choice(HALLS))
        elif kind < 0.26 and not alone:
            self.restarts()
        else:
            action = rng.choice([name for name in ACTIONS if ACTIONS[name].may != "system" and name != "end"])
            who = self.state.chair if rng.random() < 0.6 else rng.choice(ACTORS)
            self.does(who, action, arguments(rng, action))


class Meeting(RuleBasedStateMachine):
    """Anybody does anything at any time; venues, consoles and the server itself come and go."""

    world: World

    @initialize(owner=st.sampled_from(["@li", "t01", "t02"]), main=st.sampled_from(HALLS))
    def begin(self, owner: str, main: str) -> None:
        self.world = World(owner, main)

    @rule(who=st.sampled_from(EVERYBODY))
    def comes_or_goes(self, who: str) -> None:
        self.world.comes_or_goes(who)

    @rule(seconds=st.sampled_from([0.5, 5.0, 15.0, 21.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.passes(seconds)

    @rule(who=st.sampled_from(HALLS))
    def is_loudest(self, who: str) -> None:
        self.world.loudest(who)

    @rule()
    def server_restarts(self) -> None:
        self.world.restarts()

    @precondition(lambda self: not self.world.state.deputies)
    @rule(halls=st.lists(st.sampled_from(HALLS), min_size=1, max_size=3, unique=True))
    def a_township_goes_on_alone(self, halls: list[str]) -> None:
        self.world.goes_alone(halls)

    @rule(rng=st.randoms(use_true_random=False), action=st.sampled_from(BY_PEOPLE), who=st.sampled_from(ACTORS))
    def somebody_acts(self, rng: random.Random, action: str, who: str) -> None:
        self.world.does(who, action, arguments(rng, action))

    @rule(rng=st.randoms(use_true_random=False), actions=st.lists(st.sampled_from(BY_PEOPLE), min_size=1, max_size=6))
    def the_chair_works(self, rng: random.Random, actions: list[str]) -> None:
        for action in actions:
            self.world.does(self.world.state.chair, action, arguments(rng, action))


TestMeeting = Meeting.TestCase
TestMeeting.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_meeting_never_leaves_the_oracle(seed: int) -> None:
    rng = random.Random(seed)
    done: Counter[tuple[str, bool]] = Counter()
    for _ in range(14):
        world = World(rng.choice(["@li", "t01", "t02"]), rng.choice(HALLS))
        for _ in range(100):
            world.step(rng)
        done += world.done
    lacking = {name for name in BY_PEOPLE if name != "end" and not done[name, True]}
    assert not lacking, "these were never done"


def attempt(state: Conference, who: str, action: str, args: dict[str, Any], now: float) -> Conference | None:
    """The state after an action; None: refused."""
    try:
        return act(state, who, action, args, now).state
    except Refused:
        return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(HALLS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(sorted({name for action in ACTIONS.values() for name in action.args} | {"expect", "x"}))


@given(action=st.sampled_from(list(ACTIONS)) | st.text(max_size=8), args=st.dictionaries(NAMES, JSON, max_size=4))
@settings(max_examples=300)
def test_whatever_a_page_sends_is_done_or_refused(action: str, args: dict[str, Any]) -> None:
    state = World("t01", "t01").state
    after = attempt(state, "t01", action, args, 1001.0)
    if after is not None:
        assert document.from_whole(json.loads(json.dumps(document.whole(after)))) == after

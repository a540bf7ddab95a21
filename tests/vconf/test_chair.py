"""The chair's rules in the open: what happens when two chair, when a chair vanishes, when what is shown dies."""

from __future__ import annotations

from typing import Any

import pytest

from vconf.chair.act import SYSTEM, act
from vconf.chair.door import CHAIR_AWAY_S
from vconf.chair.effects import Effect
from vconf.chair.refusal import Refused
from vconf.chair.state import OPERATOR, Conference, opened
from vconf.chair.view import heard, may_see, view


class Story:
    """A meeting told step by step."""

    def __init__(self, *halls: str, owner: str = "@li", main: str = "t01") -> None:
        self.now = 0.0
        self.state: Conference = opened(
            meeting=1,
            venues={hall: (hall, hall) for hall in halls},
            main=main,
            owner=owner,
            starts_at=0,
            ends_at=3600,
        )
        self.effects: tuple[Effect, ...] = ()
        for hall in halls:
            self.come(hall)

    def do(self, who: str, action: str, /, **args: Any) -> None:
        self.state, self.effects = (done := act(self.state, who, action, args, self.now)).state, done.effects

    def refused(self, who: str, action: str, /, **args: Any) -> str:
        with pytest.raises(Refused) as caught:
            act(self.state, who, action, args, self.now)
        return caught.value.code

    def come(self, who: str) -> None:
        if who.startswith("@"):
            self.do(SYSTEM, "arriveConsole", console=who)
        else:
            self.do(SYSTEM, "arrive", venue=who)

    def go(self, who: str) -> None:
        self.do(SYSTEM, "depart", who=who)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.do(SYSTEM, "tick")

    def screen(self, who: str) -> tuple[str, ...]:
        return view(self.state, who).show


def test_a_broadcast_venue_that_dies_is_stood_in_for_and_comes_back() -> None:
    story = Story("t01", "t02", "t03")
    story.do("t01", "broadcast", venue="t03")
    assert (story.screen("t02"), story.screen("t03")) == (("t03",), ("t01",))
    story.go("t03")
    assert story.state.programme.broadcast == "t03"
    assert story.screen("t02") == ("t01",)
    story.come("t03")
    assert story.screen("t02") == ("t03",)


def test_a_chair_that_vanishes_is_acted_for_and_comes_back() -> None:
    story = Story("t01", "t02", "t03")
    assert story.state.chair == "t01", "the owner has not come yet"
    story.come("@li")
    assert story.state.chair == "@li"
    story.do("@li", "coChair", venue="t03", on=True)
    story.go("@li")
    story.wait(CHAIR_AWAY_S - 1)
    assert story.state.chair == "@li"
    story.wait(1)
    assert story.state.chair == "t03", "the first co-chair before the main venue"
    story.do("t03", "broadcast", venue="t02")
    story.come("@li")
    assert (story.state.chair, story.state.programme.broadcast) == ("@li", "t02")
    story.do("@li", "handOver", to="t02")
    story.go("@li")
    story.wait(60)
    story.come("@li")
    assert story.state.chair == "t02", "handed over for good"


def test_of_two_chairs_the_later_is_told_and_nothing_is_overwritten_unseen() -> None:
    story = Story("t01", "t02", "t03")
    story.come("@li")
    story.come("@wang")
    seen = story.state.number
    story.do("@li", "broadcast", venue="t02", expect=seen)
    assert story.refused("@wang", "broadcast", venue="t03", expect=seen) == "stale"
    assert story.state.programme.broadcast == "t02"
    story.do("@wang", "mute", venue="t03", expect=seen)  # not what all are shown: nobody is in nobody's way
    story.do("@wang", "broadcast", venue="t03", expect=story.state.number)
    assert story.refused("@wang", "handOver", to="t02") == "chair-only"


def test_a_mistaken_broadcast_is_taken_back_whole() -> None:
    story = Story("t01", "t02", "t03")
    story.do("t01", "poll", venues=["t02", "t03"], intervalS=10)
    story.do("t01", "broadcast", venue="t01")
    story.do("t01", "undo")
    assert story.screen("t01") == ("t02",)
    assert story.refused("t01", "undo") == "nothing"


def test_a_roll_call_lets_two_be_heard_and_gives_back_what_was() -> None:
    story = Story("t01", "t02", "t03")
    story.do("t01", "mute", venue="t03")
    story.do("t01", "broadcast", venue="t02")
    story.do("t01", "rollCall", venue="t03")
    assert [heard(story.state, hall) for hall in ("t01", "t02", "t03")] == [True, False, True]
    assert story.screen("t02") == ("t03",)
    story.do("t01", "endRoll")
    assert [heard(story.state, hall) for hall in ("t01", "t02", "t03")] == [True, True, False]
    assert story.screen("t03") == ("t02",)
    story.do("t01", "rollCall", venue="t03")
    story.do("t01", "cancelBroadcast")
    assert (story.state.programme.roll, story.state.programme.broadcast) == ("", "")


def test_polling_skips_who_is_absent_and_waits_when_all_are() -> None:
    story = Story("t01", "t02", "t03", "t04")
    story.do("t01", "poll", venues=["t02", "t03", "t04"], intervalS=10)
    story.go("t03")
    seen = []
    for _ in range(3):
        seen.append(story.screen("t01"))
        story.wait(10)
    assert seen == [("t02",), ("t04",), ("t02",)]
    story.go("t04")
    assert story.screen("t01") == ("t02",), "at once, not at the end of its time"
    story.go("t02")
    assert story.screen("t01") == ()
    story.come("t03")
    assert story.screen("t01") == ("t03",)


def test_selective_view_changes_nobody_elses_picture() -> None:
    story = Story("t01", "t02", "t03", "t04")
    story.come("@li")
    story.do("@li", "display", mode="fixed", venues=["t02"])
    story.do("@li", "watch", venue="t04")
    assert (story.screen("@li"), story.screen("t03")) == (("t04",), ("t02",))
    assert story.refused("t03", "watch", venue="t04") == "view-fixed"
    story.do("@li", "allowView", venue="t03", on=True)
    story.do("t03", "watch", venue="t04")
    assert story.screen("t03") == ("t04",)
    assert not may_see(story.state, "t03", "t02")
    story.do("@li", "broadcast", venue="t01")
    assert story.screen("t03") == ("t01",), "what is broadcast is seen by all"
    assert story.screen("@li") == ("t04",), "the chair watches what it likes"


def test_slides_go_one_at_a_time_to_who_has_a_reason() -> None:
    story = Story("t01", "t02", "t03")
    assert story.refused("t02", "slides", on=True) == "no-floor"
    story.do("t02", "raiseHand")
    story.do("t01", "grant", venue="t02")
    story.do("t02", "slides", on=True)
    story.do("t01", "grant", venue="t03")
    assert story.refused("t03", "slides", on=True) == "taken"
    story.go("t02")
    story.do("t03", "slides", on=True)
    story.do("t01", "endFloor", venue="t03")
    assert story.state.slides == ""


def test_whoever_is_cut_is_out_until_let_in_and_the_chairs_venue_cannot_be() -> None:
    story = Story("t01", "t02", "t03")
    story.do("t01", "cut", venue="t02")
    assert story.effects == (Effect("eject", {"venue": "t02", "reason": "cut"}),)
    story.come("t02")
    assert (story.state.waiting, story.screen("t02")) == (("t02",), ())
    assert story.refused("t02", "raiseHand") == "absent"
    story.do(OPERATOR, "admitAll")
    assert story.state.there("t02")
    assert story.refused(OPERATOR, "cut", venue="t01") == "chair-venue"


def test_a_meeting_lasts_twelve_hours_at_most() -> None:
    story = Story("t01", "t02")
    for _ in range(2):
        story.do("t01", "extend", minutes=240)
    assert story.refused("t01", "extend", minutes=240) == "long"
    story.do("t01", "end")
    assert story.refused("t01", "muteAll") == "ended"

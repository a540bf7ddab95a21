"""One action on the state: who may, with which arguments, and what comes of it.

>>> from vconf.chair.state import opened
>>> state = opened(meeting=7, venues={"t01": ("青松", "Qingsong"), "t02": ("白云", "Baiyun")},
...                main="t01", owner="@li", starts_at=0, ends_at=3600)
>>> for venue in ("t01", "t02"):
...     state = act(state, SYSTEM, "arrive", {"venue": venue}, now=1.0).state
>>> act(state, "t01", "broadcast", {"venue": "t02"}, now=2.0).state.programme.broadcast
't02'
>>> act(state, "t02", "muteAll", {}, now=3.0)
Traceback (most recent call last):
    ...
vconf.chair.refusal.Refused: only the chair or a co-chair may do this
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from vconf.chair import door, floor, programme, recording
from vconf.chair.arguments import (
    Arguments,
    Check,
    flag,
    integer,
    one_of,
    seconds,
    text,
    venue,
    venue_list,
    venue_or_none,
)
from vconf.chair.effects import Effect, Outcome
from vconf.chair.refusal import Refused
from vconf.chair.state import OPERATOR, Conference
from vconf.chair.view import chairs

SYSTEM = "system"
"""Who the signalling itself is: arrivals, departures, time, the loudest venue."""

NOT_ALONE = frozenset({"end", "handOver", "extend"})
"""What a tier on its own leaves to the one above: it has only a deputy, and a part of the meeting."""

May = Literal["system", "chair", "council", "venue"]


@dataclass(frozen=True, slots=True)
class Action:
    """``may``: who ("venue": everybody, for itself); ``args``: name -> check, ``needs`` those that must be given."""

    may: May
    do: Callable[[Conference, str, Arguments, float], Outcome]
    args: Mapping[str, Check]
    needs: tuple[str, ...] = ()
    programme: bool = False  # changes what everybody is shown: can be undone, and ``expect`` is looked at
    line: str = ""  # for the command's help


ACTIONS: dict[str, Action] = {
    # what everybody is shown
    "rollCall": Action("council", programme.roll_call, {"venue": venue}, ("venue",), True, "call one venue (点名)"),
    "endRoll": Action("council", programme.end_roll, {}, (), True, "end the roll call"),
    "broadcast": Action("council", programme.broadcast, {"venue": venue}, ("venue",), True, "show one venue to all"),
    "cancelBroadcast": Action("council", programme.cancel, {}, (), True, "clear broadcast and roll call together"),
    "poll": Action(
        "council",
        programme.poll,
        {"venues": venue_list, "intervalS": seconds(5, 600), "scope": one_of("all", "chair")},
        (),
        True,
        "go through venues at an interval (轮询)",
    ),
    "stopPoll": Action("council", programme.stop_poll, {}, (), True, "stop polling"),
    "display": Action(
        "council",
        programme.display,
        {"mode": one_of("fixed", "voice", "grid", "pip"), "venues": venue_list},
        ("mode",),
        True,
        "what is shown while nothing else is",
    ),
    "undo": Action("council", programme.undo, {}, (), True, "take back the last change of what all are shown"),
    # who speaks
    "mute": Action("council", floor.mute, {"venue": venue}, ("venue",), line="mute one venue"),
    "unmute": Action("council", floor.unmute, {"venue": venue}, ("venue",), line="unmute one venue"),
    "muteAll": Action("council", floor.mute_all, {}, line="mute all but the main venue and the chair's"),
    "unmuteAll": Action("council", floor.unmute_all, {}, line="unmute all"),
    "grant": Action("council", floor.grant, {"venue": venue}, ("venue",), line="give the floor, and unmute"),
    "endFloor": Action("council", floor.end_floor, {"venue": venue}, ("venue",), line="take the floor back"),
    "lowerAll": Action("council", floor.lower_all, {}, line="lower all hands"),
    "raiseHand": Action("venue", floor.raise_hand, {}, line="ask for the floor (申请发言)"),
    "lowerHand": Action("venue", floor.lower_hand, {"venue": venue}, line="lower a hand"),
    "slides": Action("venue", floor.slides, {"venue": venue, "on": flag}, ("on",), line="show slides (双流)"),
    "watch": Action("venue", floor.watch, {"venue": venue_or_none}, ("venue",), line="choose what to watch (选看)"),
    "allowView": Action("council", floor.allow_view, {"venue": venue, "on": flag}, ("venue", "on"),
                        line="let a venue choose what it watches"),
    "signIn": Action(
        "venue",
        floor.sign_in,
        {"venue": venue, "heads": integer(0, 9999), "name": text(40)},
        ("heads",),
        line="sign in with the head-count (签到)",
    ),
    "banner": Action("council", floor.banner, {"text": text(200), "ticker": flag}, ("text",),
                     line="a line in every venue; an empty text clears it"),
    "startRecording": Action("council", recording.start, {}, line="record the meeting (录制); every venue is told"),
    "stopRecording": Action("council", recording.stop, {}, line="end the recording"),
    # who is in
    "lock": Action("council", door.lock, {"on": flag}, ("on",), line="newcomers wait"),
    "admit": Action("council", door.admit, {"venue": venue}, ("venue",), line="let in from the waiting room"),
    "admitAll": Action("council", door.admit_all, {}, line="let in everybody who waits"),
    "cut": Action("council", door.cut, {"venue": venue}, ("venue",), line="cut a venue off"),
    "coChair": Action("chair", door.co_chair, {"venue": venue, "on": flag}, ("venue", "on"),
                      line="make a venue a co-chair"),
    "handOver": Action("chair", door.hand_over, {"to": text(64)}, ("to",), line="hand the chair over"),
    "extend": Action("council", door.extend, {"minutes": integer(1, 240)}, ("minutes",), line="make it longer"),
    "end": Action("chair", door.end, {}, line="end the meeting"),
    # what happens by itself
    "arrive": Action(
        "system",
        door.arrive,
        {"venue": text(64), "zh": text(80), "en": text(80), "kind": one_of("guest", "stream")},
        ("venue",),
    ),
    "arriveConsole": Action("system", door.arrive_console, {"console": text(64), "name": text(80)}, ("console",)),
    "depart": Action("system", door.depart, {"who": text(64)}, ("who",)),
    "speaker": Action("system", floor.speaker, {"venue": venue_or_none}, ("venue",)),
    "tick": Action("system", door.tick, {}),
    "recorder": Action(
        "system",
        recording.recorder,
        {"recording": integer(1, 1_000_000), "running": flag, "problem": text(200)},
        ("recording", "running", "problem"),
    ),
}  # fmt: skip


def act(state: Conference, who: str, action: str, args: Mapping[str, Any], now: float) -> Outcome:
    """The state after an action, and what has to be done about it.

    Args:
        state: Before; it stays as it is.
        who: A participant that is there, ``OPERATOR``, or ``SYSTEM``.
        action: A name in ``ACTIONS``.
        args: As the page sent them; ``expect``, the state's number that the chair looked at, may be among them.
        now: UNIX seconds.

    Raises:
        Refused: Nothing was done.
    """
    found = ACTIONS.get(action)
    if found is None or (found.may == "system") != (who == SYSTEM):
        raise Refused("bad", f"no action is called {action!r}")
    if state.ended and who != SYSTEM:
        raise Refused("ended")
    _may(state, who, action, found)
    given = dict(args)
    expect = given.pop("expect", None)
    if found.programme and isinstance(expect, int) and expect < state.programme_number:
        raise Refused("stale")
    outcome = found.do(state, who, _checked(state, found, given), now)
    after = outcome.state
    if found.programme and after.programme != state.programme:
        if action != "undo":
            after = programme.undoable(state, after, action, who, now)
        after = replace(after, programme_number=state.number + 1, programme_at=now)
    if after != state:
        after = replace(after, number=state.number + 1)
    return Outcome(after, outcome.effects)


def _may(state: Conference, who: str, name: str, action: Action) -> None:
    if action.may != "system" and who != OPERATOR and not state.there(who):
        raise Refused("absent", who)
    if state.deputies and name in NOT_ALONE:
        raise Refused("alone")
    if action.may == "system" or who == OPERATOR:
        return
    if action.may == "chair" and who != state.chair:
        raise Refused("chair-only")
    if action.may == "council" and not chairs(state, who):
        raise Refused("council-only")


def _checked(state: Conference, action: Action, given: Mapping[str, Any]) -> Arguments:
    if strange := sorted(given.keys() - action.args.keys()):
        raise Refused("bad", f"argument {strange[0]!r}: expected one of {sorted(action.args)}")
    if lacking := [name for name in action.needs if name not in given]:
        raise Refused("bad", f"argument {lacking[0]!r} is missing")
    return {name: action.args[name](state, name, value) for name, value in given.items()}


__all__ = ["ACTIONS", "SYSTEM", "Action", "Effect", "Outcome", "act"]

"""What is measured while all are together: first pictures, delay, switches, the chair's table, a cut ring."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from drills.conference.crowd import Halls
from drills.conference.judge import Judge
from drills.conference.screens import Screen
from drills.conference.seats import CONSOLE, Seats
from drills.lab import Lab
from twin import faults

Progress = Callable[[str], None]
_SWITCH_S = 8.0
_CUT_S, _WATCH_S, _DELAY_S = 5.0, 2.0, 6.0
NEVER_MS = 60_000.0
"""Stands for a picture that did not come while it was waited for."""


@dataclass
class Meeting:
    """The drill's meeting while it goes on."""

    lab: Lab
    seats: Seats
    halls: Halls
    screens: dict[str, Screen]
    judge: Judge
    tell: Progress
    wrong: dict[str, Any] = field(default_factory=dict)  # step -> who was told what

    def told(self) -> dict[str, dict[str, Any]]:
        """Everybody's own view."""
        pages = {code: screen.told() for code, screen in self.screens.items()}
        return self.halls.told() | {code: each for code, each in pages.items() if each}

    def missing(self) -> list[str]:
        """Venues that are not in."""
        told = self.told()
        return sorted(code for code in self.seats.everybody if told.get(code, {}).get("you", {}).get("role") != "venue")

    def check(self, step: str, judge: Judge | None = None, codes: Sequence[str] | None = None) -> None:
        """Compare everybody's own view (or some participants') with the oracle; what differs is kept under the step."""
        everybody = (*self.seats.everybody, CONSOLE) if codes is None else codes

        def look() -> dict[str, dict[str, Any]]:
            return {code: each for code, each in self.told().items() if code in everybody}

        found = (judge or self.judge).settled(look, everybody)
        for code, screen in self.screens.items():
            if code in everybody and code not in found:
                right = (judge or self.judge).oracle.expected(code)["show"]
                if not screen.shows(right):
                    found[code] = {"screen": (screen.shown(), right)}
        if found:
            self.wrong[step] = found
            self.tell(f"{step}: told otherwise: {str(found)[:300]}")

    def act(self, action: str, who: str = CONSOLE, **args: Any) -> float:
        """Do it, and tell the oracle; when it was asked for (monotonic seconds)."""
        asked_s = self.halls.act(action, who, **args)
        self.judge.did(action, who, **args)
        return asked_s

    @property
    def wrong_count(self) -> int:
        """How many participants were told otherwise, over all steps."""
        return sum(len(found) for found in self.wrong.values())


def unix(monotonic_s: float) -> float:
    """The same moment by the machine's clock, which browsers read."""
    return monotonic_s + time.time() - time.monotonic()


def switches(meeting: Meeting, venues: Sequence[str]) -> list[float]:
    """Broadcast one venue after another: ms from the chair's request to the first picture, of everybody else."""
    found: list[float] = []
    for venue in venues:
        before = meeting.halls.read(lambda hall: hall.seen_s(venue) > 0)  # noqa: B023 - read at once
        before |= {code: venue in screen.shown() for code, screen in meeting.screens.items()}
        others = [code for code in meeting.seats.everybody if code != venue and not before[code]]
        asked_s = meeting.act("broadcast", venue=venue)
        took = _switched(meeting, venue, others, asked_s)
        meeting.check(f"broadcast {venue}")
        slow = sorted(took.items(), key=lambda each: each[1])
        middle = slow[len(slow) // 2][1]
        meeting.tell(f"broadcast of {venue}: half see it after {middle:.0f} ms, the last {slow[-1]}")
        found += took.values()
    return found


def _switched(meeting: Meeting, venue: str, others: Sequence[str], asked_s: float) -> dict[str, float]:
    """Participant -> ms."""
    took: dict[str, float] = {}
    end_s = asked_s + _SWITCH_S
    since_s = unix(asked_s)
    load = [code for code in others if code in meeting.seats.load]
    while len(took) < len(others) and time.monotonic() < end_s:
        seen = meeting.halls.read(lambda hall: hall.seen_s(venue), [code for code in load if code not in took])
        took |= {code: (at_s - asked_s) * 1000 for code, at_s in seen.items() if at_s > asked_s}
        for code, screen in meeting.screens.items():
            if code in others and code not in took and (at_s := screen.first_s(venue, since_s)):
                took[code] = (at_s - since_s) * 1000
        time.sleep(0.1)
    return dict.fromkeys(others, NEVER_MS) | took


def delays(meeting: Meeting) -> list[float]:
    """Each browser on air in turn: ms from its camera to the other browsers' screens, by the clocks in the pictures."""
    found: list[float] = []
    for code in meeting.screens:
        meeting.act("broadcast", venue=code)
        time.sleep(_WATCH_S)
        since_s = time.time()
        time.sleep(_DELAY_S)
        read = [screen.delays(since_s) for other, screen in meeting.screens.items() if other != code]
        meeting.tell(f"{code} on air: {[len(each) for each in read]} pictures read")
        found += [value for each in read for value in each]
    meeting.check("delays")
    return found


def table(meeting: Meeting) -> dict[str, Any]:
    """Rows of the chair's table, the oracle's judgement after each."""
    load, main = meeting.seats.load, meeting.seats.main
    one, two, three = load[0], load[len(load) // 2], load[-1]
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("rollCall", CONSOLE, {"venue": one}),
        ("rollCall", CONSOLE, {"venue": two}),
        ("endRoll", CONSOLE, {}),
        ("undo", CONSOLE, {}),
        ("cancelBroadcast", CONSOLE, {}),
        ("banner", CONSOLE, {"text": "演练 drill", "ticker": True}),
        ("raiseHand", one, {}),
        ("raiseHand", two, {}),
        ("grant", CONSOLE, {"venue": two}),
        ("endFloor", CONSOLE, {"venue": two}),
        ("lowerAll", CONSOLE, {}),
        ("signIn", three, {"heads": 12}),
        ("lock", CONSOLE, {"on": True}),
        ("lock", CONSOLE, {"on": False}),
        ("coChair", CONSOLE, {"venue": main, "on": True}),
        ("coChair", CONSOLE, {"venue": main, "on": False}),
        ("display", CONSOLE, {"mode": "pip", "venues": [one, main]}),
        ("display", CONSOLE, {"mode": "fixed", "venues": [main]}),
    ]
    for action, who, args in rows:
        meeting.act(action, who, **args)
        meeting.check(f"{action} {args.get('venue', '')}".strip())
    meeting.tell(f"{len(rows)} rows of the chair's table: {meeting.wrong_count} told otherwise so far")
    return {"chair_actions": len(rows)}


def ring_cut(meeting: Meeting, link: str, settle: Callable[[], object]) -> dict[str, Any]:
    """Cut the fibre that carries the meeting, watch, heal: each participant's longest time without a picture, ms."""
    time.sleep(_WATCH_S)
    since_s = time.monotonic()
    fault = faults.cut(meeting.lab.twin, link)
    try:
        time.sleep(_CUT_S)
        until_s = time.monotonic()
        freezes = {code: s.longest(unix(since_s), unix(until_s)) * 1000 for code, s in meeting.screens.items()}
        freezes |= {
            code: gap * 1000
            for code, gap in meeting.halls.read(lambda hall: hall.gaps.longest(since_s, until_s)).items()
        }
        going_on = _go_on(meeting)
        meeting.check("ring cut")
    finally:
        faults.heal(meeting.lab.twin, fault)
    settle()
    meeting.check("ring healed")
    worst = max(freezes, key=lambda code: freezes[code])
    meeting.tell(f"{link} cut: longest freeze {freezes[worst]:.0f} ms at {worst}")
    return {
        "link": link,
        "freeze_ms": round(freezes[worst]),
        "freezes": {code: round(freezes[code]) for code in meeting.screens},
        "both_go_on": going_on and _go_on(meeting),
    }


def _go_on(meeting: Meeting) -> bool:
    """Everybody gets pictures now."""
    since_s = time.monotonic()
    time.sleep(1.5)
    load = meeting.halls.read(lambda hall: hall.gaps.last_s > since_s)
    screens = [any(frame.at_s > unix(since_s) for frame in screen.look()) for screen in meeting.screens.values()]
    return all(load.values()) and all(screens)

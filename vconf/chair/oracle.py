"""The rules once more, told another way: what every hall must be shown after what was done.

Nothing is shared with ``act`` and ``view``; tests and drills feed both the same actions and compare.  Plain sets
and lists that are changed in place, the programme as a pile of which the top counts, a screen as the first
candidate that is not empty.

>>> oracle = Oracle(["t01", "t02", "t03"], main="t01", owner="@li")
>>> for hall in ("t01", "t02", "t03"):
...     oracle.did("system", "arrive", {"venue": hall}, 0.0)
>>> oracle.allows("t01", "broadcast", {"venue": "t03"})   # the owner has not come: the main venue acts for it
True
>>> oracle.did("t01", "broadcast", {"venue": "t03"}, 1.0)
>>> oracle.expected("t02")["show"], oracle.expected("t03")["show"]
(['t03'], ['t01'])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

AWAY_S = 15.0
PICTURES = 9

_CHAIR_ALONE = {"coChair", "handOver", "end"}
_NOT_ALONE = {"end", "handOver", "extend"}
_EVERYBODY = {"raiseHand", "lowerHand", "slides", "watch", "signIn"}
_ON_AIR = {"rollCall", "endRoll", "broadcast", "cancelBroadcast", "poll", "stopPoll", "display"}
_MUST_BE_THERE = {"rollCall", "broadcast", "grant"}


class Oracle:
    """One meeting: tell it what was done (``did``), ask what is to be seen (``expected``)."""

    def __init__(self, halls: Iterable[str], *, main: str, owner: str) -> None:
        self.halls = list(halls)
        self.guests: list[str] = []
        self.walk_in = set(self.halls)  # need nobody to let them in
        self.main, self.owner, self.chair = main, owner, owner
        self.gone_at: float | None = None
        self.connected: set[str] = set()
        self.let_in: set[str] = set()
        self.cut_off: set[str] = set()
        self.consoles: set[str] = set()  # that ever came
        self.helpers: list[str] = []
        self.deputies: list[str] = []  # alone: the tier's own halls
        policy = ("fixed", [main]) if len(self.halls) > PICTURES else ("grid", [])
        self.pile: list[dict[str, Any]] = [{"roll": "", "cast": "", "poll": None, "policy": policy}]
        self.can_undo = False
        self.polled, self.poll_until = "", 0.0
        self.quiet: set[str] = set()
        self.all_quiet = self.locked = self.over = self.recorded = False
        self.hands: list[str] = []
        self.floor: list[str] = []
        self.heads: dict[str, int] = {}
        self.chosen: dict[str, str] = {}
        self.choosers: set[str] = set()
        self.slides = self.words = self.loudest = ""

    # -- who is where -------------------------------------------------------------------------

    def inside(self, who: str) -> bool:
        """In the meeting now."""
        return who in self.connected and (who in self.let_in or who in self.consoles)

    def council(self, who: str) -> bool:
        """May do what a chair does."""
        return who == "operator" or (
            self.inside(who) and (who == self.chair or who in self.helpers or who in self.consoles)
        )

    def allows(self, who: str, action: str, args: Mapping[str, Any]) -> bool:
        """Whether the server has to do it; arguments are taken to be well-formed."""
        venue = args.get("venue", who)
        if self.over or (who != "operator" and not self.inside(who)):
            return False
        if self.deputies and action in _NOT_ALONE:
            return False
        if action in _CHAIR_ALONE and who not in (self.chair, "operator"):
            return False
        if action not in _EVERYBODY and not self.council(who):
            return False
        if action in _MUST_BE_THERE:
            return self.inside(venue)
        if action == "poll":
            return any(self.inside(each) for each in args.get("venues") or self._venues())
        if action in ("startRecording", "stopRecording"):
            return self.recorded == (action == "stopRecording")
        if action == "undo":
            return self.can_undo
        if action == "raiseHand":
            return who in self._venues()
        if action == "watch" and who == "operator":
            return False
        if action in ("lowerHand", "signIn", "slides"):
            if venue not in self._venues() or (venue != who and not self.council(who)):
                return False
            return action != "slides" or not args["on"] or self._may_show_slides(who, venue)
        if action == "watch" and venue:
            return (self.council(who) or who in self.choosers) and self.inside(venue)
        if action == "cut":
            return venue not in (who, self._chair_seat())
        return action != "handOver" or self.inside(args["to"])

    def _may_show_slides(self, who: str, venue: str) -> bool:
        if not self.inside(venue) or self.council(who):
            return self.inside(venue)
        now = self.pile[-1]
        stage = venue in (self.main, now["roll"], now["cast"]) or venue in self.floor
        return stage and (self.slides in ("", venue) or not self.inside(self.slides))

    # -- what was done ------------------------------------------------------------------------

    def did(self, who: str, action: str, args: Mapping[str, Any], now: float) -> None:
        """An action that was accepted, or something that happened ("system")."""
        if action in _ON_AIR:
            self._on_air(action, args, now)
        elif action == "undo":
            undone, poll = self.pile.pop()["poll"], self.pile[-1]["poll"]
            self.can_undo = False
            if poll and (undone is None or any(undone[key] != poll[key] for key in ("scope", "venues", "every"))):
                self.polled, self.poll_until = self._after(poll["venues"], ""), now + poll["every"]
        elif action in ("arrive", "arriveConsole", "depart", "admit", "admitAll", "cut", "tick"):
            self._door(action, args, now)
        else:
            self._rest(who, action, args)

    def _on_air(self, action: str, args: Mapping[str, Any], now: float) -> None:
        new = dict(self.pile[-1])
        everybodys_poll = new["poll"] is not None and new["poll"]["scope"] == "all"
        if action == "rollCall":
            new["roll"] = args["venue"]
        elif action == "endRoll":
            new["roll"] = ""
        elif action == "broadcast":
            new |= {"roll": "", "cast": args["venue"], "poll": None if everybodys_poll else new["poll"]}
        elif action == "cancelBroadcast":
            new |= {"roll": "", "cast": ""}
        elif action == "stopPoll":
            new["poll"] = None
        elif action == "display":
            new["policy"] = (args["mode"], list(args.get("venues", [])))
        else:
            venues = list(args.get("venues") or self._venues())
            new["poll"] = {
                "scope": args.get("scope", "all"),
                "venues": venues,
                "every": args.get("intervalS", 20.0),
                "since": now,
            }
            if new["poll"]["scope"] == "all":
                new |= {"roll": "", "cast": ""}
            self.polled, self.poll_until = self._after(venues, ""), now + new["poll"]["every"]
        if new != self.pile[-1]:
            self.pile.append(new)
            self.can_undo = True

    def _rest(self, who: str, action: str, args: Mapping[str, Any]) -> None:
        venue = args.get("venue", who)
        spared = {self.main, self._chair_seat()}
        if action in ("mute", "endFloor"):
            if action == "mute" or (venue in self.floor and self.all_quiet and venue not in spared):
                self.quiet.add(venue)
            if action == "endFloor" and venue in self.floor and self.slides == venue:
                self.slides = ""
            self.floor = [each for each in self.floor if each != venue]
        elif action in ("unmute", "grant"):
            self.quiet.discard(venue)
            if action == "grant":
                self.hands = [each for each in self.hands if each != venue]
                self.floor.append(venue)
        elif action == "muteAll":
            self.quiet, self.all_quiet, self.floor = set(self._venues()) - spared, True, []
        elif action == "unmuteAll":
            self.quiet, self.all_quiet = set(), False
        elif action == "raiseHand":
            if who not in self.hands and who not in self.floor:
                self.hands.append(who)
        elif action in ("lowerHand", "lowerAll"):
            self.hands = [each for each in self.hands if action == "lowerHand" and each != venue]
        elif action == "slides":
            if args["on"]:
                self.slides = venue
            elif self.slides == venue:
                self.slides = ""
        elif action == "watch":
            self.chosen[who] = venue
        elif action == "allowView":
            (self.choosers.add if args["on"] else self.choosers.discard)(venue)
        elif action == "signIn":
            self.heads[venue] = args["heads"]
        elif action == "coChair":
            self.helpers = [each for each in self.helpers if each != venue] + ([venue] if args["on"] else [])
        elif action == "handOver":
            self.owner = self.chair = args["to"]
            self.gone_at = None
        elif action == "banner":
            self.words = args["text"].strip()
        elif action in ("startRecording", "stopRecording"):
            self.recorded = action == "startRecording"
        elif action == "lock":
            self.locked = args["on"]
        elif action == "speaker":
            self.loudest = venue
        elif action == "end":
            self.over = True

    def _door(self, action: str, args: Mapping[str, Any], now: float) -> None:
        venue = args.get("venue", "")
        if action == "arrive":
            self.connected.add(venue)
            if venue not in self._venues():
                self.guests.append(venue)
            if venue not in self.let_in:
                self._silence_newcomer(venue)
                if args.get("kind") == "stream":
                    self.walk_in.add(venue)
                if venue in self.walk_in and not self.locked and venue not in self.cut_off:
                    self.let_in.add(venue)
        elif action == "arriveConsole":
            self.consoles.add(args["console"])
            self.connected.add(args["console"])
        elif action in ("depart", "cut"):
            gone = args["who"] if action == "depart" else venue
            self.connected.discard(gone)
            self.hands = [each for each in self.hands if each != gone]
            self.slides = "" if self.slides == gone else self.slides
            self.loudest = "" if self.loudest == gone else self.loudest
            if action == "cut":
                self.let_in.discard(gone)
                self.cut_off.add(gone)
                self.floor = [each for each in self.floor if each != gone]
                self.helpers = [each for each in self.helpers if each != gone]
        elif action in ("admit", "admitAll"):
            waiting = [each for each in self._venues() if each in self.connected and each not in self.let_in]
            for each in [venue] if action == "admit" else waiting:
                if each not in self.let_in:
                    self._silence_newcomer(each)
                self.let_in.add(each)
                self.cut_off.discard(each)
        self._poll_on(now)
        self._find_chair(now)

    def _silence_newcomer(self, venue: str) -> None:
        if self.all_quiet and venue not in (self.main, self._chair_seat()):
            self.quiet.add(venue)

    def _poll_on(self, now: float) -> None:
        poll = self.pile[-1]["poll"]
        if poll and (now >= self.poll_until or not self.inside(self.polled)):
            following = self._after(poll["venues"], self.polled)
            if now >= self.poll_until or self.polled or following:
                self.polled, self.poll_until = following, now + poll["every"]

    def alone(self, halls: Iterable[str], now: float) -> None:
        """The tier with these halls has lost the one above: everybody comes back, and one of those acts at once."""
        self.deputies = sorted(set(halls) & set(self.halls))
        self.connected, self.chair, self.gone_at = set(), "", None
        self.hands = [each for each in self.hands if each in self.deputies]
        self.slides = self.slides if self.slides in self.deputies else ""
        self.loudest = self.loudest if self.loudest in self.deputies else ""
        if self.pile[-1]["poll"]:
            self.poll_is(self.polled, now)

    def _find_chair(self, now: float) -> None:
        if self.deputies:
            order = [self.owner, *self.helpers, *sorted(self.consoles), self.main, *self.deputies]
            self.chair = next((who for who in order if self.inside(who)), "")
            return
        if self.inside(self.owner) or self.inside(self.chair):
            self.chair = self.owner if self.inside(self.owner) else self.chair
            self.gone_at = None
            return
        came_before = self.chair in self.let_in or self.chair in self.consoles
        if self.gone_at is None and came_before:
            self.gone_at = now
        elif self.gone_at is None or now - self.gone_at >= AWAY_S:
            acting = [who for who in (*self.helpers, *sorted(self.consoles), self.main) if self.inside(who)]
            self.chair = acting[0] if acting else self.chair

    def poll_is(self, venue: str, now: float) -> None:
        """Who is polled now is known from outside: a server that restarted began its interval anew."""
        poll = self.pile[-1]["poll"]
        if poll:
            self.polled, self.poll_until = venue, now + poll["every"]

    # -- what is to be seen -------------------------------------------------------------------

    def expected(self, who: str) -> dict[str, Any]:
        """What a participant must be told: keys of ``you`` in docs/protocol.md and some of everybody's."""
        now = self.pile[-1]
        found = {
            "role": self._role(who),
            "show": self._screen(who),
            "slides": self.slides if self.inside(who) and self.inside(self.slides) and self.slides != who else "",
            "recorded": self.recorded,
            "chair": self.chair,
            "roll": now["roll"],
            "broadcast": now["cast"],
            "locked": self.locked,
            "banner": self.words,
        }
        if who in self._venues():
            found |= {
                "heard": self._heard(who),
                "muted": who in self.quiet,
                "hand": self.hands.index(who) + 1 if who in self.hands else 0,
                "floor": who in self.floor,
                "signed": self.heads.get(who),
            }
        return found

    def _role(self, who: str) -> str:
        if not self.inside(who):
            return "waiting" if who in self.connected else ""
        if who == self.chair:
            return "chair"
        return "coChair" if self.council(who) else "venue"

    def _heard(self, who: str) -> bool:
        called = self.pile[-1]["roll"]
        return self.inside(who) and (who in (called, self._chair_seat()) if called else who not in self.quiet)

    def _screen(self, who: str) -> list[str]:
        if not self.inside(who):
            return []
        now = self.pile[-1]
        star = now["roll"] or now["cast"]
        star = next((each for each in (star, self.main) if star and self.inside(each)), "")
        mode, listed = now["policy"]
        if mode == "voice":
            listed = [self.loudest or self.main]
        elif mode == "grid" and not listed:
            listed = [self.main, *(each for each in sorted(self._venues()) if each != self.main)]
        candidates: list[list[str]] = []
        if self.council(who) or (who in self.choosers and not star):
            candidates.append([self.chosen.get(who, "")])
        poll = now["poll"]
        if poll and poll["scope"] == "chair" and who == self.chair:
            candidates.append([self.polled])
        stage = star or (self.polled if poll and poll["scope"] == "all" else "")
        candidates += [[stage], [self.main]] if stage else []
        candidates += [listed, [self.main], [self.loudest], sorted(self._venues())]
        for number, candidate in enumerate(candidates):
            seen = [each for each in candidate if each != who and self.inside(each)]
            if seen:
                return seen[:1] if number == len(candidates) - 1 else seen[:PICTURES]
        return []

    def _chair_seat(self) -> str:
        return self.chair if self.chair in self._venues() else self.main

    def _venues(self) -> list[str]:
        return [*self.halls, *self.guests]

    def _after(self, venues: list[str], current: str) -> str:
        place = venues.index(current) + 1 if current in venues else 0
        return next((each for each in venues[place:] + venues[:place] if self.inside(each)), "")


def seen(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a page was told (notification ``conference``), by the oracle's names; less for one that is not in."""
    own = told["you"]
    found = {"role": own["role"], "show": own["view"]["show"], "slides": own["slides"]}
    found["recorded"] = told["recording"] is not None  # also in the waiting room
    if "chair" in told:
        found |= {
            "chair": told["chair"],
            "roll": told["roll"]["venue"] if told["roll"] else "",
            "broadcast": told["broadcast"],
            "locked": told["locked"],
            "banner": told["banner"]["text"] if told["banner"] else "",
        }
    return found | {key: own[key] for key in ("heard", "muted", "hand", "floor", "signed") if key in own}


def wrong(oracle: Oracle, who: str, told: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where a page's own view differs: name -> (what it was told, what is right); empty when all is well."""
    found, right = seen(told), oracle.expected(who)
    return {name: (value, right.get(name)) for name, value in found.items() if value != right.get(name)}

"""What follows from the state for one participant: its role, what it is shown, whether it is heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vconf.chair.state import GRID_MOST, OPERATOR, Conference, Display

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """``why``: "roll", "broadcast", "poll", "watch", "display"; ``show``: venues, the largest picture first."""

    layout: str  # "single", "pip", "grid"
    show: tuple[str, ...]
    why: str


def role(state: Conference, who: str) -> str:
    """ "chair", "coChair" (a console that does not hold the chair, too), "venue", "waiting", or "" for who is away."""
    if who == OPERATOR:
        return "chair"
    if not state.there(who):
        return "waiting" if who in state.waiting else ""
    if who == state.chair:
        return "chair"
    return "coChair" if who in state.co_chairs or who in state.consoles else "venue"


def chairs(state: Conference, who: str) -> bool:
    """True when it may do what a chair does."""
    return role(state, who) in ("chair", "coChair")


def chair_venue(state: Conference) -> str:
    """The venue that the chair speaks from: its own, or the main venue when the chair is a console."""
    return state.chair if state.chair in state.venues else state.main


def heard(state: Conference, venue: str) -> bool:
    """True when the venue's sound is to leave the relay."""
    if not state.there(venue) or venue not in state.venues:
        return False
    if state.programme.roll:
        return venue in (state.programme.roll, chair_venue(state))
    return not state.venues[venue].muted


def view(state: Conference, who: str) -> View:
    """What a participant's screen shows."""
    if not state.there(who):
        return View("single", (), "display")
    forced = _forced(state)
    chosen = state.watching.get(who, "")
    free = chairs(state, who) or (who in state.viewers and forced is None)
    if chosen and free and state.there(chosen) and chosen != who:
        return View("single", (chosen,), "watch")
    poll = state.programme.poll
    if poll is not None and poll.scope == "chair" and who == state.chair and poll.venue not in ("", who):
        return View("single", (poll.venue,), "poll")
    shown = forced or _polled(state) or _displayed(state, who)
    others = tuple(venue for venue in shown.show if venue != who)
    if others or shown.why == "display":
        return View(shown.layout, others[:GRID_MOST], shown.why)
    # it is the one that is shown: it sees the main venue, and the main venue sees what there is else
    if who != state.main and state.there(state.main):
        return View("single", (state.main,), shown.why)
    return _displayed(state, who)


def may_see(state: Conference, who: str, venue: str) -> bool:
    """True when the venue's camera may be forwarded to this participant."""
    if who == venue or not state.there(who) or not state.there(venue):
        return False
    return chairs(state, who) or venue in view(state, who).show


def may_see_slides(state: Conference, who: str, venue: str) -> bool:
    """True when the venue's slides may be forwarded to this participant."""
    return who != venue and venue == state.slides and state.there(who) and state.there(venue)


def you(state: Conference, who: str) -> Document:
    """What a participant is told about itself."""
    shown = view(state, who)
    found: Document = {
        "id": who,
        "role": role(state, who),
        "view": {"layout": shown.layout, "show": list(shown.show), "why": shown.why},
        "slides": state.slides if may_see_slides(state, who, state.slides) else "",
        "mayWatch": chairs(state, who) or who in state.viewers,
        "watching": state.watching.get(who, ""),
    }
    if chairs(state, who):
        air = on_air(state)
        found["air"] = {"layout": air.layout, "show": list(air.show), "why": air.why}
    venue = state.venues.get(who)
    if venue is not None:
        found |= {
            "heard": heard(state, who),
            "muted": venue.muted,
            "seen": who in on_air(state).show,
            "cut": venue.cut,
            "hand": next((number for number, hand in enumerate(state.hands, 1) if hand.venue == who), 0),
            "floor": who in state.floor,
            "signed": venue.signed.heads if venue.signed else None,
        }
    return found


def on_air(state: Conference) -> View:
    """What everybody is shown now, whatever one participant watches for itself."""
    return _forced(state) or _polled(state) or _policy(state)


def _forced(state: Conference) -> View | None:
    """Roll call before broadcast; while that venue is away the main venue stands in, and it comes back by itself."""
    programme = state.programme
    venue, why = (programme.roll, "roll") if programme.roll else (programme.broadcast, "broadcast")
    if not venue:
        return None
    if state.there(venue):
        return View("single", (venue,), why)
    return View("single", (state.main,), why) if state.there(state.main) else None


def _polled(state: Conference) -> View | None:
    poll = state.programme.poll
    if poll is None or poll.scope != "all" or not poll.venue:
        return None
    return View("single", (poll.venue,), "poll")


def _displayed(state: Conference, who: str) -> View:
    """The display policy as one participant sees it; never an empty screen while anybody else is there."""
    policy = _policy(state)
    others = tuple(venue for venue in policy.show if venue != who)
    return View(policy.layout, (others or _first_other(state, who))[:GRID_MOST], "display")


def _policy(state: Conference) -> View:
    display = state.programme.display
    show = tuple(venue for venue in _wanted(state, display) if state.there(venue))
    if not show and state.there(state.main):
        show = (state.main,)
    return View("single" if display.mode in ("fixed", "voice") else display.mode, show, "display")


def _wanted(state: Conference, display: Display) -> tuple[str, ...]:
    if display.mode == "voice":
        return (state.speaker,) if state.speaker else (state.main,)
    if display.mode == "grid" and not display.venues:
        there = sorted(venue.id for venue in state.venues.values() if venue.there and venue.id != state.main)
        # one more than the grid holds: every venue leaves itself out
        return (state.main, *there)[: GRID_MOST + 1]
    return display.venues


def _first_other(state: Conference, who: str) -> tuple[str, ...]:
    """The main venue, else the loudest, else the first by code."""
    there = sorted(venue.id for venue in state.venues.values() if venue.there and venue.id != who)
    for venue in (state.main, state.speaker):
        if venue in there:
            return (venue,)
    return tuple(there[:1])

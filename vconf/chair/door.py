"""Who is in: arrivals, the waiting room, cutting off, and whose the chair is.

The chair is never lost: when its holder is away for ``CHAIR_AWAY_S`` the first co-chair that is there acts, else a
console, else the main venue; when the owner comes back it has the chair again at once.  In a tier that goes on alone
the first of these that is there, else the first of its halls, acts at once.
"""

from __future__ import annotations

from dataclasses import replace

from vconf.chair.arguments import Arguments
from vconf.chair.effects import Effect, Outcome
from vconf.chair.programme import polled_on
from vconf.chair.refusal import Refused
from vconf.chair.state import Conference, Console, Venue
from vconf.chair.view import chair_venue

CHAIR_AWAY_S = 15.0
"""How long a chair that was there may be away before somebody acts for it."""

LONGEST_S = 12 * 3600.0
GUESTS_MOST = 100
"""Guests that one meeting knows."""


def arrive(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """A venue connects: into the meeting, or into the waiting room.

    A booked hall walks in, unless the door is locked and it was not in before, or it was cut off, and so does a stream,
    whose link was given to this one meeting; a guest waits.
    """
    code = args["venue"]
    known = state.venues.get(code)
    if known is None:
        if sum(venue.kind != "hall" for venue in state.venues.values()) >= GUESTS_MOST:
            raise Refused("full", str(GUESTS_MOST))
        known = Venue(code, args.get("zh") or code, args.get("en") or code, kind=args.get("kind", "guest"))
    admitted = known.admitted or (known.kind != "guest" and not state.locked and not known.cut)
    muted = known.muted
    if state.mute_all and not known.admitted and code not in (state.main, chair_venue(state)):
        muted = True  # who joins later is muted as the others were
    since = known.since if known.present else now  # a page in the place of an earlier one is no arrival
    after = _changed(state, replace(known, present=True, admitted=admitted, muted=muted, since=since))
    return Outcome(settled_at(after, now))


def arrive_console(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """A chair's page connects."""
    code = args["console"]
    console = Console(code, args.get("name") or code, present=True)
    return Outcome(settled_at(replace(state, consoles={**state.consoles, code: console}), now))


def depart(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Its connection is gone; that it is broadcast, called or muted stays for its return, hand and slides do not."""
    code = args["who"]
    after = state
    if code in state.venues:
        after = _changed(state, replace(state.venues[code], present=False, since=now))
        after = replace(after, hands=tuple(hand for hand in state.hands if hand.venue != code))
        after = replace(
            after,
            slides="" if state.slides == code else state.slides,
            speaker="" if state.speaker == code else state.speaker,
        )
    elif code in state.consoles:
        after = replace(state, consoles={**state.consoles, code: replace(state.consoles[code], present=False)})
    return Outcome(settled_at(after, now))


def tick(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Time has passed."""
    return Outcome(settled_at(state, now))


def lock(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Newcomers wait; who was in comes back freely."""
    return Outcome(replace(state, locked=args["on"]))


def admit(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Let a venue in, now or when it comes; one that was cut off may come again."""
    return Outcome(settled_at(_changed(state, _let_in(state, state.venues[args["venue"]])), now))


def admit_all(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Let in everybody who waits."""
    waiting = {code: _let_in(state, state.venues[code]) for code in state.waiting}
    return Outcome(settled_at(replace(state, venues={**state.venues, **waiting}), now))


def cut(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Out of the meeting, or refused in the waiting room; it comes back through the waiting room alone."""
    code = args["venue"]
    if code == chair_venue(state) or code == who:
        raise Refused("chair-venue")
    venue = replace(state.venues[code], present=False, admitted=False, cut=True, since=now)
    after = replace(
        _changed(state, venue),
        hands=tuple(hand for hand in state.hands if hand.venue != code),
        floor=tuple(each for each in state.floor if each != code),
        slides="" if state.slides == code else state.slides,
        co_chairs=tuple(each for each in state.co_chairs if each != code),
        speaker="" if state.speaker == code else state.speaker,
    )
    return Outcome(settled_at(after, now), (Effect("eject", {"venue": code, "reason": "cut"}),))


def co_chair(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """A venue that may do what the chair does, but for ending, handing over and making co-chairs."""
    code = args["venue"]
    rest = tuple(each for each in state.co_chairs if each != code)
    return Outcome(replace(state, co_chairs=(*rest, code) if args["on"] else rest))


def hand_over(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """The chair is another's from now on, also after that one was away."""
    to = args["to"]
    if not state.there(to):
        raise Refused("absent", to)
    return Outcome(replace(state, owner=to, chair=to, chair_away_at=None))


def extend(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """A later end."""
    ends_at = state.ends_at + args["minutes"] * 60
    if ends_at - state.starts_at > LONGEST_S:
        raise Refused("long")
    return Outcome(replace(state, ends_at=ends_at), (Effect("extend", {"endsAt": ends_at}),))


def end(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Over for everybody."""
    return Outcome(replace(state, ended=True), (Effect("end"),))


def settled_at(state: Conference, now: float) -> Conference:
    """Polling and the chair, after time has passed or somebody came or went."""
    return _chaired(polled_on(state, now), now)


def _chaired(state: Conference, now: float) -> Conference:
    if state.there(state.owner):
        return replace(state, chair=state.owner, chair_away_at=None)
    if state.deputies:  # alone: at once, and the same whoever came first
        deputy = next((code for code in (*_deputies(state), *state.deputies) if state.there(code)), "")
        return replace(state, chair=deputy, chair_away_at=None)
    if state.there(state.chair):
        return replace(state, chair_away_at=None)
    away = state.chair_away_at
    if away is None and state.chair and _was_there(state, state.chair):
        return replace(state, chair_away_at=now)
    if away is not None and now - away < CHAIR_AWAY_S:
        return state
    acting = next((code for code in _deputies(state) if state.there(code)), "")
    return replace(state, chair=acting or state.chair)


def _was_there(state: Conference, code: str) -> bool:
    """Whether it was ever in: a chair that has not come yet needs no grace."""
    venue = state.venues.get(code)
    return code in state.consoles or (venue is not None and venue.admitted)


def _deputies(state: Conference) -> tuple[str, ...]:
    return (*state.co_chairs, *sorted(state.consoles), state.main)


def _let_in(state: Conference, venue: Venue) -> Venue:
    spared = venue.id in (state.main, chair_venue(state))
    muted = venue.muted or (state.mute_all and not venue.admitted and not spared)
    return replace(venue, admitted=True, cut=False, muted=muted)


def _changed(state: Conference, venue: Venue) -> Conference:
    return replace(state, venues={**state.venues, venue.id: venue})

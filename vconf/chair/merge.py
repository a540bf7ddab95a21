"""A tier that goes on alone, and what becomes of it when the tiers see each other again.  Pure.

A tier that loses the one above takes its meetings up as it heard them last (``alone``): one of those that are there is
deputy chair at once.  Afterwards there are two accounts of a meeting, and ``merge`` makes one of them: attendance is a
union; of the decisions those count that the chair itself made, or who acts for it by the ordinary rules, before those
of a deputy, then those of the higher epoch.  ``settled`` is the state of the upper tier after that: its own people
and clock, the decisions that counted, an epoch above both, so that an account that comes twice yields.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vconf.chair import document
from vconf.chair.door import CHAIR_AWAY_S, settled_at
from vconf.chair.state import Conference, Poll, SignIn, Venue


@dataclass(frozen=True, slots=True)
class Stay:
    """A venue in a meeting; UNIX seconds, ``left`` None: it is still in."""

    venue: str
    joined: float
    left: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What one tier knows of a meeting: its decisions, who was there, who signed in."""

    state: Conference
    held: int = 0  # 2: its own chair decides here, 1: who acts for it by the ordinary rules, 0: a deputy, or nobody
    stays: frozenset[Stay] = frozenset()
    signed: Mapping[str, SignIn] = field(default_factory=dict)


def account(state: Conference, now: float, stays: Iterable[Stay] = ()) -> Account:
    """Of a state; whose decisions it holds and who signed in, it knows."""
    signed = {venue.id: venue.signed for venue in state.venues.values() if venue.signed is not None}
    return Account(state, _held(state, now), _united(stays), signed)


def alone(state: Conference, halls: Collection[str], now: float) -> Conference:
    """The state as a tier goes on with it that has lost the tier above.

    Args:
        state: As it was heard last.
        halls: The tier's own; those of the meeting may be deputies.
        now: UNIX seconds.
    """
    deputies = tuple(sorted(code for code in halls if code in state.venues))
    return replace(
        document.taken_up(state, now),
        chair="",
        chair_away_at=None,
        deputies=deputies,
        # the halls of other tiers are gone; our own come back as they were
        hands=tuple(hand for hand in state.hands if hand.venue in deputies),
        slides=state.slides if state.slides in deputies else "",
        speaker=state.speaker if state.speaker in deputies else "",
    )


def merge(one: Account, other: Account) -> Account:
    """One account of two; the order does not matter, and merging twice changes nothing."""
    signed = dict(one.signed)
    for venue, sign in other.signed.items():
        signed[venue] = max(signed.get(venue, sign), sign, key=lambda each: (each.at, each.heads, each.name))
    first = max(one, other, key=_weight)
    return Account(first.state, first.held, _united([*one.stays, *other.stays]), signed)


def settled(ours: Conference, theirs: Account, now: float) -> Conference:
    """The upper tier's state when a lower tier's account has come back.

    Args:
        ours: The upper tier's: who is connected, whose the chair is by booking, and the meeting's times are its.
        theirs: The lower tier's.
        now: UNIX seconds.
    """
    mine = account(ours, now)
    if theirs.state.there(ours.chair):
        mine = replace(mine, held=0)  # it was not away from the meeting, it was in that other part of it
    merged = merge(mine, theirs)
    won = merged.state
    state = ours if won == ours else _with_people_of(won, ours, now)
    venues = {
        code: replace(venue, signed=merged.signed.get(code, venue.signed)) for code, venue in state.venues.items()
    }
    after = settled_at(replace(state, venues=venues, deputies=ours.deputies), now)
    epoch, number = max(ours.epoch, theirs.state.epoch) + 1, max(ours.number, theirs.state.number) + 1
    if after.programme != ours.programme:
        after = replace(after, programme_number=number, programme_at=now)
    return replace(after, epoch=epoch, number=number)


def _weight(found: Account) -> tuple[int, int, int, str]:
    """How much a tier's decisions count; no two that differ weigh the same."""
    state = found.state
    return (found.held, state.epoch, state.number, json.dumps(document.whole(state), sort_keys=True))


def _held(state: Conference, now: float) -> int:
    away = state.chair_away_at
    if not state.there(state.chair) and (away is None or now - away >= CHAIR_AWAY_S):
        return 0
    if state.chair == state.owner:
        return 2
    return 0 if state.deputies else 1


def _with_people_of(won: Conference, ours: Conference, now: float) -> Conference:
    """The decisions of one tier over the connections of another; nobody who is in is put out."""
    venues = {**won.venues, **ours.venues}
    poll = won.programme.poll
    programme = replace(won.programme, poll=_from_now(poll, now) if poll is not None else None)
    return replace(
        won,
        owner=ours.owner,
        chair=ours.chair,
        chair_away_at=ours.chair_away_at,
        starts_at=ours.starts_at,
        ends_at=ours.ends_at,
        ended=ours.ended,
        venues={code: _venue(code, won.venues.get(code), ours.venues.get(code)) for code in venues},
        consoles={**{code: replace(each, present=False) for code, each in won.consoles.items()}, **ours.consoles},
        programme=programme,
        undo=None,  # what it would bring back is the other tier's
        hands=tuple(hand for hand in won.hands if ours.there(hand.venue)),
        slides=won.slides if ours.there(won.slides) else "",
        speaker=ours.speaker,
        recording=ours.recording,
        recordings=max(won.recordings, ours.recordings),
    )


def _venue(code: str, won: Venue | None, ours: Venue | None) -> Venue:
    if won is None or ours is None:
        known = won or ours
        assert known is not None, code
        return known if ours is not None else replace(known, present=False)
    return replace(
        won,
        present=ours.present,
        since=ours.since,
        admitted=won.admitted or ours.admitted,
        cut=won.cut and not ours.present,
    )


def _from_now(poll: Poll, now: float) -> Poll:
    return replace(poll, next_at=now + poll.interval_s)


def _united(stays: Iterable[Stay]) -> frozenset[Stay]:
    """Each stay once; when it ended, the later word counts."""
    found: dict[tuple[str, float], float | None] = {}
    for stay in stays:
        key = (stay.venue, stay.joined)
        ends = [left for left in (found.get(key), stay.left) if left is not None]
        found[key] = max(ends) if ends else None
    return frozenset(Stay(venue, joined, left) for (venue, joined), left in found.items())


def written(found: Account) -> dict[str, Any]:
    """An account as JSON."""
    return {
        "state": document.whole(found.state),
        "held": found.held,
        "stays": [
            {"venue": stay.venue, "joined": stay.joined, "left": stay.left}
            for stay in sorted(found.stays, key=lambda stay: (stay.joined, stay.venue))
        ],
    }


def read(found: Mapping[str, Any]) -> Account:
    """What ``written`` wrote; KeyError, TypeError or ValueError when it is something else."""
    stays = [
        Stay(str(each["venue"]), float(each["joined"]), None if each["left"] is None else float(each["left"]))
        for each in found["stays"]
    ]
    if found["held"] not in (0, 1, 2):
        raise ValueError(f"held: found {found['held']!r}, expected 0, 1 or 2")
    return replace(account(document.from_whole(found["state"]), 0.0, stays), held=found["held"])

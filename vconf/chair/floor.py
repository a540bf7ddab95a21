"""Who speaks: muting, hands, the floor, slides; and each venue's own: what it watches, its sign-in; the banner."""

from __future__ import annotations

from dataclasses import replace

from vconf.chair.arguments import Arguments
from vconf.chair.effects import Effect, Outcome
from vconf.chair.refusal import Refused
from vconf.chair.state import OPERATOR, Banner, Conference, Hand, SignIn, Venue
from vconf.chair.view import chair_venue, chairs


def mute(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """One venue is no longer heard and loses the floor."""
    venue = args["venue"]
    return Outcome(_muted(replace(state, floor=_less(state.floor, venue)), venue, True))


def unmute(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """One venue is heard again."""
    return Outcome(_muted(state, args["venue"], False))


def mute_all(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Every venue but the main one and the chair's, also those that join later; nobody has the floor any more."""
    spared = (state.main, chair_venue(state))
    venues = {code: replace(venue, muted=code not in spared) for code, venue in state.venues.items()}
    return Outcome(replace(state, venues=venues, mute_all=True, floor=()))


def unmute_all(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Everybody is heard again."""
    venues = {code: replace(venue, muted=False) for code, venue in state.venues.items()}
    return Outcome(replace(state, venues=venues, mute_all=False))


def raise_hand(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Into the queue; twice is fine, and who has the floor need not ask."""
    _own_venue(state, who)
    if who in state.floor or any(hand.venue == who for hand in state.hands):
        return Outcome(state)
    return Outcome(replace(state, hands=(*state.hands, Hand(who, now))))


def lower_hand(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Its own, or anybody's when a chair does it."""
    return Outcome(_lowered(state, _for_whom(state, who, args)))


def lower_all(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """The queue is empty."""
    return Outcome(replace(state, hands=()))


def grant(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """The floor: out of the queue, and heard."""
    venue = _there(state, args["venue"])
    floor = (*_less(state.floor, venue), venue)
    floor_at = {each: now if each == venue else state.floor_at.get(each, now) for each in floor}
    return Outcome(replace(_muted(_lowered(state, venue), venue, False), floor=floor, floor_at=floor_at))


def end_floor(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """It has spoken: muted again when all are, and its slides end."""
    venue = args["venue"]
    if venue not in state.floor:
        return Outcome(state)
    after = replace(state, floor=_less(state.floor, venue), slides="" if state.slides == venue else state.slides)
    spared = (state.main, chair_venue(state))
    return Outcome(_muted(after, venue, True) if state.mute_all and venue not in spared else after)


def slides(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """A venue's second stream is shown to all; one at a time.

    A chair may say whose.  A venue may show its own when it is the main venue, broadcast, called or has the floor.
    """
    venue = _for_whom(state, who, args)
    if not args["on"]:
        return Outcome(replace(state, slides="") if state.slides == venue else state)
    _there(state, venue)
    if not chairs(state, who):
        programme = state.programme
        if venue not in (state.main, programme.roll, programme.broadcast, *state.floor):
            raise Refused("no-floor")
        if state.slides not in ("", venue) and state.there(state.slides):
            raise Refused("taken", state.slides)
    return Outcome(replace(state, slides=venue))


def watch(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Selective view: changes nobody else's; "" ends it."""
    if who == OPERATOR:
        raise Refused("venue-only")
    venue = args["venue"]
    watching = {viewer: seen for viewer, seen in state.watching.items() if viewer != who}
    if venue:
        if not chairs(state, who) and who not in state.viewers:
            raise Refused("view-fixed")
        _there(state, venue)
        watching[who] = venue
    return Outcome(replace(state, watching=watching))


def allow_view(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Let a venue choose what it watches, while nothing is broadcast or called."""
    venue, rest = args["venue"], _less(state.viewers, args["venue"])
    return Outcome(replace(state, viewers=(*rest, venue) if args["on"] else rest))


def sign_in(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """The head-count of the venue, by itself or by a chair for it; the newest counts."""
    venue = _for_whom(state, who, args)
    signed = SignIn(args["heads"], args.get("name", ""), now)
    after = _changed(state, replace(state.venues[venue], signed=signed))
    effect = Effect("signIn", {"venue": venue, "heads": signed.heads, "name": signed.name})
    return Outcome(after, (effect,))


def banner(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """A line in every venue; an empty text takes it away."""
    words = args["text"]
    return Outcome(replace(state, banner=Banner(words, args.get("ticker", False), now) if words else None))


def speaker(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """The loudest venue changed."""
    return Outcome(replace(state, speaker=args["venue"]))


def _for_whom(state: Conference, who: str, args: Arguments) -> str:
    """The venue that is meant: one's own, or any for a chair."""
    venue = args.get("venue", who)
    if venue not in state.venues:
        raise Refused("venue-only")
    if venue != who and not chairs(state, who):
        raise Refused("own-only")
    return str(venue)


def _own_venue(state: Conference, who: str) -> None:
    if who not in state.venues:
        raise Refused("venue-only")


def _there(state: Conference, venue: str) -> str:
    if not state.there(venue):
        raise Refused("absent", venue)
    return venue


def _lowered(state: Conference, venue: str) -> Conference:
    return replace(state, hands=tuple(hand for hand in state.hands if hand.venue != venue))


def _muted(state: Conference, venue: str, muted: bool) -> Conference:
    return _changed(state, replace(state.venues[venue], muted=muted))


def _changed(state: Conference, venue: Venue) -> Conference:
    return replace(state, venues={**state.venues, venue.id: venue})


def _less(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)

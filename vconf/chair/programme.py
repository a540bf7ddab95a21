"""What everybody is shown: roll call over broadcast over polling over the display policy; and the way back."""

from __future__ import annotations

from dataclasses import replace

from vconf.chair.arguments import Arguments
from vconf.chair.effects import Outcome
from vconf.chair.refusal import Refused
from vconf.chair.state import GRID_MOST, Conference, Display, Poll, Programme, Undo

POLL_S = 20.0
"""Polling interval unless the chair says otherwise."""


def roll_call(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Call one venue: everybody sees it, and only it and the chair's venue are heard; a broadcast waits below."""
    called = _there(state, args["venue"])
    before = [venue for venue in state.programme.called if venue != called] if state.programme.roll else []
    return _with(state, replace(state.programme, roll=called, called=(*before, called)))


def end_roll(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Back to what was shown before the roll call."""
    return _with(state, replace(state.programme, roll="", called=()))


def broadcast(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Show one venue to all; a roll call and everybody's polling end."""
    shown = _there(state, args["venue"])
    return _with(state, replace(_without_poll(state.programme), roll="", called=(), broadcast=shown))


def cancel(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Broadcast and roll call end together."""
    return _with(state, replace(state.programme, roll="", called=(), broadcast=""))


def poll(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Go through the venues that are there, for everybody (broadcast and roll call end) or for the chair alone."""
    venues = args.get("venues") or tuple(state.venues)
    scope = args.get("scope", "all")
    interval_s = args.get("intervalS", POLL_S)
    first = _next(state, venues, "")
    if not first:
        raise Refused("absent", venues[0])
    programme = replace(state.programme, poll=Poll(scope, venues, interval_s, first, now + interval_s))
    if scope == "all":
        programme = replace(programme, roll="", called=(), broadcast="")
    return _with(state, programme)


def stop_poll(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Polling ends."""
    return _with(state, replace(state.programme, poll=None))


def display(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """What is shown while nothing else is."""
    mode, venues = args["mode"], args.get("venues", ())
    least, most = {"fixed": (1, 1), "voice": (0, 0), "grid": (0, GRID_MOST), "pip": (2, 2)}[mode]
    if not least <= len(venues) <= most:
        raise Refused("bad", f"venues: expected {least} to {most} of them for {mode}")
    return _with(state, replace(state.programme, display=Display(mode, venues)))


def undo(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """The programme as it was before its last change; once."""
    if state.undo is None:
        raise Refused("nothing")
    before, running = state.undo.before, state.programme.poll
    polling = before.poll
    if polling is not None and running is not None and _list(running) == _list(polling):
        before = replace(before, poll=running)  # it went on meanwhile
    elif polling is not None:
        first = _next(state, polling.venues, "")
        before = replace(before, poll=replace(polling, venue=first, next_at=now + polling.interval_s))
    return Outcome(replace(state, programme=before, undo=None))


def undoable(before: Conference, after: Conference, action: str, who: str, now: float) -> Conference:
    """Remember the programme that an action changed."""
    return replace(after, undo=Undo(action, who, now, before.programme))


def polled_on(state: Conference, now: float) -> Conference:
    """Polling after time has passed or somebody came or went: absent venues are skipped."""
    poll = state.programme.poll
    if poll is None or (now < poll.next_at and state.there(poll.venue)):
        return state
    if not poll.venue and (now < poll.next_at and not _next(state, poll.venues, "")):
        return state
    following = replace(poll, venue=_next(state, poll.venues, poll.venue), next_at=now + poll.interval_s)
    return replace(state, programme=replace(state.programme, poll=following))


def _list(poll: Poll) -> tuple[str, tuple[str, ...], float]:
    return poll.scope, poll.venues, poll.interval_s


def _next(state: Conference, venues: tuple[str, ...], after: str) -> str:
    """The next of the list that is there, going round; "" when nobody is."""
    start = venues.index(after) + 1 if after in venues else 0
    return next((venue for venue in (*venues[start:], *venues[:start]) if state.there(venue)), "")


def _there(state: Conference, venue: str) -> str:
    if not state.there(venue):
        raise Refused("absent", venue)
    return venue


def _without_poll(programme: Programme) -> Programme:
    poll = programme.poll
    return replace(programme, poll=None) if poll is not None and poll.scope == "all" else programme


def _with(state: Conference, programme: Programme) -> Outcome:
    return Outcome(replace(state, programme=programme))

"""The state as JSON and back: the store keeps the whole of it, participants are told their part.

A venue is told what concerns everybody (``shared``) and itself (``you``, made by ``vconf.chair.view``); the chair
and who helps it are told every venue too (``council``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vconf.chair.state import (
    Banner,
    Conference,
    Console,
    Display,
    Hand,
    Poll,
    Programme,
    Recording,
    SignIn,
    Undo,
    Venue,
)

Document = dict[str, Any]


def shared(state: Conference) -> Document:
    """What everybody in the meeting is told."""
    found = _programme(state.programme)
    poll = found["poll"]
    return {
        "epoch": state.epoch,
        "number": state.number,
        "programmeNumber": state.programme_number,
        "programmeAt": state.programme_at,
        "meeting": state.meeting,
        "startsAt": state.starts_at,
        "endsAt": state.ends_at,
        "ended": state.ended,
        "main": state.main,
        "owner": state.owner,
        "chair": state.chair,
        "chairAwayAt": state.chair_away_at,
        "coChairs": list(state.co_chairs),
        **found,
        # whom the chair alone goes through is nobody else's business
        "poll": poll if poll and poll["scope"] == "all" else None,
        "slides": state.slides,
        "banner": _banner(state.banner),
        "recording": _recording(state.recording),
        "hands": [{"venue": hand.venue, "at": hand.at} for hand in state.hands],
        "floor": list(state.floor),
        "floorAt": dict(state.floor_at),
        "muteAll": state.mute_all,
        "locked": state.locked,
        "speaker": state.speaker,
        "alone": bool(state.deputies),
        "present": sum(venue.there for venue in state.venues.values()),
    }


def council(state: Conference) -> Document:
    """What the chair and the co-chairs are told more."""
    undo = state.undo
    return {
        "poll": _poll(state.programme.poll),
        "venues": {code: _venue(venue) for code, venue in state.venues.items()},
        "consoles": {code: {"name": c.name, "present": c.present} for code, c in state.consoles.items()},
        "waiting": list(state.waiting),
        "watching": dict(state.watching),
        "viewers": list(state.viewers),
        "deputies": list(state.deputies),
        "recordings": state.recordings,
        "undo": {"action": undo.action, "who": undo.who, "at": undo.at} if undo else None,
    }


def whole(state: Conference) -> Document:
    """Everything, for the store."""
    undo = state.undo
    return {
        **shared(state),
        **council(state),
        "undo": {"action": undo.action, "who": undo.who, "at": undo.at, "before": _programme(undo.before)}
        if undo
        else None,
    }


def from_whole(found: Document) -> Conference:
    """The state that ``whole`` wrote; KeyError, TypeError or ValueError when it is something else."""
    undo, banner = found["undo"], found["banner"]
    return Conference(
        meeting=found["meeting"],
        main=found["main"],
        owner=found["owner"],
        chair=found["chair"],
        starts_at=found["startsAt"],
        ends_at=found["endsAt"],
        epoch=found["epoch"],
        number=found["number"],
        ended=found["ended"],
        chair_away_at=found["chairAwayAt"],
        co_chairs=tuple(found["coChairs"]),
        venues={code: _read_venue(code, each) for code, each in found["venues"].items()},
        consoles={code: Console(code, each["name"], each["present"]) for code, each in found["consoles"].items()},
        programme=_read_programme(found),
        programme_number=found["programmeNumber"],
        programme_at=found["programmeAt"],
        undo=Undo(undo["action"], undo["who"], undo["at"], _read_programme(undo["before"])) if undo else None,
        watching=dict(found["watching"]),
        viewers=tuple(found["viewers"]),
        hands=tuple(Hand(each["venue"], each["at"]) for each in found["hands"]),
        floor=tuple(found["floor"]),
        floor_at=dict(found["floorAt"]),
        mute_all=found["muteAll"],
        slides=found["slides"],
        banner=Banner(banner["text"], banner["ticker"], banner["at"]) if banner else None,
        recording=_read_recording(found.get("recording")),
        recordings=found.get("recordings", 0),
        locked=found["locked"],
        speaker=found["speaker"],
        deputies=tuple(found.get("deputies", ())),
    )


def taken_up(state: Conference, now: float) -> Conference:
    """The state as another signalling process takes it up: nobody is connected yet, nothing else is forgotten."""
    venues = {code: replace(venue, present=False) for code, venue in state.venues.items()}
    consoles = {code: replace(console, present=False) for code, console in state.consoles.items()}
    poll = state.programme.poll
    if poll is not None:  # the clock may be another one
        programme = replace(state.programme, poll=replace(poll, next_at=now + poll.interval_s))
        state = replace(state, programme=programme)
    return replace(
        state,
        venues=venues,
        consoles=consoles,
        epoch=state.epoch + 1,
        number=state.number + 1,
        # whoever records says so anew
        recording=replace(state.recording, running=False, problem="") if state.recording else None,
        # the chair has its grace to come back
        chair_away_at=now if state.there(state.chair) or state.chair_away_at is not None else None,
    )


def _programme(programme: Programme) -> Document:
    return {
        "roll": {"venue": programme.roll, "called": list(programme.called)} if programme.roll else None,
        "broadcast": programme.broadcast,
        "poll": _poll(programme.poll),
        "display": {"mode": programme.display.mode, "venues": list(programme.display.venues)},
    }


def _read_programme(found: Document) -> Programme:
    roll, poll, display = found["roll"] or {}, found["poll"], found["display"]
    return Programme(
        roll=roll.get("venue", ""),
        called=tuple(roll.get("called", ())),
        broadcast=found["broadcast"],
        poll=Poll(poll["scope"], tuple(poll["venues"]), poll["intervalS"], poll["venue"], poll["nextAt"])
        if poll
        else None,
        display=Display(display["mode"], tuple(display["venues"])),
    )


def _poll(poll: Poll | None) -> Document | None:
    if poll is None:
        return None
    return {
        "scope": poll.scope,
        "venues": list(poll.venues),
        "intervalS": poll.interval_s,
        "venue": poll.venue,
        "nextAt": poll.next_at,
    }


def _banner(banner: Banner | None) -> Document | None:
    return {"text": banner.text, "ticker": banner.ticker, "at": banner.at} if banner else None


def _recording(recording: Recording | None) -> Document | None:
    if recording is None:
        return None
    return {
        "number": recording.number,
        "by": recording.by,
        "at": recording.at,
        "running": recording.running,
        "problem": recording.problem,
    }


def _read_recording(found: Document | None) -> Recording | None:
    if not found:
        return None
    return Recording(found["number"], found["by"], found["at"], found["running"], found["problem"])


def _venue(venue: Venue) -> Document:
    signed = venue.signed
    return {
        "zh": venue.zh,
        "en": venue.en,
        "kind": venue.kind,
        "present": venue.present,
        "admitted": venue.admitted,
        "cut": venue.cut,
        "muted": venue.muted,
        "signed": {"heads": signed.heads, "name": signed.name, "at": signed.at} if signed else None,
        "since": venue.since,
    }


def _read_venue(code: str, found: Document) -> Venue:
    signed = found["signed"]
    return Venue(
        code,
        found["zh"],
        found["en"],
        found["kind"],
        found["present"],
        found["admitted"],
        found["cut"],
        found["muted"],
        SignIn(signed["heads"], signed["name"], signed["at"]) if signed else None,
        found["since"],
    )

"""What the relay must do so that the chair's state is true, and what each page is told of it.

Pages are not trusted: a muted venue's sound is stopped at the relay, and a camera that a page is not to see is not
forwarded to it, whatever it asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vconf.chair import document
from vconf.chair.state import Conference
from vconf.chair.view import chairs, heard, may_see_slides, on_air, view, you
from vconf.rooms.peers import RECORDER, Peer, Room, Share, Stream

CAMERA, SLIDES, MICROPHONE = "camera", "slides", "microphone"
Ask = Callable[..., None]
"""Send a request to the relay, in order, without waiting: ``ask("pauseProducer", producer=..., paused=True)``."""

_UNSEEN = frozenset({"number", "programmeNumber", "present"})
"""A page is not told when nothing but these changed."""


def sends(state: Conference, peer: Peer, source: str) -> bool:
    """Whether a venue's stream may leave the relay at all."""
    if source == MICROPHONE:
        return heard(state, peer.code)
    return state.there(peer.code) and (source == CAMERA or state.slides == peer.code)


def receives(state: Conference, room: Room, peer: Peer, share: Share) -> bool:
    """Whether a page may get its share of a stream."""
    return _receives(state, room, peer, share, _shown(state, peer))


def enforce(room: Room, state: Conference, ask: Ask, *, everything: bool = False) -> None:
    """Bring the relay in line; ``everything``: it may have missed earlier requests.

    What is to stop is asked first, what is to begin afterwards.
    """
    streams = [(peer, stream) for peer in room.peers.values() for stream in peer.streams.values()]
    changed = [(peer, stream) for peer, stream in streams if everything or _want(state, peer, stream) != stream.paused]
    for paused in (True, False):
        for peer, stream in changed:
            if _want(state, peer, stream) is paused:
                set_stream(room, state, peer, stream, ask)
    begin = []
    for peer in room.peers.values():
        shown = _shown(state, peer)
        for share in peer.shares.values():
            paused = share.own_pause or not _receives(state, room, peer, share, shown)
            if not everything and paused == share.paused:
                continue
            share.paused = paused
            if paused:
                ask("pauseConsumer", consumer=share.id, paused=True)
            else:
                begin.append(share.id)
    for consumer in begin:
        ask("pauseConsumer", consumer=consumer, paused=False)


def set_stream(room: Room, state: Conference, peer: Peer, stream: Stream, ask: Ask) -> None:
    """One stream as it has to be, told to the others when it changed."""
    before, stream.paused = stream.paused, _want(state, peer, stream)
    ask("pauseProducer", producer=stream.id, paused=stream.paused)
    if stream.paused != before:
        room.tell_others(peer, "producerPaused", peer=peer.id, producer=stream.id, paused=stream.paused)


def publish(room: Room, state: Conference) -> None:
    """Tell every page what changed for it."""
    everybody, council = document.shared(state), document.council(state)
    for peer in room.peers.values():
        before = peer.told
        peer.told = _told(state, peer.code, everybody, council)
        if before.keys() != peer.told.keys() or any(
            before[key] != value for key, value in peer.told.items() if key not in _UNSEEN
        ):
            peer.tell("conference", **peer.told)


def told(state: Conference, who: str) -> dict[str, Any]:
    """All that a participant is told of the conference."""
    return _told(state, who, document.shared(state), document.council(state))


def _told(state: Conference, who: str, everybody: dict[str, Any], council: dict[str, Any]) -> dict[str, Any]:
    if who == RECORDER:
        air = on_air(state)
        told = {"id": who, "role": "recorder", "air": {"layout": air.layout, "show": list(air.show), "why": air.why}}
        return everybody | council | {"you": told}
    own = {"you": you(state, who)}
    if not state.there(who):  # in the waiting room nothing is heard of the meeting, but that it is recorded
        return {key: everybody[key] for key in ("epoch", "number", "meeting", "ended", "recording")} | own
    return everybody | (council if chairs(state, who) else {}) | own


def _want(state: Conference, peer: Peer, stream: Stream) -> bool:
    return stream.own_pause or not sends(state, peer, stream.source)


def _shown(state: Conference, peer: Peer) -> frozenset[str] | None:
    """Cameras it may get; None: all."""
    if not state.there(peer.code):
        return frozenset()
    return None if chairs(state, peer.code) else frozenset(view(state, peer.code).show)


def _receives(state: Conference, room: Room, peer: Peer, share: Share, shown: frozenset[str] | None) -> bool:
    if peer.recorder:
        return True  # whatever leaves the relay at all
    if not state.there(peer.code):
        return False
    if not share.sender:
        return True  # a slot for whoever is loudest: muted venues never get there
    sender = room.peers.get(share.sender)
    if sender is None:
        return False
    if share.source == MICROPHONE:
        return True
    if share.source == SLIDES:
        return may_see_slides(state, peer.code, sender.code)
    return shown is None or sender.code in shown

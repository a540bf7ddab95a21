"""Who is heard in each room of an engine: places for the loudest voices, in the consumers' tables and in the plane."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from vconf.media.plane import SILENT_LEVEL, Plane
from vconf.media.producer import Consumer, Producer
from vconf.media.speakers import LOUDEST, Speakers

_QUIET_US = 700_000  # no packet for so long is silence; Opus in silence sends one every 400 ms


@dataclass(slots=True)
class Room:
    """``loudest`` 0: everybody is heard.  One more than are heard is kept: a speaker does not hear himself."""

    name: str
    loudest: int = 0
    speakers: Speakers = field(default_factory=lambda: Speakers(LOUDEST + 1))


class Voices:
    """All rooms.  ``told(room, peers)`` hears who speaks, loudest first."""

    def __init__(self, plane: Plane, told: Callable[[str, list[str]], None]) -> None:
        self.rooms: dict[str, Room] = {}
        self.switches = 0
        self._plane = plane
        self._told = told

    def set_loudest(self, room: str, loudest: int) -> None:
        """How many are heard at once; 0 all."""
        known = self.rooms.setdefault(room, Room(room))
        known.loudest = loudest
        known.speakers.places = (loudest or LOUDEST) + 1

    def listen(self, room: str) -> None:
        """Somebody has places in this room."""
        self.rooms.setdefault(room, Room(room))

    def look(self, room: Room, producers: Iterable[Producer], places: list[Consumer], now_us: int) -> None:
        """Called every 40 ms: levels, who is heard, and who has which place."""
        voices = {producer.id: producer for producer in producers if producer.sources()}
        levels = {key: self._level(producer, now_us) for key, producer in voices.items()}
        room.speakers.look(levels)
        heard = room.speakers.heard
        for key, producer in voices.items():
            audible = not room.loudest or key in heard[: room.loudest] or (bool(places) and key in heard)
            if producer.audible is not audible:
                producer.audible = audible
                producer.gate()
                self.switches += audible
            for consumer in producer.consumers.values():  # over a pipe goes who is heard here: the loudest of us all
                if consumer.fixed is not None and consumer.wanted is not (key in heard):
                    consumer.wanted = key in heard
                    self._plane.set_paused(consumer.leg, not consumer.wanted)
        self._seat(voices, heard, places, room.loudest or LOUDEST)
        speaking = room.speakers.announce(now_us / 1e6)
        if speaking is not None:
            self._told(room.name, [voices[key].peer for key in speaking])

    def _level(self, producer: Producer, now_us: int) -> int:
        state = self._plane.stream_state(producer.sources()[0].stream)
        return state.level if not producer.paused and now_us - state.arrival_us < _QUIET_US else SILENT_LEVEL

    def _seat(self, voices: dict[str, Producer], heard: list[str], places: list[Consumer], most: int) -> None:
        """Give every receiver's places to the loudest others; whoever has one keeps it."""
        seats: dict[str, list[Consumer]] = {}
        for place in places:
            seats.setdefault(place.transport.id, []).append(place)
        for mine in seats.values():
            peer = mine[0].transport.peer
            wanted = [key for key in heard if voices[key].peer != peer][: min(most, len(mine))]
            taken = {place.producer.id for place in mine if place.producer is not None}
            coming = [key for key in wanted if key not in taken]
            for place in mine:
                if place.producer is not None and place.producer.id in wanted:
                    continue
                if coming:
                    self.give(place, voices[coming.pop(0)])
                elif place.producer is not None and place.producer.id not in voices:
                    self.give(place, None)

    def give(self, place: Consumer, producer: Producer | None) -> None:
        """A place is somebody's from now on."""
        if place.producer is not None:
            place.producer.consumers.pop(place.id, None)
        place.producer = producer
        if producer is not None:
            producer.consumers[place.id] = place
            self._plane.want(place.leg, producer.sources()[0].stream)
        else:
            self._plane.want(place.leg, 0)

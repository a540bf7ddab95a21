"""The programme: of all that is recorded, what everybody was shown, on one track of picture and one of sound.

The picture is the venue on air, changed at a keyframe of the new one.  The sound is one voice at a time, the loudest:
nothing is mixed, for nothing is decoded; every venue's own sound is whole on its own track.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vconf.recording.depacketise import Frame

Add = Callable[[str, float, Frame], None]
"""A track's ``add``."""

SILENT = 127
"""-dBov of silence (RFC 6464)."""

_AWAY_S = 2.0  # the former picture ends when the new one has not come by then
_SPEAKS_S = 0.5  # who was not heard for so long does not speak
_HOLD_S = 0.4
_LOUDER = 8.0  # decibels


def featured(conference: Mapping[str, Any]) -> str:
    """The venue that a single picture of the meeting shows.

    Where several are shown: who has the floor, else who is loudest, else the largest picture.
    """
    air = conference["you"]["air"]
    shown = list(air["show"])
    if air["layout"] == "grid" and air["why"] == "display":
        for venue in (*reversed(conference.get("floor", ())), conference.get("speaker", "")):
            if venue in shown:
                return str(venue)
    return str(shown[0]) if shown else ""


@dataclass(slots=True)
class _Voice:
    level: float = SILENT  # smoothed, -dBov: less is louder
    heard_s: float = -1.0


class Programme:
    """``picture`` and ``sound`` add to the programme's tracks; seconds are those of one monotonic clock."""

    def __init__(self, picture: Add, sound: Add) -> None:
        self._picture, self._sound = picture, sound
        self._shown = self._next = ""
        self._changed_s = 0.0
        self._voices: dict[str, _Voice] = {}
        self._voice = ""
        self._voice_s = -1.0

    @property
    def wants(self) -> str:
        """The venue whose keyframe it waits for; ""."""
        return self._next if self._next != self._shown else ""

    def show(self, venue: str, now_s: float) -> None:
        """Another venue is on air, or the same."""
        if venue != self._next:
            self._next, self._changed_s = venue, now_s

    def frame(self, venue: str, codec: str, at_s: float, frame: Frame, now_s: float) -> None:
        """A picture of any venue's camera."""
        if self._next != self._shown:
            if venue == self._next and frame.keyframe:
                self._shown = venue
            elif now_s - self._changed_s > _AWAY_S:
                self._shown = ""
        if venue and venue == self._shown:
            self._picture(codec, at_s, frame)

    def level(self, venue: str, level: int, now_s: float) -> None:
        """How loud a packet of a venue's sound is."""
        voice = self._voices.setdefault(venue, _Voice())
        voice.level += 0.3 * (level - voice.level)
        voice.heard_s = now_s

    def sound(self, venue: str, at_s: float, frame: Frame, now_s: float) -> None:
        """A packet of any venue's sound."""
        if now_s - self._voice_s >= _HOLD_S:
            self._choose(now_s)
        if venue == self._voice:
            self._sound("opus", at_s, frame)

    def forget(self, venue: str) -> None:
        """It has gone."""
        self._voices.pop(venue, None)
        self._shown = "" if self._shown == venue else self._shown

    def _choose(self, now_s: float) -> None:
        speaking = {venue: voice.level for venue, voice in self._voices.items() if now_s - voice.heard_s <= _SPEAKS_S}
        if not speaking:
            return
        loudest = min(speaking, key=lambda venue: (speaking[venue], venue != self._next, venue))
        current = speaking.get(self._voice)
        if loudest != self._voice and (current is None or speaking[loudest] + _LOUDER <= current):
            self._voice, self._voice_s = loudest, now_s

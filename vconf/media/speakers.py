"""Who is heard: the loudest voices of a room by their own level (RFC 6464), without decoding.

A newcomer takes a place as soon as it is clearly louder than the quietest of those who have one; whoever has spoken
keeps the place through a breath.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vconf.media.plane import SILENT_LEVEL

LOUDEST = 3
SPEAKING = 55
"""Louder than this (-dBov) is speech."""

_MARGIN = 8.0  # dB
_ATTACK, _RELEASE = 0.6, 0.03  # smoothing a look: up at once, down slowly
_HOLD_S = 1.5


@dataclass(slots=True)
class _Voice:
    loudness: float = 0.0  # 0 silent, 127 full scale


@dataclass(slots=True)
class Speakers:
    """One room.  ``heard`` are keys of voices, loudest first; ``told`` is what was announced last."""

    places: int = LOUDEST
    heard: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    _voices: dict[str, _Voice] = field(default_factory=dict)
    _told_s: float = -1e9

    def look(self, levels: dict[str, int]) -> bool:
        """Levels of all voices now (-dBov, 127 for silence); True when other voices are heard than before."""
        for key in [key for key in self._voices if key not in levels]:
            del self._voices[key]
        for key, level in levels.items():
            voice = self._voices.setdefault(key, _Voice())
            loud = float(SILENT_LEVEL - level)
            voice.loudness += (loud - voice.loudness) * (_ATTACK if loud > voice.loudness else _RELEASE)
        before = set(self.heard)
        heard = [key for key in self.heard if key in self._voices][: self.places]
        others = sorted((key for key in self._voices if key not in heard), key=self._loudness, reverse=True)
        for key in others:
            if len(heard) < self.places:
                heard.append(key)
                continue
            quietest = min(heard, key=self._loudness)
            if self._loudness(key) < self._loudness(quietest) + _MARGIN:
                break
            heard[heard.index(quietest)] = key
        self.heard = sorted(heard, key=self._loudness, reverse=True)
        return set(self.heard) != before

    def announce(self, now_s: float) -> list[str] | None:
        """Who speaks, loudest first, when it is another list than was told and the last has stood for a while."""
        speaking = [key for key in self.heard if self._loudness(key) > SILENT_LEVEL - SPEAKING]
        if now_s - self._told_s < _HOLD_S or not speaking or speaking == self.told:
            return None
        self.told, self._told_s = speaking, now_s
        return speaking

    def _loudness(self, key: str) -> float:
        return self._voices[key].loudness

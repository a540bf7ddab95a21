"""What an action asks of the world besides the new state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vconf.chair.state import Conference


@dataclass(frozen=True, slots=True)
class Effect:
    """``kind``: "eject" (venue, reason), "end", "extend" (endsAt), "signIn" (venue, heads, name)."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after an action; sound and pictures follow from it (``vconf.chair.view``), effects are the rest."""

    state: Conference
    effects: tuple[Effect, ...] = ()

"""Which layer of each picture a receiver gets, so that the whole fits what its path carries.

Voice is not chosen here: it goes before everything.  Pictures of higher priority (slides) are raised to their best
before those of lower priority (cameras) get anything; equal ones first get their lowest layer each, then are raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

_UP = 1.15
"""A higher layer than now must fit with this much to spare, so that a choice does not swing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One picture.  ``bps`` are its layers' rates, lowest first, 0 for one that does not arrive."""

    bps: Sequence[int]
    priority: int = 0
    most: int | None = None  # highest layer allowed
    now: int = -1  # layer sent now, -1 none

    def steps(self) -> list[int]:
        """Layers that can be chosen, lowest first."""
        end = len(self.bps) if self.most is None else self.most + 1
        live = [index for index, rate in enumerate(self.bps) if rate]
        return [index for index in live if index < end] or live[:1]


@dataclass(frozen=True, slots=True)
class Choice:
    """``layers`` in the order of the wishes, -1 for none; ``missing_bps`` is what the next step up would need more."""

    layers: list[int]
    used_bps: int
    missing_bps: int


def choose(wishes: Sequence[Wish], budget_bps: float, *, all_lowest: bool = False) -> Choice:
    """The best layers that fit the budget; ``all_lowest``: nobody is left without, whether it fits or not."""
    chosen = [-1] * len(wishes)
    used = missing = 0
    order = sorted(range(len(wishes)), key=lambda index: -wishes[index].priority)
    for _, group in groupby(order, key=lambda index: wishes[index].priority):
        members = list(group)
        for step in range(max((len(wishes[index].steps()) for index in members), default=0)):
            for index in members:
                wish, steps = wishes[index], wishes[index].steps()
                if step >= len(steps) or (step and chosen[index] != steps[step - 1]):
                    continue
                more = wish.bps[steps[step]] - (wish.bps[steps[step - 1]] if step else 0)
                fits = used + more * (_UP if steps[step] > wish.now else 1.0) <= budget_bps
                if fits or (all_lowest and step == 0):
                    chosen[index] = steps[step]
                    used += more
                elif not missing:
                    missing = max(1, more)
    return Choice(chosen, used, missing)

"""Which relay hands a stream on to which: the tree of the tiers, without those that are dead."""

from __future__ import annotations

from collections.abc import Mapping


class Tree:
    """``above``: the relay that each hangs on; those without one are joined to each other directly.

    ValueError when one hangs on itself, however far.
    """

    def __init__(self, above: Mapping[str, str]) -> None:
        self.above = dict(above)
        self.dead: set[str] = set()
        for relay in self.above:
            if self.above.get(self._chain(relay)[-1]):
                raise ValueError(f"relay {relay} hangs on itself")

    def upwards(self, relay: str) -> list[str]:
        """It and those above it, in order; a dead one is skipped."""
        return [each for each in self._chain(relay) if each not in self.dead]

    def _chain(self, relay: str) -> list[str]:
        found: list[str] = []
        while relay and relay not in found:
            found.append(relay)
            relay = self.above.get(relay, "")
        return found

    def source(self, origin: str, relay: str) -> str:
        """The relay next to ``relay`` on the way from ``origin``; both live, and are not the same."""
        up, down = self.upwards(origin), self.upwards(relay)
        shared = next((name for name in up if name in down), None)
        if shared == relay:
            return up[up.index(relay) - 1]
        if shared is not None or len(down) > 1:
            return down[1]
        return up[-1]

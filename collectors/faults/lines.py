"""What the probes say of each fibre: which of them carry badly, and which only look dead.

A fibre that loses a third of its packets now and then loses so many of BFD's in a row that the session ends, and comes
back after seconds.  It is one fault from its first symptom to its last: known as degraded it stays degraded while
probes are answered over it, whatever BFD says; told as silent first, it becomes degraded as soon as answers are seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from collectors.county import County
from collectors.probe.degraded import SETTLE_S, Degradation, degradations
from collectors.probe.sender import RECENT_S
from inventory.probes import link_key, link_paths

PROVEN_S = RECENT_S + 2.5
"""BFD has been down for so long: an answer among the figures came after that.  An agent tells changes every 2 s."""

Measured = Mapping[str, Any]


def answered(figures: Measured) -> bool:
    """Whether anything has come back over the fibre in the last ``RECENT_S``."""
    return figures.get("rtt_min_ms") is not None and (figures.get("loss_ratio") or 0.0) < 1


class Lines:
    """Remembers from when on each fibre's figures can be believed again."""

    def __init__(self, county: County) -> None:
        self._county = county
        self._probed = [(path.link, path.host) for path in link_paths(county.model) if path.host in county.views]
        self._believed_from: dict[str, float] = {}

    def degraded(
        self, now: float, quiet: Mapping[str, float], known: Collection[str], before: Mapping[str, Measured]
    ) -> dict[str, Measured]:
        """Fibres that carry badly, with what was measured.

        Args:
            now: Monotonic seconds.
            quiet: Fibres with carrier and without BFD, and since when.
            known: Fibres whose open fault is that they are degraded.
            before: What this gave the last time.
        """
        found: dict[str, Measured] = {}
        for name, host in self._probed:
            seen, view = self._county.links.get(name), self._county.views[host]
            lossy = name in before or name in known
            since = quiet.get(name)
            if since is None and (seen is None or seen.state != "up"):
                self._believed_from[name] = now + SETTLE_S
                continue
            if since is not None and not lossy:
                self._believed_from[name] = now + SETTLE_S
            if since is not None and now - since < PROVEN_S:
                if lossy:
                    found[name] = before.get(name, {})
                continue
            figures = view.value("probes", link_key(name))
            if figures is None or not view.fresh(now):
                continue
            if since is not None and not answered(figures):
                continue  # dead
            if since is None and not lossy and now < self._believed_from.get(name, 0.0):
                continue
            numbers = {key: value for key, value in figures.items() if isinstance(value, int | float)}
            if wrong := degradations(self._county.model.links[name], numbers):
                found[name] = measured(wrong)
            elif since is not None and lossy:
                found[name] = before.get(name, {})  # it carries again, and BFD is about to come back
        return found


def measured(wrong: Sequence[Degradation]) -> dict[str, Any]:
    """As a fault's detail: one key for each thing that is wrong."""
    detail: dict[str, Any] = {"reason": "; ".join(each.words for each in wrong)}
    for each in wrong:
        if each.kind == "loss":
            detail["loss_ratio"] = each.measured
        elif each.kind == "rate":
            detail["bottleneck_bps"] = each.measured
        elif each.kind == "delay":
            detail["delay_ms"] = round(each.measured - each.expected, 3)
    return detail

"""Whether a line that carries packets carries them badly, told from its session's figures alone.

What a busy machine does to single packets must not pass for a bad line: losses at several moments, the least
round trip and the narrowest gap of several seconds.  The figures of a line that has just come back say nothing for
``SETTLE_S``: they may still count what the outage took.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from inventory.model import Link

SETTLE_S = 10.0
LOSSES = 3  # of the some fifty packets of a window
LOSSY_TRAINS = 2  # a single moment is no ratio
LOSS_RATIO = 0.05
EXTRA_MS = 2.0  # of the round trip, beyond what the fibre's length explains
FIBRE_MS_PER_KM = 0.0049  # one way: light in G.652, refractive index 1.468
RATE_SHARE = 0.5
SLOWEST_TOLD_BPS = 200e6  # packet pairs tell no faster line apart


class Degradation(NamedTuple):
    """What is wrong with a line, worst first: "loss" (ratio), "delay" (ms of round trip) or "rate" (bit/s)."""

    kind: str
    measured: float
    expected: float  # a good line has at most this (rate: at least)
    words: str


def degradations(link: Link, figures: Mapping[str, Any]) -> list[Degradation]:
    """``figures`` as in the agent's section "probes" under "link:<link>"; [] for a good line, or one that is silent."""
    found = []
    lost, ratio = figures.get("lost") or 0, figures.get("loss_ratio") or 0.0
    trains = figures.get("lossy_trains") or 0
    if ratio < 1 and lost >= LOSSES and trains >= LOSSY_TRAINS and ratio >= LOSS_RATIO:
        found.append(Degradation("loss", ratio, 0.0, f"{ratio:.0%} of the packets are lost"))
    rate = figures.get("bottleneck_bps")
    least = min(link.rate_bps * RATE_SHARE, SLOWEST_TOLD_BPS)
    if isinstance(rate, int | float) and rate < least:
        words = f"carries {rate / 1e6:.3g} Mbit/s of {link.rate_bps / 1e6:.3g}"
        found.append(Degradation("rate", float(rate), float(link.rate_bps), words))
    trip, fibre = figures.get("rtt_min_ms"), 2 * FIBRE_MS_PER_KM * link.length_km
    # A slow line also takes longer to send a packet; that alone is no delay.
    sending = 2e3 * 8 * 1514 / rate if isinstance(rate, int | float) and rate > 0 else 0.0
    if isinstance(trip, int | float) and trip > fibre + EXTRA_MS + sending:
        found.append(Degradation("delay", float(trip), round(fibre, 3), f"the round trip takes {trip:.3g} ms"))
    return found

"""From single probes to the figures of a path: loss, delay and jitter, each way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Answer(NamedTuple):
    """The four times of an answered probe (RFC 8762) and the reflector's own count."""

    reflected_ns: int  # T2
    returned_ns: int  # T3
    received_ns: int  # T4
    reflector_sequence: int


class Probe(NamedTuple):
    """One packet sent; ``answer`` is None while, or because, none came."""

    sequence: int
    sent_ns: int  # T1
    answer: Answer | None


class Figures(NamedTuple):
    """A path over one window.  Ratios are 0 to 1; times None when no packet came back.

    One-way delays are as good as both clocks; the round trip and the jitters need no common clock.  Jitter is the
    mean absolute difference of consecutive delays (IPDV, RFC 3393).  The loss's direction is told by the
    reflector's count, None when it cannot be told (nothing came back, or the reflector was restarted).
    """

    sent: int
    lost: int
    loss_ratio: float
    forward_loss_ratio: float | None
    backward_loss_ratio: float | None
    rtt_ms: float | None
    rtt_max_ms: float | None
    forward_ms: float | None
    backward_ms: float | None
    forward_jitter_ms: float | None
    backward_jitter_ms: float | None


def _mean_ms(values: Sequence[int]) -> float | None:
    return round(sum(values) / len(values) / 1e6, 4) if values else None


def summarise(probes: Sequence[Probe]) -> Figures:
    """Figures of probes in the order they were sent; every one is either answered or given up."""
    answered = [(probe, probe.answer) for probe in probes if probe.answer is not None]
    sent, lost = len(probes), len(probes) - len(answered)
    forward = [answer.reflected_ns - probe.sent_ns for probe, answer in answered]
    backward = [answer.received_ns - answer.returned_ns for _, answer in answered]
    rtt = [there + back for there, back in zip(forward, backward, strict=True)]
    forward_loss = backward_loss = None
    counts = [answer.reflector_sequence for _, answer in answered]
    if counts and sent and counts == sorted(counts):
        # Between the first and the last answer the reflector sent span packets: what is missing was lost on the
        # way back, the rest (and all before the first and after the last answer) on the way there.
        span = counts[-1] - counts[0] + 1
        lost_back = min(max(span - len(counts), 0), lost)
        backward_loss = round(lost_back / sent, 4)
        forward_loss = round((lost - lost_back) / sent, 4)
    return Figures(
        sent=sent,
        lost=lost,
        loss_ratio=round(lost / sent, 4) if sent else 0.0,
        forward_loss_ratio=forward_loss,
        backward_loss_ratio=backward_loss,
        rtt_ms=_mean_ms(rtt),
        rtt_max_ms=round(max(rtt) / 1e6, 4) if rtt else None,
        forward_ms=_mean_ms(forward),
        backward_ms=_mean_ms(backward),
        forward_jitter_ms=_mean_ms([abs(after - before) for before, after in pairwise(forward)]),
        backward_jitter_ms=_mean_ms([abs(after - before) for before, after in pairwise(backward)]),
    )

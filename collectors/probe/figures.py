"""From single probes to the figures of a path or line: loss, delay, jitter and capacity, each way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from collectors.probe.mos import mos

FASTEST_GAP_NS = 60_000
"""Two packets that arrive this close together were not held up by the line: 200 Mbit/s for 1500 octets."""

_STRETCHED = 1.5  # a gap this many times the gap they were sent with is the line's doing


class Answer(NamedTuple):
    """The four times of an answered probe (RFC 8762) and the reflector's own count."""

    reflected_ns: int  # T2
    returned_ns: int  # T3
    received_ns: int  # T4
    reflector_sequence: int


class Probe:
    """One packet sent; ``answer`` is None while, or because, none came."""

    __slots__ = ("answer", "sent_ns", "sequence")

    def __init__(self, sequence: int, sent_ns: int, answer: Answer | None = None) -> None:
        self.sequence = sequence
        self.sent_ns = sent_ns  # T1
        self.answer = answer


class Figures(NamedTuple):
    """A path over one window.  Ratios are 0 to 1; what cannot be told is None.

    One-way delays are as good as both clocks; the round trip (without the reflector's own time), the jitters and the
    capacity need no common clock.  Jitter is the mean absolute difference of consecutive delays (IPDV, RFC 3393).
    The reflector's count tells on which way a packet was lost (RFC 8762, section 4.3: stateful); what was sent after
    the last answer is in neither, so ``lost_forward + lost_backward`` may be less than ``lost``.
    """

    sent: int
    lost: int
    lost_forward: int
    lost_backward: int
    lossy_trains: int  # moments at which packets were lost; one moment may cost all that was sent then
    loss_ratio: float
    loss_forward_ratio: float | None
    loss_backward_ratio: float | None
    rtt_ms: float | None  # mean
    rtt_min_ms: float | None  # of the last seconds, see ``sender.RECENT_S``
    rtt_max_ms: float | None
    forward_ms: float | None
    backward_ms: float | None
    forward_jitter_ms: float | None
    backward_jitter_ms: float | None
    bottleneck_bps: float | None  # lines only; None: faster than can be told
    mos: float | None  # ITU-T G.107, of the worse way


def round_trip(probe: Probe, answer: Answer) -> int:
    """Nanoseconds on the way, without the reflector's own time."""
    return answer.received_ns - probe.sent_ns - (answer.returned_ns - answer.reflected_ns)


def _mean_ms(values: Sequence[int]) -> float | None:
    return round(sum(values) / len(values) / 1e6, 4) if values else None


def _jitter_ms(values: Sequence[int]) -> float | None:
    return _mean_ms([abs(after - before) for before, after in pairwise(values)])


def summarise(
    probes: Sequence[Probe], anchor: Probe | None = None, train: int = 1, recent_ns: int = 0, bits: int = 0
) -> Figures:
    """Figures of probes in the order they were sent; every one is either answered or lost.

    Args:
        probes: The window.
        anchor: The last answered probe before it, so that losses at its beginning have a direction.
        train: How many packets are sent back to back: sequences 0 to train - 1, and so on.
        recent_ns: The least round trip and the capacity are of what was sent since then.
        bits: Of a train's packet, link-layer header included.
    """
    answered = [(probe, probe.answer) for probe in probes if probe.answer is not None]
    sent, lost = len(probes), len(probes) - len(answered)
    forward = [answer.reflected_ns - probe.sent_ns for probe, answer in answered]
    backward = [answer.received_ns - answer.returned_ns for _, answer in answered]
    rtt = [way + other for way, other in zip(forward, backward, strict=True)]
    recent = [row for row in answered if row[0].sent_ns >= recent_ns]
    least = min((round_trip(*row) for row in recent), default=None)
    there, back = _directions(answered if anchor is None or not anchor.answer else [(anchor, anchor.answer), *answered])
    back = min(back, lost)
    there = min(there, lost - back)
    told = bool(answered) and sent > 0
    jitters = _jitter_ms(forward), _jitter_ms(backward)
    mean = _mean_ms(rtt)
    worse = max(there, back) if told else lost
    return Figures(
        sent=sent,
        lost=lost,
        lost_forward=there,
        lost_backward=back,
        lossy_trains=len({probe.sequence // train for probe in probes if probe.answer is None}) if lost else 0,
        loss_ratio=round(lost / sent, 4) if sent else 0.0,
        loss_forward_ratio=round(there / sent, 4) if told else None,
        loss_backward_ratio=round(back / sent, 4) if told else None,
        rtt_ms=mean,
        rtt_min_ms=round(least / 1e6, 4) if least is not None else None,
        rtt_max_ms=round(max(rtt) / 1e6, 4) if rtt else None,
        forward_ms=_mean_ms(forward),
        backward_ms=_mean_ms(backward),
        forward_jitter_ms=jitters[0],
        backward_jitter_ms=jitters[1],
        bottleneck_bps=_bottleneck(recent, train, bits) if train > 1 else None,
        mos=mos(mean / 2, max(jitters[0] or 0.0, jitters[1] or 0.0), worse / sent) if mean is not None else None,
    )


def _directions(answered: Iterable[tuple[Probe, Answer]]) -> tuple[int, int]:
    """How many were lost on the way there, and how many on the way back, between the first answer and the last."""
    there = back = 0
    for (before, counted), (after, counted_after) in pairwise(answered):
        missing = after.sequence - before.sequence - 1
        if missing > 0:
            came = counted_after.reflector_sequence - counted.reflector_sequence - 1
            came = min(max(came, 0), missing)
            back += came
            there += missing - came
    return there, back


def _bottleneck(answered: Sequence[tuple[Probe, Answer]], train: int, bits: int) -> float | None:
    """Capacity of the narrower way, by the dispersion of packet pairs (Dovrolis et al., "Packet-dispersion
    techniques and a capacity-estimation methodology", 2004): the second of two packets sent at once arrives as much
    later as the line takes to send it.  Other traffic only widens gaps, so the narrowest of the window counts; and
    only where the line widened it, for a busy sender sends its two packets apart."""
    pairs = [
        (first, second)
        for first, second in pairwise(answered)
        if second[0].sequence - first[0].sequence == 1 and second[0].sequence % train
    ]
    found = []
    for way in (_forward_gaps, _backward_gaps):
        gap, sent_gap = min((way(first, second) for first, second in pairs), default=(0, 0))
        if gap > max(FASTEST_GAP_NS, sent_gap * _STRETCHED):
            found.append(bits * 1e9 / gap)
    return round(min(found)) if found else None


def _forward_gaps(first: tuple[Probe, Answer], second: tuple[Probe, Answer]) -> tuple[int, int]:
    return second[1].reflected_ns - first[1].reflected_ns, second[0].sent_ns - first[0].sent_ns


def _backward_gaps(first: tuple[Probe, Answer], second: tuple[Probe, Answer]) -> tuple[int, int]:
    return second[1].received_ns - first[1].received_ns, second[1].returned_ns - first[1].returned_ns

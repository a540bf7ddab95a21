"""How a voice call over a path would sound: the E-model (ITU-T G.107, 06/2015) with its default values."""

from __future__ import annotations

import math

_DEFAULT_R = 93.2  # G.107, table 3: rating with every parameter at its default
_IE, _BPL = 0.0, 25.1  # G.711 with packet loss concealment (ITU-T G.113, appendix I), random loss: BurstR = 1
_PACKET_MS = 20.0  # what a packet holds is spoken before it is sent


def rating(delay_ms: float, loss_ratio: float) -> float:
    """R of G.107 for a mouth-to-ear delay and the share of packets that are lost: R0 - Is - Idd - Ie,eff."""
    percent = 100 * loss_ratio
    impairment = _IE + (95 - _IE) * percent / (percent + _BPL)  # equation (7-29)
    return _DEFAULT_R - _delay_impairment(delay_ms) - impairment


def _delay_impairment(delay_ms: float) -> float:
    """Idd, equations (7-27) and (7-28)."""
    if delay_ms <= 100:
        return 0.0
    x = math.log2(delay_ms / 100)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)


def mos(one_way_ms: float, jitter_ms: float, loss_ratio: float) -> float:
    """Mean opinion score, 1 to 4.5 (G.107, annex B): a packet's own length and a jitter buffer of twice the jitter
    come on top of the network's delay.

    >>> mos(10.0, 1.0, 0.0), mos(10.0, 1.0, 0.1)
    (4.41, 3.39)
    """
    r = rating(one_way_ms + 2 * jitter_ms + _PACKET_MS, loss_ratio)
    if r <= 0:
        return 1.0
    score = 4.5 if r >= 100 else 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6
    return round(max(score, 1.0), 2)

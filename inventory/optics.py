"""The optical budget: what a module sends, and what arrives at the other end of a fibre."""

from __future__ import annotations

import math

TX_DBM = -5.0  # 1000BASE-LX module, middle of its -9.5 .. -3 dBm (IEEE 802.3 clause 38)
LOSS_DB_PER_KM = 0.35  # G.652 fibre at 1310 nm
CONNECTORS_DB = 1.5  # two patch panels and the splices
RECEIVER_LIMIT_DBM = -19.5
"""Least average power that a 1000BASE-LX10 receiver takes (IEEE 802.3 table 59-4); the alert rules name the same."""
FLOOR_DBM = -40.0  # what a module reports without light


def receive_dbm(length_km: float) -> float:
    """Expected receive power after a fibre of that length, in dBm, to a tenth."""
    return math.floor((TX_DBM - CONNECTORS_DB - LOSS_DB_PER_KM * length_km) * 10) / 10

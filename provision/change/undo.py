"""How each platform takes an unconfirmed change back without us, and how short its timer can be.

The device's own words for it are the sessions' (``provision/vendor/words.py``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Undo:
    """A platform's timer."""

    shortest_s: int
    step_s: int  # it counts in these
    restart: bool = False  # it restarts, and starts from what was saved: what hangs on it is cut meanwhile


UNDO = {
    "linux": Undo(5, 1),
    "huawei_vrp8": Undo(60, 1),  # commit trial
    "h3c_comware": Undo(60, 60),  # configuration commit delay
    "huawei_vrp5": Undo(60, 60, restart=True),  # schedule reboot delay
    "ruijie_rgos": Undo(60, 60, restart=True),  # reload in
    "zte_zxr10": Undo(60, 60, restart=True),  # reload system in
}

AHEAD_S = 20
"""A broker that lives takes a change back this long before the device would restart for it."""

RESTART_S = 300
"""A switch is back this long after its restart began, by the vendors' words: minutes, of which none forwards."""


def asked_s(platform: str, confirm_s: int) -> int:
    """Seconds that a device of this platform is asked to wait: never less than it can."""
    return max(confirm_s, UNDO[platform].shortest_s)


def timer_s(platform: str, confirm_s: int) -> int:
    """Seconds until a device that was asked to wait so long goes back by itself, with nobody there to take it back."""
    undo = UNDO[platform]
    seconds = asked_s(platform, confirm_s) + (AHEAD_S if undo.restart else 0)
    return -(-seconds // undo.step_s) * undo.step_s

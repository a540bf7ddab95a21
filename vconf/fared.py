"""How each venue fared in a meeting: sampled while it goes on, summed up in the store, told in the report after it.

A row's figures are sums and maxima, so that a process that starts anew goes on adding.  The relay's own figures
(``Rooms.quality``) are one sample; what the hall's page counts (freezes of pictures) grows while its session lasts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store.engine import Store
from vconf.rooms.rooms import Rooms
from vconf.tables import MeetingRow, QualityRow

SAMPLE_S = 10.0
_KEEP_EVERY = 3  # samples
_COUNTED = ("freezes", "freezeMs", "concealed", "heard")
"""What a hall's page counts from the beginning of its session (request ``report``)."""

_MEASURED = ("up_lost_percent", "up_jitter_ms", "down_lost_percent")

logger = logging.getLogger(__name__)

Figures = dict[str, Any]


class Fared:
    """Samples every meeting that goes on.

    Args:
        store: Where sums are kept.
        rooms: The meetings.
    """

    def __init__(self, store: Store, rooms: Rooms) -> None:
        self._store, self._rooms = store, rooms
        self._new: dict[tuple[int, str], Figures] = {}
        self._counted: dict[str, dict[str, float]] = {}  # peer -> what its page had counted

    async def run(self) -> None:
        """Until cancelled; what was sampled is kept then too."""
        looks = 0
        try:
            while True:
                await asyncio.sleep(SAMPLE_S)
                await self.sample()
                looks += 1
                if looks % _KEEP_EVERY == 0:
                    await asyncio.to_thread(self.keep)
        finally:
            self.keep()

    async def sample(self) -> None:
        """One sample of every venue that is in a meeting."""
        peers = set()
        for number, room in list(self._rooms.rooms.items()):
            measured = await self._rooms.quality(number)
            for peer in list(room.peers.values()):
                if peer.listed:
                    peers.add(peer.id)
                    new = self._new.setdefault((number, peer.code), {})
                    add(new, sampled(measured.get(peer.code)))
                    add(new, self._grown(peer.id, peer.report))
        self._counted = {peer: found for peer, found in self._counted.items() if peer in peers}

    def _grown(self, peer: str, report: Mapping[str, Any]) -> Figures:
        """What the page counted since the last sample; a page that was loaded anew begins at nothing."""
        now = {name: float(report[name]) for name in _COUNTED if name in report}
        before = self._counted.get(peer, {})
        self._counted[peer] = now
        return {
            name: value - before.get(name, 0.0) if value >= before.get(name, 0.0) else value
            for name, value in now.items()
        }

    def keep(self) -> None:
        """Add to the store what is new; without the store it waits."""
        new, self._new = self._new, {}
        if not new:
            return
        try:
            with self._store.session() as session:
                held = set(session.scalars(select(MeetingRow.id).where(MeetingRow.id.in_({key[0] for key in new}))))
                for (meeting, hall), figures in new.items():
                    if meeting not in held:
                        continue  # a test room
                    row = session.get(QualityRow, (meeting, hall)) or QualityRow(
                        meeting_id=meeting, hall=hall, figures={}
                    )
                    row.figures = add(dict(row.figures), figures)
                    session.add(row)
        except SQLAlchemyError as problem:
            logger.error("figures of %d venues are not in the store yet: %s", len(new), problem)
            for key, figures in self._new.items():
                add(new.setdefault(key, {}), figures)
            self._new = new


def sampled(measured: Mapping[str, Any] | None) -> Figures:
    """One sample as sums: of a venue that the relay hears nothing of only that there was one."""
    found: Figures = {"samples": 1}
    if measured is None:
        return found
    found["silent"] = int(bool(measured.get("silent")))
    for name in _MEASURED:
        if (value := measured.get(name)) is not None:
            found |= {f"{name}_sum": value, f"{name}_max": value, f"{name}_n": 1}
    if (layer := measured.get("layer")) is not None:
        found["layers"] = {str(layer): 1}
    return found


def add(to: Figures, more: Mapping[str, Any]) -> Figures:
    """Sums added, maxima kept; ``to`` is changed and given back."""
    for name, value in more.items():
        if isinstance(value, Mapping):
            to[name] = add(dict(to.get(name, {})), value)
        elif name.endswith("_max"):
            to[name] = max(to.get(name, value), value)
        else:
            to[name] = to.get(name, 0) + value
    return to


def summary(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What people read of a venue's sums; None: not measured.

    Returns:
        ``{minutes, up_lost_percent, up_lost_max, up_jitter_ms, up_jitter_max, down_lost_percent, down_lost_max,
        freezes, freeze_s, concealed_percent, layer, layers, silent_percent}``: means and maxima; ``layer`` the size
        that it got most of the time (0 to 2, -1: none), ``layers`` the share of each.
    """

    def mean(name: str) -> float | None:
        count = figures.get(f"{name}_n", 0)
        return round(figures[f"{name}_sum"] / count, 2) if count else None

    layers: Mapping[str, int] = figures.get("layers", {})
    total, heard = sum(layers.values()), figures.get("heard", 0)
    samples = figures.get("samples", 0)
    return {
        "minutes": round(samples * SAMPLE_S / 60, 1),
        "up_lost_percent": mean("up_lost_percent"),
        "up_lost_max": figures.get("up_lost_percent_max"),
        "up_jitter_ms": mean("up_jitter_ms"),
        "up_jitter_max": figures.get("up_jitter_ms_max"),
        "down_lost_percent": mean("down_lost_percent"),
        "down_lost_max": figures.get("down_lost_percent_max"),
        "freezes": round(figures["freezes"]) if "freezes" in figures else None,
        "freeze_s": round(figures["freezeMs"] / 1000, 1) if "freezeMs" in figures else None,
        "concealed_percent": round(100 * figures.get("concealed", 0) / heard, 2) if heard else None,
        "layer": int(max(layers, key=lambda layer: layers[layer])) if layers else None,
        "layers": {layer: round(count / total, 3) for layer, count in layers.items()},
        "silent_percent": round(100 * figures.get("silent", 0) / samples, 1) if samples else None,
    }


def of(session: Session, meeting: int) -> dict[str, dict[str, Any]]:
    """Venue -> its summary."""
    query = select(QualityRow).where(QualityRow.meeting_id == meeting)
    return {row.hall: summary(row.figures) for row in session.scalars(query)}

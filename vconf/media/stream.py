"""An incoming stream with those it goes to, as the Python plane keeps it."""

from __future__ import annotations

from vconf.media.plane import StreamFormat
from vconf.media.rewriter import Leg
from vconf.media.ring import Held, Ring


class Stream:
    """``legs`` are fed by it, ``waiting`` will be from its next keyframe (or voice packet) on."""

    __slots__ = ("handle", "is_open", "legs", "pending", "ring", "waiting")

    def __init__(self, handle: int, form: StreamFormat) -> None:
        self.handle = handle
        self.ring = Ring(form)
        self.is_open = True
        self.pending: list[Held] = []  # to be sent with the next flush
        self.legs: list[Leg] = []
        self.waiting: list[Leg] = []

    def place(self, leg: Leg) -> None:
        """Note what the leg takes of this stream now."""
        for listed, wanted in ((self.legs, leg.fed is self), (self.waiting, leg.waits_for is self)):
            if wanted and leg not in listed:
                listed.append(leg)
            elif not wanted and leg in listed:
                listed.remove(leg)

    def begins_at(self) -> int:
        """Index of the first pending packet that a waiting leg can begin with, -1 when there is none."""
        if self.ring.form.kind == "audio":
            return 0 if self.pending else -1
        for index, held in enumerate(self.pending):
            if held.keyframe:
                return index
        return -1

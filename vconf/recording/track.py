"""One track of a recording: frames on the recording's time, cut into fragments, sealed in parts.

A part is a file of its own: an init segment and then fragments of about a second.  A new part begins with the
recorder, and when the codec changes; a picture of another size stays in its part, for its parameter sets travel with
it.  Gaps are gaps: times are kept, nothing is made up.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from vconf.recording import boxes, sps
from vconf.recording.depacketise import Frame
from vconf.recording.sealed import HEAD, SUFFIX, SealedWriter

FRAGMENT_S = 1.0
_PART = re.compile(r"(?P<track>[^/]+)\.(?P<number>\d{4})" + re.escape(SUFFIX))
_SNAP_S = 0.04  # sound that is so near to its place is put there
_LEAST_S, _MOST_S = 0.005, 2.0  # between pictures, and how long one may last
_OPUS_MS = (10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 10, 20, *(2.5, 5, 10, 20) * 4)


@dataclass(frozen=True, slots=True)
class _Pending:
    at: int  # ticks
    frame: Frame


class Track:
    """Writes a track's parts into a folder.

    Args:
        folder: The recording's.
        name: "t01-video": letters, digits and dashes.
        key: The recording's.
        recording: Its id.
    """

    def __init__(self, folder: Path, name: str, key: bytes, recording: str) -> None:
        self.name = name
        self.octets = 0  # of parts that are closed
        self._folder, self._key, self._recording = folder, key, recording
        self._form: boxes.Form | None = None
        self._file: SealedWriter | None = None
        self._pending: _Pending | None = None  # its duration is known when the next has come
        self._samples: list[boxes.Sample] = []
        self._begins = self._end = 0  # ticks: of the first of them, behind the last that was settled
        self._fragments = 0

    @property
    def written(self) -> int:
        """Octets on the disk."""
        return self.octets + (self._file.octets if self._file is not None else 0)

    @property
    def file(self) -> SealedWriter | None:
        """The part that is open."""
        return self._file

    def add(self, codec: str, at_s: float, frame: Frame) -> None:
        """A frame that was taken ``at_s`` after the recording began; one from before the last is left out.

        A picture before the first keyframe is left out too.
        """
        if self._form is None or self._form.codec != codec:
            if not frame.keyframe:
                return
            try:
                form = _form(codec, frame)
            except sps.SpsError:
                return
            self._end_part()
            self._form = form
        at = self._place(round(max(0.0, at_s) * self._form.hz), frame)
        if at is None:
            return
        self._settle(at)
        self._pending = _Pending(at, frame)
        if self._samples and at - self._begins >= FRAGMENT_S * self._form.hz:
            self._cut()

    def flush(self, now_s: float) -> None:
        """Called every second with the recording's time: what waits for a next frame waits no longer than that."""
        pending, form = self._pending, self._form
        if pending is None or form is None:
            return
        if now_s - pending.at / form.hz > FRAGMENT_S + 0.5:
            self._settle(pending.at + _duration(form, pending.frame))
            self._cut()
        elif self._samples and now_s - self._begins / form.hz > FRAGMENT_S:
            self._cut()

    def close(self) -> None:
        """Write what is left, and end the part."""
        self._end_part()

    def _place(self, at: int, frame: Frame) -> int | None:
        """Where it goes in ticks; None: nowhere."""
        form, pending = self._form, self._pending
        assert form is not None
        snap = round(_SNAP_S * form.hz)
        if pending is None:
            return max(at, self._end) if at >= self._end - snap else None
        if form.codec == "opus":
            due = pending.at + _duration(form, pending.frame)
            return due if abs(at - due) <= snap else at if at > due else None
        least = pending.at + round(_LEAST_S * form.hz)
        if at >= least:
            return at
        return least if frame.keyframe or at > pending.at - snap else None

    def _settle(self, until: int) -> None:
        """The frame that is pending lasts until then, within reason."""
        pending, form = self._pending, self._form
        if pending is None or form is None:
            return
        most = _duration(form, pending.frame) if form.codec == "opus" else round(_MOST_S * form.hz)
        if self._samples and pending.at != self._end:
            self._cut()  # a gap: what follows has its own time
        if not self._samples:
            self._begins = pending.at
        lasts = min(until - pending.at, most)
        self._samples.append(boxes.Sample(pending.frame.data, lasts, pending.frame.keyframe))
        self._end = pending.at + lasts
        self._pending = None

    def _cut(self) -> None:
        """What is settled becomes a fragment."""
        form = self._form
        if not self._samples or form is None:
            return
        if self._file is None:
            self._file = self._open(form)
        self._fragments += 1
        self._file.write(boxes.fragment(self._fragments, self._begins, self._samples))
        self._samples = []

    def _open(self, form: boxes.Form) -> SealedWriter:
        number = 1 + max((part for _, part in parts(self._folder, self.name)), default=0)
        file = SealedWriter(self._folder / f"{self.name}.{number:04}{SUFFIX}", self._key, self._recording)
        about = {"track": self.name, "codec": form.codec, "width": form.width, "height": form.height}
        file.write(json.dumps(about).encode(), HEAD)
        file.write(boxes.init(form))
        self._fragments = 0
        return file

    def _end_part(self) -> None:
        if self._pending is not None and self._form is not None:
            self._settle(self._pending.at + _duration(self._form, self._pending.frame))
        self._cut()
        if self._file is not None:
            self._file.close()
            self.octets += self._file.octets
            self._file = None
        self._form = None


def parts(folder: Path, track: str = "") -> list[tuple[Path, int]]:
    """Files of a recording with their numbers, in order; ``track``: of that one alone."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _PART.fullmatch(path.name)
        if match is not None and track in ("", match["track"]):
            found.append((path, int(match["number"])))
    return found


def track_of(path: Path) -> str:
    """The track that a part belongs to."""
    match = _PART.fullmatch(path.name)
    return match["track"] if match else ""


def _form(codec: str, frame: Frame) -> boxes.Form:
    if codec == "opus":
        return boxes.Form("opus")
    if codec == "vp8":
        return boxes.Form("vp8", *sps.vp8_size(frame.data))
    size = frame.config[0] << 8 | frame.config[1]
    return boxes.Form("h264", *sps.h264_size(frame.config[2 : 2 + size]), config=frame.config)


def _duration(form: boxes.Form, frame: Frame) -> int:
    """Of a packet of sound as its first octet says (RFC 6716 section 3.1); of a picture a usual one."""
    if form.codec != "opus":
        return form.hz // 30
    head = frame.data[0]
    count = (1, 2, 2, frame.data[1] & 0x3F if len(frame.data) > 1 else 1)[head & 3]
    return max(120, min(5760, round(_OPUS_MS[head >> 3] * count * form.hz / 1000)))

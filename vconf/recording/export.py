"""What is taken away of a recording: plain MP4 files that any player opens, chapters, and a manifest.

The manifest (``manifest.json``) is what the training library reads::

    {"format": "sanwang.recording/1", "recording": "7-1", "begun": "...", "ended": "..." or null,
     "meeting": {"id", "title", "start", "main"},
     "files": [{"name", "source", "zh", "en", "seconds", "octets", "sha256", "codecs", "width", "height", "whole"}],
     "chapters": [{"at_s", "kind", "venue", "zh", "en"}]}

``source`` is "programme", "slides" or a venue's code.  All files have one time: second 0 is when the recording began,
so a venue that came later begins later, and slides are shown beside the programme at the same second.  ``whole`` is
false where a part was torn by a crash: what is there is good.  Of a source that changed its codec there are several
files.
"""

from __future__ import annotations

import hashlib
import heapq
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from vconf.recording import chapters as marks
from vconf.recording.recorder import CHAPTERS, PROGRAMME, SLIDES
from vconf.recording.sealed import SealedReader, SealError
from vconf.recording.track import parts, track_of

FORMAT = "sanwang.recording/1"
Document = dict[str, Any]


class ExportError(ValueError):
    """Nothing can be taken away; the message says why."""


@dataclass(slots=True)
class _Part:
    """One file of a track."""

    reader: SealedReader
    about: Document

    @property
    def codec(self) -> str:
        return str(self.about["codec"])


class _Plain(io.RawIOBase):
    """A part's MP4 as a file that is read once, from its beginning; one that is torn ends."""

    def __init__(self, reader: SealedReader) -> None:
        self._chunks = reader.chunks()
        self._rest = b""
        next(self._chunks, None)  # what it is about

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        found, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return found


def sources(folder: Path) -> list[str]:
    """What can be taken: "programme", "slides", venues."""
    tracks = {track_of(path).rpartition("-")[0] for path, _ in parts(folder)} - {""}
    return sorted(tracks, key=lambda source: (source != PROGRAMME, source != SLIDES, source))


def chapters(folder: Path, key: bytes, recording: str) -> list[Document]:
    """What the chair did; SealError."""
    found = []
    for path, _ in parts(folder, CHAPTERS):
        for chunk in list(SealedReader(path, key, recording).chunks())[1:]:
            found.append(json.loads(chunk))
    return sorted(found, key=lambda each: float(each["at_s"]))


def write(
    folder: Path, key: bytes, recording: str, to: Path, about: Mapping[str, Any], names: marks.Names, only: str = ""
) -> Document:
    """Write files into a folder and return the manifest that lies beside them.

    Args:
        folder: The recording's.
        key: The recording's.
        recording: Its id.
        to: Made when missing; files of the same names are replaced.
        about: ``begun``, ``ended`` and ``meeting`` of the manifest.
        names: Venues' names: code -> {"zh", "en"}.
        only: One source; "" all.

    Raises:
        ExportError: There is nothing of that name, or nothing at all.
        SealError: A chunk was changed.
    """
    wanted = [source for source in sources(folder) if only in ("", source)]
    if not wanted:
        have = ", ".join(sources(folder)) or "nothing"
        raise ExportError(f"recording {recording}: found {have}, expected {only or 'a picture or a sound'}")
    to.mkdir(parents=True, exist_ok=True)
    listed = chapters(folder, key, recording)
    files = [
        file
        for source in wanted
        for file in _source(folder, key, recording, source, to, listed, names.get(source, _OURS.get(source, {})))
    ]
    ends_s = max((float(file["seconds"]) for file in files), default=0.0)
    for language in ("zh", "en"):
        text = marks.webvtt(listed, ends_s, language)
        (to / f"chapters.{language}.vtt").write_text(text, encoding="utf-8")
    manifest = {"format": FORMAT, "recording": recording, **about, "files": files, "chapters": listed}
    (to / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return manifest


_OURS = {PROGRAMME: {"zh": "主画面", "en": "Programme"}, SLIDES: {"zh": "双流", "en": "Slides"}}


def _source(
    folder: Path, key: bytes, recording: str, source: str, to: Path, listed: list[Document], name: Mapping[str, str]
) -> Iterator[Document]:
    """A file for each run of parts of one codec."""
    pictures = _parts(folder, f"{source}-video", key, recording)
    sounds = _parts(folder, f"{PROGRAMME if source == SLIDES else source}-audio", key, recording)
    runs: list[list[_Part]] = []
    for part in pictures:
        if runs and runs[-1][-1].codec == part.codec:
            runs[-1].append(part)
        else:
            runs.append([part])
    for number, run in enumerate(runs or [[]], 1):
        path = to / (f"{source}.mp4" if number == 1 else f"{source}-{number}.mp4")
        # sound goes with the run that it was heard in: from its first picture to the next run's
        begins = _begins(run) if number > 1 else 0.0
        ends = _begins(runs[number]) if number < len(runs) else float("inf")
        try:
            seconds = _mux(path, run, sounds, listed, begins, ends)
        except BaseException:
            path.unlink(missing_ok=True)  # half a film is none
            raise
        if seconds is None:
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield {
            "name": path.name,
            "source": source,
            "zh": name.get("zh", source),
            "en": name.get("en", source),
            "seconds": round(seconds, 3),
            "octets": path.stat().st_size,
            "sha256": digest,
            "codecs": sorted({part.codec for part in run + sounds}),
            "width": run[0].about["width"] if run else 0,
            "height": run[0].about["height"] if run else 0,
            "whole": all(part.reader.ended for part in run + sounds),
        }


def _parts(folder: Path, track: str, key: bytes, recording: str) -> list[_Part]:
    """Those that have a beginning; SealError."""
    found = []
    for path, _ in parts(folder, track):
        chunks = SealedReader(path, key, recording).chunks()
        head, first, fragment = next(chunks, None), next(chunks, None), next(chunks, None)
        if head is not None and first is not None and fragment is not None:
            found.append(_Part(SealedReader(path, key, recording), json.loads(head)))
    return found


def _begins(run: list[_Part]) -> float:
    """Seconds of its first picture."""
    with av.open(_Plain(run[0].reader.again()), "r", format="mp4") as source:
        for packet in source.demux():
            if packet.pts is not None and packet.time_base is not None:
                return float(packet.pts * packet.time_base)
    return 0.0


def _mux(
    path: Path, pictures: list[_Part], sounds: list[_Part], listed: list[Document], begins_s: float, ends_s: float
) -> float | None:
    """One MP4 of what lies between two times; how long it is, None when nothing does."""
    last = 0.0
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out:
        tracks = []
        for number, track in enumerate((pictures, sounds)):
            if track:
                with av.open(_Plain(track[0].reader.again()), "r", format="mp4") as template:
                    made = out.add_stream_from_template(template.streams[0], opaque=True)
                tracks.append(_packets(track, number, made))
        _set_chapters(out, listed, begins_s, ends_s)
        for at_s, _, packet, stream in heapq.merge(*tracks, key=lambda row: (row[0], row[1])):
            if begins_s <= float(at_s) < ends_s:
                packet.stream = stream
                out.mux(packet)
                last = max(last, float(at_s + (packet.duration or 0) * packet.time_base))
    if not last:
        path.unlink()
        return None
    return last


def _packets(track: list[_Part], number: int, stream: Any) -> Iterator[tuple[Fraction, int, Any, Any]]:
    """(seconds, number of the track, packet, stream of the output), in order, later parts behind earlier ones."""
    end = Fraction(-1)
    for part in track:
        with av.open(_Plain(part.reader), "r", format="mp4") as source:
            for packet in source.demux():
                if packet.pts is None or packet.time_base is None:
                    continue
                at = packet.pts * packet.time_base
                if at > end:  # a clock that was set back between two parts loses what it repeats
                    end = at
                    yield at, number, packet, stream


def _set_chapters(out: Any, listed: list[Document], begins_s: float, ends_s: float) -> None:
    within = [each for each in listed if begins_s <= float(each["at_s"]) < ends_s]
    out.set_chapters(
        [
            {
                "id": number,
                "start": round(float(each["at_s"]) * 1000),
                "end": round(float(within[number]["at_s"] if number < len(within) else each["at_s"] + 1) * 1000),
                "time_base": Fraction(1, 1000),
                "metadata": {"title": f"{each['zh']} / {each['en']}"},
            }
            for number, each in enumerate(within, 1)
        ]
    )


__all__ = ["FORMAT", "ExportError", "SealError", "chapters", "sources", "write"]

"""Fragmented MP4 of one track (ISO/IEC 14496-12): an init segment, then fragments that each stand for themselves.

H.264 as ``avc3`` (ISO/IEC 14496-15: parameter sets in the samples, so the size may change at any keyframe), VP8 as
``vp08`` (the WebM project's binding), Opus as ``Opus`` (the Opus in ISOBMFF specification).  Written as
``frag_keyframe+empty_moov+default_base_moof`` of libavformat would be, but cut where we want and without its queues.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

VIDEO_HZ, AUDIO_HZ = 90_000, 48_000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC, _DELTA = 0x02000000, 0x01010000  # sample flags: depends on nothing; depends on others and is no sync sample
_OPUS_SKIP = 312  # samples at 48 kHz that a decoder warms up with (RFC 7845 section 4.2, libopus)


@dataclass(frozen=True, slots=True)
class Form:
    """What a track holds.  ``codec``: "h264", "vp8", "opus"; ``config``: of ``depacketise.Frame`` for H.264."""

    codec: str
    width: int = 0
    height: int = 0
    config: bytes = b""

    @property
    def hz(self) -> int:
        """Ticks of its media time in a second."""
        return AUDIO_HZ if self.codec == "opus" else VIDEO_HZ


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame; ``duration`` in ticks."""

    data: bytes
    duration: int
    keyframe: bool


def init(form: Form) -> bytes:
    """``ftyp`` and ``moov`` without samples."""
    video = form.codec != "opus"
    place = struct.pack(">4H", 0, 0, 0 if video else 256, 0)  # layer, group, volume
    size = struct.pack(">2I", form.width << 16, form.height << 16)
    head = _full("tkhd", 0, 3, struct.pack(">5I", 0, 0, 1, 0, 0), bytes(8), place, _MATRIX, size)
    handler = _full("hdlr", 0, 0, bytes(4), b"vide" if video else b"soun", bytes(12), b"sanwang\0")
    about = _full("vmhd", 0, 1, bytes(8)) if video else _full("smhd", 0, 0, bytes(4))
    where = _box("dinf", _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1)))
    entry = _visual(form) if video else _sound()
    table = _box(
        "stbl",
        _full("stsd", 0, 0, struct.pack(">I", 1), entry),
        _full("stts", 0, 0, bytes(4)),
        _full("stsc", 0, 0, bytes(4)),
        _full("stsz", 0, 0, bytes(8)),
        _full("stco", 0, 0, bytes(4)),
    )
    times = _full("mdhd", 0, 0, struct.pack(">4I2H", 0, 0, form.hz, 0, 0x55C4, 0))  # language "und"
    track = _box("trak", head, _box("mdia", times, handler, _box("minf", about, where, table)))
    movie = _full(
        "mvhd", 0, 0, struct.pack(">5I2H8x", 0, 0, 1000, 0, 0x10000, 0x100, 0), _MATRIX, bytes(24), struct.pack(">I", 2)
    )
    extends = _box("mvex", _full("trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0)))
    return _box("ftyp", b"iso6", struct.pack(">I", 1), b"iso6mp41") + _box("moov", movie, track, extends)


def fragment(number: int, at: int, samples: Sequence[Sample]) -> bytes:
    """``moof`` and ``mdat``; ``number`` counts from 1, ``at`` is the first sample's time in ticks."""
    rows = b"".join(
        struct.pack(">3I", each.duration, len(each.data), _SYNC if each.keyframe else _DELTA) for each in samples
    )
    size = 8 + 16 + 8 + 16 + 20 + 20 + len(rows)  # moof, mfhd, traf, tfhd, tfdt, trun
    head = _box(
        "moof",
        _full("mfhd", 0, 0, struct.pack(">I", number)),
        _box(
            "traf",
            _full("tfhd", 0, 0x020000, struct.pack(">I", 1)),  # default-base-is-moof
            _full("tfdt", 1, 0, struct.pack(">Q", at)),
            _full("trun", 0, 0x000701, struct.pack(">II", len(samples), size + 8), rows),
        ),
    )
    return head + _box("mdat", *(each.data for each in samples))


def _visual(form: Form) -> bytes:
    name, more = ("avc3", _avcc(form.config)) if form.codec == "h264" else ("vp08", _vpcc())
    return _box(
        name,
        struct.pack(">6xH16x2H2II", 1, form.width, form.height, 0x480000, 0x480000, 0),
        struct.pack(">H32xHh", 1, 0x18, -1),
        more,
    )


def _avcc(config: bytes) -> bytes:
    sets = []
    at = 0
    while at < len(config):
        size = config[at] << 8 | config[at + 1]
        sets.append(config[at + 2 : at + 2 + size])
        at += 2 + size
    sps, pps = sets
    profile = bytes((1, *sps[1:4], 0xFF, 0xE1))
    return _box("avcC", profile, struct.pack(">H", len(sps)), sps, b"\1", struct.pack(">H", len(pps)), pps)


def _vpcc() -> bytes:
    return _full("vpcC", 1, 0, bytes((0, 10, 8 << 4, 2, 2, 2)), bytes(2))  # 8 bits, 4:2:0; colours not said


def _sound() -> bytes:
    about = _box("dOps", struct.pack(">BBHIhB", 0, 2, _OPUS_SKIP, AUDIO_HZ, 0, 0))
    return _box("Opus", struct.pack(">6xH8x2H4xI", 1, 2, 16, AUDIO_HZ << 16), about)


def _box(name: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name.encode() + body


def _full(name: str, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)

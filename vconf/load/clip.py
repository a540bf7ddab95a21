"""A few seconds of picture and sound, encoded when the program starts, that every hall sends round and round."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from aiortc.codecs.h264 import H264Encoder

from vconf.media.payload import h264_keyframe

WIDTH, HEIGHT, RATE = 320, 180, 15
VOICE_S = 0.02
_SECONDS = 2
BITS_PER_S, _VOICE_BITS_PER_S = 200_000, 24_000
_HZ = 48_000
_PICTURE = f"testsrc2=size={WIDTH}x{HEIGHT}:rate={RATE}"
_SOUND = f"sine=frequency=220:beep_factor=4:sample_rate={_HZ}"
_QUIETEST = 127  # RFC 6464: -dBov


class ClipError(ValueError):
    """The file cannot be read as a film."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame as RTP payloads (RFC 6184)."""

    payloads: tuple[bytes, ...]
    keyframe: bool


@dataclass(frozen=True, slots=True)
class Sound:
    """20 ms of Opus, and how loud they are in -dBov (RFC 6464)."""

    payload: bytes
    level: int


@dataclass(frozen=True, slots=True)
class Clip:
    """Two seconds: ``RATE`` pictures a second, the first of each second a keyframe; a sound each ``VOICE_S``."""

    pictures: tuple[Picture, ...]
    sounds: tuple[Sound, ...]


def make(film: Path | None = None, bits_per_s: int = BITS_PER_S) -> Clip:
    """Encode the beginning of a film; without one a moving test picture and a beeping tone.

    Raises:
        ClipError: the film cannot be read, or is no second long.
    """
    try:
        pictures = tuple(_pictures(film, bits_per_s))
    except (av.FFmpegError, OSError, StopIteration, IndexError) as error:
        raise ClipError(f"{film}: found no film ({error}); expected a file with a video stream") from None
    if len(pictures) < RATE:
        raise ClipError(f"{film}: found {len(pictures) / RATE:.1f} s of video, expected 1 s at least")
    return Clip(pictures, tuple(_sounds(film)))


def _pictures(film: Path | None, bits_per_s: int) -> Iterator[Picture]:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.framerate, codec.time_base = Fraction(RATE), Fraction(1, RATE)
    codec.bit_rate, codec.gop_size = bits_per_s, RATE
    codec.options = {"tune": "zerolatency", "preset": "veryfast", "level": "31", "sc_threshold": "0"}
    codec.profile = "Baseline"
    packing = H264Encoder()
    with closing(av.open(_PICTURE, format="lavfi") if film is None else av.open(str(film))) as source:
        for number, frame in enumerate(islice(_steady(source), _SECONDS * RATE)):
            frame = frame.reformat(WIDTH, HEIGHT, "yuv420p")
            frame.pts, frame.time_base = number, codec.time_base
            frame.pict_type = av.video.frame.PictureType.NONE
            for packet in codec.encode(frame):
                payloads = tuple(packing.pack(packet)[0])
                yield Picture(payloads, any(map(h264_keyframe, payloads)))


def _steady(source: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """The film's frames at our rate."""
    due_s = 0.0
    for frame in source.decode(source.streams.video[0]):
        if frame.time is None or frame.time >= due_s - 0.001:
            due_s += 1 / RATE
            yield frame


def _sounds(film: Path | None) -> Iterator[Sound]:
    codec = av.CodecContext.create("libopus", "w")
    codec.format, codec.layout, codec.sample_rate, codec.bit_rate = "s16", "stereo", _HZ, _VOICE_BITS_PER_S
    codec.options = {"application": "voip"}
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=_HZ, frame_size=int(_HZ * VOICE_S))
    with closing(_heard(film)) as source:
        left = int(_SECONDS / VOICE_S)
        for decoded in source.decode(source.streams.audio[0]):
            for frame in resampler.resample(decoded):
                for packet in codec.encode(frame):
                    yield Sound(bytes(packet), _level(bytes(frame.planes[0])))
                    left -= 1
                    if not left:
                        return


def _heard(film: Path | None) -> av.container.InputContainer:
    if film is not None:
        opened = av.open(str(film))
        if opened.streams.audio:
            return opened
        opened.close()
    return av.open(_SOUND, format="lavfi")


def _level(samples: bytes) -> int:
    values = array("h", samples)
    mean = sum(value * value for value in values) / max(1, len(values))
    return _QUIETEST if mean < 1 else min(_QUIETEST, max(0, round(-10 * math.log10(mean / 0x7FFF**2))))

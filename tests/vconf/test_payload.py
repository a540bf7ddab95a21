"""Keyframes are seen without decoding, on real encoder output; VP8's numbers move; garbage does nothing."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from hypothesis import given
from hypothesis import strategies as st

from vconf.media.payload import h264_keyframe, vp8_keyframe, vp8_numbers, vp8_renumber


def _frame(number: int) -> av.VideoFrame:
    frame = av.VideoFrame(320, 240, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes((number * 37 + at) & 0xFF for at in range(plane.buffer_size)))
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
    return frame


@pytest.mark.parametrize(
    ("encoder", "starts"), [(H264Encoder(), h264_keyframe), (Vp8Encoder(), vp8_keyframe)], ids=["h264", "vp8"]
)
def test_keyframes_of_a_real_encoder_are_seen(encoder: H264Encoder | Vp8Encoder, starts: object) -> None:
    assert callable(starts)
    for number, forced in enumerate([False, False, False, True, False]):
        payloads, _ = encoder.encode(_frame(number), force_keyframe=forced)
        assert any(starts(payload) for payload in payloads) == (number == 0 or forced), number


@given(st.integers(0, 0x7FFF), st.integers(0, 255), st.integers(-0x7FFF, 0x7FFF), st.integers(-255, 255))
def test_vp8_numbers_move_and_nothing_else(picture: int, tl0: int, by: int, tl0_by: int) -> None:
    payload = bytes((0x90, 0xE0, 0x80 | picture >> 8, picture & 0xFF, tl0, 0x20, 0x10, 0xAA))
    assert vp8_numbers(payload) == (picture, tl0)
    moved = vp8_renumber(payload, by, tl0_by)
    assert vp8_numbers(moved) == ((picture + by) & 0x7FFF, (tl0 + tl0_by) & 0xFF)
    assert (moved[:2], moved[5:]) == (payload[:2], payload[5:])


@given(st.binary(max_size=40))
def test_garbage_is_no_keyframe_error(payload: bytes) -> None:
    assert h264_keyframe(payload) in (True, False)
    assert vp8_keyframe(payload) in (True, False)
    if vp8_numbers(payload) is None:
        assert vp8_renumber(payload, 5, 5) == payload

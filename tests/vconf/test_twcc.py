"""Transport-cc feedback, read back by a decoder written from the draft and not from our encoder."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vconf.media.rtcp import RtcpError
from vconf.media.twcc import Recorder, summary


def decode(data: bytes) -> tuple[int, dict[int, int], list[int]]:
    """(feedback count, sequence -> arrival in microseconds of the reference's clock, sequences lost)."""
    first, kind, words = struct.unpack_from("!BBH", data)
    assert (first & 0x1F, kind, 4 * (words + 1)) == (15, 205, len(data))
    end = len(data) - (data[-1] if first & 0x20 else 0)
    base, count, reference = struct.unpack_from("!HHI", data, 12)
    statuses: list[int] = []
    at = 20
    while len(statuses) < count:
        (chunk,) = struct.unpack_from("!H", data, at)
        at += 2
        if chunk & 0x8000 == 0:
            statuses += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            statuses += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            statuses += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    times: dict[int, int] = {}
    lost: list[int] = []
    clock = (reference >> 8) * 64_000
    for index, status in enumerate(statuses[:count]):
        sequence = (base + index) & 0xFFFF
        if status == 0:
            lost.append(sequence)
            continue
        size = "!B" if status == 1 else "!h"
        (delta,) = struct.unpack_from(size, data, at)
        at += struct.calcsize(size)
        clock += delta * 250
        times[sequence] = clock
    assert at == end
    return reference & 0xFF, times, lost


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 40_000)), min_size=1, max_size=200),
    st.integers(1_000_000, 10**12),
)
def test_every_arrival_is_told_and_every_gap_is_lost(start: int, steps: list[tuple[int, int]], now: int) -> None:
    recorder = Recorder()
    sequence, wanted = start, {}
    for index, (ahead, wait) in enumerate(steps):
        sequence = (sequence + (ahead if index else 0)) & 0xFFFF
        now += wait
        wanted[sequence] = now
        recorder.arrived(sequence, now)
    told: dict[int, int] = {}
    lost: list[int] = []
    count = 0
    while (data := recorder.feedback(sender=1, media=2)) is not None:
        number, times, missing = decode(data)
        assert number == count & 0xFF
        count += 1
        told |= times
        lost += missing
    assert told.keys() == wanted.keys()
    wrap = 64_000 << 24  # the reference time has 24 bits
    for each, time in told.items():
        assert (wanted[each] - time) % wrap < 500  # rounded down to ticks of 250 us
    assert not set(lost) & wanted.keys()
    assert len(lost) + len(told) == ((sequence - start) & 0xFFFF) + 1


def test_late_packets_do_not_move_the_base_back_and_jumps_stay_bounded() -> None:
    recorder = Recorder()
    recorder.arrived(10, 1_000_000)
    assert recorder.feedback(sender=1, media=2) is not None
    recorder.arrived(9, 1_000_100)
    assert recorder.feedback(sender=1, media=2) is None
    recorder.arrived(30_000, 1_100_000)
    data = recorder.feedback(sender=1, media=2)
    assert data is not None
    assert len(data) < 1200
    assert list(decode(data)[1]) == [30_000]


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.integers(1, 9), st.integers(-20_000, 120_000)), min_size=1, max_size=120),
)
def test_the_summary_says_what_the_decoder_says(start: int, steps: list[tuple[int, int]]) -> None:
    recorder, sequence, now = Recorder(), start, 50_000_000
    for index, (ahead, wait) in enumerate(steps):
        sequence = (sequence + (ahead if index else 0)) & 0xFFFF
        now += wait
        recorder.arrived(sequence, now)
    while (data := recorder.feedback(sender=1, media=2)) is not None:
        _, times, lost = decode(data)
        told = summary(data)
        assert (told.packets, told.received) == (len(times) + len(lost), len(times))
        assert (told.first, told.first_us) == next(iter(times.items()))
        assert (told.last, told.last_us) == list(times.items())[-1]


@given(st.binary(max_size=80), st.integers(0, 60))
def test_a_summary_of_garbage_is_refused_or_read(tail: bytes, cut: int) -> None:
    recorder = Recorder()
    for number in range(0, 60, 3):
        recorder.arrived(number, number * 1000)
    whole = recorder.feedback(sender=1, media=2) or b""
    for data in (whole[:cut] + tail, tail, whole[:20] + tail):
        try:
            told = summary(data)
        except RtcpError:
            continue
        assert 0 <= told.received <= told.packets


def test_a_short_feedback_is_refused() -> None:
    with pytest.raises(RtcpError, match="at least 20"):
        summary(bytes(19))

"""Source and sink: loss is counted and asked for again; a receiver sees one unbroken stream whatever feeds it."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vconf.media import rtcp, rtp
from vconf.media.sink import Sink, SinkFormat
from vconf.media.source import RING, Source

KEY = b"\x67sps"
DELTA = b"\x41delta"


def source(ssrc: int = 1, kind: str = "video", codec: str = "h264") -> Source:
    return Source(ssrc, kind=kind, codec=codec, clock_hz=90_000, payload_type=96)


def packet(sequence: int, payload: bytes = DELTA, timestamp: int = 0, ssrc: int = 1) -> rtp.Packet:
    return rtp.Packet(96, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, payload)


def sink(rtx: bool = True) -> Sink:
    form = SinkFormat(
        ssrc=77,
        payload_type=102,
        cname="t01",
        mid=b"3",
        mid_extension=1,
        rtx_ssrc=78 if rtx else 0,
        rtx_payload_type=103 if rtx else 0,
        passed_extensions=(("level", 10),),
    )
    return Sink("video", form)


def feed(into: Sink, origin: Source, each: rtp.Packet, now: float = 1.0) -> rtp.Packet | None:
    assert origin.receive(each, now)
    data = into.rewrite(each, origin, {}, now)
    return rtp.parse(data) if data is not None else None


@given(st.integers(0, 0xFFFF), st.lists(st.booleans(), min_size=2, max_size=150))
def test_what_was_lost_is_counted_and_asked_for(start: int, arrives: list[bool]) -> None:
    stream = source()
    arrives[0] = arrives[-1] = True
    for index, here in enumerate(arrives):
        if here:
            assert stream.receive(packet(start + index), index * 0.01)
    missing = [(start + index) & 0xFFFF for index, here in enumerate(arrives) if not here]
    assert stream.nacks(10.0) == missing
    assert stream.nacks(10.01) == []  # asked a moment ago
    block = stream.report_block(10.0)
    assert block is not None
    assert block.lost == len(missing)
    assert block.highest & 0xFFFF == (start + len(arrives) - 1) & 0xFFFF
    assert block.fraction_lost == (len(missing) << 8) // len(arrives)
    for sequence in missing:  # each comes after all
        assert stream.receive(packet(sequence), 10.1)
    assert stream.lost == 0
    assert stream.recovered == len(missing)
    assert stream.nacks(20.0) == []


def test_duplicates_and_old_packets_go_no_further() -> None:
    stream = source()
    for sequence in range(RING + 50):
        stream.receive(packet(sequence), 0.0)
    assert not stream.receive(packet(RING + 20), 0.0)
    assert not stream.receive(packet(3), 0.0)
    assert stream.duplicates == 2
    assert stream.find(3) is None
    held = stream.find(RING + 20)
    assert held is not None
    assert held.sequence == RING + 20


def test_nacks_end_in_a_keyframe_request_and_requests_are_joined() -> None:
    stream = source()
    stream.receive(packet(1, KEY), 0.0)
    stream.receive(packet(3), 0.0)
    asked = [now for now in (0.1 * step for step in range(20)) if stream.nacks(now)]
    assert len(asked) == 8
    assert stream.keyframe_due(5.0)
    assert not stream.keyframe_due(5.1)
    assert stream.keyframe_due(5.6)  # none came: ask again
    stream.receive(packet(4, KEY), 5.7)
    assert not stream.keyframe_due(9.0)


def test_a_big_gap_asks_for_a_keyframe_instead() -> None:
    stream = source()
    stream.receive(packet(1, KEY), 0.0)
    stream.receive(packet(900), 0.0)
    assert stream.nacks(1.0) == []
    assert stream.keyframe_due(1.0)


def test_video_starts_at_a_keyframe_and_audio_at_once() -> None:
    out, stream = sink(), source()
    out.want(stream)
    assert feed(out, stream, packet(10, KEY)) is None  # paused
    out.resume()
    assert stream.keyframe_due(1.0)
    assert feed(out, stream, packet(11)) is None
    first = feed(out, stream, packet(12, KEY, timestamp=5000))
    assert first is not None
    assert (first.ssrc, first.payload_type, first.extensions, first.payload) == (77, 102, {1: b"3"}, KEY)
    second = feed(out, stream, packet(13, timestamp=8600))
    assert second is not None
    assert (second.sequence - first.sequence) & 0xFFFF == 1
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 3600


@given(st.integers(0, 2**32))
def test_switches_and_pauses_leave_no_gap(seed: int) -> None:
    chance = random.Random(seed)
    streams = [source(ssrc) for ssrc in (1, 2, 3)]
    sequences = [chance.randrange(0x10000) for _ in streams]
    clocks = [chance.randrange(0x100000000) for _ in streams]
    out = sink()
    out.want(streams[0])
    out.resume()
    seen: list[rtp.Packet] = []
    for step in range(60):
        now = 1 + step * 0.04
        match chance.randrange(13):
            case 0:
                out.want(chance.choice(streams))
            case 1:
                out.paused = True
            case 2:
                out.resume()
        for index, stream in enumerate(streams):
            sequences[index] += 1
            payload = KEY if chance.randrange(5) == 0 else DELTA
            got = feed(out, stream, packet(sequences[index], payload, clocks[index] + step * 3600, stream.ssrc), now)
            if got is not None:
                seen.append(got)
    for before, after in pairwise(seen):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert 0 < (after.timestamp - before.timestamp) & 0xFFFFFFFF < 0x80000000


def test_a_retransmission_is_what_was_sent() -> None:
    out, stream = sink(), source()
    out.want(stream)
    out.resume()
    first = feed(out, stream, packet(0xFFFE, KEY))
    assert first is not None
    sent = [first] + [got for step in range(1, 6) if (got := feed(out, stream, packet(0xFFFE + step, b"%d" % step)))]
    for each in sent:
        data = out.resend(each.sequence, lambda original: {})
        assert data is not None
        again = rtp.parse(data)
        assert (again.ssrc, again.payload_type, again.timestamp) == (78, 103, each.timestamp)
        original = rtp.unwrap_rtx(again, 102, 77)
        assert original is not None
        assert (original.sequence, original.payload) == (each.sequence, each.payload)
    assert out.resend((sent[-1].sequence + 100) & 0xFFFF, lambda original: {}) is None
    assert out.counters.not_held == 1
    plain = sink(rtx=False)
    plain.want(stream)
    plain.resume()
    got = feed(plain, stream, packet(20, KEY))
    assert got is not None
    data = plain.resend(got.sequence, lambda original: {})
    assert data is not None
    assert rtp.parse(data).ssrc == 77


def test_packets_from_before_the_switch_are_left_out() -> None:
    out, low, high = sink(), source(1), source(2)
    out.want(low)
    out.resume()
    assert feed(out, low, packet(100, KEY)) is not None
    out.want(high)
    assert feed(out, low, packet(101)) is not None  # goes on until the keyframe is there
    assert feed(out, high, packet(498, ssrc=2)) is None
    assert feed(out, high, packet(500, KEY, ssrc=2)) is not None
    assert feed(out, high, packet(499, ssrc=2)) is None
    assert feed(out, low, packet(102)) is None


def test_sender_reports_speak_in_the_receivers_numbers() -> None:
    out, stream = sink(), source()
    out.want(stream)
    out.resume()
    assert out.sender_report(rtcp.SenderReport(1, 5, 6, 7, 8), stream) is None
    got = feed(out, stream, packet(1, KEY, timestamp=1000))
    assert got is not None
    data = out.sender_report(rtcp.SenderReport(1, 0x1122334455667788, 1900, 7, 8), stream)
    assert data is not None
    (report,) = rtcp.parse(data)
    assert isinstance(report, rtcp.SenderReport)
    assert (report.ssrc, report.ntp, report.packets) == (77, 0x1122334455667788, 1)
    assert (report.timestamp - got.timestamp) & 0xFFFFFFFF == 900


def test_vp8_pictures_are_numbered_on_across_a_switch() -> None:
    def picture(number: int, tl0: int, key: bool) -> bytes:
        return bytes((0x90, 0xE0, 0x80 | number >> 8, number & 0xFF, tl0, 0, 0 if key else 1, 0))

    low, high = source(1, codec="vp8"), source(2, codec="vp8")
    out = sink()
    out.want(low)
    out.resume()
    first = feed(out, low, packet(1, picture(300, 7, True)))
    out.want(high)
    second = feed(out, high, packet(1, picture(9000, 200, True), ssrc=2))
    third = feed(out, high, packet(2, picture(9001, 201, False), ssrc=2))
    assert first
    assert second
    assert third
    assert [each.payload[2:5] for each in (first, second, third)] == [
        bytes((0x81, 0x2C, 7)),
        bytes((0x81, 0x2D, 8)),
        bytes((0x81, 0x2E, 9)),
    ]

"""The data plane, packet for packet, whichever engine it is: what one sends, others get in their own numbers."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Policy

from tests.vconf.engines import ENGINES, NAMES
from vconf.media import plane, rtp
from vconf.media.plane import AF41, EF, Address, Keys, LegFormat, Plane, StreamFormat
from vconf.media.srtp import session

KEY, DELTA = b"\x67sps", b"\x41delta"
VIDEO = StreamFormat("video", "h264", 90_000, 109, 110, 102, 103, ((12, 11),))
VP8 = StreamFormat("video", "vp8", 90_000, 109, 110, 104, 105)
AUDIO = StreamFormat("audio", "opus", 48_000, 111, 0, 100, 101, ((3, 10),), 3)
GCM, CM = Policy.SRTP_PROFILE_AEAD_AES_128_GCM, Policy.SRTP_PROFILE_AES128_CM_SHA1_80


@pytest.fixture(scope="module", autouse=True, params=ENGINES, ids=NAMES)
def _engine(request: pytest.FixtureRequest) -> None:
    Bench.make = staticmethod(request.param)


class End:
    """One remote address with its SRTP sessions."""

    def __init__(self, made: Plane, number: int, profile: int = GCM) -> None:
        length = 28 if profile == GCM else 30
        self.theirs, self.ours = (Keys(profile, bytes((number, side) * 15)[:length]) for side in (0, 1))
        self.out, self.back = session(self.theirs, inbound=False), session(self.ours, inbound=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        self.marks: set[int] = set()
        self.transport = made.add_transport()
        made.set_keys(self.transport, self.theirs, self.ours)
        made.set_address(self.transport, self.socket.getsockname())
        self._to = made.address

    def send(self, packet: rtp.Packet) -> None:
        self.socket.sendto(self.out.protect(rtp.serialise(packet)), self._to)

    def raw(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return found
            self.marks.add(ancillary[0][2][0])
            found.append(data)

    def received(self) -> list[rtp.Packet]:
        return [rtp.parse(self.back.unprotect(data)) for data in self.raw()]


class Bench:
    """A plane with a sender and some receivers, and a clock that only moves when told."""

    make: Callable[[Address], Plane]

    def __init__(self) -> None:
        self.plane = Bench.make(("127.0.0.1", 0))
        self.now_us = 1_000_000_000
        self.ends: list[End] = []
        self.sender = self.end()
        self.events: list[plane.Event] = []

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *error: object) -> None:
        self.plane.close()
        for each in self.ends:
            each.socket.close()

    def end(self, profile: int = GCM) -> End:
        self.ends.append(End(self.plane, len(self.ends) + 1, profile))
        return self.ends[-1]

    def stream(self, form: StreamFormat = VIDEO, ssrc: int = 1000) -> int:
        made = self.plane.add_stream(form)
        self.plane.bind(self.sender.transport, ssrc, made)
        return made

    def leg(self, to: End, stream: int, ssrc: int = 77, *, rtx: bool = True, tos: int = AF41) -> int:
        made = self.plane.add_leg(to.transport, LegFormat(ssrc, b"0003", tos, ssrc + 1 if rtx else 0, 500, 9000, 20))
        self.plane.want(made, stream)
        self.plane.set_paused(made, False)
        return made

    def run(self, *packets: rtp.Packet, after_us: int = 1000) -> int:
        for each in packets:
            self.sender.send(each)
        return self.step(after_us)

    def step(self, after_us: int = 1000) -> int:
        self.now_us += after_us
        self.plane.readable(self.now_us)
        self.events += self.plane.take()
        return self.plane.flush(self.now_us)


def packet(
    sequence: int, payload: bytes = DELTA, *, ssrc: int = 1000, timestamp: int = -1, **more: bytes
) -> rtp.Packet:
    extensions = {{"level": 3, "turn": 12, "cc": 4}[name]: value for name, value in more.items()}
    at = timestamp if timestamp >= 0 else sequence * 3600 & 0xFFFFFFFF
    return rtp.Packet(109, sequence & 0xFFFF, at, ssrc, payload, marker=1, extensions=extensions)


def voice(sequence: int, level: int = 30, ssrc: int = 1000) -> rtp.Packet:
    return rtp.Packet(111, sequence, sequence * 960, ssrc, b"opus%d" % sequence, extensions={3: bytes((0x80 | level,))})


@pytest.mark.parametrize("profile", [GCM, CM])
def test_a_frame_leaves_in_one_run_and_in_the_receivers_numbers(profile: int) -> None:
    with Bench() as bench:
        receiver = bench.end(profile)
        bench.leg(receiver, bench.stream())
        sizes = [1100, 1101, 1099, 1101, 400]
        bench.run(*(packet(40 + n, (KEY if n == 0 else DELTA) + bytes(size)) for n, size in enumerate(sizes)))
        got = receiver.received()
        assert bench.plane.counters.sends == 1
        assert [len(p.payload) for p in got] == [1104, 1107, 1105, 1107, 406]
        assert [p.sequence for p in got] == [501, 502, 503, 504, 505]
        assert {(p.ssrc, p.payload_type, p.marker, p.extensions[1]) for p in got} == {(77, 102, 1, b"0003")}
        assert [int.from_bytes(p.extensions[5]) for p in got] == [0, 1, 2, 3, 4]
        assert [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(got)] == [3600] * 4
        assert receiver.marks == {AF41}
        assert bench.plane.counters.padded_bytes == 3 + 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 1250), min_size=1, max_size=60))
def test_whatever_the_sizes_every_payload_arrives(sizes: list[int]) -> None:
    with Bench() as bench:
        receiver = bench.end()
        bench.leg(receiver, bench.stream())
        payloads = [(KEY if n == 0 else DELTA) + bytes((n,)) * size for n, size in enumerate(sizes)]
        bench.run(*(packet(n, payload) for n, payload in enumerate(payloads)))
        assert [p.payload for p in receiver.received()] == payloads


def test_header_extensions_that_travel_do() -> None:
    with Bench() as bench:
        receiver = bench.end()
        bench.leg(receiver, bench.stream())
        bench.run(packet(1, KEY, turn=b"\x02"), packet(2))
        first, second = receiver.received()
        assert first.extensions == {1: b"0003", 5: b"\0\0", 11: b"\x02"}
        assert second.extensions == {1: b"0003", 5: b"\0\1"}


def test_video_begins_at_a_keyframe_and_voice_at_once_and_marked() -> None:
    with Bench() as bench:
        receiver = bench.end()
        bench.leg(receiver, bench.stream())
        bench.leg(receiver, bench.stream(AUDIO, 2000), 79, tos=EF)
        bench.run(packet(10), voice(1, ssrc=2000), packet(11, KEY), packet(12))
        got = receiver.received()
        assert sorted((p.ssrc, p.payload) for p in got) == [(77, DELTA), (77, KEY), (79, b"opus1")]
        assert next(p for p in got if p.ssrc == 79).extensions[10] == bytes((0x80 | 30,))
        assert receiver.marks == {AF41, EF}
        assert plane.Keyframe in {type(event) for event in bench.events}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_switches_and_pauses_leave_no_gap(seed: int) -> None:
    chance = random.Random(seed)
    with Bench() as bench:
        receiver = bench.end()
        streams = [bench.stream(VIDEO, 1000 + number) for number in range(3)]
        leg = bench.leg(receiver, streams[0])
        sequences = [chance.randrange(0x10000) for _ in streams]
        clocks = [chance.randrange(0x100000000) for _ in streams]
        seen: list[rtp.Packet] = []
        for step in range(50):
            match chance.randrange(14):
                case 0:
                    bench.plane.want(leg, chance.choice(streams))
                case 1:
                    bench.plane.set_paused(leg, True)
                case 2:
                    bench.plane.set_paused(leg, False)
                case 3:
                    bench.plane.set_open(chance.choice(streams), chance.random() < 0.7)
            packets = []
            for index in range(3):
                for _ in range(chance.randrange(3)):
                    sequences[index] += 1
                    payload = KEY if chance.randrange(5) == 0 else DELTA
                    at = (clocks[index] + step * 3600) & 0xFFFFFFFF
                    packets.append(packet(sequences[index], payload, ssrc=1000 + index, timestamp=at))
            bench.run(*packets, after_us=40_000)
            seen += receiver.received()
        for before, after in pairwise(seen):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            assert (after.timestamp - before.timestamp) & 0xFFFFFFFF < 0x80000000
        numbers = [int.from_bytes(p.extensions[5]) for p in seen]
        assert numbers == list(range(len(seen)))
        assert bench.plane.leg_state(leg).packets == len(seen)


def test_packets_from_before_the_switch_are_left_out() -> None:
    with Bench() as bench:
        receiver = bench.end()
        low, high = bench.stream(), bench.stream(VIDEO, 1001)
        leg = bench.leg(receiver, low)
        bench.run(packet(100, KEY))
        bench.plane.want(leg, high)
        bench.run(packet(101), packet(498, ssrc=1001))
        bench.run(packet(500, KEY, ssrc=1001))
        bench.run(packet(499, b"\x41late", ssrc=1001), packet(102))
        assert [p.payload for p in receiver.received()] == [KEY, DELTA, KEY]
        assert plane.Switched(leg, high) in bench.events
        assert bench.plane.leg_state(leg).switches == 2


def test_gaps_duplicates_and_late_packets_are_told() -> None:
    with Bench() as bench:
        stream = bench.stream()
        bench.plane.bind(bench.sender.transport, 1001, stream, rtx=True)
        bench.run(packet(0xFFFE, KEY), packet(2), rtp.Packet(110, 1, 7200, 1001, b"\0\x02" + DELTA), packet(0))
        assert [event for event in bench.events if isinstance(event, plane.Gap)] == [plane.Gap(stream, 0x1FFFF, 3)]
        state = bench.plane.stream_state(stream)
        assert (state.packets, state.duplicates, state.highest - state.base, state.keyframes) == (3, 1, 4, 1)
        assert bench.plane.holds(stream, 0x20000)
        assert not bench.plane.holds(stream, 0x20001)
        assert bench.plane.counters.stale == 1


def _resent(bench: Bench, to: End, leg: int, number: int) -> list[bytes]:
    bench.plane.resend(leg, (number,), bench.now_us)
    return to.raw()


def test_a_retransmission_is_what_was_sent() -> None:
    with Bench() as bench:
        receiver, plain = bench.end(), bench.end()
        stream = bench.stream()
        leg, bare = bench.leg(receiver, stream), bench.leg(plain, stream, 90, rtx=False)
        bench.run(packet(0xFFFE, KEY), *(packet(0xFFFF + n, b"\x41%d" % n + bytes(n)) for n in range(5)))
        sent, other = receiver.received(), plain.raw()
        numbers = tuple(p.sequence for p in sent)
        assert bench.plane.resend(leg, (*numbers, 4000), bench.now_us) == 6
        again = receiver.received()
        assert {(p.ssrc, p.payload_type) for p in again} == {(78, 103)}
        assert [p.sequence for p in again] == [21, 22, 23, 24, 25, 26]
        originals = [rtp.unwrap_rtx(p, 102, 77) for p in again]
        assert [(p.sequence, p.payload) for p in originals if p] == [(p.sequence, p.payload) for p in sent]
        assert [p.timestamp for p in again] == [p.timestamp for p in sent]
        assert bench.plane.leg_state(leg).not_held == 1
        again_bare = [data for number in range(501, 507) for data in _resent(bench, plain, bare, number)]
        assert again_bare == other  # without RTX to the octet: one nonce, one message
        # and without a number: read as one, each would be packet 0 come again, and all before it lost
        assert not any(5 in p.extensions for p in map(rtp.parse, map(plain.back.unprotect, other)))


def test_a_venues_retransmission_fills_the_gap_for_everybody() -> None:
    with Bench() as bench:
        receiver = bench.end()
        stream = bench.stream()
        bench.leg(receiver, stream)
        bench.plane.bind(bench.sender.transport, 1001, stream, rtx=True)
        bench.run(packet(1, KEY), packet(3))
        bench.run(rtp.Packet(110, 9, 7200, 1001, b"\0\x02\x41late"), rtp.Packet(110, 10, 7200, 1001, b""))
        assert [(p.sequence, p.payload) for p in receiver.received()] == [(501, KEY), (503, DELTA), (502, b"\x41late")]


def test_vp8_pictures_are_numbered_on_across_a_switch() -> None:
    def picture(number: int, tl0: int, key: bool) -> bytes:
        return bytes((0x90, 0xE0, 0x80 | number >> 8, number & 0xFF, tl0, 0, 0 if key else 1, 0))

    with Bench() as bench:
        receiver = bench.end()
        low, high = bench.stream(VP8), bench.stream(VP8, 1001)
        leg = bench.leg(receiver, low)
        bench.run(packet(1, picture(300, 7, True)))
        bench.plane.want(leg, high)
        bench.run(packet(1, picture(9000, 200, True), ssrc=1001), packet(2, picture(9001, 201, False), ssrc=1001))
        first, second, third = receiver.received()
        assert [each.payload[2:5] for each in (first, second, third)] == [
            bytes((0x81, 0x2C, 7)),
            bytes((0x81, 0x2D, 8)),
            bytes((0x81, 0x2E, 9)),
        ]
        bench.plane.resend(leg, (third.sequence,), bench.now_us)
        (again,) = receiver.received()
        assert again.payload[4:7] == bytes((0x81, 0x2E, 9))


def test_a_slow_receiver_waits_in_its_queue_and_others_do_not() -> None:
    with Bench() as bench:
        slow, fast = bench.end(), bench.end()
        stream, microphone = bench.stream(), bench.stream(AUDIO, 2000)
        leg = bench.leg(slow, stream)
        bench.leg(slow, microphone, 90, tos=EF)
        bench.leg(fast, stream)
        bench.plane.set_rate(slow.transport, 1_000_000)
        again_us = bench.run(
            *(packet(n, (KEY if n == 0 else DELTA) + bytes(1000)) for n in range(30)), voice(1, ssrc=2000)
        )
        assert len(fast.received()) == 30
        begin = slow.received()
        assert 90 in {p.ssrc for p in begin}  # voice passes at once
        assert again_us > 0
        began = bench.now_us
        arrived = [(0, p) for p in begin if p.ssrc == 77]
        assert len(arrived) == 5  # the burst: 40 ms
        while len(arrived) < 30 and bench.now_us - began < 2_000_000:
            bench.step(max(500, again_us))
            arrived += [(bench.now_us - began, p) for p in slow.received()]
            again_us = bench.plane.flush(bench.now_us)
        assert [p.sequence for _, p in arrived] == list(range(501, 531))
        assert arrived[-1][0] == pytest.approx(25 * 1050 * 8, rel=0.1)  # microseconds at 1 Mbit/s
        assert bench.plane.counters.paced == 30
        assert bench.plane.leg_state(leg).dropped == 0


def test_a_queue_that_is_full_drops_until_the_next_keyframe_and_says_so() -> None:
    with Bench() as bench:
        slow = bench.end()
        stream = bench.stream()
        leg = bench.leg(slow, stream)
        bench.plane.set_rate(slow.transport, 200_000)
        for burst in range(8):
            bench.run(*(packet(burst * 40 + n, (DELTA if burst or n else KEY) + bytes(1000)) for n in range(40)))
        assert plane.Starved(leg, stream) in bench.events
        assert bench.plane.leg_state(leg).dropped >= 40
        assert bench.plane.counters.queue_full == bench.plane.leg_state(leg).dropped
        bench.plane.set_rate(slow.transport, 0)
        bench.run(packet(900), packet(901, KEY), packet(902))
        got = slow.received()
        assert got[-2].payload == KEY
        assert [(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(got)] == [1] * (len(got) - 1)


def test_what_was_sent_when_is_known_by_its_number() -> None:
    with Bench() as bench:
        receiver = bench.end()
        stream = bench.stream()
        leg = bench.leg(receiver, stream)
        first_us = bench.now_us + 1000
        bench.run(*(packet(n, (KEY if n == 0 else DELTA) + bytes(996 if n else 998)) for n in range(4)))
        bench.run(packet(4), after_us=7000)
        size = 24 + 1002 + 16
        assert bench.plane.sent(receiver.transport, 0) == (first_us, 0)
        assert bench.plane.sent(receiver.transport, 2) == (first_us, 2 * size)
        assert bench.plane.sent(receiver.transport, 4) == (first_us + 7000, 4 * size)
        assert bench.plane.sent(receiver.transport, 5) is None
        assert bench.plane.probe(leg, 3, bench.now_us) == 3
        padding = receiver.received()[-3:]
        assert [(p.ssrc, p.payload_type, p.payload) for p in padding] == [(78, 103, b"")] * 3
        assert bench.plane.sent(receiver.transport, 7) is not None


def test_arrivals_are_noted_and_strangers_are_not_heard() -> None:
    with Bench() as bench:
        stream = bench.stream()
        bench.plane.set_transport_cc(bench.sender.transport, 4)
        bench.run(packet(1, KEY, cc=b"\x00\x07"), packet(2, cc=b"\x00\x08"))
        assert bench.plane.arrivals(bench.sender.transport) == [(7, bench.now_us), (8, bench.now_us)]
        assert bench.plane.arrivals(bench.sender.transport) == []
        bench.sender.socket.sendto(b"\x80" + b"\x11" * 60, bench.plane.address)
        bench.sender.send(rtp.Packet(96, 3, 3, 1000, KEY))
        bench.run(packet(5, KEY, ssrc=4242))
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.bind(("127.0.0.1", 0))
        stranger.sendto(b"\x80" + b"\0" * 30, bench.plane.address)
        stranger.sendto(b"\0\1\0\0" + b"\0" * 16, bench.plane.address)
        bench.step()
        counters = bench.plane.counters
        assert (counters.rejected, counters.unannounced, counters.stranger) == (1, 1, 1)
        kinds = [type(event) for event in bench.events]
        assert kinds.count(plane.Unbound) == 1
        assert bench.events[-1] == plane.Datagram(0, b"\0\1\0\0" + b"\0" * 16, stranger.getsockname())
        assert bench.plane.stream_state(stream).packets == 2
        stranger.close()


def test_a_level_is_read_and_a_closed_stream_goes_nowhere() -> None:
    with Bench() as bench:
        receiver = bench.end()
        stream = bench.stream(AUDIO)
        bench.leg(receiver, stream, tos=EF)
        bench.run(voice(1, 41))
        assert bench.plane.stream_state(stream).level == 41
        bench.plane.set_open(stream, False)
        bench.run(voice(2), voice(3))
        bench.plane.set_open(stream, True)
        bench.run(voice(4))
        assert [(p.sequence, p.payload) for p in receiver.received()] == [(501, b"opus1"), (502, b"opus4")]


def test_what_is_gone_is_ignored() -> None:
    with Bench() as bench:
        receiver = bench.end()
        stream = bench.stream()
        leg = bench.leg(receiver, stream)
        bench.run(packet(1, KEY))
        bench.plane.remove_stream(stream)
        bench.run(packet(2))
        bench.plane.remove_leg(leg)
        bench.plane.remove_transport(receiver.transport)
        for handle in (stream, leg, receiver.transport, 9999):
            bench.plane.want(handle, handle)
            bench.plane.set_paused(handle, False)
            bench.plane.set_open(handle, True)
            bench.plane.remove_leg(handle)
            bench.plane.remove_stream(handle)
            assert bench.plane.resend(handle, (1,), 0) == 0
            assert bench.plane.probe(handle, 1, 0) == 0
            assert bench.plane.leg_state(handle) == plane.LegState()
        assert len(receiver.received()) == 1

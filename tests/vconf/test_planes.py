"""Both engines, the same story, byte for byte: what one sends, the other does.

The C engine is tested where there is a compiler or its library; without, these tests are the Python engine's alone.
"""

from __future__ import annotations

import random
import select
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pylibsrtp import Error

from tests.vconf.engines import ENGINES, NAMES
from vconf.media import plane, rtp
from vconf.media.plane import Address, Keys, LegFormat, Plane, StreamFormat
from vconf.media.srtp import session

_IN, _OUT = Keys(7, bytes(range(28))), Keys(7, bytes(range(1, 29)))
_H264 = StreamFormat("video", "h264", 90_000, 96, 97, 102, 103, passed=((7, plane.ORIENTATION_ID),))
_VP8 = StreamFormat("video", "vp8", 90_000, 96, 97, 104, 105)
_OPUS = StreamFormat("audio", "opus", 48_000, 111, 0, 100, 0, passed=((2, plane.LEVEL_ID),), level_extension=2)
_START_US = 5_000_000
_OWN_TYPES = bytes({102: 45, 103: 46, 104: 120, 105: 121, 100: 96}.get(number, number) for number in range(128))


class World:
    """One engine with two senders and three receivers on the loopback; what arrives, in plain text."""

    def __init__(self, make: Callable[[Address], Plane], chance: random.Random | None = None) -> None:
        self.chance = chance or random.Random(1)
        self.plane = make(("127.0.0.1", 0))
        self.now_us = _START_US
        self.events: list[plane.Event] = []
        self._sockets: list[socket.socket] = []
        self._outbound = [session(_IN, inbound=False) for _ in range(2)]
        self.senders = [self._transport() for _ in range(2)]
        self.receivers = [self._transport() for _ in range(3)]
        self._opened = [session(_OUT, inbound=True) for _ in self.receivers]
        add, bind = self.plane.add_stream, self.plane.bind
        self.streams = [add(_H264), add(_VP8), add(_OPUS)]
        for number, stream in enumerate(self.streams):
            bind(self.senders[number % 2], 1000 + number, stream)
            bind(self.senders[number % 2], 2000 + number, stream, rtx=True)
        for sender in self.senders:
            self.plane.set_transport_cc(sender, 4)
        self.legs: list[int] = []
        self.first_sequence: dict[int, int] = {}  # of a leg, before its first packet
        for receiver in self.receivers:
            for number in range(2):  # with RTX, and without
                first = self.chance.choice([50, 0x7FF0, 65_530])
                form = LegFormat(
                    *(10 * receiver + number, b"%04d" % number, plane.AF41, 5000 + receiver if number else 0),
                    *(first, 77 * number, 50 * number),
                    _OWN_TYPES if len(self.legs) > 3 else b"",
                )
                self.legs.append(leg := self.plane.add_leg(receiver, form))
                self.first_sequence[leg] = first

    def _transport(self) -> int:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        sock.bind(("127.0.0.1", 0))
        sock.connect(self.plane.address)
        self._sockets.append(sock)
        transport = self.plane.add_transport()
        self.plane.set_address(transport, sock.getsockname())
        self.plane.set_keys(transport, _IN, _OUT)
        return transport

    def send(self, sender: int, packet: bytes, *, protect: bool = True) -> None:
        """One datagram of a sender's, read at once."""
        if protect:
            try:
                packet = self._outbound[sender].protect(packet)
            except Error:  # so old that libsrtp does not even send it
                return
        self._sockets[sender].send(packet)
        select.select([self.plane.fileno()], [], [], 1)
        self.plane.readable(self.now_us)
        self.events += self.plane.take()

    def arrived(self) -> list[list[bytes]]:
        """Plain text of what each receiver got so far, in order."""
        found = []
        for sock, opened in zip(self._sockets[2:], self._opened, strict=True):
            got = []
            while True:
                try:
                    data = sock.recv(2048)
                except BlockingIOError:
                    break
                try:
                    data = bytes(opened.unprotect(data))
                except Error:  # the same packet again, to a receiver without RTX: as it is
                    pass
                got.append(data)
            found.append(got)
        return found

    def close(self) -> None:
        self.plane.close()
        for sock in self._sockets:
            sock.close()


def packet(
    ssrc: int, kind: int, sequence: int, timestamp: int, payload: bytes, *, marker: int = 0, cc: int = -1, **more: bytes
) -> bytes:
    """An RTP packet; ``more`` are header extensions by name."""
    extensions = {{"level": 2, "orientation": 7}[name]: value for name, value in more.items()}
    if cc >= 0:
        extensions[4] = cc.to_bytes(2)
    return rtp.serialise(
        rtp.Packet(kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, payload, marker=marker, extensions=extensions)
    )


def vp8(picture: int, tl0: int, *, keyframe: bool, size: int) -> bytes:
    """A VP8 payload with a long picture id and TL0PICIDX."""
    head = bytes((0x90, 0xC0, 0x80 | picture >> 8 & 0x7F, picture & 0xFF, tl0 & 0xFF, 0 if keyframe else 1))
    return head + bytes(size)


@pytest.fixture(params=ENGINES, ids=NAMES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(request.param)
    yield made
    made.close()


def test_near_equal_packets_leave_as_one_run(world: World) -> None:
    leg = world.legs[1]  # with RTX
    world.plane.want(leg, world.streams[0])
    world.plane.set_paused(leg, False)
    for number, size in enumerate((900, 901, 901, 902, 300)):
        world.send(0, packet(1000, 96, 10 + number, 0, (b"\x67" if number == 0 else b"\x41") + bytes(size - 1)))
    before = world.plane.counters.sends
    assert world.plane.flush(world.now_us) == 0
    assert world.plane.counters.sends - before == 1
    got = [rtp.parse(each) for each in world.arrived()[0]]
    assert [len(each.payload) for each in got] == [900, 901, 901, 902, 300]  # padding is none of the payload
    assert world.plane.counters.padded_bytes == 2 + 1 + 1


def test_strangers_and_garbage_are_counted_and_leave_no_state(world: World) -> None:
    outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outside.sendto(b"\x80" + bytes(30), world.plane.address)
    outside.close()
    select.select([world.plane.fileno()], [], [], 1)
    world.plane.readable(1)
    for data in (b"\x80", b"\x40" * 40, b"\x80\x60" + bytes(40), b"\x80\xc8" + bytes(40), b"\xff" * 3):
        world.send(0, data, protect=False)
    counters = world.plane.counters
    assert (counters.stranger, counters.rejected, world.plane.take()) == (1, 5, [])
    assert world.plane.stream_state(world.streams[0]) == plane.StreamState()


def test_handles_that_are_gone_are_ignored(world: World) -> None:
    engine = world.plane
    for leg in world.legs:
        engine.want(leg, world.streams[1])
        engine.set_paused(leg, False)
    world.send(1, packet(1001, 96, 5, 0, vp8(7, 1, keyframe=True, size=50)))
    engine.flush(world.now_us)
    engine.remove_stream(world.streams[1])
    for leg in world.legs:
        engine.resend(leg, [0, 1, 2, 65535], world.now_us)
    engine.remove_transport(world.receivers[0])
    for leg in world.legs:
        engine.remove_leg(leg)
        engine.want(leg, world.streams[0])
        engine.set_paused(leg, True)
        assert engine.resend(leg, [1], 1) == engine.probe(leg, 1, 1) == 0
        assert engine.leg_state(leg) == plane.LegState()
    engine.remove_transport(world.receivers[0])
    engine.set_address(world.receivers[0], ("127.0.0.1", 9))
    engine.set_open(world.streams[1], False)
    engine.send_rtcp(world.receivers[0], bytes(8))
    assert engine.arrivals(world.receivers[0]) == []
    assert engine.sent(world.receivers[0], 1) is None
    assert engine.flush(world.now_us) == 0


_KINDS = {
    "video": 30,
    "flush": 25,
    "nack": 12,
    "wait": 8,
    "voice": 6,
    "late": 6,
    "rtx": 5,
    "want": 5,
    "pause": 4,
    "lost": 3,
    "rate": 3,
    "probe": 2,
    "raw": 2,
    "open": 1,
    "remove": 0.15,
}
_STEPS = 250


class Story:
    """Steps played on one engine; everything random comes from the seed."""

    def __init__(self, make: Callable[[Address], Plane], seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(make, self.chance)
        self.sequence = [self.chance.choice([3, 65_500]) for _ in range(3)]
        self.cc = 0
        self.waits: list[int] = []

    def play(self) -> None:
        """The whole story."""
        for leg in range(6):  # what most of it needs before anything can be seen
            self.world.plane.want(self.world.legs[leg], self.world.streams[leg % 3])
            self.world.plane.set_paused(self.world.legs[leg], False)
        for kind in self.chance.choices(list(_KINDS), list(_KINDS.values()), k=_STEPS):
            getattr(self, f"_{kind}")()

    def _frame(self, stream: int, payload: bytes, *, marker: int = 0, sequence: int | None = None) -> None:
        if sequence is None:
            self.sequence[stream] = sequence = self.sequence[stream] + 1 & 0xFFFF
        self.cc = self.cc + 1 & 0xFFFF
        kind = 111 if stream == 2 else 96
        more = {"level": b"\x85"} if stream == 2 else {"orientation": b"\x01"} if self.chance.random() < 0.2 else {}
        data = packet(1000 + stream, kind, sequence, sequence * 3000, payload, marker=marker, cc=self.cc, **more)
        self.world.send(stream % 2, data)

    def _video(self) -> None:
        stream, begins = self.chance.randrange(2), self.chance.random() < 0.3
        size = self.chance.randrange(20, 1100)
        for number in range(self.chance.randrange(1, 8)):
            key, length = begins and number == 0, max(1, size + self.chance.choice([0, 0, 1, 1, -30, 60]))
            if stream == 1:
                self._frame(1, vp8(self.sequence[1] & 0x7FFF, 5, keyframe=key, size=length))
            else:
                self._frame(0, (b"\x67" if key else b"\x41") + self.chance.randbytes(length))

    def _voice(self) -> None:
        self._frame(2, self.chance.randbytes(self.chance.randrange(3, 120)))

    def _lost(self) -> None:
        stream = self.chance.randrange(3)
        self.sequence[stream] = self.sequence[stream] + self.chance.choice([1, 2, 5, 900]) & 0xFFFF

    def _late(self) -> None:
        stream, back = self.chance.randrange(2), self.chance.choice([1, 2, 6, 40, 60, 1100])
        payload = b"\x41late" if stream == 0 else vp8(1, 1, keyframe=False, size=9)
        self._frame(stream, payload, sequence=self.sequence[stream] - back & 0xFFFF)

    def _rtx(self) -> None:
        stream = self.chance.randrange(2)
        original = self.sequence[stream] - self.chance.randrange(8) & 0xFFFF
        body = struct.pack("!H", original) + (b"\x41again" if stream == 0 else vp8(2, 2, keyframe=False, size=7))
        self.cc = self.cc + 1 & 0xFFFF
        self.world.send(stream, packet(2000 + stream, 97, self.cc, original * 3000, body, cc=self.cc))

    def _want(self) -> None:
        streams = [*self.world.streams, 0]
        self.world.plane.want(self._leg(), self.chance.choice(streams))

    def _pause(self) -> None:
        self.world.plane.set_paused(self._leg(), self.chance.random() < 0.3)

    def _open(self) -> None:
        stream = self.chance.choice(self.world.streams)
        for is_open in (False, True):
            self.world.plane.set_open(stream, is_open)
            self._video()

    def _rate(self) -> None:
        bps = self.chance.choice([0, 60_000, 800_000, 4_000_000])
        self.world.plane.set_rate(self.chance.choice(self.world.receivers), bps)

    def _nack(self) -> None:
        leg = self._leg()
        state = self.world.plane.leg_state(leg)
        newest = self.world.first_sequence.get(leg, 0) + state.packets
        asked = [newest - self.chance.randrange(12) & 0xFFFF for _ in range(self.chance.randrange(6))]
        self.world.plane.resend(leg, asked, self.world.now_us)

    def _probe(self) -> None:
        self.world.plane.probe(self._leg(), self.chance.randrange(1, 4), self.world.now_us)

    def _raw(self) -> None:
        sender, data = self.chance.randrange(2), self.chance.randbytes(self.chance.randrange(12, 60))
        head = bytes((0x80 | data[0] & 0x3F, 96)) + data[2:8] + (1000 + sender).to_bytes(4)
        self.world.plane.inject(self.world.senders[sender], head + data[12:], self.world.now_us)

    def _remove(self) -> None:
        if self.chance.random() < 0.5:
            self.world.plane.remove_leg(self._leg())
        else:
            self.world.plane.remove_stream(self.chance.choice(self.world.streams))

    def _wait(self) -> None:
        self.world.now_us += self.chance.choice([100, 1_000, 20_000, 20_000, 3_000_000])

    def _flush(self) -> None:
        self.world.now_us += self.chance.choice([100, 1_000, 5_000])
        self.waits.append(self.world.plane.flush(self.world.now_us))

    def _leg(self) -> int:
        return self.chance.choice(self.world.legs)

    def told(self) -> dict[str, object]:
        """Everything that the control side and the receivers can see."""
        world = self.world
        self._flush()
        states = [world.plane.stream_state(stream) for stream in world.streams]
        sent = [world.plane.sent(receiver, number) for receiver in world.receivers for number in (0, 3, 17)]
        return {
            "packets": world.arrived(),
            "events": world.events + world.plane.take(),
            "counters": asdict(world.plane.counters),
            "streams": [(s.packets, s.octets, s.duplicates, s.keyframes, s.base, s.highest, s.level) for s in states],
            "jitter": [s.jitter for s in states],
            "legs": [world.plane.leg_state(leg) for leg in world.legs],
            "arrivals": [world.plane.arrivals(sender) for sender in world.senders],
            "sent": sent,
            "waits": self.waits,
        }


@pytest.mark.skipif(len(ENGINES) < 2, reason="no C compiler on this machine: only the Python engine is there")
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_both_engines_do_the_same_to_the_byte(seed: int) -> None:
    told = []
    for make in ENGINES:
        story = Story(make, seed)
        try:
            story.play()
            told.append(story.told())
        finally:
            story.world.close()
    first, second = told
    for name in first:
        if name == "jitter":
            assert all(abs(a - b) <= 1 for a, b in zip(first[name], second[name], strict=True))  # type: ignore[call-overload]
        else:
            assert first[name] == second[name], name

"""Targets of ``tests.datagrams`` in the media relay: STUN, DTLS record heads, RTP and RTCP, before and after SRTP.

Strangers reach STUN and DTLS.  RTP and RTCP come behind SRTP from somebody who has a seat and may be hostile too: their
bytes go through the whole data plane (``media``) and the whole feedback path (``feedback``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from pylibsrtp import Policy

from vconf.media import rtcp, rtp, stun
from vconf.media.dtls import RecordError, records
from vconf.media.ice import IceLite
from vconf.media.plane import AF41, Keys, LegFormat, StreamFormat
from vconf.media.pyplane import PyPlane
from vconf.media.receiver import Receiver
from vconf.media.twcc import Recorder, summary
from vconf.recording import depacketise, sps
from vconf.recording.clock import StreamClock, VenueClock
from vconf.recording.inbound import Inbound

Hear = Callable[[bytes], object]
_SSRC = 1000
_MIMES = ("video/h264", "video/vp8", "audio/opus")


def stun_seeds() -> Iterator[bytes]:
    """Requests of a full agent, and answers."""
    for name, nominate in (("server:client", True), ("x:" + "y" * 200, False), ("\u5385:a", True)):
        data = stun.request(b"abcdefghijkl", name, b"password of the server", nominate=nominate)
        yield data
        yield stun.success(stun.parse(data), ("10.8.1.5", 40000), b"password of the server")
        yield stun.role_conflict(stun.parse(data), b"password of the server")


def _stun() -> Hear:
    ice = IceLite()

    def hear(data: bytes) -> object:
        message = stun.parse(data)
        ice.check(data, message, ("127.0.0.1", 9))
        return message.username if message.kind == stun.BINDING_REQUEST else message.kind

    return hear


def dtls_seeds() -> Iterator[bytes]:
    """Heads as a ClientHello, a flight of three records and an alert have them (RFC 6347 section 4.1)."""
    hello = b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x2c\x01" + bytes(43)
    yield hello
    yield b"\x16\xfe\xfd\0\0\0\0\0\0\0\1\0\x10" + bytes(16) + b"\x14\xfe\xfd\0\0\0\0\0\0\0\2\0\1\1" + hello
    yield b"\x15\xfe\xfd\0\1\0\0\0\0\0\3\0\2\1\0"


def rtp_seeds() -> Iterator[bytes]:
    """Plain, with extensions of both forms, with padding, simulcast's first packets, RTX, VP8 and Opus."""
    for payload in (b"\x67sps", b"\x41" + bytes(900), b"\x78\0\4\x67abc\0\3\x65ab", b"\x7c\x85" + bytes(60)):
        yield rtp.serialise(rtp.Packet(109, 7, 3600, _SSRC, payload, marker=1))
        extensions = {9: b"0", 10: b"r1", 4: b"\0\7", 12: b"\1", 3: b"\x8f"}
        plain = rtp.serialise(rtp.Packet(109, 8, 7200, _SSRC, payload, extensions=extensions))
        yield plain
        yield bytes((plain[0] | 0x20,)) + plain[1:] + b"\0\0\0\4"
    yield rtp.serialise(rtp.Packet(110, 9, 7200, _SSRC + 1, b"\0\x07\x41late"))
    yield b"\x90\x6d\0\7" + bytes(4) + (_SSRC).to_bytes(4) + b"\x10\x00\0\2\5\3abc\0\x10\0" + b"\x41x"
    for head in (b"\x90\xe0\x81\x2c\7\0\0", b"\x10\0", b"\x90\x80\x11\0", b"\x80\xf0\x80\x01\x02\x03"):
        yield rtp.serialise(rtp.Packet(109, 10, 1, _SSRC + 2, head + bytes(20)))


def rtcp_seeds() -> Iterator[bytes]:
    """Every kind that is read, alone and in compounds."""
    blocks = [rtcp.ReportBlock(77, 3, -5, 70_000, 12, 1, 2)] * 3
    sender = rtcp.pack_sender_report(rtcp.SenderReport(_SSRC, 1 << 40, 9, 5, 600))
    yield sender + rtcp.pack_sdes(_SSRC, "t01")
    yield rtcp.pack_receiver_report(1, blocks) + rtcp.pack_nack(1, 77, [1, 2, 3, 19, 40, 70_000 & 0xFFFF])
    yield rtcp.pack_app(1, b"HAVE", [(77, 900_000), (78, 0)]) + rtcp.pack_app(1, b"WANT", [(77, 1)])
    yield rtcp.pack_pli(1, 77) + b"\x84\xce\0\4" + bytes(8) + (77).to_bytes(4) + b"\1\0\0\0"
    yield b"\x8f\xce\0\5" + bytes(8) + b"REMB\1\x0b\xff\xff" + (77).to_bytes(4)
    yield b"\x81\xcb\0\1" + (77).to_bytes(4)
    yield from transport_cc_seeds()


def transport_cc_seeds() -> Iterator[bytes]:
    """All received, with holes, with large deltas."""
    for step, gap in ((1, 900), (3, 5_000), (1, 90_000), (40, 100)):
        recorder = Recorder()
        for number in range(60):
            recorder.arrived(number * step, 5_000_000 + number * gap)
        data = recorder.feedback(sender=1, media=77)
        assert data is not None
        yield data


class _Plane(PyPlane):
    """Ends with the target that hears by it."""

    def __del__(self) -> None:
        self.close()


def _plane() -> tuple[PyPlane, int, int]:
    """A plane with streams of every kind and two receivers; (plane, sender's transport, a receiver's)."""
    made = _Plane(("127.0.0.1", 0))
    keys = Keys(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, bytes(28))
    ends = [made.add_transport() for _ in range(3)]
    for number, end in enumerate(ends):
        made.set_keys(end, keys, keys)
        made.set_address(end, ("127.0.0.1", 9 + number))
    made.set_transport_cc(ends[0], 4)
    for index, codec in enumerate(("h264", "", "vp8")):
        if not codec:
            continue
        form = StreamFormat("video", codec, 90_000, 109, 110, 102, 103, ((12, 11), (9, 10)), 3)
        stream = made.add_stream(form)
        made.bind(ends[0], _SSRC + index, stream)
        made.bind(ends[0], _SSRC + 1, stream, rtx=True)
        for end in ends[1:]:
            leg = made.add_leg(end, LegFormat(70 + index * 8 + end, b"0001", AF41, 200 + index * 8 + end))
            made.want(leg, stream)
            made.set_paused(leg, False)
    return made, ends[0], ends[1]


def _media() -> Hear:
    made, sender, _ = _plane()
    clock = [0]

    def hear(data: bytes) -> object:
        clock[0] += 500
        made.inject(sender, data, clock[0])
        if clock[0] % 4000 == 0:
            made.flush(clock[0])
            made.arrivals(sender)
        return made.take()

    return hear


def _feedback() -> Hear:
    made, _, receiver = _plane()
    known = Receiver(made, receiver, 0)
    clock = [0]

    def hear(data: bytes) -> object:
        clock[0] += 50_000
        for report in rtcp.parse(data):
            if isinstance(report, rtcp.TransportCc):
                known.feedback(report.packet, clock[0])
            elif isinstance(report, rtcp.Remb):
                known.estimator.remb(report.bps, clock[0])
            elif isinstance(report, rtcp.Nack):
                made.resend(known.transport, report.sequences, clock[0])
        return known.estimator.bps

    return hear


def _frames() -> Hear:
    """As a recorder hears a stream: what is malformed spoils its frame, and raises nothing."""
    clock = VenueClock()
    streams = [Inbound(1, mime != "audio/opus", depacketise.of(mime), StreamClock(90_000, clock)) for mime in _MIMES]
    count = [0]

    def hear(data: bytes) -> object:
        count[0] += 1
        packet, made = rtp.parse(data), 0
        packet.sequence = (packet.sequence & 3) + count[0] & 0xFFFF  # a little out of order
        for stream in streams:
            for _, frame in [*stream.packet(packet, count[0] / 100), *stream.tick(count[0] / 100)]:
                made += 1
                if frame.config:
                    with suppress(sps.SpsError):
                        sps.h264_size(frame.config[2:])
                elif frame.keyframe and stream.video:
                    with suppress(sps.SpsError):
                        sps.vp8_size(frame.data)
            stream.feedback(1, count[0] / 100)
        return made

    return hear


def media_targets() -> list[tuple[str, tuple[bytes, ...], Hear, tuple[type[Exception], ...], float]]:
    """(name, seeds, parser, how it refuses, share)."""
    return [
        ("stun", tuple(stun_seeds()), _stun(), (stun.StunError,), 0.12),
        ("dtls", tuple(dtls_seeds()), records, (RecordError,), 0.06),
        ("rtp", tuple(rtp_seeds()), rtp.parse, (rtp.RtpError,), 0.1),
        ("media", tuple(rtp_seeds()), _media(), (), 0.1),
        ("rtcp", tuple(rtcp_seeds()), rtcp.parse, (rtcp.RtcpError,), 0.1),
        ("frames", tuple(rtp_seeds()), _frames(), (rtp.RtpError,), 0.06),
        ("transport-cc", tuple(transport_cc_seeds()), summary, (rtcp.RtcpError,), 0.06),
        ("feedback", tuple(rtcp_seeds()), _feedback(), (rtcp.RtcpError,), 0.06),
    ]

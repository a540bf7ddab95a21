"""The media side of a recorder: one transport, many streams, everything opened; reports as a receiver gives them."""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vconf.client.peer import CONSENT_S, Peer
from vconf.media import rtcp, rtp, twcc
from vconf.media.capabilities import AUDIO_LEVEL, TRANSPORT_CC
from vconf.recording import depacketise
from vconf.recording.clock import StreamClock, VenueClock
from vconf.recording.depacketise import Frame
from vconf.recording.inbound import Inbound

REPORT_S = 1.0
_RECEIVE_BYTES = 4 << 20
_BLOCKS = 31  # in one receiver report

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Stream:
    """One stream of one venue.  ``source``: "camera", "slides" or "microphone"; ``codec`` as ``boxes.Form`` says."""

    venue: str
    source: str
    codec: str
    inbound: Inbound
    rtx_ssrc: int
    counted: bool  # transport-wide


class Reception:
    """Streams of one transport.

    Args:
        peer: Connected, or about to be.
        heard: Told of every frame: stream, when it was taken (monotonic seconds), the frame.
        loud: Told how loud each packet of sound is: venue, -dBov.
    """

    def __init__(
        self, peer: Peer, heard: Callable[[Stream, float, Frame], None], loud: Callable[[str, int], None]
    ) -> None:
        self.wrong = 0  # not authentic, or malformed
        self._peer = peer
        self._heard, self._loud = heard, loud
        self._streams: dict[int, Stream] = {}
        self._rtx: dict[int, Stream] = {}
        self._own_ssrc = secrets.randbits(31) | 1
        self._recorder = twcc.Recorder()
        self._transport_cc = self._level = 0
        self._reported_s = self._checked_s = 0.0
        peer.on_packet = self._packet
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)

    @property
    def streams(self) -> list[Stream]:
        """All that are expected."""
        return list(self._streams.values())

    def expect(self, venue: str, source: str, parameters: dict[str, Any], clock: VenueClock) -> Stream:
        """A stream with these rtpParameters will come; KeyError for a codec that cannot be recorded."""
        encoding, codec = parameters["encodings"][0], parameters["codecs"][0]
        mime = str(codec["mimeType"]).lower()
        feedback = {str(each["type"]) for each in codec["rtcpFeedback"]}
        inbound = Inbound(
            int(encoding["ssrc"]),
            mime.startswith("video/"),
            depacketise.of(mime),
            StreamClock(int(codec["clockRate"]), clock),
            nack="nack" in feedback,
        )
        rtx = int(encoding.get("rtx", {}).get("ssrc", 0))
        stream = Stream(venue, source, mime.partition("/")[2], inbound, rtx, "transport-cc" in feedback)
        self._streams[inbound.ssrc] = stream
        if rtx:
            self._rtx[rtx] = stream
        ids = {each["uri"]: each["id"] for each in parameters["headerExtensions"]}
        self._transport_cc = ids.get(TRANSPORT_CC, self._transport_cc)
        self._level = ids.get(AUDIO_LEVEL, self._level)
        return stream

    def forget(self, stream: Stream) -> None:
        """It ended."""
        self._streams.pop(stream.inbound.ssrc, None)
        self._rtx.pop(stream.rtx_ssrc, None)

    def tick(self, now_s: float, keyframe_of: str = "") -> None:
        """Called every 20 ms: gaps, NACK, feedback; ``keyframe_of``: the venue whose keyframe is waited for."""
        compound = b""
        if now_s - self._reported_s >= REPORT_S:
            self._reported_s = now_s
            blocks = [block for each in self._streams.values() if (block := each.inbound.block()) is not None]
            for first in range(0, max(1, len(blocks)), _BLOCKS):
                self._peer.send_rtcp(rtcp.pack_receiver_report(self._own_ssrc, blocks[first : first + _BLOCKS]))
        for stream in list(self._streams.values()):
            for at_s, frame in stream.inbound.tick(now_s):
                self._heard(stream, at_s, frame)
            compound += stream.inbound.feedback(self._own_ssrc, now_s)
            if keyframe_of and stream.venue == keyframe_of and stream.source == "camera":
                compound += stream.inbound.ask_keyframe(self._own_ssrc, now_s)
            if len(compound) > 1000:
                self._peer.send_rtcp(compound)
                compound = b""
        media = next(iter(self._streams), 0)
        compound += self._recorder.feedback(sender=self._own_ssrc, media=media) or b""
        if compound:
            self._peer.send_rtcp(compound)
        if now_s - self._checked_s >= CONSENT_S:
            self._checked_s = now_s
            self._peer.check()

    def _packet(self, data: bytes) -> None:
        try:
            self._open(data, time.monotonic())
        except (rtp.RtpError, rtcp.RtcpError):
            self.wrong += 1

    def _open(self, data: bytes, now_s: float) -> None:
        if rtp.is_rtcp(data):
            plain = self._peer.open_rtcp(data)
            if plain is None:
                self.wrong += 1
                return
            for report in rtcp.parse(plain):
                if isinstance(report, rtcp.SenderReport) and report.ssrc in self._streams:
                    self._streams[report.ssrc].inbound.clock.report(report.ntp, report.timestamp)
            return
        plain = self._peer.open_rtp(data)
        if plain is None:
            self.wrong += 1
            return
        packet = rtp.parse(plain)
        resent = self._rtx.get(packet.ssrc)
        stream = resent or self._streams.get(packet.ssrc)
        if stream is None:
            return
        number = packet.extensions.get(self._transport_cc)
        if stream.counted and number is not None and len(number) == 2:
            self._recorder.arrived(int.from_bytes(number), int(now_s * 1e6))
        if resent is not None:
            again = rtp.unwrap_rtx(packet, packet.payload_type, resent.inbound.ssrc)
            if again is None:  # it finds out what the path carries
                return
            packet = again
        elif stream.source == "microphone" and (level := packet.extensions.get(self._level)):
            self._loud(stream.venue, level[0] & 0x7F)
        for at_s, frame in stream.inbound.packet(packet, now_s):
            self._heard(stream, at_s, frame)

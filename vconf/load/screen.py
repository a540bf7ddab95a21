"""A hall's screen without a picture: opens every packet, asks again for what is missing, reports as a browser does."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from vconf.client.peer import Peer
from vconf.load.gaps import Gaps
from vconf.media import rtcp, rtp, twcc
from vconf.media.capabilities import TRANSPORT_CC
from vconf.media.payload import h264_keyframe, vp8_keyframe

_ASK_AGAIN_S, _ASK_MOST = 0.1, 8
_GIVEN_UP_S = 2.0
_REPORT_S = 1.0
_FEEDBACK_S = 0.1  # as libwebrtc tells arrivals of a stream of 100 kbit/s: 68 octets may take 5 % of its rate
_JUMP = 2000  # a larger gap is a new start, not a loss

_KEYFRAME = {"video/h264": h264_keyframe, "video/vp8": vp8_keyframe}


@dataclass(slots=True)
class _Missing:
    since_s: float
    asked: int = 0
    asked_s: float = 0.0


@dataclass(slots=True)
class Track:
    """One stream that is received.  Times: monotonic seconds, 0 while it has not happened."""

    ssrc: int
    rtx_ssrc: int
    mime: str
    asked_s: float
    feedback: frozenset[str] = frozenset()  # "nack", "transport-cc": what was agreed
    first_packet_s: float = 0.0
    first_keyframe_s: float = 0.0
    packets: int = 0
    octets: int = 0
    lost: int = 0  # never came
    repaired: int = 0  # came when asked for again, or late
    highest: int = -1  # unwrapped
    missing: dict[int, _Missing] = field(default_factory=dict)
    reported: tuple[int, int] = (0, 0)  # highest and lost of the last report

    def arrived(self, sequence: int, payload: bytes, now_s: float) -> None:
        """One packet in its own numbers."""
        self.packets += 1
        self.octets += len(payload)
        self.first_packet_s = self.first_packet_s or now_s
        keyframe = _KEYFRAME.get(self.mime)
        if not self.first_keyframe_s and keyframe is not None and keyframe(payload):
            self.first_keyframe_s = now_s
        if self.highest < 0:
            self.highest = sequence
            return
        ahead = ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        if ahead <= 0:
            self.repaired += self.missing.pop(self.highest + ahead, None) is not None
            return
        if ahead < _JUMP:
            for gap in range(self.highest + 1, self.highest + ahead):
                self.missing[gap] = _Missing(now_s)
        self.highest += ahead

    def to_ask(self, now_s: float) -> list[int]:
        """16-bit numbers to ask for now; what is missing for two seconds is lost."""
        for gap in [gap for gap, found in self.missing.items() if now_s - found.since_s > _GIVEN_UP_S]:
            del self.missing[gap]
            self.lost += 1
        asking = []
        for gap, found in self.missing.items():
            if "nack" in self.feedback and found.asked < _ASK_MOST and now_s - found.asked_s >= _ASK_AGAIN_S:
                found.asked += 1
                found.asked_s = now_s
                asking.append(gap & 0xFFFF)
        return asking

    def block(self) -> rtcp.ReportBlock:
        """For the receiver report."""
        expected, lost = self.highest - self.reported[0], self.lost - self.reported[1]
        fraction = min(255, 256 * lost // expected) if expected > 0 else 0
        self.reported = self.highest, self.lost
        return rtcp.ReportBlock(self.ssrc, fraction, self.lost, max(0, self.highest) & 0xFFFFFFFF, 0, 0, 0)


class Screen:
    """One receiving transport and the streams on it."""

    def __init__(self, peer: Peer, gaps: Gaps | None = None) -> None:
        self.tracks: dict[int, Track] = {}
        self.gaps = gaps or Gaps()
        self.wrong = 0  # not authentic, or not what was announced
        self.asked = 0
        self._peer = peer
        self._rtx: dict[int, Track] = {}
        self._recorder = twcc.Recorder()
        self._transport_cc = 0
        self._own_ssrc = secrets.randbits(31) | 1
        self._report_s = self._feedback_s = 0.0
        peer.on_packet = self._packet

    def expect(self, parameters: dict[str, Any], now_s: float) -> Track:
        """A stream with these rtpParameters will come; asked for now."""
        encoding = parameters["encodings"][0]
        rtx = int(encoding.get("rtx", {}).get("ssrc", 0))
        codec = parameters["codecs"][0]
        feedback = frozenset(str(each["type"]) for each in codec["rtcpFeedback"])
        track = Track(int(encoding["ssrc"]), rtx, str(codec["mimeType"]).lower(), now_s, feedback)
        self.tracks[track.ssrc] = track
        if rtx:
            self._rtx[rtx] = track
        ids = {each["uri"]: each["id"] for each in parameters["headerExtensions"]}
        self._transport_cc = ids.get(TRANSPORT_CC, self._transport_cc)
        return track

    def forget(self, track: Track) -> None:
        """It was given back; packets still on their way are not counted."""
        self.tracks.pop(track.ssrc, None)
        self._rtx.pop(track.rtx_ssrc, None)

    def tick(self, now_s: float) -> None:
        """Called every 20 ms or so: NACK, now and then transport-cc feedback, every second a report."""
        compound = b""
        if now_s - self._report_s >= _REPORT_S:
            self._report_s = now_s
            blocks = [track.block() for track in self.tracks.values() if track.highest >= 0]
            compound = rtcp.pack_receiver_report(self._own_ssrc, blocks)
        for track in self.tracks.values():
            if asking := track.to_ask(now_s):
                self.asked += len(asking)
                compound += rtcp.pack_nack(self._own_ssrc, track.ssrc, asking)
        if now_s - self._feedback_s >= _FEEDBACK_S:
            self._feedback_s = now_s
            media = next(iter(self.tracks), 0)
            compound += self._recorder.feedback(sender=self._own_ssrc, media=media) or b""
        if compound:
            self._peer.send_rtcp(compound)

    def _packet(self, data: bytes) -> None:
        if rtp.is_rtcp(data):
            self.wrong += self._peer.open_rtcp(data) is None
            return
        plain = self._peer.open_rtp(data)
        if plain is None:
            self.wrong += 1
            return
        now_s, packet = time.monotonic(), rtp.parse(plain)
        resent = self._rtx.get(packet.ssrc)
        track = self.tracks.get(packet.ssrc) or resent
        if track is None:
            return
        number = packet.extensions.get(self._transport_cc)
        if number is not None and len(number) == 2 and "transport-cc" in track.feedback:
            self._recorder.arrived(int.from_bytes(number), int(now_s * 1e6))
        if resent is None:
            track.arrived(packet.sequence, packet.payload, now_s)
        elif len(packet.payload) > 2:
            track.arrived(int.from_bytes(packet.payload[:2]), packet.payload[2:], now_s)
        else:
            return  # it finds out what the path carries
        if track.mime.startswith("video"):
            self.gaps.came(now_s)

"""A hall's camera and microphone: a clip sent round and round, and what a browser answers to NACK and PLI."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vconf.client.peer import Peer
from vconf.load.clip import RATE, VOICE_S, Clip
from vconf.media import rtcp, rtp
from vconf.media.capabilities import AUDIO_LEVEL, TRANSPORT_CC

_VIDEO, _RTX, _AUDIO = 96, 97, 111
_TRANSPORT_CC_ID, _LEVEL_ID = 3, 1
_VIDEO_HZ, _AUDIO_HZ = 90_000, 48_000
_KEPT = 1024
_REPORT_S = 1.0
_NTP_BEGINS = 2_208_988_800  # seconds from 1900 to 1970
_BEHIND_S = 0.5
_Kept = TypeVar("_Kept")


@dataclass(slots=True)
class CameraCounters:
    """What was sent, and what the relay asked for."""

    packets: int = 0
    octets: int = 0
    resent: int = 0
    keyframe_requests: int = 0


@dataclass(slots=True)
class _Stream:
    hz: int
    ssrc: int = field(default_factory=lambda: secrets.randbits(31) | 1)
    sequence: int = field(default_factory=lambda: secrets.randbelow(0x7000))
    packets: int = 0
    octets: int = 0
    at: int = 0  # in the clip
    due_s: float = 0.0


class Camera:
    """Sends while somebody calls ``due`` every few milliseconds."""

    def __init__(self, peer: Peer, clip: Clip) -> None:
        self.counters = CameraCounters()
        self.talks = True  # False: its microphone is off
        self._peer = peer
        self._clip = clip
        self._picture, self._sound = _Stream(_VIDEO_HZ), _Stream(_AUDIO_HZ)
        self._rtx_ssrc, self._rtx_sequence = secrets.randbits(31) | 1, 0
        self._kept: OrderedDict[int, rtp.Packet] = OrderedDict()
        self._said: OrderedDict[int, bytes] = OrderedDict()
        self._transport_sequence = 0
        self._report_s = 0.0
        self._keyframe = True  # the next picture is one
        peer.on_packet = self._packet

    def video(self) -> dict[str, Any]:
        """rtpParameters of the picture."""
        codec = {"mimeType": "video/H264", "payloadType": _VIDEO, "clockRate": _VIDEO_HZ}
        rtx = {"mimeType": "video/rtx", "payloadType": _RTX, "clockRate": _VIDEO_HZ, "parameters": {"apt": _VIDEO}}
        return {
            "mid": "0",
            "codecs": [codec | {"parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}, rtx],
            "headerExtensions": [{"uri": TRANSPORT_CC, "id": _TRANSPORT_CC_ID}],
            "encodings": [{"ssrc": self._picture.ssrc, "rtx": {"ssrc": self._rtx_ssrc}}],
        }

    def audio(self) -> dict[str, Any]:
        """rtpParameters of the sound."""
        return {
            "mid": "1",
            "codecs": [
                {
                    "mimeType": "audio/opus",
                    "payloadType": _AUDIO,
                    "clockRate": _AUDIO_HZ,
                    "channels": 2,
                    "rtcpFeedback": [{"type": "nack"}],
                }
            ],
            "headerExtensions": [
                {"uri": TRANSPORT_CC, "id": _TRANSPORT_CC_ID},
                {"uri": AUDIO_LEVEL, "id": _LEVEL_ID},
            ],
            "encodings": [{"ssrc": self._sound.ssrc}],
        }

    def due(self, now_s: float) -> None:
        """Send the picture and the sound that are due."""
        while self._is_due(self._picture, now_s, 1 / RATE):
            self._send_picture(now_s)
        while self.talks and self._is_due(self._sound, now_s, VOICE_S):
            self._send_sound()
        if now_s - self._report_s >= _REPORT_S:
            self._report_s = now_s
            self._report(now_s)

    def _is_due(self, stream: _Stream, now_s: float, every_s: float) -> bool:
        if stream.due_s < now_s - _BEHIND_S:
            stream.due_s = now_s  # the beginning, or we were kept from running: no burst
        if stream.due_s > now_s:
            return False
        stream.due_s += every_s
        return True

    def _send_picture(self, now_s: float) -> None:
        pictures, stream = self._clip.pictures, self._picture
        if self._keyframe:
            while not pictures[stream.at].keyframe:
                stream.at = (stream.at + 1) % len(pictures)
            self._keyframe = False
        picture = pictures[stream.at]
        stream.at = (stream.at + 1) % len(pictures)
        timestamp = int(now_s * _VIDEO_HZ) & 0xFFFFFFFF
        for number, payload in enumerate(picture.payloads, 1):
            packet = self._send(stream, _VIDEO, timestamp, payload, marker=number == len(picture.payloads))
            _keep(self._kept, packet.sequence, packet)

    def _send_sound(self) -> None:
        stream = self._sound
        sound = self._clip.sounds[stream.at]
        stream.at = (stream.at + 1) % len(self._clip.sounds)
        timestamp = int(stream.due_s * _AUDIO_HZ) & 0xFFFFFFFF
        packet = self._send(stream, _AUDIO, timestamp, sound.payload, level=sound.level)
        _keep(self._said, packet.sequence, rtp.serialise(packet))

    def _send(
        self,
        stream: _Stream,
        payload_type: int,
        timestamp: int,
        payload: bytes,
        *,
        marker: bool = False,
        level: int = -1,
    ) -> rtp.Packet:
        stream.sequence = (stream.sequence + 1) & 0xFFFF
        stream.packets += 1
        stream.octets += len(payload)
        packet = rtp.Packet(payload_type, stream.sequence, timestamp, stream.ssrc, payload, marker=int(marker))
        if level >= 0:
            packet.extensions[_LEVEL_ID] = bytes((0x80 | level,))
        self._put(packet)
        return packet

    def _put(self, packet: rtp.Packet) -> None:
        self._transport_sequence = (self._transport_sequence + 1) & 0xFFFF
        packet.extensions[_TRANSPORT_CC_ID] = self._transport_sequence.to_bytes(2)
        data = rtp.serialise(packet)
        self._peer.send_rtp(data)
        self.counters.packets += 1
        self.counters.octets += len(data)

    def _packet(self, data: bytes) -> None:
        plain = self._peer.open_rtcp(data) if rtp.is_rtcp(data) else None
        for report in rtcp.parse(plain) if plain is not None else ():
            if isinstance(report, rtcp.Nack) and report.media == self._picture.ssrc:
                for sequence in report.sequences:
                    self._resend(sequence)
            elif isinstance(report, rtcp.Nack) and report.media == self._sound.ssrc:
                for sequence in report.sequences:
                    self._repeat(sequence)
            elif isinstance(report, rtcp.KeyframeRequest) and report.media == self._picture.ssrc:
                self.counters.keyframe_requests += 1
                self._keyframe = True

    def _resend(self, sequence: int) -> None:
        """As RTX (RFC 4588 section 4)."""
        if (packet := self._kept.get(sequence)) is None:
            return
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        payload = sequence.to_bytes(2) + packet.payload
        self._put(rtp.Packet(_RTX, self._rtx_sequence, packet.timestamp, self._rtx_ssrc, payload, marker=packet.marker))
        self.counters.resent += 1

    def _repeat(self, sequence: int) -> None:
        """A voice without RTX: the very packet, octet for octet (another plain text would spoil the nonce)."""
        if (data := self._said.get(sequence)) is not None:
            self._peer.send_rtp(data)
            self.counters.resent += 1

    def _report(self, now_s: float) -> None:
        now = time.time() - (time.monotonic() - now_s)  # the same instant as the timestamps, whenever we are let run
        ntp = (int(now) + _NTP_BEGINS) << 32 | int(now % 1 * 2**32)
        for stream in (self._picture, self._sound):
            timestamp = int(now_s * stream.hz) & 0xFFFFFFFF
            report = rtcp.SenderReport(stream.ssrc, ntp, timestamp, stream.packets, stream.octets & 0xFFFFFFFF)
            self._peer.send_rtcp(rtcp.pack_sender_report(report) + rtcp.pack_sdes(stream.ssrc, "load"))


def _keep(kept: OrderedDict[int, _Kept], sequence: int, what: _Kept) -> None:
    kept[sequence] = what
    if len(kept) > _KEPT:
        kept.popitem(last=False)

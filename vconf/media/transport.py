"""One direction of one venue's media: ICE-lite, DTLS and SRTP over the worker's port.

mediasoup-client opens two of these a venue: one to send, one to receive.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pylibsrtp

from vconf.media import dtls, rtcp, rtp, stun
from vconf.media.ice import Address, IceLite
from vconf.media.port import AF41, CS3, MediaPort
from vconf.media.srtp import SrtpPair
from vconf.media.twcc import Recorder

if TYPE_CHECKING:
    from aiortc.rtcdtlstransport import RTCCertificate

SILENT_S, SILENT_LISTENER_S = 2.0, 6.0
"""No authenticated packet for this long: the venue may be gone.  One that only listens is heard by consent checks
every 2.7 s (as browsers send them) and RTCP every 5 s."""

DEAD_S = 30.0
"""Silent for this long: the transport is closed (RFC 7675 section 5.1 gives consent 30 s)."""


class Transport:
    """ICE, DTLS and SRTP of one transport; ``on_rtp`` and ``on_rtcp`` get authenticated plain text."""

    def __init__(
        self,
        identifier: str,
        room: str,
        peer: str,
        port: MediaPort,
        certificate: RTCCertificate,
        *,
        on_rtp: Callable[[Transport, rtp.Packet, float], None],
        on_rtcp: Callable[[Transport, list[rtcp.Report], float], None],
        on_state: Callable[[Transport, str], None],
    ) -> None:
        self.id = identifier
        self.room = room
        self.peer = peer
        self.ice = IceLite()
        self.state = "new"  # new, connected, silent, closed
        self.reason = ""
        self.heard_s = self.made_s = time.monotonic()
        self.recorder = Recorder()
        self.twcc_id = 0  # header extension id the browser uses, 0 = none
        self.packets_in = 0
        self.packets_out = 0
        self.rejected = 0  # packets that failed authentication or parsing
        self._port = port
        self._srtp: SrtpPair | None = None
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._on_state = on_state
        self._dtls = dtls.DtlsServer(certificate, self._send_dtls, self._keys, self._ended)

    @property
    def profile(self) -> str:
        """SRTP profile in use, "" before the keys are there."""
        return self._srtp.profile if self._srtp is not None else ""

    def connect(self, fingerprints: list[dict[str, str]]) -> None:
        """Start DTLS; raises ``dtls.DtlsError`` when started already."""
        self._dtls.begin(fingerprints)

    def binding(self, data: bytes, message: stun.Message, address: Address) -> bool:
        """A STUN message that names this transport; True when it was valid and answered."""
        answer = self.ice.check(data, message, address)
        if answer is None:
            return False
        self._heard(time.monotonic())
        self._port.send(answer, address, CS3)
        return True

    def datagram(self, data: bytes, now_s: float) -> None:
        """DTLS, SRTP or SRTCP from the latched address (RFC 7983 section 7)."""
        first = data[0]
        if 20 <= first <= 63:
            self._dtls.datagram(data)
            return
        if not 128 <= first <= 191 or self._srtp is None:
            self.rejected += 1
            return
        try:
            if rtp.is_rtcp(data):
                reports = rtcp.parse(self._srtp.inbound.unprotect_rtcp(data))
                self._heard(now_s)
                self._on_rtcp(self, reports, now_s)
            else:
                packet = rtp.parse(self._srtp.inbound.unprotect(data))
                self._heard(now_s)
                self.packets_in += 1
                if self.twcc_id and (value := packet.extensions.get(self.twcc_id)) and len(value) == 2:
                    self.recorder.arrived(value[0] << 8 | value[1], int(now_s * 1e6))
                self._on_rtp(self, packet, now_s)
        except (pylibsrtp.Error, ValueError):  # ValueError: our parsers, and libsrtp's "packet is too long"
            self.rejected += 1

    def send_rtp(self, data: bytes, tos: int) -> None:
        """Protect and queue one plaintext RTP packet; silently nothing before the keys are there."""
        if self._srtp is None or self.ice.address is None:
            return
        if self._port.send(self._srtp.outbound.protect(data), self.ice.address, tos):
            self.packets_out += 1

    def send_rtcp(self, data: bytes) -> None:
        """Protect and queue one RTCP compound."""
        if self._srtp is None or self.ice.address is None:
            return
        self._port.send(self._srtp.outbound.protect_rtcp(data), self.ice.address, AF41)

    def watch(self, now_s: float) -> None:
        """Called every half second: notice silence and death."""
        quiet = now_s - self.heard_s
        if self.state == "connected" and quiet > (SILENT_S if self.packets_in else SILENT_LISTENER_S):
            self._enter("silent")
        if quiet > DEAD_S:
            self._ended("no sign of life")

    async def close(self) -> None:
        """Tell the peer and stop; the state becomes ``closed`` without an event."""
        self.state = "closed"
        self._srtp = None
        await self._dtls.close()

    def _heard(self, now_s: float) -> None:
        self.heard_s = now_s
        if self.state == "silent":
            self._enter("connected")

    def _send_dtls(self, data: bytes) -> None:
        if self.ice.address is not None:
            self._port.send(data, self.ice.address, CS3)

    def _keys(self, pair: SrtpPair) -> None:
        self._srtp = pair
        self._enter("connected")

    def _ended(self, reason: str) -> None:
        if self.state != "closed":
            self.reason = reason
            self._enter("closed")

    def _enter(self, state: str) -> None:
        self.state = state
        self._on_state(self, state)

"""One direction of one venue's media, as the control side sees it: ICE-lite, DTLS, state; packets are the plane's.

mediasoup-client opens two of these a venue: one to send, one to receive.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from vconf.media import dtls, stun
from vconf.media.ice import IceLite
from vconf.media.plane import CS3, Address, Plane
from vconf.media.srtp import SrtpKeys

if TYPE_CHECKING:
    from aiortc.rtcdtlstransport import RTCCertificate

SILENT_S, SILENT_LISTENER_S = 2.0, 6.0
"""No authenticated packet for this long: the venue may be gone.  One that only listens is heard by consent checks
every 2.7 s (as browsers send them) and RTCP every 5 s."""

DEAD_S = 30.0
"""Silent for this long: the transport is closed (RFC 7675 section 5.1 gives consent 30 s)."""


class Transport:
    """``handle`` is the plane's; ``on_state(transport, state)`` hears new states."""

    is_pipe = False  # to another relay

    def __init__(
        self,
        identifier: str,
        room: str,
        peer: str,
        plane: Plane,
        certificate: RTCCertificate,
        on_state: Callable[[Transport, str], None],
    ) -> None:
        self.id = identifier
        self.room = room
        self.peer = peer
        self.plane = plane
        self.handle = plane.add_transport()
        self.ice = IceLite()
        self.state = "new"  # new, connected, silent, closed
        self.reason = ""
        self.profile = ""  # SRTP profile in use, "" before the keys are there
        self.sends = False  # it has produced something
        self.mids = 0  # given out
        self._heard_s = time.monotonic()
        self._on_state = on_state
        self._dtls = dtls.DtlsServer(certificate, self._send_dtls, self._keys, self._ended)

    def connect(self, fingerprints: list[dict[str, str]]) -> None:
        """Start DTLS; raises ``dtls.DtlsError`` when started already."""
        self._dtls.begin(fingerprints)

    def binding(self, data: bytes, message: stun.Message, address: Address) -> bool:
        """A STUN message that names this transport; True when it was valid and answered."""
        before = self.ice.address
        answer = self.ice.check(data, message, address)
        if answer is None:
            return False
        if self.ice.address is not None and self.ice.address != before:
            self.plane.set_address(self.handle, self.ice.address)
        self._heard(time.monotonic())
        self.plane.send(answer, address, CS3)
        return True

    def handshake(self, data: bytes) -> None:
        """A DTLS datagram from the latched address; ``dtls.RecordError`` when it is none."""
        self._dtls.datagram(data)

    def next_mid(self) -> str:
        """A mid for the next consumer: four characters, as the plane's layout wants."""
        self.mids += 1
        return f"{(self.mids - 1) % 10_000:04d}"

    def watch(self, now_s: float) -> None:
        """Called every half second: notice silence and death."""
        heard_s = self.plane.heard_us(self.handle) / 1e6
        if heard_s > self._heard_s:
            self._heard(heard_s)
        quiet = now_s - self._heard_s
        if self.state == "connected" and quiet > (SILENT_S if self.sends else SILENT_LISTENER_S):
            self._enter("silent")
        if quiet > DEAD_S:
            self._ended("no sign of life")

    async def close(self) -> None:
        """Tell the peer and stop; the state becomes ``closed`` without an event."""
        self.state = "closed"
        await self._dtls.close()
        self.plane.remove_transport(self.handle)

    def _heard(self, at_s: float) -> None:
        self._heard_s = at_s
        if self.state == "silent":
            self._enter("connected")

    def _send_dtls(self, data: bytes) -> None:
        if self.ice.address is not None:
            self.plane.send(data, self.ice.address, CS3)

    def _keys(self, made: SrtpKeys) -> None:
        self.profile = made.profile
        self.plane.set_keys(self.handle, made.inbound, made.outbound)
        self._enter("connected")

    def _ended(self, reason: str) -> None:
        if self.state != "closed":
            self.reason = reason
            self._enter("closed")

    def _enter(self, state: str) -> None:
        self.state = state
        self._on_state(self, state)

"""Pipes between engines: one copy of each stream to another worker or relay, where it is a producer like any other.

A pipe is a transport without ICE and DTLS: addresses and SRTP keys are exchanged over the control channels, which are
mutual TLS or a socket of our own user.  There is one between two engines, because an address has one transport, and it
carries streams of many rooms both ways.  The other side chooses layers for its own receivers and says which it wants
(``wishes``); NACK, PLI, transport-cc and sender reports work across it as they do towards a venue.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from typing import Any

from pylibsrtp import Policy

from vconf.media import ortc, rtcp
from vconf.media.plane import Keys
from vconf.media.transport import Transport

_PROFILE = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
_KEY_BYTES = 28
BEAT_S = 1.0


class PipeError(ValueError):
    """The other side's end cannot be used."""


class Pipe(Transport):
    """One end; alive from ``join`` on for as long as the other one is heard."""

    is_pipe = True
    _own: Keys | None = None
    _beat_s = 0.0

    def end(self, host: str, port: int) -> dict[str, Any]:
        """What the other side must know."""
        self._own = self._own or Keys(_PROFILE, secrets.token_bytes(_KEY_BYTES))
        return {"transport": self.id, "ip": host, "port": port, "key": base64.b64encode(self._own.key).decode()}

    def join(self, ip: str, port: int, key: str) -> None:
        """The other side's end."""
        try:
            theirs = base64.b64decode(key, validate=True)
        except binascii.Error:
            raise PipeError("key: expected base64") from None
        if len(theirs) != _KEY_BYTES or self._own is None or not 0 < port < 65536:
            raise PipeError(f"expected a port and a key of {_KEY_BYTES} octets, after our own end was asked for")
        self.plane.set_keys(self.handle, Keys(_PROFILE, theirs), self._own)
        self.plane.set_address(self.handle, (ip, port))
        self.profile = "SRTP_AEAD_AES_128_GCM"
        self._heard(time.monotonic())
        self._enter("connected")

    def watch(self, now_s: float) -> None:
        """As for any transport, and a sign of life of our own every second."""
        if self._own is not None and now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            self.plane.send_rtcp(self.handle, rtcp.pack_receiver_report(1, []))
        super().watch(now_s)

    async def close(self) -> None:
        """No goodbye: the other side is told over its control channel."""
        self.state = "closed"
        self.plane.remove_transport(self.handle)


def pipe_parameters(codec: str, layers: list[tuple[int, int]], mid: str) -> dict[str, Any]:
    """rtpParameters of a stream as it leaves here: (SSRC, RTX SSRC) of each layer, lowest first."""
    offered = ortc.offer(
        codec,
        {"codecs": ortc.router_codecs()},
        mid=mid,
        ssrc=layers[0][0],
        rtx_ssrc=layers[0][1],
        cname="pipe",
    )
    made = dict(offered.parameters)
    made["encodings"] = [
        {"ssrc": ssrc, "rtx": {"ssrc": rtx_ssrc}} if offered.rtx_payload_type else {"ssrc": ssrc}
        for ssrc, rtx_ssrc in layers
    ]
    return made

"""One transport of a hall, as a browser has it: ICE checks of a full agent, DTLS client, SRTP, a socket of its own.

Knows nothing of the server's signalling: it is given the server's address, credentials and fingerprints, and gives its
own.  After ``connect`` its socket is read by the event loop (``on_packet``), or by whoever took it over (``detach``).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcicetransport import RTCIceTransport
from OpenSSL import SSL
from pylibsrtp import Error, Policy, Session

from vconf.media import stun

Address = tuple[str, int]

PROFILES = (SRTP_AEAD_AES_128_GCM,)
"""What a hall offers: the profile that costs least on both sides."""

CONSENT_S = 2.66
"""How often a browser asks whether it is still welcome (RFC 7675, as Chromium settles)."""

_LABEL = b"EXTRACTOR-dtls_srtp"
_CHECK_AGAIN_S, _HANDSHAKE_S = 0.05, 20.0
_RECEIVE_BYTES = 1 << 18


class PeerError(RuntimeError):
    """The server did not answer, or not as it should."""


@dataclass(frozen=True, slots=True)
class Server:
    """What the signalling says of the server's end."""

    address: Address
    fragment: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]  # (algorithm, value)


class _Dtls(RTCDtlsTransport):
    """aiortc's DTLS, its SRTP sessions replaced by two of our own."""

    inbound: Session | None = None
    outbound: Session | None = None

    def _setup_srtp(self) -> None:
        assert isinstance(self._ssl, SSL.Connection)
        chosen = self._ssl.get_selected_srtp_profile()
        profile = next(p for p in PROFILES if p.openssl_profile == chosen)
        material = self._ssl.export_keying_material(_LABEL, 2 * (profile.key_length + profile.salt_length))
        sessions = []
        for side, direction in ((1, Policy.SSRC_ANY_INBOUND), (0, Policy.SSRC_ANY_OUTBOUND)):
            key = profile.get_key_and_salt(material, side)
            policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile.libsrtp_profile)
            policy.allow_repeat_tx = True
            policy.window_size = 1024
            sessions.append(Session(policy))
        self.inbound, self.outbound = sessions


class Peer:
    """One transport.  ``on_packet(protected bytes)`` hears media and RTCP that arrive."""

    role = "controlling"  # of the ICE transport, as aiortc asks for it
    state = "completed"

    def __init__(self, bind: str, certificate: RTCCertificate) -> None:
        self.fragment, self.password = secrets.token_hex(4), secrets.token_hex(12)
        self.fingerprints = tuple((f.algorithm, f.value) for f in certificate.getFingerprints())
        self.on_packet: Callable[[bytes], None] = lambda data: None
        self.answers = 0  # connectivity checks that the server answered
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self.socket.bind((bind, 0))
        self.address: Address = self.socket.getsockname()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(64)
        self._dtls = _Dtls(cast(RTCIceTransport, self), [certificate])
        self._dtls._srtp_profiles = list(PROFILES)
        self._server: Server | None = None
        self._answered = asyncio.Event()
        self._reading = False

    async def connect(self, server: Server) -> None:
        """ICE with nomination, then DTLS; PeerError when the server does not answer within twenty seconds."""
        self._server = server
        self.socket.connect(server.address)
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._readable)
        self._reading = True
        self._dtls._set_role("client")
        fingerprints = [RTCDtlsFingerprint(*pair) for pair in server.fingerprints]
        checking = asyncio.create_task(self._keep_checking())
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                await self._answered.wait()
                await self._dtls.start(RTCDtlsParameters(fingerprints=fingerprints))
        except TimeoutError:
            raise PeerError(
                f"{server.address}: no {'DTLS' if self.answers else 'ICE'} within {_HANDSHAKE_S} s"
            ) from None
        finally:
            checking.cancel()
        if self._dtls.inbound is None:
            raise PeerError(f"{server.address}: DTLS is {self._dtls.state}")

    def check(self) -> None:
        """One connectivity check; also the consent that a server waits for every few seconds."""
        assert self._server is not None
        name = f"{self._server.fragment}:{self.fragment}"
        self.send_raw(stun.request(secrets.token_bytes(12), name, self._server.password.encode(), nominate=True))

    def detach(self) -> socket.socket:
        """Stop reading in the event loop: the caller reads the socket and hands ``datagram`` what is not media."""
        if self._reading:
            asyncio.get_running_loop().remove_reader(self.socket.fileno())
            self._reading = False
        return self.socket

    async def close(self) -> None:
        """Say goodbye."""
        await self._dtls.stop()
        self.detach()
        self.socket.close()

    def send_raw(self, data: bytes) -> None:
        """A datagram as it is; one that the kernel has no room for is lost, as on a wire."""
        try:
            self.socket.send(data)
        except (BlockingIOError, ConnectionRefusedError):
            pass

    def send_rtp(self, packet: bytes) -> None:
        """One plaintext RTP packet, protected."""
        assert self._dtls.outbound is not None
        self.send_raw(self._dtls.outbound.protect(packet))

    def send_rtcp(self, compound: bytes) -> None:
        """One plaintext RTCP compound, protected."""
        assert self._dtls.outbound is not None
        self.send_raw(self._dtls.outbound.protect_rtcp(compound))

    def open_rtp(self, data: bytes) -> bytes | None:
        """The plain text of a media packet, None when it is not authentic."""
        assert self._dtls.inbound is not None
        try:
            return bytes(self._dtls.inbound.unprotect(data))
        except (Error, ValueError):
            return None

    def open_rtcp(self, data: bytes) -> bytes | None:
        """The plain text of an RTCP compound, None when it is not authentic."""
        assert self._dtls.inbound is not None
        try:
            return bytes(self._dtls.inbound.unprotect_rtcp(data))
        except (Error, ValueError):
            return None

    def datagram(self, data: bytes) -> None:
        """One datagram from the network, by its first octet (RFC 7983)."""
        if not data:
            return
        if data[0] < 4:
            self._stun(data)
        elif 20 <= data[0] <= 63:
            if not self._queue.full():
                self._queue.put_nowait(data)
        elif self._dtls.inbound is not None:
            self.on_packet(data)

    def _stun(self, data: bytes) -> None:
        """An answer to a check of ours, or the server's own check (some lite agents make them)."""
        try:
            message = stun.parse(data)
        except stun.StunError:
            return
        if message.kind == stun.BINDING_SUCCESS:
            self.answers += 1
            self._answered.set()
        elif message.kind == stun.BINDING_REQUEST and self._server is not None:
            password = self.password.encode()
            if stun.verify(data, message, password):
                self.send_raw(stun.success(message, self._server.address, password))

    async def _keep_checking(self) -> None:
        """Until the handshake is through: a server may know our end only after the first ones."""
        while True:
            self.check()
            await asyncio.sleep(_CHECK_AGAIN_S)

    def _readable(self) -> None:
        for _ in range(64):
            try:
                data = self.socket.recv(2048)
            except OSError:  # nothing more, or an ICMP error of an earlier send
                return
            self.datagram(data)

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self.send_raw(data)

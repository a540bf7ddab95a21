"""A browser's media side in Python: full ICE agent's checks, DTLS client, SRTP; for the engine's tests and bench."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcicetransport import RTCIceTransport
from OpenSSL import SSL

from vconf.media import rtcp, rtp, srtp, stun

Address = tuple[str, int]


class _Dtls(RTCDtlsTransport):
    pair: srtp.SrtpPair | None = None

    def _setup_srtp(self) -> None:
        assert isinstance(self._ssl, SSL.Connection)
        chosen = self._ssl.get_selected_srtp_profile()
        profile = next(p for p in srtp.PROFILES if p.openssl_profile == chosen)
        material = self._ssl.export_keying_material(srtp.LABEL, srtp.keying_bytes(profile))
        self.pair = srtp.pair(srtp.keys(profile, material, server=False))


class Client(asyncio.DatagramProtocol):
    """One transport of a browser."""

    role = "controlling"
    state = "completed"

    def __init__(self) -> None:
        self.certificate = RTCCertificate.generateCertificate()
        self.rtp: list[rtp.Packet] = []
        self.rtcp: list[rtcp.Report] = []
        self.rtcp_raw: list[bytes] = []
        self.answers = 0
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._dtls = _Dtls(cast(RTCIceTransport, self), [self.certificate])
        self._server: Address = ("", 0)
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def fingerprints(self) -> list[dict[str, str]]:
        """For connectTransport."""
        return [{"algorithm": f.algorithm, "value": f.value} for f in self.certificate.getFingerprints()]

    async def connect(self, options: dict[str, Any], tell: Callable[[list[dict[str, str]]], Awaitable[None]]) -> None:
        """ICE and DTLS with the transport of these options; ``tell`` gives the server our fingerprints."""
        candidate = options["iceCandidates"][0]
        self._server = (candidate["ip"], candidate["port"])
        await self.open()
        await tell(self.fingerprints)
        await self.check(options["iceParameters"])
        self._dtls._set_role("client")
        fingerprints = [
            RTCDtlsFingerprint(f["algorithm"], f["value"]) for f in options["dtlsParameters"]["fingerprints"]
        ]
        async with asyncio.timeout(10):
            await self._dtls.start(RTCDtlsParameters(fingerprints=fingerprints))
        assert self._dtls.pair is not None, self._dtls.state

    async def open(self) -> None:
        """A fresh local port."""
        if self._transport is not None:
            self._transport.close()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))

    async def check(self, parameters: dict[str, Any], *, nominate: bool = True, password: str = "") -> bool:
        """One connectivity check; True when it was answered."""
        before = self.answers
        name = f"{parameters['usernameFragment']}:client"
        key = (password or parameters["password"]).encode()
        self.send_raw(stun.request(secrets.token_bytes(12), name, key, nominate=nominate))
        for _ in range(50):
            await asyncio.sleep(0.01)
            if self.answers > before:
                return True
        return False

    def send_raw(self, data: bytes) -> None:
        """A datagram as it is."""
        assert self._transport is not None
        self._transport.sendto(data, self._server)

    def send(self, packet: rtp.Packet) -> None:
        """One RTP packet, protected."""
        assert self._dtls.pair is not None
        self.send_raw(self._dtls.pair.outbound.protect(rtp.serialise(packet)))

    def send_rtcp(self, data: bytes) -> None:
        """One RTCP compound, protected."""
        assert self._dtls.pair is not None
        self.send_raw(self._dtls.pair.outbound.protect_rtcp(data))

    async def close(self) -> None:
        """Say goodbye."""
        await self._dtls.stop()
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if stun.is_stun(data):
            self.answers += stun.parse(data).kind == stun.BINDING_SUCCESS
        elif 20 <= data[0] <= 63:
            self._queue.put_nowait(data)
        elif self._dtls.pair is not None and rtp.is_rtcp(data):
            plain = self._dtls.pair.inbound.unprotect_rtcp(data)
            self.rtcp_raw.append(plain)
            self.rtcp += rtcp.parse(plain)
        elif self._dtls.pair is not None:
            self.rtp.append(rtp.parse(self._dtls.pair.inbound.unprotect(data)))

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self.send_raw(data)

"""DTLS of one transport: aiortc's RTCDtlsTransport, with our own SRTP sessions behind it.

aiortc 1.16 needs of its ICE transport only ``role``, ``_recv()`` and ``_send()``.  The private names this file
leans on (``_setup_srtp``, ``_srtp_profiles``, ``_ssl``, ``_set_role``, ``_set_state``) are held by
``tests/vconf/test_dtls.py``; aiortc's version is pinned.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import cast

from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    State,
)
from aiortc.rtcicetransport import RTCIceTransport

from vconf.media import srtp

_QUEUE = 32  # datagrams of one handshake; a flight has fewer than ten
HANDSHAKE_SECONDS = 15.0


_RECORD = struct.Struct("!BHQH")
_VERSIONS = frozenset({0xFEFF, 0xFEFD})  # DTLS 1.0 (as a first ClientHello names itself) and 1.2


class RecordError(ValueError):
    """The bytes are not DTLS records."""


def records(data: bytes) -> int:
    """How many records a datagram has; RecordError when one is malformed (RFC 6347 section 4.1).

    What is not even framed costs nothing more: it does not enter OpenSSL.
    """
    at = count = 0
    while at < len(data):
        if at + _RECORD.size > len(data):
            raise RecordError("half a record head at the end")
        kind, version, _, length = _RECORD.unpack_from(data, at)
        if not 20 <= kind <= 25 or version not in _VERSIONS:
            raise RecordError(f"content type {kind}, version 0x{version:04x}")
        at += _RECORD.size + length
        count += 1
    if at != len(data) or not count:
        raise RecordError("a record runs over the end")
    return count


class DtlsError(ValueError):
    """The peer's parameters cannot be used."""


class _Link:
    """The ICE transport as aiortc sees it: a queue of DTLS datagrams in, a function out."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._out = send
        self._in: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE)
        self.dropped = 0

    def put(self, data: bytes | None) -> None:
        try:
            self._in.put_nowait(data)
        except asyncio.QueueFull:
            self.dropped += 1

    async def _recv(self) -> bytes:
        data = await self._in.get()
        if data is None:
            raise ConnectionError("closed")
        return data

    async def _send(self, data: bytes) -> None:
        self._out(data)


class DtlsServer(RTCDtlsTransport):
    """The server's end of one handshake; ``on_keys`` receives the SRTP keys, ``on_end`` a reason.

    The server chooses the SRTP profile, so the browser is always the client.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        send: Callable[[bytes], None],
        on_keys: Callable[[srtp.SrtpKeys], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._link = _Link(send)
        super().__init__(cast(RTCIceTransport, self._link), [certificate])
        self._srtp_profiles = list(srtp.PROFILES)
        self._on_keys = on_keys
        self._on_end = on_end
        self._starting: asyncio.Task[None] | None = None
        self._set_role("server")

    @property
    def started(self) -> bool:
        """True once the peer's fingerprints are known."""
        return self._starting is not None

    def begin(self, fingerprints: list[dict[str, str]]) -> None:
        """Start the handshake in the background with the peer's ``{algorithm, value}`` fingerprints."""
        if self._starting is not None:
            raise DtlsError("the transport is connected already")
        parameters = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(str(f["algorithm"]), str(f["value"])) for f in fingerprints]
        )
        if not parameters.fingerprints:
            raise DtlsError("no fingerprint")
        self._starting = asyncio.get_running_loop().create_task(self._handshake(parameters))

    def datagram(self, data: bytes) -> None:
        """One DTLS datagram from the network; RecordError when it is none."""
        records(data)
        self._link.put(data)

    async def close(self) -> None:
        """Say goodbye to the peer and stop every task."""
        self._on_end = lambda reason: None
        if self._starting is not None:
            self._starting.cancel()
        await self.stop()

    async def _handshake(self, parameters: RTCDtlsParameters) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self.start(parameters)
        except TimeoutError:
            self._set_state(State.FAILED)
        except Exception as error:  # OpenSSL and x509 raise their own families on hostile input
            self._set_state(State.FAILED)
            self._on_end(f"DTLS: {type(error).__name__}")
            return
        if self.state == "failed":
            self._on_end("DTLS handshake failed")
        elif self._task is not None:
            self._task.add_done_callback(self._pump_ended)

    def _pump_ended(self, task: asyncio.Future[None]) -> None:
        if not task.cancelled():
            task.exception()  # aiortc logged it; reading it here marks it as seen
            self._on_end("DTLS closed by the peer")

    def _setup_srtp(self) -> None:
        """Give the keys to the engine; aiortc keeps none, so it never sees media."""
        assert self._ssl is not None  # the handshake is done
        chosen = self._ssl.get_selected_srtp_profile()
        for profile in self._srtp_profiles:
            if profile.openssl_profile == chosen:
                material = self._ssl.export_keying_material(srtp.LABEL, srtp.keying_bytes(profile))
                self._on_keys(srtp.keys(profile, material, server=True))
                return
        self._set_state(State.FAILED)


def fingerprints(certificate: RTCCertificate) -> list[dict[str, str]]:
    """The certificate's fingerprints as ORTC's dtlsParameters carry them."""
    return [{"algorithm": f.algorithm, "value": f.value} for f in certificate.getFingerprints()]

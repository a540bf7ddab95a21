"""The door for people with a certificate: a second port whose TLS asks for one, so that nobody else is ever asked.

It has one page. Whoever shows a good certificate of kind "person" is handed back to the sign-in page with a token of
one use and one minute; the page exchanges it as it exchanges any one-time link. The certificate is read from the TLS
connection itself (asyncio's ``ssl_object``), so nothing is passed on in headers that somebody else could write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

import h11

from dashboards.access import CERTIFICATE_PURPOSE
from identity.ca import CountyCA
from identity.person_certificate import CertificateRefused, holder
from identity.tokens import Tokens

PORT = 444
_TOKEN_S = 60
_LONGEST_S = 10.0
_MOST_AT_ONCE = 32
_MOST_BYTES = 8192
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?")

log = logging.getLogger("sanwang.certificate")


def asking(context: ssl.SSLContext, authority: CountyCA) -> ssl.SSLContext:
    """The context, which asks for a certificate of the county; without one the page says so in plain words."""
    context.load_verify_locations(cadata=authority.certificate_pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


class CertificateDoor:
    """Answers on its port until it is closed.

    Args:
        authority: Whose certificates are good; its list of revoked ones is read at every sign-in.
        tokens: Signs the token that is handed back.
    """

    def __init__(self, authority: CountyCA, tokens: Tokens) -> None:
        self._authority, self._tokens = authority, tokens
        self._free = asyncio.Semaphore(_MOST_AT_ONCE)
        self._servers: list[asyncio.Server] = []

    async def open(self, listening: Iterable[socket.socket], context: ssl.SSLContext) -> None:
        """Begin to answer."""
        for each in listening:
            server = await asyncio.start_server(
                self._answer, sock=each, ssl=context, limit=_MOST_BYTES, ssl_handshake_timeout=_LONGEST_S
            )
            self._servers.append(server)

    async def close(self) -> None:
        """Answer no more."""
        for server in self._servers:
            server.close()
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            try:
                async with self._free, asyncio.timeout(_LONGEST_S):
                    await self._exchange(reader, writer)
            finally:
                writer.close()
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_BYTES)
        try:
            while not isinstance(event := wire.next_event(), h11.Request):
                if event is not h11.NEED_DATA:
                    return
                wire.receive_data(await reader.read(_MOST_BYTES))
            tls = writer.get_extra_info("ssl_object")
            status, headers, body = await asyncio.to_thread(self._judge, event, tls.getpeercert(binary_form=True))
        except (h11.RemoteProtocolError, ValueError):
            status, headers, body = 400, [], "not understood\n"
        fields = [
            *headers,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body.encode()))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'none'"),
            ("Connection", "close"),
        ]
        for part in (
            h11.Response(status_code=status, headers=fields),
            h11.Data(data=body.encode()),
            h11.EndOfMessage(),
        ):
            if sent := wire.send(part):
                writer.write(sent)
        await writer.drain()

    def _judge(self, request: h11.Request, certificate: bytes | None) -> tuple[int, list[tuple[str, str]], str]:
        """Status, headers and text."""
        target = urlsplit(request.target.decode("ascii", "replace"))
        named = dict(request.headers).get(b"host", b"").decode("ascii", "replace")
        host = _HOST.fullmatch(named)
        if request.method != b"GET" or target.path != "/" or host is None:
            return 404, [], "nothing is here\n"
        back = parse_qs(target.query).get("back", ["443"])[0]
        if not (back.isascii() and back.isdigit() and 0 < int(back) < 65536):
            return 400, [], "back: expected a port\n"
        try:
            login = holder(self._authority, certificate)
        except CertificateRefused as refusal:
            log.warning("certificate refused: %s", refusal)
            return 403, [], f"{refusal.zh}\n{refusal.en}\n"
        token = self._tokens.issue(CERTIFICATE_PURPOSE, login, lifetime_s=_TOKEN_S)
        where = host[1] if back == "443" else f"{host[1]}:{back}"
        return 303, [("Location", f"https://{where}/ops/#token={token}")], ""

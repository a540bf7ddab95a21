"""What every answer of the pages' server carries, and what no request may exceed: a small ASGI layer around it all."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 256 * 1024

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "media-src 'self' blob:",
    "font-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
}
_FOREVER = "public, max-age=31536000, immutable"  # names of built assets hold a hash of their content


class TooLarge(HTTPException):
    """A request's body went over the limit while it was read."""

    def __init__(self) -> None:
        super().__init__(413, f"a request may hold at most {MAX_BODY_BYTES} bytes")


class Shield:
    """Wraps the application: security and cache headers on every answer, a limit on every body.

    ``also``: other servers that its pages may ask, "https://10.32.2.6".
    """

    def __init__(self, app: ASGIApp, also: Iterable[str] = ()) -> None:
        self._app = app
        asked = " ".join(f" {each} {each.replace('https://', 'wss://')}" for each in also)
        self._headers = _HEADERS | {"Content-Security-Policy": "; ".join((*_POLICY, f"connect-src 'self'{asked}"))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; anything but HTTP passes untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(scope["path"], message)
            await send(message)

        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
            refusal = PlainTextResponse(f"{TooLarge().detail}\n", 413)
            await refusal(scope, receive, guarded_send)
            return
        await self._app(scope, _limited(receive), guarded_send)

    def _dress(self, path: str, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)  # a page of ours without script may bring its own policy
        if "cache-control" not in headers:
            headers["Cache-Control"] = _caching(path, message["status"])


def _limited(receive: Receive) -> Receive:
    read = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY_BYTES:
            raise TooLarge
        return message

    return counted


def _caching(path: str, status: int) -> str:
    if path.startswith(("/api/", "/meet/")):
        return "no-store"
    return _FOREVER if path.startswith("/assets/") and status in (200, 304) else "no-cache"

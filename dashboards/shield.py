"""What every answer of the pages' server carries, and what no request may exceed: a small ASGI layer around it all."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 256 * 1024

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "font-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
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
    """Wraps the application: security and cache headers on every answer, a limit on every body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; anything but HTTP passes untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(scope["path"], message)
            await send(message)

        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
            refusal = PlainTextResponse(f"{TooLarge().detail}\n", 413)
            await refusal(scope, receive, guarded_send)
            return
        await self._app(scope, _limited(receive), guarded_send)


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


def _dress(path: str, message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers[name] = value
    if "cache-control" not in headers:
        headers["Cache-Control"] = _caching(path, message["status"])


def _caching(path: str, status: int) -> str:
    if path.startswith(("/api/", "/meet/")):
        return "no-store"
    return _FOREVER if path.startswith("/assets/") and status in (200, 304) else "no-cache"

"""Who may open the operations pages: a one-time link becomes a session cookie, and nothing else does.

There is no password, hence no default one. ``sanwang ops-link`` signs a token for one use; the page hands it over in
a POST (it stands behind ``#`` in the link, so it reaches no access log), and gets a cookie that scripts cannot read
(RFC 6265: HttpOnly, Secure, SameSite=Strict, the ``__Host-`` prefix of RFC 6265bis).
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, WebSocket
from starlette.requests import HTTPConnection

from identity.tokens import Token, TokenRefused, Tokens

LINK_PURPOSE = "ops"
SESSION_PURPOSE = "ops-session"
COOKIE = "__Host-sanwang-ops"
LINK_LIFETIME_S = 15 * 60
SESSION_LIFETIME_S = 12 * 3600


class Access:
    """Turns one-time links into sessions and checks sessions.

    Args:
        tokens: Holds the county's private token key.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._began_s = int(time.time())

    def enter(self, link_token: str) -> tuple[str, Token]:
        """The session token for a good one-time link, and what the link said.

        Raises:
            TokenRefused: Forged, expired, used before, or meant for something else.
        """
        link = self._tokens.verify(link_token, LINK_PURPOSE, once=True)
        if link.expires_at - LINK_LIFETIME_S < self._began_s:  # whether it was used, only the process before this knew
            raise TokenRefused("this link is older than the running pages: print a new one")
        session = self._tokens.issue(SESSION_PURPOSE, link.subject, lifetime_s=SESSION_LIFETIME_S)
        return session, link

    def require(self, request: Request) -> Token:
        """FastAPI dependency: the caller's session, or 401 in plain words."""
        try:
            return self._session(request)
        except TokenRefused as refusal:
            words = f"not signed in: {refusal}; next step: open the link that 'sanwang ops-link' prints"
            raise HTTPException(401, words) from None

    def admits(self, websocket: WebSocket) -> bool:
        """True when the WebSocket comes from our own page (RFC 6455 section 10.2) and holds a good session."""
        origin = urlsplit(websocket.headers.get("origin", ""))
        if origin.scheme != "https" or origin.netloc != websocket.headers.get("host", ""):
            return False
        try:
            self._session(websocket)
        except TokenRefused:
            return False
        return True

    def _session(self, connection: HTTPConnection) -> Token:
        cookie = connection.cookies.get(COOKIE, "")
        if not cookie:
            raise TokenRefused("no session")
        return self._tokens.verify(cookie, SESSION_PURPOSE)


def ops_token(tokens: Tokens, subject: str = "operator") -> str:
    """A one-time token for the operations pages."""
    return tokens.issue(LINK_PURPOSE, subject, lifetime_s=LINK_LIFETIME_S)

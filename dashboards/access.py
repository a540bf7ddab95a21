"""Who is let in, and to what: a session becomes a ``Person``, and every route names the right that it needs.

The browser holds the session in a cookie that scripts cannot read (RFC 6265: HttpOnly, Secure, SameSite=Strict, the
``__Host-`` prefix of RFC 6265bis). A one-time link (``sanwang ops-link``) stands behind ``#`` in its address, so it
reaches no access log; the page hands it over in a POST.

>>> may_handle = Depends(access.needs(Right.HANDLE))      # doctest: +SKIP
>>> @router.get("/tickets")                               # doctest: +SKIP
... def tickets(person: Person = may_handle): ...
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from fastapi import HTTPException, Request, Response, WebSocket
from starlette.requests import HTTPConnection

from identity import sessions
from identity.directory import CONSOLE, Identity
from identity.people import Right
from identity.refusal import Refusal
from identity.signing import Caller, Opened, SignOn
from identity.tables import SignSession
from identity.tokens import TokenRefused, Tokens

LINK_PURPOSE = "ops"
CERTIFICATE_PURPOSE = "ops-certificate"
COOKIE = "__Host-sanwang-ops"
DEVICE_COOKIE = "__Host-sanwang-known"
"""Says who signed in with this browser before: it opens nothing, and spares that person waits for others' guesses."""
UNATTENDED = "sanwang-unattended"
"""Header of what a page asks by itself while nobody touches it: such a request keeps no session alive."""
LINK_LIFETIME_S = 15 * 60
_DEVICE_PURPOSE = "ops-known"
_DEVICE_LIFETIME_S = 180 * 86_400

LOCAL = "local"
"""Address of who comes by the machine's own loopback."""

_KEY = re.compile(r"[A-Za-z0-9-]{8,64}")
_ONLY_LOOKS = Refusal("a wall's session only shows: sign in to do something", "大屏登录只能查看：请先登录再操作")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in.

    ``units`` are site codes, () the whole county; from ``needs`` they are those that the asked right holds for.
    """

    login: str
    zh: str
    en: str
    roles: tuple[str, ...]
    rights: frozenset[Right]
    units: tuple[str, ...] = ()

    def covers(self, unit: str) -> bool:
        """True when the unit is one of the person's own."""
        return not self.units or unit in self.units


class NotSignedIn(Exception):
    """No good session; the text says why."""


class Access:
    """Turns one-time links into sessions, checks sessions, and says what a person may.

    Args:
        sign_on: Accounts, sessions and roles.
        tokens: Holds the county's private token key.
    """

    def __init__(self, sign_on: SignOn, tokens: Tokens) -> None:
        self.sign_on = sign_on
        self.tokens = tokens
        self._began_s = int(time.time())

    def enter(self, link_token: str, caller: Caller) -> Opened:
        """A session for a good one-time link, or for the token that the certificates' door handed back.

        Raises:
            TokenRefused: Forged, expired, used before, or meant for something else.
            SignRefused: For somebody who is not let in.
        """
        with contextlib.suppress(TokenRefused):
            shown = self.tokens.verify(link_token, CERTIFICATE_PURPOSE, once=True)
            return self.sign_on.enter(shown.subject, "certificate", caller)
        link = self.tokens.verify(link_token, LINK_PURPOSE, once=True)
        if link.expires_at - LINK_LIFETIME_S < self._began_s:  # whether it was used, only the process before this knew
            raise TokenRefused("this link is older than the running pages: print a new one")
        return self.sign_on.enter(link.subject, "link", caller)

    def signed_in(self, request: Request) -> tuple[Identity, SignSession]:
        """FastAPI dependency: who is signed in, by which session; 401 in plain words, 403 from a foreign page."""
        own_page(request)
        try:
            identity, row = self._who(request, attended=UNATTENDED not in request.headers)
        except NotSignedIn as lack:
            words = f"not signed in: {lack}; next step: sign in, or open the link that 'sanwang ops-link' prints"
            raise HTTPException(401, words) from None
        if row.stage == "screen" and request.method not in _SAFE:
            raise said(403, _ONLY_LOOKS)
        return identity, row

    def needs(self, *rights: Right) -> Callable[[Request], Person]:
        """FastAPI dependency: the person, who has at least one of the rights; else 401 or 403 in plain words."""

        def check(request: Request) -> Person:
            identity, _ = self.signed_in(request)
            held = [right for right in rights if right in identity.rights]
            if not held:
                wanted = " or ".join(rights)
                raise HTTPException(403, f"{identity.login} may not do this: it needs the right {wanted}")
            return _person(identity, held[0])

        check.rights = rights  # type: ignore[attr-defined]  # a test walks all routes and reads it
        return check

    def admits(self, websocket: WebSocket, right: Right) -> Person | None:
        """Who opened the WebSocket: from our own page (RFC 6455 section 10.2), signed in, with the right; else None.

        It reads the store: call it in a thread, and again now and then while the WebSocket stays open.
        """
        if not _from_our_page(websocket):
            return None
        try:
            identity, _ = self._who(websocket, attended=False)
        except NotSignedIn:
            return None
        return _person(identity, right) if right in identity.rights else None

    def caller(self, connection: HTTPConnection) -> Caller:
        """Where a request comes from; the machine's own loopback has no address."""
        address = connection.client.host if connection.client and connection.client.host else LOCAL
        known = device = ""
        with contextlib.suppress(TokenRefused):
            token = self.tokens.verify(connection.cookies.get(DEVICE_COOKIE, ""), _DEVICE_PURPOSE)
            known, device = token.subject, token.identifier
        return Caller(address, connection.headers.get("user-agent", ""), known, device)

    def keep(self, response: Response, opened: Opened) -> None:
        """Give the browser the session, and once it is whole the mark that this person is known in it."""
        _set(response, COOKIE, opened.cookie, int(sessions.life(opened.stage).total_seconds()))
        if opened.stage == "in":
            token = self.tokens.issue(_DEVICE_PURPOSE, opened.login, lifetime_s=_DEVICE_LIFETIME_S)
            _set(response, DEVICE_COOKIE, token, _DEVICE_LIFETIME_S)

    def _who(self, connection: HTTPConnection, *, attended: bool) -> tuple[Identity, SignSession]:
        cookie, now = connection.cookies.get(COOKIE, ""), self.sign_on.now()
        with self.sign_on.store.reading() as session:
            row = sessions.find(session, cookie, now)
            identity = self.sign_on.directory.find(session, row.login, now) if row else None
        if row is None or row.stage not in ("in", "screen"):
            raise NotSignedIn("your session has ended" if cookie else "no session")
        if identity is None or identity.standing != row.standing:
            with self.sign_on.store.session() as session:
                sessions.end(session, row.id)
            raise NotSignedIn("your roles have changed")
        if attended and sessions.stale(row, now):
            with self.sign_on.store.session() as session:
                sessions.note(session, row.id, now)
        if row.stage == "screen":
            identity = replace(identity, only=frozenset({Right.WATCH}))
        return identity, row


def _person(identity: Identity, right: Right) -> Person:
    return Person(identity.login, identity.zh, identity.en, identity.roles, identity.rights, identity.units(right))


def _from_our_page(connection: HTTPConnection) -> bool:
    """Every browser names the page that a change or a WebSocket comes from (Fetch standard, header Origin)."""
    return connection.headers.get("origin", "") == f"https://{connection.headers.get('host', '')}"


def asker_key(request: Request) -> str:
    """FastAPI dependency: the asker's own key of a change (``store.once``), "" for none; 422 for another form."""
    key = request.headers.get("idempotency-key", "")
    if key and not _KEY.fullmatch(key):
        raise HTTPException(422, "Idempotency-Key: expected 8 to 64 letters, digits or hyphens")
    return key


def own_page(request: Request) -> None:
    """FastAPI dependency: what changes anything comes from a page of ours, or 403."""
    if request.method not in _SAFE and not _from_our_page(request):
        raise HTTPException(403, "refused: this did not come from our own page (header Origin); reload the page")


def _set(response: Response, name: str, value: str, max_age_s: int) -> None:
    response.set_cookie(name, value, max_age=max_age_s, path="/", secure=True, httponly=True, samesite="strict")


def forget(response: Response) -> None:
    """Take it away."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def ops_token(tokens: Tokens, subject: str = CONSOLE) -> str:
    """A one-time token for the operations pages."""
    return tokens.issue(LINK_PURPOSE, subject, lifetime_s=LINK_LIFETIME_S)


def said(status: int, refusal: Refusal) -> HTTPException:
    """A refusal as HTTP says it: the page shows it in its reader's language."""
    return HTTPException(status, {"zh": refusal.zh, "en": refusal.en})

"""Who is let in, and to what: a session becomes a ``Person``, and every route names the right that it needs.

A one-time link (``sanwang ops-link``) stands behind ``#`` in its address, so it reaches no access log; the page hands
it over in a POST and gets a cookie that scripts cannot read (RFC 6265: HttpOnly, Secure, SameSite=Strict, the
``__Host-`` prefix of RFC 6265bis).

>>> may_handle = Depends(access.needs(Right.HANDLE))      # doctest: +SKIP
>>> @router.get("/tickets")                               # doctest: +SKIP
... def tickets(person: Person = may_handle): ...
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, WebSocket
from starlette.requests import HTTPConnection

from identity.people import Right, rights_of
from identity.tokens import Token, TokenRefused, Tokens
from inventory import people as county_people

LINK_PURPOSE = "ops"
SESSION_PURPOSE = "ops-session"
COOKIE = "__Host-sanwang-ops"
LINK_LIFETIME_S = 15 * 60
SESSION_LIFETIME_S = 12 * 3600
CONSOLE = "operator"
"""Subject of a link that root printed for nobody in particular: the duty desk of a county that has no accounts yet."""

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


_DESK = Person(CONSOLE, "值班台", "Duty desk", ("operator", "engineer"), rights_of(("operator", "engineer")))


class Access:
    """Turns one-time links into sessions, checks sessions, and says what a person may.

    Args:
        tokens: Holds the county's private token key.
        people: The county's people, by login.
    """

    def __init__(self, tokens: Tokens, people: Mapping[str, county_people.Person]) -> None:
        self._tokens = tokens
        self._people = people
        self._began_s = int(time.time())

    def enter(self, link_token: str) -> tuple[str, Person]:
        """The session token for a good one-time link, and whose it is.

        Raises:
            TokenRefused: Forged, expired, used before, meant for something else, or for somebody unknown.
        """
        link = self._tokens.verify(link_token, LINK_PURPOSE, once=True)
        if link.expires_at - LINK_LIFETIME_S < self._began_s:  # whether it was used, only the process before this knew
            raise TokenRefused("this link is older than the running pages: print a new one")
        person = self._person(link.subject)
        return self._tokens.issue(SESSION_PURPOSE, link.subject, lifetime_s=SESSION_LIFETIME_S), person

    def signed_in(self, request: Request) -> tuple[Person, int]:
        """Who is signed in and until when (seconds since 1970, UTC); 401 in plain words, 403 from a foreign page."""
        try:
            session = self._session(request)
            person = self._person(session.subject)
        except TokenRefused as refusal:
            words = f"not signed in: {refusal}; next step: sign in, or open the link that 'sanwang ops-link' prints"
            raise HTTPException(401, words) from None
        if request.method not in _SAFE and not _from_our_page(request):
            raise HTTPException(403, "refused: this did not come from our own page (header Origin); reload the page")
        return person, session.expires_at

    def needs(self, *rights: Right) -> Callable[[Request], Person]:
        """FastAPI dependency: the person, who has at least one of the rights; else 401 or 403 in plain words."""

        def check(request: Request) -> Person:
            person, _ = self.signed_in(request)
            held = [right for right in rights if right in person.rights]
            if not held:
                wanted = " or ".join(rights)
                raise HTTPException(403, f"{person.login} may not do this: it needs the right {wanted}")
            return replace(person, units=self._units(person.login, held[0]))

        check.rights = rights  # type: ignore[attr-defined]  # a test walks all routes and reads it
        return check

    def admits(self, websocket: WebSocket, right: Right) -> Person | None:
        """Who opened the WebSocket: from our own page (RFC 6455 section 10.2), signed in, with the right; else None."""
        if not _from_our_page(websocket):
            return None
        try:
            person = self._person(self._session(websocket).subject)
        except TokenRefused:
            return None
        return replace(person, units=self._units(person.login, right)) if right in person.rights else None

    def _session(self, connection: HTTPConnection) -> Token:
        cookie = connection.cookies.get(COOKIE, "")
        if not cookie:
            raise TokenRefused("no session")
        return self._tokens.verify(cookie, SESSION_PURPOSE)

    def _person(self, login: str) -> Person:
        written = self._people.get(login)
        if written is not None:
            return Person(login, written.zh, written.en, written.roles, rights_of(written.roles), written.units)
        if login == CONSOLE:
            return _DESK
        raise TokenRefused(f"{login} is no person of the county")

    def _units(self, login: str, right: Right) -> tuple[str, ...]:
        """Where the right holds."""
        return self._person(login).units


def _from_our_page(connection: HTTPConnection) -> bool:
    """Every browser names the page that a change or a WebSocket comes from (Fetch standard, header Origin)."""
    origin = urlsplit(connection.headers.get("origin", ""))
    return origin.scheme == "https" and origin.netloc == connection.headers.get("host", "")


def ops_token(tokens: Tokens, subject: str = CONSOLE) -> str:
    """A one-time token for the operations pages."""
    return tokens.issue(LINK_PURPOSE, subject, lifetime_s=LINK_LIFETIME_S)

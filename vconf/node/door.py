"""A node's answers to pages' HTTP requests while it is alone: who a hall is, its meetings, a join token.

A hall's identity is checked here: links and join tokens by the county's public key, a paired browser by the digests
that the county told.  Join tokens of its own are signed with a key that goes with the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.exceptions import HTTPException
from starlette.requests import Request

from identity.tokens import TokenRefused, Tokens
from vconf import links
from vconf.limits import Buckets
from vconf.links import Seat
from vconf.meeting import Meeting
from vconf.node.child import Child
from vconf.rooms.rooms import invited

Document = dict[str, Any]
MOST_NEXT = 5


class Door:
    """Answers by the path below ``/meet``.

    Args:
        child: What the county told.
        meeting: A meeting that can be held here; None: none is known.
        tokens: Made with the county's public key.
        halls: This tier's: code -> name in Chinese and English.
        county: Names of the county.
        duty: Whom a hall calls, as pages are told; None: nobody is named.
        also: Other addresses that a page may try.
    """

    def __init__(
        self,
        child: Child,
        meeting: Callable[[int], Meeting | None],
        tokens: Tokens,
        halls: Mapping[str, tuple[str, str]],
        county: Mapping[str, str],
        duty: Mapping[str, str] | None,
        also: Sequence[str],
    ) -> None:
        self._child, self._meeting, self._county_tokens = child, meeting, tokens
        self._halls, self._county, self._duty, self._also = dict(halls), dict(county), duty, list(also)
        private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._own_tokens = Tokens(private.decode())
        self._knocks = Buckets(rate=5, burst=120)  # by address
        self.posts = {"link": self._link, "hall": self._home, "hall/join": self._join}

    def read_join(self, token: str) -> Seat:
        """Whose join token this is, ours or the county's; TokenRefused, also for a meeting that is not known here."""
        try:
            seat = links.read_join(self._own_tokens, token)
        except TokenRefused:
            seat = links.read_join(self._county_tokens, token)
        if self._meeting(seat.meeting) is None:  # to a page "unknown" is an end, and this is none
            raise TokenRefused("this township is on its own and does not know this meeting: keep asking")
        return seat

    async def answer(self, request: Request, path: str) -> Document:
        """One POST; HTTPException 503 for what only the county can answer."""
        found = self.posts.get(path)
        if found is None:
            raise HTTPException(503, "this township is on its own: ask again when the county is back")
        if not self._knocks.take(request.client.host if request.client else ""):
            raise HTTPException(429, "too many attempts: wait a moment")
        try:
            body = await request.json()
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise HTTPException(422, "expected a JSON object")
        try:
            return found(body)
        except TokenRefused as refused:
            raise HTTPException(401, str(refused)) from None

    def _link(self, body: Document) -> Document:
        seat = links.read_link(self._county_tokens, _text(body, "link"))
        return self._answer(seat)

    def _join(self, body: Document) -> Document:
        meeting = body.get("meeting")
        if not isinstance(meeting, int) or isinstance(meeting, bool):
            raise HTTPException(422, "meeting: expected its number")
        return self._answer(Seat(self._hall(_text(body, "token")), meeting))

    def _home(self, body: Document) -> Document:
        hall, now = self._hall(_text(body, "token")), datetime.now(UTC)
        wanted = sorted(
            (each for each in self._child.meetings.values() if hall in each.halls and each.state(now) != "over"),
            key=lambda each: (each.start_at, each.id),
        )
        return {
            "now": now.isoformat(),
            "hall": self._named(hall),
            "county": self._county,
            "duty": self._duty,
            "meetings": [each.as_invitation() | {"state": each.state(now)} for each in wanted[:MOST_NEXT]],
            "test": 0.0,
            "also": self._also,
        }

    def _answer(self, seat: Seat) -> Document:
        now, meeting = datetime.now(UTC), self._meeting(seat.meeting)
        if meeting is None:
            raise HTTPException(503, "this township is on its own and does not know this meeting: keep asking")
        if not invited(meeting, seat):
            raise HTTPException(404, "this hall is not booked for this meeting")
        state = meeting.state(now)
        return {
            "state": state,
            "now": now.isoformat(),
            "role": seat.role,
            "meeting": meeting.as_invitation(),
            "hall": self._named(seat.participant)
            if seat.role == "venue"
            else {"code": seat.participant, "zh": seat.name or seat.hall, "en": seat.name or seat.hall},
            "county": self._county,
            "duty": self._duty,
            "join": links.join_token(self._own_tokens, seat) if state == "open" else None,
            "also": self._also,
        }

    def _hall(self, token: str) -> str:
        if "." in token:
            seat = links.read_link(self._county_tokens, token)
            if seat.role != "venue":
                raise TokenRefused("this link is not a hall's")
            return seat.hall
        hall = self._child.devices.get(sha256(token.encode()).hexdigest())
        if hall is None:
            # not 401: the county may have paired it a moment before the line went
            raise HTTPException(503, "this township is on its own and does not know this screen: keep asking")
        return hall

    def _named(self, code: str) -> Document:
        zh, en = self._halls.get(code, (code, code))
        return {"code": code, "zh": zh, "en": en}


def _text(body: Document, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 4096:
        raise HTTPException(422, f"{key}: expected a text")
    return value

"""The ways in: a link for the whole meeting, exchanged for a join token of two minutes.

The link is what a clerk receives on paper or by message.  It is a signed token of purpose ``hall`` in the
address's fragment, which browsers never send and servers never log; it is good while the meeting is open.
``POST /meet/link`` exchanges it for a token of purpose ``join``: one use, two minutes, the same hall, meeting and role.

A chair's link is of purpose ``chair`` and names a person; its join token is of purpose ``chair-join``.  No hall's
token opens a console, and no chair's token a hall.

Guests (phones, notebooks) share one link of purpose ``guest``.  With the meeting's PIN and a name it is exchanged for
a link of the guest's own, of purpose ``guest-seat``, which works as a hall's does and leads to the waiting room.
"""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from identity.tokens import OtherPurpose, Token, TokenRefused, Tokens
from inventory.model import NetworkModel
from inventory.relays import node_address
from vconf.meeting import LATE, LONGEST, Meeting

Role = Literal["venue", "chair", "guest", "recorder", "stream", "viewer"]
"""The last two come by another door (``vconf.whip``): they have no link and no join token."""

LINK, JOIN = "hall", "join"
CHAIR_LINK, CHAIR_JOIN = "chair", "chair-join"
GUEST_LINK, GUEST_SEAT, GUEST_JOIN = "guest", "guest-seat", "guest-join"
RECORDER_JOIN = "recorder-join"
GUEST_PREFIX = "g-"
JOIN_S = 120
_LINKS: dict[str, Role] = {LINK: "venue", CHAIR_LINK: "chair", GUEST_SEAT: "guest"}
_JOINS: dict[str, Role] = {JOIN: "venue", CHAIR_JOIN: "chair", GUEST_JOIN: "guest", RECORDER_JOIN: "recorder"}
KEY = "token/meet"
"""Name of the signing key among the county's secrets."""


def pages_address(model: NetworkModel, hall: str = "") -> str:
    """Where a hall finds its page: at its site's node where it has one, else, as everybody, at the service of kind
    "meet"; LookupError in a county without one."""
    if hall in model.halls and (own := node_address(model, model.halls[hall])):
        return own
    for service in model.services.values():
        if service.kind == "meet":
            port = "" if service.port == 443 else f":{service.port}"
            return f"https://{service.address}{port}"
    raise LookupError(f"county {model.name}: no service of kind meet; add one to services.yml")


@dataclass(frozen=True, slots=True)
class Seat:
    """A hall's place in a meeting, a guest's, a person's at a chair's console, or the recorder's."""

    hall: str  # a hall's code, a guest's "g-...", a person's login, or "#recorder"
    meeting: int
    role: Role = "venue"
    name: str = ""  # a guest's

    @property
    def console(self) -> bool:
        """A chair's page, not a venue."""
        return self.role == "chair"

    @property
    def participant(self) -> str:
        """As the conference names it: "t01", "g-4f...", "@li"."""
        return f"@{self.hall}" if self.console else self.hall


def link_token(tokens: Tokens, meeting: Meeting, hall: str, now: datetime) -> str:
    """The token of a hall's link; TokenRefused when the meeting has closed."""
    return tokens.issue(LINK, hall, lifetime_s=_life_s(meeting, now), meeting=meeting.id)


def link(tokens: Tokens, base: str, meeting: Meeting, hall: str, now: datetime) -> str:
    """The whole link; ``base`` is the pages' address, "https://10.32.2.6"."""
    return f"{base.rstrip('/')}/hall/#token={link_token(tokens, meeting, hall, now)}"


def chair_token(tokens: Tokens, meeting: Meeting, login: str, now: datetime) -> str:
    """The token of a chair's link; TokenRefused when the meeting has closed."""
    return tokens.issue(CHAIR_LINK, login, lifetime_s=_life_s(meeting, now), meeting=meeting.id, role="chair")


def chair_link(tokens: Tokens, base: str, meeting: Meeting, login: str, now: datetime) -> str:
    """The whole link of a chair's page."""
    return f"{base.rstrip('/')}/chair/#token={chair_token(tokens, meeting, login, now)}"


def guest_link(tokens: Tokens, base: str, meeting: Meeting, now: datetime) -> str:
    """The one link of all guests; the PIN goes another way."""
    token = tokens.issue(GUEST_LINK, "guest", lifetime_s=_life_s(meeting, now), meeting=meeting.id)
    return f"{base.rstrip('/')}/hall/#guest={token}"


def read_guest(tokens: Tokens, text: str) -> int:
    """Which meeting's guests' link this is; TokenRefused when it is none."""
    return _meeting(tokens.verify(text, GUEST_LINK))


def guest_seat(tokens: Tokens, meeting: Meeting, name: str, now: datetime) -> str:
    """A link of a guest's own, for one who knew the PIN."""
    identifier = f"{GUEST_PREFIX}{secrets.token_hex(6)}"
    life_s = _life_s(meeting, now)
    return tokens.issue(GUEST_SEAT, identifier, lifetime_s=life_s, meeting=meeting.id, role="guest", name=name)


def read_link(tokens: Tokens, text: str) -> Seat:
    """Whose link this is: a hall's, a chair's or a guest's own; TokenRefused when it is none, forged or expired."""
    return _seat(tokens, text, _LINKS, once=False)


def read_chair(tokens: Tokens, text: str) -> Seat:
    """Whose chair's link this is, and of which meeting; TokenRefused when it is none."""
    return _seat(tokens, text, {CHAIR_LINK: "chair"}, once=False)


def join_token(tokens: Tokens, seat: Seat) -> str:
    """A one-time token that opens the signalling for this seat alone."""
    purpose = next(purpose for purpose, role in _JOINS.items() if role == seat.role)
    name = {"name": seat.name} if seat.name else {}
    return tokens.issue(purpose, seat.hall, lifetime_s=JOIN_S, meeting=seat.meeting, role=seat.role, **name)


def read_join(tokens: Tokens, text: str) -> Seat:
    """Whose join token this is; good once."""
    return _seat(tokens, text, _JOINS, once=True)


def _seat(tokens: Tokens, text: str, purposes: Mapping[str, Role], *, once: bool) -> Seat:
    for purpose, role in purposes.items():
        with contextlib.suppress(OtherPurpose):
            token = tokens.verify(text, purpose, once=once, lasting=not once)
            if purpose != LINK and token.claims.get("role") != role:
                raise TokenRefused("this link is for another role")
            return Seat(token.subject, _meeting(token), role, str(token.claims.get("name", "")))
    raise OtherPurpose("this link is for something else")


def _meeting(token: Token) -> int:
    meeting = token.claims.get("meeting")
    if not isinstance(meeting, int) or isinstance(meeting, bool):
        raise TokenRefused("this link names no meeting")
    return meeting


def _life_s(meeting: Meeting, now: datetime) -> int:
    """Until the meeting could close at the latest, for the chair may make it longer; TokenRefused when it has closed.

    A link is good for nothing outside the meeting's own time: whoever exchanges it is told that it is over.
    """
    if now >= meeting.closes_at:
        raise TokenRefused("the meeting is over")
    return math.ceil((max(meeting.closes_at, meeting.start_at + LONGEST + LATE) - now).total_seconds())

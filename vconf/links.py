"""The ways in: a link for the whole meeting, exchanged for a join token of two minutes.

The link is what a clerk receives on paper or by message.  It is a signed token of purpose ``hall`` in the
address's fragment, which browsers never send and servers never log; it is good until the meeting closes.
``POST /meet/link`` exchanges it for a token of purpose ``join``: one use, two minutes, the same hall, meeting and role.

A chair's link is of purpose ``chair`` and names a person; its join token is of purpose ``chair-join``.  No hall's
token opens a console, and no chair's token a hall.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime

from identity.tokens import OtherPurpose, TokenRefused, Tokens
from vconf.meetings import Meeting

LINK, JOIN = "hall", "join"
CHAIR_LINK, CHAIR_JOIN = "chair", "chair-join"
JOIN_S = 120
KEY = "token/meet"
"""Name of the signing key among the county's secrets."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A hall's place in a meeting, or a person's at a chair's console."""

    hall: str  # a person's login when ``console``
    meeting: int
    console: bool = False

    @property
    def participant(self) -> str:
        """As the conference names it: "t01", "@li"."""
        return f"@{self.hall}" if self.console else self.hall

    @property
    def role(self) -> str:
        """As the token names it."""
        return "chair" if self.console else "venue"


def link_token(tokens: Tokens, meeting: Meeting, hall: str, now: datetime) -> str:
    """The token of a hall's link; TokenRefused when the meeting has closed."""
    lifetime_s = int((meeting.closes_at - now).total_seconds())
    if lifetime_s < 1:
        raise TokenRefused("the meeting is over")
    return tokens.issue(LINK, hall, lifetime_s=lifetime_s, meeting=meeting.id)


def link(tokens: Tokens, base: str, meeting: Meeting, hall: str, now: datetime) -> str:
    """The whole link; ``base`` is the pages' address, "https://10.32.2.6"."""
    return f"{base.rstrip('/')}/hall/#token={link_token(tokens, meeting, hall, now)}"


def chair_token(tokens: Tokens, meeting: Meeting, login: str, now: datetime) -> str:
    """The token of a chair's link; TokenRefused when the meeting has closed."""
    lifetime_s = int((meeting.closes_at - now).total_seconds())
    if lifetime_s < 1:
        raise TokenRefused("the meeting is over")
    return tokens.issue(CHAIR_LINK, login, lifetime_s=lifetime_s, meeting=meeting.id, role="chair")


def chair_link(tokens: Tokens, base: str, meeting: Meeting, login: str, now: datetime) -> str:
    """The whole link of a chair's page."""
    return f"{base.rstrip('/')}/chair/#token={chair_token(tokens, meeting, login, now)}"


def read_link(tokens: Tokens, text: str) -> Seat:
    """Whose link this is, a hall's or a chair's; TokenRefused when it is forged, expired or something else."""
    with contextlib.suppress(OtherPurpose):
        return _seat(tokens, text, LINK, once=False)
    return read_chair(tokens, text)


def read_chair(tokens: Tokens, text: str) -> Seat:
    """Whose chair's link this is, and of which meeting; TokenRefused when it is none."""
    return _seat(tokens, text, CHAIR_LINK, once=False)


def join_token(tokens: Tokens, seat: Seat) -> str:
    """A one-time token that opens the signalling for this seat alone."""
    purpose = CHAIR_JOIN if seat.console else JOIN
    return tokens.issue(purpose, seat.hall, lifetime_s=JOIN_S, meeting=seat.meeting, role=seat.role)


def read_join(tokens: Tokens, text: str) -> Seat:
    """Whose join token this is; good once."""
    with contextlib.suppress(OtherPurpose):
        return _seat(tokens, text, JOIN, once=True)
    return _seat(tokens, text, CHAIR_JOIN, once=True)


def _seat(tokens: Tokens, text: str, purpose: str, *, once: bool) -> Seat:
    console = purpose in (CHAIR_LINK, CHAIR_JOIN)
    token = tokens.verify(text, purpose, once=once)
    meeting = token.claims.get("meeting")
    if not isinstance(meeting, int) or isinstance(meeting, bool):
        raise TokenRefused("this link names no meeting")
    seat = Seat(token.subject, meeting, console)
    if purpose != LINK and token.claims.get("role") != seat.role:
        raise TokenRefused("this link is for another role")
    return seat

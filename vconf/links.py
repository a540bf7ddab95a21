"""A hall's way in: a link for the whole meeting, exchanged for a join token of two minutes.

The link is what a clerk receives on paper or by message.  It is a signed token of purpose ``hall`` in the
address's fragment, which browsers never send and servers never log; it is good until the meeting closes.
``POST /meet/link`` exchanges it for a token of purpose ``join``: one use, two minutes, the same hall and meeting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from identity.tokens import TokenRefused, Tokens
from vconf.meetings import Meeting

LINK, JOIN = "hall", "join"
JOIN_S = 120
KEY = "token/meet"
"""Name of the signing key among the county's secrets."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A hall's place in a meeting."""

    hall: str
    meeting: int


def link_token(tokens: Tokens, meeting: Meeting, hall: str, now: datetime) -> str:
    """The token of a hall's link; TokenRefused when the meeting has closed."""
    lifetime_s = int((meeting.closes_at - now).total_seconds())
    if lifetime_s < 1:
        raise TokenRefused("the meeting is over")
    return tokens.issue(LINK, hall, lifetime_s=lifetime_s, meeting=meeting.id)


def link(tokens: Tokens, base: str, meeting: Meeting, hall: str, now: datetime) -> str:
    """The whole link; ``base`` is the pages' address, "https://10.32.2.6"."""
    return f"{base.rstrip('/')}/hall/#token={link_token(tokens, meeting, hall, now)}"


def read_link(tokens: Tokens, text: str) -> Seat:
    """Whose link this is; TokenRefused when it is forged, expired or something else."""
    return _seat(tokens, text, LINK, once=False)


def join_token(tokens: Tokens, seat: Seat) -> str:
    """A one-time token that opens the signalling."""
    return tokens.issue(JOIN, seat.hall, lifetime_s=JOIN_S, meeting=seat.meeting)


def read_join(tokens: Tokens, text: str) -> Seat:
    """Whose join token this is; good once."""
    return _seat(tokens, text, JOIN, once=True)


def _seat(tokens: Tokens, text: str, purpose: str, *, once: bool) -> Seat:
    token = tokens.verify(text, purpose, once=once)
    meeting = token.claims.get("meeting")
    if not isinstance(meeting, int):
        raise TokenRefused("this link names no meeting")
    return Seat(token.subject, meeting)

"""The shapes of ``/api/meet``'s answers, for its OpenAPI document; a test holds live answers to them, key by key.

They are not what serves: routes answer with plain documents, and no request pays for a second look at them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Document = dict[str, Any]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Meeting(_Shape):
    """A meeting as it is booked."""

    id: int
    title: str
    start: AwareDatetime
    end: AwareDatetime
    booked_by: str
    cancelled: bool
    halls: list[str] = Field(description="codes of the halls it is booked for")
    present: list[str] = Field(description="venues in it now")
    main: str = Field(description="the main venue")
    chair: str = Field(description='whose the chair is: a hall, or a console "@login"')
    ended: bool = Field(description="by its chair, before its time")
    series: int | None = Field(description="the first meeting of its series")
    repeat: str | None = Field(description="RRULE of the series (RFC 5545)")
    sequence: int
    capacity: Any = Field(description="what the network lacked for it when it was last looked at")


class Meetings(_Shape):
    """Several."""

    meetings: list[Meeting]


class Links(_Shape):
    """Addresses to give out; each opens one seat."""

    links: dict[str, str] = Field(description="by hall")
    chair_link: str = Field(description="in the caller's own name")


class Begin(_Shape):
    """One of a series."""

    id: int
    start: AwareDatetime


class Booked(Links):
    """What was booked."""

    meeting: Meeting
    series: list[Begin]
    capacity: Any


class Cancelled(_Shape):
    """What was cancelled."""

    meeting: Meeting
    meetings: list[int]


class Shown(_Shape):
    """A meeting and its conference."""

    meeting: Meeting
    state: Document | None = Field(description="as the chair is told it, docs/protocol.md; null: nobody was in it yet")


class GuestLink(_Shape):
    """The one link of all guests."""

    guest_link: str | None
    pin: str | None = Field(description="six digits, to be sent another way")


class Done(_Shape):
    """What the chair did is in the store."""

    number: int = Field(description="of the state that came of it")


class Console(_Shape):
    """A chair's token."""

    token: str


class Asked(_Shape):
    """Halls that test their line now."""

    asked: list[str]


class Line(_Shape):
    """A venue's line on the sign-in sheet."""

    hall: str
    zh: str
    heads: int | None
    name: str | None
    signed: AwareDatetime | None
    joined: AwareDatetime | None
    left: AwareDatetime | None
    stayed_s: int
    stays: int


class Sheet(_Shape):
    """The sign-in sheet."""

    meeting: Meeting
    venues: list[Line]


class Stream(_Shape):
    """A link for an encoder (WHIP) or a viewer (WHEP)."""

    id: int
    meeting: int
    kind: Literal["whip", "whep"]
    name: str
    venue: str | None = Field(description="as the conference names the publisher")
    issued_by: str
    expires: AwareDatetime
    revoked: bool


class Streams(_Shape):
    """A meeting's links."""

    streams: list[Stream]


class Given(_Shape):
    """A new link."""

    stream: Stream
    url: str
    token: str = Field(description="shown this once")


class Revoked(_Shape):
    """A link that opens nothing any more."""

    stream: Stream


ANSWERS: dict[str, type[BaseModel]] = {
    "get-meetings": Meetings,
    "post-meetings": Booked,
    "get-meetings-number": Shown,
    "post-meetings-number-change": Meetings,
    "post-meetings-number-cancel": Cancelled,
    "get-meetings-number-links": Links,
    "post-meetings-number-guests": GuestLink,
    "post-meetings-number-act": Done,
    "post-meetings-number-console": Console,
    "post-meetings-number-lines": Asked,
    "get-meetings-number-attendance": Sheet,
    "get-meetings-number-streams": Streams,
    "post-meetings-number-streams": Given,
    "delete-meetings-number-streams-stream": Revoked,
}
"""By operation."""


def schemas() -> dict[str, Document]:
    """As components of an OpenAPI document."""
    found: dict[str, Document] = {}
    for shape in ANSWERS.values():
        made = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        found.update(made.pop("$defs", {}))
        found[shape.__name__] = made
    return found

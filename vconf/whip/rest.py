"""``/api/meet/meetings/ID/streams``: links for encoders and viewers of other programs, given and taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from store.engine import Store
from vconf.meetings import Meeting
from vconf.whip import tickets
from vconf.whip.tickets import Kind, TicketError

Document = dict[str, Any]


class _Caller(Protocol):
    @property
    def login(self) -> str: ...


class NewStream(BaseModel):
    """A link to give."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[Kind, Field(description="whip: publishes as a venue; whep: views what is on air")]
    name: Annotated[
        str, Field(max_length=tickets.NAME_CHARACTERS, description="what the venue is called, or who views")
    ]
    minutes: Annotated[int | None, Field(ge=1, le=2000, description="null: as long as the meeting can last")] = None


def add(
    router: APIRouter,
    who: Any,
    store: Store,
    meeting: Callable[[int, Any], Meeting],
    base: Callable[[], str],
) -> None:
    """Put the routes on the router of ``/api/meet``.

    Args:
        router: Theirs.
        who: Dependency: who asks.
        store: Tickets.
        meeting: One that the caller may ask about, or HTTPException.
        base: The pages' address, LookupError in a county without one.
    """

    @router.get("/meetings/{number}/streams")
    def listed(number: int, caller: _Caller = who) -> Document:
        """Links of encoders (WHIP) and viewers (WHEP), without their tokens."""
        meeting(number, caller)
        with store.reading() as session:
            return {"streams": [each.as_json() for each in tickets.listed(session, number)]}

    @router.post("/meetings/{number}/streams", status_code=201)
    def give(number: int, body: NewStream, caller: _Caller = who) -> Document:
        """Give a link: address and bearer token, which is shown this once."""
        found, now = meeting(number, caller), datetime.now(UTC)
        try:
            url = f"{base()}/meet/{body.kind}"
            expires = tickets.until(found, now, timedelta(minutes=body.minutes) if body.minutes else None)
            with store.session() as session:
                made, token = tickets.issue(session, number, body.kind, body.name, caller.login, now, expires)
        except LookupError as lack:
            raise HTTPException(409, str(lack)) from None
        except TicketError as error:
            raise HTTPException(422, str(error)) from None
        return {"stream": made.as_json(), "url": url, "token": token}

    @router.delete("/meetings/{number}/streams/{stream}")
    def revoke(number: int, stream: int, caller: _Caller = who, why: str = "") -> Document:
        """Take a link back: who is connected by it is put out within seconds."""
        meeting(number, caller)
        try:
            with store.session() as session:
                return {
                    "stream": tickets.revoke(session, number, stream, caller.login, why, datetime.now(UTC)).as_json()
                }
        except TicketError as error:
            raise HTTPException(404, str(error)) from None

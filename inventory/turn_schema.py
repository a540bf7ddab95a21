"""The section ``turn:`` as engineers write it: a way to the relays for people whose network lets out no UDP."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated

from pydantic import Field, StringConstraints

from inventory.written import Written

_Port = Annotated[int, Field(ge=1, le=65535, strict=True)]


class TurnIntent(Written):
    """A TURN server (RFC 8656) at the county's edge; without the section nobody is offered one.

    ``host`` is how people outside call it, ``listen`` its own address, which the relays see and the exit forwards to.
    """

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,253}$")]
    listen: IPv4Address
    port: _Port = 3479  # UDP and TCP; 3478 is the relays' own
    tls_port: _Port = 5349
    most_bps: Annotated[int, Field(ge=64_000, strict=True)] = 8_000_000  # of one session, both ways
    sessions: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 200

"""Changing what is switched: recorded in the audit first, then in the county's intent, then on the device.

So a switch that the device did not take is not lost: the next run of the playbooks brings it there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from inventory import switches
from inventory.schema import SwitchesIntent, SwitchIntent
from provision.broker.server import Request
from provision.broker.wire import BrokerError

if TYPE_CHECKING:
    from provision.broker.devices import Devices

_LOCK = asyncio.Lock()
"""One switch at a time: the file is read, changed and written as a whole."""


def asked(request: Request) -> SwitchIntent:
    """Who switches and why, as it is kept; a switch without a reason is refused."""
    if not request.why.strip():
        raise BrokerError("request", "found no reason; expected one, it is kept in the audit: --why TEXT")
    return SwitchIntent(who=request.who, why=request.why.strip(), at=datetime.now(UTC).isoformat("T", "seconds"))


@contextlib.asynccontextmanager
async def switching(
    devices: Devices, request: Request, what: str, change: Callable[[SwitchesIntent], SwitchesIntent]
) -> AsyncIterator[bool]:
    """Record and write the change, then run the block that brings it to the devices.  Yields whether it was one.

    Raises BrokerError (kind ``audit``, nothing is changed; kind ``county``, the file was spoilt by hand).
    """
    await devices.wait_to_write()
    async with _LOCK:
        folder = devices.county.folder
        try:
            before = await devices.sessions.thread(lambda: switches.read(folder))
        except ValidationError as error:
            raise BrokerError("county", f"{folder / switches.FILE}: {error}") from None
        after = change(before)
        if after != before:
            await devices.trail.note(request.who, what, request.why, dict(request.params))
            await devices.sessions.thread(lambda: switches.write(folder, after))
        yield after != before

"""Assembling the broker process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from inventory.model import Host
from inventory.places import Places
from provision import travellers
from provision.broker.county import County, county_folder
from provision.broker.devices import Devices
from provision.broker.secrets import DeviceSecrets
from provision.broker.server import Server
from provision.broker.sessions import Sessions
from provision.broker.trail import Trail
from provision.broker.wire import BrokerError
from provision.environment import recorded

log = logging.getLogger("sanwang.broker")


async def run(places: Places) -> None:
    """Serve until told to leave; BrokerError when the broker cannot start here."""
    county = County(county_folder(places), recorded(places))
    model = county.model
    require_management_host(model.hosts[model.nms])
    secrets = DeviceSecrets(places.lib / "identity")
    sessions = Sessions(places.lib / "broker" / "sessions", secrets.value, county.user)
    trail = Trail(places.database)
    devices = Devices(places, county, secrets, sessions, trail)

    async def ready() -> None:
        await trail.open()
        devices.may_write.set()

    idle = asyncio.create_task(sessions.close_idle())
    tidy = asyncio.create_task(devices.changes.tidy())
    expire = asyncio.create_task(travellers.expire(devices))
    try:
        await Server(places.broker_socket, devices.methods()).serve(ready)
    finally:
        for task in (idle, tidy, expire):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await devices.copies.close()
        await devices.backups.close()
        sessions.close()
        devices.changes.close()
        trail.close()
        log.info("left")


def require_management_host(nms: Host) -> None:
    """BrokerError (kind ``absent``) unless this network namespace is the management host's own."""
    mine = [address for address in (nms.management, nms.staging.ip if nms.staging else None) if address is not None]
    for address in mine:
        with socket.socket() as attempt:
            try:
                attempt.bind((str(address), 0))
            except OSError:
                continue
            return
    raise BrokerError(
        "absent",
        f"the broker runs on the management host {nms.name} (addresses {', '.join(map(str, mine))}), and this is not"
        " it: `make up` starts one there",
    )

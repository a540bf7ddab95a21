"""Our poller as the collector runs it, in a process: ``python -m bench.snmp_ours COUNT v2c|v3 whole|needed MODE``.

"whole": every numeric column of ifTable and ifXTable, "needed": what the vendor's profile wants to know.  It prints the
port of its HTTP interface.  MODE "demand": a request of ``/snmp?target=`` polls that device first, so that one request
is one whole cycle, as it is with snmp_exporter.  "schedule": devices are polled every minute in their own slots, as in
a county, and a request is answered with the last result.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench import snmp_devices
from collectors.api import snmp_endpoint
from collectors.snmp.poller import Learner, Poller, Target
from collectors.snmp.profiled import Profiled
from collectors.snmp.readings import Reading
from collectors.snmp.session import Session
from collectors.snmp.usm import Community

INTERVAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Whole:
    """Learns every instance of the columns."""

    async def learn(self, session: Session) -> list[Reading]:
        """By walks; samples are named by column and index."""
        found = []
        for column in snmp_devices.WHOLE:
            name = snmp_devices.NAMES[column]
            for index in await session.walk(column):
                found.append(Reading(f"{column}.{index}", name, (("index", index),)))
        return found


LEARNERS: dict[str, Learner] = {"whole": Whole(), "needed": Profiled()}


async def main(count: int, version: str, what: str, mode: str) -> None:
    """Serve until killed."""
    who = Community(snmp_devices.COMMUNITY) if version == "v2c" else snmp_devices.USER
    targets = [
        Target(f"d{number}", snmp_devices.address(number), LEARNERS[what], who, snmp_devices.PORT, 2.5 * INTERVAL_S)
        for number in range(count)
    ]
    poller = Poller(targets, {}, lambda answering: None, INTERVAL_S)
    page = snmp_endpoint(poller.exposition_of)

    async def fresh(request: Request) -> Response:
        target = poller.targets.get(request.query_params.get("target", ""))
        if target is not None:
            await poller.turn(target)
        return await page(request)

    app = Starlette(routes=[Route("/snmp", fresh if mode == "demand" else page)])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(512)
        print(sock.getsockname()[1], flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(server._serve([sock]))
            if mode == "schedule":
                group.create_task(poller.run())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:5]))

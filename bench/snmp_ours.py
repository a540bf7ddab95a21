"""Our poller as the collector runs it, alone in a process: ``python -m bench.snmp_ours COUNT v2c|v3 demand|schedule``.

It prints the port of its HTTP interface.  "demand": a request of ``/snmp?target=`` polls that device first, so that
one request is one whole cycle, as it is with snmp_exporter.  "schedule": devices are polled every minute in their own
slots, as in a county, and a request is answered with the last result.
"""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench import snmp_devices
from collectors.api import snmp_endpoint
from collectors.snmp.poller import Poller, Target
from collectors.snmp.profiled import Profiled
from collectors.snmp.usm import Community

INTERVAL_S = 60.0


async def main(count: int, version: str, mode: str) -> None:
    """Serve until killed."""
    who = Community(snmp_devices.COMMUNITY) if version == "v2c" else snmp_devices.USER
    targets = [
        Target(f"d{number}", snmp_devices.address(number), Profiled(), who, snmp_devices.PORT, 2.5 * INTERVAL_S)
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
        print(sock.getsockname()[1], flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(server._serve([sock]))
            if mode == "schedule":
                group.create_task(poller.run())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))

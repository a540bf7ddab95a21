"""SNMP over several processes: beyond what one core asks, each asks its share of the devices.

The collector starts the others and is their supervisor. A shard tells on its standard output, one JSON line for each
change, which devices answer; what it measured Prometheus reads from its own port.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from collectors.snmp.credentials import user_of
from collectors.snmp.linux import Linux
from collectors.snmp.poller import Poller, Target
from collectors.snmp.profiled import Profiled
from collectors.snmp.usm import User
from inventory.model import NetworkModel

log = logging.getLogger("sanwang.collect")

_AGAIN_S = 2.0
_LINE_LIMIT = 4 << 20
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def targets_of(model: NetworkModel, user: User, shard: int) -> list[Target]:
    """The devices that one process asks; the collector itself is number 0."""
    return [
        Target(
            host.name,
            str(host.management),
            Linux(frozenset(port.name for port in host.ports))
            if host.linux
            else Profiled(frozenset(port.label for port in host.ports)),
            user_of(host, user),
        )
        for host in model.appliances()
        if host.management is not None and model.metrics.collector_of(host.name) == shard
    ]


def links_of(model: NetworkModel) -> dict[tuple[str, str], str]:
    """(Host, port as the host itself calls it) -> link's name."""
    return {(host.name, port.label or port.name): port.link for host in model.hosts.values() for port in host.ports}


class Shards:
    """The other processes, as the collector sees them.

    Args:
        commands: How each is started; the first is shard 1.
        on_change: Told of every change with all devices that answer the others.
    """

    def __init__(self, commands: Sequence[Sequence[str]], on_change: Callable[[frozenset[str]], None]) -> None:
        self._commands = commands
        self._on_change = on_change
        self._answering: dict[int, frozenset[str]] = {}
        self.restarts = 0

    async def run(self) -> None:
        """Until cancelled; the processes are ended then."""
        async with asyncio.TaskGroup() as group:
            for number, command in enumerate(self._commands, 1):
                group.create_task(self._keep(number, command))

    async def _keep(self, number: int, command: Sequence[str]) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE_LIMIT
            )
            try:
                assert process.stdout is not None
                async for line in process.stdout:
                    self._heard(number, frozenset(json.loads(line)))
            except ValueError as problem:
                log.error("collector %d: %s", number, problem)
            finally:
                if process.returncode is None:
                    process.terminate()
                code = await process.wait()
            self._heard(number, frozenset())
            self.restarts += 1
            log.error("collector %d ended with %d; started again", number, code)
            await asyncio.sleep(_AGAIN_S)

    def _heard(self, number: int, answering: frozenset[str]) -> None:
        self._answering[number] = answering
        self._on_change(frozenset().union(*self._answering.values()))


async def run_shard(model: NetworkModel, user: User, number: int, port: int, tell: IO[str]) -> None:
    """One of the other processes, until its standard input ends: its supervisor has gone."""

    def changed(answering: frozenset[str]) -> None:
        print(json.dumps(sorted(answering)), file=tell, flush=True)

    poller = Poller(targets_of(model, user, number), links_of(model), changed)

    async def metrics(_: Request) -> Response:
        return Response(poller.exposition(), media_type=_EXPOSITION)

    async def one(request: Request) -> Response:
        body = poller.exposition_of(request.query_params.get("target", ""))
        return (
            PlainTextResponse("no such target here\n", 404) if body is None else Response(body, media_type=_EXPOSITION)
        )

    app = Starlette(routes=[Route("/metrics", metrics), Route("/snmp", one)])
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    polling = asyncio.create_task(poller.run())
    serving = asyncio.create_task(server.serve())
    watching = asyncio.create_task(_until_closed())
    try:
        done, _ = await asyncio.wait((polling, serving, watching), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        server.should_exit = True
        polling.cancel()
        watching.cancel()
        await asyncio.gather(polling, serving, watching, return_exceptions=True)
        poller.close()


async def _until_closed() -> None:
    """Until nobody holds the other end of our standard input, however that process ended."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(64):
        pass


def commands(count: int, base: Sequence[str]) -> Iterator[list[str]]:
    """How the others are started: ``base`` and their number."""
    for number in range(1, count):
        yield [*base, "--shard", str(number)]

"""Where agents push: JSON lines over TCP on the management address, port 9810."""

from __future__ import annotations

import asyncio
import logging
import time
from ipaddress import IPv4Address

from collectors.county import County
from collectors.view import AgentView, BadLine, parse_line

log = logging.getLogger("sanwang.collect")

PORT = 9810
_LINE_LIMIT = 4 << 20
_SILENCE_S = 15.0


class AgentListener:
    """Accepts agents; the newest connection of a host wins."""

    def __init__(self, county: County) -> None:
        self._county = county
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._addresses = {host.name: host.management for host in county.model.linux_appliances()}
        self.refused = 0
        self.lines = 0

    async def start(self, address: str, port: int = PORT) -> asyncio.Server:
        """Listen; the caller closes the server."""
        return await asyncio.start_server(self._agent, address, port, limit=_LINE_LIMIT, backlog=128)

    async def _agent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        view: AgentView | None = None
        try:
            view = await self._hello(reader, str(peer[0]))
            old = self._writers.get(view.host)
            self._writers[view.host] = writer
            if old is not None:
                old.close()
            view.connected = True
            self._county.touched()
            log.info("agent %s connected from %s", view.host, peer[0])
            while True:
                async with asyncio.timeout(_SILENCE_S):
                    data = await reader.readuntil(b"\n")
                self.lines += 1
                self._county.take(view, view.apply(parse_line(data), time.monotonic()))
        except BadLine as problem:
            self.refused += 1
            log.warning("agent at %s: %s; connection closed", peer[0], problem)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # gone, silent, or a line without end
        finally:
            writer.close()
            if view is not None and self._writers.get(view.host) is writer:
                del self._writers[view.host]
                view.connected = False
                self._county.touched()

    async def _hello(self, reader: asyncio.StreamReader, peer: str) -> AgentView:
        async with asyncio.timeout(5):
            line = parse_line(await reader.readuntil(b"\n"))
        view = self._county.views.get(str(line.get("host")))
        if line.get("type") != "hello" or view is None:
            raise BadLine(f"no hello of a host of this county: {str(line)[:120]}")
        if IPv4Address(peer) != self._addresses[view.host]:
            raise BadLine(f"says it is {view.host}, whose address is {self._addresses[view.host]}")
        view.boot = str(line.get("boot", ""))
        return view

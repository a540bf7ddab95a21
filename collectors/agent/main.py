"""The agent put together: watches, probes, server and push, as tasks of one loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

from collectors.agent.certificates import Certificates
from collectors.agent.checks import Checks
from collectors.agent.config import HTTP_PORT, AgentConfig
from collectors.agent.dhcp import DhcpWatch
from collectors.agent.exposition import metrics_page, state_page
from collectors.agent.http import TinyServer
from collectors.agent.lldp import Lldp
from collectors.agent.neighbours import Neighbours
from collectors.agent.netlink import NamespaceWatch
from collectors.agent.probes import Probes
from collectors.agent.push import Push
from collectors.agent.routing import RoutingWatch
from collectors.agent.services import read_services
from collectors.agent.state import AgentState
from collectors.agent.vpn import VpnWatch
from collectors.agent.vrf import identity, namespaces, open_socket

TICK_S = 1.0
_SHARES_TICKS = 15
_ENDS_S = 0.25  # a daemon takes its routes away first and ends then
_SETTLE_S = 0.05  # routes come in bursts: one look after the burst is enough


class Agent:
    """One appliance's agent."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.state = AgentState()
        self._push = Push(config, self.state)
        self._routing = RoutingWatch(self.state)
        self._vpn = VpnWatch(self.state)
        self._certificates = Certificates()
        self._probes = Probes(config, self.state)
        self._lldp = Lldp(config.host, self.state)
        self._dhcp = DhcpWatch(tuple((lan.vrf, lan.bridge) for lan in config.lans), self.state)
        self._checks = Checks(config.checks, self.state)
        self._neighbours = Neighbours(config, self.state)
        self._watches: dict[str, tuple[int, NamespaceWatch]] = {}
        self._routes_moved = asyncio.Event()
        self._server: tuple[int, asyncio.Server] | None = None

    async def run(self) -> None:
        """Until cancelled; an unexpected failure of one part ends all, and the supervisor starts afresh."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ticks())
                group.create_task(self._after_routes())
                group.create_task(self._push.run())
                group.create_task(self._probes.run())
                group.create_task(self._checks.run())
        finally:
            self._probes.close()
            self._lldp.close()
            self._dhcp.close()
            self._neighbours.close()
            for _, watch in self._watches.values():
                watch.close()

    async def _ticks(self) -> None:
        loop = asyncio.get_running_loop()
        count, due = 0, loop.time()
        while True:
            if count % 2 == 0:
                self._ensure_watches()
                self._probes.ensure()
                self._lldp.tick(due)
                self._dhcp.tick(due)
                await self._ensure_server()
                if (link := self._neighbours.open()) is not None:
                    loop.add_reader(link, self._neighbours.receive)
            self._probes.lines()
            self.state.replace("services", read_services())
            self._neighbours.tick()
            await self._routing.bfd()
            if count % 3 == 0:
                await self._routing.ospf()
                await self._routing.bgp()
            if count % 5 == 0:
                await self._routing.zebra()
                await self._vpn.refresh()
            if count % _SHARES_TICKS == 0 and self.config.shares:
                self._count_shares()
            if count % 10 == 0:
                self.state.replace("certificates", self._certificates.look())
            count += 1
            due = max(due + TICK_S, loop.time())
            await asyncio.sleep(due - loop.time())

    def _count_shares(self) -> None:
        from collectors.agent.shares import read_shares  # the firewall alone has any

        for key, value in read_shares(dict(self.config.shares)).items():
            self.state.put("counters", key, value)

    async def _after_routes(self) -> None:
        while True:
            await self._routes_moved.wait()
            await asyncio.sleep(_SETTLE_S)
            self._routes_moved.clear()
            self.state.replace("services", read_services())  # they may have gone with the daemon that made them
            await self._routing.bfd()
            await self._routing.ospf()
            await self._routing.bgp()
            await asyncio.sleep(_ENDS_S)
            self.state.replace("services", read_services())

    def _ensure_watches(self) -> None:
        wanted = {"": 0, **namespaces()}
        for vrf, (seen, watch) in list(self._watches.items()):
            if wanted.get(vrf) != seen:
                watch.close()
                del self._watches[vrf]
        for vrf, seen in wanted.items():
            if vrf not in self._watches:
                with contextlib.suppress(OSError):  # removed this very moment: the next round settles it
                    self._watches[vrf] = (seen, NamespaceWatch(vrf, self.state, self._routes_moved.set))

    async def _ensure_server(self) -> None:
        now = identity(self.config.management_vrf)
        if self._server is not None and self._server[0] != now:
            self._server[1].close()
            self._server = None
        if self._server is not None:
            return
        try:
            listener = open_socket(self.config.management_vrf, socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            return
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.config.management, HTTP_PORT))
        except OSError as problem:
            listener.close()
            error = f"{self.config.management}:{HTTP_PORT}: {problem.strerror}"
            self.state.put("sources", "http", {"ok": False, "error": error})
            return
        pages = {
            "/state": lambda _: state_page(self.config, self.state),
            "/metrics": lambda _: metrics_page(
                self.state,
                self._push,
                sum(watch.route_changes for _, watch in self._watches.values()),
                self._probes.reflected(),
            ),
            "/route": _route_page,
        }
        self._server = (now, await TinyServer(pages).start(listener))
        self.state.put("sources", "http", {"ok": True, "error": ""})


def _route_page(query: str) -> tuple[str, bytes]:
    from collectors.agent import lookup  # asked for now and then: not worth keeping in every agent

    return lookup.page(query)


async def _serve(config: AgentConfig) -> None:
    task = asyncio.ensure_future(Agent(config).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def run(config: AgentConfig) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    asyncio.run(_serve(config))
    return 0

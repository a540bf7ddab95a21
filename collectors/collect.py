"""``sanwang collect``: listens to the agents, polls, judges, records, and answers on HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path

import uvicorn
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.alerts.caller import Caller
from collectors.alerts.channels import Secret
from collectors.api import application
from collectors.county import County
from collectors.damper import Damper
from collectors.desk.actions import Grant
from collectors.desk.service import DeskService
from collectors.expected import expect
from collectors.faults.impacts import load_of_links
from collectors.faults.keeper import Faults
from collectors.listen import PORT as AGENT_PORT
from collectors.listen import AgentListener
from collectors.metrics import Exposition, FastMetrics, SlowMetrics
from collectors.mute import Mute
from collectors.record import Recorder
from collectors.shards import Shards, links_of, targets_of
from collectors.snmp.credentials import user_of
from collectors.snmp.poller import Poller
from collectors.snmp.traps import Traps, Who, next_boots
from collectors.snmp.usm import User
from collectors.strangers import KINDS as ODD
from collectors.syslog import Intake, Syslog
from inventory.model import NetworkModel
from inventory.snmp import engine_id
from store.engine import Store

log = logging.getLogger("sanwang.collect")

HTTP_PORT = 9811


class Collect:
    """The whole service.

    Args:
        model: The county.
        user: SNMPv3's, of every appliance.
        store: Where events and link states go.
        listen: Address for the agents, the management host's own.
        spool: Folder for events that the store does not have yet.
        tls: For syslog over TLS; None: without.
        community: Of boxes that send SNMPv1 or v2c traps; "": only v3 is heard.
        secret: Passwords of the mail server and the gateway, by name.
        grant: Does what a request asks for that silence has granted.
        shards: How the other processes that ask devices are started (``collectors.shards``).
        unix_socket: Where the HTTP interface is offered besides loopback.
        http_port: TCP port on 127.0.0.1.
    """

    def __init__(
        self,
        model: NetworkModel,
        user: User,
        store: Store,
        *,
        listen: IPv4Address,
        unix_socket: Path,
        spool: Path,
        tls: ssl.SSLContext | None = None,
        community: str = "",
        secret: Secret = lambda _: "",
        grant: Grant | None = None,
        shards: Sequence[Sequence[str]] = (),
        http_port: int = HTTP_PORT,
        agent_port: int = AGENT_PORT,
    ) -> None:
        self.county = County(model, expect(model))
        self._listen, self._agent_port = listen, agent_port
        self._unix_socket, self._http_port = unix_socket, http_port
        self._listener = AgentListener(self.county)
        self._recorder = Recorder(store, self.county, spool)
        self._faults = Faults(self.county, store)
        rules = model.supervision
        self._desk = DeskService(model, rules, store, self.county.events, grant) if rules is not None else None
        self._mute = Mute(self.county)
        self._caller = Caller(store, model, self.county.events, secret)
        self._damper = Damper(self.county.events, time.monotonic)
        self._intake = Intake(self.county, self._damper)
        self._syslog = Syslog(self._intake, listen, tls)
        boots = next_boots(spool.parent / "snmp-boots")
        who = Who(user, community, {host.name: user_of(host, user) for host in model.appliances() if not host.linux})
        self._traps = Traps(self._intake.hosts, who, self._damper, engine_id(model.nms), boots)
        self.poller = Poller(targets_of(model, user, 0), links_of(model), self._own_changed)
        self._shards = Shards(shards, self._others_changed)
        self._own_ok: frozenset[str] = frozenset()
        self._others_ok: frozenset[str] = frozenset()
        self._faults.loads = lambda: load_of_links(self.poller.exposition())
        self._exposition = Exposition(
            FastMetrics(self.county, self._faults.watch.broken),
            (SlowMetrics(self.county, self._own_metrics),),
            self.poller.exposition,
        )
        self._app = application(
            self.county,
            self._exposition.page,
            self.poller.exposition_of,
            {"/faults": self._faults.faults_document},
            self._caller.take,
        )

    def _own_changed(self, answering: frozenset[str]) -> None:
        self._own_ok = answering
        self._snmp_changed()

    def _others_changed(self, answering: frozenset[str]) -> None:
        self._others_ok = answering
        self._snmp_changed()

    def _snmp_changed(self) -> None:
        answering = self._own_ok | self._others_ok
        for host in sorted(answering ^ self.county.snmp_ok):
            self.county.events.emit("snmp", host, "up" if host in answering else "down")
        self.county.snmp_ok = answering

    def _own_metrics(self) -> Iterable[Metric]:
        lines = CounterMetricFamily("sanwang_collect_lines", "Lines heard from agents", self._listener.lines)
        refused = CounterMetricFamily("sanwang_collect_refused", "Connections refused", self._listener.refused)
        judged = CounterMetricFamily("sanwang_collect_evaluations", "Times the county was judged")
        judged.add_metric([], self.county.evaluations)
        stored = CounterMetricFamily("sanwang_collect_events", "Events by fate", labels=["fate"])
        stored.add_metric(["written"], self._recorder.written)
        stored.add_metric(["dropped"], self._recorder.spool.dropped)
        refusals = CounterMetricFamily(
            "sanwang_store_refusals", "Times the store did not answer", self._recorder.failed
        )
        syslog = CounterMetricFamily("sanwang_syslog_messages", "Syslog messages by fate", labels=["fate"])
        syslog.add_metric(["received"], self._intake.received)
        syslog.add_metric(["refused"], self._intake.refused)
        traps = CounterMetricFamily("sanwang_traps", "SNMP notifications by fate", labels=["fate"])
        traps.add_metric(["received"], self._traps.received)
        for fate in ("sender", "credentials", "rate", "broken"):
            traps.add_metric([f"refused_{fate}"], self._traps.refused[fate])
        folded = CounterMetricFamily(
            "sanwang_messages_folded", "Messages that became no event of their own", labels=["why"]
        )
        folded.add_metric(["repeated"], self._damper.repeated)
        folded.add_metric(["rate"], self._damper.dropped)
        polls = CounterMetricFamily("sanwang_snmp_polls", "Polls by outcome", labels=["outcome"])
        targets = self.poller.targets.values()
        failed = sum(target.failures for target in targets)
        polls.add_metric(["failed"], failed)
        polls.add_metric(["good"], sum(target.polls for target in targets) - failed)
        faults = GaugeMetricFamily(
            "sanwang_faults_open",
            "Faults that are open and may explain what paths suffer: oddities do not count",
            sum(fault.kind not in ODD for fault in self._faults.watch.book.open),
        )
        messages = CounterMetricFamily("sanwang_messages", "Mails and short messages by fate", labels=["fate"])
        for fate in ("sent", "failed", "given_up"):
            messages.add_metric([fate], getattr(self._caller.counts, fate))
        looks = CounterMetricFamily("sanwang_desk_looks", "Looks of the desk at its clocks", labels=["fate"])
        if self._desk is not None:
            looks.add_metric(["good"], self._desk.good)
            looks.add_metric(["failed"], self._desk.failed)
        cpu = GaugeMetricFamily("sanwang_collect_cpu_seconds", "CPU time used by the collector", time.process_time())
        return (lines, refused, judged, stored, refusals, syslog, traps, folded, polls, faults, messages, looks, cpu)

    async def _fold(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._damper.flush()

    async def run(self) -> None:
        """Until cancelled or SIGTERM; raises when a part fails, and the supervisor starts afresh."""
        await asyncio.to_thread(self._faults.adopt)
        agents = await self._listener.start(str(self._listen), self._agent_port)
        await self._syslog.start()
        await self._traps.start(self._listen)
        with _http_sockets(self._unix_socket, self._http_port) as sockets:
            config = uvicorn.Config(self._app, log_config=None, access_log=False, lifespan="off")
            server = uvicorn.Server(config)
            server.config.timeout_graceful_shutdown = 1  # streams of events never end by themselves
            loop = asyncio.get_running_loop()
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(self.county.run()),
                        group.create_task(self._faults.run()),
                        group.create_task(self._recorder.run()),
                        group.create_task(self.poller.run()),
                        group.create_task(self._shards.run()),
                        group.create_task(self._fold()),
                        group.create_task(self._mute.run()),
                        group.create_task(self._caller.run()),
                        group.create_task(_serve(server, sockets)),
                    ]
                    if self._desk is not None:
                        tasks.insert(0, group.create_task(self._desk.run()))
                    log.info("collecting: %d appliances", len(self.county.expected.appliances))
                    await stop.wait()
                    server.should_exit = True
                    for task in tasks[:-1]:
                        task.cancel()
            finally:
                agents.close()
                self._syslog.close()
                self._traps.close()
                self._damper.flush(everything=True)
                self.poller.close()


async def _serve(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    """Serve without uvicorn's own signal handlers: the collector has its own."""
    await server._serve(sockets)


@contextlib.contextmanager
def _http_sockets(path: Path, port: int) -> Iterator[list[socket.socket]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        unix.bind(str(path))
        path.chmod(0o600)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("127.0.0.1", port))
        yield [unix, tcp]
    finally:
        unix.close()
        tcp.close()
        path.unlink(missing_ok=True)

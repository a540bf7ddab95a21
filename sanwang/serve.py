"""``sanwang serve``: the one place that assembles the web application and offers it over HTTPS.

Listens on the management address (tcp 443, and 444 for people with a certificate) and on two unix sockets that the
machine's own loopback is forwarded to; TLS on all, with a certificate of the county's authority.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from dashboards import certificate
from dashboards.access import Access
from dashboards.api import build_api
from dashboards.desk.api import build_desk_api
from dashboards.desk.month import MonthReport
from dashboards.desk.month_api import build_month
from dashboards.events_api import build_events
from dashboards.faults_api import build_faults
from dashboards.figures.api import Figures, build_figures
from dashboards.hall_probes import all_probes, hall_probes
from dashboards.invitations import Invitations
from dashboards.live import Live
from dashboards.maintenance_api import build_maintenance
from dashboards.meeting_report import MeetingReports
from dashboards.network.halls import Booked
from dashboards.network.routes import build_network
from dashboards.oidc import Provider, build_oidc, provider
from dashboards.people import build_people
from dashboards.shield import Shield
from dashboards.sign import build_sign
from dashboards.sources import Alertmanager, Collector, Prometheus
from identity.audit_export import Exporter, Receiver
from identity.directory import Directory
from identity.people import Right
from identity.second_factor import Seal
from identity.secrets import Secrets
from identity.signing import SignOn
from identity.tls import server_context
from identity.tokens import Tokens
from inventory.errors import CountyErrors
from inventory.impact import Meeting
from inventory.load import Loaded, load
from inventory.model import NetworkModel, Role
from inventory.places import CHECKOUT, Places, current_instance
from inventory.relays import CONTROL_PORT, DOOR_PORT, is_node
from inventory.schema import CostsIntent, RecordingIntent
from provision.render.qos import sure_bps
from sanwang import ops_link
from sanwang.cli import run_app
from sanwang.tiers import NodeDoor, county_bus, host_identity, origins, telling
from store.base import utc_now
from store.engine import Store, open_store
from vconf import links, meetings, webhooks
from vconf.booking.checker import Checker
from vconf.bus.bus import Bus
from vconf.cascade import Cascade
from vconf.fared import Fared
from vconf.lines import Identity
from vconf.recording import library, sealed
from vconf.recording.keeper import Keeper
from vconf.relay_client import RelayClient
from vconf.rest import Rest
from vconf.rooms.rooms import Rooms
from vconf.signalling import Signalling
from vconf.turn import SECRET, Turn
from vconf.whip.door import StreamDoor

PAGES = CHECKOUT / "web" / "dist"
HTTPS_PORT = 443

_GRACE_S = 3
_WEBSOCKET_BYTES = 64 * 1024
_IP_FREEBIND = 15  # linux/in.h: the address may come later

log = logging.getLogger("sanwang.serve")
app = typer.Typer(add_completion=False)


class Lacking(Exception):
    """Something that must be there is not; the message says what to do."""


def assemble(
    model: NetworkModel,
    places: Places,
    store: Store,
    secrets: Secrets,
    relay: Cascade | None,
    pages: Path = PAGES,
    *,
    prometheus: Prometheus | None = None,
    alertmanager: Alertmanager | None = None,
    costs: CostsIntent | None = None,
    oidc: Provider | None = None,
    bus: Bus | None = None,
    recording: RecordingIntent | None = None,
    port: int = HTTPS_PORT,
    turn: Turn | None = None,
) -> ASGIApp:
    """The whole application; ``relay`` None: a county without a relay has no meetings; ``bus``: it has nodes."""
    collector = Collector(places.collect_socket)
    prometheus, alertmanager = prometheus or Prometheus(history=model.metrics.history), alertmanager or Alertmanager()

    def running() -> list[tuple[Meeting, dict[str, Any]]]:
        with store.reading() as session:
            return [_shown(found) for found in meetings.running(session, datetime.now(UTC))]

    live = Live(model, collector, alertmanager, prometheus, lambda: asyncio.to_thread(running))

    checker = Checker(live.impacts, sure_bps(model), lambda: live.faults, lambda: live.loads)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(live.run(), name="live")
        hooks = asyncio.create_task(webhooks.Teller(store, _trust(secrets)).run(), name="webhooks")
        tasks = [watching, hooks]
        tasks.append(asyncio.create_task(Invitations(store, model, checker).run(), name="invitations"))
        if signalling is not None:
            tasks.append(asyncio.create_task(Fared(store, signalling.rooms).run(), name="quality"))
        for task in tasks:
            task.add_done_callback(_end_when_failed)
        try:
            async with contextlib.AsyncExitStack() as tiers:
                if bus is not None and signalling is not None:
                    await tiers.enter_async_context(telling(model, store, signalling.rooms, bus))
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for source in (collector, prometheus, alertmanager):
                await source.close()

    application = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    sign_on = SignOn(store, Directory(model.people), Seal(secrets.resolve("psk/accounts")), model.zh)
    access = Access(sign_on, Tokens(secrets.resolve(ops_link.KEY)))
    names = {"zh": oidc.settings.zh, "en": oidc.settings.en} if oidc else None
    application.include_router(build_sign(access, {"oidc": names, "certificate": certificate.PORT}))
    if oidc is not None:
        application.include_router(build_oidc(access, oidc))
    application.include_router(build_people(model, access))
    application.include_router(build_api(model, live, access, collector, prometheus))
    application.include_router(build_faults(store, access))
    application.include_router(build_maintenance(model, store, access))

    def booked() -> list[Booked]:
        with store.reading() as session:
            return [_booked(found) for found in meetings.upcoming(session, datetime.now(UTC))]

    application.include_router(build_network(model, places, store, live, access, collector, prometheus, booked))
    application.include_router(build_events(store, access))
    application.include_router(build_desk_api(model, store, access))
    rules = model.supervision
    report = MonthReport(model, rules, store, prometheus, costs, utc_now) if rules is not None else None
    application.include_router(build_month(report, access))
    application.include_router(build_figures(Figures(model, costs, live, prometheus, store), access))
    tokens = Tokens(secrets.resolve(links.KEY))
    signalling = (
        Signalling(store, tokens, model, relay, hall_probes(model, collector), turn) if relay is not None else None
    )
    if signalling is not None:
        application.include_router(signalling.router)
    rooms = signalling.rooms if signalling is not None else None
    ask_tests = signalling.halls.ask_tests if signalling is not None else None
    reports, probes = MeetingReports(model, store, secrets), all_probes(model, collector)
    may = access.needs(Right.MEET)
    rest = Rest(store, tokens, model, rooms, may, lambda: live.document, ask_tests, checker, reports, probes)
    if rooms is not None:
        keeper = _keeper(model, places, store, secrets, rooms, recording or RecordingIntent(), port)
        application.include_router(keeper.router(_end_when_failed))
        rest.recorder = keeper.running
        streams = StreamDoor(store, rooms, turn)
        application.include_router(streams.router)
        rest.documented.append(streams.router)
    application.include_router(rest.router)

    @application.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/ops/")

    application.mount("/", StaticFiles(directory=pages, html=True))
    if elsewhere := origins(model):  # a hall's page whose node is silent asks here; it has no cookies of ours
        application.add_middleware(
            CORSMiddleware, allow_origins=elsewhere, allow_methods=["GET", "POST"], allow_headers=["*"], max_age=600
        )
    return Shield(application)


def _keeper(
    model: NetworkModel,
    places: Places,
    store: Store,
    secrets: Secrets,
    rooms: Rooms,
    intent: RecordingIntent,
    port: int,
) -> Keeper:
    """Who keeps the meetings' recordings, on this host's disk."""
    limits = library.Limits(intent.keep_days, intent.quota_gb << 30, intent.free_gb << 30)
    address = f"wss://{model.hosts[model.nms].management}:{port}/meet/ws"
    tokens, key = Tokens(secrets.resolve(links.KEY)), secrets.resolve(sealed.KEY)
    folder = places.lib / library.FOLDER
    return Keeper(store, rooms.conferences, tokens, key, folder, limits, address, secrets.ca.certificate_pem)


def _shown(found: meetings.Meeting) -> tuple[Meeting, dict[str, Any]]:
    """A running meeting for the impact, and as the operations page lists it."""
    document = {
        "id": str(found.id),
        "title": found.title,
        "starts_at": found.start_at.timestamp(),
        "ends_at": found.end_at.timestamp(),
        "halls": list(found.halls),
        "present": list(found.present),
    }
    return Meeting(str(found.id), found.title, found.halls), document


def _booked(found: meetings.Meeting) -> Booked:
    """A meeting that runs or will, as the network's page judges it."""
    return Booked(
        str(found.id), found.title, found.start_at.timestamp(), found.end_at.timestamp(), found.halls, found.present
    )


def _end_when_failed(task: asyncio.Task[None]) -> None:
    """A task for life must not fail unnoticed: its failure ends the process, and the supervisor restarts it."""
    if not task.cancelled() and (problem := task.exception()) is not None:
        log.critical("%s failed", task.get_name(), exc_info=problem)
        os.kill(os.getpid(), 15)


def county_relays(model: NetworkModel, tls: Path) -> Cascade | None:
    """Every relay of the county, with this host's own identity; None when it has none.

    A site's own relay hangs on the one that does in its place.
    """
    hosts = [host for host in model.by_role(Role.RELAY) if host.management is not None]
    if not hosts:
        return None
    identity = Identity(tls / "host.crt", tls / "host.key", tls / "ca.crt")
    try:
        clients = {
            host.name: RelayClient.over_tls(
                host.name, (str(host.management), CONTROL_PORT), f"{host.name}.sanwang.internal", identity
            )
            for host in hosts
        }
    except (OSError, ssl.SSLError) as problem:
        raise Lacking(f"{tls}: {problem}; next step: run playbooks/site.yml for the management host") from None
    sites = {host.name for host in hosts if is_node(model, host)}
    above = {hall.relay: hall.fallback for hall in model.halls.values() if hall.relay in sites and hall.fallback}
    return Cascade(clients, above, {hall.code: hall.relay for hall in model.halls.values()})


def tls_context(secrets: Secrets, management: str) -> ssl.SSLContext:
    """Server side TLS 1.2 or later, with a certificate for the management address and the machine's loopback."""
    context = server_context(secrets, "pages", dns=["localhost"], ips=[management, "127.0.0.1", "::1"])
    context.set_alpn_protocols(["http/1.1"])
    return context


def listeners(management: str, port: int, path: Path) -> list[socket.socket]:
    """The management address, and a unix socket that the machine's own loopback is forwarded to."""
    inet = listener(management, port)
    path.unlink(missing_ok=True)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unix.bind(str(path))
    path.chmod(0o600)
    return [inet, unix]


def listener(management: str, port: int) -> socket.socket:
    """A port of the management address, which may come up later."""
    inet = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    inet.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    inet.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    try:
        inet.bind((management, port))
    except OSError as problem:
        inet.close()
        raise Lacking(f"{management}:{port}: {problem.strerror}; next step: stop what listens there") from None
    return inet


def server(application: ASGIApp, context: ssl.SSLContext) -> uvicorn.Server:
    """A server that ends at SIGTERM or SIGINT and gives open connections a few seconds then."""
    config = uvicorn.Config(
        application,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws_max_size=_WEBSOCKET_BYTES,
        ws_ping_interval=10.0,
        ws_ping_timeout=10.0,
        timeout_graceful_shutdown=_GRACE_S,
        backlog=256,
    )
    config.load()
    config.ssl = context
    return uvicorn.Server(config)


@app.command(epilog="example: sanwang serve --instance shili")
def serve(
    instance: Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")] = "",
    port: Annotated[int, typer.Option(help="TCP port on the management address")] = HTTPS_PORT,
    tls: Annotated[Path, typer.Option(help="folder with this host's host.crt, host.key and ca.crt")] = Path(
        "/etc/sanwang/tls"
    ),
) -> int:
    """Serve the pages, the operations API and meeting signalling."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    for name in ("httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    places = Places(instance or current_instance())
    store: Store | None = None
    try:
        county = _county(places)
        model = county.model
        if not (PAGES / "ops" / "index.html").is_file():
            raise Lacking(f"{PAGES}: the pages are not built; next step: make pages, or python web/build.py")
        management = str(model.hosts[model.nms].management)
        store = open_store(places.database)
        secrets = Secrets(places.lib / "identity")
        oidc = provider(county.intent.sign_on.oidc, secrets)
        relay, bus = county_relays(model, tls), county_bus(model, tls)
        intent = county.intent
        application = assemble(
            *(model, places, store, secrets, relay),
            costs=intent.costs,
            oidc=oidc,
            turn=Turn(county.intent.turn, secrets.resolve(SECRET)) if county.intent.turn is not None else None,
            bus=bus,
            recording=intent.recording,
            port=port,
        )
        sockets = listeners(management, port, places.serve_socket)
        doors = listeners(management, certificate.PORT, places.door_socket)
        nodes = (host_identity(tls), listener(management, DOOR_PORT)) if bus is not None else None
        asyncio.run(_run(application, secrets, management, sockets, doors, exporter(county, store, secrets), nodes))
    except Lacking as lack:
        print(f"sanwang serve: {lack}", file=sys.stderr)
        return 3
    except CountyErrors as wrong:
        print(wrong, file=sys.stderr)
        return 2
    finally:
        if store is not None:
            store.close()
    return 0


async def _run(
    application: ASGIApp,
    secrets: Secrets,
    management: str,
    sockets: list[socket.socket],
    door_sockets: list[socket.socket],
    audit: Exporter | None,
    nodes: tuple[Identity, socket.socket] | None,
) -> None:
    """The pages; beside them the doors for people with a certificate and for nodes, and the audit log's way out."""
    door = certificate.CertificateDoor(secrets.ca, Tokens(secrets.resolve(ops_link.KEY)))
    await door.open(door_sockets, certificate.asking(tls_context(secrets, management), secrets.ca))
    beside = [asyncio.create_task(audit.run(), name="audit")] if audit is not None else []
    if nodes is not None:
        beside.append(asyncio.create_task(NodeDoor(application, nodes[0]).serve([nodes[1]]), name="door for nodes"))
    for task in beside:
        task.add_done_callback(_end_when_failed)
    try:
        await server(application, tls_context(secrets, management)).serve(sockets)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await door.close()


def exporter(county: Loaded, store: Store, secrets: Secrets) -> Exporter | None:
    """Sends the audit log where the county's files say; None: they say nothing."""
    where = county.intent.sign_on.audit_syslog
    if where is None:
        return None
    return Exporter(store, Receiver(where.host, where.port, where.transport), county.model.nms, _trust(secrets))


def _trust(secrets: Secrets) -> ssl.SSLContext:
    """The world's authorities and the county's own."""
    trust = ssl.create_default_context()
    trust.load_verify_locations(cadata=secrets.ca.certificate_pem)
    return trust


def _county(places: Places) -> Loaded:
    pointer = places.lib / "county"
    try:
        return load(pointer.read_text().strip())
    except OSError as problem:
        raise Lacking(f"{pointer}: {problem.strerror}; next step: sanwang up") from None


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang serve")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

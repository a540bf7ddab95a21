"""The reference county with its sources faked, and the application over them as ``sanwang serve`` offers it: HTTPS."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn

from dashboards.access import ops_token
from dashboards.oidc import Provider
from dashboards.sources import Alertmanager, Prometheus
from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.load import load, load_model
from inventory.model import NetworkModel
from inventory.places import Places
from sanwang import ops_link, serve
from store.engine import Store, open_store
from tests.dashboards.fake import FakeSources
from vconf import meetings

MANAGEMENT = "127.0.0.1"
WAIT_S = 60.0
"""For what a busy machine does late; nothing here is a measurement."""


@pytest.fixture(scope="session")
def model() -> NetworkModel:
    """The reference county."""
    return load_model("shili")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """An instance whose folders are the test's own."""
    folder = tmp_path_factory.mktemp("we")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Places, "run", property(lambda self: folder / "run"))
        patch.setattr(Places, "lib", property(lambda self: folder / "lib"))
        found = Places("we")
        found.run.mkdir()
        found.lib.mkdir()
        yield found


@pytest.fixture(scope="module")
def running_sources(model: NetworkModel, places: Places) -> Iterator[FakeSources]:
    """Collector, Prometheus and Alertmanager on the instance's collector socket."""
    fake = FakeSources(model, places.collect_socket)
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def sources(running_sources: FakeSources) -> FakeSources:
    """The sources with everything up."""
    running_sources.reset()
    return running_sources


@dataclass
class County:
    """The pages' server and what tests need around it."""

    client: httpx.Client
    base: str
    trust: ssl.SSLContext
    secrets: Secrets
    token: Callable[[], str]


@pytest.fixture(scope="module")
def store(places: Places, model: NetworkModel) -> Iterator[Store]:
    """A store with one meeting that runs."""
    opened = open_store(places.database)
    with opened.session() as session:
        meetings.book(
            session,
            title="春耕部署会",
            start_at=datetime.now(UTC) - timedelta(minutes=5),
            duration=timedelta(hours=1),
            halls=["t01", "t02"],
            who="chair",
            known_halls=model.halls,
        )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built pages, as small as they can be."""
    folder = tmp_path_factory.mktemp("dist")
    for name, text in {"ops/index.html": "<title>ops</title>", "assets/a-1.js": "export {}"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def oidc() -> Provider | None:
    """No other provider of identities."""
    return None


@pytest.fixture(scope="module")
def running_county(
    model: NetworkModel,
    places: Places,
    running_sources: FakeSources,
    store: Store,
    pages: Path,
    oidc: Provider | None,
) -> Iterator[County]:
    """The pages' server, running."""
    secrets = Secrets(places.lib / "identity")
    patch = pytest.MonkeyPatch()
    patch.setattr("dashboards.sources._TIMEOUT", httpx.Timeout(WAIT_S))  # the sources share this very process

    def transport() -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(uds=str(running_sources.socket))

    application = serve.assemble(
        model,
        places,
        store,
        secrets,
        None,
        pages,
        prometheus=Prometheus(transport=transport()),
        alertmanager=Alertmanager(transport=transport()),
        oidc=oidc,
        costs=load("shili").intent.costs,
    )
    listening = serve.listeners(MANAGEMENT, 0, places.serve_socket)
    base = f"https://{MANAGEMENT}:{listening[0].getsockname()[1]}"
    server = serve.server(application, serve.tls_context(secrets, MANAGEMENT))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(listening)), daemon=True)
    thread.start()
    _wait_started(server)
    trust = ssl.create_default_context(cadata=secrets.ca.certificate_pem)
    tokens = Tokens(secrets.resolve(ops_link.KEY))
    with httpx.Client(base_url=base, verify=trust, trust_env=False, headers={"origin": base}, timeout=WAIT_S) as client:
        yield County(client, base, trust, secrets, lambda: ops_token(tokens))
    patch.undo()
    server.should_exit = True
    thread.join(WAIT_S)
    assert not thread.is_alive(), "the server did not end"


def _wait_started(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + WAIT_S
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)


@pytest.fixture
def county(running_county: County, sources: FakeSources) -> County:
    """The pages' server, and nobody signed in."""
    running_county.client.cookies.clear()
    return running_county


@pytest.fixture
def signed_in(county: County) -> httpx.Client:
    """A client that came in by a one-time link."""
    assert county.client.post("/api/session", json={"token": county.token()}).status_code == 200
    return county.client

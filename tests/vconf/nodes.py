"""A county and a township's node in one process, with a bus between them that can be cut."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.websockets import WebSocketDisconnect

from identity.secrets import Secrets
from identity.tokens import Tokens
from store.audit import AuditEntry
from store.engine import Store, open_store
from tests.vconf.test_signalling import Page, county
from vconf import links, meetings
from vconf.bus.bus import Handler, Subscription
from vconf.bus.local import Exchange, LocalBus
from vconf.cascade import Cascade
from vconf.chair.merge import Stay, account, alone
from vconf.chair.state import opened
from vconf.conversation import PROTOCOL
from vconf.lines import Identity
from vconf.node import handed
from vconf.node.county import County
from vconf.node.node import Node
from vconf.node.parent import Parent
from vconf.node.passing import Place
from vconf.node.settings import Settings
from vconf.relay_client import RelayClient
from vconf.rooms.rooms import Rooms
from vconf.rooms.stored import Stored

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient as TestClient


class World:
    """A county's rooms and one township's node in one process, with a bus between them that can be cut."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(f"sqlite:///{folder}/store.db")
        secrets = Secrets(folder / "identity")
        self.tokens = Tokens(secrets.resolve(links.KEY))
        (folder / "meet.pub").write_text(secrets.resolve("token-pub/meet"))
        key, certificate = secrets.ca.issue_device("t01-relay")
        (folder / "host.key").write_text(key)
        (folder / "host.crt").write_text(certificate)
        (folder / "ca.crt").write_text(secrets.ca.certificate_pem)
        (folder / "pages").mkdir()
        exchange = Exchange()
        self.county_bus, self.bus = LocalBus(exchange), LocalBus(exchange)
        control = folder / "relay.sock"
        self.rooms = Rooms(
            Stored(self.store, county()), Cascade({"relay": RelayClient.over_unix("relay", control, "county")})
        )
        self.parent = Parent(self.county_bus, "shili", {"t01": ("t01", "t02")}, County(self.store, self.rooms))
        self.rooms.on_change = self.parent.changed
        self.settings = Settings(
            name="t01",
            parent="shili",
            listen=("127.0.0.1", 0),
            county=(Place("nobody", "127.0.0.1", 1),),
            county_names={"zh": "县", "en": "County"},
            bus=("", ""),
            relay=("relay", "", 0),
            identity=Identity(folder / "host.crt", folder / "host.key", folder / "ca.crt"),
            token_key=folder / "meet.pub",
            pages=folder / "pages",
            lib=folder / "node",
            halls={"t01": {"zh": "青松", "en": "Qingsong"}, "t02": {"zh": "白云", "en": "Baiyun"}},
            also=("https://10.9.9.9",),
        )
        self.node = Node(
            self.settings, self.bus, lambda: Cascade({"relay": RelayClient.over_unix("relay", control, "node")})
        )
        self.client: TestClient

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self.rooms.start()
        await self.parent.start()
        async with self.node.application().router.lifespan_context(self.node.application()):
            yield
        await self.parent.close()
        await self.rooms.close()

    def book(self, *halls: str, chair: str = "") -> meetings.Meeting:
        with self.store.session() as session:
            return meetings.book(
                session,
                title="会",
                start_at=datetime.now(UTC),
                duration=timedelta(hours=1),
                halls=halls,
                who="test",
                known_halls=county().halls,
                chair=chair,
            )

    @contextlib.contextmanager
    def page(self, token: str) -> Iterator[tuple[Page, dict[str, Any]]]:
        with self.client.websocket_connect("/meet/ws", subprotocols=[PROTOCOL]) as socket:
            page = Page(socket)
            yield page, page.ask("hello", token=token)

    def wait(self, true: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 15
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def audited(self) -> list[str]:
        with self.store.reading() as session:
            return [entry.what for entry in session.query(AuditEntry).order_by(AuditEntry.number)]

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = self.client.post(path, json=body)
        return answer.status_code, answer.json()


class BothWays:
    """The bus of a middle tier: upwards one, downwards another, so that either can be cut alone."""

    dropped = 0

    def __init__(self, up: LocalBus, down: LocalBus) -> None:
        self._up, self._down = up, down

    async def start(self) -> None:
        """Both are there."""

    async def close(self) -> None:
        await self._up.close()
        await self._down.close()

    def publish(self, subject: str, message: bytes) -> None:
        self._of(subject).publish(subject, message)

    async def subscribe(self, pattern: str, handler: Handler) -> Subscription:
        return await self._of(pattern).subscribe(pattern, handler)

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        return await self._of(subject).request(subject, message, timeout_s)

    def _of(self, subject: str) -> LocalBus:
        return self._up if subject.split(".")[1] == "shili" else self._down


def closed_with(page: Page) -> int:
    """The code of the end."""
    try:
        while True:
            page.socket.receive_json()
    except WebSocketDisconnect as end:
        return end.code


def some_account(meeting: int, serial: str = "s") -> handed.Handed:
    """As a township hands it over."""
    state = opened(meeting=meeting, venues={"t01": ("a", "a")}, main="t01", owner="@li", starts_at=0, ends_at=9e9)
    acts = (handed.Act(5.0, "hall:t01", "banner", {"text": "x"}, 3),)
    found = account(alone(state, ["t01"], 4.0), 6.0, [Stay("t01", 4.0, 6.0)])
    return handed.Handed(serial, "t01", meeting, 4.0, found, acts)

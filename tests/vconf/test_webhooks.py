"""Programs are told what happens to meetings, by real HTTPS: in order, signed, nothing lost while they are away."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from identity.secrets import Secrets
from sanwang import serve
from store.engine import Store, open_store
from vconf import meetings, webhooks
from vconf.tables import WebhookRow


class Receiver:
    """A program that takes what it is told, or refuses."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[str, bytes]] = []
        self.app = FastAPI()
        self.app.add_api_route("/meet", self._take, methods=["POST"])

    async def _take(self, request: Request) -> Response:
        self.got.append((request.headers["x-sanwang-signature"], await request.body()))
        return Response(status_code=self.status)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it was told, all together."""
        return [event for _, body in self.got for event in json.loads(body)["events"]]


@contextmanager
def listening(receiver: Receiver, secrets: Secrets) -> Iterator[int]:
    server = serve.server(receiver.app, serve.tls_context(secrets, "127.0.0.1"))
    listener = serve.listener("127.0.0.1", 0)
    with listener:
        listener.listen()
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.db")
    yield opened
    opened.close()


def book(store: Store, title: str) -> None:
    with store.session() as session:
        meetings.book(
            session,
            title=title,
            start_at=datetime.now(UTC),
            duration=timedelta(hours=1),
            halls=["t01"],
            who="li",
            known_halls=["t01"],
        )


def test_a_program_gets_everything_once_it_is_there(store: Store, tmp_path: Path) -> None:
    secrets, receiver = Secrets(tmp_path / "identity"), Receiver()
    now = [datetime.now(UTC)]
    teller = webhooks.Teller(store, ssl.create_default_context(cadata=secrets.ca.certificate_pem), lambda: now[0])
    book(store, "before")
    with listening(receiver, secrets) as port:
        with store.session() as session:
            row = webhooks.add(session, f"https://127.0.0.1:{port}/meet", "li", now[0])
        book(store, "one")
        asyncio.run(teller.once())
        assert [event["why"] for event in receiver.events] == ["one"]
        signature, body = receiver.got[0]
        assert signature == f"sha256={hmac.new(row.secret.encode(), body, hashlib.sha256).hexdigest()}"
        asyncio.run(teller.once())
        assert len(receiver.got) == 1, "nothing new, nothing said"

        receiver.status = 500
        book(store, "two")
        asyncio.run(teller.once())
        assert _row(store, row.id).problem == "HTTP 500"
        book(store, "three")
        asyncio.run(teller.once())
        assert len(receiver.got) == 2, "it has its rest before the next attempt"
        receiver.status, receiver.got = 200, []
        now[0] += timedelta(seconds=3)
        asyncio.run(teller.once())
        assert [(event["what"], event["why"]) for event in receiver.events] == [
            ("meeting.book", "two"),
            ("meeting.book", "three"),
        ]
        assert (_row(store, row.id).problem, _row(store, row.id).failures) == ("", 0)
    book(store, "four")
    asyncio.run(teller.once())  # it is away
    assert _row(store, row.id).problem
    with store.session() as session:
        webhooks.remove(session, row.id, "li")
    now[0] += timedelta(hours=1)
    asyncio.run(teller.once())
    with store.reading() as session:
        assert webhooks.listed(session) == []


def _row(store: Store, number: int) -> WebhookRow:
    with store.reading() as session:
        row = session.get(WebhookRow, number)
    assert row is not None
    return row


@pytest.mark.parametrize(
    "url", ["http://x/y", "https://", "file:///etc/passwd", "https://a:b@x/", "https://" + "x" * 600]
)
def test_an_address_that_is_none_is_refused(store: Store, url: str) -> None:
    with store.session() as session, pytest.raises(webhooks.WebhookError, match="expected https"):
        webhooks.add(session, url, "li", datetime.now(UTC))

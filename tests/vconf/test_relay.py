"""The control channel: over a unix socket and mutual TLS, with restarts, takeovers and strangers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.ca import CountyCA
from tests.vconf.test_engine import ONE, sending, until
from vconf import lines
from vconf.media.engine import Engine
from vconf.relay_client import BEAT_S, MOST_SILENT, RelayClient, RelayError
from vconf.relay_server import RelayServer
from vconf.requests import requests


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await body()

    asyncio.run(limited())


class Relay:
    """An engine behind a unix socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __aenter__(self) -> Relay:
        self.engine = Engine(("127.0.0.1", 0))
        self.server = RelayServer(self.engine, "relay", None)
        await self.server.listen_unix(self.path)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.server.close()
        await self.engine.close()


async def connected(client: RelayClient) -> list[tuple[bool, set[str]]]:
    states: list[tuple[bool, set[str]]] = []
    client.on_state = lambda up, alive: states.append((up, alive))
    client.start()
    await until(lambda: states)
    return states


def test_requests_are_answered_and_refused_in_words(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relay(tmp_path / "r") as relay:
            client = RelayClient.over_unix("relay", relay.path)
            with pytest.raises(RelayError, match="not connected"):
                await client.request("status")
            await connected(client)
            made = await client.request("createTransport", room="m1", peer="a")
            assert made["iceParameters"]["iceLite"] is True
            assert (await client.request("status"))["peers"] == 1
            for method, params, code in [
                ("produce", {"transport": made["id"], "kind": "video", "rtpParameters": {}}, "refused"),
                ("produce", {"transport": 7}, "refused"),
                ("connectTransport", {"transport": made["id"], "dtlsParameters": {"fingerprints": [1]}}, "bad"),
                ("connectTransport", {"transport": made["id"], "dtlsParameters": {}}, "bad"),
                ("format the disk", {}, "unknown"),
            ]:
                with pytest.raises(RelayError) as caught:
                    await client.request(method, **params)
                assert caught.value.code == code, method
            await client.request("closePeer", room="m1", peer="a")
            assert (await client.request("status"))["peers"] == 0
            await client.close()

    run(body)


def test_media_outlives_a_lost_channel_and_for_a_while_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vconf.relay_server.ORPHAN_S", 0.3)

    async def body() -> None:
        async with Relay(tmp_path / "r") as relay:
            client = RelayClient.over_unix("relay", relay.path)
            states = await connected(client)
            made = await client.request("createTransport", room="m1", peer="a")
            assert client._writer is not None
            client._writer.close()  # the channel breaks
            await until(lambda: len(states) == 3)
            assert states == [(True, set()), (False, set()), (True, {made["id"]})]
            other = RelayClient.over_unix("relay", relay.path)
            assert await connected(other) == [(True, set())]
            await client.close()
            kept = (await other.request("createTransport", room="m1", peer="a"))["id"]
            assert set(relay.engine.transports) == {made["id"], kept}
            await until(lambda: set(relay.engine.transports) == {kept})
            await other.close()

    run(body)


def test_sides_have_rooms_of_their_own_and_none_takes_over_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vconf.relay_server.GRACE_S", 0.3)

    async def body() -> None:
        async with Relay(tmp_path / "r") as relay:
            county = RelayClient.over_unix("relay", relay.path)
            node = RelayClient.over_unix("relay", relay.path, side="node:t01")
            states, events = await connected(county), []
            node.on_event = lambda name, values: events.append(values)
            assert await connected(node) == [(True, set())]
            ours = (await county.request("createTransport", room="m1", peer="a"))["id"]
            theirs = (await node.request("createTransport", room="m1", peer="a"))["id"]
            assert {made.room for made in relay.engine.transports.values()} == {"county/m1", "node:t01/m1"}
            await node.request("closePeer", room="m1", peer="a")
            assert set(relay.engine.transports) == {ours}
            theirs = (await node.request("createTransport", room="m1", peer="a"))["id"]
            relay.engine.transports[theirs]._ended("gone")
            await until(lambda: events)
            assert (events[0]["room"], events[0]["state"]) == ("m1", "closed")
            assert states == [(True, set())]  # nobody was disturbed

            theirs = (await node.request("createTransport", room="m2", peer="a"))["id"]
            await county.close()  # for good: what it made ends after a while, and nothing else
            assert set(relay.engine.transports) == {ours, theirs}
            await until(lambda: set(relay.engine.transports) == {theirs})
            await node.close()

    run(body)


def test_a_relay_that_falls_silent_is_lost_within_a_second_and_a_busy_moment_is_not(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relay(tmp_path / "r") as relay:
            client = RelayClient.over_unix("relay", relay.path)
            states = await connected(client)
            await asyncio.sleep(0.3)
            time.sleep(1.5)  # noqa: ASYNC251 - we ourselves stand still, with the relay
            await asyncio.sleep(0.5)
            assert states == [(True, set())]

            async def silence(message: dict[str, Any], side: Any) -> dict[str, Any]:
                await asyncio.sleep(60)
                return {}

            relay.server._answer = silence  # type: ignore[method-assign]
            began = time.monotonic()
            await until(lambda: not client.up)
            assert time.monotonic() - began <= BEAT_S * (MOST_SILENT + 1) + 0.1
            await client.close()

    run(body)


@pytest.mark.parametrize("side", ["", "a/b", 7, "x" * 65, None])
def test_a_side_is_a_word(tmp_path: Path, side: Any) -> None:
    async def body() -> None:
        async with Relay(tmp_path / "r") as relay:
            reader, writer = await asyncio.open_unix_connection(str(relay.path))
            lines.write(writer, {"id": 1, "method": "hello", "params": {"instance": "i", "side": side}})
            assert await reader.read() == b""
            writer.close()
            assert not relay.server._sides

    run(body)


def test_a_restarted_relay_is_found_again(tmp_path: Path) -> None:
    async def body() -> None:
        client = RelayClient.over_unix("relay", tmp_path / "r")
        async with Relay(tmp_path / "r"):
            states = await connected(client)
            await client.request("createTransport", room="m1", peer="a")
        await until(lambda: not client.up)
        async with Relay(tmp_path / "r"):
            await until(lambda: client.up)
            assert states == [(True, set()), (False, set()), (True, set())]
            await client.close()

    run(body)


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b"\xff\n", b'{"method":"hello"}\n', b"x" * 300_000 + b"\n", b"[" * 9999]
)
def test_garbage_ends_the_connection_and_nothing_else(tmp_path: Path, line: bytes) -> None:
    async def body() -> None:
        async with Relay(tmp_path / "r") as relay:
            reader, writer = await asyncio.open_unix_connection(str(relay.path))
            writer.write(line)
            if writer.can_write_eof():
                writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            client = RelayClient.over_unix("relay", relay.path)
            await connected(client)
            await client.close()

    run(body)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=6,
)
_KEYS = ("transport", "producer", "consumer", "room", "peer", "ip", "port", "kind", "source", "rates", "rtpParameters")


@given(st.data())
def test_whatever_is_asked_is_answered_or_refused(data: st.DataObject) -> None:
    """Ids that are there, in every request, beside values of any kind."""

    async def body() -> None:
        engine = Engine(("127.0.0.1", 0))
        server = RelayServer(engine, "relay", None)
        try:
            side = server._side({"side": "county"})
            made = await server._answer({"method": "createTransport", "params": {"room": "m", "peer": "a"}}, side)
            pipe = await server._answer({"method": "openPipe", "params": {"room": "pipes", "peer": "b"}}, side)
            known = made["result"]["id"], pipe["result"]["transport"], pipe["result"]["key"]
            values = st.sampled_from([*known, sending(ONE)]) | _ANY
            for _ in range(12):
                method = data.draw(st.sampled_from(sorted(requests(engine))))
                params = data.draw(st.dictionaries(st.sampled_from(_KEYS), values) | _ANY)
                answer = await server._answer({"id": 1, "method": method, "params": params}, side)
                assert answer.keys() in ({"id", "result"}, {"id", "error"})
        finally:
            await engine.close()

    asyncio.run(body())


def test_a_watcher_asks_for_the_status_without_taking_over(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relay(tmp_path / "r") as relay:
            client = RelayClient.over_unix("relay", relay.path)
            states = await connected(client)
            reader, writer = await asyncio.open_unix_connection(str(relay.path))
            lines.write(writer, {"id": 1, "method": "status"})
            assert json.loads(await reader.readline())["result"]["name"] == "relay"
            writer.close()
            await client.request("ping")
            assert len(states) == 1
            await client.close()

    run(body)


def _identity(folder: Path, ca: CountyCA, name: str) -> lines.Identity:
    key, certificate = ca.issue_device(name, ips=["127.0.0.1"])
    (folder / f"{name}.key").write_text(key)
    (folder / f"{name}.crt").write_text(certificate)
    (folder / "ca.pem").write_text(ca.certificate_pem)
    return lines.Identity(folder / f"{name}.crt", folder / f"{name}.key", folder / "ca.pem")


def test_only_the_named_client_of_the_same_authority_is_served(tmp_path: Path) -> None:
    async def body() -> None:
        ca, foreign = CountyCA(tmp_path / "ca"), CountyCA(tmp_path / "foreign")
        (tmp_path / "f").mkdir()
        engine = Engine(("127.0.0.1", 0))
        server = RelayServer(engine, "relay", frozenset({"nms.sanwang.internal"}))
        await server.listen(("127.0.0.1", 0), _identity(tmp_path, ca, "relay"))
        address = server._servers[0].sockets[0].getsockname()

        async def reaches(identity: lines.Identity, server_name: str = "relay.sanwang.internal") -> bool:
            client = RelayClient.over_tls("relay", address, server_name, identity)
            states: list[Any] = []
            client.on_state = lambda up, alive: states.append(up)
            client.start()
            for _ in range(60):
                await asyncio.sleep(0.01)
                if states:
                    break
            await client.close()
            return bool(states)

        assert await reaches(_identity(tmp_path, ca, "nms"))
        assert not await reaches(_identity(tmp_path, ca, "other"))
        assert not await reaches(_identity(tmp_path / "f", foreign, "nms"))
        assert not await reaches(_identity(tmp_path, ca, "nms"), "elsewhere.sanwang.internal")
        await server.close()
        await engine.close()

    run(body)

"""One bus, two ways to carry it: the same tests for both, with real nats-servers as county and township."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.secrets import Secrets
from provision.render import bus as render
from vconf.bus.bus import MOST_BYTES, Bus, NoAnswer, checked, checked_pattern, matches, pack, unpack
from vconf.bus.local import Exchange, LocalBus
from vconf.bus.wire import NatsBus
from vconf.lines import Identity


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


class Forwarder:
    """TCP between leaf and county, that can fall silent as a cut line does: bytes go nowhere, nobody hangs up."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.cut = False
        self._target = target
        self._server: asyncio.Server
        self._pairs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for pair in list(self._pairs):
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        task.add_done_callback(self._pairs.discard)
        there = None
        try:
            if self.cut:  # nothing answers
                return
            back, there = await asyncio.open_connection(*self._target)
            ways = [asyncio.create_task(self._pass(reader, there)), asyncio.create_task(self._pass(back, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            return
        finally:
            writer.close()
            if there is not None:
                there.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if self.cut:
                    continue  # lost; the connection is broken for good, as TCP's would be after a while
                writer.write(data)
                await writer.drain()
        except OSError:
            return


class Servers:
    """A county's nats-server and a township's leaf of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        secrets = Secrets(folder / "identity")
        for host in ("c2-nms", "t01-relay", "t02-relay"):
            own = folder / host
            own.mkdir()
            key, certificate = secrets.ca.issue_device(host, ips=["127.0.0.1"])
            (own / "host.key").write_text(key)
            (own / "host.crt").write_text(certificate)
            (own / "ca.crt").write_text(secrets.ca.certificate_pem)
        self.hub_port, self.leaf_port, self.clients = free_port(), free_port(), free_port()

    def bus(self, host: str, server: str, port: int) -> NatsBus:
        own = self.folder / host
        identity = Identity(own / "host.crt", own / "host.key", own / "ca.crt")
        return NatsBus(f"tls://127.0.0.1:{port}", f"{server}.sanwang.internal", identity)

    def _start(self, host: str, text: str) -> subprocess.Popen[bytes]:
        (self.folder / host / "bus.conf").write_text(text)
        with (self.folder / f"{host}.log").open("wb") as log:
            command = ["/usr/sbin/nats-server", "-c", "bus.conf"]
            return subprocess.Popen(command, cwd=self.folder / host, stdout=log, stderr=log)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Forwarder]:
        """Both, with a line between that can be cut."""
        forwarder = Forwarder(("127.0.0.1", self.leaf_port))
        async with forwarder as line:
            hub = render.hub(
                "c2-nms",
                "shili",
                users=["c2-nms"],
                children={"t01": "t01-relay", "t02": "t02-relay"},
                leafs=f"127.0.0.1:{self.leaf_port}",
                clients=f"127.0.0.1:{self.hub_port}",
            )
            leaf = render.leaf("t01-relay", "t01", [f"127.0.0.1:{line}"], f"127.0.0.1:{self.clients}")
            started = [self._start("c2-nms", hub), self._start("t01-relay", leaf)]
            try:
                yield forwarder
            finally:
                for process in started:
                    process.terminate()
                for process in started:
                    await asyncio.to_thread(process.wait, 10)


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[tuple[Bus, Bus, Callable[[bool], None]]]:
    exchange = Exchange()
    county, township = LocalBus(exchange), LocalBus(exchange)

    def cut(on: bool) -> None:
        township.cut = on

    yield county, township, cut
    await county.close()
    await township.close()


@asynccontextmanager
async def nats(folder: Path) -> AsyncIterator[tuple[Bus, Bus, Callable[[bool], None]]]:
    servers = Servers(folder)
    async with servers.running() as line:
        county = servers.bus("c2-nms", "c2-nms", servers.hub_port)
        township = servers.bus("t01-relay", "t01-relay", servers.clients)
        await county.start()
        await township.start()

        def cut(on: bool) -> None:
            line.cut = on

        try:
            yield county, township, cut
        finally:
            await township.close()
            await county.close()


async def told(bus: Bus, subject: str, message: bytes, heard: Callable[[], Any]) -> None:
    """Say it until it was heard: interest travels from server to server."""

    def say() -> Any:
        bus.publish(subject, message)
        return heard()

    await until(say)


async def answers(bus: Bus, subject: str, wanted: bytes, seconds: float = 10.0) -> None:
    """Until the line is there: interest has travelled from server to server."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            assert await bus.request(subject, b"?", 0.5) == wanted
        except NoAnswer:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            return


Carrier = Callable[[Path], Any]


@pytest.mark.parametrize("carrier", [local, nats], ids=["local", "nats"])
def test_what_a_bus_does(carrier: Carrier, tmp_path: Path) -> None:
    async def body(county: Bus, township: Bus, cut: Callable[[bool], None]) -> None:
        heard: list[tuple[str, bytes]] = []
        slowly: list[bytes] = []

        async def note(subject: str, message: bytes) -> bytes | None:
            heard.append((subject, message))
            return None

        async def answer(subject: str, message: bytes) -> bytes | None:
            if message == b"stumble":
                raise RuntimeError("as a bad message would make it")
            if message == b"silence":
                return None
            return b"county:" + message

        subscription = await township.subscribe("tier.shili.t01.*", note)
        await county.subscribe("up.shili.t01", answer)
        await answers(township, "up.shili.t01", b"county:?")
        assert await township.request("up.shili.t01", b"now", 2) == b"county:now"

        # in order, whole, as bytes; only what the pattern says
        await told(county, "tier.shili.t01.beat", b"0", lambda: heard)
        heard.clear()
        large = bytes(range(256)) * 2000
        for number in range(50):
            county.publish("tier.shili.t01.beat", str(number).encode())
        county.publish("tier.shili.t01.state", large)
        county.publish("tier.shili.t01.deep.er", b"not this")
        await until(lambda: ("tier.shili.t01.state", large) in heard)
        assert [message for subject, message in heard if subject == "tier.shili.t01.beat"][-50:] == [
            str(number).encode() for number in range(50)
        ]
        assert not [subject for subject, _ in heard if subject == "tier.shili.t01.deep.er"]

        # nobody there, no answer in time, a handler that stumbles: the asker is told, the next is served
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            await township.request("up.shili.nobody", b"", 5)
        assert time.monotonic() - began < 3, "that nobody listens is said at once"
        for message in (b"silence", b"stumble"):
            with pytest.raises(NoAnswer):
                await township.request("up.shili.t01", message, 0.2)
        assert await township.request("up.shili.t01", b"again", 2) == b"county:again"

        # what cannot be said
        with pytest.raises(ValueError):
            county.publish("tier.*.beat", b"")
        with pytest.raises(ValueError):
            county.publish("tier.shili.t01.state", bytes(MOST_BYTES + 1))
        with pytest.raises(ValueError):
            await county.subscribe("tier.>.x", note)

        # a subscriber that is too slow loses the oldest, and holds nobody up
        stuck = asyncio.Event()

        async def slow(subject: str, message: bytes) -> bytes | None:
            await stuck.wait()
            slowly.append(message)
            return None

        await township.subscribe("tier.shili.t01.many", slow)
        await answers(township, "up.shili.t01", b"county:?")  # behind the subscription
        for _ in range(330):
            county.publish("tier.shili.t01.many", b"-")
        await told(county, "tier.shili.t01.many", b"-", lambda: township.dropped > 30)
        county.publish("tier.shili.t01.many", b"last")
        await answers(township, "up.shili.t01", b"county:?")
        stuck.set()
        await until(lambda: b"last" in slowly)

        # a line that is cut, and healed: nothing that was said meanwhile comes late
        heard.clear()
        cut(True)
        await asyncio.sleep(0.1)
        heard.clear()
        county.publish("tier.shili.t01.beat", b"lost")
        with pytest.raises(NoAnswer):
            await township.request("up.shili.t01", b"?", 0.5)
        if carrier is nats:
            await asyncio.sleep(3)  # long enough for both ends to notice
        cut(False)
        began = time.monotonic()
        await answers(township, "up.shili.t01", b"county:?")
        assert time.monotonic() - began < 4
        await told(county, "tier.shili.t01.beat", b"back", lambda: heard)
        assert b"lost" not in [message for _, message in heard]

        await subscription.end()
        heard.clear()
        for _ in range(3):
            county.publish("tier.shili.t01.beat", b"unheard")
        await answers(township, "up.shili.t01", b"county:?")
        assert [message for _, message in heard if message == b"unheard"] == []

    async def meet() -> None:
        async with carrier(tmp_path) as (county, township, cut):
            async with asyncio.timeout(60):
                await body(county, township, cut)

    asyncio.run(meet())


def test_a_township_speaks_for_nobody_else(tmp_path: Path) -> None:
    """Neither for the county nor for another township; and without a certificate of ours nobody speaks at all."""
    servers = Servers(tmp_path)

    async def meet() -> None:
        async with servers.running():
            county = servers.bus("c2-nms", "c2-nms", servers.hub_port)
            township = servers.bus("t01-relay", "t01-relay", servers.clients)
            asked: list[tuple[str, bytes]] = []

            async def note(subject: str, message: bytes) -> bytes | None:
                asked.append((subject, message))
                return b"yes"

            await county.start()
            await township.start()
            await county.subscribe("up.shili.*", note)
            await county.subscribe("tier.>", note)
            await answers(township, "up.shili.t01", b"yes")
            asked.clear()
            with pytest.raises(NoAnswer):
                await township.request("up.shili.t02", b"forged", 0.5)
            heard: list[bytes] = []

            async def overhear(subject: str, message: bytes) -> bytes | None:
                heard.append(message)
                return None

            await township.subscribe("tier.>", overhear)
            for _ in range(5):
                township.publish("tier.shili.t02.beat", b"forged")
            await told(county, "tier.shili.t01.beat", b"ours", lambda: heard)
            county.publish("tier.shili.t02.state", b"not yours")
            await answers(township, "up.shili.t01", b"yes")
            assert {message for _, message in asked} == {b"?", b"ours", b"not yours"}
            assert {*heard} == {b"forged", b"ours"}, "its own words, and what it is told"

            # the leaf's own door takes its own box alone
            stranger = servers.bus("t02-relay", "t01-relay", servers.clients)
            await stranger.start()
            await asyncio.sleep(1)
            assert not stranger.up
            for bus in (stranger, township, county):
                await bus.close()

    async def knock() -> bytes:
        async with servers.running():
            await asyncio.sleep(0.5)
            reader, writer = await asyncio.open_connection("127.0.0.1", servers.hub_port)
            writer.write(b'CONNECT {"verbose":false,"tls_required":false}\r\nPING\r\n')
            try:
                async with asyncio.timeout(5):
                    return await reader.read()
            finally:
                writer.close()

    asyncio.run(meet())
    assert b"PONG" not in asyncio.run(knock())


WORDS = st.text("abz019_@-", min_size=1, max_size=3)


@given(st.lists(WORDS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_patterns_hear_what_they_say(words: list[str], rng: Any) -> None:
    subject = ".".join(words)
    checked(subject, b"")
    pattern = ".".join(word if rng.random() < 0.5 else "*" for word in words)
    checked_pattern(pattern)
    assert matches(pattern, subject)
    assert not matches(pattern + ".*", subject)
    assert matches(">", subject)
    if len(words) > 1:
        assert matches(".".join(words[:-1]) + ".>", subject)
    assert not matches(subject + ".>", subject)


@given(st.binary(max_size=60))
def test_what_is_no_object_is_refused(data: bytes) -> None:
    try:
        found = unpack(data)
    except ValueError:
        return
    assert unpack(pack(found)) == found

"""The broker's socket: requests, errors, streamed events, and the hand-over from one broker to the next."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.broker.client import BrokerClient
from provision.broker.server import Request, Server
from provision.broker.wire import BrokerError, decode, encode


async def _echo(request: Request) -> Any:
    return {"params": request.params, "who": request.who}


async def _stream(request: Request) -> Any:
    for number in range(3):
        await request.emit({"number": number})
    return "end"


async def _broken(request: Request) -> Any:
    raise RuntimeError("a fault")


METHODS: dict[str, Callable[[Request], Awaitable[Any]]] = {"echo": _echo, "stream": _stream, "broken": _broken}


@asynccontextmanager
async def serving(path: Path, methods: dict[str, Any] | None = None) -> AsyncIterator[asyncio.Task[None]]:
    ready = asyncio.Event()

    async def on_ready() -> None:
        ready.set()

    task = asyncio.create_task(Server(path, methods or METHODS).serve(on_ready))
    try:
        async with asyncio.timeout(5):
            await ready.wait()
        yield task
    finally:
        if not task.done():
            await asyncio.to_thread(BrokerClient(path).call, "shutdown")
        await task


async def _ask(path: Path, method: str, **params: Any) -> Any:
    return await asyncio.to_thread(lambda: BrokerClient(path, who="wang").call(method, **params))


async def test_a_request_carries_who_asks(tmp_path: Path) -> None:
    async with serving(tmp_path / "b.sock"):
        answer = await _ask(tmp_path / "b.sock", "echo", host="县")
        assert answer["params"] == {"host": "县"}
        assert answer["who"].startswith("wang (uid ")


async def test_the_socket_is_closed_to_others_and_goes_with_the_broker(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert list(tmp_path.iterdir()) == []


async def test_events_are_streamed_before_the_result(tmp_path: Path) -> None:
    path, seen = tmp_path / "b.sock", []
    async with serving(path):
        result = await asyncio.to_thread(lambda: BrokerClient(path).call("stream", on_event=seen.append))
    assert seen == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert result == "end"


async def test_errors_are_answers(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    async with serving(path):
        with pytest.raises(BrokerError, match="expected one of broken, echo, stream") as unknown:
            await _ask(path, "nonsense")
        with pytest.raises(BrokerError, match="RuntimeError: a fault") as fault:
            await _ask(path, "broken")
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(path))
            raw.sendall(b"[1]\n")
            line = await asyncio.to_thread(raw.recv, 4096)
    assert (unknown.value.kind, fault.value.kind) == ("request", "broker")
    assert decode(line)["error"]["kind"] == "request"


def test_without_a_broker_the_message_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="make up") as absent:
        BrokerClient(tmp_path / "b.sock").call("ping")
    assert absent.value.kind == "absent"


async def test_a_new_broker_takes_over_without_losing_a_request(tmp_path: Path) -> None:
    path = tmp_path / "b.sock"
    started, finish = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Any:
        started.set()
        await finish.wait()
        return "old"

    async def quick(request: Request) -> Any:
        return "new"

    async with serving(path, {"work": slow}) as old:
        in_flight = asyncio.create_task(_ask(path, "work"))
        await started.wait()
        ready = asyncio.Event()

        async def on_ready() -> None:
            ready.set()

        new = asyncio.create_task(Server(path, {"work": quick}).serve(on_ready))
        async with asyncio.timeout(5):
            await asyncio.sleep(0.1)
            assert await _ask(path, "work") == "new"
        assert not ready.is_set(), "the new broker may not write while the old one still works"
        finish.set()
        assert await in_flight == "old"
        async with asyncio.timeout(5):
            await ready.wait()
            await old
        assert path.exists(), "the old broker removed its successor's socket"
        await _ask(path, "shutdown")
        await new


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(line: bytes) -> None:
    try:
        document = decode(line)
    except BrokerError as error:
        refused = error.kind
    else:
        refused = ""
        assert decode(encode(document)) == document
    assert refused in ("", "request")

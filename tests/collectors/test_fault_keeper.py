"""Faults in the store and at a real Alertmanager: once each, over restarts of everybody."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.faults.keeper import Faults
from collectors.faults.rows import row_document
from collectors.faults.tables import FaultRow, NoSuchFault, acknowledge, fault, faults_between, open_faults
from store.audit import verify_chain
from store.engine import Store

from .world import World

NOBODY = ("127.0.0.1", 1)


def kept(world: World, store: Store, address: tuple[str, int] = NOBODY) -> Faults:
    """A collector's keeper over this world."""
    faults = Faults(world.county, store, address)
    faults.adopt()
    world.watch = faults.watch
    return faults


async def until(true: Callable[[], Any], what: str, within_s: float = 10.0) -> Any:
    end = time.monotonic() + within_s
    while not (found := await asyncio.to_thread(true)):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)
    return found


def rows(store: Store) -> list[FaultRow]:
    with store.reading() as session:
        return list(open_faults(session))


def live(faults: Faults, story: Callable[[], Any]) -> None:
    """Tell a story while the keeper's tasks run."""

    async def told() -> None:
        task = asyncio.create_task(faults.run())
        try:
            await story()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(told())


def test_a_row_survives_its_collector_and_keeps_what_others_wrote(store: Store) -> None:
    world = World()
    first = kept(world, store)

    async def opened() -> None:
        world.cut.add("ring-c1-c2")
        world.run(2)
        row = (await until(lambda: [row for row in rows(store) if row.impact], "the fault was not written"))[0]
        assert (row.id, row.key, row.kind, row.severity) == (1, "link:ring-c1-c2", "link-down", "critical")
        assert {hall["state"] for hall in row.impact["halls"]} <= {"rerouted", "unprotected"}

    live(first, opened)
    with store.session() as session:
        acknowledge(session, 1, "chen", "crew is on its way")
    after = World()
    second = kept(after, store)

    async def cleared() -> None:
        after.cut.add("ring-c1-c2")
        after.run(3)
        after.cut.add("t02-c3")
        after.run(3)
        await until(lambda: len(rows(store)) == 2, "the second fault was not written")
        shown = second.faults_document()["faults"]
        assert [(each["id"], each["acknowledged_by"]) for each in shown] == [(1, "chen"), (2, None)]
        after.cut.clear()
        after.run(25)
        await until(lambda: not rows(store), "the faults were not cleared")

    live(second, cleared)
    with store.reading() as session:
        assert fault(session, 1).acknowledged_why == "crew is on its way"
        assert verify_chain(session).ok
        early = datetime.fromtimestamp(0, UTC)
        assert [row.id for row in faults_between(session, early, early + timedelta(days=365))] == [1, 2]
        document = row_document(after.model, fault(session, 1))
        assert document["cleared_at"] >= document["opened_at"]
        assert "ring-c1-c2" in document["zh"]
        assert "ring-c1-c2" in document["en"]
        with pytest.raises(NoSuchFault):
            fault(session, 99)


def test_nobody_acknowledges_without_a_reason(store: Store) -> None:
    with store.session() as session, pytest.raises(ValueError, match="why"):
        acknowledge(session, 1, "chen", " ")


@contextmanager
def alertmanager(folder: Path, port: int) -> Iterator[None]:
    """Debian's own, without memory of an earlier one."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        pytest.skip("needs Debian's prometheus-alertmanager")
    (folder / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n", encoding="utf-8")
    process = subprocess.Popen(
        [program, f"--config.file={folder}/am.yml", f"--storage.path={folder}/am-{time.monotonic_ns()}",
         f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def firing(port: int) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/api/v2/alerts?active=true")
        found: list[dict[str, Any]] = json.load(connection.getresponse())
        return found
    except OSError:
        return []
    finally:
        connection.close()


def test_alertmanager_is_told_once_again_after_its_death_and_of_the_end(store: Store, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    world = World()
    faults = kept(world, store, ("127.0.0.1", port))

    async def story() -> None:
        world.dead.add("t01-rt")
        world.run(3)  # nobody listens yet
        with alertmanager(tmp_path, port):
            (alert,) = await until(lambda: firing(port), "it was not told", 20)
            labels = alert["labels"]
            assert (labels["alertname"], labels["host"], labels["site"]) == ("HostDown", "t01-rt", "t01")
            assert (labels["severity"], labels["kind"], labels["fault"]) == ("critical", "host-down", "1")
        with alertmanager(tmp_path, port):  # it forgot everything
            world.cut.add("t02-c1")
            world.run(2)
            again = await until(lambda: len(firing(port)) == 2 and firing(port), "it was not told again", 20)
            assert alert["fingerprint"] in {each["fingerprint"] for each in again}
            world.dead.clear()
            world.cut.clear()
            world.run(20)
            await until(lambda: not firing(port), "it was not told of the end")

    live(faults, story)

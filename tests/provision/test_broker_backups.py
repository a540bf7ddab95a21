"""A real device tool on a real disk is kept in git, told apart when it drifts, and gives no secret away."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

from inventory.model import Host
from inventory.places import COUNTIES, Places
from provision.backup.archive import Archive, place
from provision.broker import backups
from provision.broker.county import County
from provision.broker.devices import Devices
from provision.broker.secrets import DeviceSecrets
from provision.broker.server import Request
from provision.broker.session import Address, Ran
from provision.broker.trail import Trail
from provision.broker.wire import BrokerError
from store.audit import AuditEntry
from store.engine import open_store
from tests.provision.box import Box

pytestmark = pytest.mark.twin
T = TypeVar("T")
HOST, SECRET = "t01-rt", "geheim-123456"


@dataclass(frozen=True, slots=True)
class Elsewhere(Places):
    """An instance below a folder of the test's own."""

    folder: Path = Path()

    @property
    def lib(self) -> Path:
        return self.folder


class Inside:
    """A session to the box, without SSH between."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.where = Address(HOST, "127.0.0.1", 22, "root")

    def run(self, command: str, data: bytes = b"", *, timeout_s: float = 60.0) -> Ran:
        done = self.box.run("sh", "-c", command, data=data.decode())
        return Ran(done.returncode, done.stdout, done.stderr)


class Line:
    """Runs work on the one box; any other device is not there."""

    def __init__(self, box: Box) -> None:
        self.box = box

    async def on(self, host: Host, work: Callable[[Any], T], **_: Any) -> T:
        if host.name != HOST:
            raise BrokerError("unreachable", f"{host.name} does not answer")
        return await asyncio.to_thread(work, Inside(self.box))

    async def thread(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "disk")
    made.start()
    yield made
    made.cut()


@pytest.fixture
def devices(box: Box, tmp_path: Path) -> Devices:
    places = Elsewhere("zbtest", tmp_path / "lib")
    places.lib.mkdir()
    secrets = DeviceSecrets(places.lib / "identity")
    url = f"sqlite:///{tmp_path}/audit.db"
    return Devices(places, County(COUNTIES / "xiao"), secrets, Line(box), Trail(url))  # type: ignore[arg-type]


async def _ask(method: Callable[[Request], Any], why: str = "", **params: Any) -> tuple[Any, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []

    async def emit(event: dict[str, Any]) -> None:
        told.append(event)

    return await method(Request(params, "zhang", why, emit)), told


def _everything(archive: Archive) -> bytes:
    """All texts that were ever kept."""
    command = ["git", "--git-dir", str(archive.folder), "log", "-p", "--all"]
    return subprocess.run(command, capture_output=True, check=True).stdout


async def test_kept_drifted_kept_again(devices: Devices, box: Box, tmp_path: Path) -> None:
    box.device("apply", bundle=box.bundle("first", **{"x.conf": f"password={SECRET}\nport 1\n"}))
    keeper, archive = devices.backups, Archive(place(devices.places))
    answer, told = await _ask(keeper.backup, "before the works", hosts=[HOST])
    assert told == [{"host": HOST}]
    assert answer["commit"] == archive.head() != ""
    kept = archive.snapshot(HOST)
    assert kept is not None
    assert kept.files["/etc/sanwang/x.conf"].text == "password=<secret>\nport 1\n"
    assert 'comment "first"' in kept.files["/etc/nftables.conf"].text

    drift, _ = await _ask(keeper.drift, host=HOST)
    assert (drift["kept"], drift["files"]) == (True, [])

    box.run("sh", "-c", "echo '# by hand' >> /etc/nftables.conf; rm /etc/sanwang/x.conf")
    drift, _ = await _ask(keeper.drift, host=HOST)
    assert {(file["path"], file["is"]) for file in drift["files"]} == {
        ("/etc/nftables.conf", "changed"),
        ("/etc/sanwang/x.conf", "gone"),
    }
    assert any("+# by hand" in file["diff"] for file in drift["files"])
    assert drift["drifted"]

    await _ask(keeper.backup, "the hand was right", hosts=[HOST])
    drift, _ = await _ask(keeper.drift, host=HOST)
    assert drift["files"] == []
    assert [version.why for version in archive.history(HOST)] == ["the hand was right", "before the works"]
    assert {version.who for version in archive.history()} == {"zhang"}
    everything = _everything(archive)
    assert b"by hand" in everything
    assert SECRET.encode() not in everything
    with open_store(f"sqlite:///{tmp_path}/audit.db").reading() as session:
        assert {entry.what for entry in session.scalars(select(AuditEntry))} == {"backup.take"}


async def test_a_change_that_ended_is_kept_by_itself(
    devices: Devices, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "TOGETHER_S", 0.1)
    box.device("apply", bundle=box.bundle("first"))
    await devices.trail.note("li", "confirm", "plan p-1", {"host": HOST, "change": "p-1"})
    assert devices.backups._worker is not None
    await asyncio.wait_for(devices.backups._worker, 30)
    (version,) = Archive(place(devices.places)).history(HOST)
    assert (version.who, version.what, version.why) == ("li", "confirm", "plan p-1")
    assert devices.backups.failed == 0


async def test_what_does_not_answer_is_told_and_the_rest_is_kept(devices: Devices, box: Box) -> None:
    box.device("apply", bundle=box.bundle("first"))
    answer, told = await _ask(devices.backups.backup, hosts=[HOST, "c1-fw"])
    assert (answer["hosts"], answer["missing"]) == (1, 1)
    assert {"host": "c1-fw", "error": "c1-fw does not answer"} in told
    with pytest.raises(BrokerError, match="no appliance t99-rt"):
        await _ask(devices.backups.backup, hosts=["t99-rt"])

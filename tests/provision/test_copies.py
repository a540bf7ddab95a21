"""Copies of Sanwang's backup reach the standby whole, by themselves where a takeover may not forget what was done."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from inventory.model import Host
from inventory.places import COUNTIES, Places
from provision.backup import copies, system
from provision.backup.putback import check
from provision.backup.system import create, find_key
from provision.broker.county import County
from provision.broker.devices import Devices
from provision.broker.secrets import DeviceSecrets
from provision.broker.server import Request
from provision.broker.session import Address, Ran
from provision.broker.trail import Trail
from provision.broker.wire import BrokerError
from tests.provision.box import Box

pytestmark = pytest.mark.twin
T = TypeVar("T")


class Inside:
    """A session to the standby's box, without SSH between."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.where = Address("c1-nms", "127.0.0.1", 22, "root")

    def run(self, command: str, data: bytes = b"", *, timeout_s: float = 60.0) -> Ran:
        done = subprocess.run(self.box.argv("sh", "-c", command), input=data, capture_output=True, check=False, cwd="/")
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


class Line:
    """Leads to the standby alone."""

    def __init__(self, box: Box) -> None:
        self.box = box

    async def on(self, host: Host, work: Callable[[Any], T], **_: Any) -> T:
        assert host.name == "c1-nms"
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
def devices(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Devices:
    monkeypatch.setattr(Places, "lib", property(lambda _: tmp_path / "lib"))
    monkeypatch.setattr(system, "KEY_FILE", tmp_path / "no-key-here")
    for name in ("SANWANG_DATABASE", "SANWANG_VAULT_KEY", "SANWANG_BACKUP_KEY"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(COUNTIES / "xiao", tmp_path / "xiao")
    places = Places("zsunit")
    places.lib.mkdir()
    (places.lib / "county").write_text(f"{tmp_path / 'xiao'}\n")
    trail, secrets = Trail(places.database), DeviceSecrets(places.lib / "identity")
    made = Devices(places, County(tmp_path / "xiao"), secrets, Line(box), trail)  # type: ignore[arg-type]
    made.may_write.set()
    return made


async def _copy(devices: Devices, path: str) -> Any:
    async def emit(event: dict[str, Any]) -> None:
        raise AssertionError(event)

    return await devices.copies.copy(Request({"path": path}, "zhang", "nightly", emit))


def _kept(box: Box) -> list[Path]:
    return sorted((box.disk / "lib" / "sanwang-standby").iterdir())


async def test_copies_are_whole_and_the_oldest_go(devices: Devices, box: Box, tmp_path: Path) -> None:
    await devices.trail.open()
    out = tmp_path / "out"
    out.mkdir()
    made = Path(create(devices.places, out, who="zhang", why="nightly").path)
    for hour in range(copies.KEEP + 2):
        name = out / f"sanwang-zsunit-20260101T{hour:02}0000Z.swb"
        shutil.copy(made, name)
        await _copy(devices, str(name))
    kept = _kept(box)
    assert [each.name[-12:-7] for each in kept] == [f"T{hour:02}00" for hour in range(2, copies.KEEP + 2)]
    assert check(kept[-1], find_key(devices.places)).instance == "zsunit"
    assert {each.stat().st_mode & 0o777 for each in kept} == {0o600}
    (out / "other.swb").write_bytes(b"x")
    for wrong in (str(out / "other.swb"), "", str(out / "sanwang-a-20260101T000000Z.swb"), "/etc/passwd"):
        with pytest.raises(BrokerError, match="found no backup"):
            await _copy(devices, wrong)


async def test_a_site_that_is_revoked_is_known_to_the_standby_at_once(
    devices: Devices, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "QUIET_S", 0.1)
    await devices.trail.open()
    await devices.trail.note("li", "command", "looking", {})
    await asyncio.sleep(0.3)
    assert not (box.disk / "lib" / "sanwang-standby").exists(), "not after everything"
    await devices.trail.note("li", "vpn.revoke", "stolen", {"site": "v01"})
    assert devices.copies._worker is not None
    await asyncio.wait_for(devices.copies._worker, 30)
    (copy,) = _kept(box)
    found = check(copy, find_key(devices.places))
    assert (found.why, found.audit[0], devices.copies.failed) == ("after vpn.revoke", 2, 0)

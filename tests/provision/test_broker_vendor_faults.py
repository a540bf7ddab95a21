"""What goes wrong between a broker and vendors' switches: kills at any step, lost ways, no VTY, full disks.

Whoever comes after finds the switch as it was before or as it was to be, running and saved alike, and no timer left.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest

from identity.files import write_atomic
from inventory.model import Host
from provision.broker import vendor_ledger
from provision.broker.wire import BrokerError
from provision.vendor.drivers import Blocking
from tests.provision import switches
from tests.provision.switches import IN_BAND, SITES, Bench, Broker
from tests.provision.test_broker_vendor import moved, same


class Killed(BaseException):
    """The broker's process is gone: nothing of it runs on."""


class Killer:
    """Lets a broker take a number of steps (a line said to a device, a page written), and no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 10**6
        self.taken = 0
        monkeypatch.setattr(Blocking, "say", self._counted(Blocking.say))
        monkeypatch.setattr(vendor_ledger, "write_atomic", self._counted(write_atomic))

    def _counted(self, step: Callable[..., None]) -> Callable[..., None]:
        def taken(*arguments: Any) -> None:
            self.left -= 1
            self.taken += 1
            if self.left < 0:
                raise Killed
            step(*arguments)

        return taken


@pytest.fixture
def bench(tmp_path: Path, provisioned: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path / "bench", provisioned)
    switches.patch(monkeypatch, made)
    made.county.edit = moved
    yield made
    made.close()


async def change(broker: Broker, host: Host, name: str) -> None:
    await broker.ask("apply", host, confirm_s=30, change=name)
    await broker.ask("confirm", host, change=name)


def hurry(broker: Broker, host: Host) -> None:
    """The time of whatever waits there is over."""
    ledger = broker.devices.ledger
    held = ledger.page(host.name).held
    if held is not None:
        ledger.hold(host.name, replace(held, until_unix_s=0.0))


def at_rest(bench: Bench, host: Host) -> None:
    """Nothing waits on the switch, and it would start with what it runs."""
    device = bench.devices[host.name]
    assert (device.pending, device.restart) == (None, None)
    assert same(host, bench.running(host), bench.saved(host))


@pytest.mark.parametrize("platform", SITES)
async def test_killed_anywhere_it_ends_before_or_after(
    bench: Bench, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sixth step of a change is the broker's last; the next goes on, or takes it back when it is late."""
    host = bench.power(platform)
    before = bench.running(host)
    killer = Killer(monkeypatch)
    broker = bench.broker()
    await change(broker, host, "whole")
    after, steps = bench.running(host), killer.taken
    assert steps > 12
    assert not same(host, before, after)
    await broker.ask("rollback", host, of="whole", confirm_s=30, change="back")
    await broker.ask("confirm", host, change="back")
    broker.kill()
    found = set()
    for number, step in enumerate(range(2 + list(SITES).index(platform), steps, 6)):
        name = f"c-{step}"
        broker = bench.broker()
        killer.left = step
        with pytest.raises(Killed):
            await change(broker, host, name)
        broker.kill()
        killer.left = 10**6
        broker = bench.broker()
        if number % 2:
            with suppress(BrokerError):  # it was confirmed before the kill, and waits for nothing
                await change(broker, host, name)
        else:
            hurry(broker, host)
            await broker.devices.changes.settle_overdue()
        now = bench.running(host)
        assert same(host, now, before) or same(host, now, after), f"killed after step {step}"
        at_rest(bench, host)
        assert (await broker.ask("state", host))["pending"] is None
        found.add(same(host, now, after))
        if same(host, now, after):
            bench.county.edit = str
            await broker.ask("apply", host)
            bench.county.edit = moved
        broker.kill()
    assert found == {False, True}


@pytest.mark.parametrize("platform", SITES)
async def test_cut_off_in_the_middle(bench: Bench, platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to the switch is lost between two lines, and comes back: the same change then goes on."""
    host = bench.power(platform)
    before = bench.running(host)
    broker = bench.broker()
    say = Blocking.say
    cut = threading.Event()

    def lost(connection: Blocking, text: str) -> None:
        if "moved" in text:
            cut.set()
        if cut.is_set():
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        say(connection, text)

    with monkeypatch.context() as lossy:
        lossy.setattr(Blocking, "say", lost)
        with pytest.raises(BrokerError) as caught:
            await broker.ask("apply", host, confirm_s=30, change="c-1")
    assert caught.value.kind == "unreachable"
    assert [each["change"] for each in (await broker.ask("armed", host))["armed"]] == ["c-1"]
    with pytest.raises(BrokerError, match="cut off half way"):
        await broker.ask("confirm", host, change="c-1")
    assert same(host, bench.running(host), before)
    await change(broker, host, "c-1")
    at_rest(bench, host)
    assert "moved" in bench.running(host)


@pytest.mark.parametrize("platform", ["huawei_vrp8", "h3c_comware", "ruijie_rgos"])
async def test_a_kept_session_that_dies_once_is_no_failure(
    bench: Bench, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had begun is taken back, and the whole change is made in another session."""
    host = bench.power(platform)
    broker = bench.broker()
    await broker.ask("state", host)
    say = Blocking.say
    cut = threading.Event()

    def dies(connection: Blocking, text: str) -> None:
        if "moved" in text and not cut.is_set():
            cut.set()
            connection.disconnect()
        say(connection, text)

    monkeypatch.setattr(Blocking, "say", dies)
    await change(broker, host, "c-1")
    assert cut.is_set()
    at_rest(bench, host)
    assert "moved" in bench.saved(host)


async def test_two_brokers_read_the_same_page(bench: Bench) -> None:
    """One hands over to the next while a change waits."""
    host = bench.power("huawei_vrp5")
    old, new = bench.broker(), bench.broker()
    assert (await new.ask("state", host))["pending"] is None
    await old.ask("apply", host, confirm_s=30, change="c-1")
    assert (await new.ask("state", host))["pending"]["id"] == "c-1"
    assert (await new.ask("confirm", host, change="c-1"))["outcome"] == "confirmed"
    assert (await old.ask("state", host))["last"]["outcome"] == "confirmed"


@pytest.mark.parametrize("platform", SITES)
async def test_every_vty_is_taken(bench: Bench, platform: str) -> None:
    host = bench.power(platform, vtys=2)
    broker = bench.broker()
    password = bench.secrets.value(f"switch/{host.name}/password")
    people = []

    def log_in() -> None:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(IN_BAND, bench.ports[host.name], "sanwang", password, look_for_keys=False, allow_agent=False)
        people.append((client, client.invoke_shell()))

    for _ in range(2):
        await asyncio.to_thread(log_in)
    await bench.until(lambda: len(bench.devices[host.name].sessions) == 2)
    with pytest.raises(BrokerError) as caught:
        await broker.ask("state", host)
    assert caught.value.kind == "busy"
    assert host.name in caught.value.message
    for client, _ in people:
        client.close()
    await bench.until(lambda: not bench.devices[host.name].sessions)
    assert (await broker.ask("state", host))["pending"] is None
    await broker.ask("diff", host)
    assert len(bench.devices[host.name].sessions) == 1, "one session a device, kept"


async def test_another_box_in_its_place(bench: Bench) -> None:
    """It shows another host key than the one it showed when it was enrolled: no password is sent."""
    host = bench.power("huawei_vrp5")
    bench.cut(host)
    (bench.folder / host.name / "host.key").unlink()
    bench.power("huawei_vrp5")
    with pytest.raises(BrokerError, match="another host key than the one pinned") as caught:
        await bench.broker().ask("apply", host)
    assert caught.value.kind == "unreachable"


@pytest.mark.parametrize("platform", SITES)
async def test_a_full_disk_sends_nothing(bench: Bench, platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = bench.power(platform)
    before, saved = bench.running(host), bench.saved(host)
    broker = bench.broker()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(vendor_ledger, "write_atomic", full)
        with pytest.raises(BrokerError, match="so nothing was sent"):
            await broker.ask("apply", host, confirm_s=30, change="c-1")
    assert (bench.running(host), bench.saved(host)) == (before, saved)
    at_rest(bench, host)
    await change(broker, host, "c-1")


@pytest.mark.parametrize("platform", ["huawei_vrp5", "ruijie_rgos", "zte_zxr10"])
async def test_what_nobody_saved_survives_a_change_that_is_undone_by_a_restart(bench: Bench, platform: str) -> None:
    """Its restart would bring back what is saved: what runs, and was planned on, is saved before a line is sent."""
    host = bench.power(platform)
    bench.devices[host.name].startup = bench.saved(host).replace("description unused", "description old", 1)
    before = bench.running(host)
    broker = bench.broker()
    await broker.ask("apply", host, confirm_s=30, change="c-1")
    assert same(host, bench.saved(host), before)
    broker.kill()
    bench.cut(host)
    bench.power(platform)
    assert same(host, bench.running(host), before)

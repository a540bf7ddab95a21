"""Vendors' switches through the broker's methods: the same as for Linux boxes, on all five platforms."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from inventory.model import Host
from inventory.places import Places
from provision.broker.server import Server
from provision.broker.wire import BrokerError
from provision.change.plan import state_fingerprint
from provision.platforms.base import load, patch
from sanwang.device_cli import _ask
from store.audit import AuditEntry
from store.engine import open_store
from tests.provision import switches
from tests.provision.switches import SITES, Bench, Broker


@pytest.fixture
def bench(tmp_path: Path, provisioned: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Its switches have been provisioned."""
    made = Bench(tmp_path / "bench", provisioned)
    switches.patch(monkeypatch, made)
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Its switches are as they left the factory."""
    made = Bench(tmp_path / "bench")
    switches.patch(monkeypatch, made)
    yield made
    made.close()


def moved(text: str) -> str:
    """The same with two users' ports described otherwise."""
    return re.sub(r"description gov\n", "description moved\n", text, count=2)


def ready(bench: Bench, platform: str, **how: int) -> tuple[Host, Broker]:
    """A switch, a broker, and a model that says something else than the switch has."""
    host, broker = bench.power(platform, **how), bench.broker()
    bench.county.edit = moved
    return host, broker


def same(host: Host, one: str, other: str) -> bool:
    """Whether two configurations say the same, in whatever order the switch shows it."""
    platform = load(host.platform)
    return not patch(platform, one, other) and not patch(platform, other, one)


@pytest.mark.parametrize("platform", SITES)
async def test_from_the_factory_to_the_model(fresh: Bench, platform: str) -> None:
    bench = fresh
    host = bench.power(platform)
    broker = bench.broker()
    assert (await broker.ask("enrol", host))["changed"]
    assert not (await broker.ask("enrol", host))["changed"], "enrolled already"
    assert (await broker.ask("in_band", host, wait_s=5))["in_band"]
    before = await broker.ask("diff", host)
    assert before["changed"]
    assert before["commands"]
    applied = await broker.ask("apply", host)
    assert applied["changed"]
    assert applied["commands"] == before["commands"]
    after = await broker.ask("diff", host)
    assert (after["changed"], after["commands"], after["diff"]) == (False, [], [])
    assert not (await broker.ask("apply", host))["changed"]
    state = await broker.ask("state", host)
    assert state["pending"] is None
    assert (await broker.ask("verify", host))["problems"] == []
    bench.cut(host)
    bench.power(platform)
    assert state_fingerprint(await broker.ask("state", host)) == state_fingerprint(state), "everything was saved"
    secret = bench.secrets.value(f"switch/{host.name}/password")
    kept = [path.read_bytes() for path in (bench.places.lib / "sessions").iterdir()]
    assert not any(secret.encode() in each for each in (*kept, repr(applied).encode(), repr(before).encode()))


@pytest.mark.parametrize("platform", SITES)
async def test_confirmed_saved_and_rolled_back(bench: Bench, platform: str) -> None:
    host, broker = ready(bench, platform)
    before = bench.running(host)
    base = state_fingerprint(await broker.ask("state", host))
    shown = (await broker.ask("diff", host))["diff"][0]
    assert shown["before"].count("description gov") == shown["after"].count("description moved") == 2
    answer = await broker.ask("apply", host, confirm_s=30, change="c-1", base=base)
    assert answer["confirm_s"] >= 30
    assert answer["pending"]["id"] == "c-1"
    assert "moved" in bench.running(host)
    assert "moved" not in bench.saved(host)
    assert (await broker.ask("state", host))["pending"]["id"] == "c-1"
    with pytest.raises(BrokerError, match="c-1 waits for its confirmation"):
        await broker.ask("apply", host, confirm_s=30, change="c-2")
    assert (await broker.ask("confirm", host, change="c-1"))["outcome"] == "confirmed"
    assert (await broker.ask("confirm", host, change="c-1"))["outcome"] == "confirmed already"
    assert "moved" in bench.saved(host)
    state = await broker.ask("state", host)
    assert (state["pending"], state["last"]["id"], state["last"]["outcome"]) == (None, "c-1", "confirmed")

    back = await broker.ask("rollback", host, of="c-1", confirm_s=30, change="c-1-back")
    assert back["pending"]["id"] == "c-1-back"
    await broker.ask("confirm", host, change="c-1-back")
    assert same(host, bench.running(host), before)
    assert same(host, bench.saved(host), before)
    with pytest.raises(BrokerError, match="no longer as it was"):
        await broker.ask("apply", host, confirm_s=30, change="c-3", base="0" * 64)
    assert (await broker.ask("armed", host))["armed"] == []


@pytest.mark.parametrize("platform", SITES)
async def test_reverted_at_once(bench: Bench, platform: str) -> None:
    host, broker = ready(bench, platform)
    before = bench.running(host)
    await broker.ask("apply", host, confirm_s=30, change="c-1")
    assert (await broker.ask("revert", host, change="c-1"))["outcome"] == "reverted"
    assert same(host, bench.running(host), before)
    device = bench.devices[host.name]
    assert (device.pending, device.restart) == (None, None), "its timer is stopped"
    assert (await broker.ask("revert", host, change="c-1"))["outcome"] == "not pending"
    with pytest.raises(BrokerError, match="it was reverted"):
        await broker.ask("confirm", host, change="c-1")
    answer = await broker.ask("apply", host, confirm_s=30, change="c-1")
    assert answer["pending"]["id"] == "c-1", "the same change may be tried again"


@pytest.mark.parametrize("platform", SITES)
async def test_nobody_confirms_and_the_device_goes_back_by_itself(bench: Bench, platform: str) -> None:
    host, broker = ready(bench, platform)
    before = bench.running(host)
    bench.devices[host.name].settings.second_s = 0.01
    await broker.ask("apply", host, confirm_s=30, change="c-1")
    assert "moved" in bench.running(host)
    broker.kill()
    await bench.until(lambda: "moved" not in bench.running(host))
    assert same(host, bench.running(host), before)
    after = bench.broker()
    state = await after.ask("state", host)
    assert (state["pending"], state["last"]["outcome"]) == (None, "reverted")
    with pytest.raises(BrokerError, match="the device went back by itself"):
        await after.ask("confirm", host, change="c-1")
    bench.devices[host.name].settings.second_s = 1.0
    assert (await after.ask("apply", host))["changed"]


@pytest.mark.parametrize("platform", SITES)
async def test_a_refused_line_leaves_nothing(bench: Bench, platform: str) -> None:
    """Many lines, one in their midst is none of its release: all is taken back, and which line is told."""
    host, broker = ready(bench, platform)

    def spoilt(text: str) -> str:
        text = re.sub(r"description (gov|unused)\n", r"description very \1\n", text)
        return re.sub(r"( +)(description very unused\n)", r"\1\2\1flibber flabber 1\n", text, count=1)

    bench.county.edit = spoilt
    before, saved = bench.running(host), bench.saved(host)
    commands = (await broker.ask("diff", host))["commands"]
    number = commands.index("flibber flabber 1") + 1
    assert len(commands) > 50
    with pytest.raises(BrokerError) as caught:
        await broker.ask("apply", host, confirm_s=30, change="c-1")
    assert f"refuses line {number} of {len(commands)}, 'flibber flabber 1'" in caught.value.message
    assert "everything was taken back" in caught.value.message
    assert caught.value.kind == "device"
    assert same(host, bench.running(host), before)
    assert bench.saved(host) == saved
    device = bench.devices[host.name]
    assert (device.pending, device.restart) == (None, None)
    assert (await broker.ask("state", host))["pending"] is None
    assert (await broker.ask("armed", host))["armed"] == []


@pytest.mark.parametrize("platform", SITES)
async def test_verify_names_what_is_not_as_the_model_says(
    bench: Bench, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, broker = bench.power(platform), bench.broker()
    seen = await broker.ask("verify", host)
    assert (seen["failed"], seen["problems"]) == (False, [])
    uplink = next(port.label for port in host.ports if port.link == f"{host.name}-gov")
    device = bench.devices[host.name]
    monkeypatch.setattr(type(device.driver), "carrier", lambda _, name: name != uplink)
    bench.county.edit = moved
    device.startup = device.startup.replace("description unused", "description old", 1)
    problems = (await broker.ask("verify", host))["problems"]
    assert any(f"{uplink} to " in each and each.endswith(" is down") for each in problems)
    assert any("what it starts from is not what runs" in each for each in problems)
    assert any("commands away from the model" in each for each in problems)
    assert len(problems) == 3
    bench.county.edit = str
    assert (await broker.ask("apply", host))["running"] == ["saved: it would have started with something else"]
    assert same(host, bench.saved(host), bench.running(host))
    assert not (await broker.ask("apply", host))["changed"]


async def test_what_is_done_is_audited_and_commands_are_too(bench: Bench) -> None:
    host, broker = ready(bench, "huawei_vrp8")
    answer = await broker.ask("command", host, kind="cli", text="display clock")
    assert (answer["code"], "UTC" in answer["out"] or ":" in answer["out"]) == (0, True)
    assert (await broker.ask("command", host, kind="cli", text="flibber"))["code"] == 1
    with pytest.raises(BrokerError, match="expected cli"):
        await broker.ask("command", host, kind="shell", text="ls")
    shown = await broker.ask("command", host, kind="cli", text="display current-configuration")
    assert "local-user sanwang password <secret>" in shown["out"]
    with open_store(f"sqlite:///{bench.folder}/audit.db").reading() as session:
        noted = [entry.what for entry in session.scalars(select(AuditEntry))]
    assert noted.count("command") == 4, "refused ones too"


@pytest.mark.parametrize("platform", SITES)
async def test_kept_drifted_restored(bench: Bench, platform: str) -> None:
    """Its configuration in git holds no secret, a change by hand is drift, and the commit brings it back."""
    host, broker = ready(bench, platform)
    taken = await broker.ask("backup", host, hosts=[host.name])
    assert taken["commit"]
    kept = broker.devices.backups._archive.snapshot(host.name)
    assert kept is not None
    text = kept.files["running-configuration"].text
    assert f"@secret:switch/{host.name}/password@" in text
    assert "$" not in text.replace(" $\n", "\n"), "no cipher text"
    assert not (await broker.ask("drift", host))["drifted"]
    await broker.ask("apply", host)
    drift = await broker.ask("drift", host)
    assert "+" in drift["files"][0]["diff"]
    assert "description moved" in drift["files"][0]["diff"]
    looked = await broker.ask("restore", host, commit=taken["commit"], check=True)
    assert (looked["changed"], looked["new"]) == (True, False)
    await broker.ask("restore", host, commit=taken["commit"], confirm_s=30, change="r-1", base=looked["base"])
    await broker.ask("confirm", host, change="r-1")
    assert "moved" not in bench.saved(host)
    assert not (await broker.ask("drift", host))["drifted"]

    bench.cut(host)
    for name in ("startup.json", "host.key"):
        (bench.folder / host.name / name).unlink()
    bench.power(platform)
    assert (await broker.ask("restore", host, commit=taken["commit"]))["new"]
    assert not (await broker.ask("drift", host))["drifted"]
    bench.county.edit = str
    assert not (await broker.ask("diff", host))["changed"], "the commit is what the model said"


async def test_an_engineer_asks_a_switch(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``sanwang cli ask``: rows where a parser reads the answer, the switch's own words where it refuses."""
    host, broker = ready(bench, "huawei_vrp5")
    places = Places(f"zbask{os.getpid()}")
    monkeypatch.setenv("SANWANG_INSTANCE", places.instance)
    server = Server(places.broker_socket, broker.devices.methods())
    serving = asyncio.create_task(server.serve())
    try:
        await bench.until(places.broker_socket.exists)
        assert await asyncio.to_thread(_ask, host.name, "display interface brief", "a look", True) == 0
        answer = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (answer["host"], answer["platform"], answer["code"]) == (host.name, host.platform, 0)
        assert any(row["interface"] == "GigabitEthernet0/0/1" for row in answer["rows"])
        assert await asyncio.to_thread(_ask, host.name, "flibber", "", False) == 1
        assert "Unrecognized command" in capsys.readouterr().out
    finally:
        server._leaving.set()
        await serving
        shutil.rmtree(places.run, ignore_errors=True)

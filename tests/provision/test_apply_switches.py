"""A plan over the switches of five vendors through ``sanwang apply``: carried out, taken back, and all that goes wrong.

The broker, its journal, the sessions and the command are real; the switches are the twin's stand-ins on loopback, the
routers beside them are always well.
"""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import pytest

from collectors.tables import write_links
from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.broker.server import Request, Server
from provision.broker.wire import BrokerError
from provision.change import approval, planner
from provision.change.journal import Journal, Step
from provision.change.plan import Plan, county_fingerprint
from provision.platforms.base import load
from provision.render import switch as switch_render
from sanwang import apply, plan, rollback
from store.engine import open_store
from tests.provision import plans, switches
from tests.provision.switches import SITES, Bench
from twin.standins.editor import Rejected
from twin.standins.session import Session

HOSTS = [f"{site}-sw" for site in SITES.values()]
INSTANCE = "zbtest"


@dataclass
class Desk:
    """An engineer's desk before five switches."""

    bench: Bench
    tmp: Path

    @property
    def folder(self) -> Path:
        return self.bench.folder / "county"

    def client(self) -> BrokerClient:
        return BrokerClient(Places(INSTANCE).broker_socket, who="wang")

    def rename(self, word: str = " (new)") -> None:
        """Every site gets a longer English name: a change of one line on each switch."""
        sites = self.folder / "sites.yml"
        text = sites.read_text(encoding="utf-8")
        for site in SITES.values():
            head, _, tail = text.partition(f"  {site}: ")
            row, _, rest = tail.partition("\n")
            before, _, after = row.partition(", en: ")
            name, _, last = after.partition(",")
            text = f"{head}  {site}: {before}, en: {name}{word},{last}\n{rest}"
        sites.write_text(text, encoding="utf-8")

    def plan(self, hosts: list[str]) -> Path:
        """wang's plan for these switches, approved by chen, in a file."""
        county, places = County(self.folder), Places(INSTANCE)
        before, now = county_fingerprint(self.folder), datetime.now(UTC)
        looked = planner.look(self.client(), county, hosts)
        planner.require_all(looked)
        store = open_store(places.database)
        window = planner.Window(now - timedelta(minutes=1), now + timedelta(hours=1))
        try:
            with store.session() as session:
                write_links(session, dict.fromkeys(county.model.links, ("up", "", now)))
            made = planner.make_plan(
                looked, county, places, store, author="wang", why="a test", window=window, before=before
            )
        finally:
            store.close()
        signed = approval.approve(
            made, county.model, "chen", plans.KEYS["chen"], fingerprint=before, account="chen", now=now
        )
        path = self.tmp / "sw.plan"
        signed.save(path)
        return path

    def texts(self) -> dict[str, str]:
        """What each switch that has power runs, without the lines that say when it was changed."""
        shown = {name: self.bench.running(self.bench.county.host(name)) for name in self.bench.devices}
        return {name: "\n".join(row for row in text.splitlines() if row[:1] != "!") for name, text in shown.items()}

    def at_rest(self) -> None:
        """No timer runs, and each switch would start with what it runs."""
        for name, device in self.bench.devices.items():
            assert (device.pending, device.restart) == (None, None), name
            assert not device.unsaved, name
        assert self.client().call("armed")["armed"] == []


@pytest.fixture
def desk(tmp_path: Path, provisioned: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with ExitStack() as stack:
        bench = Bench(tmp_path / "bench", provisioned)
        stack.callback(bench.close)
        switches.patch(monkeypatch, bench)
        monkeypatch.setattr(Places, "lib", property(lambda _: bench.places.lib))
        monkeypatch.setattr(Places, "run", property(lambda _: tmp_path / "run"))
        monkeypatch.delenv("SANWANG_DATABASE", raising=False)
        monkeypatch.setenv("SANWANG_INSTANCE", INSTANCE)
        monkeypatch.setenv("SANWANG_WHO", "wang")
        (tmp_path / "run").mkdir()
        plans.with_people(bench.folder / "county")
        (bench.places.lib / "county").write_text(f"{bench.folder / 'county'}\n")
        stack.enter_context(_broker(bench))
        yield Desk(bench, tmp_path)


class _broker:
    """The bench's broker behind its socket."""

    def __init__(self, bench: Bench) -> None:
        self.devices = bench.broker().devices
        methods: dict[str, Callable[[Request], Any]] = self.devices.methods()

        async def verify(request: Request) -> dict[str, Any]:
            if bench.county.host(str(request.params["host"])).linux:
                return {"failed": False, "problems": []}
            answer: dict[str, Any] = await methods["verify"](request)
            return answer

        self.server = Server(Places(INSTANCE).broker_socket, {**methods, "verify": verify})
        self.thread = threading.Thread(target=self._serve)
        self.ready = threading.Event()

    def _serve(self) -> None:
        async def on_ready() -> None:
            self.ready.set()

        asyncio.run(self.server.serve(on_ready))

    def __enter__(self) -> None:
        self.thread.start()
        assert self.ready.wait(60)

    def __exit__(self, *_: object) -> None:
        BrokerClient(Places(INSTANCE).broker_socket).call("shutdown")
        self.thread.join()


def said(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """(the JSON document, what stood on stderr) of the last command."""
    out, err = capsys.readouterr()
    lines = out.strip().splitlines()
    return (json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}), err


def test_one_plan_over_five_vendors_is_applied_and_rolled_back(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for platform in SITES:
        desk.bench.power(platform)
    before = desk.texts()
    desk.rename()
    path = desk.plan(HOSTS)
    made = Plan.load(path)
    assert {device.platform for device in made.devices} == set(SITES)
    assert all(device.commands for device in made.devices)
    assert plan.main(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "commands will be typed (h3c_comware)" in shown
    assert "> snmp-server location" in shown

    assert apply.main([str(path), "--check", "--json"]) == 0
    assert desk.texts() == before
    assert apply.main([str(path), "--json"]) == 0, capsys.readouterr()
    document, _ = said(capsys)
    assert document["outcome"] == "applied"
    assert all("(new)" in text for text in desk.texts().values())
    desk.at_rest()
    assert apply.main([str(path), "--json"]) == 1
    assert "already is as the model says" in said(capsys)[1]

    assert rollback.main([str(path), "--json"]) == 0, capsys.readouterr()
    assert said(capsys)[0]["outcome"] == "rolled back"
    assert not any("(new)" in text for text in desk.texts().values())
    desk.at_rest()


def by_hand(desk: Desk, platform: str) -> None:
    """The switch starts with other words on all of its ports: many lines to put right."""
    path = desk.bench.folder / f"{SITES[platform]}-sw" / "startup.json"
    held = json.loads(path.read_text())
    held["startup"] = held["startup"].replace("description ", "description hand ")
    path.write_text(json.dumps(held))


@pytest.mark.parametrize("platform", ["ruijie_rgos", "h3c_comware", "huawei_vrp5", "zte_zxr10"])
def test_a_switch_that_refuses_line_37_of_80_is_named_and_the_whole_stage_taken_back(
    desk: Desk, platform: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand(desk, platform)
    host = desk.bench.power(platform)
    other = desk.bench.power(next(name for name in SITES if name != platform))
    before = desk.texts()
    desk.rename()
    path = desk.plan([host.name, other.name])
    count = len(Plan.load(path).device(host.name).commands)
    assert count >= 80
    device, configure, taken = desk.bench.devices[host.name], Session.configure, 0

    async def full(session: Session, depth: int, match: Any) -> None:
        nonlocal taken
        taken += session.device is device
        if session.device is device and taken == 37:
            raise Rejected(
                "Error: The hardware resources are insufficient." if platform[0] == "h" else "% No resource."
            )
        await configure(session, depth, match)

    monkeypatch.setattr(Session, "configure", full)
    assert apply.main([str(path), "--json"]) == 1
    document, err = said(capsys)
    assert document["outcome"] == "reverted"
    assert document["left"] == []
    assert f"{host.name} refuses line " in err
    assert f" of {count}, " in err
    assert "resource" in err
    assert desk.texts() == before
    desk.at_rest()


def test_a_switch_without_a_free_login_line_is_said_and_nothing_is_sent(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, other = desk.bench.power("h3c_comware"), desk.bench.power("huawei_vrp8")
    desk.rename()
    path = desk.plan([host.name, other.name])
    before = desk.texts()
    device = desk.bench.devices[host.name]
    monkeypatch.setattr(device.settings, "vtys", 0)

    async def log_everybody_out() -> None:
        for connection in list(device.connections):
            connection.abort()

    desk.bench.inside(log_everybody_out())
    assert apply.main([str(path), "--json"]) in (1, 3)
    _, err = said(capsys)
    assert f"{host.name}" in err
    assert "line" in err or "VTY" in err
    assert desk.texts() == before
    desk.at_rest()


def test_a_full_disk_of_the_controller_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for platform in ("huawei_vrp5", "zte_zxr10"):
        desk.bench.power(platform)
    desk.rename()
    path = desk.plan([f"{SITES[platform]}-sw" for platform in ("huawei_vrp5", "zte_zxr10")])
    before, add = desk.texts(), Journal.add

    def full(journal: Journal, what: str, *, stage: str = "", host: str = "", words: str = "") -> None:
        if what == "sending":
            raise OSError(errno.ENOSPC, "No space left on device", str(journal.path))
        add(journal, what, stage=stage, host=host, words=words)

    monkeypatch.setattr(Journal, "add", full)
    assert apply.main([str(path), "--json"]) == 1
    document, err = said(capsys)
    assert "the journal cannot be written" in err
    assert "No space left on device" in err
    assert document["outcome"] == "reverted"
    assert desk.texts() == before
    desk.at_rest()
    assert Step("", "sending") not in Journal(Places(INSTANCE), document["plan"]).steps


def test_an_unknown_switch_and_a_template_without_its_value_are_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = desk.bench.power("ruijie_rgos")
    desk.rename()
    path = desk.plan([host.name])
    assert plan.main(["--limit", "b99-sw"]) == 2
    assert "b99-sw" in capsys.readouterr().err
    with pytest.raises(BrokerError, match="'b99-sw' is not a host of the county; did you mean"):
        desk.client().call("state", host="b99-sw")

    folder = desk.tmp / "templates"
    shutil.copytree(Path(load("ruijie_rgos").folder) / "templates", folder)
    template = folder / "access.j2"
    template.write_text(template.read_text().replace("{{ switch.place }}", "{{ switch.palce }}"))
    lines = template.read_text().splitlines()
    number = next(at for at, line in enumerate(lines, 1) if "palce" in line)
    broken = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), undefined=jinja2.StrictUndefined)
    monkeypatch.setattr(switch_render, "_templates", lambda platform: broken)
    before = desk.texts()
    assert apply.main([str(path), "--json"]) == 2
    _, err = said(capsys)
    assert f"b03-sw: {template}:{number}: " in err
    assert "palce" in err
    assert desk.texts() == before

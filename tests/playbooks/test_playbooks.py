"""Ansible as an engineer runs it, against a broker's socket whose answers are scripted here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from inventory.load import load_model
from inventory.places import CHECKOUT, COUNTIES, Places
from provision import play
from provision.broker.client import BrokerClient
from provision.broker.server import Request, Server
from provision.broker.wire import BrokerError

TOOLS = Path(sys.executable).parent
INSTANCE = f"brp{os.getpid() % 100000}"


def ansible(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "SANWANG_INSTANCE": INSTANCE}
    return subprocess.run(
        [str(TOOLS / tool), "-i", str(CHECKOUT / "inventory" / "shili.sanwang.yml"), *arguments],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


class Broker:
    """A broker's socket with scripted answers; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def ready(self, request: Request) -> Any:
        return {"changed": False, "msg": "ready", "hosts": 71}

    async def apply(self, request: Request) -> Any:
        self.asked.append(("apply", request.params))
        host = request.params["host"]
        if host == "c1-core":
            diff = [{"path": "/etc/frr/frr.conf", "before": "a\n", "after": "b\n"}]
            shown = diff if request.params["diff"] else []
            return {"changed": True, "msg": "changed: /etc/frr/frr.conf", "diff": shown}
        if host == "c2-core":
            raise BrokerError("unreachable", "c2-core (10.32.2.1 port 22) does not answer")
        if host == "c3-core":
            raise BrokerError("device", "c3-core: device apply: zebra did not start")
        return {"changed": False, "msg": "as the model says", "diff": []}


@pytest.fixture
def places() -> Iterator[Places]:
    found = Places(INSTANCE)
    for folder in (found.run, found.lib):
        folder.mkdir(parents=True)
    (found.lib / "county").write_text(str(COUNTIES / "shili"))
    yield found
    for folder in (found.run, found.lib):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.rmdir()


@contextmanager
def listening(broker: Broker, path: Path) -> Iterator[None]:
    """The broker in a thread with a loop of its own."""
    started = threading.Event()

    async def main() -> None:
        server = Server(path, {"reload_model": broker.ready, "apply": broker.apply})

        async def on_ready() -> None:
            started.set()

        await server.serve(on_ready)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        BrokerClient(path).call("shutdown")
        thread.join(60)


def test_the_inventory_holds_every_appliance_in_its_groups() -> None:
    listed = json.loads(ansible("ansible-inventory", "--list").stdout)
    model = load_model("shili")
    assert set(listed["_meta"]["hostvars"]) == {host.name for host in model.appliances()}
    assert listed["core"]["hosts"] == ["c1-core", "c2-core", "c3-core"]
    assert f"/run/sanwang/{INSTANCE}/broker.sock" in str(listed["_meta"]["hostvars"]["c1-core"]["sanwang_broker"])


@pytest.mark.parametrize("book", sorted(path.name for path in play.PLAYBOOKS.glob("*.yml")))
def test_every_playbook_parses(book: str) -> None:
    done = ansible("ansible-playbook", "--syntax-check", f"playbooks/{book}")
    assert done.returncode == 0, done.stderr


def test_without_a_broker_the_run_stops_at_once_and_says_how_to_start_one() -> None:
    done = ansible("ansible-playbook", "playbooks/site.yml")
    assert done.returncode != 0
    assert "make up" in done.stdout
    assert "sanwang broker" in done.stdout
    assert done.stdout.count("fatal:") == 1


@pytest.mark.twin  # Places lie under /run and /var/lib
def test_a_device_that_does_not_answer_fails_alone(places: Places) -> None:
    broker, events, seen = Broker(), [], []
    with listening(broker, places.broker_socket):
        result = play.run(
            "backbone.yml", places=places, limit="core,t01-rt", diff=True, on_event=events.append,
            progress=lambda stage, done, expected: seen.append((done, expected)),
        )  # fmt: skip
    assert sorted(params["host"] for _, params in broker.asked) == ["c1-core", "c2-core", "c3-core", "t01-rt"]
    assert result.changed == ["c1-core"]
    assert not result.good
    assert {line.split(":")[0] for line in result.failures} == {"c2-core", "c3-core"}
    assert "does not answer" in "".join(result.failures)
    assert {event.host: event.outcome for event in events if event.stage == "Backbone routers"} == {
        "c1-core": "changed", "c2-core": "unreachable", "c3-core": "failed", "t01-rt": "ok",
    }  # fmt: skip
    assert next(event for event in events if event.host == "c1-core" and event.diff).diff[0]["after"] == "b\n"
    assert seen[-1] == (5, 5)  # one ready task and four hosts
    assert sorted(path.name for path in places.run.iterdir()) == []


@pytest.mark.twin
def test_check_mode_reaches_the_broker_and_nothing_else_does(places: Places) -> None:
    broker = Broker()
    with listening(broker, places.broker_socket):
        result = play.run("backbone.yml", places=places, limit="c1-core", check=True)
    assert result.good
    assert [(params["check"], params["diff"]) for _, params in broker.asked] == [(True, False)]


@pytest.mark.twin
def test_a_limit_that_matches_nothing_is_an_error_before_ansible_starts(places: Places) -> None:
    with pytest.raises(play.PlayError, match="neither a host nor a group"):
        play.run("site.yml", places=places, limit="t99-rt")
    with pytest.raises(play.PlayError, match=r"expected one of backbone\.yml"):
        play.run("sites.yml", places=places)


def test_an_instance_that_is_not_up_is_an_error() -> None:
    with pytest.raises(play.PlayError, match="is not up"):
        play.run("site.yml", places=Places("brnone"))

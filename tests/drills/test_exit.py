"""Exit, VPN access and classes of traffic on a small real county with two carriers and an IPsec partner.

One lab notebook: the tests run in their order against one instance of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from drills import exit as exit_drill
from drills import qos as qos_drill
from drills import revoke as revoke_drill
from drills import sequence
from drills.flows import Flows
from drills.lab import Lab
from drills.policy import Place
from drills.web import Conversations, Internet, user
from inventory.places import CHECKOUT, Places
from provision import play
from provision.render.qos import SHARES
from tests.drills.counties import with_two_carriers
from tests.drills.notebook import eventually
from twin import faults

pytestmark = pytest.mark.twin
INSTANCE = "zxexit"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    places = Places(INSTANCE)
    folder = with_two_carriers(tmp_path_factory.mktemp("exit") / "county")
    sequence.down(places, wipe=True)
    arrived = sequence.up(places, str(folder), sequence.Progress(), port=0, prove=False)
    try:
        assert arrived.status["ready"], arrived.status
        yield arrived.lab
    finally:
        sequence.down(places, wipe=True)


def sanwang(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SANWANG_INSTANCE": INSTANCE}
    command = [sys.executable, "-m", "sanwang", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=200
    )


def answer(*arguments: str) -> dict[str, object]:
    done = sanwang(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return document


def ready(within_s: float = 60.0) -> dict[str, object]:
    """What ``sanwang status`` says once it finds everything that is expected."""
    end = time.monotonic() + within_s
    while (done := sanwang("status", "--json")).returncode and time.monotonic() < end:
        time.sleep(1)
    assert done.returncode == 0, done.stdout
    document: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_the_exit_closes_under_running_flows_and_a_lost_carrier_is_replaced(lab: Lab) -> None:
    found = exit_drill.exit_(lab, print)
    assert found["lost_carrier"] == "n1"
    assert exit_drill.misses(found) == [], found


def test_a_closed_exit_stays_closed_whatever_restarts(lab: Lab) -> None:
    assert sanwang("exit", "close").returncode == 2
    assert answer("exit", "close", "--why", "test")["changed"] is True
    assert answer("exit", "close", "--why", "test")["changed"] is False
    place, port = user(lab.model)
    internet = Internet(lab, port)
    talk = Conversations(lab, place, internet.address)
    try:
        faults.restart_host(lab.twin, lab.model.firewall)
        eventually(lambda: _running() == "closed", "the firewall does not close the exit again", within_s=60)
        result = play.run("site.yml", places=lab.places)
        assert result.good, result.failures
        assert result.changed == []
        assert talk.opened == []
        assert "Internet exit closed by" in str(ready()["switched"])
    finally:
        began = time.monotonic()
        opened = answer("exit", "open", "--why", "test is over")
        first = talk.opened_after(began, within_s=10)
        talk.close()
        internet.close()
    assert opened["changed"] is True
    assert first is not None
    lines = sanwang("audit", "show", "--last", "20").stdout.splitlines()
    closed = [line for line in lines if "exit.closed" in line and "drill" not in line]
    assert len(closed) == 1  # asking again changed nothing
    assert "test" in closed[0]


def test_a_switch_opened_by_hand_on_the_firewall_is_found_and_closed_again(lab: Lab) -> None:
    assert answer("exit", "close", "--why", "test")["changed"] is True
    try:
        for again in ("close", ""):
            flushed = lab.twin.run(lab.model.firewall, ["nft", "flush", "chain", "inet", "exit", "forward"])
            assert flushed.returncode == 0, flushed.stderr
            assert sanwang("exit", "status").returncode == 1
            if again:
                assert answer("exit", again, "--why", "test")["changed"] is True
                assert answer("exit", "status")["agrees"] is True
        result = play.run("site.yml", places=lab.places)
        assert result.changed == [lab.model.firewall]
        assert answer("exit", "status")["agrees"] is True
    finally:
        assert answer("exit", "open", "--why", "test is over")["changed"] is True


def test_new_keys_cost_a_site_less_than_a_second(lab: Lab) -> None:
    sites = [tunnel.site for tunnel in lab.model.tunnels.values()]
    flows = Flows(lab, [revoke_drill.pair(lab.model, site) for site in sites])
    try:
        assert flows.flowing(within_s=30)
        for place, site in enumerate(sites):
            mark = flows.mark()
            answer("vpn", "rotate", site, "--why", "test")
            time.sleep(1)
            lost = flows.lost(mark)
            assert flows.lost_ms(mark) < 1000
            assert [count for at, count in enumerate(lost) if at != place] == [0] * (len(sites) - 1)
        assert flows.flowing(within_s=30)
    finally:
        flows.close()
    assert {row["state"] for row in lab.broker().call("vpn_list")["tunnels"]} == {"up"}


def test_a_revoked_site_is_gone_at_once_and_comes_back_with_new_keys(lab: Lab) -> None:
    found = revoke_drill.revoke(lab, print)
    assert {row["kind"] for row in found["sites"]} == {"wireguard", "ipsec"}
    assert revoke_drill.misses(found) == [], found


def test_a_revoked_site_stays_revoked_and_is_not_missed(lab: Lab) -> None:
    assert answer("vpn", "revoke", "v02", "--why", "test")["changed"] is True
    assert answer("vpn", "revoke", "v02", "--why", "test")["changed"] is False
    assert "VPN access of v02 revoked by" in str(ready()["switched"])
    result = play.run("site.yml", places=lab.places)
    assert result.good, result.failures
    assert "v02-cpe" not in result.hosts
    gateway = lab.broker().call("vpn_list")["tunnels"]
    assert {row["site"]: row["state"] for row in gateway}["v02"] == "revoked"


def test_a_meeting_loses_nothing_on_a_full_line(lab: Lab) -> None:
    found = qos_drill.qos(lab, print)
    assert qos_drill.misses(found) == [], found


def test_a_class_removed_by_hand_is_named_and_repaired(lab: Lab) -> None:
    removed = lab.twin.run("t01-rt", ["tc", "qdisc", "del", "dev", "p101", "root"])
    assert removed.returncode == 0, removed.stderr
    drift = lab.broker().call("state", host="t01-rt")["drift"]
    assert any(line.startswith("p101 shape: found {}") for line in drift["network"]), drift
    result = play.run("site.yml", places=lab.places)
    assert result.changed == ["t01-rt"]


def test_who_spoke_through_the_exit_is_known_and_asking_is_audited(lab: Lab) -> None:
    place, port = user(lab.model)
    internet = Internet(lab, port)
    line = lab.model.exits[0]
    try:
        with lab.socket(place.host, place.vrf, socket.SOCK_STREAM) as talking:
            talking.settimeout(5)
            talking.bind((str(place.address), 0))
            talking.connect(internet.address)
            time.sleep(1)
            inside_port = talking.getsockname()[1]
            # the kernel keeps the port where it is free
            found = answer("exit", "who", str(line.address.ip), str(inside_port), "--why", "inquiry 17")
    finally:
        internet.close()
    holder = found["holder"]
    assert isinstance(holder, dict)
    assert (holder["inside"], holder["inside_port"]) == (str(place.address), str(inside_port))
    assert found["site"] == place.site
    assert "inquiry 17" in sanwang("audit", "show", "--last", "5").stdout


def _running() -> object:
    """What the exit does now, as ``sanwang exit status`` says; None while nobody can say."""
    words = sanwang("exit", "status", "--json").stdout.splitlines()
    return json.loads(words[-1]).get("running") if words else None


def _octets(lab: Lab, share: str) -> int:
    """Octets of that share of the exit, as the firewall's agent counts them."""
    counters = lab.collected(f"/hosts/{lab.model.firewall}")["state"]["counters"]
    return int(counters.get(share, {}).get("octets", 0))


class Bulk:
    """TCP in bulk between users and the Internet: so many connections each, counted by user."""

    def __init__(self, lab: Lab, users: dict[Place, int], port: int, *, download: bool) -> None:
        self.counted = dict.fromkeys(users, 0)
        self._stop, self._lock = threading.Event(), threading.Lock()
        host = next(iter(lab.model.site_hosts(lab.model.exits[0].carrier)))
        address = next(each.ip for each in host.vrf("").loopbacks)
        self._listening = lab.socket(host.name, "", socket.SOCK_STREAM)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind((str(address), port))
        self._listening.listen(32)
        self._threads: list[threading.Thread] = []
        for place, connections in users.items():
            for _ in range(connections):
                near = lab.socket(place.host, place.vrf, socket.SOCK_STREAM)
                near.settimeout(5)
                near.bind((str(place.address), 0))
                near.connect((str(address), port))
                self._listening.setblocking(True)
                far, _ = self._listening.accept()
                far.settimeout(5)
                sender, receiver = (far, near) if download else (near, far)
                self._start(self._fill, sender)
                self._start(self._count, receiver, place)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _fill(self, sender: socket.socket) -> None:
        with sender, contextlib.suppress(OSError):
            while not self._stop.is_set():
                sender.send(bytes(65536))

    def _count(self, receiver: socket.socket, place: Place) -> None:
        with receiver, contextlib.suppress(OSError):
            while not self._stop.is_set():
                received = len(receiver.recv(65536))
                with self._lock:
                    self.counted[place] += received

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
        self._listening.close()


@pytest.mark.parametrize("download", [False, True], ids=["up", "down"])
def test_a_unit_that_opens_many_connections_gets_no_more_of_the_exit(lab: Lab, download: bool) -> None:
    ends = [lab.model.endpoint(site, "gov") for site in ("t01", "b01")]
    greedy, modest = (Place(each.site, "gov", each.host, each.vrf, each.address) for each in ends)
    bulk = Bulk(lab, {greedy: 6, modest: 1}, user(lab.model)[1], download=download)
    try:
        time.sleep(2)
        before, began = dict(bulk.counted), time.monotonic()
        time.sleep(5)
        after, lasted_s = dict(bulk.counted), time.monotonic() - began
        carried = {place.site: (after[place] - before[place]) * 8 / lasted_s for place in before}
    finally:
        bulk.close()
    rate = lab.model.links[lab.model.hosts[lab.model.firewall].port(lab.model.exits[0].port).link].rate_bps
    assert 0.6 * rate < sum(carried.values()) < rate, carried
    assert 0.35 < carried["b01"] / sum(carried.values()) < 0.65, carried
    way = "down" if download else "up"
    shares = {f"share:{lab.model.sites[site].number % SHARES}:{way}": bps for site, bps in carried.items()}
    eventually(  # the firewall's agent looks every fifteen seconds
        lambda: all(_octets(lab, share) * 8 > bps * 5 for share, bps in shares.items()),
        f"the page of the exit's users does not show {shares}",
        within_s=60,
    )

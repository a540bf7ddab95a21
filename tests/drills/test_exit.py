"""Exit, VPN access and classes of traffic on a small real county with two carriers and an IPsec partner.

One lab notebook: the tests run in their order against one instance of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from drills import exit as exit_drill
from drills import qos as qos_drill
from drills import revoke as revoke_drill
from drills import sequence
from drills.flows import Flows
from drills.lab import Lab
from drills.web import Conversations, Internet, user
from inventory.places import CHECKOUT, Places
from provision import play
from tests.drills.counties import with_two_carriers
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
        time.sleep(6)
        assert answer("exit", "status")["running"] == "closed"
        result = play.run("site.yml", places=lab.places)
        assert result.good, result.failures
        assert result.changed == []
        assert talk.opened == []
        status = answer("status")
        assert "Internet exit closed by" in str(status["switched"])
        assert answer("exit", "open", "--why", "test is over")["changed"] is True
        assert talk.opened_after(0.0, within_s=5) is not None
    finally:
        talk.close()
        internet.close()
    why = [line for line in sanwang("audit", "show", "--last", "20").stdout.splitlines() if "exit.closed" in line]
    assert len(why) == 1 + 1  # the drill's and this one's; asking again changed nothing
    assert "test" in why[-1]


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
        assert flows.flowing(within_s=15)
        for place, site in enumerate(sites):
            mark = flows.mark()
            answer("vpn", "rotate", site, "--why", "test")
            time.sleep(1)
            lost = flows.lost(mark)
            assert flows.lost_ms(mark) < 1000
            assert [count for at, count in enumerate(lost) if at != place] == [0] * (len(sites) - 1)
        assert flows.flowing(within_s=5)
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
    end = time.monotonic() + 30
    while (status := sanwang("status", "--json")).returncode and time.monotonic() < end:
        time.sleep(1)
    assert status.returncode == 0, status.stdout
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

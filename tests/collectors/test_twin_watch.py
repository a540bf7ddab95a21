"""The collector and its agents on real hosts: what happens in the network is seen, at once and by its right name."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from collectors.probe.degraded import degradations
from collectors.tables import link_states, search_events
from identity import ca
from store.base import utc_now
from store.engine import open_store
from twin import faults

from .lab import Lab, place, watched

pytestmark = pytest.mark.twin


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with watched("cowatch") as running:
        running.wait(lambda: len(settled(running)) == 0, "a county that is well", 60)
        yield running


def settled(lab: Lab) -> list[str]:
    """Problems and open faults other than the daemons this bench does not run."""
    absent = re.compile(r"service \w+ on \S+ is not there|relay")
    return [problem for problem in lab.get("/status")["problems"] if not absent.match(problem)] + list(opened(lab))


def test_everything_is_seen(lab: Lab) -> None:
    status = lab.get("/status")
    assert status["hosts"] == {"expected": 4, "ok": 4}
    assert status["ospf"] == {"expected": 2, "ok": 2}
    assert status["bfd"] == {"expected": 2, "ok": 2}
    assert status["targets"] == {"expected": 9, "ok": 9}  # 3 agents, 3 SNMP agents, 2 paths, 1 line
    assert {link["state"] for link in lab.get("/links").values()} == {"up"}


def test_a_line_that_loses_and_slows_is_told_by_its_figures(lab: Lab) -> None:
    link = lab.twin.model.links["ring-c1-c2"]

    def wrong() -> list[str]:
        return [each.kind for each in degradations(link, lab.get("/probes")["link:ring-c1-c2"])]

    lab.wait(lambda: wrong() == [], "a line that is well", 20)
    fault = faults.loss(lab.twin, "ring-c1-c2", 20)
    lab.wait(lambda: wrong() == ["loss"], "losses", 20)
    faults.heal(lab.twin, fault)
    fault = faults.rate(lab.twin, "ring-c1-c2", 10_000_000)
    lab.wait(lambda: "rate" in wrong(), "a slow line", 20)
    faults.heal(lab.twin, fault)
    lab.wait(lambda: wrong() == [], "healing", 30)


def test_cables_tell_who_is_plugged_in(lab: Lab) -> None:
    def heard() -> bool:
        lldp = lab.get("/hosts/c1-core")["state"]["lldp"]
        return {port: (value["name"], value["port"]) for port, value in lldp.items()} == {
            "p1": ("c2-core", "p1"),
            "p2": ("c3-nms", "p2"),
        }

    lab.wait(heard, "both neighbours of c1-core; a user's box says nothing", 75)  # two frames each
    lab.wait(lambda: opened(lab) == {}, "nothing is odd", 30)


def opened(lab: Lab) -> dict[str, str]:
    """Key -> kind of every open fault; daemons that this bench does not run are none."""
    rows = lab.get("/faults")["faults"]
    return {row["key"]: row["kind"] for row in rows if row["detail"].get("state") != "missing"}


def test_a_cut_fibre_is_seen_at_once_and_healing_too(lab: Lab) -> None:
    fault = faults.cut(lab.twin, "ring-c1-c2")
    lab.wait(lambda: lab.get("/links")["ring-c1-c2"]["state"] == "down", "the cut", 5)
    assert "no carrier" in lab.get("/links")["ring-c1-c2"]["reason"]
    lab.wait(lambda: "link:ring-c1-c2" in opened(lab), "the fault", 3)
    told = 'sanwang_link_fault{a="c1-core",b="c2-core",kind="ring",link="ring-c1-c2"} 1.0'
    lab.wait(lambda: told in lab.http.get("/metrics?part=fast").text, "the fault", 5)  # once it is sure
    fast = lab.http.get("/metrics?part=fast").text
    assert len(re.findall(r"sanwang_(?:link|host)_fault\{.*\} 1\.0", fast)) == 1
    faults.heal(lab.twin, fault)
    lab.wait(lambda: not settled(lab), "healing")


def test_a_silent_cut_is_seen_by_bfd(lab: Lab) -> None:
    fault = faults.silent(lab.twin, "ring-c1-c2")
    lab.wait(lambda: lab.get("/links")["ring-c1-c2"]["state"] == "down", "the silent cut", 8)
    seen = lab.get("/links")["ring-c1-c2"]
    assert "BFD" in seen["reason"]
    assert lab.get("/hosts/c1-core")["state"]["ports"]["p1"]["up"] is True
    faults.heal(lab.twin, fault)
    lab.wait(lambda: not settled(lab), "healing")


def test_a_users_box_is_judged_by_its_port(lab: Lab) -> None:
    fault = faults.cut(lab.twin, "s1-c1")
    lab.wait(lambda: lab.get("/hosts")["s1-pc"]["state"] == "down", "the PC's cable")
    faults.heal(lab.twin, fault)
    lab.wait(lambda: lab.get("/hosts")["s1-pc"]["state"] == "up", "healing")


@pytest.mark.parametrize(
    ("host", "service"), [("c1-core", "ospfd"), ("c2-core", "bfdd"), ("c1-core", "staticd"), ("c3-nms", "snmpd")]
)
def test_a_stopped_daemon_is_named(lab: Lab, host: str, service: str) -> None:
    lab.sh(host, f"sv down /etc/sanwang/sv/{service}")
    lab.wait(
        lambda: f"service {service} on {host} is stopped" in lab.get("/status")["problems"], "the stopped daemon", 5
    )
    lab.wait(lambda: opened(lab) == {f"service:{host}/{service}": "service-down"}, "the fault", 5)
    assert not re.findall(r"sanwang_link_fault\{.*\} 1\.0", lab.http.get("/metrics?part=fast").text)
    lab.sh(host, f"sv up /etc/sanwang/sv/{service}")
    lab.wait(lambda: not settled(lab), "the daemon's return", 60)


def test_a_frozen_daemon_is_named(lab: Lab) -> None:
    lab.sh("c1-core", "pkill -STOP -x ospfd")  # the host's own pid namespace: nobody else's ospfd is in it
    lab.wait(lambda: "service ospfd on c1-core is frozen" in lab.get("/status")["problems"], "the frozen daemon", 8)
    lab.sh("c1-core", "pkill -CONT -x ospfd")
    lab.wait(lambda: not settled(lab), "the daemon's return", 60)


def test_a_stopped_agent_is_no_dead_host(lab: Lab) -> None:
    lab.sh("c2-core", "sv down /etc/sanwang/sv/agent")
    lab.wait(lambda: opened(lab) == {"service:c2-core/agent": "service-down"}, "the stopped agent", 10)
    assert lab.get("/hosts")["c2-core"]["state"] == "up"
    lab.wait(lambda: "agent on c2-core is not heard" in lab.get("/status")["problems"], "its silence", 10)
    lab.sh("c2-core", "sv up /etc/sanwang/sv/agent")
    lab.wait(lambda: not settled(lab), "the agent's return", 30)


def test_the_collector_comes_back_by_itself(lab: Lab) -> None:
    lab.sh("c3-nms", "sv restart /etc/sanwang/sv/collect")
    lab.wait(lambda: not settled(lab), "the collector's return", 60)


def test_probes_have_figures_both_ways(lab: Lab) -> None:
    lab.wait(lambda: (lab.get("/probes")["c1-core-c2-core"]["sent"] or 0) > 50, "a window of probes", 20)
    # the window may still hold probes from before the lab settled
    lab.wait(lambda: lab.get("/probes")["c1-core-c2-core"]["loss_ratio"] == 0, "a window without loss", 40)
    figures = lab.get("/probes")["c1-core-c2-core"]
    assert 0 < figures["rtt_ms"] < 100
    assert figures["rtt_ms"] == pytest.approx(figures["forward_ms"] + figures["backward_ms"], abs=0.01)
    fault = faults.loss(lab.twin, "ring-c1-c2", 30.0)
    lab.wait(lambda: lab.get("/probes")["c1-core-c2-core"]["loss_ratio"] > 0.15, "loss", 30)
    faults.heal(lab.twin, fault)
    lab.wait(lambda: not settled(lab), "healing", 30)


def test_snmp_figures_of_one_device(lab: Lab) -> None:
    text = lab.http.get("/snmp?target=c1-core").text
    assert 'sanwang_snmp_up{host="c1-core"} 1\n' in text
    assert re.search(r'sanwang_port_up\{host="c1-core",port="p1",link="ring-c1-c2"\} 1\n', text)
    assert re.search(r'sanwang_memory_total_bytes\{host="c1-core"\} [1-9]', text)
    assert lab.http.get("/snmp?target=nobody").status_code == 404


def test_the_agents_own_page_is_in_its_vrf(lab: Lab) -> None:
    page = lab.sh("c3-nms", "curl -s --max-time 5 http://10.32.2.1:9100/state")
    state = json.loads(page)["state"]
    assert state["ports"]["p3"] == {"vrf": "mgmt", "up": True, "admin": True, "mtu": 1500}
    assert state["addresses"]["10.32.2.1/24@p3"]["vrf"] == "mgmt"
    metrics = lab.sh("c3-nms", "curl -s --max-time 5 http://10.32.2.1:9100/metrics")
    assert 'sanwang_agent_bfd_up{session="/172.20.0.2"} 1' in metrics


def test_agents_are_small(lab: Lab) -> None:
    for host in ("c1-core", "c2-core", "c3-nms"):
        pid = lab.sh(host, "pgrep -f 'sanwang[.]agent' | head -n 1").strip()
        kilobytes = int(lab.sh(host, f"grep ^Private_Dirty: /proc/{pid}/smaps_rollup").split()[1])
        assert kilobytes < 18_000, f"{host}: {kilobytes} kB"


def test_events_are_streamed_and_stored(lab: Lab) -> None:
    with lab.http.stream("GET", "/events", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith(":")
        fault = faults.cut(lab.twin, "s1-c1")
        event = next(json.loads(line[5:]) for line in lines if line.startswith("data:") and '"link"' in line)
    assert (event["kind"], event["subject"], event["state"]) == ("link", "s1-c1", "down")
    faults.heal(lab.twin, fault)
    lab.wait(lambda: not settled(lab), "healing")
    store = open_store(f"sqlite:///{lab.twin.places.lib}/collect.db")

    def recorded() -> bool:
        with store.reading() as session:
            rows = search_events(session, since=utc_now() - timedelta(hours=1), subject="s1-c1")
            kept = [(row.kind, row.state) for row in rows]
            state = link_states(session, no_older_than=timedelta(seconds=15))["ring-c1-c2"].state
        return kept[:2] == [("link", "up"), ("link", "down")] and state == "up"

    try:
        lab.wait(recorded, "a round of the recorder")
    finally:
        store.close()


def test_a_certificate_that_ends_soon_is_seen_on_the_disk_it_lies_on(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca, "_SERVER_LIFE", timedelta(days=3))
    short = ca.CountyCA(tmp_path).issue_server("c2-core")[1]
    place(lab.twin, "c2-core", "/etc/sanwang/tls/host.crt", short)

    def seen() -> float:
        page = lab.http.get("/metrics?part=slow").text
        found = re.search(r"sanwang_certificate_not_after_timestamp_seconds\{([^}]*)\} (\S+)", page)
        assert found is None or 'host="c2-core"' in found[1]
        return float(found[2]) - time.time() if found else 0.0

    lab.wait(lambda: 2.9 * 86400 < seen() < 3 * 86400, "the end in three days, which the rules tell as critical", 20)


def test_a_dead_router_is_one_fault(lab: Lab) -> None:
    fault = faults.kill_host(lab.twin, "c2-core")
    lab.wait(lambda: opened(lab) == {"host:c2-core": "host-down"}, "the dead router", 10)
    broken = re.findall(r"sanwang_(link|host)_fault\{(.*)\} 1\.0", lab.http.get("/metrics?part=fast").text)
    assert [kind for kind, _ in broken] == ["host"]
    faults.heal(lab.twin, fault)
    lab.wait(lambda: not settled(lab), "the router's return", 90)

"""What a running county knows of its vendors' switches by their own SNMP, traps and logs."""

from __future__ import annotations

import re
from typing import Any

from drills.lab import Lab
from inventory.model import Role
from tests.drills.notebook import active_alerts, eventually
from twin import faults

_SAMPLE = re.compile(r'^(\w+)\{host="([^"]+)"(?:,port="([^"]+)",link="([^"]*)")?[^}]*\} (\S+)$', re.MULTILINE)


def samples(lab: Lab, switch: str) -> dict[tuple[str, str, str], float]:
    """(metric, port, link) -> value, of the page of one device; of two directions the last."""
    page = lab.twin.run(lab.model.nms, ["curl", "-sf", f"http://127.0.0.1:9811/snmp?target={switch}"]).stdout
    return {
        (metric, port, link): float(value)
        for metric, host, port, link, value in _SAMPLE.findall(page)
        if host == switch
    }


def every_switch_is_polled(lab: Lab) -> None:
    """Each platform's own profile finds its board, and every cable of the model under the name of the box."""
    platforms = set()
    for switch in lab.model.by_role(Role.SWITCH):

        def board(name: str = switch.name) -> dict[tuple[str, str, str], float]:
            return {key: value for key, value in samples(lab, name).items() if key[0] == "sanwang_cpu_busy_ratio"}

        eventually(board, f"{switch.name} answers no SNMP", within_s=60)
        found = samples(lab, switch.name)
        metrics = {metric for metric, _, _ in found}
        assert {"sanwang_cpu_busy_ratio", "sanwang_temperature_celsius"} <= metrics, switch.name
        for port in switch.ports:
            assert found["sanwang_port_up", port.label, port.link] == 1.0, (switch.name, port)
        if switch.platform != "zte_zxr10":  # its MIBs know no light
            assert any(metric == "sanwang_optical_power_dbm" and link for metric, _, link in found), switch.name
        platforms.add(switch.platform)
    assert len(platforms) == 5


def a_port_counts_what_it_carries(lab: Lab, switch: str, network: str) -> None:
    """Its users' traffic is in the counters of the uplink."""
    uplink = lab.model.links[f"{switch}-{network}"]
    label = lab.model.hosts[switch].port(uplink.b.port).label
    key = ("sanwang_port_octets_total", label, uplink.name)
    before = samples(lab, switch)[key]
    users = f"{lab.model.hosts[switch].site}-pc"
    leg = next(port for port in lab.model.hosts[users].ports if port.link.endswith(network) or network in port.link)
    assert leg.address is not None
    router = str(leg.address.network[1])
    sent = lab.twin.run(
        users, ["ping", "-q", "-c", "50", "-i", "0.01", "-s", "1400", "-I", str(leg.address.ip), router]
    )
    assert sent.returncode == 0, sent.stdout
    eventually(lambda: samples(lab, switch)[key] >= before + 50 * 1400, "the port did not count", within_s=40)


def events(lab: Lab, kind: str, host: str) -> list[dict[str, Any]]:
    """Those of one host that the collector has told lately."""
    recent: Any = lab.collected("/events?recent=2000")
    return [event for event in recent if event["kind"] == kind and event["subject"] == host]


def a_cut_cable_is_told(lab: Lab, switch: str, network: str) -> None:
    """The box itself says that a port of it went dark, before and beside what its router sees."""
    uplink = lab.model.links[f"{switch}-{network}"]
    label = lab.model.hosts[switch].port(uplink.b.port).label
    fault = faults.cut(lab.twin, uplink.name)
    try:
        its_own_words_are_heard(lab, switch, label)
    finally:
        faults.heal(lab.twin, fault)
    eventually(lambda: lab.collected("/links")[uplink.name]["state"] == "up", f"{uplink.name} stayed down")
    eventually(lambda: not active_alerts(lab), f"the alert stayed after {uplink.name} was healed")


def its_own_words_are_heard(lab: Lab, switch: str, label: str) -> None:
    """The log line and the trap of a port that went down, by the port's name on the box."""
    eventually(
        lambda: [one for one in events(lab, "syslog", switch) if one["detail"].get("port") == label],
        f"no line of the log of {switch} names {label}",
    )
    eventually(
        lambda: [one for one in events(lab, "trap", switch) if one["state"] == f"linkDown {label}"],
        f"no trap of {switch} names {label}",
    )

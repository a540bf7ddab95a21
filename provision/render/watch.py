"""What lets a host be watched: snmpd with optical power, and the agent's configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from inventory.checks import lans, service_checks
from inventory.model import Host, NetworkModel, Role
from inventory.optics import FLOOR_DBM, TX_DBM, receive_dbm
from inventory.probes import ProbePath, link_paths, probe_paths, reflectors
from inventory.snmp import engine_id
from provision.environment import Environment
from provision.render.files import ConfigFile, fill, program
from provision.render.qos import inner_ports


def snmp_files(model: NetworkModel, host: Host, environment: Environment) -> Iterator[ConfigFile]:
    """snmpd: SNMPv3 authPriv only; optical power of fibre ports by a script that snmpd keeps running."""
    fibres = [port for port in host.ports if model.links[port.link].fibre and not port.vrf]
    site = model.sites[host.site]
    text = fill("snmpd.conf.j2", host=host, site=site, fibres=fibres, inform=_informs(model, host))
    yield ConfigFile("/etc/snmp/snmpd.conf", "0600", text, "snmp")
    if fibres:
        optics = {
            port.name: {
                "index": int(port.name[1:]),
                "tx_dbm": TX_DBM,
                "rx_dbm": receive_dbm(model.links[port.link].length_km),
            }
            for port in fibres
        }
        document = {"source": environment.optics, "floor_dbm": FLOOR_DBM, "ports": optics}
        yield ConfigFile("/etc/sanwang/optics.json", "0644", json.dumps(document, indent=1) + "\n", "snmp")
        yield ConfigFile("/etc/sanwang/optics.tsv", "0644", _table(optics), "snmp")
        yield ConfigFile("/etc/sanwang/bin/optics", "0755", program("optics.awk"), "snmp")


def _informs(model: NetworkModel, host: Host) -> dict[str, str] | None:
    """Where snmpd sends its informs; None where it has no road of its own.

    On a box with a management VRF snmpd answers there on a socket that it was handed, and can open none itself: what
    happens there the agent tells, in milliseconds.
    """
    nms = model.hosts[model.nms]
    if host.management_vrf or nms.management is None:
        return None
    return {"address": str(nms.management), "engine": f"0x{engine_id(nms.name).hex()}"}


def _table(optics: dict[str, dict[str, float | int]]) -> str:
    """The same for the script: port, index, transmitted and received power in hundredths of dBm."""
    rows = (
        f"{name}\t{row['index']}\t{round(row['tx_dbm'] * 100)}\t{round(row['rx_dbm'] * 100)}\n"
        for name, row in sorted(optics.items(), key=lambda item: item[1]["index"])
    )
    return "".join(rows)


def agent_files(model: NetworkModel, host: Host) -> Iterator[ConfigFile]:
    """The agent's one file."""
    nms = model.hosts[model.nms].management
    document: dict[str, Any] = {
        "host": host.name,
        "management": str(host.management),
        "management_vrf": host.management_vrf,
        "nms": str(nms),
        "collector": f"{nms}:9810",
        "reflectors": [
            {"vrf": vrf, "address": str(address), **_port(port)} for vrf, address, port in reflectors(model, host)
        ],
        "senders": [
            _sender(path) for path in (*probe_paths(model), *link_paths(model, host)) if path.host == host.name
        ],
        "lans": [{"vrf": vrf, "bridge": bridge} for vrf, bridge in lans(host)],
        "checks": [
            {
                "service": check.service,
                "kind": check.kind,
                "vrf": check.vrf,
                "source": str(check.source),
                "address": str(check.address),
                "port": check.port,
            }
            for check in service_checks(model)
            if check.host == host.name
        ],
    }
    if host.role is Role.FIREWALL and model.exits:
        document["shares"] = dict.fromkeys(inner_ports(model), "down") | {line.port: "up" for line in model.exits}
    yield ConfigFile("/etc/sanwang/agent.json", "0644", json.dumps(document, indent=1) + "\n", "agent")


def _sender(path: ProbePath) -> dict[str, str | int]:
    return {
        "name": path.name,
        "vrf": path.vrf,
        "source": str(path.source),
        "target": str(path.target),
        "interval_ms": path.interval_ms,
        **_port(path.port),
    }


def _port(name: str) -> dict[str, str]:
    """What is probed is a line, and not a path."""
    return {"port": name} if name else {}

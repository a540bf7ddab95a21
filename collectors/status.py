"""``/status``: what the model expects against what the agents, SNMP and the probes say now.  A pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from collectors.expected import Expected, ExpectedTunnel
from collectors.judge import Verdict
from collectors.view import AgentView

MAX_PROBLEMS = 300


@dataclass(slots=True)
class _Tally:
    """Counts one part of the county and says what is missing."""

    problems: list[str]
    expected: int = 0
    ok: int = 0

    def add(self, good: bool, problem: str) -> None:
        self.expected += 1
        if good:
            self.ok += 1
        else:
            self.problems.append(problem)

    def document(self) -> dict[str, int]:
        return {"expected": self.expected, "ok": self.ok}


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was measured, at one moment (``now`` monotonic seconds)."""

    now: float
    views: Mapping[str, AgentView]
    hosts: Mapping[str, Verdict]
    snmp_ok: frozenset[str] = field(default=frozenset())  # hosts whose SNMP agent answered lately


def tunnel_up(tunnel: ExpectedTunnel, view: AgentView) -> bool:
    """True when the gateway holds a live tunnel to the site's prefixes."""
    inner = set(tunnel.inner)
    if tunnel.kind == "wireguard":
        return any(
            peer.get("up") and inner & _prefixes(peer.get("allowed")) for peer in view.sections["wireguard"].values()
        )
    return any(sa.get("up") and inner & _prefixes(sa.get("remote")) for sa in view.sections["ipsec"].values())


def _prefixes(texts: Any) -> set[IPv4Network]:
    found = set()
    for text in texts if isinstance(texts, list) else ():
        try:
            found.add(IPv4Network(text))
        except ValueError:  # IPv6, or a traffic selector with a port
            continue
    return found


def probe_answers(value: Mapping[str, Any] | None) -> bool:
    """True when the path carried at least half of the last packets."""
    if value is None:
        return False
    sent, loss = value.get("sent"), value.get("loss_ratio")
    return isinstance(sent, int) and sent > 0 and isinstance(loss, (int, float)) and loss < 0.5


def assess(expected: Expected, seen: Seen) -> dict[str, Any]:
    """The document of ``GET /status``; ``problems`` names what is missing, worst first."""
    problems: list[str] = []
    parts = {
        name: _Tally(problems) for name in ("hosts", "services", "ospf", "bgp", "bfd", "tunnels", "targets", "relay")
    }
    fresh = {name: view for name, view in seen.views.items() if view.fresh(seen.now)}
    for host in expected.hosts:
        verdict = seen.hosts.get(host, Verdict("unknown", "not judged yet"))
        parts["hosts"].add(verdict.state == "up", f"host {host} is {verdict.state}: {verdict.reason}")
    for host, name in sorted(expected.services):
        view = fresh.get(host)
        service = view.value("services", name) if view else None
        words = f"is {service.get('state')}" if service else "is not there" if view else "cannot be seen"
        parts["services"].add(bool(service and service.get("up")), f"service {name} on {host} {words}")
    for section, flag in (("ospf", "full"), ("bgp", "up"), ("bfd", "up")):
        for host, key in sorted(getattr(expected, section)):
            view = fresh.get(host)
            value = view.value(section, key) if view else None
            vrf, *port, peer = key.split("/")
            where = " ".join((host, *port, *((f"(VRF {vrf})",) if vrf else ())))
            parts[section].add(bool(value and value.get(flag)), f"{section.upper()} of {where} to {peer} is not up")
    for name, tunnel in expected.tunnels.items():
        view = fresh.get(tunnel.gateway)
        parts["tunnels"].add(bool(view and tunnel_up(tunnel, view)), f"tunnel {name} ({tunnel.kind}) is not up")
    for host in expected.appliances:
        parts["targets"].add(host in fresh, f"agent on {host} is not heard")
        parts["targets"].add(host in seen.snmp_ok, f"SNMP agent on {host} does not answer")
    for host in expected.switches:
        parts["targets"].add(host in seen.snmp_ok, f"SNMP agent on {host} does not answer")
    for path, host in expected.probes.items():
        view = fresh.get(host)
        value = view.value("probes", path) if view else None
        parts["targets"].add(probe_answers(value), f"probe {path} does not come back")
    for host in expected.relays:
        view = fresh.get(host)
        parts["relay"].add(bool(view and view.service_up("relay")), f"relay on {host} does not run")
    return {
        "ready": not problems,
        **{name: tally.document() for name, tally in parts.items()},
        "problems": problems[:MAX_PROBLEMS],
    }

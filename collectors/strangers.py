"""What is there and should not be, or answers otherwise than it should: neighbours that the model does not know, DHCP
servers among the users, services that do not answer.  From the agents' words and the model; pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collectors.agent.state import Value
from collectors.view import AgentView
from inventory.model import NetworkModel


@dataclass(frozen=True, slots=True)
class Oddity:
    """One of them; ``kind`` and ``subject`` tell it from every other."""

    kind: str  # "wrong-neighbour", "rogue-dhcp" or "check-failed"
    subject: str  # "<host>/<port>", "<site>/<network>/<MAC>" or the service
    site: str
    words: str
    detail: Mapping[str, Any]  # ``host``: who tells

    @property
    def key(self) -> str:
        """Of its fault, as ``collectors.faults.diagnose.Root.key``."""
        return f"{self.kind.partition('-')[0]}:{self.subject}"


KINDS = frozenset({"wrong-neighbour", "rogue-dhcp", "check-failed"})


def wrong_neighbour(model: NetworkModel, host: str, port: str, value: Value) -> Oddity | None:
    """What LLDP heard on a port against the model: None when the right box is plugged in by the right port."""
    box = model.hosts[host]
    planned = next((each for each in box.ports if each.name == port), None)
    found = f"{value.get('name') or value.get('chassis')} {value.get('port')}"
    expected = f"{planned.peer_host} {planned.peer_port}" if planned else "nothing"
    if found == expected:
        return None
    detail = {"host": host, "port": port, "found": found, "expected": expected, "mac": value.get("mac")}
    return Oddity(
        "wrong-neighbour", f"{host}/{port}", box.site, f"{host} {port}: found {found}, expected {expected}", detail
    )


def rogue_dhcp(model: NetworkModel, host: str, value: Value) -> Oddity:
    """A DHCP server that a site's router has heard."""
    site = model.hosts[host].site
    words = f"{value.get('mac')} gives addresses as {value.get('server')} in {value.get('vrf')} at {site}"
    if value.get("port"):
        words += f", behind {host} {value['port']}"
    return Oddity("rogue-dhcp", f"{site}/{value.get('vrf')}/{value.get('mac')}", site, words, {"host": host, **value})


def failed_check(model: NetworkModel, host: str, service: str, value: Value) -> Oddity | None:
    """A hosted service that did not answer as it should, twice."""
    found = model.services.get(service)
    if found is None or value.get("up") is not False:
        return None
    site = found.backends[0].centre if found.backends else ""
    words = f"{service} ({value.get('kind')} {value.get('address')}:{value.get('port')}): {value.get('words')}"
    return Oddity("check-failed", service, site, words, {**value, "host": host})


SECTIONS = ("lldp", "dhcp", "checks")
"""Of an agent's state: what oddities are told from."""


def oddity(model: NetworkModel, host: str, section: str, key: str, value: Value | None) -> Oddity | None:
    """What is odd in one value of an agent's state; None when nothing is."""
    if value is None or host not in model.hosts:
        return None
    if section == "lldp":
        return wrong_neighbour(model, host, key, value)
    return rogue_dhcp(model, host, value) if section == "dhcp" else failed_check(model, host, key, value)


def oddities(model: NetworkModel, views: Mapping[str, AgentView], now: float) -> Iterator[Oddity]:
    """All that fresh agents tell of now."""
    for host, view in views.items():
        if view.fresh(now):
            for section in SECTIONS:
                for key, value in view.sections[section].items():
                    if (found := oddity(model, host, section, key, value)) is not None:
                        yield found

"""Which routers and cables a flow rides now: the model's walk with every decision asked of the running hosts' kernels.

``inventory.walk`` follows a packet through what is written; here each Linux host on the way is asked for its own route
(``collectors.agent.lookup``), in the VRF of the flow and, for an overlay's outer packet, in the underlay.  So what
OSPF, BFD, BGP and policy rules have done to the path is in it.  Still the model's word: cables between two ports,
vendors' switches and users' boxes (nobody of ours runs there), the firewall's policy, and which tunnel a prefix enters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from inventory.model import NetworkModel
from inventory.underlay import Carried
from inventory.walk import MAX_HOPS, County, Flow, Route, _Trip

TUNNEL_DEVICES = {"wireguard": "wg0", "ipsec": "ipsec0"}
"""As ``provision.render.network`` names them."""

Ask = Callable[[str, dict[str, str]], dict[str, Any]]
"""Host and fields of the agent's ``/route`` -> its answer; raises LookupError when the host cannot be asked."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one host said."""

    host: str
    vrf: str
    target: str
    answer: str  # "p101 via 172.20.0.202", "here", or why not


class RunningCounty(County):
    """Walks as the hosts themselves forward now; ``decisions`` tells what each said, in order."""

    def __init__(self, model: NetworkModel, ask: Ask) -> None:
        super().__init__(model)
        self._ask = ask
        self.decisions: list[Decision] = []
        self.wiring.underlay.carry = self._carry  # type: ignore[method-assign]

    def _lookup(self, trip: _Trip) -> Route | None:
        host, vrf = trip.space
        if not self._asked(host):
            return super()._lookup(trip)
        flow = trip.flow
        fields = {"vrf": vrf, "to": str(flow.target)}
        came = trip.came.name if trip.came is not None else self._tunnel_device(trip)
        if came:  # what the host itself sends has no way in
            fields |= {"from": str(flow.source), "iif": came}
        if flow.protocol in ("tcp", "udp"):
            fields |= {"protocol": flow.protocol, "dport": str(flow.port)}
        answer = self._told(host, fields)
        if answer.get("kind") != "unicast":
            return None
        out = next((each for each in self.wiring.interfaces[trip.space] if each.name == answer.get("device")), None)
        if out is None:
            return super()._lookup(trip)  # a tunnel's device: the model knows whose
        via = IPv4Address(answer["gateway"]) if "gateway" in answer else None
        return Route(IPv4Network((flow.target, 32)), 0, 0, out, via, ruled=True)

    def _carry(self, source: str, target: IPv4Address) -> Carried | None:
        """An overlay's outer packet, from router to router until one takes it."""
        loopback = self.model.hosts[source].loopback
        host, came = source, ""
        links: list[str] = []
        for _ in range(MAX_HOPS):
            fields = {"vrf": "", "to": str(target), "protocol": "udp", "dport": "4789"}
            if came:
                fields |= {"from": str(loopback), "iif": came}
            answer = self._told(host, fields)
            if answer.get("kind") == "local":
                return Carried(host, tuple(links))
            port = next((each for each in self.model.hosts[host].ports if each.name == answer.get("device")), None)
            if port is None:
                return None
            links.append(port.link)
            host, came = port.peer_host, port.peer_port
        return None

    def _tunnel_device(self, trip: _Trip) -> str:
        """Device by which a packet has come out of a tunnel; "" when it has not."""
        if len(trip.hops) < 2:
            return ""
        host = trip.space[0]
        for tunnel in self.model.live_tunnels():
            theirs = {tunnel.gateway: tunnel.inner, tunnel.host: tunnel.remote}.get(host, ())
            if any(trip.flow.source in prefix for prefix in theirs):
                return TUNNEL_DEVICES[tunnel.kind]
        return ""

    def _asked(self, host: str) -> bool:
        found = self.model.hosts[host]
        return found.appliance and found.linux

    def _told(self, host: str, fields: dict[str, str]) -> dict[str, Any]:
        answer = self._ask(host, fields)
        words = str(answer.get("error") or answer.get("kind"))
        if answer.get("kind") == "unicast":
            words = f"{answer.get('device')}" + (f" via {answer['gateway']}" if "gateway" in answer else "")
        self.decisions.append(Decision(host, fields["vrf"], fields["to"], words))
        return answer


def ends(model: NetworkModel, word: str, network: str) -> tuple[str, str, IPv4Address]:
    """(host, VRF, address) of a site, hall, service, host or address as people name it, in a network.

    Raises:
        LookupError: nothing of that name, or not in that network.
    """
    if word in model.services:
        service = model.services[word]
        return service.backends[0].host, "", service.address
    if word in model.halls:
        hall = model.halls[word]
        return hall.host, "", hall.address
    if word in model.sites:
        endpoint = next((each for each in model.endpoints if (each.site, each.network) == (word, network)), None)
        if endpoint is None:
            raise LookupError(f"{word} has no users in {network}")
        return endpoint.host, endpoint.vrf, endpoint.address
    prefix = model.networks[network].prefix if network in model.networks else IPv4Network("0.0.0.0/0")
    for host in model.hosts.values():
        for vrf in host.vrfs:
            addresses = [bridge.address for bridge in vrf.bridges]
            addresses += [port.address for port in host.ports if port.vrf == vrf.name and port.address]
            for address in addresses:
                if word == str(address.ip) or (word == host.name and address.ip in prefix):
                    return host.name, vrf.name, address.ip
    raise LookupError(f"{word}: found nothing of that name or address in {network}")


def traced(model: NetworkModel, ask: Ask, flow: Flow) -> dict[str, Any]:
    """``{"verdict", "hops": [{"host", "vrf"}], "links", "decisions"}`` of one flow, one way."""
    county = RunningCounty(model, ask)
    walk = county.walk(flow)
    return {
        "from": str(flow.source),
        "to": str(flow.target),
        "verdict": walk.verdict,
        "hops": [{"host": host, "vrf": vrf} for host, vrf in walk.hops],
        "links": list(walk.links),
        "decisions": [
            {"host": each.host, "vrf": each.vrf, "to": each.target, "answer": each.answer} for each in county.decisions
        ],
    }

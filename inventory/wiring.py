"""Who hears whom: every interface with an address, and the LAN segments that join them.

A *space* is a routing table of its own: a host and one of its VRFs ("" is the host's default one).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from inventory.model import Host, NetworkModel, Service, Vxlan
from inventory.underlay import Underlay

Space = tuple[str, str]
Node = tuple[str, str, str]  # host, VRF, name of a bridge or of a routed port


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface with an address in a space."""

    host: str
    vrf: str
    name: str
    address: IPv4Interface
    vxlan: Vxlan | None = None  # an overlay: neighbours are found by its fdb, not on a segment

    @property
    def space(self) -> Space:
        """Whose routing table it belongs to."""
        return (self.host, self.vrf)


class Wiring:
    """Interfaces and segments of a county with some links cut and some hosts dead."""

    def __init__(self, model: NetworkModel, cut: Collection[str] = (), dead: Collection[str] = ()) -> None:
        self.model = model
        self.cut, self.dead = frozenset(cut), frozenset(dead)
        self.underlay = Underlay(model, cut, dead)
        self.interfaces: dict[Space, list[Interface]] = {}
        self.local: dict[Space, set[IPv4Address]] = {}
        self._near: dict[Node, list[tuple[Node, str]]] = {}
        self._stretched: dict[str, list[Node]] = {}  # bridge name -> the same bridge at every centre
        for host in model.hosts.values():
            if host.name not in self.dead:
                self._add_host(host)
        for service in model.services.values():
            self._place(service)

    def alive(self, link: str) -> bool:
        """True when the link is whole and both its hosts live."""
        ends = self.model.links[link].ends
        return link not in self.cut and not any(end.host in self.dead for end in ends)

    def neighbour(self, out: Interface, target: IPv4Address) -> tuple[Interface, tuple[str, ...]] | None:
        """Who answers for an address beyond an interface, and the links on the way."""
        if out.vxlan is not None:
            return self._over(out, out.vxlan, target)
        start: Node = (out.host, out.vrf, out.name)
        seen: set[Node] = {start}
        queue: deque[tuple[Node, tuple[str, ...]]] = deque([(start, ())])
        while queue:
            node, links = queue.popleft()
            for interface in self.interfaces.get(node[:2], ()):
                if interface.name == node[2] and node != start and self._holds(interface, target):
                    return interface, links
            for peer, link in self._near.get(node, ()):
                if peer not in seen:
                    seen.add(peer)
                    queue.append((peer, (*links, link)))
            for peer in self._stretched.get(node[2], ()):
                if node in self._stretched[node[2]] and peer not in seen:
                    loopback = self.model.hosts[peer[0]].loopback
                    carried = self.underlay.carry(node[0], loopback) if loopback else None
                    if carried is not None:
                        seen.add(peer)
                        queue.append((peer, (*links, *carried.links)))
        return None

    def _holds(self, interface: Interface, target: IPv4Address) -> bool:
        if interface.address.ip == target:
            return True
        return target in interface.address.network and target in self.local[interface.space]

    def _over(self, out: Interface, vxlan: Vxlan, target: IPv4Address) -> tuple[Interface, tuple[str, ...]] | None:
        """Through an overlay: address -> MAC -> VTEP -> router, which must own that MAC on the same VNI."""
        mac = dict(vxlan.neighbours).get(target)
        vtep = dict(vxlan.fdb).get(mac) if mac else None
        carried = self.underlay.carry(out.host, vtep) if vtep else None
        if carried is None:
            return None
        for vrf in self.model.hosts[carried.host].vrfs:
            for interface in self.interfaces.get((carried.host, vrf.name), ()):
                theirs = interface.vxlan
                if theirs is not None and theirs.vni == vxlan.vni and theirs.mac == mac:
                    return interface, carried.links
        return None

    def _add_host(self, host: Host) -> None:
        for vrf in host.vrfs:
            space = (host.name, vrf.name)
            found = [Interface(*space, bridge.name, bridge.address) for bridge in vrf.bridges]
            found += [Interface(*space, item.name, item.address, item) for item in vrf.vxlans if item.address]
            found += [
                Interface(*space, port.name, port.address)
                for port in host.ports
                if port.vrf == vrf.name and port.address and self.alive(port.link)
            ]
            self.interfaces[space] = found
            self.local[space] = {item.address.ip for item in found} | {item.ip for item in vrf.loopbacks}
            for bridge in vrf.bridges:
                if bridge.vxlan:
                    self._stretched.setdefault(bridge.name, []).append((*space, bridge.name))
        for port in host.ports:
            if self.alive(port.link):
                peer = self.model.hosts[port.peer_host].port(port.peer_port)
                node = (host.name, port.vrf, port.bridge or port.name)
                self._near.setdefault(node, []).append(
                    ((port.peer_host, peer.vrf, peer.bridge or peer.name), port.link)
                )

    def _place(self, service: Service) -> None:
        """A VRRP address is held by the highest backend that lives and hears its centre's router."""
        for backend in service.backends:
            for interface in self.interfaces.get((backend.host, ""), ()):
                if interface.address.ip == backend.address and f"{backend.centre}-core" not in self.dead:
                    self.local[(backend.host, "")].add(service.address)
                    return

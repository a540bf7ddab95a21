"""Who answers for an address beyond an interface: LAN segments, overlays, tunnels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from provision.prove.world import Interface, Key, Node, World

Carry = Callable[[str, int, int], str | None]
"""(host, own VTEP, far VTEP) -> the host that takes VXLAN packets sent there, None when none does."""
FLOOD = "00:00:00:00:00:00"


class Segments:
    """Neighbours of every interface; what travels in VXLAN needs the underlay to carry it."""

    def __init__(self, world: World, carry: Carry) -> None:
        self.world = world
        self.carry = carry
        self._owners: dict[Node, dict[int, tuple[Key, str]]] = {}
        self._vteps: dict[tuple[str, int], list[tuple[Key, Interface]]] = {}
        self._members: dict[Node, list[Interface]] = {}
        self._ports: dict[Node, list[str]] = {}
        for space in world.spaces.values():
            for interface in space.interfaces.values():
                node = (*space.key, interface.master or interface.name)
                if interface.kind == "vxlan":
                    self._vteps.setdefault((space.key[0], interface.vni), []).append((space.key, interface))
                    if interface.master:
                        self._members.setdefault(node, []).append(interface)
                elif interface.kind == "port":
                    self._ports.setdefault(node, []).append(interface.name)

    def hears(self, key: Key, device: str, address: int) -> tuple[Key, str] | None:
        """The space and interface that answer for an address."""
        return self.owners(key, device).get(address)

    def owners(self, key: Key, device: str) -> dict[int, tuple[Key, str]]:
        """address -> (space, interface) of everybody who is heard on an interface."""
        node = (*key, device)
        if node not in self._owners:
            interface = self.world.spaces[key].interfaces[device]
            routed = interface.kind == "vxlan" and not interface.master
            self._owners[node] = self._overlay(key, interface) if routed else self._segment(node)
        return self._owners[node]

    def _overlay(self, key: Key, interface: Interface) -> dict[int, tuple[Key, str]]:
        """A routed overlay: address -> MAC -> VTEP -> the interface with that MAC and VNI there."""
        macs = dict(reversed(interface.fdb))
        found = {}
        for address, mac in interface.neighbours.items():
            host = self.carry(key[0], interface.local, macs[mac]) if mac in macs else None
            for far, theirs in self._vteps.get((host or "", interface.vni), ()):
                if theirs.mac == mac:
                    found[address] = (far, theirs.name)
        return found

    def _segment(self, start: Node) -> dict[int, tuple[Key, str]]:
        """Everybody on the LAN that a bridge or a routed port is part of."""
        found: dict[int, tuple[Key, str]] = {}
        seen = {start}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            if node != start:
                space = self.world.spaces[node[:2]]
                for address, name in space.local.items():
                    if name == node[2]:
                        found.setdefault(address, (space.key, name))
            for peer in self._beside(node):
                if peer not in seen:
                    seen.add(peer)
                    queue.append(peer)
        return found

    def _beside(self, node: Node) -> list[Node]:
        found = []
        for port in self._ports.get(node, ()):
            far = self.world.cables.get((node[0], port))
            if far in self.world.where:
                found.append(self.world.where[far])
        for vxlan in self._members.get(node, ()):
            for mac, vtep in vxlan.fdb:
                host = self.carry(node[0], vxlan.local, vtep) if mac == FLOOD else None
                for key, theirs in self._vteps.get((host or "", vxlan.vni), ()):
                    if theirs.master:
                        found.append((*key, theirs.master))
        return found

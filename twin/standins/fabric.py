"""The switching part on Linux: what the running configuration says, made true in a network namespace.

One bridge for each VLAN there is; a port is a member of the bridge of the VLAN whose frames it carries without a tag;
VLAN interfaces' addresses and static routes are on the bridges. There are no tags here: what a trunk carries beside its
untagged VLAN goes nowhere. An interface of a VPN instance or VRF is in the namespace's one table, for a switch at the
access has no other than management.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.standins.dialect import Dialect
    from twin.standins.tree import Node

_SIOCGIFFLAGS, _IFF_RUNNING = 0x8913, 0x40
_BRIDGE = "mcast_snooping 0 stp_state 0"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a namespace looks like.

    vlans: numbers of the VLANs that exist. members: VLAN by Linux interface. down: Linux interfaces that are shut.
    addresses: (Linux interface, address). routes: (prefix, next hop), only those whose next hop is connected.
    """

    vlans: frozenset[int] = frozenset()
    members: Mapping[str, int] = field(default_factory=dict)
    down: frozenset[str] = frozenset()
    addresses: frozenset[tuple[str, IPv4Interface]] = frozenset()
    routes: frozenset[tuple[IPv4Network, IPv4Address]] = frozenset()


def bridge(vlan: int) -> str:
    """Name of a VLAN's bridge."""
    return f"vlan{vlan}"


def shape(
    dialect: Dialect, root: Node, links: Mapping[str, str], fixed: Iterable[tuple[str, IPv4Interface]] = ()
) -> Shape:
    """The namespace that a configuration asks for.

    links: Linux interface by port. fixed: addresses that are there whatever the configuration says.
    """
    vlans = dialect.vlan_numbers(root)
    members: dict[str, int] = {}
    down = set()
    for port, link in links.items():
        vlan = dialect.untagged_vlan(root, port)
        if vlan in vlans:
            members[link] = vlan
        if dialect.is_shut(root, port):
            down.add(link)
    addresses = set(fixed)
    for name, address in dialect.addresses(root):
        vlan = dialect.vlan_of_interface(name)
        if vlan is not None and vlan in vlans:
            addresses.add((bridge(vlan), address))
        elif vlan is None and name in links and links[name] not in members:
            addresses.add((links[name], address))
    connected = [address.network for link, address in addresses if link not in down]
    routes = {(prefix, hop) for prefix, hop in dialect.next_hops(root) if any(hop in network for network in connected)}
    return Shape(vlans, members, frozenset(down), frozenset(addresses), frozenset(_one_each(routes)))


def _one_each(routes: set[tuple[IPv4Network, IPv4Address]]) -> Iterator[tuple[IPv4Network, IPv4Address]]:
    """One next hop for each prefix, the lowest: there is no load sharing here."""
    best: dict[IPv4Network, IPv4Address] = {}
    for prefix, hop in routes:
        best[prefix] = min(hop, best.get(prefix, hop))
    return iter(best.items())


def steps(now: Shape, wanted: Shape, links: Iterable[str], mac: str) -> list[str]:
    """The ``ip`` commands from one shape to another."""
    lines: list[str] = []
    gone, come = now.vlans - wanted.vlans, wanted.vlans - now.vlans
    ends = {bridge(vlan) for vlan in gone}
    lines += [f"link set dev {link} down" for link in sorted(wanted.down - now.down)]
    lost = sorted(now.addresses - wanted.addresses, key=str)
    lines += [f"address del {address} dev {link}" for link, address in lost if link not in ends]
    lines += [f"link set dev {link} nomaster" for link in sorted(set(now.members) - set(wanted.members))]
    lines += [f"link del dev {name}" for name in sorted(ends)]
    lines += [f"link add name {bridge(vlan)} address {mac} up type bridge {_BRIDGE}" for vlan in sorted(come)]
    for link, vlan in sorted(wanted.members.items()):
        if now.members.get(link) != vlan:
            lines.append(f"link set dev {link} master {bridge(vlan)}")
    new = sorted(wanted.addresses - now.addresses, key=str)
    lines += [f"address add {address} dev {link}" for link, address in new]
    up = sorted((set(links) - wanted.down) & now.down)
    lines += [f"link set dev {link} up" for link in up]
    if (now.routes, now.addresses) != (wanted.routes, wanted.addresses) or {link for link, _ in wanted.addresses} & {
        *up,
        *wanted.down,
    }:
        lines += ["route flush proto static table main"] if now.routes else []
        lines += [f"route replace {prefix} via {hop} proto static" for prefix, hop in sorted(wanted.routes, key=str)]
    return lines


@dataclass(slots=True)
class Fabric:
    """Keeps the namespace that the process is in as the running configuration says.

    links: Linux interface by port of the device; every other port has no cable. mac: of every VLAN interface.
    fixed: as in :func:`shape`. The interfaces are down, without master and address when the device gets its power.
    """

    links: dict[str, str]
    mac: str
    fixed: tuple[tuple[str, IPv4Interface], ...] = ()
    failures: int = 0
    now: Shape | None = None

    async def start(self, dialect: Dialect, root: Node, ports: Iterable[str]) -> None:
        """Power is back."""
        await self.follow(dialect, root, ports)

    async def follow(self, dialect: Dialect, root: Node, ports: Iterable[str]) -> None:
        """Make the namespace what a configuration says. What goes wrong is said on stderr and counted."""
        await self._become(shape(dialect, root, self.links, self.fixed))

    def plugged(self, links: Mapping[str, str]) -> None:
        """More cables: they are down until the configuration is followed again."""
        new = {port: link for port, link in links.items() if link not in self.links.values()}
        self.links |= new
        if self.now is not None:
            self.now = replace(self.now, down=self.now.down | {*new.values()})

    async def off(self) -> None:
        """Without power: no port, no VLAN, no address."""
        await self._become(self._dark())

    def _dark(self) -> Shape:
        return Shape(down=frozenset(self.links.values()))

    async def _become(self, wanted: Shape) -> None:
        now = self._dark() if self.now is None else self.now
        said = await self._ip(steps(now, wanted, self.links.values(), self.mac))
        if said:  # Somebody else was at work in the namespace: once more, from nothing.
            self.failures += 1
            print(f"standins: the namespace is not as it was left: {said}", file=sys.stderr, flush=True)
            await self._ip(self._clean(now, wanted), force=True)
            said = await self._ip(steps(self._dark(), wanted, self.links.values(), self.mac))
            if said:
                self.failures += 1
                print(f"standins: {said}", file=sys.stderr, flush=True)
        self.now = wanted

    def _clean(self, *shapes: Shape) -> list[str]:
        """Whatever may be there goes."""
        lines = [f"link del dev {bridge(vlan)}" for vlan in sorted(frozenset().union(*[one.vlans for one in shapes]))]
        for link in self.links.values():
            lines += [f"link set dev {link} down nomaster", f"address flush dev {link}"]
        return lines

    @staticmethod
    async def _ip(lines: list[str], *, force: bool = False) -> str:
        """Run ``ip`` commands in one process; what it complains of."""
        if not lines:
            return ""
        words = ["ip", *(["-force"] if force else []), "-batch", "-"]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=pipe, stdout=asyncio.subprocess.DEVNULL, stderr=pipe
            )
            _, said = await process.communicate(("\n".join(lines) + "\n").encode())
        except OSError as error:
            return str(error)
        text = " ".join(said.decode(errors="replace").split())
        return text or f"exit code {process.returncode}" if process.returncode else ""

    def carrier(self, port: str) -> bool:
        """Has a port a live cable?"""
        return port in self.links and running(self.links[port])


def running(link: str) -> bool:
    """Is an interface of this process's network namespace up, with carrier?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, struct.pack("16sh14x", link.encode()[:15], 0))
        except OSError:
            return False
    return bool(struct.unpack("16sh14x", answer)[1] & _IFF_RUNNING)

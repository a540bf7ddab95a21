"""What a provisioned host must show in band, from the model alone, and what its answer says: pure functions.

One shell line asks a host everything (``question``); ``problems`` compares the answer with the model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inventory.model import Host, NetworkModel, Role, Tunnel

MARK = "=====sanwang"
"""Line that starts each part of the answer; the part's name follows it."""

_ASK_SERVICES = "sv status /etc/sanwang/sv/*/ 2>&1"


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be there."""

    ospf: tuple[tuple[str, str], ...]  # (neighbour's router id, its host)
    bgp: tuple[tuple[str, str, str], ...]  # (VRF, neighbour's address, its host)
    bfd: tuple[tuple[str, str], ...]  # (peer address, its host)
    wireguard: tuple[Tunnel, ...]
    ipsec: tuple[Tunnel, ...]
    services: tuple[str, ...]  # names of the supervisor's services

    @property
    def count(self) -> int:
        """How many single things are checked."""
        tunnels = len(self.wireguard) + len(self.ipsec)
        return len(self.ospf) + len(self.bgp) + len(self.bfd) + tunnels + len(self.services)


def expected(model: NetworkModel, host: Host, services: Sequence[str]) -> Expected:
    """The host's neighbours, tunnels and services; ``services`` come from its rendered files."""
    ospf: list[tuple[str, str]] = []
    bgp: list[tuple[str, str, str]] = []
    bfd: list[tuple[str, str]] = []
    for port in host.ports:
        if not port.ospf:
            continue
        peer = model.hosts[port.peer_host]
        if peer.loopback is not None:
            ospf.append((str(peer.loopback), peer.name))
        far = peer.port(port.peer_port).address
        if port.bfd_ms and far is not None:
            bfd.append((str(far.ip), peer.name))
    for vrf in host.vrfs if host.role is Role.CORE else ():
        overlays = set(vrf.ospf_interfaces)
        if not vrf.name or not overlays:
            continue
        for peer in model.by_role(Role.CORE):
            other = next((each for each in peer.vrfs if each.name == vrf.name), None)
            if peer is host or other is None:
                continue
            far_ends = [vxlan.address for vxlan in other.vxlans if vxlan.name in overlays]
            bgp += [(vrf.name, str(address.ip), peer.name) for address in far_ends if address is not None]
    bfd += [(address, peer) for _, address, peer in bgp]
    mine = [tunnel for tunnel in model.live_tunnels() if host.name in (tunnel.host, tunnel.gateway)]
    return Expected(
        tuple(ospf),
        tuple(bgp),
        tuple(bfd),
        tuple(tunnel for tunnel in mine if tunnel.kind == "wireguard"),
        tuple(tunnel for tunnel in mine if tunnel.kind == "ipsec"),
        tuple(services),
    )


def question(want: Expected) -> str:
    """The one shell line that asks for everything in ``want``."""
    parts = [f"echo '{MARK} services'; {_ASK_SERVICES}"]
    if want.ospf:
        parts.append(f"echo '{MARK} ospf'; vtysh -c 'show ip ospf neighbor json'")
    if want.bgp:
        parts.append(f"echo '{MARK} bgp'; vtysh -c 'show bgp vrf all summary json'")
    if want.bfd:
        parts.append(f"echo '{MARK} bfd'; vtysh -c 'show bfd peers json'")
    if want.wireguard:
        parts.append(f"echo '{MARK} wireguard'; wg show all latest-handshakes; wg show all allowed-ips")
    if want.ipsec:
        parts.append(f"echo '{MARK} ipsec'; swanctl --list-sas 2>&1")
    return "; ".join(parts)


def sections(answer: str) -> dict[str, str]:
    """The answer cut at its marks: name -> text."""
    found: dict[str, str] = {}
    name = ""
    for line in answer.splitlines():
        if line.startswith(MARK):
            name = line.removeprefix(MARK).strip()
            found[name] = ""
        elif name:
            found[name] += line + "\n"
    return found


def problems(want: Expected, answer: str, host: str) -> list[str]:
    """What is missing, a line each; empty when all of it is there."""
    parts = sections(answer)
    return [
        *_services(want, parts.get("services", "")),
        *_ospf(want, parts.get("ospf", "")),
        *_bgp(want, parts.get("bgp", "")),
        *_bfd(want, parts.get("bfd", "")),
        *_wireguard(want, parts.get("wireguard", ""), host),
        *_ipsec(want, parts.get("ipsec", "")),
    ]


def _services(want: Expected, text: str) -> list[str]:
    running = set()
    for line in text.splitlines():
        if line.startswith("run:") and line.count(":") >= 2:  # runit: "run: /etc/sanwang/sv/sshd/: (pid 12) 5s"
            running.add(line.split(":")[1].strip().rstrip("/").rpartition("/")[2])
    return [f"service {name}: expected running, found down" for name in want.services if name not in running]


def _ospf(want: Expected, text: str) -> list[str]:
    neighbours = _json(text).get("neighbors", {}) if want.ospf else {}
    lines = []
    for router_id, peer in want.ospf:
        found = [str(each.get("nbrState", each.get("state", ""))) for each in neighbours.get(router_id, ())]
        if not any(state.startswith("Full") for state in found):
            state = found[0] if found else "no neighbour"
            lines.append(f"OSPF to {peer} ({router_id}): expected Full, found {state}")
    return lines


def _bgp(want: Expected, text: str) -> list[str]:
    document = _json(text) if want.bgp else {}
    lines = []
    for vrf, address, peer in want.bgp:
        peers = document.get(vrf, {}).get("ipv4Unicast", {}).get("peers", {})
        state = peers.get(address, {}).get("state", "no neighbour")
        if state != "Established":
            lines.append(f"BGP in network {vrf} to {peer} ({address}): expected Established, found {state}")
    return lines


def _bfd(want: Expected, text: str) -> list[str]:
    if not want.bfd:
        return []
    states = {str(peer.get("peer")): str(peer.get("status")) for peer in _list(text) if isinstance(peer, dict)}
    return [
        f"BFD to {peer} ({address}): expected up, found {states.get(address, 'no session')}"
        for address, peer in want.bfd
        if states.get(address) != "up"
    ]


def _wireguard(want: Expected, text: str, host: str) -> list[str]:
    if not want.wireguard:
        return []
    handshakes: dict[str, int] = {}
    owners: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 3:
            continue
        if fields[2].isdigit():
            handshakes[fields[1]] = int(fields[2])
        else:
            owners |= dict.fromkeys(fields[2].split(), fields[1])
    lines = []
    for tunnel in want.wireguard:
        prefixes = tunnel.inner if host == tunnel.gateway else tunnel.remote
        peer = next((owners[str(prefix)] for prefix in prefixes if str(prefix) in owners), "")
        if not peer:
            lines.append(f"tunnel {tunnel.name}: expected a WireGuard peer for {prefixes[0]}, found none")
        elif not handshakes.get(peer):
            lines.append(f"tunnel {tunnel.name}: expected a handshake, found none yet")
    return lines


def _ipsec(want: Expected, text: str) -> list[str]:
    return [
        f"tunnel {tunnel.name}: expected an installed IPsec association for {tunnel.inner[0]}, found none"
        for tunnel in want.ipsec
        if "INSTALLED" not in text or not any(str(prefix) in text for prefix in tunnel.inner)
    ]


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _list(text: str) -> list[Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return []
    return document if isinstance(document, list) else []

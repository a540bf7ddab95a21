"""DHCP servers in the users' LANs that nobody planned: the county gives no addresses by DHCP, whoever answers is one.

A socket on each ``lan-`` bridge hears what servers say to everybody (udp 67 to 68), and every few minutes a
DHCPDISCOVER (RFC 2131, section 4.4.1) asks who is there: with the broadcast flag, so that the answer is heard; nobody
takes the offer, so no lease comes of it.  Figures: section ``dhcp``, key ``<vrf>/<server's MAC>``:
``{"vrf", "lan", "mac", "server", "offered", "port"}``; gone when it has been silent for three questions.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import subprocess
from ipaddress import IPv4Address
from typing import NamedTuple

from collectors.agent.frames import JUMP_EQUAL, LOAD_BYTE, LOAD_HALF, RETURN, device_mac, mac_text, packet_socket
from collectors.agent.state import AgentState
from collectors.agent.vrf import NETNS_FOLDER, identity

ASK_S = 300.0
FORGET_S = 3 * ASK_S
_FIRST_S = 20.0  # after the start: bridges and their users are there
_ETHERTYPE = 0x0800
_ETHERNET, _UDP_HEADER, _BOOTP = 14, 8, 236
_COOKIE = bytes.fromhex("63825363")  # RFC 2131, section 3
_SERVER, _CLIENT = 67, 68
_MESSAGE_TYPE, _SERVER_ID, _END, _PAD = 53, 54, 255, 0  # RFC 2132
_DISCOVER, _OFFER, _ACK = 1, 2, 5

FILTER = (
    (LOAD_BYTE, 0, 0, _ETHERNET + 9),
    (JUMP_EQUAL, 0, 5, socket.IPPROTO_UDP),
    (LOAD_HALF, 0, 0, _ETHERNET + 20),  # a header with options is none of a DHCP server's
    (JUMP_EQUAL, 0, 3, _SERVER),
    (LOAD_HALF, 0, 0, _ETHERNET + 22),
    (JUMP_EQUAL, 0, 1, _CLIENT),
    (RETURN, 0, 0, 0xFFFF),
    (RETURN, 0, 0, 0),
)


class BadOffer(ValueError):
    """Not an answer of a DHCP server."""


class Offer(NamedTuple):
    """What a server says."""

    mac: str  # of the frame
    server: str  # its identifier, or the packet's source
    offered: str  # address it would give


def discover(mac: bytes, transaction: int) -> bytes:
    """A DHCPDISCOVER as a whole frame to everybody."""
    bootp = struct.pack("!4BIHH16s16s64s128s", 1, 1, 6, 0, transaction, 0, 0x8000, b"", mac, b"", b"")
    payload = bootp + _COOKIE + bytes([_MESSAGE_TYPE, 1, _DISCOVER, _END])
    payload += bytes(300 - len(payload))  # what RFC 1542, section 2.1 calls the least
    udp = struct.pack("!4H", _CLIENT, _SERVER, _UDP_HEADER + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + head[12:]
    return b"\xff" * 6 + mac + struct.pack("!H", _ETHERTYPE) + head + udp


def parse(frame: bytes) -> Offer:
    """A whole frame that ``FILTER`` let through.

    Raises:
        BadOffer: no offer or acknowledgement of a DHCP server.
    """
    start = _ETHERNET + 20 + _UDP_HEADER
    if len(frame) < start + _BOOTP + len(_COOKIE) or frame[12:14] != b"\x08\x00" or frame[_ETHERNET] != 0x45:
        raise BadOffer("too short, or no IPv4 of 20 octets' header")
    bootp = frame[start:]
    if bootp[0] != 2 or bootp[_BOOTP : _BOOTP + 4] != _COOKIE:
        raise BadOffer("no answer with options")
    options = _options(bootp[_BOOTP + 4 :])
    if options.get(_MESSAGE_TYPE) not in (bytes([_OFFER]), bytes([_ACK])):
        raise BadOffer("neither an offer nor an acknowledgement")
    server = options.get(_SERVER_ID, b"")
    source = frame[_ETHERNET + 12 : _ETHERNET + 16]
    return Offer(
        mac_text(frame[6:12]),
        str(IPv4Address(server if len(server) == 4 else source)),
        str(IPv4Address(bootp[16:20])),
    )


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            raise BadOffer("an option is cut off")
        found.setdefault(data[at], data[at + 2 : at + 2 + data[at + 1]])
        at += 2 + data[at + 1]
    return found


class DhcpWatch:
    """The users' LANs of one router."""

    def __init__(self, lans: tuple[tuple[str, str], ...], state: AgentState) -> None:
        """``lans``: (VRF, bridge)."""
        self._lans = lans
        self._state = state
        self._sockets: dict[tuple[str, str], tuple[int, socket.socket]] = {}
        self._ask_at = 0.0
        self._until: dict[str, float] = {}

    def tick(self, now: float) -> None:
        """Call every few seconds: read what came, ask when it is time."""
        self._ask_at = self._ask_at or now + _FIRST_S
        asking = now >= self._ask_at
        if asking:
            self._ask_at = now + ASK_S
        for vrf, bridge in self._lans:
            link = self._open(vrf, bridge)
            if link is None:
                continue
            self._read(vrf, bridge, link, now)
            if asking:
                with contextlib.suppress(OSError):  # the bridge is down
                    link.send(discover(device_mac(link, bridge), secrets.randbits(32)))
        for key in [key for key, until in self._until.items() if now >= until]:
            del self._until[key]
            self._state.put("dhcp", key, None)

    def _open(self, vrf: str, bridge: str) -> socket.socket | None:
        now = identity(vrf)
        held = self._sockets.get((vrf, bridge))
        if held is not None and held[0] == now:
            return held[1]
        if held is not None:
            held[1].close()
            del self._sockets[vrf, bridge]
        try:
            link = packet_socket(vrf, 0, FILTER)  # nothing is heard before it is bound
        except OSError:
            return None
        try:
            link.bind((bridge, _ETHERTYPE))
        except OSError:
            link.close()
            return None
        self._sockets[vrf, bridge] = (now, link)
        return link

    def _read(self, vrf: str, bridge: str, link: socket.socket, now: float) -> None:
        for _ in range(32):
            try:
                frame = link.recv(2048)
            except OSError:
                return
            try:
                offer = parse(frame)
            except BadOffer:
                continue
            key = f"{vrf}/{offer.mac}"
            if key not in self._until:
                where = {"vrf": vrf, "lan": bridge, "port": learned(vrf, bridge, offer.mac)}
                self._state.put("dhcp", key, {**where, **offer._asdict()})
            self._until[key] = now + FORGET_S

    def close(self) -> None:
        """Close every socket."""
        for _, link in self._sockets.values():
            link.close()
        self._sockets.clear()


def learned(vrf: str, bridge: str, mac: str) -> str:
    """The bridge's port behind which that MAC was seen; "" when it cannot be told.  Once per server found."""
    words = ["bridge", "fdb", "show", "br", bridge]
    if (NETNS_FOLDER / vrf).exists():
        words = ["nsenter", f"--net={NETNS_FOLDER / vrf}", *words]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    for line in done.stdout.splitlines():
        fields = line.split()
        if fields[:1] == [mac] and "dev" in fields and "permanent" not in fields:
            return fields[fields.index("dev") + 1]
    return ""

"""Telling the routers at the other ends of this one's fibres which of its daemons do not run and which of its fibres
have fallen silent, and passing on theirs.

A router whose ospfd, zebra or staticd stands still has no way to the collector left, but its fibres are there: it says
so to whoever is at their other ends, and they tell the collector (section "told").  A router whose fibre falls silent
is heard over its other one before routes have turned.  One datagram a fibre, sent when a daemon stops or runs again or
a fibre's BFD session ends or returns, then every second while a daemon does not run, and never else.

What comes is believed only with a time to live of 255 from the address at the other end of that fibre: nobody further
away can send it (RFC 5082).
"""

from __future__ import annotations

import contextlib
import json
import socket
from ipaddress import IPv4Address

from collectors.agent.config import AgentConfig
from collectors.agent.state import AgentState, Change

PORT = 9102
_TTL = 255
_IP_RECVTTL = 12  # linux/in.h
_LARGEST = 4096
_AT_ONCE = 50  # datagrams read at a time
_FEW = 4  # a centre's own words always find a way, and would wake everybody around it


def fibres(config: AgentConfig) -> dict[str, str]:
    """Own address -> the other end's, of every fibre of the underlay (their probes are in the configuration)."""
    found = {row.source: row.target for row in config.senders if row.port}
    for row in config.reflectors:
        if row.port:
            found[row.address] = str(IPv4Address(int(IPv4Address(row.address)) ^ 1))  # a /31 (RFC 3021)
    return found


class Neighbours:
    """One agent's; does nothing on an appliance without fibres.  ``tick`` and ``receive`` are its owner's to call."""

    def __init__(self, config: AgentConfig, state: AgentState) -> None:
        self._host, self._state = config.host, state
        self._fibres = fibres(config)
        self._peers = frozenset(self._fibres.values())
        self._sent = 0
        self._told: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())  # stopped, dark
        self.link: socket.socket | None = None
        if self._fibres:
            state.listen(self._changed)

    def open(self) -> socket.socket | None:
        """The socket, for the caller's loop to read; None without fibres, or when the port is taken."""
        if not self._fibres or self.link is not None:
            return None
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _TTL)
            link.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
            link.bind(("0.0.0.0", PORT))
        except OSError:
            link.close()
            return None
        self.link = link
        return link

    def _stopped(self) -> dict[str, str]:
        return {
            name: str(value.get("state"))
            for name, value in self._state.sections["services"].items()
            if not value.get("up")
        }

    def _dark(self) -> frozenset[str]:
        """Other ends of fibres without a BFD session, as long as bfdd answers."""
        if not self._state.sections["sources"].get("bfdd", {}).get("ok"):
            return frozenset()
        if len(self._peers) > _FEW:
            return frozenset()
        sessions = self._state.sections["bfd"]
        return frozenset(peer for peer in self._peers if not sessions.get(f"/{peer}", {}).get("up"))

    def _changed(self, change: Change) -> None:
        if change[0] in ("services", "bfd"):
            stopped, dark = self._stopped(), self._dark()
            if (frozenset(stopped), dark) != self._told:
                self._tell(stopped, dark)

    def tick(self) -> None:
        """Call every second."""
        if stopped := self._stopped():
            self._tell(stopped, self._dark())

    def _tell(self, stopped: dict[str, str], dark: frozenset[str]) -> None:
        if self.link is None:
            return
        self._told = frozenset(stopped), dark
        self._sent += 1
        told = {"host": self._host, "number": self._sent, "stopped": stopped, "dark": sorted(dark)}
        words = json.dumps(told).encode()
        for peer in self._fibres.values():
            with contextlib.suppress(OSError):  # that fibre is dark
                self.link.sendto(words, (peer, PORT))

    def receive(self) -> None:
        """Call when the socket can be read."""
        for _ in range(_AT_ONCE if self.link is not None else 0):
            assert self.link is not None
            try:
                data, control, _, address = self.link.recvmsg(_LARGEST, 64)
            except OSError:
                return
            ttl = next((int.from_bytes(value[:4], "little") for level, kind, value in control
                        if (level, kind) == (socket.IPPROTO_IP, socket.IP_TTL)), 0)  # fmt: skip
            if ttl == _TTL and address[0] in self._peers and (told := parse(data)) is not None:
                host, number, stopped, dark = told
                said = {"number": number, "stopped": stopped, "dark": dark, "from": address[0]}
                self._state.put("told", host, said)

    def close(self) -> None:
        """Close the socket."""
        if self.link is not None:
            self.link.close()
            self.link = None


def parse(data: bytes) -> tuple[str, int, dict[str, str], list[str]] | None:
    """(host, number, stopped services with their states, other ends of dark fibres); None for anything else."""
    try:
        words = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(words, dict):
        return None
    host, number, stopped, dark = (words.get(key) for key in ("host", "number", "stopped", "dark"))
    if not isinstance(host, str) or not isinstance(number, int) or not isinstance(stopped, dict) or len(stopped) > 100:
        return None
    if not all(isinstance(key, str) and isinstance(value, str) for key, value in stopped.items()):
        return None
    if not isinstance(dark, list) or len(dark) > 1000 or not all(isinstance(each, str) for each in dark):
        return None
    return host, number, stopped, dark

"""Which carrier's line works: asked by ping, several times a second; traffic moves off a line that is up but dead.

The routes of network.json prefer the first line, and the kernel passes over a line without carrier by itself.  What it
cannot see is a line whose light is on while nothing comes back: then a default route through the best line that
answers is put ahead of them all, marked with a protocol number of its own so that nobody takes it for drift.

Configuration, /etc/sanwang/lines.json: {"lines": [{"carrier", "port", "gateway", "probe", "metric"}]}, preferred first.
What it knows, /run/sanwang-lines.json: {"lines": [{"carrier", "port", "alive", "since"}], "moved_to": carrier or ""}.
Standard library only: it runs on the device.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from typing import Any

CONFIGURATION = "/etc/sanwang/lines.json"
STATE = "/run/sanwang-lines.json"
PROTOCOL = "154"  # of the route put ahead; 153 are network.json's
METRIC = 1
INTERVAL_S = 0.2
DEAD_AFTER = 4  # probes in a row without an answer
ALIVE_AFTER = 10  # answers in a row: a line that flaps is not trusted at once
_ECHO_REQUEST, _ECHO_REPLY = 8, 0


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    even = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(identifier: int, sequence: int) -> bytes:
    """An ICMP echo request (RFC 792)."""
    head = struct.pack("!BBHHH", _ECHO_REQUEST, 0, 0, identifier, sequence)
    return head[:2] + struct.pack("!H", checksum(head)) + head[4:]


def answered(packet: bytes, identifier: int) -> int | None:
    """Sequence number of an echo reply to us in an IPv4 packet; None for anything else."""
    if len(packet) < 28 or packet[0] >> 4 != 4:
        return None
    start = (packet[0] & 15) * 4
    if start < 20 or len(packet) < start + 8:
        return None
    kind, _, _, theirs, sequence = struct.unpack_from("!BBHHH", packet, start)
    return int(sequence) if (kind, theirs) == (_ECHO_REPLY, identifier) else None


class Line:
    """One carrier's line and what is known of it; it is taken as alive until it shows otherwise."""

    def __init__(self, written: dict[str, Any], identifier: int) -> None:
        self.carrier, self.port, self.gateway = written["carrier"], written["port"], written["gateway"]
        self.probe = written["probe"]
        self.identifier = identifier
        self.alive = True
        self.since = time.time()
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._waiting = False
        self._row = 0  # of lost probes while alive, of answers while dead

    def tick(self) -> bool:
        """Count the last probe, send the next; True when the line died."""
        died = False
        if self._waiting and self.alive:
            self._row += 1
            died = self._row >= DEAD_AFTER
        elif self._waiting:
            self._row = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._waiting = True
        try:
            self.socket().sendto(echo_request(self.identifier, self._sequence), (self.probe, 0))
        except OSError:  # no carrier, no address: the probe counts as lost
            self.close()
        return self._become(False) if died else False

    def hear(self) -> bool:
        """Take the answers that wait; True when the line came back."""
        back = False
        with contextlib.suppress(OSError):
            while True:
                packet, peer = self.socket().recvfrom(2048)
                if peer[0] == self.probe and answered(packet, self.identifier) == self._sequence and self._waiting:
                    self._waiting = False
                    self._row = 0 if self.alive else self._row + 1
                    if not self.alive and self._row >= ALIVE_AFTER:
                        back = self._become(True)
        return back

    def _become(self, alive: bool) -> bool:
        self.alive, self._row, self.since = alive, 0, time.time()
        return True

    def socket(self) -> socket.socket:
        """A raw socket that speaks through this line's port only."""
        if self._socket is None:
            opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            opened.setblocking(False)
            try:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.port.encode())
            except OSError:
                opened.close()
                raise
            self._socket = opened
        return self._socket

    def close(self) -> None:
        """Give the socket back; the next probe opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def chosen(lines: list[Line]) -> Line | None:
    """The line to put ahead: the first that answers when the preferred one does not; None: leave it as it is."""
    alive = next((line for line in lines if line.alive), None)
    return None if alive is lines[0] else alive


def steer(line: Line | None) -> None:
    """Put a line ahead of the others, or leave the choice to network.json's routes."""
    subprocess.run(["ip", "route", "flush", "proto", PROTOCOL], capture_output=True, check=False)
    if line is not None:
        route = ["default", "via", line.gateway, "dev", line.port, "metric", str(METRIC), "proto", PROTOCOL]
        done = subprocess.run(["ip", "route", "replace", *route], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"lines: ip route replace {' '.join(route)}: {done.stderr.strip()}", flush=True)


def report(lines: list[Line], moved: Line | None) -> None:
    """Leave what is known where the device tool's callers find it."""
    rows = [{"carrier": e.carrier, "port": e.port, "alive": e.alive, "since": round(e.since, 3)} for e in lines]
    with open(STATE + ".new", "w", encoding="utf-8") as file:
        json.dump({"lines": rows, "moved_to": moved.carrier if moved else ""}, file)
    os.rename(STATE + ".new", STATE)


def main() -> int:
    """Watch for ever."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        written = json.load(file)["lines"]
    lines = [Line(each, (os.getpid() + place) & 0xFFFF) for place, each in enumerate(written)]
    moved = chosen(lines)
    steer(moved)
    report(lines, moved)
    due = time.monotonic()
    while True:
        changed = False
        for line in lines:
            if line.tick():
                changed = True
        due = max(due + INTERVAL_S, time.monotonic())
        while (left := due - time.monotonic()) > 0:
            waiting = {line.socket(): line for line in lines if line._socket is not None}
            for ready in select.select(list(waiting), [], [], left)[0]:
                changed = waiting[ready].hear() or changed
        if changed:
            moved = chosen(lines)
            steer(moved)
            report(lines, moved)
            words = ", ".join(f"{line.carrier} {'answers' if line.alive else 'is dead'}" for line in lines)
            print(f"lines: {words}{f'; traffic moved to {moved.carrier}' if moved else ''}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

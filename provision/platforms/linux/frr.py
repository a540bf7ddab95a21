"""FRR on this appliance: its running configuration, how it is brought to frr.conf, and what zebra missed.

Standard library only: it runs on the device.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable

from provision.platforms.linux.network import enter, existing
from provision.platforms.linux.spawn import DeviceError, call, run

_CONF = "/etc/frr/frr.conf"
_SOCKETS = "/run/frr"
# ours or FRR's own talk; the last two are vtysh's, which no daemon knows
_NOT_COMPARED = (
    *("Building", "Current", "frr version", "exit", "end", "log file"),
    *("frr defaults", "service integrated-vtysh-config"),
)
_RELOAD = ["/usr/lib/frr/frr-reload.py", "--reload", "--stdout", "--log-level", "warning", _CONF]


def running() -> list[str]:
    """FRR's running configuration, line by line with its context, without what differs at every look.

    Each daemon is asked on its own socket: ``vtysh`` would cost a tenth of a second of processor time at every look.
    """
    found: set[str] = set()
    for name in os.listdir(_SOCKETS) if os.path.isdir(_SOCKETS) else ():
        if name.endswith(".vty"):
            found |= set(lines(ask(f"{_SOCKETS}/{name}", "show running-config")))
    return sorted(found)


def ask(path: str, command: str) -> str:
    """A daemon's answer on its vty socket; a line starting "failed" when it gives none or does not know the command."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
            daemon.settimeout(5)
            daemon.connect(path)
            _exchange(daemon, "enable")
            return _exchange(daemon, command)
    except OSError as error:
        return f"failed: {path}: {error}"


def _exchange(daemon: socket.socket, command: str) -> str:
    """One command and its answer: a zero byte ends the first, three and the status the second (FRR ``lib/vty.c``)."""
    daemon.sendall(command.encode() + b"\0")
    answer = b""
    while len(answer) < 4 or answer[-4:-1] != b"\0\0\0":
        part = daemon.recv(65536)
        if not part:
            raise ConnectionError("closed by the daemon")
        answer += part
    text = answer[:-4].decode(errors="replace")
    if answer[-1]:
        raise ConnectionError(text.strip() or f"status {answer[-1]}")
    return text


def _zebra(command: str) -> list[str]:
    answer = ask("/run/frr/zebra.vty", command)
    if answer.startswith("failed"):
        raise DeviceError(answer)
    return answer.splitlines()


def lines(text: str) -> list[str]:
    """Each line with the lines it stands under, sorted: FRR's own order is not always the same."""
    found, context = [], [""]
    for line in text.splitlines():
        words = line.strip()
        if not words or words == "!" or words.startswith(_NOT_COMPARED):
            continue
        depth = len(line) - len(line.lstrip())
        context = [*context[:depth], *[""] * (depth - len(context)), words]
        found.append(" / ".join(each for each in context if each))
    return sorted(found)


def load(settled: Callable[[], bool], within_s: float) -> list[str]:
    """Bring FRR to frr.conf.  ``settled``: every daemon has run long enough to have read it by itself.

    Raises DeviceError naming a line that FRR did not take.
    """
    with open(_CONF, encoding="utf-8") as file:
        wanted = set(lines(file.read()))
    found = set(running())
    deadline = time.monotonic() + within_s
    while wanted != found and time.monotonic() < deadline:
        if not any(line.startswith("failed") for line in found) and settled():
            break
        time.sleep(0.3)
        found = set(running())
    if wanted == found:
        return []
    if found < wanted:  # nothing to take away: adding is a tenth of a reload's work
        call(["vtysh", "-f", _CONF])
        if set(running()) == wanted:
            return ["FRR extended"]
    _, out, err = call(_RELOAD)
    missing = wanted - set(running())
    if missing:
        words = (err or out).strip()[-300:]
        raise DeviceError(f"FRR did not take {len(missing)} lines, e.g. {min(missing)!r}; {words}")
    return ["FRR reloaded"]


def dormant_vrfs() -> list[str]:
    """VRFs that zebra has in its configuration and could not take up."""
    shown = _zebra("show vrf")
    return sorted(line.split()[1] for line in shown if line.startswith("vrf ") and " inactive" in line)


def wake_vrfs(within_s: float) -> list[str]:
    """Start zebra again when it could not take up a VRF that was made while it ran.

    It asks the kernel for the new namespace's number once, and never again when the answer came late. The other
    daemons start with it and read their configuration anew.
    """
    dormant = dormant_vrfs()
    if not dormant:
        return []
    run(["sv", "-w", "10", "restart", "/etc/sanwang/sv/zebra"])
    with open(_CONF, encoding="utf-8") as file:
        wanted = lines(file.read())
    deadline = time.monotonic() + within_s
    while running() != wanted or dormant_vrfs():
        if time.monotonic() > deadline:
            raise DeviceError(f"zebra does not take up VRF {', '.join(dormant_vrfs()) or dormant[0]}")
        time.sleep(0.5)
    return [f"zebra started again for {', '.join(dormant)}"]


def tell_addresses() -> list[str]:
    """Set once more each address that zebra does not know.

    zebra reads a new VRF's addresses at one moment and hears of later ones from another: those in between are lost,
    and with them every route that needs them.
    """
    told = []
    for _ in range(3):
        missed = sorted(_kernel_addresses() - _zebra_addresses())
        if not missed:
            break
        for vrf, device, address in missed:
            enter(vrf)
            try:
                run(["ip", "address", "del", address, "dev", device])
                run(["ip", "address", "add", address, "dev", device])
            finally:
                enter("")
                told.append(f"zebra told of {address} on {device}")
        time.sleep(0.3)
    return told


def _kernel_addresses() -> set[tuple[str, str, str]]:
    """(VRF, device, address/length) of every IPv4 address but the loopback network's."""
    found = set()
    for vrf in ("", *existing()):
        enter(vrf)
        try:
            rows = json.loads(run(["ip", "-j", "-4", "address"]) or "[]")
        finally:
            enter("")
        for row in rows:
            for address in row.get("addr_info", ()):
                if address["scope"] != "host" and "UP" in row["flags"]:
                    found.add((vrf, row["ifname"], f"{address['local']}/{address['prefixlen']}"))
    return found


def _zebra_addresses() -> set[tuple[str, str, str]]:
    """The same as zebra knows it (``show interface vrf all brief``); further addresses stand on lines of their own."""
    found = set()
    device = vrf = ""
    for line in _zebra("show interface vrf all brief"):
        words = line.split()
        if not words or words[0] in ("Interface", "---------"):
            continue
        if not line[0].isspace():
            device, vrf = words[0], "" if words[2] == "default" else words[2]
            words = words[3:]
        found |= {(vrf, device, word) for word in words if "/" in word}
    return found

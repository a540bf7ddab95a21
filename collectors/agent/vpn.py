"""VPN tunnels of this host: WireGuard peers and IPsec security associations.

WireGuard's userspace daemon answers on ``/run/wireguard/<interface>.sock`` in the cross-platform configuration
protocol (wireguard.com/xplatform: ``get=1``), the kernel's through ``wg show all dump``.  IPsec is asked of charon
over vici (``list-sas``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import shutil
import time
from pathlib import Path
from typing import Any

from collectors.agent.state import AgentState, Value

WIREGUARD_FOLDER = Path("/run/wireguard")
VICI_SOCKET = Path("/run/charon.vici")
REJECT_AFTER_S = 180  # WireGuard's REJECT_AFTER_TIME: older keys carry nothing
_TIMEOUT_S = 2.0


def _peer(interface: str, key: str, endpoint: str, handshake: int, rx: int, tx: int, allowed: list[str]) -> Value:
    return {
        "interface": interface,
        "public_key": key,
        "endpoint": endpoint,
        "handshake": handshake,
        "rx_bytes": rx,
        "tx_bytes": tx,
        "allowed": sorted(allowed),
    }


def parse_uapi(interface: str, text: str) -> dict[str, Value]:
    """Answer to ``get=1`` -> peers by ``<interface>/<public key, base64>``.

    ``handshake`` is in UNIX seconds, 0 = never.

    Raises:
        ValueError: a line that is not key=value, a number or key that is none, or an errno other than 0.
    """
    peers: list[dict[str, str]] = []
    allowed: list[list[str]] = []
    for line in text.splitlines():
        if not line:
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise ValueError(f"found {line[:60]!r}, expected key=value")
        if name == "errno":
            if int(value):
                raise ValueError(f"the daemon answered errno {value}")
        elif name == "public_key":
            peers.append({name: value})
            allowed.append([])
        elif peers:
            if name == "allowed_ip":
                allowed[-1].append(value)
            else:
                peers[-1][name] = value
    found = {}
    for peer, prefixes in zip(peers, allowed, strict=True):
        try:
            key = base64.b64encode(binascii.unhexlify(peer["public_key"])).decode()
        except binascii.Error:
            raise ValueError(f"public_key: found {peer['public_key'][:70]!r}, expected hex digits") from None
        found[f"{interface}/{key}"] = _peer(
            interface,
            key,
            peer.get("endpoint", ""),
            int(peer.get("last_handshake_time_sec", "0")),
            int(peer.get("rx_bytes", "0")),
            int(peer.get("tx_bytes", "0")),
            prefixes,
        )
    return found


def parse_dump(text: str) -> dict[str, Value]:
    """``wg show all dump`` (tab-separated; peers have nine columns) -> peers as ``parse_uapi`` gives them.

    Raises:
        ValueError: a peer's row without numbers where numbers are due.
    """
    found = {}
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) != 9:
            continue  # the interface's own row has five
        interface, key, _psk, endpoint, allowed, handshake, rx, tx, _keepalive = cells
        prefixes = [] if allowed == "(none)" else allowed.split(",")
        found[f"{interface}/{key}"] = _peer(
            interface, key, "" if endpoint == "(none)" else endpoint, int(handshake), int(rx), int(tx), prefixes
        )
    return found


def security_associations(rows: list[dict[str, Any]]) -> dict[str, Value]:
    """``list-sas`` -> by ``<connection>/<child>``: ``{"up", "local", "remote", "remote_host"}``."""

    def text(value: Any) -> str:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    found: dict[str, Value] = {}
    for row in rows:
        for connection, ike in row.items():
            for child in (ike.get("child-sas") or {}).values():
                key = f"{text(connection)}/{text(child.get('name', b''))}/{text(ike.get('remote-host', b''))}"
                up = ike.get("state") == b"ESTABLISHED" and child.get("state") == b"INSTALLED"
                if up or key not in found:
                    found[key] = {
                        "up": up,
                        "local": sorted(text(prefix) for prefix in child.get("local-ts", ())),
                        "remote": sorted(text(prefix) for prefix in child.get("remote-ts", ())),
                        "remote_host": text(ike.get("remote-host", b"")),
                    }
    return found


class VpnWatch:
    """Keeps ``wireguard``, ``ipsec`` and their ``sources`` current.

    Byte counts grow all the time: they go to the state only with a change of ``up``, so that a quiet tunnel is
    quiet on the wire too.
    """

    def __init__(self, state: AgentState, folder: Path = WIREGUARD_FOLDER, vici_socket: Path = VICI_SOCKET) -> None:
        self._state = state
        self._folder = folder
        self._vici_socket = vici_socket
        self.traffic: dict[str, tuple[int, int]] = {}  # peer -> (received, sent) bytes, for /metrics

    async def refresh(self) -> None:
        """Ask both daemons, where they are."""
        services = self._state.sections["services"]
        if "wireguard" in services or self._folder.is_dir():
            await self._wireguard()
        if "charon" in services:
            await self._ipsec()

    async def _wireguard(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                peers = await self._peers()
        except (OSError, ValueError) as problem:  # TimeoutError is an OSError
            self._state.put("sources", "wireguard", {"ok": False, "error": str(problem) or "no answer"})
            self._state.replace("wireguard", {})
            return
        self._state.put("sources", "wireguard", {"ok": True, "error": ""})
        self.traffic = {key: (peer.pop("rx_bytes"), peer.pop("tx_bytes")) for key, peer in peers.items()}
        now = time.time()
        for peer in peers.values():
            handshake = peer.pop("handshake")
            peer["up"] = handshake > 0 and now - handshake < REJECT_AFTER_S
        self._state.replace("wireguard", peers)

    async def _peers(self) -> dict[str, Value]:
        sockets = sorted(self._folder.glob("*.sock")) if self._folder.is_dir() else []
        if not sockets and (wg := shutil.which("wg")):
            process = await asyncio.create_subprocess_exec(
                wg, "show", "all", "dump", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            output, _ = await process.communicate()
            return parse_dump(output.decode("utf-8", "replace"))
        peers: dict[str, Value] = {}
        for path in sockets:
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(b"get=1\n\n")
                text = (await reader.readuntil(b"\n\n")).decode("ascii", "replace")
            except asyncio.IncompleteReadError:
                raise ValueError(f"{path.name}: the daemon closed the connection") from None
            finally:
                writer.close()
            peers |= parse_uapi(path.stem, text)
        return peers

    async def _ipsec(self) -> None:
        try:
            rows = await asyncio.to_thread(self._list_sas)
        except (OSError, ValueError) as problem:
            self._state.put("sources", "charon", {"ok": False, "error": str(problem) or "no answer"})
            self._state.replace("ipsec", {})
            return
        self._state.put("sources", "charon", {"ok": True, "error": ""})
        self._state.replace("ipsec", security_associations(rows))

    def _list_sas(self) -> list[dict[str, Any]]:
        import socket

        import vici  # only VPN hosts pay for it

        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(_TIMEOUT_S)
            link.connect(str(self._vici_socket))
            try:
                return list(vici.Session(link).list_sas())
            except vici.exception.SessionException as problem:
                raise ValueError(str(problem)) from None

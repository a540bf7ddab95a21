"""BFD sessions, OSPF adjacencies and BGP peers, asked of FRR's daemons.

BFD is asked every second and at once after a route has changed: a silent cut makes OSPF withdraw routes as soon as
BFD gives up, the kernel tells of the routes, and so the session is looked at within milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collectors.agent.state import AgentState, Value
from collectors.agent.vty import FOLDER, Vty, VtyError


def _vrf(name: str) -> str:
    return "" if name == "default" else name


def bfd_sessions(document: Any) -> dict[str, Value]:
    """``show bfd peers json`` -> ``<vrf>/<peer>``: ``{"vrf", "port", "peer", "up", "diagnostic"}``.

    Raises:
        ValueError: not the shape FRR 8 and later give.
    """
    if not isinstance(document, list):
        raise ValueError(f"found {type(document).__name__}, expected a list of peers")
    sessions: dict[str, Value] = {}
    for row in document:
        if not isinstance(row, dict) or not isinstance(row.get("peer"), str):
            raise ValueError(f"found {str(row)[:80]!r}, expected a peer")
        vrf, port = _vrf(str(row.get("vrf", "default"))), str(row.get("interface", ""))
        sessions[f"{vrf}/{row['peer']}"] = {
            "vrf": vrf,
            "port": port,
            "peer": row["peer"],
            "up": row.get("status") == "up",
            "diagnostic": row.get("diagnostic", ""),
        }
    return sessions


def ospf_adjacencies(document: Any) -> dict[str, Value]:
    """``show ip ospf vrf all neighbor json`` -> ``<vrf>/<interface>/<router id>``: ``{"vrf", "port", "router_id",
    "address", "state", "full"}``.

    Raises:
        ValueError: not the shape FRR 8 and later give.
    """
    if not isinstance(document, dict):
        raise ValueError(f"found {type(document).__name__}, expected an object of VRFs")
    adjacencies: dict[str, Value] = {}
    for name, instance in document.items():
        if not isinstance(instance, dict):
            raise ValueError(f"VRF {name}: found {type(instance).__name__}, expected an object")
        neighbours = instance.get("neighbors", {})
        if not isinstance(neighbours, dict):
            raise ValueError(f"VRF {name}: neighbors: found {type(neighbours).__name__}, expected an object")
        for router_id, rows in neighbours.items():
            for row in rows if isinstance(rows, list) else ():
                if not isinstance(row, dict):
                    raise ValueError(f"VRF {name}: {router_id}: found {str(row)[:80]!r}, expected an adjacency")
                vrf, port = _vrf(name), str(row.get("ifaceName", "")).partition(":")[0]
                state = str(row.get("nbrState", row.get("state", "")))
                adjacencies[f"{vrf}/{port}/{router_id}"] = {
                    "vrf": vrf,
                    "port": port,
                    "router_id": router_id,
                    "address": str(row.get("ifaceAddress", row.get("address", ""))),
                    "state": state,
                    "full": state.startswith("Full"),
                }
    return adjacencies


def bgp_peers(document: Any) -> dict[str, Value]:
    """``show bgp vrf all ipv4 unicast summary json`` -> ``<vrf>/<peer>``: ``{"vrf", "peer", "state", "up"}``.

    Raises:
        ValueError: not the shape FRR 8 and later give.
    """
    if not isinstance(document, dict):
        raise ValueError(f"found {type(document).__name__}, expected an object of VRFs")
    peers: dict[str, Value] = {}
    for name, instance in document.items():
        table = instance.get("peers", {}) if isinstance(instance, dict) else None
        if not isinstance(table, dict):
            raise ValueError(f"VRF {name}: found no object of peers")
        for address, row in table.items():
            state = str(row.get("state", "")) if isinstance(row, dict) else ""
            vrf = _vrf(name)
            peers[f"{vrf}/{address}"] = {"vrf": vrf, "peer": address, "state": state, "up": state == "Established"}
    return peers


class RoutingWatch:
    """Asks the daemons and keeps ``bfd``, ``ospf``, ``bgp`` and their ``sources`` current."""

    def __init__(self, state: AgentState, folder: Path = FOLDER) -> None:
        self._state = state
        self._bfdd, self._ospfd, self._bgpd, self._zebra = (
            Vty(name, folder) for name in ("bfdd", "ospfd", "bgpd", "zebra")
        )

    async def bfd(self) -> None:
        """Refresh the BFD sessions."""
        await self._refresh(self._bfdd, "show bfd peers json", "bfd", bfd_sessions)

    async def ospf(self) -> None:
        """Refresh the OSPF adjacencies."""
        await self._refresh(self._ospfd, "show ip ospf vrf all neighbor json", "ospf", ospf_adjacencies)

    async def bgp(self) -> None:
        """Refresh the BGP peers."""
        await self._refresh(self._bgpd, "show bgp vrf all ipv4 unicast summary json", "bgp", bgp_peers)

    async def zebra(self) -> None:
        """See that zebra answers, and how many routes it holds."""

        def totals(document: Any) -> dict[str, Value]:
            if not isinstance(document, dict):
                raise ValueError(f"found {type(document).__name__}, expected an object")
            return {"routes": {"total": document.get("routesTotal"), "fib": document.get("routesTotalFib")}}

        await self._refresh(self._zebra, "show ip route summary json", "", totals)

    async def _refresh(self, vty: Vty, command: str, section: str, parse: Callable[[Any], dict[str, Value]]) -> None:
        present = vty.path.exists()
        if not present and vty.daemon not in self._state.sections["sources"]:
            return  # this appliance is no router
        try:
            values = parse(json.loads(await vty.command(command) or "{}"))
        except (VtyError, ValueError) as problem:
            self._state.put("sources", vty.daemon, {"ok": False, "error": str(problem)})
            if section:
                self._state.replace(section, {})
            return
        self._state.put("sources", vty.daemon, {"ok": True, "error": ""})
        if section:
            self._state.replace(section, values)
        else:
            for key, value in values.items():
                self._state.put("counters", key, value)

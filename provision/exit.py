"""The Internet exit as a switch: closed and opened in one request, and what it is now.

Closed, nothing passes between the carriers' lines and the county but the tunnels of remote sites; running flows stop
with it, because its rule stands ahead of the one that lets them pass.  The state is part of the county's intent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from inventory.model import NetworkModel
from inventory.schema import SwitchesIntent
from provision.broker.server import Request
from provision.broker.session import DeviceSession
from provision.broker.wire import BrokerError
from provision.switching import asked, switching

if TYPE_CHECKING:
    from provision.broker.devices import Devices

MAX_PORT = 65535
_STATES = ("open", "closed")
_LOOK = (
    "nsenter -t 1 -n -m sh -c 'nft -j list table inet exit 2>/dev/null || echo {}; echo;"
    " cat /run/sanwang-lines.json 2>/dev/null || echo {}; echo; ip -j route show default'"
)


def methods(devices: Devices) -> dict[str, Callable[[Request], Any]]:
    """The broker's methods on the exit."""

    async def switch(request: Request) -> dict[str, Any]:
        """Params: ``state``, "open" or "closed".  Fine when it is so already."""
        return await _switch(devices, request)

    async def status(request: Request) -> dict[str, Any]:
        """What is wanted, what the firewall does, and how the carriers' lines are; changes nothing."""
        return await _status(devices)

    async def who(request: Request) -> dict[str, Any]:
        """Params: ``address``, ``port``, ``at`` (UTC, ISO 8601): who inside had that public end then.  Audited."""
        return await _who(devices, request)

    return {"exit": switch, "exit_status": status, "exit_who": who}


async def _switch(devices: Devices, request: Request) -> dict[str, Any]:
    state = str(request.params.get("state", ""))
    if state not in _STATES:
        raise BrokerError("request", f"state {state!r}: expected open or closed")
    began_s = time.monotonic()
    mark = asked(request)

    def change(before: SwitchesIntent) -> SwitchesIntent:
        if state == "closed":
            return before if before.exit_closed else before.model_copy(update={"exit_closed": mark})
        return before.model_copy(update={"exit_closed": None})

    async with switching(devices, request, f"exit.{state}", change) as changed:
        firewall = (await devices.sessions.thread(lambda: devices.county.model)).firewall
        part = {"host": firewall, "groups": ["exit"]}
        try:
            applied = await devices.apply(Request(part, request.who, request.why, request.emit))
        except BrokerError as error:
            said = f"{error.message}; it is wanted {state} now: `sanwang playbook run firewall.yml` brings it there"
            raise BrokerError(error.kind, said) from None
    return {
        "state": state,
        "changed": changed or bool(applied["changed"]),
        "seconds": round(time.monotonic() - began_s, 2),
    }


async def _status(devices: Devices) -> dict[str, Any]:
    model = await devices.sessions.thread(lambda: devices.county.model)
    firewall = model.hosts[model.firewall]

    def look(session: DeviceSession) -> str:
        return session.run(_LOOK).out

    found = seen(await devices.sessions.on(firewall, look))
    wanted = "closed" if model.exit_closed else "open"
    alive = {row["carrier"]: row for row in found["lines"]}
    switch = model.exit_closed
    return {
        "state": wanted,
        "running": found["state"],
        "agrees": found["state"] == wanted,
        "closed": {"who": switch.who, "why": switch.why, "at": switch.at} if switch else None,
        "dropped_packets": found["dropped"],
        "lines": [
            {
                "carrier": line.carrier,
                "port": line.port,
                "metric": line.metric,
                "alive": alive.get(line.carrier, {}).get("alive"),  # None: a single line is not watched
                "used": line.port == found["used"],
            }
            for line in model.exits
        ],
    }


async def _who(devices: Devices, request: Request) -> dict[str, Any]:
    model = await devices.sessions.thread(lambda: devices.county.model)
    ours = {str(line.address.ip) for line in model.exits}
    address, port = str(request.params.get("address", "")), str(request.params.get("port", ""))
    if address not in ours:
        raise BrokerError("request", f"address {address!r}: expected one of the exit's: {', '.join(sorted(ours))}")
    if not port.isascii() or not port.isdigit() or int(port) > MAX_PORT:
        raise BrokerError("request", f"port {port!r}: expected a number up to {MAX_PORT}")
    try:
        at = datetime.fromisoformat(str(request.params.get("at") or datetime.now(UTC).isoformat()))
    except ValueError as error:
        raise BrokerError("request", f"at: {error}; expected a time as 2026-11-22T04:00:00+08:00") from None
    when = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.999"
    asked(request)
    what = {"address": address, "port": int(port), "at": when}
    await devices.trail.note(request.who, "exit.who", request.why, what)
    command = f"nsenter -t 1 -m /usr/bin/python3 -SE /etc/sanwang/bin/natlog find {address} {int(port)} {when}"
    found = await devices.sessions.on(model.hosts[model.firewall], lambda session: session.run(command).out)
    holder = _document(found.strip())
    site = _site(model, holder["inside"]) if holder else None
    return {**what, "holder": holder, "site": site}


def _site(model: NetworkModel, address: str) -> str | None:
    """The site whose number stands in an address (architecture: address plan)."""
    number = int(IPv4Address(address)) >> 8 & 0x7FF
    return next((site.code for site in model.sites.values() if site.number == number), None)


def seen(text: str) -> dict[str, Any]:
    """What the firewall answered: state of its switch, packets dropped by it, lines watched, port in use."""
    parts = [_document(line) for line in text.splitlines() if line.strip()]
    if len(parts) != 3:
        raise BrokerError("device", f"the firewall answered {text[:200]!r}: expected three lines of JSON")
    ruleset, lines, routes = parts
    rules = [each["rule"] for each in ruleset.get("nftables", []) if "rule" in each]
    counters = [each["counter"] for each in ruleset.get("nftables", []) if "counter" in each]
    tables = [each["table"] for each in ruleset.get("nftables", []) if "table" in each]
    state = "missing" if not tables else "closed" if rules else "open"
    usable = [row for row in routes if "linkdown" not in row.get("flags", [])]
    best: dict[str, Any] = min(usable, key=lambda row: row.get("metric", 0), default={})
    return {
        "state": state,
        "dropped": sum(each.get("packets", 0) for each in counters),
        "lines": lines.get("lines", []),
        "used": best.get("dev", ""),
    }


def _document(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        raise BrokerError("device", f"the firewall answered {line[:200]!r}: expected JSON") from None

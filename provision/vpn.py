"""Life of a remote site's VPN access: what it is, new keys, taken away, given back.

Revoking forgets every key of the site's box and makes the gateway forget the site; being part of the county's intent,
it stays so.  Giving access back makes new keys: the box is then enrolled like a fresh one, over its staging port.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from inventory.guests import Guest
from inventory.model import NetworkModel, Tunnel
from inventory.schema import SwitchesIntent
from provision import travellers
from provision.broker.server import Request
from provision.broker.session import DeviceSession
from provision.broker.wire import BrokerError
from provision.rotation import rotate_certificate, rotate_wireguard
from provision.switching import asked, switching

if TYPE_CHECKING:
    from provision.broker.devices import Devices

GROUP = {"wireguard": "wireguard", "ipsec": "ipsec"}
HANDSHAKE_FRESH_S = 180  # WireGuard refuses a session older than this (REJECT_AFTER_TIME)
_MARK = "====="
_LOOK = (
    "nsenter -t 1 -n -m sh -c 'wg show wg0 latest-handshakes 2>/dev/null; echo =====; wg show wg0 allowed-ips"
    " 2>/dev/null; echo =====; swanctl --list-sas 2>/dev/null; echo =====; date +%s'"
)


def methods(devices: Devices) -> dict[str, Callable[[Request], Any]]:
    """The broker's methods on the VPN; all but the list take ``site``."""

    async def list_(request: Request) -> dict[str, Any]:
        """Every remote site with the state of its tunnel as the gateway sees it; changes nothing."""
        return await _list(devices)

    async def revoke(request: Request) -> dict[str, Any]:
        """Take a site's access away: its packets stop, running flows included."""
        return await _revoke(devices, request)

    async def restore(request: Request) -> dict[str, Any]:
        """Give access back, with new keys that its box does not have yet."""
        return await _restore(devices, request)

    async def rotate(request: Request) -> dict[str, Any]:
        """New keys for a site that is connected, without losing it."""
        return await _rotate(devices, request)

    mine = {"vpn_list": list_, "vpn_revoke": revoke, "vpn_restore": restore, "vpn_rotate": rotate}
    return mine | travellers.methods(devices)


def tunnel_of(model: NetworkModel, site: str) -> Tunnel:
    """The site's tunnel; BrokerError naming the sites that have one."""
    found = next((tunnel for tunnel in model.tunnels.values() if tunnel.site == site), None)
    if found is None:
        known = ", ".join(tunnel.site for tunnel in model.tunnels.values()) or "none: the county has no VPN"
        raise BrokerError("request", f"{site!r} is no site with a tunnel; expected one of: {known}")
    return found


async def _tunnel(devices: Devices, request: Request) -> Tunnel:
    model = await devices.sessions.thread(lambda: devices.county.model)
    return tunnel_of(model, str(request.params.get("site", "")))


async def _revoke(devices: Devices, request: Request) -> dict[str, Any]:
    began_s = time.monotonic()
    tunnel = await _tunnel(devices, request)
    mark = asked(request)

    def change(before: SwitchesIntent) -> SwitchesIntent:
        return before.model_copy(update={"revoked": {tunnel.site: mark, **before.revoked}})

    async with switching(devices, request, "vpn.revoke", change) as changed:
        serials = []
        if changed:
            # First the revocation list, which goes to the gateway with the rest.
            serials = await devices.sessions.thread(lambda: devices.secrets.burn(tunnel.host, request.why))
            devices.sessions.forget(tunnel.host, staging=False)
        applied = await _gateway(devices, request, tunnel)
    return {
        "site": tunnel.site,
        "changed": changed or bool(applied["changed"]),
        "certificates_revoked": serials,
        "seconds": round(time.monotonic() - began_s, 2),
    }


async def _restore(devices: Devices, request: Request) -> dict[str, Any]:
    tunnel = await _tunnel(devices, request)
    asked(request)

    def change(before: SwitchesIntent) -> SwitchesIntent:
        kept = {site: mark for site, mark in before.revoked.items() if site != tunnel.site}
        return before.model_copy(update={"revoked": kept})

    async with switching(devices, request, "vpn.restore", change) as changed:
        applied = await _gateway(devices, request, tunnel)
    return {"site": tunnel.site, "box": tunnel.host, "changed": changed or bool(applied["changed"])}


async def _gateway(devices: Devices, request: Request, tunnel: Tunnel) -> dict[str, Any]:
    """Bring the gateway's peers, and nothing else, to what is wanted."""
    part = {"host": tunnel.gateway, "groups": [GROUP[tunnel.kind]]}
    try:
        return await devices.apply(Request(part, request.who, request.why, request.emit))
    except BrokerError as error:
        said = f"{error.message}; it is wanted so now: `sanwang playbook run vpn.yml` brings it there"
        raise BrokerError(error.kind, said) from None


async def _rotate(devices: Devices, request: Request) -> dict[str, Any]:
    tunnel = await _tunnel(devices, request)
    asked(request)
    model = devices.county.model
    if tunnel.site in model.revoked:
        raise BrokerError("request", f"{tunnel.site} is revoked: give it access again with `sanwang vpn enrol`")
    await devices.wait_to_write()
    await devices.trail.note(request.who, "vpn.rotate", request.why, {"site": tunnel.site, "kind": tunnel.kind})
    began_s = time.monotonic()
    work = rotate_wireguard if tunnel.kind == "wireguard" else rotate_certificate
    done = await work(devices, request, tunnel)
    return {"site": tunnel.site, "kind": tunnel.kind, **done, "seconds": round(time.monotonic() - began_s, 2)}


async def _list(devices: Devices) -> dict[str, Any]:
    model = await devices.sessions.thread(lambda: devices.county.model)
    if not model.vpn:
        raise BrokerError("request", "the county has no VPN gateway")

    def look(session: DeviceSession) -> str:
        return session.run(_LOOK).out

    found = seen(await devices.sessions.on(model.hosts[model.vpn], look))
    rows = []
    for tunnel in model.tunnels.values():
        mark = model.revoked.get(tunnel.site)
        ages = [found[str(prefix)] for prefix in tunnel.inner if str(prefix) in found]
        age = min(ages, default=None)
        up = age is not None and (tunnel.kind == "ipsec" or age < HANDSHAKE_FRESH_S)
        rows.append(
            {
                "site": tunnel.site,
                "kind": tunnel.kind,
                "box": tunnel.host,
                "state": "revoked" if mark else "up" if up else "down",
                "handshake_s": age if tunnel.kind == "wireguard" else None,
                "revoked": {"who": mark.who, "why": mark.why, "at": mark.at} if mark else None,
            }
        )
    return {"gateway": model.vpn, "tunnels": rows, "guests": [_guest(guest, found) for guest in model.guests.values()]}


def _guest(guest: Guest, found: dict[str, int]) -> dict[str, Any]:
    """A third party or a person: whether it is connected now is its own affair, and no fault of ours."""
    ages = [found[str(prefix)] for prefix in guest.prefixes if str(prefix) in found]
    age = min(ages, default=None)
    up = age is not None and (guest.kind == "ipsec" or age < HANDSHAKE_FRESH_S)
    return {
        "name": guest.name,
        "kind": guest.kind,
        "connected": up,
        "addresses": [str(prefix) for prefix in guest.prefixes],
        "reaches": [f"{each.prefix} {each.protocol}/{each.port or '*'}" for each in guest.openings],
        "until": guest.until,
    }


def seen(text: str) -> dict[str, int]:
    """Prefix -> seconds since its tunnel's last handshake (0 for IPsec), from the gateway's answer."""
    parts = text.split(f"{_MARK}\n")
    if len(parts) != 4 or not parts[3].strip().isdigit():
        raise BrokerError("device", f"the VPN gateway answered {text[-200:]!r}: expected four parts and the time")
    now = int(parts[3])
    shaken = dict(line.split("\t", 1) for line in parts[0].splitlines() if "\t" in line)
    found: dict[str, int] = {}
    for line in parts[1].splitlines():
        peer, _, prefixes = line.partition("\t")
        when = int(shaken.get(peer, "0"))
        if when:
            found |= dict.fromkeys(prefixes.split(), max(0, now - when))
    for match in re.finditer(r"INSTALLED.*?\n\s+remote\s+([^\n]*)", parts[2], re.DOTALL):
        found |= dict.fromkeys(match[1].split(), 0)
    return found

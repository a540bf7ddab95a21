"""Guests of the VPN gateway. People's notebooks: a key each, given once, good until a day, taken away at once.

The private key is made here, goes to the person in the answer and is kept nowhere: whoever loses it gets a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from identity import wireguard
from inventory.guests import Pool
from inventory.model import NetworkModel
from inventory.schema import SwitchesIntent, TravellerIntent
from provision.broker.server import Request
from provision.broker.wire import BrokerError
from provision.render.vpn import KEEPALIVE_S, WIREGUARD_PORT
from provision.switching import asked, switching

if TYPE_CHECKING:
    from provision.broker.devices import Devices

log = logging.getLogger("sanwang.broker")

LOOK_S = 20.0
"""How often the broker looks whose time is over."""

FIRST_SLOT, LAST_SLOT = 2, 254
_GROUPS = ["wireguard", "nft"]


def methods(devices: Devices) -> dict[str, Callable[[Request], Any]]:
    """The broker's methods on people's notebooks; both take ``person``."""

    async def enrol(request: Request) -> dict[str, Any]:
        """A new key for a person (the old one is worthless from now on), and the notebook's configuration, once."""
        return await _enrol(devices, request)

    async def revoke(request: Request) -> dict[str, Any]:
        """Take a person's access away: packets stop, running flows included."""
        return await _revoke(devices, request)

    async def secret(request: Request) -> dict[str, Any]:
        """The secret shared with the third party ``guest``, for handing over; audited first."""
        return await _secret(devices, request)

    return {"vpn_person_enrol": enrol, "vpn_person_revoke": revoke, "vpn_guest_secret": secret}


def configuration(model: NetworkModel, login: str, private: str, gateway_key: str) -> str:
    """The notebook's WireGuard file (wg-quick's format, which every platform's application takes)."""
    guest = model.guests[login]
    allowed = ", ".join(dict.fromkeys(str(opening.prefix) for opening in guest.openings))
    return (
        f"# {model.en}: {login}, until {guest.until}\n[Interface]\nPrivateKey = {private}\n"
        f"Address = {', '.join(map(str, guest.prefixes))}\n\n[Peer]\nPublicKey = {gateway_key}\n"
        f"AllowedIPs = {allowed}\nEndpoint = {model.exits[0].address.ip}:{WIREGUARD_PORT}\n"
        f"PersistentKeepalive = {KEEPALIVE_S}\n"
    )


async def _enrol(devices: Devices, request: Request) -> dict[str, Any]:
    model = await devices.sessions.thread(lambda: devices.county.model)
    login, pool = _person(model, request)
    days = int(request.params.get("days") or pool.days)
    if not 1 <= days <= pool.days:
        raise BrokerError("request", f"--days: found {days}; expected 1 to {pool.days} (travellers.days); correct it")
    mark = asked(request)
    private = wireguard.generate()
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat("T", "seconds")

    def change(before: SwitchesIntent) -> SwitchesIntent:
        known = before.travellers.get(login)
        taken = {each.slot for each in before.travellers.values()}
        free = (slot for slot in range(FIRST_SLOT, LAST_SLOT + 1) if slot not in taken)
        slot = known.slot if known else next(free, None)
        if slot is None:
            raise BrokerError("request", f"found {len(taken)} travellers; expected a free address; revoke somebody")
        made = TravellerIntent(**mark.model_dump(), key=wireguard.public_key(private), slot=slot, until=until)
        return before.model_copy(update={"travellers": {**before.travellers, login: made}})

    async with switching(devices, request, "vpn.person.enrol", change):
        await _gateway(devices, request, model)
    model = await devices.sessions.thread(lambda: devices.county.model)
    gateway_key = await devices.sessions.thread(lambda: devices.secrets.value(f"wg-pub/{model.vpn}"))
    return {
        "person": login,
        "address": str(model.guests[login].prefixes[0].network_address),
        "until": until,
        "configuration": configuration(model, login, private, gateway_key),
    }


async def _revoke(devices: Devices, request: Request) -> dict[str, Any]:
    began_s = time.monotonic()
    model = await devices.sessions.thread(lambda: devices.county.model)
    login = str(request.params.get("person", ""))
    known = [name for name, guest in model.guests.items() if guest.kind == "wireguard"]
    if login not in known and login not in model.people:
        raise BrokerError("request", f"{login!r} has no access; expected one of: {', '.join(known) or 'nobody has'}")
    asked(request)
    changed = await _without(devices, request, "vpn.person.revoke", [login])
    return {"person": login, "changed": changed, "seconds": round(time.monotonic() - began_s, 2)}


async def _secret(devices: Devices, request: Request) -> dict[str, Any]:
    model = await devices.sessions.thread(lambda: devices.county.model)
    known = {guest.name: guest for guest in model.guests.values() if guest.kind == "ipsec" and not guest.authority}
    guest = known.get(str(request.params.get("guest", "")))
    if guest is None:
        found, names = request.params.get("guest"), ", ".join(known) or "the county has none"
        raise BrokerError("request", f"found {found!r}; expected a third party with a shared secret: {names}")
    asked(request)
    await devices.wait_to_write()
    await devices.trail.note(request.who, "vpn.guest.secret", request.why, {"guest": guest.name})
    secret = await devices.sessions.thread(lambda: devices.secrets.value(f"psk/{guest.name}"))
    identity = f"{model.vpn}.sanwang.internal"
    carrier = model.sites[guest.name].homes[0]
    address = next((str(line.address.ip) for line in model.exits if line.carrier == carrier), "")
    return {"guest": guest.name, "secret": secret.strip(), "identity": identity, "address": address}


async def _without(devices: Devices, request: Request, what: str, logins: list[str]) -> bool:
    model = await devices.sessions.thread(lambda: devices.county.model)

    def change(before: SwitchesIntent) -> SwitchesIntent:
        kept = {login: each for login, each in before.travellers.items() if login not in logins}
        return before.model_copy(update={"travellers": kept})

    async with switching(devices, request, what, change) as changed:
        await _gateway(devices, request, model)
    return changed


async def expire(devices: Devices) -> None:
    """For ever: take away what was given until a day that is over."""
    await devices.may_write.wait()
    while True:
        with contextlib.suppress(BrokerError):  # told where the county or the gateway is asked next; tried again
            model = await devices.sessions.thread(lambda: devices.county.model)
            late = overdue(model, datetime.now(UTC))
            if late:
                request = Request({"persons": late}, "broker", "its time is over", _nobody)
                await _without(devices, request, "vpn.person.expire", late)
                log.info("access ended: %s", ", ".join(late))
        await asyncio.sleep(LOOK_S)


def overdue(model: NetworkModel, now: datetime) -> list[str]:
    """Logins whose day is over."""
    return [name for name, guest in model.guests.items() if guest.until and datetime.fromisoformat(guest.until) <= now]


async def _nobody(_event: dict[str, Any]) -> None:
    return None


def _person(model: NetworkModel, request: Request) -> tuple[str, Pool]:
    """The login and where its address comes from; BrokerError says what is missing."""
    login, pool = str(request.params.get("person", "")), model.travellers
    if pool is None:
        raise BrokerError("request", "the county lets nobody in from outside: write `travellers:` into its files")
    person = model.people.get(login)
    able = [each.login for each in model.people.values() if set(each.roles) & set(pool.roles)]
    if person is None or login not in able:
        said = f"{login!r} is nobody who may; expected one of {', '.join(able)} (roles {', '.join(pool.roles)})"
        raise BrokerError("request", f"{said}; correct it, or travellers.reaches")
    return login, pool


async def _gateway(devices: Devices, request: Request, model: NetworkModel) -> None:
    """Bring the gateway's peers and ruleset, and nothing else, to what is wanted."""
    part = {"host": model.vpn, "groups": _GROUPS}
    try:
        await devices.apply(Request(part, request.who, request.why, request.emit))
    except BrokerError as error:
        said = f"{error.message}; it is wanted so now: `sanwang playbook run vpn.yml` brings it there"
        raise BrokerError(error.kind, said) from None

"""Finds agents and reads them whole, by pysnmp: slow and thorough, for people who look, not for the fast loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from collectors.snmp.mibs import resolve
from collectors.snmp.profile import Profile, match
from collectors.snmp.rows import text
from collectors.snmp.usm import Auth, Community, Priv, User
from collectors.snmp.walk import Value, Walk, parts

Credential = Community | User
PORT = 161
_AT_ONCE = 32
_REPETITIONS = 20
_AUTHORIZATION_ERROR = 16  # RFC 3416 section 3
_MOST_ROWS = 50_000  # of one column: more is an agent that goes round in circles
_SYSTEM = tuple(f"{resolve(f'SNMPv2-MIB::{name}')}.0" for name in ("sysDescr", "sysObjectID", "sysName"))


class NoAnswer(Exception):
    """Nobody there, or nobody who speaks SNMP with us."""


class Refused(Exception):
    """An agent is there and does not accept who we say we are."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One that answered; ``refused``: it is there, and our credentials are not its."""

    address: IPv4Address
    credential: Credential | None
    name: str = ""
    description: str = ""
    object_id: str = ""
    refused: str = ""

    @property
    def profile(self) -> Profile:
        """The vendor profile that fits."""
        return match(self.object_id, self.description)


class Asker:
    """pysnmp's side of conversations; close it at the end."""

    def __init__(self, timeout_s: float = 1.5, retries: int = 1) -> None:
        from pysnmp.hlapi.v3arch.asyncio import SnmpEngine

        self._engine = SnmpEngine()
        self._timeout_s, self._retries = timeout_s, retries

    async def get(
        self, address: str, credential: Credential, oids: Sequence[str], port: int = PORT
    ) -> dict[str, Value]:
        """Values of instances; those that the agent does not have are left out.

        Raises:
            NoAnswer: silence.
            Refused: an error about who we are.
        """
        from pysnmp.hlapi.v3arch.asyncio import get_cmd

        return dict(await self._ask(get_cmd, address, port, credential, oids))

    async def column(self, address: str, credential: Credential, oid: str, port: int = PORT) -> dict[str, Value]:
        """All instances below an object; what goes backwards ends it.

        Raises:
            NoAnswer: silence.
            Refused: an error about who we are.
        """
        from pysnmp.hlapi.v3arch.asyncio import bulk_cmd

        found: dict[str, Value] = {}
        at = oid
        while len(found) < _MOST_ROWS:
            rows = await self._ask(bulk_cmd, address, port, credential, [at], 0, _REPETITIONS)
            if not rows:
                return found
            for name, value in rows:
                if not name.startswith(f"{oid}.") or parts(name) <= parts(at):
                    return found
                found[name], at = value, name
        return found

    async def walk(
        self, address: str, credential: Credential, profile: Profile, progress: Callable[[int, int], None]
    ) -> Walk:
        """Every column of a profile.

        Raises:
            NoAnswer: silence.
            Refused: an error about who we are.
        """
        rows = await self.get(address, credential, _SYSTEM)
        columns = profile.columns
        for number, column in enumerate(columns, 1):
            rows |= await self.column(address, credential, column.oid)
            progress(number, len(columns))
        return Walk(rows)

    async def _ask(
        self, command: Callable[..., Awaitable[Any]], address: str, port: int, credential: Credential,
        oids: Iterable[str], *more: int,
    ) -> list[tuple[str, Value]]:  # fmt: skip
        from pysnmp.hlapi.v3arch.asyncio import ContextData, ObjectIdentity, ObjectType, UdpTransportTarget

        target = await UdpTransportTarget.create((address, port), timeout=self._timeout_s, retries=self._retries)
        asked = [ObjectType(ObjectIdentity(oid)) for oid in oids]
        who = _as_pysnmp(credential)
        indication, status, _at, rows = await command(
            self._engine, who, target, ContextData(), *more, *asked, lookupMib=False
        )
        if indication:
            said = str(indication)
            if "timeout" in said.lower() or "no snmp response" in said.lower():
                raise NoAnswer(said)
            raise Refused(said)
        if int(status) == _AUTHORIZATION_ERROR:
            raise Refused("it knows us and lets us read nothing (authorizationError)")
        if status:
            return []
        return [(str(oid), plain) for oid, value in rows if (plain := _plain(value)) is not None]

    def close(self) -> None:
        """Close the sockets."""
        self._engine.close_dispatcher()


def _as_pysnmp(credential: Credential) -> Any:
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    if isinstance(credential, Community):
        return hlapi.CommunityData(credential.name, mpModel=1)
    auth = {
        Auth.SHA1: hlapi.usmHMACSHAAuthProtocol,
        Auth.SHA224: hlapi.usmHMAC128SHA224AuthProtocol,
        Auth.SHA256: hlapi.usmHMAC192SHA256AuthProtocol,
        Auth.SHA384: hlapi.usmHMAC256SHA384AuthProtocol,
        Auth.SHA512: hlapi.usmHMAC384SHA512AuthProtocol,
    }[credential.auth]
    priv = {
        Priv.AES128: hlapi.usmAesCfb128Protocol,
        Priv.AES256: hlapi.usmAesBlumenthalCfb256Protocol,
        Priv.AES256_REEDER: hlapi.usmAesCfb256Protocol,
    }[credential.priv]
    return hlapi.UsmUserData(
        credential.name, credential.auth_key, credential.priv_key, authProtocol=auth, privProtocol=priv
    )


def _plain(value: Any) -> Value | None:
    """pysnmp's value as ours; None for no such object and the end of the view."""
    kind = type(value).__name__
    if kind in ("NoSuchObject", "NoSuchInstance", "EndOfMibView", "Null"):
        return None
    if kind == "ObjectIdentifier":
        return str(value)
    try:
        return bytes(value.asOctets()) if hasattr(value, "asOctets") else int(value)
    except (TypeError, ValueError):
        return None


async def identify(asker: Asker, address: IPv4Address, credentials: Sequence[Credential]) -> Agent | None:
    """Who answers there, by the first credential that it accepts; None for nobody."""
    refused = ""
    for credential in credentials:
        try:
            rows = await asker.get(str(address), credential, _SYSTEM)
        except NoAnswer:
            continue  # an agent is silent about a community that it does not know
        except Refused as problem:
            refused = str(problem)
            continue
        described, object_id, name = (rows.get(oid, b"") for oid in _SYSTEM)
        return Agent(address, credential, text(name), text(described), object_id if isinstance(object_id, str) else "")
    return Agent(address, None, refused=refused) if refused else None


async def discover(
    addresses: Sequence[IPv4Address],
    credentials: Sequence[Credential],
    rate_per_s: float,
    found: Callable[[int, Agent | None], None],
) -> list[Agent]:
    """Ask every address once, at most ``rate_per_s`` begun in a second; ``found`` hears of each as it is done."""
    asker, gate, done = Asker(), asyncio.Semaphore(_AT_ONCE), 0
    agents: list[Agent] = []

    async def one(address: IPv4Address) -> None:
        nonlocal done
        try:
            agent = await identify(asker, address, credentials)
        finally:
            gate.release()
        done += 1
        if agent is not None:
            agents.append(agent)
        found(done, agent)

    try:
        async with asyncio.TaskGroup() as group:
            for address in addresses:
                await gate.acquire()
                group.create_task(one(address))
                await asyncio.sleep(1 / rate_per_s)
    finally:
        asker.close()
    return sorted(agents, key=lambda agent: agent.address)

"""SNMPv3 questions to one device by pysnmp: GET in packets of bounded size, GETBULK walks of one column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pysnmp.hlapi.v3arch.asyncio import (
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    UsmUserData,
    bulk_cmd,
    get_cmd,
    usmAesCfb128Protocol,
    usmHMAC192SHA256AuthProtocol,
)
from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance, NoSuchObject

USER = "sanwang"
_ABSENT = (NoSuchObject, NoSuchInstance, EndOfMibView)
_OIDS_PER_PACKET = 40
_REPETITIONS = 25
_MAX_ROWS = 4096
_TIMEOUT_S, _RETRIES = 2.0, 1


class SnmpError(Exception):
    """The device did not answer, or with an error."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """SNMPv3 authPriv: SHA-256 (RFC 7860) and AES-128 (RFC 3826)."""

    auth_key: str
    priv_key: str

    def __repr__(self) -> str:
        return "Credentials(...)"  # never in a log or a traceback


class Snmp:
    """The engine all sessions share: it keeps the devices' engine ids, boots and clocks."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._engine = SnmpEngine()
        self._user = UsmUserData(
            USER,
            credentials.auth_key,
            credentials.priv_key,
            authProtocol=usmHMAC192SHA256AuthProtocol,
            privProtocol=usmAesCfb128Protocol,
        )
        self._context = ContextData()

    async def session(self, address: str, port: int = 161) -> Session:
        """A session to one device."""
        target = await UdpTransportTarget.create((address, port), timeout=_TIMEOUT_S, retries=_RETRIES)
        return Session(self._engine, self._user, target, self._context)

    def fresh(self) -> Snmp:
        """An engine with the same keys that has not heard of any device yet."""
        return Snmp(self._credentials)

    def close(self) -> None:
        """Close the engine's sockets."""
        self._engine.close_dispatcher()


class Session:
    """Questions to one device, one at a time."""

    def __init__(self, engine: Any, user: Any, target: Any, context: Any) -> None:
        self._who = (engine, user, target, context)

    async def get(self, oids: Iterable[str]) -> dict[str, Any]:
        """Values by OID; objects the device does not have are left out.

        Raises:
            SnmpError: no answer, or an error status.
        """
        wanted = list(oids)
        found: dict[str, Any] = {}
        for start in range(0, len(wanted), _OIDS_PER_PACKET):
            chunk = [ObjectType(ObjectIdentity(oid)) for oid in wanted[start : start + _OIDS_PER_PACKET]]
            rows = _checked(await get_cmd(*self._who, *chunk, lookupMib=False))
            found |= {str(oid): value for oid, value in rows if not isinstance(value, _ABSENT)}
        return found

    async def walk(self, column: str) -> dict[str, Any]:
        """A column's values by index.

        Raises:
            SnmpError: no answer, an error status, or a device that does not go forward.
        """
        found: dict[str, Any] = {}
        at = column
        while len(found) < _MAX_ROWS:
            asked = ObjectType(ObjectIdentity(at))
            rows = _checked(await bulk_cmd(*self._who, 0, _REPETITIONS, asked, lookupMib=False))
            if not rows:
                return found
            for oid, value in rows:
                name = str(oid)
                if not name.startswith(f"{column}.") or isinstance(value, _ABSENT):
                    return found
                if _parts(name) <= _parts(at):
                    raise SnmpError(f"walk of {column} does not go forward at {name}")
                found[name[len(column) + 1 :]] = value
                at = name
        raise SnmpError(f"walk of {column}: more than {_MAX_ROWS} rows")


def _parts(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))


def _checked(answer: Any) -> Any:
    indication, status, index, rows = answer
    if indication:
        raise SnmpError(str(indication))
    if status:
        raise SnmpError(f"error status {status.prettyPrint()} at {index}")
    return rows

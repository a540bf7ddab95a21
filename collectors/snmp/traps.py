"""Traps and informs (SNMPv1, v2c, v3) over UDP 162, received with pysnmp; each becomes an event of the one stream.

Who speaks is told by the sender's address, as with syslog.  What is not the county's is refused and counted before
pysnmp takes it apart: that costs a millisecond.  Informs are acknowledged.  The engine's identifier follows from the
management host's name and its boots only grow, so that senders who remember them (RFC 3414 section 2.2) are heard
after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from collectors.damper import Damper
from collectors.snmp import ber
from collectors.snmp.profile import profiles
from collectors.snmp.rows import text
from collectors.snmp.usm import Auth, User

log = logging.getLogger("sanwang.collect")

PORT = 162
RATE_PER_S = 40
_TOGETHER = 5  # so many hosts at their limit are the limit of all: a third of a core
_YEAR_2020 = 1_577_836_800
_LARGEST = 8192
_SEQUENCE = b"\x30"
_VARBINDS = 24
_ENGINES = 3  # of one host that are remembered: a box that is replaced has a new one
_TEXT = 200
_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
_BESIDE = frozenset({_TRAP_OID, "1.3.6.1.2.1.1.3.0"})
_NAMES = {
    "1.3.6.1.2.1.2.2.1.1": "ifIndex",
    "1.3.6.1.6.3.1.1.4.3": "snmpTrapEnterprise",
    "1.3.6.1.6.3.18.1.3": "snmpTrapAddress",
}
_SECRET = frozenset({"1.3.6.1.6.3.18.1.4"})  # snmpTrapCommunity
_ABOUT = ("ifDescr", "ifName", "entPhysicalName", "ifIndex")


def next_boots(path: Path, now: Callable[[], float] = time.time) -> int:
    """snmpEngineBoots of this start: more than at the last one, and more than on a disk that was lost.

    Seconds since 2020, or one more than what the file keeps when the clock says less.  A disk that is full costs the
    file its turn, never the collector its start.
    """
    try:
        kept = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        kept = 0
    boots = max(kept + 1, int(now()) - _YEAR_2020)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text(f"{boots}\n", encoding="ascii")
        beside.replace(path)
    except OSError as problem:
        log.warning("%s: %s; SNMP informs are heard as long as the clock goes forward", path, problem)
    return boots


@dataclass(frozen=True, slots=True)
class Who:
    """Whom to believe: the county's SNMPv3 user, and the community of boxes that know no better."""

    user: User
    community: str  # "": SNMPv3 only
    users: Mapping[str, User] = field(default_factory=dict)
    """Senders, by name, that know the user with another hash."""


class Traps:
    """The listener of one county.

    Args:
        hosts: Name by address.
        who: What a sender must know.
        damper: Where events go.
        engine: snmpEngineID.
        boots: snmpEngineBoots.
        rate_per_s: Datagrams of one host that are taken apart in a second.
    """

    def __init__(
        self,
        hosts: Mapping[str, str],
        who: Who,
        damper: Damper,
        engine: bytes,
        boots: int,
        rate_per_s: int = RATE_PER_S,
    ) -> None:
        self._hosts, self._who, self._damper = hosts, who, damper
        self._id, self._boots = engine, boots
        self._rate_per_s = rate_per_s
        self._engine: Any = None
        self._transport: Any = None
        self._receiver: Any = None
        self._heard = 0
        self._engines: dict[str, set[bytes]] = {}
        self._second, self._this_second = 0, Counter[str]()
        self.received = 0
        self.refused: Counter[str] = Counter()

    async def start(self, address: IPv4Address, port: int = PORT) -> int:
        """Listen; returns the port, which the machine chose where 0 was asked for."""
        await asyncio.to_thread(_columns)  # the names are read before the first trap is in a hurry

        from pysnmp.carrier.asyncio.dgram import udp
        from pysnmp.entity import config
        from pysnmp.entity.engine import SnmpEngine
        from pysnmp.entity.rfc3413 import ntfrcv

        traps = self

        class Guarded(udp.UdpAsyncioTransport):  # type: ignore[misc]
            """Asks us before pysnmp."""

            def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:
                traps.hear(datagram, transportAddress)

        self._engine = engine = SnmpEngine()
        builder = engine.get_mib_builder()
        (identity, boots) = builder.import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineID", "snmpEngineBoots")
        identity.syntax = engine.snmpEngineID = identity.syntax.clone(self._id)
        boots.syntax = boots.syntax.clone(self._boots)
        receiving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            receiving.bind((str(address), port))
        except OSError:
            receiving.close()
            raise
        self._transport = Guarded().open_server_mode(sock=receiving)
        config.add_transport(engine, udp.DOMAIN_NAME, self._transport)
        self._add_user(None, self._who.user)
        if self._who.community:
            config.add_v1_system(engine, "county", self._who.community)
        self._receiver = ntfrcv.NotificationReceiver(engine, self._notified)
        await self._transport._lport  # pysnmp opens it in a task of its own
        bound: int = receiving.getsockname()[1]
        return bound

    def hear(self, datagram: bytes, sender: tuple[str, int]) -> None:
        """A datagram, whatever it is: what is not the county's, and what is too much, stays outside."""
        host = str(sender[0])
        if self._transport is not None and self._admits(datagram, host):
            self._learn(datagram, host)
            self._take(datagram, sender)

    def _add_user(self, engine: bytes | None, user: User) -> None:
        """The county's user, as our own engine knows it (informs), or as a sender's does (traps)."""
        from pysnmp.entity import config
        from pysnmp.proto.rfc1902 import OctetString

        config.add_v3_user(
            self._engine,
            user.name,
            config.USM_AUTH_HMAC96_SHA if user.auth is Auth.SHA1 else config.USM_AUTH_HMAC192_SHA256,
            user.auth_key,
            config.USM_PRIV_CFB128_AES,
            user.priv_key,
            securityEngineId=None if engine is None else OctetString(engine),
        )

    def _learn(self, datagram: bytes, sender: str) -> None:
        """An SNMPv3 trap speaks for its own engine, and nothing announces that: its user is told to pysnmp first."""
        try:
            security = ber.decode(datagram).security
        except ber.BerError:
            return
        if security is None or security.user != self._who.user.name.encode() or security.engine_id in (b"", self._id):
            return
        known = self._engines.setdefault(sender, set())
        if 5 <= len(security.engine_id) <= 32 and security.engine_id not in known and len(known) < _ENGINES:
            known.add(security.engine_id)
            self._add_user(security.engine_id, self._who.users.get(self._hosts[sender], self._who.user))

    def _admits(self, datagram: bytes, sender: str) -> bool:
        """Cheap refusals first."""
        if sender not in self._hosts:
            self.refused["sender"] += 1
            return False
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._this_second = second, Counter()
        self._this_second[sender] += 1
        together = self._this_second.total()
        if self._this_second[sender] > self._rate_per_s or together > self._rate_per_s * _TOGETHER:
            self.refused["rate"] += 1
            return False
        if len(datagram) > _LARGEST or datagram[:1] != _SEQUENCE:
            self.refused["broken"] += 1
            return False
        return True

    def _take(self, datagram: bytes, sender: tuple[str, int]) -> None:
        """pysnmp calls back before it returns, or not at all: for a wrong community, user or key."""
        before = self._heard
        try:
            self._transport._callback_function(self._transport, sender, datagram)
        except Exception as problem:  # pysnmp's own, of any kind: a datagram must not end the collector
            log.debug("trap refused: %s", problem)
        if self._heard == before and not _asks_who_we_are(datagram, self._id):
            self.refused["credentials"] += 1

    def _notified(self, engine: Any, reference: Any, _id: Any, _name: Any, varbinds: Any, _context: Any) -> None:
        self._heard += 1
        _domain, sender = engine.message_dispatcher.get_transport_info(reference)
        host = self._hosts.get(str(sender[0]))
        if host is None:
            return
        self.received += 1
        rows = [(str(oid), _plain(value)) for oid, value in list(varbinds)[: _VARBINDS + 2]]
        identity = str(next((value for oid, value in rows if oid == _TRAP_OID), ""))
        name, severity = _named(identity)
        told = {
            _label(oid): str(value)[:_TEXT]
            for oid, value in rows
            if oid not in _BESIDE and oid.removesuffix(".0") not in _SECRET
        }
        about = next((told[key] for key in _ABOUT if told.get(key)), "")
        self._damper.tell(
            "trap", host, f"{name} {about}".strip(), name=name, oid=identity, severity=severity, objects=told
        )

    def close(self) -> None:
        """Stop listening."""
        if self._engine is not None:
            self._receiver.close(self._engine)
            self._engine.close_dispatcher()
            self._engine = self._transport = None


def _asks_who_we_are(datagram: bytes, own: bytes) -> bool:
    """True for an SNMPv3 message that is a step of the protocol: discovery of our engine, or of its time."""
    try:
        message = ber.decode(datagram)
    except ber.BerError:
        return False
    security = message.security
    return security is not None and security.engine_id in (b"", own) and not (security.boots or security.time_s)


def _named(identity: str) -> tuple[str, str]:
    """Name and severity by the profiles; an unknown one is called by its identifier."""
    for profile in profiles().values():
        if identity in profile.traps:
            trap = profile.traps[identity]
            return trap.name, trap.severity
    return identity, "warning"


def _label(oid: str) -> str:
    """A varbind's object by name, without the instance where the name is known."""
    known = _columns()
    head = oid
    while head:
        if head in known:
            return known[head]
        head = head.rpartition(".")[0]
    return oid


_known_columns: dict[str, str] = {}


def _columns() -> dict[str, str]:
    if not _known_columns:
        for profile in profiles().values():
            _known_columns.update({column.oid: column.name.rpartition("::")[2] for column in profile.columns})
        _known_columns.update(_NAMES)
    return _known_columns


def _plain(value: Any) -> int | str:
    """pysnmp's value as a number or text."""
    try:
        return int(value)
    except (TypeError, ValueError):
        pass
    if hasattr(value, "asOctets"):
        data = value.asOctets()
        shown = text(data)
        return shown if shown.isprintable() and (shown or not data) else data.hex(":")
    return str(value)

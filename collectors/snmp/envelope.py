"""What is about a PDU: v2c's community, or v3's security, which is learned from the device itself.

Each envelope reads a plain answer by one regular expression; whatever is not plainly that is decoded properly.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache

from collectors.snmp import ber
from collectors.snmp.usm import Community, Keys, User

_LENGTH = rb"(?:\x82..|\x81.|[\x00-\x7f])"
_NUMBER = rb"\x02(\x01.|\x02..|\x03...|\x04....)"
_ANSWER = rb"\xa2" + _LENGTH + rb"\x02\x04(....)\x02\x01\x00\x02\x01\x000" + _LENGTH  # request id; no error
_AUTH, _PRIV, _REPORTABLE = 1, 2, 4
_LARGEST_ANSWER = 65507


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoded datagram: the request id it answers, and whether its MAC was right."""

    request_id: int
    pdu: ber.Pdu
    authentic: bool


class Plain:
    """SNMPv2c (RFC 1901)."""

    ready = True

    def __init__(self, community: Community) -> None:
        self._community = community.name.encode()
        self.head = ber.integer(1) + ber.tlv(ber.OCTETS, self._community)
        self._answer = _plain_answer(self.head)

    def forget(self) -> None:
        """Nothing is learned of the device."""

    def wrap(self, text: bytes, request_id: int) -> bytes:
        """The datagram of a message whose request id stands in it already."""
        return text

    def rows(self, data: bytes) -> tuple[int, bytes] | None:
        """(request id, rows) of a plain answer."""
        found = self._answer.match(data)
        return None if found is None else (int.from_bytes(found[1]), data[found.end() :])

    def open(self, data: bytes) -> Opened:
        """Any answer.

        Raises:
            ber.BerError: it is none.
        """
        message = ber.decode(data)
        if message.pdu is None or message.version != 1 or message.community != self._community:
            raise ber.BerError(f"found version {message.version}, expected v2c and our community")
        return Opened(message.pdu.request_id, message.pdu, True)


class Secured:
    """SNMPv3 authPriv by one user to one device: engine id, boots and clock as the device tells them."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._name = user.name.encode()
        self._salt = time.time_ns()  # never twice under one key: it only grows
        self.forget()

    def forget(self) -> None:
        """A device that lost its snmpEngineBoots (replaced, or its disk was) starts again at an earlier time.

        By RFC 3414 section 3.2 nothing it says would ever be accepted by one who remembers the later.
        """
        self.head = b"\x04\x00\x04\x00"
        self._engine_id = b""
        self._keys: Keys | None = None
        self._boots = 0
        self._started = 0.0  # our monotonic clock when the device's engine time was zero
        self._latest = (-1, -1)  # boots and time that the device signed last
        self._security: tuple[int, bytes] = (-1, b"")

    @property
    def ready(self) -> bool:
        """True once the device's engine is known."""
        return self._keys is not None

    def wrap(self, text: bytes, request_id: int) -> bytes:
        """Scoped PDU to datagram: encrypted and signed, or the question who is there."""
        keys = self._keys
        number = request_id.to_bytes(4)
        if keys is None:
            security = ber.tlv(ber.SEQUENCE, b"\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00")
            return ber.tlv(ber.SEQUENCE, _global(number, _REPORTABLE) + ber.tlv(ber.OCTETS, security) + text)
        now_s = max(0, int(time.monotonic() - self._started))
        self._salt += 1
        salt = (self._salt & 0xFFFFFFFFFFFFFFFF).to_bytes(8)
        cipher = ber.tlv(ber.OCTETS, keys.encrypt(text, self._boots, now_s, salt))
        if self._security[0] != now_s:
            names = ber.tlv(ber.OCTETS, self._engine_id) + ber.integer(self._boots) + ber.integer(now_s)
            mac = ber.tlv(ber.OCTETS, bytes(keys.mac_octets))
            self._security = now_s, names + ber.tlv(ber.OCTETS, self._name) + mac + b"\x04\x08"
        security = ber.tlv(ber.OCTETS, ber.tlv(ber.SEQUENCE, self._security[1] + salt))
        message = ber.tlv(ber.SEQUENCE, _global(number, _AUTH | _PRIV | _REPORTABLE) + security + cipher)
        end = len(message) - len(cipher) - 10
        return message[: end - keys.mac_octets] + keys.mac(message) + message[end:]

    def rows(self, data: bytes) -> tuple[int, bytes] | None:
        """(request id, rows) of a plain and authentic answer."""
        keys = self._keys
        if keys is None:
            return None
        outer, inner = _secured_answer(len(self._engine_id), len(self._name), keys.mac_octets)
        found = outer.match(data)
        if found is None:
            return None
        number, engine_id, boots, time_s, name, mac, salt = found.groups()
        if engine_id != self._engine_id or name != self._name or not keys.authentic(data, found.start(6), mac):
            return None
        boots, time_s = int.from_bytes(boots[1:]), int.from_bytes(time_s[1:])
        if boots > 0x7FFFFFFF or time_s > 0x7FFFFFFF:
            return None
        self._hear_clock(boots, time_s)
        text = keys.decrypt(data[found.end() :], boots, time_s, salt)
        answer = inner.match(text)
        return None if answer is None or answer[1] != number else (int.from_bytes(number), text[answer.end() :])

    def open(self, data: bytes) -> Opened:
        """Any answer or report; what is not authentic says so, and moves no clock.

        Raises:
            ber.BerError: none of ours.
        """
        message = ber.decode(data)
        security, keys, pdu = message.security, self._keys, message.pdu
        if security is None:
            raise ber.BerError(f"found version {message.version}, expected v3")
        authentic = False
        if message.flags & _AUTH:
            ours = keys is not None and security.engine_id == self._engine_id and security.user == self._name
            if keys is None or not ours or not keys.authentic(data, security.mac_at, security.mac):
                raise ber.BerError("the MAC is not the device's")
            if not (0 <= security.boots <= 0x7FFFFFFF and 0 <= security.time_s <= 0x7FFFFFFF):
                raise ber.BerError("a clock beyond RFC 3414")
            authentic = True
            self._hear_clock(security.boots, security.time_s)
            if pdu is None and len(security.salt) == 8:
                pdu = ber.read_scoped(keys.decrypt(message.encrypted, security.boots, security.time_s, security.salt))
        if pdu is None:
            raise ber.BerError("encrypted, and not by the device's keys")
        if authentic and pdu.kind == ber.RESPONSE and pdu.request_id != message.message_id:
            raise ber.BerError("an answer to two questions")
        return Opened(message.message_id, pdu, authentic)

    def meet(self, data: bytes) -> None:
        """The device's answer to the question who is there: its engine, its keys there, and its clock until it signs.

        Raises:
            ber.BerError: no such answer.
        """
        security = ber.decode(data).security
        if security is None or not 5 <= len(security.engine_id) <= 32:  # SnmpEngineID, RFC 3411
            raise ber.BerError("no engine id")
        self.forget()
        self._engine_id = security.engine_id
        self._keys = Keys(self._user, security.engine_id)
        self.head = ber.tlv(ber.OCTETS, security.engine_id) + b"\x04\x00"
        self._boots = min(max(0, security.boots), 0x7FFFFFFF)
        self._started = time.monotonic() - min(max(0, security.time_s), 0x7FFFFFFF)

    def _hear_clock(self, boots: int, time_s: int) -> None:
        """RFC 3414 section 3.2, 7b: a signed clock is taken when it is later than the latest signed one."""
        if (boots, time_s) > self._latest:
            if boots != self._boots:
                self._security = (-1, b"")
            self._latest = boots, time_s
            self._boots, self._started = boots, time.monotonic() - time_s


Envelope = Plain | Secured


def envelope(who: Community | User) -> Envelope:
    """The one that these credentials ask for."""
    return Plain(who) if isinstance(who, Community) else Secured(who)


@lru_cache(256)
def _plain_answer(head: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"0" + _LENGTH + re.escape(head) + _ANSWER, re.DOTALL)


@lru_cache(256)
def _secured_answer(engine: int, name: int, mac: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Of a signed and encrypted answer (id, engine id, boots, time, name, MAC, salt), and of what it encrypts."""

    def octets(count: int) -> bytes:
        return b"\\x04" + re.escape(bytes((count,))) + b"(.{%d})" % count

    outer = (
        rb"0" + _LENGTH + rb"\x02\x01\x030[\x00-\x7f]\x02\x04(....)"
        rb"\x02(?:\x01.|\x02..|\x03...|\x04....)\x04\x01\x03\x02\x01\x03\x04" + _LENGTH + rb"0" + _LENGTH
    )  # fmt: skip
    outer += octets(engine) + _NUMBER + _NUMBER + octets(name) + octets(mac) + octets(8) + rb"\x04" + _LENGTH
    inner = rb"0" + _LENGTH + rb"\x04" + re.escape(bytes((engine,))) + b".{%d}" % engine + rb"\x04\x00" + _ANSWER
    return re.compile(outer, re.DOTALL), re.compile(inner, re.DOTALL)


def _global(number: bytes, flags: int) -> bytes:
    """msgVersion and msgGlobalData (RFC 3412 section 6); ``number``: msgID."""
    limit = ber.integer(_LARGEST_ANSWER)
    return ber.integer(3) + ber.tlv(ber.SEQUENCE, b"\x02\x04" + number + limit + bytes((4, 1, flags)) + b"\x02\x01\x03")

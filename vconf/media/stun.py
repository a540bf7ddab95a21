"""STUN messages as an ICE-lite agent needs them (RFC 8489, RFC 8445).

Only Binding requests are understood and only their answers are built.  Every function takes bytes from
outside; anything that is not well formed raises :class:`StunError` and nothing else.
"""

from __future__ import annotations

import hmac
import struct
import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address

BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_FINGERPRINT_XOR = 0x5354554E
_INTEGRITY_BYTES = 24
_FINGERPRINT_BYTES = 8


class StunError(ValueError):
    """The bytes are not a STUN message we accept."""


@dataclass(frozen=True, slots=True)
class Message:
    """A parsed message; attributes keep the first value of each type, as RFC 8489 section 14 asks."""

    kind: int
    transaction: bytes  # 12 bytes
    attributes: dict[int, bytes]
    integrity_at: int  # offset of MESSAGE-INTEGRITY in the bytes, -1 when absent

    @property
    def username(self) -> str:
        """USERNAME as text; StunError when absent or not UTF-8."""
        value = self.attributes.get(USERNAME)
        if value is None:
            raise StunError("no USERNAME")
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise StunError("USERNAME is not UTF-8") from error


def is_stun(data: bytes) -> bool:
    """True when the first byte says STUN (RFC 7983 section 7: 0..3)."""
    return len(data) >= 20 and data[0] < 4


def parse(data: bytes) -> Message:
    """Parse one datagram; checks lengths, cookie and FINGERPRINT when there is one."""
    if len(data) < 20:
        raise StunError(f"{len(data)} bytes, a header has 20")
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if cookie != COOKIE or kind & 0xC000:
        raise StunError("not a STUN header")
    if length != len(data) - 20 or length & 3:
        raise StunError(f"length field {length}, datagram has {len(data) - 20}")
    attributes: dict[int, bytes] = {}
    integrity_at = -1
    offset = 20
    while offset < len(data):
        # a length that is a multiple of four guarantees four bytes here
        attribute, size = struct.unpack_from("!HH", data, offset)
        end = offset + 4 + size
        if end > len(data):
            raise StunError(f"attribute 0x{attribute:04x} runs over the end")
        if integrity_at < 0 or attribute == FINGERPRINT:  # after MESSAGE-INTEGRITY only FINGERPRINT counts
            attributes.setdefault(attribute, data[offset + 4 : end])
        if attribute == MESSAGE_INTEGRITY and integrity_at < 0:
            integrity_at = offset
        if attribute == FINGERPRINT:
            if size != 4 or end != len(data):
                raise StunError("FINGERPRINT is not the last attribute")
            if int.from_bytes(data[end - 4 : end]) != _fingerprint(data[:offset]):
                raise StunError("FINGERPRINT does not match")
        offset = end + (-size & 3)
    return Message(kind, transaction, attributes, integrity_at)


def verify(data: bytes, message: Message, password: bytes) -> bool:
    """True when MESSAGE-INTEGRITY is there and was made with this password."""
    value = message.attributes.get(MESSAGE_INTEGRITY)
    if value is None or len(value) != 20 or message.integrity_at < 0:
        return False
    return hmac.compare_digest(value, _integrity(data[: message.integrity_at], password))


def success(message: Message, address: tuple[str, int], password: bytes) -> bytes:
    """The Binding success response to ``message``, telling the sender its (IPv4 address, port)."""
    host = int(IPv4Address(address[0])) ^ COOKIE
    mapped = struct.pack("!BBHI", 0, 1, address[1] ^ (COOKIE >> 16), host)
    return _seal(BINDING_SUCCESS, message.transaction, [(XOR_MAPPED_ADDRESS, mapped)], password)


def role_conflict(message: Message, password: bytes) -> bytes:
    """The 487 answer (RFC 8445 section 7.3.1.1): a lite agent is always the controlled one."""
    error = struct.pack("!HBB", 0, 4, 87) + b"Role Conflict"
    return _seal(BINDING_ERROR, message.transaction, [(ERROR_CODE, error)], password)


def request(transaction: bytes, username: str, password: bytes, *, nominate: bool = False) -> bytes:
    """A Binding request as a full agent sends it; tests and the bench play the browser with it."""
    priority = struct.pack(
        "!I", 110 << 24 | 0xFFFF << 8 | 0xFF
    )  # RFC 8445 section 7.1.1: as a peer-reflexive candidate
    attributes = [(USERNAME, username.encode()), (PRIORITY, priority), (ICE_CONTROLLING, b"\0" * 8)]
    if nominate:
        attributes.append((USE_CANDIDATE, b""))
    return _seal(BINDING_REQUEST, transaction, attributes, password)


def _seal(kind: int, transaction: bytes, attributes: list[tuple[int, bytes]], password: bytes) -> bytes:
    body = b"".join(
        struct.pack("!HH", attribute, len(value)) + value + b"\0" * (-len(value) & 3) for attribute, value in attributes
    )
    data = _HEADER.pack(kind, len(body), COOKIE, transaction) + body
    data += struct.pack("!HH", MESSAGE_INTEGRITY, 20) + _integrity(data, password)
    return _with_length(data, len(data) - 20 + _FINGERPRINT_BYTES) + struct.pack(
        "!HHI", FINGERPRINT, 4, _fingerprint(data)
    )


def _with_length(data: bytes, length: int) -> bytes:
    return data[:2] + struct.pack("!H", length) + data[4:]


def _integrity(before: bytes, password: bytes) -> bytes:
    """HMAC-SHA1 over the message up to the attribute, its length field counting the attribute too."""
    return hmac.digest(password, _with_length(before, len(before) - 20 + _INTEGRITY_BYTES), "sha1")


def _fingerprint(before: bytes) -> int:
    return zlib.crc32(_with_length(before, len(before) - 20 + _FINGERPRINT_BYTES)) ^ _FINGERPRINT_XOR

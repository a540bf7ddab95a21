"""The user-based security model from the side that is asked: its own engine decides (RFC 3414, 3826, 7860)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from twin.standins.snmp import ber

AUTH, PRIV, REPORTABLE = 1, 2, 4
WINDOW_S = 150  # RFC 3414 section 2.2.3
LARGEST = 65507
_MEGABYTE = 1 << 20
_MAC_OCTETS = {"sha1": 12, "sha256": 24, "sha512": 48}


@dataclass(frozen=True, slots=True)
class User:
    """One who may ask: hash of his authentication ("sha1", "sha256", "sha512"), octets of the AES key."""

    name: str
    hash: str
    auth: str = field(repr=False)
    priv: str = field(repr=False)
    key_octets: int = 16


class Keys:
    """A user's keys on one engine."""

    def __init__(self, user: User, engine: bytes) -> None:
        self.hash = user.hash
        self.mac_octets = _MAC_OCTETS[user.hash]
        self._auth = localized(user.auth, user.hash, engine)
        priv = localized(user.priv, user.hash, engine)
        while len(priv) < user.key_octets:  # draft-blumenthal-aes-usm
            priv += hashlib.new(user.hash, priv).digest()
        self._cipher = AES(priv[: user.key_octets])

    def mac(self, message: bytes) -> bytes:
        """Of a message whose own is zeros."""
        return hmac.digest(self._auth, message, self.hash)[: self.mac_octets]

    def authentic(self, datagram: bytes, question: ber.Question) -> bool:
        """Was it sent by somebody who knows the key?"""
        if len(question.mac) != self.mac_octets:
            return False
        end = question.mac_at + self.mac_octets
        zeroed = datagram[: question.mac_at] + bytes(self.mac_octets) + datagram[end:]
        return hmac.compare_digest(self.mac(zeroed), question.mac)

    def encrypt(self, text: bytes, boots: int, time_s: int, salt: bytes) -> bytes:
        """RFC 3826 section 3.1.4."""
        return Cipher(self._cipher, CFB(_vector(boots, time_s, salt))).encryptor().update(text)

    def decrypt(self, text: bytes, boots: int, time_s: int, salt: bytes) -> bytes:
        """The other way."""
        return Cipher(self._cipher, CFB(_vector(boots, time_s, salt))).decryptor().update(text)


def _vector(boots: int, time_s: int, salt: bytes) -> bytes:
    return boots.to_bytes(4) + time_s.to_bytes(4) + salt


@lru_cache(8)
def localized(phrase: str, name: str, engine: bytes) -> bytes:
    """Pass phrase to key (RFC 3414 appendix A.2), the engine's own."""
    plain = phrase.encode()
    key = hashlib.new(name, (plain * (_MEGABYTE // len(plain) + 1))[:_MEGABYTE]).digest()
    return hashlib.new(name, key + engine + key).digest()


def wrapped(
    message_id: int, flags: int, engine: bytes, boots: int, time_s: int, user: bytes, keys: Keys | None, scope: bytes
) -> bytes:
    """A whole message: encrypted and authenticated as the flags say; ``keys`` None for one that is neither."""
    salt = secrets.token_bytes(8) if flags & PRIV else b""
    body = scope
    if flags & PRIV and keys is not None:
        body = ber.tlv(ber.OCTETS, keys.encrypt(scope, boots, time_s, salt))
    blank = bytes(keys.mac_octets) if flags & AUTH and keys is not None else b""
    before = ber.tlv(ber.OCTETS, engine) + ber.number(boots) + ber.number(time_s) + ber.tlv(ber.OCTETS, user)
    after = ber.tlv(ber.OCTETS, salt)
    security = ber.tlv(ber.OCTETS, ber.tlv(ber.SEQUENCE, before + ber.tlv(ber.OCTETS, blank) + after))
    header = ber.number(message_id) + ber.number(LARGEST) + ber.tlv(ber.OCTETS, bytes((flags,))) + ber.number(3)
    message = ber.tlv(ber.SEQUENCE, ber.number(3) + ber.tlv(ber.SEQUENCE, header) + security + body)
    if not blank or keys is None:
        return message
    at = len(message) - len(body) - len(after) - len(blank)
    return message[:at] + keys.mac(message) + message[at + len(blank) :]

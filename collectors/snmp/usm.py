"""User-based security of SNMPv3: keys, MAC and cipher (RFC 3414, RFC 3826, RFC 7860).

Authentication SHA-1 and SHA-2, privacy AES-128 and AES-256; AES-256 has no RFC: its key is stretched as
draft-blumenthal-aes-usm says (most), or as draft-reeder-snmpv3-usm-3desede does (Cisco, Huawei and others).
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

_STRETCHED = 1 << 20  # octets of repeated pass phrase (RFC 3414 section 2.6)


class Auth(enum.Enum):
    """Hash and length of the MAC in octets."""

    SHA1 = ("sha1", 12)
    SHA224 = ("sha224", 16)
    SHA256 = ("sha256", 24)
    SHA384 = ("sha384", 32)
    SHA512 = ("sha512", 48)


class Priv(enum.Enum):
    """Length of the key in octets, and how a hash that is too short becomes one."""

    AES128 = (16, "")
    AES256 = (32, "blumenthal")
    AES256_REEDER = (32, "reeder")


@dataclass(frozen=True, slots=True)
class Community:
    """SNMPv2c."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """SNMPv3 authPriv.  The pass phrases are in no log and no traceback."""

    name: str
    auth_key: str = field(repr=False)
    priv_key: str = field(repr=False)
    auth: Auth = Auth.SHA256
    priv: Priv = Priv.AES128


class Keys:
    """A user's keys as one device's engine has them; ``engine_id`` localises them."""

    def __init__(self, user: User, engine_id: bytes) -> None:
        name, self.mac_octets = user.auth.value
        octets, how = user.priv.value
        auth = _localized(stretched(user.auth_key.encode(), name), engine_id, name)
        block = hashlib.new(name).block_size
        padded = auth.ljust(block, b"\0")
        # RFC 2104 with both keyed blocks hashed once and for all: a message costs two copies.
        self._inner = hashlib.new(name, bytes(octet ^ 0x36 for octet in padded))
        self._outer = hashlib.new(name, bytes(octet ^ 0x5C for octet in padded))
        priv = _localized(stretched(user.priv_key.encode(), name), engine_id, name)
        while len(priv) < octets:
            if how == "reeder":
                priv += _localized(stretched(priv, name), engine_id, name)
            else:
                priv += hashlib.new(name, priv).digest()
        self._cipher = AES(priv[:octets])

    def mac(self, message: bytes) -> bytes:
        """Of a message whose own MAC is zeros."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()[: self.mac_octets]

    def authentic(self, message: bytes, at: int, mac: bytes) -> bool:
        """True when ``mac``, which stands at ``at``, is this message's."""
        octets = self.mac_octets
        zeroed = message[:at] + bytes(octets) + message[at + octets :]
        return hmac.compare_digest(self.mac(zeroed), mac)

    def encrypt(self, text: bytes, boots: int, time_s: int, salt: bytes) -> bytes:
        """AES in CFB-128 (RFC 3826 section 3.1.4)."""
        vector = boots.to_bytes(4) + time_s.to_bytes(4) + salt
        return Cipher(self._cipher, CFB(vector)).encryptor().update(text)

    def decrypt(self, text: bytes, boots: int, time_s: int, salt: bytes) -> bytes:
        """The other way."""
        vector = boots.to_bytes(4) + time_s.to_bytes(4) + salt
        return Cipher(self._cipher, CFB(vector)).decryptor().update(text)


@lru_cache(64)
def stretched(phrase: bytes, name: str) -> bytes:
    """Pass phrase to key (RFC 3414 appendix A.2): a megabyte is hashed, so once for all devices."""
    if not phrase:
        raise ValueError("a pass phrase of SNMPv3 is empty; RFC 3414 section 11.2 asks for at least 8 characters")
    return hashlib.new(name, (phrase * (_STRETCHED // len(phrase) + 1))[:_STRETCHED]).digest()


def _localized(key: bytes, engine_id: bytes, name: str) -> bytes:
    return hashlib.new(name, key + engine_id + key).digest()

"""A sealed file: a stream of bytes under AES-256-GCM, so that nobody without the key reads it or makes one.

::

    SWBACK1\\n | key id (8) | salt (32) | piece | piece | ... | last piece

A piece is up to 64 KiB of the text and its tag (16).  Its nonce is seven zero bytes, the piece's number (4, big endian)
and 1 for the last one, else 0: pieces that were changed, moved, left out or cut off do not open (the STREAM
construction; Hoang, Reyhanitabar, Rogaway, Vizar 2015).  Each file has a key of its own, HKDF-SHA256 of the recovery
key and the salt, so nonces never meet again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import secrets
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"SWBACK1\n"
_ID_BYTES, _SALT_BYTES, _TAG_BYTES = 8, 32, 16
_PIECE = 64 * 1024
_HEAD = len(MAGIC) + _ID_BYTES + _SALT_BYTES


class SealError(Exception):
    """A sealed file, or a key, that cannot be used; the text names it, the cause and the next step (exit code 2)."""


def decode_key(text: str, where: str) -> bytes:
    """The recovery key (32 bytes) from its base64; SealError, which names ``where``, otherwise."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise SealError(
            f"{where}: found no recovery key; expected base64 of 32 bytes, as `sanwang backup key` prints it"
        )
    return key


def key_id(key: bytes) -> str:
    """What tells one recovery key from another, hexadecimal; gives nothing of it away."""
    return hashlib.sha256(b"sanwang recovery key" + key).digest()[:_ID_BYTES].hex()


class Sealer(io.RawIOBase):
    """Writes a sealed file; it is whole only after ``close``."""

    def __init__(self, target: BinaryIO, key: bytes) -> None:
        self._target = target
        salt = secrets.token_bytes(_SALT_BYTES)
        self._head = MAGIC + bytes.fromhex(key_id(key)) + salt
        self._key = _file_key(key, salt)
        self._held = bytearray()
        self._number = 0
        target.write(self._head)

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: object) -> int:
        """Take bytes; a piece is sealed as soon as another follows it."""
        taken = bytes(data)  # type: ignore[call-overload]
        self._held += taken
        while len(self._held) > _PIECE:
            self._seal(bytes(self._held[:_PIECE]), last=False)
            del self._held[:_PIECE]
        return len(taken)

    def close(self) -> None:
        """Seal the last piece; the target stays open."""
        if not self.closed:
            self._seal(bytes(self._held), last=True)
        super().close()

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._target.write(self._key.encrypt(_nonce(self._number, last=last), piece, self._head))
        self._number += 1


class Opener(io.RawIOBase):
    """Reads a sealed file; SealError as soon as something is not as it was written.

    What was read before the end is authentic, but only the end tells that nothing is missing: read to it.
    """

    def __init__(self, source: BinaryIO, key: bytes, name: str) -> None:
        self._source, self._name = source, name
        self._head = source.read(_HEAD)
        if self._head[: len(MAGIC)] != MAGIC:
            raise SealError(f"{name}: found another kind of file; expected a backup that `sanwang backup create` made")
        if len(self._head) < _HEAD:
            raise self._cut()
        made_with = self._head[len(MAGIC) :][:_ID_BYTES].hex()
        if made_with != key_id(key):
            raise SealError(
                f"{name}: found a backup sealed with recovery key {made_with}; expected {key_id(key)}, the one given:"
                " give the right one with --key"
            )
        self._key = _file_key(key, self._head[-_SALT_BYTES:])
        self._next = source.read(_PIECE + _TAG_BYTES)
        self._number = 0
        self._open = b""
        if not self._next:
            raise self._cut()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer; 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        if not self._open and self._next:
            self._open = self._piece()
        taken = self._open[: len(view)]
        view[: len(taken)] = taken
        self._open = self._open[len(taken) :]
        return len(taken)

    def finish(self) -> None:
        """Read what is left; SealError when the file was cut off or something was put at its end."""
        while self.read(_PIECE):
            pass

    def _piece(self) -> bytes:
        sealed, self._next = self._next, self._source.read(_PIECE + _TAG_BYTES)
        try:
            piece = self._key.decrypt(_nonce(self._number, last=not self._next), sealed, self._head)
        except (InvalidTag, ValueError):
            raise self._cut() if not self._next else self._changed() from None
        self._number += 1
        return piece

    def _changed(self) -> SealError:
        return SealError(f"{self._name}: byte {self._offset()} or later was changed since it was written: take another")

    def _cut(self) -> SealError:
        return SealError(
            f"{self._name}: cut off, or changed at its end (near byte {self._offset()}): take another copy"
        )

    def _offset(self) -> int:
        return _HEAD + getattr(self, "_number", 0) * (_PIECE + _TAG_BYTES)


def _file_key(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, MAGIC).derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return bytes(7) + number.to_bytes(4, "big") + bytes([last])


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Sealed files: chunks that are encrypted and authenticated one by one, so that a crash costs the last one alone.

A file is the 8 octets ``SWREC1`` and two zeros, 16 octets of salt, the length of its name in 2 octets and the name,
then chunks: the length of the sealed octets in 4, a kind in 1, the sealed octets.  A chunk is AES-256-GCM with the
chunk's number as nonce; the file's head, the number and the kind are authenticated with it.  The file's key is
HKDF-SHA256 of the recording's key and the salt, so no two files share one, whatever their names.  The last chunk of a
file that was closed says so (kind ``END``).

A chunk that was changed, moved, repeated or taken out from between is refused.  A file that stops within a chunk, or
without its end, is torn: what stands before is good, and the reader says so (``ended``).

The recording's own key is 32 random octets, kept in the store sealed by the county's key ``psk/recordings``.
"""

from __future__ import annotations

import base64
import os
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY = "psk/recordings"
"""Name of the county's secret that seals the recordings' keys."""

HEAD, DATA, END = 0, 1, 2
"""What a chunk is: the first, one of those between, the last."""

SUFFIX = ".swr"
CHUNK_BYTES = 64 << 20

_MAGIC = b"SWREC1\0\0"
_CHUNK = struct.Struct(">IB")
_NONCE_BYTES = 12


class SealError(ValueError):
    """What was sealed is not what is there; the message names the file and the place."""


def new_key() -> bytes:
    """A recording's own."""
    return secrets.token_bytes(32)


def wrap(county_key: str, recording: str, key: bytes) -> str:
    """A recording's key for the store; ``county_key`` is the secret, base64."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(base64.b64decode(county_key)).encrypt(nonce, key, recording.encode())
    return base64.b64encode(nonce + sealed).decode()


def unwrap(county_key: str, recording: str, wrapped: str) -> bytes:
    """The key again; SealError when this county's secret did not seal it for this recording."""
    data = base64.b64decode(wrapped)
    try:
        return AESGCM(base64.b64decode(county_key)).decrypt(
            data[:_NONCE_BYTES], data[_NONCE_BYTES:], recording.encode()
        )
    except InvalidTag:
        raise SealError(f"recording {recording}: its key was not sealed by this county's secret {KEY}") from None


class SealedWriter:
    """A new file in the folder; OSError when the disk refuses.

    Args:
        path: It must not be there yet.
        key: The recording's.
        recording: Its id.
    """

    def __init__(self, path: Path, key: bytes, recording: str) -> None:
        name, salt = path.name.encode(), secrets.token_bytes(16)
        self.path = path
        self.octets = 0
        self._head = _MAGIC + salt + len(name).to_bytes(2) + name
        self._seal = AESGCM(_file_key(key, recording, salt))
        self._number = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._put(self._head)

    def write(self, data: bytes, kind: int = DATA) -> None:
        """One chunk; it is with the kernel when this returns."""
        sealed = self._seal.encrypt(_nonce(self._number), data, self._head + _nonce(self._number) + bytes((kind,)))
        self._number += 1
        self._put(_CHUNK.pack(len(sealed), kind) + sealed)

    def sync(self) -> None:
        """Wait for the disk; for a thread."""
        if self._file >= 0:
            os.fdatasync(self._file)

    def close(self, *, whole: bool = True) -> None:
        """End it; ``whole`` False: as a crash would have."""
        if self._file < 0:
            return
        try:
            if whole:
                self.write(b"", END)
        finally:
            os.close(self._file)
            self._file = -1

    def _put(self, data: bytes) -> None:
        while data:
            written = os.write(self._file, data)
            self.octets += written
            data = data[written:]


class SealedReader:
    """Chunks of a file in order; iterate over ``chunks()``, then ask ``ended``."""

    def __init__(self, path: Path, key: bytes, recording: str) -> None:
        self.path = path
        self.ended = False
        self.read = 0  # chunks
        self._key = key
        self._recording = recording

    def again(self) -> SealedReader:
        """The same file from its beginning."""
        return SealedReader(self.path, self._key, self._recording)

    def chunks(self) -> Iterator[bytes]:
        """The plain octets of each chunk but the end.

        Raises:
            SealError: A chunk is not what was written.
        """
        self.read, self.ended = 0, False
        with self.path.open("rb") as file:
            head = file.read(len(_MAGIC) + 18)
            if len(head) < len(_MAGIC) + 18:
                return  # torn at its very beginning
            if not head.startswith(_MAGIC):
                raise SealError(f"{self.path.name}: not a sealed recording")
            head += file.read(int.from_bytes(head[-2:]))
            salt, name = head[len(_MAGIC) : len(_MAGIC) + 16], head[len(_MAGIC) + 18 :]
            if name != self.path.name.encode():
                raise SealError(f"{self.path.name}: was written as {name.decode('utf-8', 'replace')!r}")
            seal = AESGCM(_file_key(self._key, self._recording, salt))
            while not self.ended:
                place = file.read(_CHUNK.size)
                if len(place) < _CHUNK.size:
                    return
                size, kind = _CHUNK.unpack(place)
                if size > CHUNK_BYTES:
                    raise SealError(f"{self.path.name}: chunk {self.read} says that it has {size} octets")
                sealed = file.read(size)
                if len(sealed) < size:
                    return
                try:
                    plain = seal.decrypt(_nonce(self.read), sealed, head + _nonce(self.read) + bytes((kind,)))
                except InvalidTag:
                    raise SealError(f"{self.path.name}: chunk {self.read} is not what was written") from None
                self.read += 1
                if kind == END:
                    self.ended = True
                else:
                    yield plain


def _file_key(key: bytes, recording: str, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"sanwang recording " + recording.encode()).derive(key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES)

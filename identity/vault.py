"""The county's secrets: one encrypted file, AES-256-GCM, whose key lies in ``vault.key`` or in SANWANG_VAULT_KEY.

File format (``vault.bin``): the 8 bytes ``SWVAULT1``, a 12 byte nonce, and the sealed JSON object
``{name: value}``; the first 8 bytes are authenticated too.  Every write takes a fresh nonce, replaces the file in
one step and holds a file lock, so several processes may use one vault.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.files import create_once, locked, private_folder, write_atomic

KEY_VARIABLE = "SANWANG_VAULT_KEY"
_MAGIC = b"SWVAULT1"
_NONCE_BYTES = 12


class VaultError(Exception):
    """The vault cannot be opened; the message names the file, the cause and the next step."""


class Vault:
    """The secrets of one county.

    Args:
        folder: Where ``vault.bin`` and ``vault.key`` lie; made when missing, mode 0700.

    Raises:
        VaultError: The key file is open to others, or a key is not base64 of 32 bytes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)
        self._file = self._folder / "vault.bin"
        self._lock = self._folder / "vault.lock"
        self._key = AESGCM(self._load_key())
        self._opened: tuple[bytes | None, dict[str, str]] = (None, {})  # the file opened last, and what was in it

    def get(self, name: str) -> str:
        """The secret of that name; KeyError when there is none."""
        secrets_ = self._read()
        try:
            return secrets_[name]
        except KeyError:
            raise KeyError(f"the vault has no secret {name!r}") from None

    def find(self, name: str) -> str:
        """The secret of that name; "" when there is none."""
        return self._read().get(name, "")

    def names(self) -> list[str]:
        """All names, sorted; names are not secret."""
        return sorted(self._read())

    def ensure(self, name: str, factory: Callable[[], str]) -> str:
        """The secret of that name, made by the factory the first time it is asked for."""
        known = self._read().get(name)
        if known is not None:
            return known
        return self.ensure_many(((name, factory),))[name]

    def ensure_many(self, wanted: Iterable[tuple[str, Callable[[], str]]]) -> dict[str, str]:
        """Several at once, with one write of the file: for a whole county's keys."""
        with locked(self._lock):
            held = self._read()
            before = len(held)
            result = {}
            for name, factory in wanted:
                if name not in held:
                    held[name] = factory()
                result[name] = held[name]
            if len(held) != before:
                self._write(held)
        return result

    def put(self, name: str, value: str) -> None:
        """Set a secret, whether it was there or not (rotation)."""
        with locked(self._lock):
            held = self._read()
            held[name] = value
            self._write(held)

    def forget(self, name: str) -> bool:
        """Remove a secret; False when there was none."""
        with locked(self._lock):
            held = self._read()
            if name not in held:
                return False
            del held[name]
            self._write(held)
        return True

    def _read(self) -> dict[str, str]:
        try:
            sealed = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        last, held = self._opened
        if sealed == last:
            return dict(held)
        if not sealed.startswith(_MAGIC) or len(sealed) < len(_MAGIC) + _NONCE_BYTES + 16:
            raise VaultError(f"{self._file}: not a vault file, or cut off: restore it from the backup")
        body = sealed[len(_MAGIC) :]
        try:
            plain = self._key.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _MAGIC)
        except InvalidTag:
            raise VaultError(
                f"{self._file}: changed by somebody, or sealed with another key: "
                f"restore it from the backup, or give the right key in {KEY_VARIABLE}"
            ) from None
        loaded: dict[str, str] = json.loads(plain)
        self._opened = sealed, loaded
        return dict(loaded)

    def _write(self, held: dict[str, str]) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps(held, sort_keys=True).encode()
        write_atomic(self._file, _MAGIC + nonce + self._key.encrypt(nonce, plain, _MAGIC))

    def _load_key(self) -> bytes:
        """The key from the environment, else from ``vault.key``, else a new one in ``vault.key``."""
        given = os.environ.get(KEY_VARIABLE)
        if given is not None:
            return _decode_key(given, KEY_VARIABLE)
        path = self._folder / "vault.key"
        with locked(self._lock):
            if not path.exists():
                if self._file.exists():
                    raise VaultError(f"{path}: missing, but {self._file.name} is there: give its key in {KEY_VARIABLE}")
                create_once(path, base64.b64encode(secrets.token_bytes(32)) + b"\n")
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise VaultError(f"{path}: others can read it: chmod 600 {path}, and think about new keys")
        return _decode_key(path.read_text(), str(path))


def _decode_key(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise VaultError(f"{where}: expected base64 of 32 bytes (openssl rand -base64 32)")
    return key

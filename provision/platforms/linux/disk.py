"""Files of this appliance, written whole: a reader sees the old or the new, and so does a power cut.

Standard library only: it runs on the device.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any


def _sha256() -> Any:
    """Python's own: ``hashlib`` would load OpenSSL for it."""
    for module in ("_sha2", "_sha256", "hashlib"):
        with contextlib.suppress(ImportError):
            return __import__(module).sha256
    raise AssertionError("a Python without SHA-256")


sha256 = _sha256()

FOLDER = "/var/lib/sanwang-device"
LEDGER = FOLDER + "/applied.json"
_LOCK = "/run/sanwang-device.lock"


class Busy(Exception):
    """Another call of the device tool still works."""


@contextlib.contextmanager
def locked(within_s: float | None = None) -> Iterator[None]:
    """One change at a time; waits for ever, or raises Busy after ``within_s``.

    The lock dies with its holder: whoever has it knows that nobody else is in the middle of a change.
    """
    with open(_LOCK, "w", encoding="ascii") as lock:
        end = time.monotonic() + (within_s or 0)
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if within_s is not None else 0))
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Busy from None
                time.sleep(0.1)
        yield


def read(path: str) -> tuple[str | None, str]:
    """Text and mode of a file; (None, "") when it is not there."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(), f"{os.fstat(file.fileno()).st_mode & 0o7777:04o}"
    except (FileNotFoundError, IsADirectoryError):
        return None, ""


def digest(text: str) -> str:
    """SHA-256 of a text as it lies on the disk, hexadecimal."""
    return str(sha256(text.encode(errors="surrogateescape")).hexdigest())


def stage(path: str, text: str, mode: str) -> None:
    """Put a file's new text beside it, on the disk for good; ``take`` makes it the file."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = path + ".new"
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), int(mode, 8))
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)  # a full disk: what fitted is no use
        raise


def take(path: str) -> None:
    """Make the staged text the file."""
    os.rename(path + ".new", path)
    if path.startswith("/etc/frr/"):
        import shutil

        shutil.chown(path, "frr", "frr")
    _sync_folder(path)


def write(path: str, text: str, mode: str) -> None:
    """Replace a file as a whole."""
    stage(path, text, mode)
    take(path)


def unlink(path: str) -> None:
    """Remove a file for good; fine when it is not there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        _sync_folder(path)


def _sync_folder(path: str) -> None:
    handle = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def document(path: str) -> Any:
    """The JSON document in a file of ours; None when it is not there or no JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def ledger() -> dict[str, Any]:
    """What was applied last: {"files": {path: group}, "fingerprints": {group: hash}}."""
    found: dict[str, Any] | None = document(LEDGER)
    return found or {"files": {}, "fingerprints": {}}

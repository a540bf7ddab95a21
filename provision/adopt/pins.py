"""Host keys of devices that were agreed to: ``address port type base64``, one a line, for their owner only."""

from __future__ import annotations

import os
from pathlib import Path


class Pins:
    """The agreed keys in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, address: str, port: int) -> str:
        """The key agreed to, as ``type base64``; "" when there is none yet."""
        try:
            rows = self._path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return ""
        found = ""
        for row in rows:
            words = row.split()
            if len(words) == 4 and words[:2] == [address, str(port)]:
                found = f"{words[2]} {words[3]}"
        return found

    def put(self, address: str, port: int, key: str) -> None:
        """Remember a key.  Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="ascii") as file:
            file.write(f"{address} {port} {key}\n")
            file.flush()
            os.fsync(file.fileno())

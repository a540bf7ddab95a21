"""A vendor session's transcript: secrets of vendors' command lines hidden, a few writes instead of one per line."""

from __future__ import annotations

import io
import re
from typing import Any, Protocol

from provision.broker.masking import HIDDEN, mask

_FLUSH_BYTES = 32 * 1024

_VENDOR_SECRET = re.compile(
    r"(?im)(?P<key>\b(?:irreversible-cipher|cipher|simple|plain|md5 \d+|md5|hmac-\w+ \d+|password(?: [057])?|"
    r"secret(?: [0-9])?|authentication-key(?: \d+)?|key-string|community(?: read| write)?|auth \w+|priv(?: \w+)?|"
    r"key [07])[ \t]+)"
    r"(?!(?:cipher|simple|plain|irreversible-cipher|read|write|md5|hmac-\S+|sha\S*|aes\S*)\b)(?P<value>\S+)"
)


class Sink(Protocol):
    """Where whole pieces of a transcript go; ``provision.broker.session.SessionLog`` is one."""

    def write(self, data: Any) -> int:
        """Take some bytes."""
        ...


def hidden(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text without secrets: known ones, and whatever stands where vendors' commands have key material."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return mask(_VENDOR_SECRET.sub(lambda found: f"{found['key']}{HIDDEN}", text), {})


class Transcript(io.BufferedIOBase):
    """Between netmiko and the log: whole lines, hidden, in pieces of some kilobytes; ``flush_now`` after each task."""

    def __init__(self, sink: Sink, secrets: tuple[str, ...]) -> None:
        self._sink = sink
        self._secrets = secrets
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:
        """Held until there is enough."""
        piece = bytes(data)
        self._held.append(piece)
        self._size += len(piece)
        if self._size >= _FLUSH_BYTES:
            self._hand_over(whole=False)
        return len(piece)

    def hide(self, *secrets: str) -> None:
        """More secrets, from here on."""
        self._secrets = tuple(dict.fromkeys((*self._secrets, *secrets)))

    def flush_now(self) -> None:
        """Everything held goes to the log, the last prompt too."""
        self._hand_over(whole=True)

    def _hand_over(self, *, whole: bool) -> None:
        text = b"".join(self._held)
        end = len(text) if whole else text.rfind(b"\n") + 1
        self._held = [text[end:]] if text[end:] else []
        self._size = len(text) - end
        if end:
            self._sink.write(hidden(text[:end].decode(errors="replace"), self._secrets).encode())

    def writable(self) -> bool:
        """netmiko asks."""
        return True

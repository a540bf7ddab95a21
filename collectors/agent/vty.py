"""FRR's vty protocol on a daemon's unix socket, as vtysh speaks it (FRR lib/vty.c, ``vtysh_read``).

A command is its text and a NUL.  The answer is text without NULs, three NULs and the command's status byte
(0 = CMD_SUCCESS).  Nothing is forked and the connection stays open, so asking once a second costs next to nothing.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

FOLDER = Path("/run/frr")
_END = b"\0\0\0"
_LIMIT = 8 << 20


class VtyError(Exception):
    """The daemon did not answer, or refused the command."""


def split_answer(data: bytes) -> tuple[str, int, int] | None:
    """(text, status, bytes used) of the first whole answer in ``data``; None while it is incomplete.

    >>> split_answer(b'{}' + bytes(4))
    ('{}', 0, 6)
    """
    end = data.find(_END)
    if end < 0 or len(data) < end + 4:
        return None
    return data[:end].decode("utf-8", "replace"), data[end + 3], end + 4


class Vty:
    """One daemon's command line."""

    def __init__(self, daemon: str, folder: Path = FOLDER) -> None:
        self.daemon = daemon
        self.path = folder / f"{daemon}.vty"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()  # one command at a time on one connection

    async def command(self, text: str, timeout_s: float = 2.0) -> str:
        """The answer to one command.

        Raises:
            VtyError: no such socket, no answer in time, or a status other than success.
        """
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                return await self._ask(text)
        except TimeoutError:
            self.close()
            raise VtyError(f"{self.daemon}: no answer to {text!r} within {timeout_s:g} s") from None
        except OSError as problem:
            self.close()
            raise VtyError(f"{self.daemon}: {problem.strerror or problem}") from None
        except asyncio.CancelledError:
            self.close()  # an answer may be half read: the next command must not see the rest of it
            raise

    async def _ask(self, text: str) -> str:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(self.path)
            await self._exchange("enable")  # bfdd shows its peers in the enable node only
        return await self._exchange(text)

    async def _exchange(self, text: str) -> str:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(text.encode() + b"\0")
        data = b""
        while (answer := split_answer(data)) is None:
            more = await reader.read(1 << 16)
            if not more or len(data) > _LIMIT:
                raise ConnectionResetError("connection closed by the daemon" if not more else "endless answer")
            data += more
        output, status, used = answer
        if used != len(data):
            raise ConnectionResetError("more than one answer to one command")
        if status != 0:
            raise VtyError(f"{self.daemon}: {text!r} ended with status {status}")
        return output

    def close(self) -> None:
        """Drop the connection; the next command opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

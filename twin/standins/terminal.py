"""A VTY: echo and line editing on the way in, CR LF and paging on the way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

MAX_LINE = 4096
BELL, BACKSPACE, TAB, ESCAPE, DELETE = "\a", "\b", "\t", "\x1b", "\x7f"
CTRL_A, CTRL_C, CTRL_U, CTRL_W, CTRL_Z = "\x01", "\x03", "\x15", "\x17", "\x1a"


class Wire(Protocol):
    """The bytes to and from one user."""

    async def read(self) -> bytes:
        """Some bytes; none at all when the user is gone."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...


class Gone(Exception):
    """The user hung up."""


class Terminal:
    """One VTY."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting = b""
        self._after_cr = False
        self.length = 24
        """Lines of a page; 0: no paging."""
        self.help: Callable[[str], Awaitable[None]] | None = None
        self.complete: Callable[[str], str | None] | None = None

    def write(self, text: str) -> None:
        self._wire.write(text.encode("utf-8", "replace"))

    def line(self, text: str = "") -> None:
        self.write(f"{text}\r\n")

    def hang_up(self) -> None:
        self._wire.close()

    async def flush(self) -> None:
        await self._wire.drain()

    async def key(self) -> str:
        """The next key; a line ends with ``\\n`` however the user's terminal ends it.  Raises Gone."""
        while True:
            if not self._waiting:
                await self.flush()
                self._waiting = await self._wire.read()
                if not self._waiting:
                    raise Gone
            byte, self._waiting = self._waiting[:1], self._waiting[1:]
            after, self._after_cr = self._after_cr, byte == b"\r"
            if byte == b"\n" and after:
                continue
            if byte == b"\r":
                return "\n"
            if byte[0] >= 0x80:
                return await self._wide(byte)
            return byte.decode("ascii")

    async def _wide(self, byte: bytes) -> str:
        """A character of several bytes; what is none is shown as the replacement character."""
        size = 2 if byte[0] < 0xE0 else 3 if byte[0] < 0xF0 else 4
        data = byte
        while len(data) < size and byte[0] >= 0xC0:
            if not self._waiting:
                self._waiting = await self._wire.read()
                if not self._waiting:
                    raise Gone
            if not 0x80 <= self._waiting[0] < 0xC0:
                break
            data, self._waiting = data + self._waiting[:1], self._waiting[1:]
        return data.decode("utf-8", "replace")[:1]

    async def ask(self, prompt: str, *, echo: bool = True, editing: bool = False) -> str:
        """Show a prompt and read a line.  Raises Gone.

        `editing`: a command is typed, so that ``?`` helps, Tab completes, Ctrl-C starts over and Ctrl-Z
        comes back as a line of its own.
        """
        self.write(prompt)
        text = ""
        while True:
            key = await self.key()
            if key == "\n":
                self.line()
                return text
            if key in (BACKSPACE, DELETE):
                if text:
                    text = text[:-1]
                    if echo:
                        self.write("\b \b")
            elif key == CTRL_C:
                self.line()
                return ""
            elif key == CTRL_Z:
                self.line()
                return CTRL_Z if editing else ""
            elif key == CTRL_U:
                self.write("\b \b" * len(text) if echo else "")
                text = ""
            elif key == CTRL_W:
                kept = text.rstrip().rpartition(" ")
                rest = kept[0] + kept[1]
                self.write("\b \b" * (len(text) - len(rest)) if echo else "")
                text = rest
            elif key == ESCAPE:
                await self._skip_escape()
            elif key == "?" and editing and self.help is not None:
                self.line("?")
                await self.help(text)
                self.write(prompt + text)
            elif key == TAB and editing:
                done = self.complete(text) if self.complete else None
                if done:
                    self.write(done)
                    text += done
            elif key >= " " and len(text) < MAX_LINE:
                text += key
                if echo:
                    self.write(key)
            elif key >= " ":
                self.write(BELL)

    async def _skip_escape(self) -> None:
        """Cursor keys and their like are not for us."""
        key = await self.key()
        if key in "[O":
            for _ in range(16):
                key = await self.key()
                if "@" <= key <= "~" or key == "\n":
                    return

    async def page(self, lines: Iterable[str], more: str, erase: str) -> None:
        """Show lines, a page at a time.  Space: a page; Enter: a line; q or Ctrl-C: no more."""
        left = self.length - 1
        for text in lines:
            if self.length and left <= 0:
                self.write(more)
                key = await self.key()
                self.write(erase)
                if key in ("q", "Q", CTRL_C):
                    return
                left = 1 if key == "\n" else self.length - 1
            self.line(text)
            left -= 1

"""A person at a stand-in's command line, without SSH in between: fast, and no moment to wait for but the device's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from twin.standins.device import Delays, Device, Settings
from twin.standins.platforms import PLATFORMS
from twin.standins.ports import PortDriver
from twin.standins.session import Session


def device(platform: str, *, config: str = "", driver: PortDriver | None = None, delays: Delays | None = None,
           hostname: str = "sw", state: Path | None = None, vtys: int = 5, second_s: float = 1.0,
           enable_password: str | None = None, trial_ends_with_session: bool = False) -> Device:  # fmt: skip
    """A device that has just got power."""
    settings = Settings(
        hostname=hostname, state=state, vtys=vtys, second_s=second_s, enable_password=enable_password,
        trial_ends_with_session=trial_ends_with_session,
    )  # fmt: skip
    return Device(PLATFORMS[platform][0], settings, driver=driver, delays=delays, config=config)


async def eventually(holds: Callable[[], bool], within_s: float = 5) -> None:
    """Until something holds."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is the device, which tells nobody
            await asyncio.sleep(0.01)


class User:
    """One login; also the wire to it."""

    def __init__(self, on: Device, name: str = "admin") -> None:
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting = asyncio.Event()
        self._shown: list[bytes] = []
        platform = next(names for dialect, names in PLATFORMS.values() if isinstance(on.dialect, dialect))
        number = on.vty()
        assert number is not None
        self.device = on
        self.session: Session = platform(on, self, name, number)
        on.sessions[number] = self.session
        self.task = asyncio.create_task(self.session.run())

    # the wire

    async def read(self) -> bytes:
        if self._typed.empty():
            self._waiting.set()
        return await self._typed.get()

    def write(self, data: bytes) -> None:
        self._shown.append(data)

    async def drain(self) -> None: ...

    def close(self) -> None:
        self._typed.put_nowait(b"")

    # the person

    async def type(self, *lines: str) -> str:
        """Type lines and read what the device shows until it waits again."""
        return await self.press("".join(f"{line}\n" for line in lines).encode())

    async def press(self, keys: bytes) -> str:
        """Press keys and read what comes."""
        await self._ready()
        self._shown.clear()
        self._waiting.clear()
        self._typed.put_nowait(keys)
        await self._ready()
        return b"".join(self._shown).decode().replace("\r\n", "\n")

    async def _ready(self) -> None:
        waiting = asyncio.create_task(self._waiting.wait())
        await asyncio.wait({waiting, self.task}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.task.done():
            self.task.result()

    async def greeting(self) -> str:
        await self._ready()
        return b"".join(self._shown).decode().replace("\r\n", "\n")

    async def leave(self) -> None:
        """Hang up."""
        self.close()
        await asyncio.wait_for(self.task, 5)
        self.device.sessions = {at: one for at, one in self.device.sessions.items() if one is not self.session}

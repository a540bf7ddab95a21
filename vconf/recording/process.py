"""The recorder's own process: ``python -m vconf.recording.process 7-1``, started by ``keeper``.

JSON lines.  On its input first what is to be recorded: {recording, folder, key, address, ca, began_s}, then
{"token"} for each one asked for, and {"stop": true}; the end of the input means stop.  ``began_s`` is CLOCK_MONOTONIC,
which all processes of a machine share.  On its output
{"state": "recording" | "interrupted"}, {"token": true}, every second {"octets", "streams", "lost", "repaired"}, and
{"problem"} before it ends because the disk refuses.  Exit code 0, or 3 for a problem.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import signal
import ssl
import sys
from pathlib import Path
from typing import Any

from vconf.recording.recorder import Recorder, Task

ALIVE_S = 1.0
_LINE_BYTES = 1 << 18


class _Line:
    """The input, read as it is needed."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._tokens: asyncio.Queue[str] = asyncio.Queue(4)
        self.stop = asyncio.Event()

    async def read(self) -> None:
        """For life."""
        while line := await self._reader.readline():
            message = json.loads(line)
            if message.get("stop"):
                break
            if "token" in message and not self._tokens.full():
                self._tokens.put_nowait(str(message["token"]))
        self.stop.set()

    async def token(self) -> str:
        """Ask for a join token and wait for it."""
        tell(token=True)
        return await self._tokens.get()


def tell(**message: Any) -> None:
    """One line of output."""
    print(json.dumps(message, ensure_ascii=False), flush=True)


async def main() -> int:
    """Until told to stop, or the meeting is over."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    given = json.loads(await reader.readline())
    line = _Line(reader)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, line.stop.set)
    task = Task(
        given["recording"],
        Path(given["folder"]),
        base64.b64decode(given["key"]),
        given["address"],
        ssl.create_default_context(cadata=given["ca"]),
        float(given["began_s"]),
    )
    recorder = Recorder(task, line.token, lambda state: tell(state=state))
    running = asyncio.create_task(recorder.run())
    reading, telling = asyncio.create_task(line.read()), asyncio.create_task(_figures(recorder))
    stopping = asyncio.create_task(line.stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for each in (running, reading, telling, stopping):
        each.cancel()
    ended = await asyncio.gather(running, return_exceptions=True)
    await asyncio.gather(reading, telling, stopping, return_exceptions=True)
    with contextlib.suppress(BrokenPipeError):
        if isinstance(ended[0], OSError):
            tell(problem=ended[0].strerror or str(ended[0]))
            return 3
        if isinstance(ended[0], Exception):
            raise ended[0]
        _say(recorder)
    return 0


async def _figures(recorder: Recorder) -> None:
    while True:
        await asyncio.sleep(ALIVE_S)
        _say(recorder)


def _say(recorder: Recorder) -> None:
    figures = [stream.inbound.figures for stream in recorder.streams]
    tell(
        octets=recorder.octets,
        streams=len(figures),
        lost=sum(each.lost for each in figures),
        repaired=sum(each.repaired for each in figures),
        joins=recorder.figures.joins,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    raise SystemExit(asyncio.run(main()))

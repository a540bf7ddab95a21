"""For tests of recordings: a centre whose relay can be killed, and a film that tells which frame of whom it is."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import ssl
import sys
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from fastapi import FastAPI

from bench.soak_centre import Ground
from inventory.places import CHECKOUT
from sanwang.serve import server
from vconf.cascade import Cascade
from vconf.load import clip
from vconf.load.camera import Camera
from vconf.load.clip import Clip
from vconf.recording import library, sealed
from vconf.recording.keeper import Keeper
from vconf.relay_client import RelayClient
from vconf.signalling import Signalling

_LOOPBACK = "127.0.0.1"
BITS = 5  # of a frame's number
BLOCK = clip.WIDTH // 8
BEEP_S = 0.1
_HZ = 48_000


def film(folder: Path, venue: int) -> Clip:
    """Two seconds: every picture shows whose it is (0 or 1) and its number in black and white; a beep at the start."""
    path = folder / f"film{venue}.mkv"
    with av.open(str(path), "w") as out:
        picture, sound = out.add_stream("ffv1", rate=clip.RATE), out.add_stream("pcm_s16le", rate=_HZ, layout="stereo")
        picture.width, picture.height, picture.pix_fmt = clip.WIDTH, clip.HEIGHT, "yuv420p"
        for number in range(2 * clip.RATE):
            frame = av.VideoFrame(clip.WIDTH, clip.HEIGHT, "yuv420p")
            blocks = [1, 0, venue, *(number >> shift & 1 for shift in range(BITS))]
            row = b"".join(bytes((235 if bit else 16,)) * BLOCK for bit in blocks)
            moving = bytes((60 + 4 * number,)) * clip.WIDTH
            for plane, lines in zip(
                frame.planes,
                ([row] * BLOCK + [moving] * (clip.HEIGHT - BLOCK), *2 * ([b"\x80" * 160] * 90,)),
                strict=True,
            ):
                plane.update(b"".join(line.ljust(plane.line_size, b"\0") for line in lines))
            frame.pts, frame.time_base = number, Fraction(1, clip.RATE)
            out.mux(picture.encode(frame))
        for at in range(0, 2 * _HZ, 960):
            tone = (16_000 * math.sin(math.tau * 1000 * each / _HZ) for each in range(at, at + 960))
            loud = at < BEEP_S * _HZ
            block = av.AudioFrame("s16", "stereo", 960)
            block.planes[0].update(array("h", (int(each) if loud else 0 for each in tone for _ in "lr")).tobytes())
            block.sample_rate, block.pts, block.time_base = _HZ, at, Fraction(1, _HZ)
            out.mux(sound.encode(block))
        for stream in (picture, sound):
            out.mux(stream.encode(None))
    return clip.make(path)


def pictures(path: Path) -> list[tuple[float, int, int]]:
    """(second, venue, number) of every picture of a file; -1 where the blocks cannot be read."""
    found = []
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            plane = frame.reformat(clip.WIDTH, clip.HEIGHT, "gray").planes[0]
            begin = plane.line_size * (BLOCK // 2)
            row = bytes(plane)[begin : begin + clip.WIDTH]
            blocks = [row[at * BLOCK + BLOCK // 2] for at in range(8)]
            good = blocks[0] > 180 and blocks[1] < 70
            bits = [value > 125 for value in blocks]
            number = sum(bit << shift for shift, bit in enumerate(bits[3:]))
            found.append((float(frame.time or 0.0), int(bits[2]) if good else -1, number if good else -1))
    return found


def beeps(path: Path) -> list[float]:
    """Seconds at which a beep begins in a file."""
    found, last = [], -1.0
    with av.open(str(path)) as source:
        for frame in source.decode(audio=0):  # libopus gives planes of floats, one a channel, or 16-bit numbers
            planar = frame.format.is_planar
            values = array("f" if "flt" in frame.format.name else "h", bytes(frame.planes[0]))
            samples = values if planar else values[::2]
            for at, value in enumerate(samples[: frame.samples]):
                if abs(value) > (0.1 if values.typecode == "f" else 3200):
                    second = float(frame.time or 0.0) + at / frame.sample_rate
                    if second - last > 0.5:
                        found.append(second)
                    last = second
    return found


@dataclass(slots=True)
class Sent:
    """When each venue's camera sent what: by clip, (monotonic seconds, number in the clip)."""

    pictures: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    sounds: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    def listen(self, patch: Any) -> None:
        """Note what all cameras send from now on."""
        picture, sound = Camera._send_picture, Camera._send_sound

        def seen(camera: Camera, now_s: float) -> None:
            picture(camera, now_s)
            number = (camera._picture.at - 1) % len(camera._clip.pictures)
            self.pictures.setdefault(id(camera._clip), []).append((now_s, number))

        def heard(camera: Camera) -> None:
            self.sounds.setdefault(id(camera._clip), []).append((time.monotonic(), camera._sound.at))
            sound(camera)

        patch.setattr(Camera, "_send_picture", seen)
        patch.setattr(Camera, "_send_sound", heard)


class Centre:
    """Signalling, keeper and a relay in a process of its own."""

    def __init__(self, ground: Ground, limits: library.Limits) -> None:
        self.ground = ground
        self.limits = limits
        self.folder = ground.folder / library.FOLDER
        self.store = ground.store()
        self.control = ground.folder / "relay.sock"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((_LOOPBACK, 0))
            self.media = probe.getsockname()[1]
        self.door: Signalling
        self.keeper: Keeper
        self.port = 0
        self._relay: asyncio.subprocess.Process | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All of it."""
        secrets = self.ground.secrets
        key, certificate = secrets.ca.issue_device("centre", ips=[_LOOPBACK])
        (self.ground.folder / "centre.pem").write_text(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ground.folder / "centre.pem")
        await self.start_relay()
        relays = Cascade({"relay": RelayClient.over_unix("relay", self.control)})
        self.door = Signalling(self.store, self.ground.tokens, self.ground.model, relays)
        application = FastAPI()
        application.include_router(self.door.router)
        with socket.create_server((_LOOPBACK, 0)) as listening:
            self.port = listening.getsockname()[1]
            self.keeper = Keeper(
                self.store,
                self.door.rooms.conferences,
                self.ground.tokens,
                secrets.resolve(sealed.KEY),
                self.folder,
                self.limits,
                f"wss://{_LOOPBACK}:{self.port}/meet/ws",
                secrets.ca.certificate_pem,
            )
            application.include_router(self.keeper.router())
            web = server(application, context)
            serving = asyncio.create_task(web.serve(sockets=[listening]))
            try:
                await until(lambda: web.started and self.door.relay.up)
                yield
            finally:
                web.should_exit = True
                await serving
                await self.kill_relay()
                self.store.close()

    async def start_relay(self) -> None:
        """On the same port each time."""
        arguments = ["--media", f"{_LOOPBACK}:{self.media}", "--unix", str(self.control)]
        self._relay = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sanwang.relay", *arguments),
            cwd=CHECKOUT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._relay.stdout is not None
        assert b"ready" in await self._relay.stdout.readline()

    async def kill_relay(self) -> None:
        """As a crash does."""
        if self._relay is not None and self._relay.returncode is None:
            self._relay.kill()
            await self._relay.wait()

    def kill_recorder(self, name: str) -> int:
        """As a crash does; its process id."""
        said = self.keeper.running(name)
        assert said is not None
        os.kill(said["pid"], signal.SIGKILL)
        return int(said["pid"])


async def until(condition: Any, seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come to be in time"
        await asyncio.sleep(0.02)

"""Chromium in a hall's namespace: opens the hall's page as a clerk would, and reads what is seen there.

Each hall has its own browser with its own home, whose trust store holds the county's CA: no flag switches any
check off.  Camera and microphone are Chromium's own test devices, fed from files made here: a moving picture
with a running counter, and spoken-like tones.

>>> with Halls(folder, ca_pem) as halls:                                     # doctest: +SKIP
...     hall = halls.open_hall(twin.argv("t01-hall", []), link, name="t01")
...     hall.join()
...     hall.wait_picture()
...     hall.stats()["remotes"]
"""

from __future__ import annotations

import math
import shlex
import struct
import subprocess
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright
from playwright.sync_api import TimeoutError as StaysSo

CHROMIUM = Path("/usr/bin/chromium")
WIDTH, HEIGHT, RATE = 640, 360, 25
_SECONDS = 8
_SAMPLES = 48_000

_ALLOWED = "--use-fake-ui-for-media-stream"  # camera and microphone are not asked about
_FLAGS = (
    "--no-sandbox",  # the drills run as root, which Chromium's own sandbox refuses
    "--use-fake-device-for-media-stream",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--lang=zh-CN",
)


_WHOLE = """path => document.documentElement.dataset.at === path
    && document.querySelector('main') && !document.querySelector('main[aria-busy], main [aria-busy]')"""


def visit(page: Page, address: str) -> None:
    """Go to an address of the operations pages ("/link/ring-c1-c2"), until that page has all it asked for."""
    page.evaluate("address => { location.hash = address }", f"#{address}")
    page.wait_for_function(_WHOLE, arg=address.partition("?")[0])


def painted(page: Page) -> None:
    """Until something was painted since the document was loaded; Chromium drops the keys that come before."""
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")


def fits(page: Page, width: int, where: str = "") -> None:
    """Until nothing is wider than a screen of this width (pixels); AssertionError when something stays so."""
    try:
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width, timeout=10_000)
    except StaysSo:
        wide = page.evaluate("document.documentElement.scrollWidth")
        raise AssertionError(f"{where or page.url}: {wide} px wide on a screen of {width} px") from None


class BrowserMissing(RuntimeError):
    """Chromium or certutil is not installed; the text says which package to install."""


def make_camera(path: Path) -> Path:
    """A moving test picture with a running counter as Motion JPEG, what Chromium's fake camera reads."""
    if path.exists():
        return path
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size={WIDTH}x{HEIGHT}:rate={RATE}:duration={_SECONDS}")
    sink = graph.add("buffersink")
    source.link_to(sink)
    graph.configure()
    partial = path.with_suffix(".part")
    with av.open(str(partial), "w", format="mjpeg") as output:
        stream = output.add_stream("mjpeg", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        stream.options = {"q:v": "5"}
        while True:
            try:
                frame = graph.pull()
            except (av.error.EOFError, av.error.BlockingIOError):
                break
            assert isinstance(frame, av.VideoFrame)
            output.mux(stream.encode(frame.reformat(format="yuvj420p")))
        output.mux(stream.encode(None))
    return partial.rename(path)


def make_voice(path: Path) -> Path:
    """Mono tones that rise and fall like syllables, 48 kHz, 16 bits."""
    if path.exists():
        return path
    samples = bytearray()
    for index in range(_SECONDS * _SAMPLES):
        moment = index / _SAMPLES
        loudness = max(0.0, math.sin(2 * math.pi * 3 * moment)) * 0.5
        tone = math.sin(2 * math.pi * (180 + 60 * math.sin(2 * math.pi * 0.7 * moment)) * moment)
        samples += struct.pack("<h", int(20_000 * loudness * tone))
    with wave.open(str(path), "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(_SAMPLES)
        output.writeframes(bytes(samples))
    return path


class Hall:
    """One hall's browser with its page open."""

    def __init__(self, name: str, context: BrowserContext, page: Page) -> None:
        self.name = name
        self.page = page
        self.messages: list[str] = []  # console and page errors, for a failed drill's report
        self._context = context
        page.on("console", lambda message: self._note(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self._note(f"error: {error}"))

    def _note(self, text: str) -> None:
        if len(self.messages) < 200:
            self.messages.append(text)

    def wait_lobby(self, timeout_s: float = 20.0) -> None:
        """Until the big JOIN button is there, can be pressed, and camera and microphone were looked at."""
        self.page.wait_for_selector("button[data-join]:not([disabled])", timeout=timeout_s * 1000)
        self._wait(lambda: "looking" not in self._devices(), "devices", timeout_s)

    def join(self, timeout_s: float = 20.0) -> None:
        """Press JOIN as a clerk does."""
        self.wait_lobby(timeout_s)
        self.page.click("button[data-join]")

    def leave(self) -> None:
        """Press LEAVE twice, as the page asks, and wait until it says so."""
        self.page.click("button[data-leave]")
        self.page.click("button[data-leave]")
        self.wait_phase("left", 5.0)

    def stats(self) -> dict[str, Any]:
        """``window.sanwang.stats()``: phase, trouble, firstFrameMs, remotes, sent (web/hall/hooks.ts)."""
        found = self.page.evaluate("() => window.sanwang.stats()")
        assert isinstance(found, dict)
        return found

    def video(self) -> list[dict[str, Any]]:
        """The remote pictures' figures."""
        return [remote for remote in self.stats()["remotes"] if remote["kind"] == "video"]

    def _devices(self) -> tuple[str, str]:
        found = self.stats()
        return str(found["camera"]), str(found["microphone"])

    def reset_gaps(self) -> None:
        """Start the longest gap without a new picture anew."""
        self.page.evaluate("() => window.sanwang.resetGaps()")

    def wait_phase(self, phase: str, timeout_s: float = 20.0) -> None:
        """Until the page is in that phase: "lobby", "in", "left" ..."""
        self._wait(lambda: self.stats()["phase"] == phase, f"phase {phase}", timeout_s)

    def wait_picture(self, remotes: int = 1, timeout_s: float = 20.0, changed: int = 5) -> float:
        """Until that many remote pictures move (``changed`` different frames each); returns firstFrameMs."""

        def moving() -> bool:
            return len([video for video in self.video() if video["framesChanged"] >= changed]) >= remotes

        self._wait(moving, f"{remotes} moving pictures", timeout_s)
        return float(self.stats()["firstFrameMs"])

    def screenshot(self, path: Path) -> None:
        """The page as it is now, PNG."""
        self.page.screenshot(path=str(path))

    def beside(self, url: str, name: str) -> Hall:
        """Another hall's page in a tab of the same browser: from the same place, and much cheaper."""
        page = self._context.new_page()
        page.goto(url)
        return Hall(name, self._context, page)

    def close(self) -> None:
        """Close the browser."""
        self._context.close()

    def _wait(self, condition: Any, what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                said = "; ".join(self.messages[-5:])
                raise TimeoutError(f"hall {self.name}: no {what} within {timeout_s:g} s: {self.stats()} {said}")
            time.sleep(0.05)


def trusting_home(home: Path, ca_pem: str) -> Path:
    """A home folder whose certificate store (NSS) trusts the county's CA for servers, as Chromium's HOME."""
    store = home / ".pki" / "nssdb"
    if not (store / "cert9.db").exists():
        store.mkdir(parents=True, exist_ok=True)
        ca = home / "county-ca.pem"
        ca.write_text(ca_pem)
        try:
            for arguments in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "county", "-i", str(ca)]):
                subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], check=True, capture_output=True)
        except FileNotFoundError:
            raise BrowserMissing("certutil: not there; next step: apt-get install libnss3-tools") from None
    return home


class Halls:
    """Several halls' browsers, closed together.

    Args:
        folder: For homes, scripts and the camera's file.
        ca_pem: The county's root certificate.
    """

    def __init__(self, folder: Path, ca_pem: str) -> None:
        if not CHROMIUM.exists():
            raise BrowserMissing(f"{CHROMIUM}: not there; next step: apt-get install chromium")
        self._folder = folder
        self._ca_pem = ca_pem
        self._halls: list[Hall] = []
        self._playwright: Playwright | None = None

    def __enter__(self) -> Halls:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._playwright = sync_playwright().start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hall in self._halls:
            hall.close()
        if self._playwright is not None:
            self._playwright.stop()

    def open_hall(
        self,
        netns_argv: Sequence[str],
        url: str,
        *,
        name: str,
        camera: bool = True,
        probe: bool = True,
        width: int = 1280,
        height: int = 720,
        flags: Sequence[str] = (),
        captured: str = "",
        scripts: Sequence[str] = (),
    ) -> Hall:
        """Open a hall's link in a new browser.

        Args:
            netns_argv: What a command is prefixed with to run inside the hall; empty for here.
            url: The hall's link.
            name: For messages and the browser's home.
            camera: False: a microphone only, until ``navigator.mediaDevices.plugged`` is set.
            probe: Tell frames apart by checksum.
            width: Of the window, pixels.
            height: Of the window, pixels.
            flags: Further Chromium flags.
            captured: Title of the tab that a page gets which asks to capture a screen; "": it gets a test picture.
            scripts: JavaScript that runs in the page before its own.
        """
        assert self._playwright is not None, "use Halls in a with statement"
        home = trusting_home(self._folder / f"home-{name}", self._ca_pem)
        camera_file = make_camera(self._folder / "camera.mjpeg").resolve()
        voice_file = make_voice(self._folder / "voice.wav").resolve()
        context = self._playwright.chromium.launch_persistent_context(
            str(home / "profile"),
            executable_path=str(self._wrapper(name, netns_argv)),
            headless=True,
            args=[
                *_FLAGS,
                f"--auto-select-tab-capture-source-by-title={captured}" if captured else _ALLOWED,
                f"--use-file-for-fake-video-capture={camera_file}",
                f"--use-file-for-fake-audio-capture={voice_file}",
                *flags,
            ],
            env={"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            viewport={"width": width, "height": height},
            locale="zh-CN",
        )
        if captured:
            context.grant_permissions(["camera", "microphone"])
        page = context.pages[0] if context.pages else context.new_page()
        if not camera:
            page.add_init_script(
                "const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
                "navigator.mediaDevices.getUserMedia = (wanted) => wanted.video && !navigator.mediaDevices.plugged"
                " ? Promise.reject(new DOMException('no camera', 'NotFoundError')) : open(wanted);"
            )
        for script in scripts:
            page.add_init_script(script)
        hall = Hall(name, context, page)
        self._halls.append(hall)
        page.goto(f"{url}&probe=1" if probe and "#" in url else url)
        return hall

    def _wrapper(self, name: str, netns_argv: Sequence[str]) -> Path:
        """A script that Playwright starts as if it were Chromium; its pipes survive the namespace change."""
        script = self._folder / f"chromium-{name}"
        command = shlex.join([*netns_argv, str(CHROMIUM)])
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
        return script

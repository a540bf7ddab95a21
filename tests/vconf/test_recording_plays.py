"""What is taken away of a recording plays in Chromium: from the beginning, after a seek, across a change of size."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from drills.browser import CHROMIUM
from vconf.load import clip
from vconf.recording import depacketise, export
from vconf.recording.depacketise import Frame
from vconf.recording.sealed import HEAD, SealedWriter, new_key
from vconf.recording.track import Track

pytestmark = pytest.mark.browser
PAGE = """
<video id="v" src="programme.mp4" muted playsinline>
  <track kind="chapters" src="chapters.en.vtt" default>
</video>
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Not into the test's output."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and its address on loopback."""
    folder = tmp_path / "out"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def record(folder: Path, key: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four seconds of one size, then four of another, with sound, and two chapters."""
    folder.mkdir()
    seen = Track(folder, "programme-video", key, "7-1")
    heard = Track(folder, "programme-audio", key, "7-1")
    for begin, width, height in ((0, 320, 180), (4, 640, 360)):
        monkeypatch.setattr(clip, "WIDTH", width)
        monkeypatch.setattr(clip, "HEIGHT", height)
        film, reader = clip.make(), depacketise.H264()
        for number in range(4 * clip.RATE):
            payloads = film.pictures[number % len(film.pictures)].payloads
            for at, payload in enumerate(payloads, 1):
                frame = reader.packet(number * 6000, payload, at == len(payloads))
                if frame is not None:
                    seen.add("h264", begin + number / clip.RATE, frame)
        for number in range(200):
            heard.add("opus", begin + number / 50, Frame(0, film.sounds[number % 100].payload, True))
    seen.close()
    heard.close()
    marks = SealedWriter(folder / "chapters.0001.swr", key, "7-1")
    marks.write(b"{}", HEAD)
    for at in (0, 4):
        chapter = {"at_s": at, "kind": "broadcast", "venue": "t01", "zh": "广播", "en": "Broadcast"}
        marks.write(json.dumps(chapter).encode())
    marks.close()


def test_chromium_plays_it(served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder, address), key = served, new_key()
    record(tmp_path / "7-1", key, monkeypatch)
    manifest = export.write(tmp_path / "7-1", key, "7-1", folder, {}, {})
    assert manifest["files"][0]["seconds"] == pytest.approx(8.0, abs=0.1)
    (folder / "index.html").write_text(PAGE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        video = page.locator("#v")
        page.wait_for_function("() => document.getElementById('v').readyState >= 3")
        assert video.evaluate("v => [v.error, v.videoWidth, Math.round(v.duration)]") == [None, 320, 8]
        assert video.evaluate("v => v.webkitAudioDecodedByteCount >= 0")
        video.evaluate("v => v.play()")
        page.wait_for_function("() => document.getElementById('v').currentTime > 0.5")
        video.evaluate("v => { v.currentTime = 3.5 }")
        page.wait_for_function("() => document.getElementById('v').currentTime > 4.6")
        assert video.evaluate("v => [v.error, v.videoWidth]") == [None, 640], "the size changed on the way"
        assert video.evaluate("v => v.webkitAudioDecodedByteCount > 0"), "sound is decoded"
        assert video.evaluate("v => [...v.textTracks[0].cues].map(c => [c.startTime, c.text])") == [
            [0, "Broadcast"],
            [4, "Broadcast"],
        ]
        browser.close()

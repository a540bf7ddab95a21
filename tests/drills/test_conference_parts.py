"""Parts of the meeting drill without a county: clocks in pictures, and the judgement."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from bench import loss
from drills.browser import CHROMIUM
from drills.conference.judge import LIMITS, Judge, misses, p95
from drills.conference.screens import SCRIPTS
from vconf.chair.act import SYSTEM, act
from vconf.chair.oracle import Oracle
from vconf.chair.state import opened
from vconf.rooms.enforce import told

_PAGE = b"<!doctype html><div data-show=t01><video autoplay muted playsinline style='width:%dpx'></video></div>"
_LOOK = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({video: true});
  const video = document.querySelector('video');
  video.srcObject = stream;
  await video.play();
  await new Promise((done) => setTimeout(done, 1500));
  return window.drillFrames();
}"""


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(_PAGE % 640)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def _page() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answer)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.browser
def test_the_clock_in_a_picture_is_read_from_the_screen() -> None:
    with _page() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        for script in SCRIPTS:
            page.add_init_script(script)
        page.goto(address)
        frames = page.evaluate(_LOOK)
        browser.close()
    delays = [delay for _, venue, delay in frames if venue == "t01" and delay >= 0]
    assert len(delays) >= 5
    assert 0 <= median(delays) < 500


def _meeting() -> tuple[Judge, dict[str, Any]]:
    codes = ["t01", "t02", "t03"]
    state = opened(
        meeting=7,
        venues={code: (code, code) for code in codes},
        main="t01",
        owner="@drill",
        starts_at=0,
        ends_at=3600,
    )
    state = act(state, SYSTEM, "arriveConsole", {"console": "@drill", "name": "drill"}, 1.0).state
    judge = Judge(Oracle(codes, main="t01", owner="@drill"))
    judge.did("arriveConsole", console="@drill")
    for code in codes:
        state = act(state, SYSTEM, "arrive", {"venue": code}, 1.0).state
    judge.come(codes)
    state = act(state, "@drill", "broadcast", {"venue": "t03"}, 2.0).state
    return judge, {code: told(state, code) for code in codes}


def test_who_is_told_otherwise_is_named() -> None:
    judge, views = _meeting()
    assert judge.differences(views).keys() == {"t01", "t02", "t03"}  # the oracle was not told of the broadcast
    judge.did("broadcast", "@drill", venue="t03")
    assert judge.differences(views) == {}
    assert judge.settled(lambda: {"t01": views["t01"]}, ["t01", "t02"], within_s=0) == {"t02": "told nothing"}
    apart = judge.alone(["t01", "t02"])  # t03, which is on air, is on the other side
    assert apart.oracle.expected("t02") | {"show": ["t01"], "chair": "t01"} == apart.oracle.expected("t02")
    assert judge.oracle.expected("t02")["show"] == ["t03"]


def test_what_is_not_measured_is_judged_only_where_the_county_has_a_place_for_it() -> None:
    good = {**dict.fromkeys(LIMITS, 0.0), "both_go_on": True, "missing": [], "failed": {}, "not_measured": {}}
    assert misses(good) == []
    assert misses({**good, "alone_s": None}) == ["alone_s: never seen"]
    assert misses({**good, "alone_s": None, "not_measured": {"alone_s": "no township has a relay"}}) == []
    assert misses({**good, "failed": {"ring": "TimeoutError: x"}}) == ["ring: TimeoutError: x"]
    assert misses({**good, "switch_p95_ms": 701.0}) == ["switch_p95_ms: 701 ms, limit 700 ms"]
    assert misses({**good, "wrong_chair_state": 2, "both_go_on": False}) == [
        "wrong_chair_state: 2, limit 0",
        "a picture stopped after the cut",
    ]
    assert p95([]) is None
    assert p95([*range(1, 21)]) == 19


def test_a_bad_line_is_judged_by_its_bounds() -> None:
    def side(concealed: float, kbps: tuple[int, int, int]) -> dict[str, Any]:
        phases = zip(("clean", "bad", "again"), kbps, strict=True)
        one = {"frozen_percent": 10.0, "frames_per_s": 12.0}
        return {
            phase: {end: one | {"concealed_percent": concealed, "video_kbps": rate} for end in ("good", "bad")}
            for phase, rate in phases
        }

    good = loss.document({"c": side(1.0, (900, 300, 800)), "janus": side(4.0, (900, 300, 800))})
    assert good["misses"] == []
    assert good["c"] == {"concealed_of_janus": 0.25, "frozen_of_janus": 1.0, "frames_of_janus": 1.0}
    assert len(loss.document({"c": side(2.0, (900, 300, 800))})["misses"]) == 2  # both ends
    assert len(loss.document({"python": side(1.0, (900, 600, 800))})["misses"]) == 1  # more than the line carries
    assert len(loss.document({"python": side(1.0, (900, 300, 300))})["misses"]) == 1  # stays down when the line is well

"""Real browsers on a line with 5 % loss, 40 ms jitter and 500 kbit/s: our relay, both engines, beside Janus.

make bench-loss                      JSON as the last line
make bench-loss ARGS="--seconds 20 --sides c"

One browser has a good line, the other the bad one; each sends three simulcast layers of 640 x 360 at 15 pictures a
second and a voice, and gets the other's.  The same line is clean first, bad then, clean again.  Figures are Chromium's
own (getStats) and, for the delay, the clock burnt into each picture.  Janus chooses no layer by itself: it is given the
one that fits the bad line by hand, and what it would do without that is told beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from bench import sfu_janus
from bench.loss_line import SERVER, Line, line
from bench.loss_page import COLLECT, JANUS_PAGE, LAYERS
from bench.soak_centre import Ground
from bench.table import Row, printed
from drills.browser import Halls
from drills.conference.judge import p95
from drills.conference.screens import SCRIPTS
from vconf import links

_JANUS = Path("build/bench/janus").resolve()
_PAGES = Path("web/dist").resolve()
_LOCAL = "http://localhost/"
_FAULT = {"loss_percent": 5.0, "jitter_ms": 40.0, "rate_bps": 500_000.0}
_SETTLE_S, _CLEAN_S = 8.0, 10.0
_SOUND = ("--autoplay-policy=no-user-gesture-required",)
_JANUS_FLAGS = (*_SOUND, "--disable-features=LocalNetworkAccessChecks")  # its page comes from no server
_CONCEALED_MOST = 2.0  # percent of what is played
SIDES = ("c", "python", "janus", "janus-highest")
Document = dict[str, Any]


@contextmanager
def ours(where: Line, folder: Path, engine: str) -> Iterator[dict[str, Page]]:
    """Two halls' own pages in a meeting of five, which is large enough for three layers."""
    ground = Ground(folder)
    halls = sorted(ground.model.halls)[:5]
    meeting = ground.book(halls, 60)
    centre = subprocess.Popen(
        [
            *where.inside(where.server),
            *(sys.executable, "-OO", "-m", "bench.soak_centre", str(folder), "--engine", engine),
            *("--address", SERVER, "--port", "443", "--pages", str(_PAGES)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert centre.stdout is not None
        if not centre.stdout.readline():
            raise RuntimeError("the centre ended: its own message is above")
        with Halls(folder / "browsers", ground.secrets.ca.certificate_pem) as browsers:
            pages = {}
            for name, code in (("good", halls[0]), ("bad", halls[1])):
                url = links.link(ground.tokens, f"https://{SERVER}", meeting, code, datetime.now(UTC))
                netns = where.inside(getattr(where, name))
                hall = browsers.open_hall(netns, url, name=name, probe=False, flags=_SOUND, scripts=(COLLECT, *SCRIPTS))
                hall.join()
                pages[name] = hall
            for hall in pages.values():
                hall.wait_picture(timeout_s=40)
            yield {name: hall.page for name, hall in pages.items()}
    finally:
        assert centre.stdin is not None
        centre.stdin.close()
        try:
            centre.wait(10)
        except subprocess.TimeoutExpired:
            centre.kill()
            centre.wait()


@contextmanager
def janus(where: Line, folder: Path, substream: int) -> Iterator[dict[str, Page]]:
    """A videoroom, Janus at its best; the bad line's browser is given this layer, the other the highest."""
    command, extra = sfu_janus.command(_JANUS, folder, SERVER, "br0")
    with (folder / "janus.log").open("wb") as log:
        server = subprocess.Popen(
            [*where.inside(where.server), *command], stdout=log, stderr=log, env=os.environ | extra
        )
    try:
        time.sleep(2)
        with Halls(folder / "browsers", Ground(folder).secrets.ca.certificate_pem) as browsers:
            pages, feeds = {}, {}
            for name in ("good", "bad"):
                netns = where.inside(getattr(where, name))
                hall = browsers.open_hall(
                    netns, "about:blank", name=name, flags=_JANUS_FLAGS, scripts=(COLLECT, *SCRIPTS)
                )
                pages[name] = hall.page
                hall.page.route(f"{_LOCAL}**", lambda route: route.fulfill(body=JANUS_PAGE, content_type="text/html"))
                hall.page.goto(_LOCAL)
                feeds[name] = hall.page.evaluate(
                    "([server, layers]) => publish(server, layers)", [SERVER, LAYERS[::-1]]
                )
            for name, other, layer in (("good", "bad", 2), ("bad", "good", substream)):
                pages[name].evaluate("([feed, layer]) => subscribe(feed, layer)", [feeds[other], layer])
            yield pages
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def measured(where: Line, pages: dict[str, Page], seconds: float) -> Document:
    """Clean, bad, clean again; what each browser got meanwhile."""
    found: Document = {}
    for phase, fault, settle_s, watch_s in (
        ("clean", {}, _SETTLE_S, _CLEAN_S),
        ("bad", _FAULT, _SETTLE_S, seconds),
        ("again", {}, 2 * _SETTLE_S, _CLEAN_S),
    ):
        where.carry(**fault)
        time.sleep(settle_s)
        for page in pages.values():
            page.evaluate("() => window.drillFrames()")
        before, began_s = _figures(pages), time.monotonic()
        time.sleep(watch_s)
        after, took_s = _figures(pages), time.monotonic() - began_s
        found[phase] = {
            name: _change(before[name], after[name], took_s) | _delays(page.evaluate("() => window.drillFrames()"))
            for name, page in pages.items()
        }
    return found


def _figures(pages: dict[str, Page]) -> dict[str, Document]:
    return {name: page.evaluate("() => window.figures()") for name, page in pages.items()}


def _change(before: Document, after: Document, seconds: float) -> Document:
    """What happened between two readings."""

    def grown(kind: str, key: str) -> float:
        ends = [{each["id"]: each.get(key, 0) for each in reading[kind]} for reading in (before, after)]
        return float(sum(value - ends[0].get(number, 0) for number, value in ends[1].items()))

    played = grown("audio", "totalSamplesReceived")
    return {
        "concealed_percent": round(100 * grown("audio", "concealedSamples") / max(1, played), 2),
        "audio_lost": int(grown("audio", "packetsLost")),
        "freezes_per_minute": round(60 * grown("video", "freezeCount") / seconds, 1),
        "frozen_percent": round(100 * grown("video", "totalFreezesDuration") / seconds, 1),
        "frames_per_s": round(grown("video", "framesDecoded") / seconds, 1),
        "video_kbps": round(grown("video", "bytesReceived") / 125 / seconds),
        "sent_kbps": round(grown("sent", "bytesSent") / 125 / seconds),
        "width": max((each.get("frameWidth", 0) for each in after["video"]), default=0),
    }


def _delays(frames: list[Any]) -> Document:
    delays = [delay for _, _, delay in frames if delay >= 0]
    worst = p95(delays)
    return {"latency_p95_ms": None if worst is None else round(worst), "latency_pictures": len(delays)}


def one(side: str, seconds: float) -> Document:
    """One contender on a line of its own."""
    with line() as where, tempfile.TemporaryDirectory(prefix="sanwang-loss-") as name:
        folder = Path(name)
        meet = (
            janus(where, folder, 2 if side == "janus-highest" else 0) if "janus" in side else ours(where, folder, side)
        )
        with meet as pages:
            return measured(where, pages, seconds)


def document(found: dict[str, Document]) -> Document:
    """The JSON document: ours against the bound, ratios against Janus at its best."""
    made: Document = {"fault": _FAULT, "sides": found, "misses": []}
    best = found.get("janus", {}).get("bad", {}).get("bad")
    for side in found.keys() - {"janus", "janus-highest"}:
        bad, again = found[side]["bad"], found[side]["again"]["bad"]
        for name, each in bad.items():
            if each["concealed_percent"] >= _CONCEALED_MOST:
                made["misses"].append(
                    f"{side}, {name}: {each['concealed_percent']} % concealed, under {_CONCEALED_MOST}"
                )
        down = bad["bad"]
        if not 0 < down["video_kbps"] < _FAULT["rate_bps"] / 1000 or again["video_kbps"] <= down["video_kbps"]:
            made["misses"].append(f"{side}: the picture does not follow the line: {down['video_kbps']} kbit/s")
        if best is not None:
            made[side] = {
                "concealed_of_janus": _ratio(down["concealed_percent"], best["concealed_percent"]),
                "frozen_of_janus": _ratio(down["frozen_percent"], best["frozen_percent"]),
                "frames_of_janus": _ratio(down["frames_per_s"], best["frames_per_s"]),
            }
    return made


def _ratio(mine: float, theirs: float) -> float | None:
    return round(mine / theirs, 2) if theirs else None


def _rows(found: dict[str, Document]) -> list[Row]:
    units = {"concealed_percent": "%", "freezes_per_minute": "/min", "frozen_percent": "%", "frames_per_s": "1/s"}
    units |= {"video_kbps": "kbit/s", "latency_p95_ms": "ms"}
    return [
        Row(f"{phase}, {name} line: {key}", side, value, unit)
        for phase in ("clean", "bad", "again")
        for name in ("bad", "good")
        for key, unit in units.items()
        for side, each in found.items()
        if (value := each[phase][name][key]) is not None
    ]


def _missing() -> str:
    if os.geteuid() != 0:
        return "root"
    if not (_JANUS / "ready").exists():
        return "Janus"
    return "" if (_PAGES / "hall").exists() else "the pages (web/dist)"


def rows() -> list[Row]:
    """For ``make bench``; nothing without Janus, root and the pages."""
    return [] if _missing() else _rows({side: one(side, 20.0) for side in ("c", "janus")})


def main(argv: list[str] | None = None) -> int:
    """0 when ours keeps its bounds, 1 when not, 3 without Janus, root or the pages."""
    parser = argparse.ArgumentParser(prog="python -m bench.loss", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40.0, help="on the bad line")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    options = parser.parse_args(argv)
    if lacking := _missing():
        print(f"needs {lacking}. Next: sudo make bench-loss", file=sys.stderr)
        return 3
    found = {}
    for side in options.sides:
        found[side] = one(side, options.seconds)
        print(f"  {side}: {found[side]['bad']['bad']}", flush=True)
    made = document(found)
    print(printed("a bad line", _rows(found)))
    print(json.dumps(made))
    return 1 if made["misses"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""Real browsers whose camera burns the time into its picture, and whose screens are read by their pixels.

The camera is a canvas of 640 x 360 at 15 pictures a second.  Its two upper rows of sixteen squares are black or white:
24 bits of the machine's clock in milliseconds and 8 bits of check.  They survive three simulcast layers and 200 kbit/s.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

from drills.browser import Hall

CAMERA = """(() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const canvas = Object.assign(document.createElement('canvas'), {width: 640, height: 360});
  const paint = canvas.getContext('2d', {alpha: false});
  let turn = 0;
  const draw = (track) => {
    turn += 1;
    paint.fillStyle = '#456';
    paint.fillRect(0, 80, 640, 280);
    paint.fillStyle = '#fff';
    paint.fillRect(280 + 200 * Math.cos(turn / 12), 180 + 80 * Math.sin(turn / 12), 80, 80);
    const now = Date.now() % 16777216;
    const code = [now >> 16 & 255, now >> 8 & 255, now & 255];
    code.push(code[0] ^ code[1] ^ code[2] ^ 0x5a);
    for (let at = 0; at < 32; at++) {
      paint.fillStyle = code[at >> 3] >> (7 - (at & 7)) & 1 ? '#fff' : '#000';
      paint.fillRect(at % 16 * 40, (at >> 4) * 40, 40, 40);
    }
    track.requestFrame();
  };
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (!wanted.video)  // a tone of a file has no echo to take out
      return open({audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
    const stream = canvas.captureStream(0);
    const track = stream.getVideoTracks()[0];
    setInterval(() => draw(track), 1000 / 15);
    return stream;
  };
})();"""

READER = """(() => {
  const small = Object.assign(document.createElement('canvas'), {width: 160, height: 90});
  const look = small.getContext('2d', {willReadFrequently: true});
  const seen = [], followed = new WeakSet();
  const delay = (video, now) => {
    look.drawImage(video, 0, 0, 160, 90);
    const {data} = look.getImageData(0, 0, 160, 20);
    const code = [0, 0, 0, 0];
    for (let at = 0; at < 32; at++) {
      let sum = 0;
      for (let y = 3; y < 7; y++) for (let x = 3; x < 7; x++)
        sum += data[4 * (160 * ((at >> 4) * 10 + y) + at % 16 * 10 + x) + 1];
      const light = sum / 16;
      if (light > 100 && light < 156) return -1;
      code[at >> 3] |= (light > 128 ? 1 : 0) << (7 - (at & 7));
    }
    if ((code[0] ^ code[1] ^ code[2] ^ 0x5a) !== code[3]) return -1;
    const made = code[0] << 16 | code[1] << 8 | code[2];
    const late = (now % 16777216 - made + 16777216) % 16777216;
    return late < 60000 ? late : -1;
  };
  const follow = (video) => {
    if (followed.has(video)) return;
    followed.add(video);
    const shown = () => {
      const now = Date.now(), tile = video.closest('[data-show]');
      const venue = tile ? tile.dataset.show : video.dataset.show ?? '';
      if (venue && seen.length < 20000) seen.push([now, venue, delay(video, now)]);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  };
  const all = () => document.querySelectorAll('video').forEach(follow);
  new MutationObserver(all).observe(document, {childList: true, subtree: true});
  window.drillFrames = () => (all(), seen.splice(0));
})();"""

SCRIPTS = (CAMERA, READER)
_SHOWN = "() => [...document.querySelectorAll('[data-show]')].map((tile) => tile.dataset.show)"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture that was painted.  ``at_s``: UNIX seconds; ``delay_ms`` since its camera's clock, -1 unreadable."""

    at_s: float
    venue: str
    delay_ms: float


class Screen:
    """A hall's browser and all that was seen on it."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        hall.page.emulate_media(reduced_motion="reduce")  # what moves is measured: the page's own ornaments only cost
        self.frames: list[Frame] = []

    def look(self) -> list[Frame]:
        """Everything seen so far; the page keeps what was not asked for."""
        found = self.hall.page.evaluate("() => window.drillFrames()")
        self.frames += [Frame(at / 1000, venue, delay) for at, venue, delay in found]
        return self.frames

    def first_s(self, venue: str, since_s: float) -> float:
        """When a venue's picture was painted first after a moment; 0: not yet."""
        return next((frame.at_s for frame in self.look() if frame.venue == venue and frame.at_s >= since_s), 0.0)

    def gaps(self, since_s: float, until_s: float) -> list[tuple[float, float]]:
        """(begin, end) of each time without a new picture; the last one may still last."""
        moments = [frame.at_s for frame in self.look() if since_s <= frame.at_s <= until_s]
        ends = [since_s, *moments, until_s]
        return list(itertools.pairwise(ends))

    def longest(self, since_s: float, until_s: float) -> float:
        """The longest time without a picture, seconds."""
        return max(end - begin for begin, end in self.gaps(since_s, until_s))

    def delays(self, since_s: float) -> list[float]:
        """From camera to screen, ms, of each picture whose clock could be read."""
        return [frame.delay_ms for frame in self.look() if frame.at_s >= since_s and frame.delay_ms >= 0]

    def rejoin(self) -> None:
        """Leave, open the page again, press JOIN."""
        self.look()
        self.hall.page.evaluate("() => window.sanwang.leave()")
        self.hall.page.reload()
        self.hall.join(60)

    def sends(self) -> bool:
        """Whether its camera's picture goes out."""
        return any(each["kind"] == "video" and each["framesEncoded"] for each in self.hall.stats()["sent"])

    def told(self) -> dict[str, Any]:
        """What its page was told of the conference last; {} when it is not in."""
        return self.hall.stats()["conference"] or {}

    def shown(self) -> list[str]:
        """The venues that really are on the screen."""
        found = self.hall.page.evaluate(_SHOWN)
        assert isinstance(found, list)
        return found

    def shows(self, venues: list[str], within_s: float = 2.0) -> bool:
        """Whether these are on the screen, in this order, now or within the time."""
        end_s = time.monotonic() + within_s
        while self.shown() != venues:
            if time.monotonic() > end_s:
                return False
            time.sleep(0.1)
        return True

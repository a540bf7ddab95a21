"""The chair's page as a test works it: by its keys alone, with the halls that see what comes of it."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

from drills.browser import Hall, fits
from tests.vconf.looks import press, shows, until, whose

SCREENS = ((3840, 2160), (1920, 1080), (1366, 768), (390, 844))


class Desk:
    """The chair's page, worked by its keys, and the halls that see what comes of it."""

    def __init__(self, chair: Hall, halls: dict[str, Hall]) -> None:
        self.chair = chair
        self.page = chair.page
        self.halls = halls

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.wait_for_selector("[data-busy='']")  # the last one was answered
            self.page.keyboard.press(key)

    def choose(self, venue: str) -> None:
        """Find a venue by its code, as one does among three hundred."""
        self.page.keyboard.press("/")
        self.page.wait_for_selector("dialog input")
        self.page.keyboard.type(venue)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(f"[data-venue={venue}][aria-pressed=true]")

    def do(self, venue: str, *keys: str) -> None:
        self.choose(venue)
        self.keys(*keys)

    def fill(self, key: str, *steps: str) -> None:
        """Open an action's box and work it: "=..." types over what stands there, everything else is a key."""
        self.keys(key)
        self.page.wait_for_selector("dialog[open]")
        for step in steps:
            if step.startswith("="):
                self.page.keyboard.press("Control+A")
                self.page.keyboard.type(step[1:])
            else:
                self.page.keyboard.press(step)
        self.page.wait_for_selector("dialog[open]", state="detached")

    def tile(self, venue: str, name: str) -> str:
        return self.page.get_attribute(f"[data-venue={venue}]", f"data-{name}") or ""

    def screen(self, name: str, what: str = "show") -> str:
        return self.page.get_attribute(f"[data-screen={name}]", f"data-{what}") or ""

    def said(self, kind: str) -> str:
        return self.page.inner_text(f"[data-said={kind}]")

    def hall(self, venue: str, name: str) -> str:
        return self.halls[venue].page.get_attribute("body", f"data-{name}") or ""

    def all_see(self, shown: dict[str, list[str]], why: str) -> None:
        """``shown``: venue -> whose pictures move on its screen, and why."""
        for venue, codes in shown.items():
            until(partial(self._sees, venue, codes, why), f"{venue} shows {codes} by {why}")

    def _sees(self, venue: str, codes: list[str], why: str) -> bool:
        hall = self.halls[venue]
        if shows(hall) != codes or self.hall(venue, "why") != why:
            return False
        return whose(hall.page, "[data-show] video", "data-show") == codes

    def moves(self, pictures: str, attribute: str) -> list[str]:
        """Whose pictures move on the chair's own page."""
        return whose(self.page, f"{pictures} video", attribute)

    def is_over(self, venue: str) -> bool:
        return self.hall(venue, "phase") == "over"

    def rest(self, method: str, what: str, body: dict[str, Any] | None = None) -> Any:
        """The page's own door to the REST API."""
        return self.page.evaluate(
            """async ([method, what, body]) => {
                const authorization = `Bearer ${sessionStorage.getItem("sanwang.chair")}`;
                const headers = {authorization, "content-type": "application/json"};
                const init = body ? {method, headers, body: JSON.stringify(body)} : {method, headers};
                return await (await fetch(`/api/meet/meetings/1/${what}`, init)).json();
            }""",
            [method, what, body],
        )

    def language(self, wanted: str) -> None:
        """Everybody reads the other language from now on; every key of the desk has words in it."""
        self.keys("l")
        for hall in self.halls.values():
            if hall.page.get_attribute("html", "lang") != {"zh": "zh-CN", "en": "en"}[wanted]:
                press(hall, "9")
        for page in (self.page, *(hall.page for hall in self.halls.values())):
            page.wait_for_selector(f"html[lang^={wanted}]")
        for label in self.page.locator("[data-act]").all_inner_texts():
            assert any("\u4e00" <= letter <= "\u9fff" for letter in label) == (wanted == "zh"), label

    def keep(self, name: str) -> None:
        """A picture of the desk, when SANWANG_SCREENSHOTS says where; nothing is wider than the screen."""
        kept = os.environ.get("SANWANG_SCREENSHOTS")
        for width, height in SCREENS if kept else SCREENS[-1:]:  # what is wide fits
            self.page.set_viewport_size({"width": width, "height": height})
            fits(self.page, width, f"{name} {width}")
            if kept:
                self.page.screenshot(path=f"{kept}/chair-{name}-{width}.png")
        self.page.set_viewport_size({"width": 1920, "height": 1080})

    def ends_at(self) -> float:
        hours = self.page.inner_text("[data-count=remains] dd").split(":")
        seconds = 0
        for part in hours:
            seconds = seconds * 60 + int(part)
        return time.time() + seconds

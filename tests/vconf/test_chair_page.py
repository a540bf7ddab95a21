"""The chair's page in a real browser, by keyboard alone: every row of the chair's table, seen on the halls' pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboards.causes import causes, impact_document
from drills.browser import Hall, Halls, fits
from inventory.impact import Faults, ImpactMap
from inventory.load import load_model
from inventory.model import ROUTERS
from tests.vconf.lab import ROOT, Lab

pytestmark = [pytest.mark.twin, pytest.mark.browser]
CODES = ("t01", "t02", "t03")  # t01 is the main venue
SCREENS = ((1920, 1080), (1366, 768), (390, 844))


def until(condition: Callable[[], bool], why: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


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

    def sees(self, venue: str) -> list[str]:
        found = self.halls[venue].page.eval_on_selector_all("[data-show]", "all => all.map(one => one.dataset.show)")
        return [str(code) for code in found]

    def all_see(self, shown: dict[str, list[str]], why: str) -> None:
        """``shown``: venue -> what its screen shows, and why."""
        for venue, codes in shown.items():
            until(partial(self._sees, venue, codes, why), f"{venue} shows {codes} by {why}")

    def _sees(self, venue: str, codes: list[str], why: str) -> bool:
        return self.sees(venue) == codes and self.hall(venue, "why") == why

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


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    built = subprocess.run([sys.executable, str(ROOT / "web" / "build.py")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    with Lab(tmp_path_factory.mktemp("lab"), prefix=f"vcc{os.getpid() % 10_000}", places=("t01", "desk")) as made:
        yield made


def test_every_row_of_the_chairs_table(lab: Lab, tmp_path: Path) -> None:
    urls = lab.book(*CODES, chair="@li")
    with Halls(tmp_path / "browsers", lab.secrets.ca.certificate_pem) as opened:
        chair = opened.open_hall(lab.argv("desk"), urls[""], name="desk", probe=False, width=1920, height=1080)
        chair.page.wait_for_selector("[data-desk=chair]")
        assert "token" not in chair.page.url, "the link's token has left the address"
        main = opened.open_hall(lab.argv("t01"), urls["t01"], name="t01", probe=False, width=640, height=360)
        halls = {"t01": main, "t02": main.beside(urls["t02"], "t02")}
        for hall in halls.values():
            hall.join()
        desk = Desk(chair, halls)
        until(lambda: [desk.tile(code, "state") for code in CODES] == ["in", "in", "absent"], "two halls are in")

        the_door(desk, urls["t03"])
        until(lambda: pictures(desk) >= (3, 1), "the wall takes every hall's small picture", 40.0)
        what_all_are_shown(desk)
        who_speaks(desk)
        what_venues_are_told(desk)
        network_and_quality(desk, lab)
        on_every_screen(desk)
        chairs(desk)
        desk.fill("E", "Enter")
        for code in CODES:
            until(partial(desk.is_over, code), f"{code} is told that it is over")
        chair.page.wait_for_selector("[data-notice=over]")


def pictures(desk: Desk) -> tuple[int, int]:
    """Pictures that are taken, and those that move: the relay withholds some while the machine is overloaded."""
    counted = "all => [all.filter(one => one.srcObject).length, all.filter(one => one.currentTime > 0).length]"
    taken, moving = desk.page.eval_on_selector_all("[data-venue] video", counted)
    return int(taken), int(moving)


def the_door(desk: Desk, link: str) -> None:
    """Lock, waiting room, admit, refuse, cut."""
    desk.keys("k")
    until(lambda: desk.page.get_attribute("[data-act=lock]", "aria-pressed") == "true", "locked")
    desk.halls["t03"] = late = desk.halls["t01"].beside(link, "t03")
    late.join()
    until(lambda: desk.tile("t03", "state") == "waiting", "t03 waits before a locked door")
    until(lambda: desk.hall("t03", "phase") == "waiting", "and its page says so")
    desk.keys("A")
    until(lambda: desk.hall("t03", "phase") == "in", "admitted with all who wait")
    desk.keys("k")
    desk.choose("t03")
    desk.fill("x", "Enter")
    until(lambda: desk.hall("t03", "phase") == "cut", "cut off")
    assert desk.tile("t03", "state") == "cut"
    late.page.reload()
    late.join()
    until(lambda: desk.tile("t03", "state") == "waiting", "it comes back through the waiting room alone")
    desk.do("t03", "a")
    until(lambda: desk.hall("t03", "phase") == "in", "admitted")


def what_all_are_shown(desk: Desk) -> None:
    """Broadcast, roll call, polling, display policy, selective view, undo."""
    desk.do("t03", "b")
    desk.all_see({"t01": ["t03"], "t02": ["t03"], "t03": ["t01"]}, "broadcast")
    assert (desk.screen("air"), desk.screen("air", "why")) == ("t03", "broadcast")
    until(lambda: desk.hall("t03", "seen") == "true", "t03 is told that it is on air")

    desk.do("t02", "b")
    desk.all_see({"t01": ["t02"], "t03": ["t02"]}, "broadcast")
    desk.keys("z")
    desk.all_see({"t01": ["t03"], "t02": ["t03"]}, "broadcast")

    desk.do("t02", "c")
    desk.all_see({"t01": ["t02"], "t03": ["t02"]}, "roll")
    until(lambda: [desk.hall(code, "heard") for code in CODES] == ["true", "true", "false"], "the called one is heard")
    desk.keys("C")
    desk.all_see({"t01": ["t03"], "t02": ["t03"]}, "broadcast")

    desk.do("t01", "w")
    until(lambda: (desk.screen("mine"), desk.screen("air")) == ("t01", "t03"), "the chair watches another one")
    desk.all_see({"t02": ["t03"]}, "broadcast")
    desk.keys("w")
    until(lambda: desk.screen("mine") == "", "and no longer")

    desk.keys("B")
    desk.all_see({"t01": ["t02", "t03"], "t02": ["t01", "t03"]}, "display")

    desk.fill("p", "=5", "Tab", "Tab", "Tab", "Space", "Tab", "Space", "Enter")  # t02, t03
    desk.all_see({"t01": ["t02"]}, "poll")
    desk.all_see({"t01": ["t03"], "t02": ["t03"]}, "poll")
    desk.keys("P")
    desk.all_see({"t01": ["t02", "t03"]}, "display")
    desk.fill("p", "=5", "Tab", "End", "Enter")  # the chair alone
    until(lambda: desk.screen("mine", "why") == "poll", "the chair goes through the venues alone")
    desk.all_see({"t01": ["t02", "t03"]}, "display")
    desk.keys("P")
    until(lambda: desk.screen("mine") == "", "no longer")

    desk.fill("d", "Home", "Tab", "Tab", "Space", "Enter")  # fixed: t02
    desk.all_see({"t01": ["t02"], "t03": ["t02"]}, "display")
    assert desk.hall("t01", "layout") == "single"
    # the second of two pictures more: t02 is still ticked, t03 after it
    desk.fill("d", "End", "Tab", "Tab", "Tab", "Space", "Enter")
    desk.all_see({"t01": ["t02", "t03"]}, "display")
    assert desk.hall("t01", "layout") == "pip"
    desk.keys("z")
    desk.all_see({"t01": ["t02"]}, "display")


def who_speaks(desk: Desk) -> None:
    """Muting, hands, the floor."""
    desk.keys("M")
    until(lambda: [desk.hall(code, "heard") for code in CODES] == ["true", "false", "false"], "all but the main venue")
    desk.do("t02", "m")
    until(lambda: desk.hall("t02", "heard") == "true", "unmuted")
    desk.keys("m")
    until(lambda: desk.tile("t02", "muted") == "true", "muted again")

    desk.halls["t03"].page.click("[data-act=raiseHand]")
    desk.halls["t02"].page.click("[data-act=raiseHand]")
    until(lambda: (desk.tile("t03", "hand"), desk.tile("t02", "hand")) in (("1", "2"), ("2", "1")), "two hands")
    first, second = ("t03", "t02") if desk.tile("t03", "hand") == "1" else ("t02", "t03")
    desk.keys("q")
    until(lambda: desk.hall(first, "heard") == "true" and desk.tile(first, "floor") == "true", "the first one speaks")
    assert desk.hall(second, "heard") == "false"
    desk.do(second, "y")
    until(lambda: desk.hall(second, "hand") == "0", "the other hand is lowered")
    desk.do(second, "g")
    until(lambda: desk.hall(second, "heard") == "true", "given the floor unasked")
    desk.keys("g")
    until(lambda: desk.hall(second, "heard") == "false", "the floor is taken back")
    desk.halls[second].page.click("[data-act=raiseHand]")
    until(lambda: desk.tile(second, "hand") == "1", "a hand")
    desk.keys("L")
    until(lambda: desk.hall(second, "hand") == "0", "all lowered")
    desk.keys("U")
    until(lambda: all(desk.hall(code, "heard") == "true" for code in CODES), "everybody is heard")


def what_venues_are_told(desk: Desk) -> None:
    """Slides, banner, sign-in, longer, who may choose."""
    t01, t02 = desk.halls["t01"].page, desk.halls["t02"].page
    desk.do("t02", "s")
    t01.wait_for_selector("[data-slides=t02]")
    desk.keys("s")
    t01.wait_for_selector("[data-slides]", state="detached")

    desk.fill("t", "=水位 3.2 m，请各镇注意", "Enter")
    for page in (t01, t02):
        page.wait_for_selector("[data-banner='水位 3.2 m，请各镇注意']")
    desk.keys("T")
    t01.wait_for_selector("[data-banner]", state="detached")

    desk.choose("t03")
    desk.fill("n", "=42", "Tab", "=李", "Enter")
    until(lambda: desk.tile("t03", "heads") == "42", "signed in for it")
    desk.keys("j")
    line = desk.page.wait_for_selector("[data-sheet=t03]")
    assert line is not None
    assert "42" in line.inner_text()
    desk.page.emulate_media(media="print")
    assert desk.page.is_visible("[data-sheet=t03]")
    assert not desk.page.is_visible("[data-venue=t01]"), "paper holds the sheet alone"
    desk.page.emulate_media(media="screen")
    desk.page.keyboard.press("Escape")

    before = ends_at(desk)
    desk.fill("e", "=30", "Enter")
    until(lambda: abs(ends_at(desk) - before - 1800) < 5, "half an hour longer")

    desk.do("t02", "v")
    t02.wait_for_selector("[data-act=watch]")
    desk.keys("v")
    t02.wait_for_selector("[data-act=watch]", state="detached")


def ends_at(desk: Desk) -> float:
    hours = desk.page.inner_text("[data-count=remains] dd").split(":")
    seconds = 0
    for part in hours:
        seconds = seconds * 60 + int(part)
    return time.time() + seconds


def network_and_quality(desk: Desk, lab: Lab) -> None:
    """Figures of each venue, faults by name, line tests of all halls."""
    until(lambda: desk.page.locator("[data-venue=t02] .quality").count() == 1, "quality of t02")
    model = load_model("shili")
    site = model.halls["t02"].site
    dead = frozenset(host.name for host in model.site_hosts(site) if host.role in ROUTERS)
    found = impact_document(
        ImpactMap(model).of(Faults(hosts=dead)), causes(model, [{"key": f"site:{site}", "hosts": list(dead)}])
    )
    (lab.folder / "seen.json").write_text(json.dumps({"impact": found, "sources": {"collector": "ok"}}))
    until(lambda: desk.tile("t02", "net") == "cut", "t02 is cut off by a fault that is named")
    assert model.sites[site].zh in desk.page.inner_text("[data-network=faults]")
    (lab.folder / "seen.json").write_text(json.dumps({"sources": {"collector": "no answer"}}))
    desk.page.wait_for_selector("[data-network=silent]")
    (lab.folder / "seen.json").unlink()
    desk.keys("i")
    desk.page.wait_for_selector("[data-line-of=t03]")
    assert desk.page.get_attribute(".lines", "data-all") == "3"
    desk.page.keyboard.press("Escape")


def on_every_screen(desk: Desk) -> None:
    """Both languages; nothing wider than the screen; the list of keys has them all."""
    kept = os.environ.get("SANWANG_SCREENSHOTS")
    for language in ("zh", "en"):
        for width, height in SCREENS:
            desk.page.set_viewport_size({"width": width, "height": height})
            fits(desk.page, width, f"{language} {width}")
            if kept:
                desk.page.screenshot(path=f"{kept}/chair-{language}-{width}.png")
        desk.keys("?")
        desk.page.wait_for_selector("[data-help]")
        listed = desk.page.locator("[data-help] dt").count()
        assert listed == desk.page.locator("[data-act]").count() + 7
        if kept:
            desk.page.set_viewport_size({"width": 1366, "height": 768})
            desk.page.screenshot(path=f"{kept}/chair-help-{language}.png")
        desk.page.keyboard.press("Escape")
        desk.keys("l")
    desk.page.set_viewport_size({"width": 1920, "height": 1080})


def chairs(desk: Desk) -> None:
    """Co-chair, hand-over, and what is refused is said in the reader's language."""
    desk.do("t02", "o")
    until(lambda: desk.hall("t02", "role") == "coChair", "t02 helps")
    desk.keys("o")
    until(lambda: desk.hall("t02", "role") == "venue", "no longer")
    desk.fill("h", "Enter")
    until(lambda: desk.hall("t02", "role") == "chair", "t02 has the chair")
    desk.page.wait_for_selector("[data-desk=coChair]")
    desk.fill("E", "Enter")
    until(lambda: desk.page.locator("[data-said=refused]").count() == 1, "refused")
    assert desk.said("refused") == "只有主席可以这样做"
    desk.keys("l")
    assert desk.said("refused") == "only the chair may do this"
    desk.keys("l")
    desk.rest("POST", "act", {"action": "handOver", "args": {"to": "@li"}})
    desk.page.wait_for_selector("[data-desk=chair]")

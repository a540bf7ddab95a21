"""The chair's page in a real browser, by keyboard alone: every row of the chair's table, seen on the halls' pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from dashboards.causes import causes, impact_document
from drills.browser import Halls, painted
from inventory.impact import Faults, ImpactMap
from inventory.load import load_model
from inventory.model import ROUTERS
from store.engine import open_store
from tests.vconf.desk import Desk
from tests.vconf.lab import ROOT, Lab
from tests.vconf.looks import (
    beside,
    enter,
    open_coloured,
    press,
    slides_move,
    slides_source,
    until,
    words,
)
from vconf import line_tests

pytestmark = [pytest.mark.twin, pytest.mark.browser]
CODES = ("t01", "t02", "t03")  # t01 is the main venue


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
        painted(chair.page)
        assert "token" not in chair.page.url, "the link's token has left the address"
        main = open_coloured(opened, lab.argv("t01"), urls["t01"], "t01", captured="t02")
        halls = {"t01": main, "t02": beside(main, urls["t02"], "t02")}
        for hall in halls.values():
            enter(hall)
        desk = Desk(chair, halls)
        until(lambda: [desk.tile(code, "state") for code in CODES] == ["in", "in", "absent"], "two halls are in")

        the_door(desk, urls["t03"])
        until(lambda: desk.moves("[data-venue]", "data-venue") == [*CODES], "every hall's small picture moves", 40.0)
        what_all_are_shown(desk)
        desk.language("en")
        who_speaks(desk)
        what_venues_are_told(desk)
        desk.language("zh")
        network_and_quality(desk, lab)
        on_every_screen(desk)
        chairs(desk)
        desk.fill("E", "Enter")
        for code in CODES:
            until(partial(desk.is_over, code), f"{code} is told that it is over")
        chair.page.wait_for_selector("[data-notice=over]")


def the_door(desk: Desk, link: str) -> None:
    """Lock, waiting room, admit, refuse, cut."""
    desk.keys("k")
    until(lambda: desk.page.get_attribute("[data-act=lock]", "aria-pressed") == "true", "locked")
    desk.halls["t03"] = late = beside(desk.halls["t01"], link, "t03")
    enter(late)
    until(lambda: desk.tile("t03", "state") == "waiting", "t03 waits before a locked door")
    until(lambda: desk.hall("t03", "phase") == "waiting", "and its page says so")
    desk.keys("A")
    until(lambda: desk.hall("t03", "phase") == "in", "admitted with all who wait")
    desk.keys("k")
    desk.choose("t03")
    desk.fill("x", "Enter")
    until(lambda: desk.hall("t03", "phase") == "cut", "cut off")
    assert desk.tile("t03", "state") == "cut"
    press(late, "1")  # asks to come in again
    until(lambda: desk.tile("t03", "state") == "waiting", "it comes back through the waiting room alone")
    desk.do("t03", "a")
    until(lambda: desk.hall("t03", "phase") == "in", "admitted")


def what_all_are_shown(desk: Desk) -> None:
    """Broadcast, roll call, polling, display policy, selective view, undo."""
    desk.do("t03", "b")
    desk.all_see({"t01": ["t03"], "t02": ["t03"], "t03": ["t01"]}, "broadcast")
    assert (desk.screen("air"), desk.screen("air", "why")) == ("t03", "broadcast")
    until(lambda: desk.moves("[data-screen=air] [data-picture]", "data-picture") == ["t03"], "the chair sees it large")
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
    until(lambda: desk.moves("[data-screen=mine] [data-picture]", "data-picture") == ["t01"], "and sees it")
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

    assert words(desk.halls["t03"])["muted"] == "Muted by the chair"
    press(desk.halls["t03"], "1")
    press(desk.halls["t02"], "1")
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
    press(desk.halls[second], "1")
    until(lambda: desk.tile(second, "hand") == "1", "a hand")
    desk.keys("L")
    until(lambda: desk.hall(second, "hand") == "0", "all lowered")
    desk.keys("U")
    until(lambda: all(desk.hall(code, "heard") == "true" for code in CODES), "everybody is heard")


def what_venues_are_told(desk: Desk) -> None:
    """Slides, banner, sign-in, longer, who may choose."""
    t01, t02 = desk.halls["t01"].page, desk.halls["t02"].page
    desk.do("t02", "s")
    until(lambda: "slidesWanted" in words(desk.halls["t02"]), "t02 is asked for its slides")
    source = slides_source(desk.halls["t02"], "t02")
    press(desk.halls["t02"], "5")
    for page in (t01, desk.halls["t03"].page, desk.page):
        until(partial(slides_move, page, "t02"), "the slides move")
    desk.keep("slides")
    desk.keys("s")
    t01.wait_for_selector("[data-slides]", state="detached")
    until(lambda: "slides" not in words(desk.halls["t02"]), "t02 captures no more")
    source.close()

    desk.fill("t", "=水位 3.2 m，请各镇注意", "Enter")
    for page in (t01, t02):
        page.wait_for_selector("[data-banner='水位 3.2 m，请各镇注意']")
    desk.keys("T")
    t01.wait_for_selector("[data-banner]", state="detached")

    desk.keys("R")
    for page in (t01, t02):
        page.wait_for_selector("[data-recording]")
    desk.page.wait_for_selector("[data-recording=running]", timeout=20_000)
    desk.keep("recording")
    desk.keys("R")
    for page in (t01, t02, desk.page):
        page.wait_for_selector("[data-recording]", state="detached")

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

    before = desk.ends_at()
    desk.fill("e", "=30", "Enter")
    until(lambda: abs(desk.ends_at() - before - 1800) < 5, "half an hour longer")

    desk.do("t02", "v")
    t02.wait_for_selector("[data-act=watch]")
    desk.keys("v")
    t02.wait_for_selector("[data-act=watch]", state="detached")


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
    line_tested(lab)
    desk.keys("i")
    desk.page.wait_for_selector(".lines[data-ready='1'][data-all='3']")
    assert desk.page.inner_text(".lines-sum").startswith("3 个会场中 1 个就绪")
    assert "没有摄像头" in desk.page.inner_text("[data-line-of=t02]")
    assert "还没有试线" in desk.page.inner_text("[data-line-of=t03]")
    desk.page.keyboard.press("Enter")  # all are asked at once
    until(lambda: "试线已下达" in desk.said("done"), "asked")
    desk.page.keyboard.press("Escape")


def line_tested(lab: Lab) -> None:
    """t01 tested its line and is ready, t02 has no camera, t03 was never tested."""
    way = line_tests.Way(loss_ratio=0.0, jitter_ms=2.0, rate_bps=2e6)
    good = line_tests.Result(
        camera="good", microphone="heard", level=0.6, path=line_tests.Path(up=way, down=way, rtt_ms=4.0)
    )
    store = open_store(f"sqlite:///{lab.folder}/store.db")
    with store.session() as session:
        for hall, result in (("t01", good), ("t02", good.model_copy(update={"camera": "missing"}))):
            line_tests.keep(session, hall, result, None, datetime.now(UTC))
    store.close()


def on_every_screen(desk: Desk) -> None:
    """Both languages; nothing wider than the screen; the list of keys has them all."""
    for spoken in ("zh", "en"):
        desk.keep(spoken)
        desk.keys("?")
        desk.page.wait_for_selector("[data-help]")
        listed = desk.page.locator("[data-help] dt").count()
        assert listed == desk.page.locator("[data-act]").count() + 7
        desk.keep(f"help-{spoken}")
        desk.page.keyboard.press("Escape")
        desk.keys("l")


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

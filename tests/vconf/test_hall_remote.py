"""A hall's page by remote control alone, from the kiosk's first start; a phone; every screen that it is shown on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from drills.browser import Hall, Halls, fits
from identity.tokens import Tokens
from inventory.load import load_model
from store.engine import Store, open_store
from tests.vconf.lab import CENTRE, ROOT, Lab
from tests.vconf.looks import (
    beside,
    enter,
    hears,
    open_coloured,
    press,
    shows,
    slides_move,
    slides_source,
    until,
    whose,
    words,
)
from vconf import hall_devices, line_tests, links, meetings
from vconf.tables import MeetingRow

pytestmark = [pytest.mark.twin, pytest.mark.browser]
SCREENS = ((1920, 1080), (3840, 2160), (390, 844))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    built = subprocess.run([sys.executable, str(ROOT / "web" / "build.py")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    with Lab(tmp_path_factory.mktemp("lab"), f"vcr{os.getpid() % 10_000}", ("t01",)) as made:
        yield made


@pytest.fixture
def halls(lab: Lab, tmp_path: Path) -> Iterator[Halls]:
    with Halls(tmp_path / "browsers", lab.secrets.ca.certificate_pem) as opened:
        yield opened


def act(hall: Hall, action: str, **args: object) -> None:
    hall.page.evaluate("([action, args]) => window.sanwang.act(action, args)", [action, args])


def sees(hall: Hall, *venues: str) -> bool:
    """It is shown these venues, and they are these venues' pictures, and move."""
    return shows(hall) == [*venues] == whose(hall.page, "[data-show] video", "data-show")


def on_every_screen(page: Page, name: str) -> None:
    """Nothing is wider than any screen, in either language; pictures are kept when SANWANG_SCREENSHOTS says where."""
    before = page.viewport_size
    kept = os.environ.get("SANWANG_SCREENSHOTS")
    for width, height in SCREENS if kept else SCREENS[-1:]:  # what is wide fits
        page.set_viewport_size({"width": width, "height": height})
        fits(page, width, f"{name} {width}")
        if kept:
            page.screenshot(path=f"{kept}/hall-{name}-{width}.png")
    assert before is not None
    page.set_viewport_size(before)


def test_a_meeting_with_nothing_but_a_remote_control(lab: Lab, halls: Halls) -> None:
    urls = lab.book("t01", "t02", "t03", chair="t01")
    one = open_coloured(halls, lab.argv("t01"), urls["t01"], "t01", captured="t03")
    two, three = (beside(one, urls[code], code) for code in ("t02", "t03"))
    one.wait_lobby()
    on_every_screen(one.page, "lobby")
    for hall in (one, two, three):
        enter(hall)
        hall.wait_phase("in")
    until(lambda: two.stats()["view"]["role"] == "venue" and one.stats()["view"]["role"] == "chair", "roles")
    until(lambda: sees(one, "t02", "t03"), "a grid of the others")
    on_every_screen(one.page, "grid")

    # the chair broadcasts: the other's screen changes, and so does that of one who comes late
    act(one, "broadcast", venue="t03")
    until(lambda: sees(two, "t03"), "t02 is shown t03 alone")
    until(lambda: "seen" in words(three) and sees(three, "t01"), "t03 is told that it is broadcast")
    two.page.reload()
    two.wait_lobby()
    press(two, "Enter")
    until(lambda: sees(two, "t03"), "who comes late is shown the same")

    # muted is muted, whatever the page does; a hand, and the floor
    until(lambda: hears(one), "the chair hears")
    act(one, "muteAll")
    until(lambda: "muted" in words(two) and "muted" in words(three), "the halls are told")
    until(lambda: not hears(one), "nobody is heard")
    press(two, "2", "2")  # its own microphone off and on again
    assert not hears(one)
    press(two, "1")
    until(lambda: "hand" in words(two), "the hand is up")
    act(one, "banner", text="请各会场准备发言", ticker=False)
    until(lambda: two.page.inner_text("[data-banner]") == "请各会场准备发言", "the banner")
    on_every_screen(two.page, "single")
    act(one, "grant", venue="t02")
    until(lambda: [*words(two)] == ["floor", "heard"] and hears(one), "t02 has the floor and is heard")

    slides(one, two, three)

    # signed in by digits
    press(two, "4")
    until(lambda: bool(two.page.evaluate("document.activeElement.id === 'heads'")), "the field has the focus")
    press(two, "4", "2")
    on_every_screen(two.page, "signin")
    press(two, "Enter")
    until(lambda: two.stats()["view"]["signed"] == 42, "42 are signed in")
    two.page.wait_for_selector("[data-dialog]", state="detached")

    a_phone(lab, one)

    # cut off, and back through the waiting room alone
    act(one, "cut", venue="t02")
    two.wait_phase("cut")
    press(two, "1")
    two.wait_phase("waiting")
    act(one, "admit", venue="t02")
    until(lambda: sees(two, "t03"), "admitted")
    press(two, "0", "0")
    two.wait_phase("left")


def slides(one: Hall, two: Hall, three: Hall) -> None:
    """What t03 captures is shown beside the camera, until the chair takes it off: then it is captured no more."""
    source = slides_source(three, "t03")
    press(three, "5")
    until(lambda: "slides" in words(three), "t03 is told that its slides are shown")
    until(lambda: slides_move(two.page, "t03"), "t02 sees the slides")
    assert sees(two, "t03"), "and the camera beside them"
    on_every_screen(two.page, "slides")
    act(one, "slides", venue="t03", on=False)
    two.page.wait_for_selector("[data-slides]", state="detached")
    until(lambda: "slides" not in words(three) and not three.page.query_selector(".key.on[data-act=slides]"), "ended")
    source.close()


def a_phone(lab: Lab, chair: Hall) -> None:
    """A guest's phone: link, PIN, name, waiting room, in."""
    link, pin = lab.guests()
    page = chair.page.context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.add_init_script(
        "navigator.wakeLock.request = async () => { window.kept = (window.kept ?? 0) + 1; return { released: false }; }"
    )
    page.goto(link)
    phone = Hall("phone", chair.page.context, page)
    page.wait_for_selector("#name:focus")
    press(phone)
    page.keyboard.type("陈工 水利局")
    press(phone, "Tab")
    page.keyboard.type("000000" if pin != "000000" else "111111")
    press(phone, "Enter")
    page.wait_for_selector("[role=alert]")
    on_every_screen(page, "guest")
    press(phone, "Control+A")
    page.keyboard.type(pin)
    press(phone, "Enter")
    enter(phone)
    phone.wait_phase("waiting")
    on_every_screen(page, "waiting")
    act(chair, "admitAll")
    until(lambda: sees(phone, "t03"), "the phone is shown what all are shown")
    on_every_screen(page, "phone")
    assert page.evaluate("window.kept") == 1, "its screen is kept on"
    press(phone, "0", "0")
    phone.wait_phase("left")
    page.close()


ASK_ALL = """async ([meeting, token]) => (await fetch(`/api/meet/meetings/${meeting}/lines`, {
    method: "POST", headers: { authorization: `Bearer ${token}` },
})).status"""


def line_test(store: Store) -> dict[str, Any]:
    """The hall's last."""
    with store.reading() as session:
        return line_tests.latest(session, ["t04"])["t04"] or {}


def test_a_kiosk_starts_is_paired_tests_its_line_and_goes_in_by_itself(lab: Lab, halls: Halls) -> None:
    store = open_store(f"sqlite:///{lab.folder}/store.db")
    known = load_model("shili").halls
    try:
        with store.session() as session:
            code = hall_devices.new_code(session, "t04", "test", datetime.now(UTC))
            meeting = meetings.book(
                session,
                title="防汛会商",
                start_at=datetime.now(UTC) + timedelta(minutes=20),
                duration=timedelta(hours=1),
                halls=["t04"],
                who="test",
                known_halls=known,
            )
        # the first server of the list is away, the second starts late
        lab.stop("pages")
        start = f"file://{ROOT}/deploy/kiosk/start.html#https://10.99.0.99%20https://{CENTRE}"
        hall = halls.open_hall(lab.argv("t01"), start, name="home", probe=False)
        assert "正在连接" in hall.page.inner_text("body")
        lab.start("pages")
        hall.page.wait_for_selector("#code:focus", timeout=60_000)
        on_every_screen(hall.page, "pair")
        press(hall)
        hall.page.keyboard.type(code)
        press(hall, "Enter")
        hall.page.wait_for_selector("[data-next]")
        assert "值班电话" in hall.page.inner_text("[data-duty]")
        on_every_screen(hall.page, "home")
        press(hall, "2")
        hall.page.wait_for_selector("[data-line=running]")
        # how good the path is on a busy machine is not for a test to say
        hall.page.wait_for_selector("[data-line=ready], [data-line=poor]", timeout=90_000)
        on_every_screen(hall.page, "line")
        test = line_test(store)
        assert [check["name"] for check in test["checks"] if not check["ok"]] in ([], ["path"])
        assert test["measured"]["path"]["up"]["loss_ratio"] == test["measured"]["path"]["down"]["loss_ratio"] == 0.0
        assert test["measured"]["path"]["down"]["rate_bps"] > 100_000
        press(hall, "Escape")
        hall.page.wait_for_selector("[data-next]")
        token = links.chair_token(Tokens(lab.secrets.resolve(links.KEY)), meeting, "li", datetime.now(UTC))
        assert hall.page.evaluate(ASK_ALL, [meeting.id, token]) == 202
        until(lambda: line_test(store)["at"] > test["at"], "the chair asked all halls: tested without a person", 60)
        with store.session() as session:  # the meeting is put forward: its time has come
            row = session.get(MeetingRow, meeting.id)
            assert row is not None
            row.start_at = datetime.now(UTC)
        hall.wait_phase("in", 30)
        hall.page.reload()  # as after a power cut
        hall.wait_phase("in", 30)
        until(partial(hall.page.is_visible, "[data-leave]"), "the keys")
        press(hall, "0", "0")
        hall.wait_phase("left")
        press(hall, "Escape")
        hall.wait_phase("home")
    finally:
        store.close()

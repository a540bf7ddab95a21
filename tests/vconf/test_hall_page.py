"""Two halls in real browsers: they meet, lose their network, relay and server, and find each other again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drills.browser import Hall, Halls
from inventory.load import load_model
from store.engine import open_store
from tests.vconf.lab import CENTRE, ROOT, Lab
from vconf import hall_devices, line_tests, meetings
from vconf.tables import MeetingRow

pytestmark = [pytest.mark.twin, pytest.mark.browser]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    built = subprocess.run([sys.executable, str(ROOT / "web" / "build.py")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    with Lab(tmp_path_factory.mktemp("lab"), f"vct{os.getpid() % 10_000}", ("t01", "t02", "t03")) as made:
        yield made


@pytest.fixture
def halls(lab: Lab, tmp_path: Path) -> Iterator[Halls]:
    with Halls(tmp_path / "browsers", lab.secrets.ca.certificate_pem) as opened:
        yield opened


def moving(hall: Hall) -> bool:
    """A remote picture changed within the last 300 ms."""
    return any(0 <= video["sinceChangeMs"] < 300 for video in hall.video())


def until(condition: Callable[[], bool], why: str, seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def heard(hall: Hall) -> float:
    """Energy of all voices since they have places."""
    return sum(float(remote["audioEnergy"]) for remote in hall.stats()["remotes"] if remote["kind"] == "audio")


def hears(hall: Hall) -> bool:
    """Somebody was heard within the last half second."""
    before = heard(hall)
    time.sleep(0.5)
    return heard(hall) > before + 1e-4


def shows(hall: Hall) -> list[str]:
    """The venues on its screen, the largest first."""
    found = hall.page.evaluate("() => [...document.querySelectorAll('[data-show]')].map((one) => one.dataset.show)")
    return [str(each) for each in found]


def words(hall: Hall) -> list[str]:
    """What the hall is told about itself."""
    found = hall.page.evaluate("() => [...document.querySelectorAll('[data-word]')].map((one) => one.dataset.word)")
    return [str(each) for each in found]


def press(hall: Hall, *keys: str) -> None:
    for key in keys:
        hall.page.keyboard.press(key)


def act(hall: Hall, action: str, **args: object) -> None:
    hall.page.evaluate("([action, args]) => window.sanwang.act(action, args)", [action, args])


def test_a_meeting_with_nothing_but_a_remote_control(lab: Lab, halls: Halls) -> None:
    urls = lab.book("t01", "t02", "t03", chair="t01")
    opened = {hall: halls.open_hall(lab.argv(hall), urls[hall], name=hall) for hall in urls if hall}
    one, two, three = opened.values()
    for hall in opened.values():
        hall.wait_lobby()
        press(hall, "1")
        hall.wait_phase("in")
    until(lambda: two.stats()["view"]["role"] == "venue" and one.stats()["view"]["role"] == "chair", "roles")

    # the chair broadcasts: the other's screen changes, and so does that of one who comes late
    act(one, "broadcast", venue="t03")
    until(lambda: shows(two) == ["t03"] and moving(two), "t02 is shown t03 alone")
    assert [video["hall"] for video in two.video()] == ["t03"]
    until(lambda: words(three)[0] == "seen" and shows(three) == ["t01"], "t03 is told that it is broadcast")
    two.page.reload()
    two.wait_lobby()
    press(two, "Enter")
    until(lambda: shows(two) == ["t03"] and moving(two), "who comes late is shown the same")

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
    act(one, "grant", venue="t02")
    until(lambda: words(two) == ["floor", "heard"] and hears(one), "t02 has the floor and is heard")

    # signed in by digits
    press(two, "4")
    two.page.wait_for_selector("[data-dialog]")
    press(two, "4", "2", "Enter")
    until(lambda: two.stats()["view"]["signed"] == 42, "42 are signed in")
    assert two.page.query_selector("[data-dialog]") is None
    press(two, "9")
    until(
        lambda: "Lower hand" in two.page.inner_text(".keys") or "Raise hand" in two.page.inner_text(".keys"), "English"
    )

    # cut off, and back through the waiting room alone
    act(one, "cut", venue="t02")
    two.wait_phase("cut")
    press(two, "1")
    two.wait_phase("waiting")
    act(one, "admit", venue="t02")
    until(lambda: shows(two) == ["t03"] and moving(two), "admitted")
    press(two, "0", "0")
    two.wait_phase("left")


def test_a_hall_at_home_is_paired_tests_its_line_and_goes_in_by_itself(lab: Lab, halls: Halls) -> None:
    store = open_store(f"sqlite:///{lab.folder}/store.db")
    known = load_model("shili").halls
    try:
        with store.session() as session:
            code = hall_devices.new_code(session, "t01", "test", datetime.now(UTC))
            meeting = meetings.book(
                session,
                title="防汛会商",
                start_at=datetime.now(UTC) + timedelta(minutes=20),
                duration=timedelta(hours=1),
                halls=["t01"],
                who="test",
                known_halls=known,
            )
        hall = halls.open_hall(lab.argv("t01"), f"https://{CENTRE}/hall/", name="home", probe=False)
        hall.page.wait_for_selector("#code")
        hall.page.keyboard.type(code)
        press(hall, "Enter")
        hall.page.wait_for_selector("[data-next]")
        assert "值班电话" in hall.page.inner_text("[data-duty]")
        press(hall, "2")
        # how good the path is on a busy machine is not for a test to say
        hall.page.wait_for_selector("[data-line=ready], [data-line=poor]", timeout=90_000)
        with store.reading() as session:
            test = line_tests.latest(session, ["t01"])["t01"]
        assert test is not None
        assert [check["name"] for check in test["checks"] if not check["ok"]] in ([], ["path"])
        assert test["measured"]["path"]["up"]["loss_ratio"] == test["measured"]["path"]["down"]["loss_ratio"] == 0.0
        assert test["measured"]["path"]["down"]["rate_bps"] > 100_000
        press(hall, "Escape")
        hall.page.wait_for_selector("[data-next]")
        with store.session() as session:  # the meeting is put forward: its time has come
            row = session.get(MeetingRow, meeting.id)
            assert row is not None
            row.start_at = datetime.now(UTC)
        hall.wait_phase("in", 30)
        hall.page.reload()  # as after a power cut
        hall.wait_phase("in", 30)
        press(hall, "0", "0")
        hall.wait_phase("left")
        press(hall, "Escape")
        hall.wait_phase("home")
    finally:
        store.close()


def test_two_halls_meet_and_recover(lab: Lab, halls: Halls) -> None:
    urls = lab.book("t01", "t02")
    one = halls.open_hall(lab.argv("t01"), urls["t01"], name="t01")
    two = halls.open_hall(lab.argv("t02"), urls["t02"], name="t02")
    one.join()
    two.join()
    one.wait_picture()
    two.wait_picture()
    until(
        lambda: any(remote["audioEnergy"] > 0 for remote in one.stats()["remotes"] if remote["kind"] == "audio"),
        "sound",
    )
    assert {video["codec"] for video in (*one.video(), *two.video())} == {"video/H264"}

    with lab.outage("t01"):
        until(lambda: two.stats()["peers"] == [{"hall": "t01", "silent": True}], "t02 is told that t01 is silent")
        until(lambda: one.stats()["trouble"] == "reconnecting", "t01 says that it reconnects")
    until(lambda: not one.stats()["trouble"] and moving(one) and moving(two), "both see each other again")

    lab.stop("relay", signal.SIGKILL)
    until(lambda: one.stats()["trouble"] == "rebuilding", "t01 says that media is rebuilt")
    lab.start("relay")
    until(lambda: not one.stats()["trouble"] and moving(one) and moving(two), "media is rebuilt")

    lab.stop("pages", signal.SIGKILL)
    until(lambda: one.stats()["trouble"] == "reconnecting", "t01 says that it reconnects")
    assert moving(two)  # media does not need the signalling
    lab.start("pages")
    until(lambda: not one.stats()["trouble"] and moving(one) and moving(two), "the session is found again")

    one.leave()
    until(lambda: two.stats()["peers"] == [], "t02 sees that t01 left")


def test_a_hall_without_camera_takes_part_with_sound(lab: Lab, halls: Halls) -> None:
    urls = lab.book("t01", "t02")
    one = halls.open_hall(lab.argv("t01"), urls["t01"], name="t01", camera=False)
    two = halls.open_hall(lab.argv("t02"), urls["t02"], name="t02")
    one.wait_lobby()
    until(lambda: "没有摄像头" in one.page.inner_text("main"), "the page says that there is no camera")
    one.join()
    two.join()
    one.wait_picture()
    until(lambda: heard(two) > 0, "t02 hears t01")
    assert two.video() == []
    until(lambda: "只有声音" in two.page.inner_text("[data-show='t01']"), "the page says sound only")
    # the camera is plugged in: sent without a person
    one.page.evaluate(
        "navigator.mediaDevices.plugged = true; navigator.mediaDevices.dispatchEvent(new Event('devicechange'))"
    )
    two.wait_picture()
    until(lambda: "noCamera" not in words(one), "t01 no longer says that it has no camera")


def test_a_browser_that_does_not_trust_the_county_sees_nothing(lab: Lab, tmp_path: Path) -> None:
    from identity.ca import CountyCA

    urls = lab.book("t01")
    with (
        Halls(tmp_path / "foreign", CountyCA(tmp_path / "ca").certificate_pem) as strangers,
        pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"),
    ):
        strangers.open_hall(lab.argv("t01"), urls["t01"], name="stranger")

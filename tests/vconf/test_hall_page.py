"""Two halls in real browsers: they meet, lose their network, relay and server, and find each other again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from drills.browser import Halls
from tests.vconf.lab import CENTRE, NODE, ROOT, Lab
from tests.vconf.looks import beside, enter, heard, hears, moving, open_coloured, until, words

pytestmark = [pytest.mark.twin, pytest.mark.browser]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    built = subprocess.run([sys.executable, str(ROOT / "web" / "build.py")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    with Lab(tmp_path_factory.mktemp("lab"), f"vct{os.getpid() % 10_000}") as made:
        yield made


@pytest.fixture
def halls(lab: Lab, tmp_path: Path) -> Iterator[Halls]:
    with Halls(tmp_path / "browsers", lab.secrets.ca.certificate_pem) as opened:
        yield opened


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
    for _ in range(3):  # what was lost when somebody left is no reason to show nobody afterwards
        two.leave()
        two.page.reload()
        two.join()
        two.wait_picture()
        one.wait_picture()

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
    # the camera is plugged in, pulled out, plugged in again: never a person's business
    for _ in range(2):
        one.page.evaluate(
            "navigator.mediaDevices.plugged = true; navigator.mediaDevices.dispatchEvent(new Event('devicechange'))"
        )
        two.wait_picture()
        until(lambda: "noCamera" not in words(one), "t01 no longer says that it has no camera")
        one.page.evaluate(
            "navigator.mediaDevices.plugged = false;"
            "for (const track of document.querySelector('.own-picture').srcObject.getVideoTracks()) {"
            "    track.stop(); track.dispatchEvent(new Event('ended')); }"
        )
        until(lambda: "noCamera" in words(one) and two.video() == [], "the camera was pulled out")
        until(lambda: hears(two), "t02 goes on to hear t01")


AGAIN = """() => new Promise(async (done) => {
    const began = performance.now();
    const track = document.querySelector(".own-picture").srcObject.getVideoTracks()[0];
    let away = false;
    new MutationObserver(() => {
        const { trouble } = document.body.dataset;
        if (trouble === "reconnecting") away = true;
        else if (away) done([performance.now() - began, track.readyState]);
    }).observe(document.body, { attributes: true });
    await fetch("/again", { method: "POST" });
})"""


def test_a_hall_that_slept_or_is_asked_to_come_again_is_back_by_itself(lab: Lab, halls: Halls) -> None:
    urls = lab.book("t01", "t02")
    one = open_coloured(halls, lab.argv("t01"), urls["t01"], "t01")
    two = open_coloured(halls, lab.argv("t02"), urls["t02"], "t02")
    for hall in (one, two):
        enter(hall)
    for hall in (one, two):
        until(partial(moving, hall), "they meet")

    back_ms, camera = one.page.evaluate(AGAIN)
    assert back_ms < 1_000, "code 1012: at once"
    assert camera == "live", "the camera stays open"
    until(lambda: moving(one) and moving(two), "both see each other again")

    with lab.asleep("t02"):
        until(lambda: one.stats()["peers"] == [], "a hall whose computer sleeps is out")
    until(lambda: two.stats()["trouble"] == "" and moving(one) and moving(two), "it woke up and is back")


def test_a_hall_whose_townships_node_dies_speaks_to_the_county_itself(lab: Lab, halls: Halls) -> None:
    urls = lab.book("t01", "t02")
    lab.start("node")
    lab.wait_pages(NODE)
    one = open_coloured(halls, lab.argv("t01"), urls["t01"].replace(CENTRE, NODE), "t01")
    two = beside(one, urls["t02"], "t02")
    for hall in (one, two):
        enter(hall)
    for hall in (one, two):
        until(partial(moving, hall), "they meet")
    one.page.evaluate("window.stayed = document.querySelector('.own-picture').srcObject.id")
    before = [video["frames"] for video in two.video()]
    lab.stop("node", signal.SIGKILL)
    asked = "window.sanwang.act('raiseHand').then(() => true, () => false)"
    until(lambda: bool(one.page.evaluate(asked)), "its conversation goes on with the county, without a person", 5)
    assert one.page.evaluate("window.stayed === document.querySelector('.own-picture').srcObject.id"), "no reload"
    assert moving(one)
    assert [video["frames"] for video in two.video()] > before, "its media was never touched"
    until(lambda: "hand" in words(one), "the county answers")


def test_a_browser_that_does_not_trust_the_county_sees_nothing(lab: Lab, tmp_path: Path) -> None:
    from identity.ca import CountyCA

    urls = lab.book("t01")
    with (
        Halls(tmp_path / "foreign", CountyCA(tmp_path / "ca").certificate_pem) as strangers,
        pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"),
    ):
        strangers.open_hall(lab.argv("t01"), urls["t01"], name="stranger")

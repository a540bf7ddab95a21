"""The operations page in a real browser that trusts the county's authority, over the real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from drills.browser import Hall, Halls, fits, painted
from inventory.places import CHECKOUT
from sanwang import serve
from tests.dashboards.conftest import County
from tests.dashboards.fake import FakeSources

pytestmark = pytest.mark.browser
_WAIT_MS = 40_000  # a busy machine; nothing here is a measurement


@pytest.fixture(scope="module")
def pages() -> Path:
    """The real pages, built when something changed."""
    subprocess.run([sys.executable, str(CHECKOUT / "web" / "build.py")], check=True, stdout=subprocess.DEVNULL)
    return serve.PAGES


@pytest.fixture(scope="module")
def browser(running_county: County, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One browser, signed in by a one-time link."""
    with Halls(tmp_path_factory.mktemp("browser"), running_county.secrets.ca.certificate_pem) as halls:
        link = f"{running_county.base}/ops/#token={running_county.token()}"
        hall = halls.open_hall([], link, name="ops", probe=False)
        hall.page.set_default_timeout(_WAIT_MS)
        expect.set_options(timeout=_WAIT_MS)
        hall.page.set_viewport_size({"width": 1920, "height": 1080})
        yield hall


@pytest.fixture
def page(browser: Hall, sources: FakeSources) -> Page:
    """The map, with everything up, in Chinese."""
    browser.page.evaluate("location.hash = '#/'")
    browser.page.wait_for_selector(".strip .verdict.up")
    browser.page.wait_for_selector(".map .node")  # the map is a file of its own, loaded after the shell
    painted(browser.page)
    expect(browser.page.locator(".banner")).to_have_count(0)
    return browser.page


def test_the_link_signs_in_and_vanishes_from_the_address(page: Page) -> None:
    assert "token" not in page.url
    expect(page.locator("h1")).to_have_text("示例县")


def test_every_site_is_on_the_map_and_none_over_another(page: Page, running_sources: FakeSources) -> None:
    nodes = page.evaluate(
        """() => [...document.querySelectorAll('.node')].map((node) => {
            const box = node.querySelector('.frame').getBoundingClientRect();
            const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            return {
                site: node.dataset.site, hit: hit?.closest('.node')?.dataset.site, dot: node.matches('.dot'),
                box: [box.left, box.top, box.right, box.bottom],
            };
        })"""
    )
    assert {node["site"] for node in nodes} == set(running_sources.model.sites)
    assert [node["site"] for node in nodes if node["hit"] != node["site"]] == [], "covered, or off the screen"
    boxes = [(node["site"], node["box"]) for node in nodes if not node["dot"]]
    for index, (site, (left, top, right, bottom)) in enumerate(boxes):
        for other, (x1, y1, x2, y2) in boxes[index + 1 :]:
            assert right <= x1 or x2 <= left or bottom <= y1 or y2 <= top, f"{site} lies over {other}"


def test_a_cut_ring_fibre_is_shown_by_name_with_who_is_concerned(page: Page, sources: FakeSources) -> None:
    notes = {"summary": "Link ring-c1-c2 is down", "summary_zh": "链路 ring-c1-c2 中断"}
    labels = {"alertname": "LinkDown", "severity": "critical", "link": "ring-c1-c2"}
    sources.alerts.append({"labels": labels, "annotations": notes, "startsAt": datetime.now(UTC).isoformat()})
    sources.link("ring-c1-c2", "down")
    banner = page.locator(".banner")
    expect(banner).to_contain_text("光缆中断")
    expect(banner).to_contain_text("电子政务信息中心 — 远程教育中心")
    expect(banner).to_contain_text("白云镇会场")
    expect(banner).to_contain_text("「春耕部署会」")
    expect(page.locator("path.line.ring.down")).to_have_count(1)
    expect(page.locator(".cross")).to_have_count(1)
    expect(page.locator(".panel")).to_contain_text("链路 ring-c1-c2 中断")
    expect(page.locator("[data-alerts]")).to_have_attribute("data-alerts", "2")  # the fault, and an alert that is none
    sources.link("ring-c1-c2", "up")
    expect(banner).to_have_count(0)


def test_a_dead_centre_is_shown_plainly(page: Page, sources: FakeSources) -> None:
    for host in sources.model.site_hosts("c1"):
        sources.host(host.name, "down")
    expect(page.locator(".banner")).to_contain_text("中心失效")
    centre = page.locator('.node.centre[data-site="c1"]')
    expect(centre).to_have_class("node centre down")
    expect(centre).to_contain_text("中心失效")


def test_the_keyboard_reaches_a_site_and_its_page_draws_charts(page: Page) -> None:
    page.locator('.node[data-site="c1"]').focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => ![undefined, 'c1'].includes(document.activeElement.dataset.site)")
    page.locator('.node[data-site="t02"]').focus()
    page.keyboard.press("Enter")
    site = page.locator("aside.site")
    expect(site).to_contain_text("白云镇")
    expect(site.locator("table.ports tbody tr")).not_to_have_count(0)
    expect(site.locator(".chart canvas")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(site).to_have_count(0)


def test_the_language_switch_is_remembered(page: Page) -> None:
    page.click("button.language")
    expect(page.locator("h1")).to_contain_text("Shili")
    page.reload()
    expect(page.locator("h1")).to_contain_text("Shili")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.click("button.language")
    expect(page.locator("h1")).to_have_text("示例县")


def test_a_network_view_fades_what_is_not_in_it(page: Page) -> None:
    page.locator("nav.networks select").select_option("audit")
    expect(page.locator('.node[data-site="b20"]')).not_to_have_class("node chip up faded")
    expect(page.locator('.node[data-site="b01"]')).to_have_class("node chip up faded")
    page.locator("nav.networks button").first.click()
    expect(page.locator(".node.faded")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_nothing_is_wider_than_the_screen(page: Page, sources: FakeSources, width: int, height: int) -> None:
    sources.link("ring-c1-c2", "down")
    page.wait_for_selector(".banner")
    page.set_viewport_size({"width": width, "height": height})
    try:
        fits(page, width)
    finally:
        page.set_viewport_size({"width": 1920, "height": 1080})


def test_the_browser_had_nothing_to_complain_about(page: Page, browser: Hall) -> None:
    page.wait_for_timeout(100)
    assert [message for message in browser.messages if message.startswith(("error", "warning"))] == []

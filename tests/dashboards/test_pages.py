"""Every page of the table of pages in Chromium, with a live fault: for each role what it may see and no more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from collectors.desk.steps import Desk
from collectors.desk.tick import tick
from collectors.faults.tables import FaultRow
from dashboards.access import ops_token
from drills.browser import CHROMIUM, fits, painted, trusting_home, visit
from identity.people import rights_of
from identity.tokens import Tokens
from inventory.model import NetworkModel
from inventory.places import CHECKOUT
from sanwang import ops_link, serve
from store.engine import Store
from tests.dashboards.conftest import County
from tests.dashboards.fake import FakeSources
from tests.dashboards.prometheus import FADING, GROWING

pytestmark = pytest.mark.browser
_WAIT_MS = 40_000  # a busy machine; nothing here is a measurement
FAULT = "ring-c1-c2"
TABLES = sorted((CHECKOUT / "web" / "ops").glob("*/pages.ts"))
_ROW = re.compile(
    r'path: "(?P<path>[^"]+)".*?right: (?P<right>\[[^\]]*\]|"[a-z]+"|null)(?P<rest>.*?)(?=path: "|\Z)', re.DOTALL
)
_VALUES = {":code": "t02", ":name": FADING, ":id": "1", ":month": "2026-11", ":login": "zhao"}


@dataclass(frozen=True)
class Row:
    """A row of the table of pages, as the pages' source has it."""

    path: str
    rights: frozenset[str] | None  # any one of them; None: every person
    menu: bool

    @property
    def address(self) -> str:
        """With a value for each parameter."""
        return "/".join(_VALUES.get(part, part) for part in self.path.split("/"))


def table() -> list[Row]:
    rows = []
    for path in TABLES:
        text = path.read_text(encoding="utf-8")
        for found in _ROW.finditer(text):
            rights = None if found["right"] == "null" else frozenset(re.findall(r'"([a-z]+)"', found["right"]))
            rows.append(Row(found["path"], rights, "menu: false" not in found["rest"]))
    return rows


ROWS = table()


def test_the_table_is_read_whole() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in TABLES)
    assert len(ROWS) == source.count("load: () => import(")
    assert {"/", "/link/:name", "/capacity", "/light", "/tickets", "/leaders"} <= {row.path for row in ROWS}


@pytest.fixture(scope="module")
def pages() -> Path:
    """The real pages, built when something changed."""
    subprocess.run([sys.executable, str(CHECKOUT / "web" / "build.py")], check=True, stdout=subprocess.DEVNULL)
    return serve.PAGES


class Windows:
    """A window for each person, all of one browser, and what it complained about."""

    def __init__(self, browser: Browser, county: County, model: NetworkModel) -> None:
        self._browser, self._county, self._model = browser, county, model
        self._tokens = Tokens(county.secrets.resolve(ops_link.KEY))
        self._open: dict[str, tuple[BrowserContext, Page]] = {}
        self.complaints: list[str] = []

    def rights(self, login: str) -> set[str]:
        """The person's rights, by the model."""
        return {right.value for right in rights_of(self._model.people[login].roles)}

    def who_may(self, row: Row) -> str:
        """Somebody who may see the page."""
        return next(name for name in self._model.people if row.rights is None or row.rights & self.rights(name))

    def of(self, login: str) -> Page:
        """That person's window; the language is Chinese and the screen a laptop's at first."""
        if login not in self._open:
            context = self._browser.new_context(viewport={"width": 1440, "height": 900})
            context.set_default_timeout(_WAIT_MS)
            page = context.new_page()
            page.on("pageerror", lambda error: self.complaints.append(f"{login} {page.url}: {error}"))
            page.on("console", lambda message: self._said(login, page, message.type, message.text))
            page.goto(f"{self._county.base}/ops/#token={ops_token(self._tokens, login)}")
            page.wait_for_selector(".menu")
            painted(page)
            expect(page.locator("main .nothing")).to_have_count(0)  # the link is no address
            self._open[login] = context, page
        return self._open[login][1]

    def _said(self, login: str, page: Page, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{login} {page.url}: {text}")

    def go(self, login: str, address: str, width: int = 1440, height: int = 900) -> Page:
        """Open a page and wait until it has all it asked for."""
        page = self.of(login)
        page.set_viewport_size({"width": width, "height": height})
        visit(page, address)
        return page

    def close(self) -> None:
        """All of them."""
        for context, _ in self._open.values():
            context.close()


@pytest.fixture(scope="module")
def windows(
    running_county: County,
    model: NetworkModel,
    store: Store,
    running_sources: FakeSources,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Windows]:
    """The windows, with a fault in the county that has a ticket."""
    expect.set_options(timeout=_WAIT_MS)
    with store.session() as session:
        session.add(
            FaultRow(
                id=1, key=f"link:{FAULT}", kind="link-down", subject=FAULT, site="c1", severity="critical",
                opened_at=datetime.now(UTC) - timedelta(minutes=3), detail={}, impact={"sites_cut": []},
            )
        )  # fmt: skip
    with store.session() as session:
        assert model.supervision is not None
        tick(session, Desk(model, model.supervision, lambda: datetime.now(UTC)), datetime.now(UTC), steady=True)
    with sync_playwright() as playwright:
        home = trusting_home(tmp_path_factory.mktemp("home"), running_county.secrets.ca.certificate_pem)
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox"], env={**os.environ, "HOME": str(home)}
        )
        found = Windows(browser, running_county, model)
        yield found
        found.close()
        browser.close()


@pytest.fixture
def fault(sources: FakeSources) -> None:
    """A cut fibre of the ring."""
    sources.link(FAULT, "down")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_page_stands_on_every_screen_in_both_languages(windows: Windows, fault: None, row: Row) -> None:
    login = windows.who_may(row)
    windows.complaints.clear()
    for width, height in ((1440, 900), (390, 844)):
        page = windows.go(login, row.address, width, height)
        expect(page.locator("h1")).to_have_count(1)
        expect(page.locator("main .nothing")).to_have_count(0)
        if "watch" in windows.rights(login):
            expect(page.locator(".banner")).to_contain_text("光缆中断")
        for language in ("en", "zh-CN"):
            page.keyboard.press("l")
            page.wait_for_function("language => document.documentElement.lang === language", arg=language)
            fits(page, width)
        expect(page.locator("main")).not_to_be_empty()
    assert windows.complaints == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.menu], ids=lambda row: row.path)
def test_a_page_is_used_without_a_mouse(windows: Windows, sources: FakeSources, row: Row) -> None:
    page = windows.go(windows.who_may(row), row.address)
    page.evaluate("document.activeElement?.blur()")
    wanted = page.locator(
        "main :is(a[href], button:not([disabled]), input:not([disabled]), select, textarea, [tabindex='0']):visible"
    ).count()
    reached: set[str] = set()
    for _ in range(min(wanted, 40) + 40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """() => {
                    const at = document.activeElement;
                    if (!at || !at.closest('main')) return '';
                    const box = at.getBoundingClientRect();
                    return `${at.tagName} ${Math.round(box.x + scrollX)},${Math.round(box.y + scrollY)}`;
                }"""
            )
        )
    assert wanted == 0 or len(reached - {""}) >= min(wanted, 10) * 0.5, f"{row.path}: {wanted} to reach, {len(reached)}"


SEES = {
    "zhao": {"watch", "handle"},  # an operator
    "liu": {"lead"},  # a leader
    "qian": {"report"},  # a clerk
}


@pytest.mark.parametrize("login", list(SEES))
def test_everybody_sees_what_he_may_and_no_more(windows: Windows, sources: FakeSources, login: str) -> None:
    rights = windows.rights(login)
    assert SEES[login] <= rights
    page = windows.of(login)
    allowed = {row.path for row in ROWS if row.menu and (row.rights is None or row.rights & rights)}
    expect(page.locator(".menu a")).to_have_count(len(allowed))
    offered = {str(link.get_attribute("href"))[1:] for link in page.locator(".menu a").all()}
    assert offered == allowed
    closed = [row for row in ROWS if row.rights is not None and not row.rights & rights]
    assert closed, "somebody may see everything"
    for row in closed:
        page = windows.go(login, row.address)
        expect(page.locator("main .nothing"), row.path).to_be_visible()


WATCHED = (
    "county",
    "state",
    "site/t01",
    "net/link/ring-c1-c2",
    "net/capacity",
    "net/optics",
    "net/changes",
    "search?q=t01",
)


def test_a_clerk_is_refused_by_the_server_too(windows: Windows, sources: FakeSources) -> None:
    page = windows.of("qian")
    windows.go("qian", "/own")
    for path in WATCHED:
        assert page.evaluate("path => fetch(path).then((answer) => answer.status)", f"/api/{path}") == 403, path
    refused = [line for line in windows.complaints if "403" in line]
    assert len(refused) >= len(WATCHED)
    windows.complaints.clear()


def test_a_link_page_tells_what_its_cut_means_and_who_shares_its_duct(windows: Windows, sources: FakeSources) -> None:
    page = windows.go("zhao", "/link/t01-c1")
    main = page.locator("main")
    expect(main).to_contain_text("北环管道")
    expect(main).to_contain_text("石桥镇 — 电子政务信息中心")  # a mate in the duct
    expect(main.locator(".chart canvas")).to_have_count(4)
    expect(main).to_contain_text("所有站点仍在线")
    page = windows.go("zhao", "/cut/t01")
    expect(page.locator("main .told .down").first).to_contain_text("青松镇")


def test_light_that_fades_stands_first_with_its_day_and_the_growing_link_too(
    windows: Windows, sources: FakeSources
) -> None:
    page = windows.go("zhao", "/light")
    first = page.locator("main table.data tbody tr").first
    expect(first).to_contain_text(FADING)
    expect(first).to_contain_text("32 天后")  # 1.6 dB at a twentieth of a decibel a day
    page = windows.go("zhao", "/capacity")
    busiest = page.locator(f'tr[data-row="{GROWING}"]')
    expect(busiest).to_contain_text("达 80 %")
    expect(page.locator("main")).to_contain_text("出口用户排行")


def test_meetings_are_judged_by_their_ways(windows: Windows, sources: FakeSources) -> None:
    page = windows.go("zhao", "/meetings")
    expect(page.locator("main")).to_contain_text("春耕部署会")
    expect(page.locator('tr[data-row="t01"]')).to_contain_text("可以召开")
    sources.link("t01-c1", "down")
    expect(page.locator('tr[data-row="t01"]')).to_contain_text("无备用路径")
    sources.link("t01-c2", "down")
    expect(page.locator('tr[data-row="t01"]')).to_contain_text("不通")


def test_search_finds_by_name_initials_address_and_english(windows: Windows, sources: FakeSources) -> None:
    page = windows.go("zhao", "/changes")
    for typed, wanted in (
        ("byz", "白云镇"),
        ("t03-c3", "t03-c3"),
        ("10.8.11.1", "青松镇"),
        ("north", "北环管道"),
        ("春耕", "春耕部署会"),
    ):
        page.keyboard.press("/")
        page.locator(".search-field").fill(typed)
        expect(page.locator(".found li").first).to_contain_text(wanted)
        page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.locator(".search-field").fill("ring-c1-c2")
    expect(page.locator(".found li").first).to_contain_text("ring-c1-c2")
    page.keyboard.press("Enter")
    expect(page.locator("main .page-head")).to_contain_text("ring-c1-c2")


def test_keys_go_to_pages_and_say_so(windows: Windows, sources: FakeSources) -> None:
    page = windows.go("zhao", "/")
    page.keyboard.press("?")
    expect(page.locator("dialog .keys")).to_be_visible()
    keys = page.locator("dialog .keys section:nth-child(2) dt").all_inner_texts()  # drawn with the dialog
    assert len(keys) == len(set(keys)) > 9, "two pages have one key"
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.locator("main .page-head")).to_contain_text("容量与出口")
    page.keyboard.press("1")
    expect(page.locator(".map > svg")).to_be_visible()


def test_the_wall_turns_by_itself_and_shows_a_new_fault_at_once(windows: Windows, sources: FakeSources) -> None:
    page = windows.go("zhao", "/", 1920, 1080)
    page.keyboard.press("b")
    wall = page.locator("main.screen")
    expect(wall).to_have_attribute("data-scene", "map")
    page.keyboard.press("ArrowRight")
    expect(wall).to_have_attribute("data-scene", "faults")
    expect(wall).to_contain_text("当前没有故障")
    page.keyboard.press("ArrowRight")
    expect(wall).to_have_attribute("data-scene", "meetings")
    sources.link(FAULT, "down")
    expect(wall).to_have_attribute("data-scene", "map")
    page.wait_for_function("() => document.documentElement.scrollHeight <= 1080")
    page.keyboard.press("Escape")
    expect(page.locator(".menu")).to_be_visible()


def test_ducts_are_drawn_when_asked_and_a_cut_one_always(windows: Windows, sources: FakeSources) -> None:
    page = windows.go("zhao", "/")
    expect(page.locator(".duct-name")).to_have_count(0)
    page.locator(".legend .toggle").click()
    expect(page.locator(".duct-name")).to_have_count(len(sources.model.ducts))
    page.locator(".legend .toggle").click()
    for link in sources.model.links.values():
        if "north" in link.ducts:
            sources.link(link.name, "down")
    expect(page.locator('.duct-name.cut[data-duct="north"]')).to_be_visible()

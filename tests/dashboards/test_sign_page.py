"""Signing in and the administrators' pages in a real browser: the first account to a clerk with a role."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboards.access import ops_token
from drills.browser import Hall, Halls, fits
from identity.second_factor import code_at
from identity.tokens import Tokens
from inventory.places import CHECKOUT
from sanwang import ops_link, serve
from store.base import utc_now
from tests.dashboards.conftest import County
from tests.identity.people import GOOD, secret_of

pytestmark = pytest.mark.browser
_WAIT_MS = 40_000
_PICTURES = os.environ.get("SANWANG_TEST_PICTURES", "")


@pytest.fixture(scope="module")
def pages() -> Path:
    """The real pages, built when something changed."""
    subprocess.run([sys.executable, str(CHECKOUT / "web" / "build.py")], check=True, stdout=subprocess.DEVNULL)
    return serve.PAGES


@pytest.fixture(scope="module")
def browser(running_county: County, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One browser, nobody signed in."""
    with Halls(tmp_path_factory.mktemp("browser"), running_county.secrets.ca.certificate_pem) as halls:
        hall = halls.open_hall([], f"{running_county.base}/ops/", name="sign", probe=False)
        hall.page.set_default_timeout(_WAIT_MS)
        expect.set_options(timeout=_WAIT_MS)
        hall.page.set_viewport_size({"width": 1920, "height": 1080})
        yield hall


def look(page: Page, name: str) -> None:
    """No wider than a telephone; pictures on both sizes where somebody asked for them."""
    for width, height in ((1920, 1080), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate(
            """limit => [...document.querySelectorAll('body *')]
                .filter(one => one.getBoundingClientRect().right > limit && !one.closest('nav, .networks'))
                .map(one => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`)""",
            width + 1,
        )
        fits(page, width, f"{name}: {wide[:6]}")
        if _PICTURES:
            page.screenshot(path=f"{_PICTURES}/{name}-{width}.png")
    page.set_viewport_size({"width": 1920, "height": 1080})


def enter(page: Page, county: County, login: str) -> None:
    """Come in by a one-time link."""
    page.context.clear_cookies()
    token = ops_token(Tokens(county.secrets.resolve(ops_link.KEY)), login)
    page.goto("about:blank")
    page.goto(f"{county.base}/ops/#token={token}")
    expect(page.locator("nav.menu")).to_be_visible()


def fill(page: Page, **values: str) -> None:
    """Type into the fields of these names and press Enter in the last."""
    for name, value in values.items():
        page.locator(f'[name="{name}"]').fill(value)
    page.locator(f'[name="{name}"]').press("Enter")


def test_from_the_first_account_to_a_signed_in_engineer(browser: Hall, running_county: County) -> None:
    page, county = browser.page, running_county
    expect(page.locator(".sign-in form")).to_be_visible()
    look(page, "sign-in")
    fill(page, login="wang", password="Wrong-Tree7-Lamp")
    expect(page.locator(".problem")).to_have_text("登录名或口令不正确")

    enter(page, county, "wu")
    page.goto(f"{county.base}/ops/#/accounts")
    page.locator('tr[data-row="wang"]').click()
    fill(page, why="工程师")
    link = page.locator("[data-link]")
    expect(link).to_be_visible()
    look(page, "accounts-link")
    invitation = link.get_attribute("data-link") or ""
    assert "/ops/#invite=" in invitation

    page.context.clear_cookies()
    page.goto("about:blank")
    page.goto(invitation)
    expect(page.locator(".sign-in h2")).to_have_text("wang,请设置您的口令")
    assert "invite" not in page.url
    look(page, "invite")
    fill(page, password=GOOD, repeat=GOOD + "x")
    expect(page.locator(".problem")).to_have_text("两次输入的口令不同")
    fill(page, password=GOOD, repeat=GOOD)
    code = page.locator(".enrol img")
    expect(code).to_be_visible()
    page.wait_for_function("() => document.querySelector('.enrol img').naturalWidth > 0")
    look(page, "enrol")
    secret = secret_of(code.get_attribute("alt") or "")
    fill(page, code=code_at(secret, utc_now()))
    expect(page.locator(".recovery li")).to_have_count(8)
    look(page, "recovery")
    recovery = page.locator(".recovery li").first.inner_text()
    page.locator("button.main").click()
    expect(page.locator(".sign-in h2")).to_have_text("等待放行")

    enter(page, county, "zheng")
    page.goto(f"{county.base}/ops/#/accounts")
    page.locator('tr[data-row="wang"]').click()
    page.get_by_role("button", name="放行").click()
    look(page, "accounts-act")
    fill(page, why="已当面核对")
    expect(page.locator('tr[data-row="wang"]')).to_contain_text("正常")
    look(page, "accounts")
    page.goto(f"{county.base}/ops/#/roles?login=qian")
    page.locator('[name="role"]').select_option("hall")
    look(page, "roles-give")
    fill(page, units="t01", why="会场由文书代管")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator('tr:has-text("qian")')).to_contain_text("会场管理员")
    look(page, "roles")

    page.context.clear_cookies()
    page.goto("about:blank")
    page.goto(f"{county.base}/ops/")
    fill(page, login="wang", password=GOOD)
    expect(page.locator(".sign-in h2")).to_have_text("动态验证码")
    look(page, "code")
    fill(page, code=recovery)
    expect(page.locator(".strip .verdict")).to_be_visible()
    page.goto(f"{county.base}/ops/#/own")
    expect(page.locator("main")).to_contain_text("剩 7 个恢复码")
    look(page, "own")
    expect(page.locator('a[href="#/audit"]')).to_have_count(0)

    enter(page, county, "sun")
    page.goto(f"{county.base}/ops/#/audit")
    expect(page.locator("main")).to_contain_text("已当面核对")
    page.get_by_role("button", name="校验链条").click()
    expect(page.locator(".pill.up")).to_contain_text("链条完好")
    look(page, "audit")


def test_the_browser_had_nothing_to_complain_about(browser: Hall) -> None:
    refused = ("401", "422")  # what this test typed wrong
    wrong = [line for line in browser.messages if line.startswith(("error", "warning"))]
    assert [line for line in wrong if not any(status in line for status in refused)] == []

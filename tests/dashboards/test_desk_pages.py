"""The desk's pages in a real browser over the real server and store: a day's work of each person, with a live fault."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from collectors.faults.tables import FaultRow
from drills.browser import CHROMIUM, fits, trusting_home, visit
from inventory.model import NetworkModel
from inventory.places import CHECKOUT
from sanwang import serve
from store.engine import Store
from tests.dashboards.conftest import County
from tests.dashboards.desktop import WAIT_MS, Desktop, until
from tests.dashboards.fake import FakeSources

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages() -> Path:
    """The real pages, built when something changed."""
    subprocess.run([sys.executable, str(CHECKOUT / "web" / "build.py")], check=True, stdout=subprocess.DEVNULL)
    return serve.PAGES


@pytest.fixture(scope="module")
def chromium(running_county: County, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all persons."""
    with sync_playwright() as playwright:
        home = trusting_home(tmp_path_factory.mktemp("home"), running_county.secrets.ca.certificate_pem)
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox"], env={**os.environ, "HOME": str(home)}
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desktop(running_county: County, store: Store, model: NetworkModel, chromium: Browser) -> Iterator[Desktop]:
    """Windows for everybody."""
    expect.set_options(timeout=WAIT_MS)
    found = Desktop(running_county, store, model, chromium)
    yield found
    found.close()


def test_an_operator_hears_and_sees_a_fault_says_that_he_looks_after_it_and_takes_its_ticket(
    desktop: Desktop, sources: FakeSources
) -> None:
    page = desktop.page("zhao", "/alerts")
    expect(page.locator(".calm")).to_contain_text("没有未恢复的故障")
    page.locator("button.sound").click()
    page.locator("button.sound").click()
    heard = page.evaluate("window.tones")
    desktop.fault(1, "ring-c1-c2")
    sources.link("ring-c1-c2", "down")
    fault = page.locator('.fault[data-fault="1"]')
    expect(fault).to_contain_text("光缆 ring-c1-c2 中断")
    expect(fault).to_contain_text("「春耕部署会」1 个会场改走备用路径")
    expect(fault).to_contain_text("由它引起 1 处")
    until(lambda: page.evaluate("window.tones") > heard, "the new fault makes a sound")
    fault.locator("button", has_text="确认").click()
    page.locator("dialog textarea").fill("抢修队已出发")
    page.locator("dialog button.main").click()
    expect(fault).to_contain_text("zhao 已确认")
    expect(fault).to_contain_text("抢修队已出发")
    with desktop.store.reading() as session:
        row = session.get(FaultRow, 1)
        assert row is not None
        assert (row.acknowledged_by, row.acknowledged_why) == ("zhao", "抢修队已出发")
    fault.locator("a", has_text="工单").click()
    expect(page.locator(".page-head")).to_contain_text("光缆 ring-c1-c2 中断")
    page.locator("[data-action=take]").click()
    expect(page.locator(".steps")).to_contain_text("认领")
    assert desktop.ticket(lambda row: row.fault == 1).assignee == "zhao"


def test_a_ticket_is_not_restored_while_its_fault_is_seen_and_the_page_says_so(desktop: Desktop) -> None:
    number = desktop.ticket(lambda row: row.fault == 1).id
    page = desktop.page("zhao", f"/tickets/{number}")
    page.locator("[data-action=restore]").click()
    page.locator("dialog input[name=cause]").fill("挖断")
    page.locator("dialog button.main").click()
    expect(page.locator("dialog .problem")).to_contain_text("ring-c1-c2")
    page.keyboard.press("Escape")
    desktop.clear(1)
    expect(page.locator(".page-head")).to_contain_text("待确认")
    page = desktop.page("zhao", "/alerts?show=history")
    expect(page.locator("table.data")).to_contain_text("历时")


def test_a_clerk_reports_in_three_presses_and_says_how_it_was_handled(desktop: Desktop) -> None:
    page = desktop.page("qian", "/", width=390, height=844)
    expect(page.locator(".known.none")).to_be_visible()
    expect(page.locator(".served")).to_contain_text("本月可用率 100 %")
    page.locator(".choices button", has_text="网速很慢").click()
    page.locator("button.large").click()
    expect(page.locator(".known.filed")).to_contain_text("已受理")
    ticket = desktop.ticket(lambda row: row.kind == "report")
    assert (ticket.opened_by, ticket.site, ticket.channel, ticket.text) == ("qian", "t01", "page", "网速很慢")
    operator = desktop.page("zhao", f"/tickets/{ticket.id}")
    operator.locator("[data-action=take]").click()
    expect(operator.locator(".steps")).to_contain_text("认领")
    operator.locator("[data-action=restore]").click()
    operator.locator("dialog input[name=cause]").fill("端口协商错误")
    operator.locator("dialog button.main").click()
    expect(operator.locator(".page-head")).to_contain_text("待确认")
    own = page.locator(f'.own-ticket[data-ticket="{ticket.id}"]')
    own.locator(".rate button").first.click()
    expect(own.locator(".progress .here")).to_have_text("已办结")
    closed = desktop.ticket(lambda row: row.id == ticket.id)
    assert (closed.state, closed.satisfaction, closed.cause) == ("closed", 5, "端口协商错误")


def test_a_clerk_sees_at_once_that_the_fault_is_known_and_how_far_it_is(desktop: Desktop) -> None:
    lost = frozenset(host.name for host in desktop.model.site_hosts("t01"))
    desktop.fault(2, "t01-c1", hosts=lost)
    page = desktop.page("qian", "/report", width=390, height=844)
    expect(page.locator(".known.found")).to_contain_text("已知故障")
    page.locator(".choices button", has_text="整个单位都上不了网").click()
    page.locator("button.large").click()
    expect(page.locator(".known.filed")).to_contain_text("并入正在处理的故障")
    report = desktop.ticket(lambda row: row.kind == "report")
    assert report.parent == desktop.ticket(lambda row: row.fault == 2).id
    desktop.clear(2)


def test_a_clerk_asks_for_an_opening_and_a_bad_one_is_refused_in_words(desktop: Desktop) -> None:
    page = desktop.page("qian", "/report?what=request", width=390, height=844)
    page.locator(".choices button", has_text="防火墙开通").click()
    page.locator("[name=source]").fill("10.9.0.0/24")
    page.locator("[name=target]").fill("203.0.113.80")
    page.locator("[name=ports]").fill("99999999")
    page.locator("[name=text]").fill("对接省平台")
    page.locator(".form-end button.main").click()
    expect(page.locator(".form .problem")).to_contain_text("端口")
    page.locator("[name=ports]").fill("443")
    page.locator(".form-end button.main").click()
    expect(page.locator(".known.filed")).to_contain_text("已受理")
    assert desktop.ticket(lambda row: row.kind == "request").detail["ports"] == "443"


def test_a_shift_is_handed_over_with_what_is_open_and_signed_by_both(desktop: Desktop) -> None:
    page = desktop.page("zhao", "/shift")
    page.locator("[data-action=on]").click()
    expect(page.locator(".duty")).to_contain_text("赵值班")
    page.locator("textarea[name=text]").fill("省平台来电核对地址")
    page.locator(".form button.main").click()
    expect(page.locator(".steps")).to_contain_text("省平台来电核对地址")
    page.locator("[data-action=handover]").click()
    expect(page.locator("dialog .matters")).to_contain_text("防火墙开通")
    page.locator("dialog select[name=to]").select_option("li")
    page.locator("dialog textarea").fill("留意 t01")
    page.locator("dialog button.main").click()
    expect(page.locator(".handed")).to_contain_text("李工")
    second = desktop.page("li", "/shift")
    second.locator("[data-action=on]", has_text="签字接班").click()
    expect(second.locator(".duty")).to_contain_text("李工")
    turn = second.locator(".turn-of-duty").first
    turn.locator("summary").click()
    expect(turn).to_contain_text("交班 赵值班,接班 李工")
    expect(turn).to_contain_text("留意 t01")


def test_a_supervisor_orders_a_correction_and_publishes_what_everybody_may_read(desktop: Desktop) -> None:
    ticket = desktop.ticket(lambda row: row.kind == "request")
    page = desktop.page("huang", f"/tickets/{ticket.id}")
    page.locator("[data-action=correct]").click()
    page.locator("dialog textarea").fill("一天无人受理")
    page.locator("dialog button.main").click()
    expect(page.locator(".steps")).to_contain_text("责令改正")
    page = desktop.page("huang", "/board", width=1920, height=1080)
    expect(page.locator(".board")).to_contain_text("一天无人受理")
    expect(page.locator(".clocks.up")).to_contain_text("防火墙开通")
    page = desktop.page("huang", "/scores")
    expect(page.locator(".page-head")).to_contain_text("尚未公示")
    page.locator("[data-action=publish]").click()
    page.locator("dialog button.main").click()
    refused = page.locator("dialog .problem")
    expect(refused.or_(page.locator(".page-head", has_text="公示于"))).to_be_visible()


def test_a_leader_opens_every_figure_and_finds_where_it_comes_from(desktop: Desktop, sources: FakeSources) -> None:
    page = desktop.page("liu", "/leaders", width=390, height=844)
    tiles = page.locator("button.figure")
    expect(page.locator("[data-figure=saved_year]")).to_contain_text("207 万元/年")
    expect(page.locator("[data-figure=sound]")).to_contain_text("没有测量数据")
    visit(page, "/leaders")
    for index in range(tiles.count()):
        tiles.nth(index).click()
        explanation = page.locator("dialog .explanation")
        expect(explanation).to_be_visible()
        expect(explanation.locator(".formula")).to_contain_text("=")
        expect(explanation.locator(".inputs .source").first).to_contain_text("来源")
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
    fits(page, 390)


def test_the_monthly_report_is_the_printed_ones_tables(desktop: Desktop) -> None:
    page = desktop.page("huang", "/monthly")
    expect(page.locator(".month .card")).not_to_have_count(0)
    expect(page.locator(".month")).to_contain_text("来源")
    visit(page, "/monthly")
    printed = page.locator(".page-tools a.button[target]").get_attribute("href")
    assert printed is not None
    assert desktop.status("huang", printed) == 200
    with_tickets = page.evaluate("[...document.querySelectorAll('.month h3')].map((head) => head.textContent.trim())")
    text = page.evaluate("async (path) => (await fetch(path)).text()", printed)
    assert with_tickets
    assert [head for head in with_tickets if head not in text] == []


PAGES = {
    "liu": {"/alerts", "/tickets", "/shift", "/board", "/leaders", "/monthly", "/scores"},
    "zhao": {"/alerts", "/tickets", "/report", "/shift", "/board", "/monthly", "/scores"},
    "qian": {"/report", "/scores"},
}
_DESK = {"/alerts", "/tickets", "/report", "/shift", "/board", "/leaders", "/monthly", "/scores"}


@pytest.mark.parametrize("login", PAGES)
def test_each_sees_the_pages_that_he_may_and_no_more(desktop: Desktop, login: str) -> None:
    page = desktop.page(login, "/scores")
    expect(page.locator("[data-page='/scores']")).to_be_visible()
    offered = page.evaluate("[...document.querySelectorAll('nav.menu a')].map((a) => a.getAttribute('href').slice(1))")
    assert set(offered) & _DESK == PAGES[login]
    for path in _DESK - PAGES[login]:
        page = desktop.page(login, path)
        expect(page.locator(".nothing")).to_contain_text("您无权查看此页")
        expect(page.locator(".page-head")).to_have_count(0)


def test_the_server_refuses_what_the_pages_do_not_offer(desktop: Desktop) -> None:
    ticket = desktop.ticket(lambda row: row.kind == "fault").id
    why = {"why": "x"}
    for login, path, body in (
        ("qian", "/api/faults", None),
        ("qian", "/api/figures", None),
        ("qian", "/api/desk/board", None),
        ("qian", "/api/desk/shift", None),
        ("qian", "/api/maintenance", None),
        ("qian", f"/api/desk/tickets/{ticket}/take", why),
        ("zhao", "/api/figures", None),
        ("zhao", f"/api/desk/tickets/{ticket}/correct", why),
        ("zhao", "/api/desk/scores/2026-01/publish", why),
        ("liu", "/api/faults/1/acknowledge", why),
        ("liu", f"/api/desk/tickets/{ticket}/take", why),
        ("liu", "/api/maintenance", {"sites": ["t01"], "end_at": time.time() + 600, "why": "x"}),
        ("liu", "/api/desk/reports", {"site": "t01", "text": "x"}),
    ):
        assert desktop.status(login, path, body) == 403, (login, path)
    others = desktop.ticket(lambda row: row.fault == 1).id
    assert desktop.status("qian", f"/api/desk/tickets/{others}") == 404, "of another unit"
    assert desktop.status("qian", "/api/desk/reports", {"site": "t02", "text": "x"}) == 403


def test_a_meeting_is_booked_for_all_townships_and_a_taken_hall_is_named(desktop: Desktop) -> None:
    page = desktop.page("chen", "/book")
    page.locator("input[name=title]").fill("防汛会商")
    page.locator("input[name=start]").fill("2030-05-06T09:00")
    page.locator("[data-group=townships]").click()
    expect(page.locator("[data-found=good]")).to_contain_text("会场均空闲")
    expect(page.locator("[data-found=good]")).to_contain_text("网络带宽足够")
    page.locator("select[name=repeat]").select_option("FREQ=WEEKLY")
    expect(page.locator("[data-found=good]")).to_contain_text("共 4 次")
    page.locator("select[name=main]").select_option("t03")
    page.locator(".card button.main").first.click()
    expect(page.locator("[data-said=booked]")).to_contain_text("已预订:防汛会商")
    rows = page.locator(".rows [data-meeting]", has_text="防汛")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("11 个会场,主会场 石桥镇会场")

    page.locator("input[name=title]").fill("另一个会")
    page.locator("input[name=start]").fill("2030-05-06T10:00")
    page.locator("[data-hall=t02]").click()
    expect(page.locator("[data-found=clash]")).to_contain_text("白云镇会场（t02）")
    page.locator(".card button.main").first.click()
    expect(page.locator(".form .problem")).to_contain_text("已有会议")

    rows.first.locator("[data-change]").click()
    page.locator("dialog input[name=title]").fill("防汛调度会")
    page.locator("dialog [data-hall=t11]").click()
    page.locator("dialog button[type=submit]").click()
    expect(rows.first).to_contain_text("防汛调度会")
    expect(rows.first).to_contain_text("10 个会场")
    rows.nth(1).locator("[data-cancel]").click()
    page.locator("dialog input[name=series]").check()
    page.locator("dialog button[type=submit]").click()
    expect(rows).to_have_count(0)

    page.locator("[data-feed=make]").click()
    expect(page.locator("[data-said=calendar]")).to_contain_text("/api/meet/calendar/")
    page.set_viewport_size({"width": 390, "height": 844})
    fits(page, 390)


def test_a_maintenance_window_is_opened_and_ended_on_the_page(desktop: Desktop) -> None:
    page = desktop.page("zhao", "/alerts")
    page.locator("[data-action=window]").click()
    page.locator("dialog select[name=site]").select_option("t05")
    page.locator("dialog textarea").fill("更换电源")
    page.locator("dialog button.main").click()
    row = page.locator(".rows .row", has_text="更换电源")
    expect(row).to_contain_text("进行中")
    expect(row).to_contain_text("t05-rt")
    row.locator("button", has_text="提前结束").click()
    page.locator("dialog button.main").click()
    expect(row).to_contain_text("已结束")
    assert (
        desktop.status("zhao", "/api/maintenance", {"sites": ["nowhere"], "end_at": time.time() + 60, "why": "x"})
        == 422
    )


@pytest.mark.parametrize("path", sorted(PAGES["zhao"] | {"/tickets/1"}))
def test_nothing_is_wider_than_a_phone(desktop: Desktop, path: str) -> None:
    page = desktop.page("zhao", path, width=390, height=844)
    expect(page.locator(".page-head")).to_be_visible()
    visit(page, path)
    fits(page, 390)


def test_the_keyboard_alone_takes_one_from_the_queue_to_a_ticket(desktop: Desktop) -> None:
    page = desktop.page("zhao", "/scores")
    page.keyboard.press("g")
    page.keyboard.press("t")
    row = page.locator("table.data tr.opens").first
    expect(row).to_be_visible()
    row.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".limit")).to_be_visible()


def test_no_page_had_an_error(desktop: Desktop) -> None:
    assert desktop.complaints == []

"""Windows of several persons on the desk's pages, and what happens in the county meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser, BrowserContext, Page, expect

from collectors.desk.steps import Desk
from collectors.desk.tables import TicketRow
from collectors.desk.tick import tick
from collectors.faults.tables import FaultRow
from dashboards.access import ops_token
from drills.browser import painted
from identity.tokens import Tokens
from inventory.impact import Faults, ImpactMap, Meeting
from inventory.model import NetworkModel
from sanwang import ops_link
from store.engine import Store
from tests.dashboards.conftest import County

WAIT_MS = 40_000  # a busy machine; nothing here is a measurement

_COUNT_TONES = """
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...given) { window.tones += 1; return start.apply(this, given); };
"""


def until(good: Callable[[], bool], what: str) -> None:
    """Wait for something that no locator sees."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not good():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Desktop:
    """Everybody's own window on the pages, and what happens in the county meanwhile."""

    def __init__(self, county: County, store: Store, model: NetworkModel, browser: Browser) -> None:
        self.county, self.store, self.model = county, store, model
        self._browser = browser
        self._tokens = Tokens(county.secrets.resolve(ops_link.KEY))
        self._impacts = ImpactMap(model)
        self._windows: dict[str, tuple[BrowserContext, Page]] = {}
        self.complaints: list[str] = []

    def page(self, login: str, path: str, *, width: int = 1440, height: int = 900) -> Page:
        """That person's window on a page, opened anew; signed in once."""
        if login not in self._windows:
            context = self._browser.new_context(locale="zh-CN")
            context.set_default_timeout(WAIT_MS)
            context.add_init_script(_COUNT_TONES)
            page = context.new_page()
            page.on("pageerror", lambda error: self.complaints.append(f"{login}: {error}"))
            self._windows[login] = context, page
            page.goto(f"{self.county.base}/ops/#token={ops_token(self._tokens, login)}")
            expect(page.locator("nav.menu")).to_be_visible()
        page = self._windows[login][1]
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("path => { location.hash = path }", f"#{path}")
        page.reload()
        expect(page.locator("nav.menu")).to_be_visible()
        painted(page)
        return page

    def status(self, login: str, path: str, body: object = None) -> int:
        """HTTP status of a request that this person's browser makes."""
        page = self._windows[login][1]
        said = page.evaluate(
            """async ([path, body]) => {
                const init = body === null ? {} : {
                    method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body),
                };
                return (await fetch(path, init)).status;
            }""",
            [path, body],
        )
        return int(said)

    def fault(self, number: int, link: str, *, hosts: frozenset[str] = frozenset(), minutes: float = 5) -> None:
        """A root cause in the book, with what the model says that it means, and its ticket."""
        meeting = Meeting("1", "春耕部署会", ("t01", "t02"), time.time() + 1800)
        impact = self._impacts.of(Faults(frozenset({link}), hosts), [meeting], {})
        opened = datetime.now(UTC) - timedelta(minutes=minutes)
        with self.store.session() as session:
            session.add(
                FaultRow(
                    id=number, key=f"link:{link}", kind="link-down", subject=link, site="c1", severity="critical",
                    opened_at=opened, detail={"children": [{"kind": "host", "subject": "t01-rt"}]},
                    impact=asdict(impact),
                )
            )  # fmt: skip
        self.look()

    def clear(self, number: int) -> None:
        """The fault is over."""
        with self.store.session() as session:
            row = session.get(FaultRow, number)
            assert row is not None
            row.cleared_at = datetime.now(UTC)
        self.look()

    def look(self) -> None:
        """What the collector's desk does every two seconds."""
        assert self.model.supervision is not None
        desk = Desk(self.model, self.model.supervision, lambda: datetime.now(UTC))
        with self.store.session() as session:
            tick(session, desk, datetime.now(UTC), steady=True)

    def ticket(self, good: Callable[[TicketRow], bool]) -> TicketRow:
        """The newest ticket that fits."""
        with self.store.reading() as session:
            return next(row for row in session.query(TicketRow).order_by(TicketRow.id.desc()) if good(row))

    def close(self) -> None:
        """Close every window; their feeds say goodbye first, for uvicorn stumbles over one that is just closing."""
        for context, page in self._windows.values():
            page.goto("about:blank")
            context.close()
        time.sleep(1)

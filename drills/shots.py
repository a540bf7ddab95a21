"""Screenshots of every page, taken from the running county: what the manual shows is what there is.

Two halls are in a meeting while the pictures are taken, and one fibre that carries it is cut for some of them;
afterwards the county is as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from dashboards.access import ops_token
from drills.errors import Missing
from drills.halls import booked_halls, rooms
from drills.lab import Lab
from drills.meeting import ring_link_in_use
from drills.ring import settled
from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.model import Hall as Room
from twin import faults

OPS_KEY = "token/ops"
TITLE = "防汛会商"
WIDE = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}
_READY_MS = 60_000
_WHOLE = "() => document.querySelector('main') && !document.querySelector('main[aria-busy], main [aria-busy]')"

FAULTY = (
    ("/alerts", "ops-alerts"),
    ("/tickets", "ops-tickets"),
    ("/meetings", "ops-meetings"),
    ("/screen", "ops-screen"),
)
"""The operator's pages that a fault fills."""

CALM = (
    ("/capacity", "ops-capacity"),
    ("/light", "ops-light"),
    ("/changes", "ops-changes"),
    ("/events", "ops-events"),
    ("/shift", "ops-shift"),
    ("/report", "ops-report"),
)

OTHERS = (
    ("leader", (("/leaders", "lead-overview"),)),
    ("supervisor", (("/board", "supervision-board"), ("/scores", "supervision-scores"))),
    ("sysadmin", (("/accounts", "admin-accounts"),)),
    ("secadmin", (("/roles", "admin-roles"),)),
    ("auditor", (("/audit", "admin-audit"),)),
)
"""Pages of people other than the operator, by role."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Album:
    """Where the pictures go, and who is told."""

    folder: Path
    progress: Progress

    def take(self, page: Page, name: str) -> Path:
        """One picture, when moving parts have come to rest."""
        page.wait_for_timeout(1200)
        path = self.folder / f"{name}.png"
        page.screenshot(path=str(path), animations="disabled")
        self.progress(f"{path.name}")
        return path


def shots(lab: Lab, folder: Path, progress: Progress) -> list[Path]:
    """Take them all.

    Args:
        lab: The running county.
        folder: Where to, made when missing.
        progress: Told the name of each.

    Returns:
        The files, in the order of the manual.
    """
    folder.mkdir(parents=True, exist_ok=True)
    album = Album(folder, progress)
    pair = rooms(lab.model)
    secrets = Secrets(lab.places.lib / "identity")
    base = f"https://{lab.model.hosts[lab.model.nms].management}"
    taken = []
    with booked_halls(lab, pair, title=TITLE, who="shots", probe=False) as (opened, browsers):
        opened[0].wait_lobby(_READY_MS / 1000)
        taken.append(album.take(opened[0].page, "hall-lobby"))
        for hall in opened:
            hall.join(_READY_MS / 1000)
        for hall in opened:
            hall.wait_phase("in", _READY_MS / 1000)
        opened[0].page.wait_for_selector("video", timeout=_READY_MS)
        taken.append(album.take(opened[0].page, "hall-meeting"))
        tokens = Tokens(secrets.resolve(OPS_KEY))
        link = f"{base}/ops/#token={ops_token(tokens, _somebody(lab, 'operator'))}"
        network = ["nsenter", f"--net={lab.namespace(lab.model.nms)}", "--"]
        operator = browsers.open_hall(network, link, name="ops", probe=False)
        taken += _operations(lab, album, operator.page, pair[0])
        for role, pages in OTHERS:
            # Another person at the same computer: a new link, read by a page that has forgotten the old one.
            operator.page.goto("about:blank")
            operator.page.goto(f"{base}/ops/#token={ops_token(tokens, _somebody(lab, role))}")
            operator.page.wait_for_selector(".menu", timeout=_READY_MS)
            taken += _pages(album, operator.page, pages)
    return taken


def _somebody(lab: Lab, role: str) -> str:
    """Login of a person with that role, with no other one if there is such a person."""
    found = [person for person in lab.model.people.values() if role in person.roles]
    if not found:
        raise Missing(f"nobody in the county has the role {role}", "give it to somebody in people.yml")
    return min(found, key=lambda person: len(person.roles)).login


def _pages(album: Album, page: Page, pages: tuple[tuple[str, str], ...]) -> Iterator[Path]:
    """One picture of each page (address, name), when it has all it asked for."""
    for address, name in pages:
        page.evaluate("address => { location.hash = address }", f"#{address}")
        page.wait_for_function(_WHOLE, timeout=_READY_MS)
        yield album.take(page, name)


def _operations(lab: Lab, album: Album, page: Page, room: Room) -> Iterator[Path]:
    """The operations page: the map in both languages, a site, and a cut fibre."""
    page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
    page.wait_for_selector(".strip .verdict.up, .strip .verdict.down", timeout=_READY_MS)
    page.wait_for_selector(".map .node", timeout=_READY_MS)
    yield album.take(page, "ops-map")
    page.evaluate("code => { location.hash = `#/site/${code}` }", room.site)
    page.wait_for_selector("aside.site", timeout=_READY_MS)
    yield album.take(page, "ops-site")
    page.evaluate("() => { location.hash = '#/' }")
    page.click("button.language")
    yield album.take(page, "ops-map-en")
    cut = ring_link_in_use(lab)
    fault = faults.cut(lab.twin, cut)
    try:
        page.wait_for_selector(".banner", timeout=_READY_MS)
        yield album.take(page, "ops-cut-en")
        page.click("button.language")
        yield album.take(page, "ops-cut")
        yield from _pages(album, page, ((f"/link/{cut}", "ops-link"), *FAULTY))
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        yield from _pages(album, page, (("/", "ops-map-phone"), ("/alerts", "ops-alerts-phone")))
        page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
    finally:
        faults.heal(lab.twin, fault)
        settled(lab)
    duct = next(iter(lab.model.ducts), "")
    yield from _pages(album, page, (*CALM, (f"/cut/{duct}", "ops-whatif")) if duct else CALM)

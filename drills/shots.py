"""Screenshots of every page, taken from the running county: what the manual shows is what there is.

Two halls are in a meeting while the pictures are taken, and one fibre that carries it is cut for some of them;
afterwards the county is as before.  A picture has 256 colours, which is a third of the bytes and looks the same.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as Late

from dashboards.access import ops_token
from drills.browser import Hall, visit
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
_SHOWN = re.compile(r"images/([\w-]+\.png)")

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
    ("/monthly", "ops-monthly"),
    ("/scores", "ops-scores"),
    ("/own", "ops-own"),
)

SMALL = (
    ("/", "ops-map-phone"),
    ("/alerts", "ops-alerts-phone"),
    ("/tickets", "ops-tickets-phone"),
    ("/light", "ops-light-phone"),
)
"""On a telephone, while a fibre is cut."""

OTHERS = (
    ("chair", (("/book", "meet-booking"),)),
    ("leader", (("/leaders", "lead-overview"),)),
    ("supervisor", (("/board", "supervision-board"), ("/scores", "supervision-scores"))),
    ("clerk", (("/report", "clerk-report"),)),
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
        _fewer_colours(page.screenshot(animations="disabled"), path)
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
    with booked_halls(lab, pair, title=TITLE, who="shots", probe=True) as (opened, browsers):
        opened[0].wait_lobby(_READY_MS / 1000)
        taken.append(album.take(opened[0].page, "hall-lobby"))
        for hall in opened:
            hall.join(_READY_MS / 1000)
        for hall in opened:
            hall.wait_phase("in", _READY_MS / 1000)
        opened[0].wait_picture(timeout_s=_READY_MS / 1000)
        taken.append(album.take(opened[0].page, "hall-meeting"))
        tokens = Tokens(secrets.resolve(OPS_KEY))
        link = f"{base}/ops/#token={ops_token(tokens, _somebody(lab, 'operator'))}"
        network = ["nsenter", f"--net={lab.namespace(lab.model.nms)}", "--"]
        operator = browsers.open_hall(network, link, name="ops", probe=False)
        operator.page.set_default_timeout(_READY_MS)
        with _told(operator, folder):
            taken += _operations(lab, album, operator.page, pair[0])
            for role, pages in OTHERS:
                # Another person at the same computer: a new link, read by a page that has forgotten the old one.
                operator.page.goto("about:blank")
                operator.page.goto(f"{base}/ops/#token={ops_token(tokens, _somebody(lab, role))}")
                operator.page.wait_for_selector(".menu", timeout=_READY_MS)
                taken += _pages(album, operator.page, pages)
                if role == "chair":
                    taken.append(_desk(album, operator.page, pair[0]))
    return taken


@contextmanager
def _told(window: Hall, folder: Path) -> Iterator[None]:
    """Missing, with a picture of what is there instead, when a page does not come."""
    try:
        yield
    except Late as late:
        window.page.screenshot(path=str(folder / "failed.png"))
        said = "; ".join(window.messages[-3:]) or "nothing"
        raise Missing(
            f"{window.page.url}: {late.message.splitlines()[0]}; the page said: {said}",
            f"look at {folder / 'failed.png'}, then at: sanwang status",
        ) from late


def keep_shown(taken: Iterable[Path], checkout: Path) -> list[Path]:
    """Copy the pictures that the manual shows (README, docs/*.md) into docs/images; the others there are removed."""
    texts = [*checkout.glob("README*.md"), *checkout.glob("docs/*.md")]
    shown = {name for text in texts for name in _SHOWN.findall(text.read_text(encoding="utf-8"))}
    images = checkout / "docs" / "images"
    images.mkdir(exist_ok=True)
    for old in images.glob("*.png"):
        if old.name not in shown:
            old.unlink()
    return [Path(shutil.copy(path, images / path.name)) for path in taken if path.name in shown]


def _fewer_colours(png: bytes, path: Path) -> None:
    """Write the picture with a palette of its own."""
    with av.open(io.BytesIO(png), "r", format="png_pipe") as source:
        picture = next(source.decode(video=0))
    graph = av.filter.Graph()
    start = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1))
    split, palette, use = (
        graph.add("split"),
        graph.add("palettegen", "stats_mode=full"),
        graph.add("paletteuse", "dither=none"),
    )
    end = graph.add("buffersink")
    start.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(end)
    graph.configure()
    picture.pts = 0
    start.push(picture)
    start.push(None)
    found = end.pull()
    assert isinstance(found, av.VideoFrame)
    with av.open(str(path), "w", format="image2pipe") as out:
        stream = out.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "pal8"
        out.mux(stream.encode(found))
        out.mux(stream.encode(None))


def _somebody(lab: Lab, role: str) -> str:
    """Login of a person with that role, with no other one if there is such a person."""
    found = [person for person in lab.model.people.values() if role in person.roles]
    if not found:
        raise Missing(f"nobody in the county has the role {role}", "give it to somebody in people.yml")
    return min(found, key=lambda person: len(person.roles)).login


def _pages(album: Album, page: Page, pages: tuple[tuple[str, str], ...]) -> Iterator[Path]:
    """One picture of each page (address, name), when it has all it asked for."""
    for address, name in pages:
        visit(page, address)
        yield album.take(page, name)


def _desk(album: Album, page: Page, room: Room) -> Path:
    """The chair's desk of the meeting, entered from the page of bookings, with a venue on the air."""
    with page.context.expect_page() as entered:
        page.locator("[data-console]").first.click()
    desk = entered.value
    desk.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
    desk.locator(f"[data-venue='{room.code}']").click(timeout=_READY_MS)
    desk.keyboard.press("b")
    desk.wait_for_selector(f"[data-screen] [data-picture='{room.code}'] video", timeout=_READY_MS)
    taken = album.take(desk, "chair-desk")
    desk.close()
    return taken


def _operations(lab: Lab, album: Album, page: Page, room: Room) -> Iterator[Path]:
    """The operations page: the map in both languages, a site, and a cut fibre."""
    page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
    page.wait_for_selector(".strip .verdict.up, .strip .verdict.down", timeout=_READY_MS)
    page.wait_for_selector(".map .node", timeout=_READY_MS)
    yield album.take(page, "ops-map")
    visit(page, f"/site/{room.site}")
    page.wait_for_selector("aside.site", timeout=_READY_MS)
    yield album.take(page, "ops-site")
    visit(page, "/")
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
        yield from _pages(album, page, SMALL)
        page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
    finally:
        faults.heal(lab.twin, fault)
        settled(lab)
    duct = next(iter(lab.model.ducts), "")
    yield from _pages(album, page, (*CALM, (f"/cut/{duct}", "ops-whatif")) if duct else CALM)

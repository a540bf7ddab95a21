"""What tests of the pages look at and press: whose picture is shown and whether it moves, words, keys.

Each hall's camera is a moving bar on a colour of its own, so that pixels tell whose picture a screen shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from playwright.sync_api import Page

from drills.browser import Hall, Halls, painted

COLOURS = {"t01": "#c03030", "t02": "#30b040", "t03": "#3040c0"}

_CAMERA = """
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (!wanted.video) return open(wanted);
        const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 180 });
        const context = canvas.getContext("2d");
        let step = 0;
        setInterval(() => {
            context.fillStyle = "COLOUR";
            context.fillRect(0, 0, 320, 180);
            context.fillStyle = "#ffffff";
            context.fillRect((step++ * 7) % 300, 140, 20, 40);
        }, 100);
        return canvas.captureStream(10);
    };
"""

_LOOK = """async ([selector, attribute]) => {
    const videos = [...document.querySelectorAll(selector)];
    const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const look = () => videos.map((video) => {
        context.clearRect(0, 0, 32, 18);
        if (video.videoWidth) context.drawImage(video, 0, 0, 32, 18);
        const all = context.getImageData(0, 0, 32, 18).data;
        const middle = [...all.slice(4 * (32 * 5 + 16), 4 * (32 * 5 + 16) + 3)];
        return { sum: all.reduce((sum, value) => (sum * 31 + value) % 2147483647, 7), middle };
    });
    const before = look();
    await new Promise((resolve) => setTimeout(resolve, 350));
    return look().map(({ sum, middle }, index) => [
        videos[index].closest(`[${attribute}]`)?.getAttribute(attribute) ?? "", middle, sum !== before[index].sum,
    ]);
}"""


def until(condition: Callable[[], bool], why: str, seconds: float = 40.0) -> None:
    """Until it holds; AssertionError with why."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


def coloured(page: Page, hall: str) -> Page:
    """From its next document on the page's camera is a moving bar on the hall's colour."""
    page.add_init_script(_CAMERA.replace("COLOUR", COLOURS[hall]))
    return page


def open_coloured(halls: Halls, argv: Sequence[str], url: str, hall: str, *, captured: str = "") -> Hall:
    """A hall's page in a browser of its own; ``captured``: whose slides its pages capture."""
    title = f"Slides of {captured}" if captured else ""
    opened = halls.open_hall(argv, "about:blank", name=hall, width=640, height=360, captured=title)
    coloured(opened.page, hall).goto(url)
    return opened


def beside(other: Hall, url: str, hall: str) -> Hall:
    """A hall's page in another tab of the same browser: much cheaper."""
    page = coloured(other.page.context.new_page(), hall)
    page.set_viewport_size({"width": 640, "height": 360})
    page.goto(url)
    return Hall(hall, other.page.context, page)


def whose(page: Page, pictures: str, attribute: str) -> list[str]:
    """Of each picture that is drawn, whose colour it has: "t01", "" of none; "t01 still" of one that does not move.

    Args:
        page: Any page.
        pictures: Selector of video elements.
        attribute: That says whose picture it is meant to be: ``AssertionError`` when it is another's.
    """
    found = []
    for meant, middle, moves in page.evaluate(_LOOK, [pictures, attribute]):
        strongest = max(range(3), key=lambda channel: middle[channel])
        seen = ("t01", "t02", "t03")[strongest] if max(middle) > 90 else ""
        assert seen in ("", meant), f"the picture of {meant} has the colour of {seen}: {middle}"
        found.append(seen if moves or not seen else f"{seen} still")
    return found


def slides_source(hall: Hall, code: str) -> Page:
    """A tab to capture as the hall's slides: it changes five times a second, on the hall's colour."""
    page = hall.page.context.new_page()
    page.set_content(
        f"<title>Slides of {code}</title><body style='background: {COLOURS[code]}'><h1 id=count></h1><script>"
        "let count = 0; setInterval(() => { document.getElementById('count').textContent = ++count; "
        "document.body.style.paddingTop = `${count % 9}em`; }, 200)</script>"
    )
    hall.page.bring_to_front()
    return page


def slides_move(page: Page, code: str) -> bool:
    """The hall's slides are shown, and move."""
    return whose(page, "[data-slides] video", "data-slides") == [code]


def words(hall: Hall) -> dict[str, str]:
    """What the hall is told about itself: name of the word -> its text."""
    script = "() => [...document.querySelectorAll('[data-word]')].map((one) => [one.dataset.word, one.textContent])"
    return {str(name): str(text) for name, text in hall.page.evaluate(script)}


def press(hall: Hall, *keys: str) -> None:
    """Keys of the remote control, as soon as the page can hear them."""
    painted(hall.page)
    for key in keys:
        hall.page.keyboard.press(key)


def enter(hall: Hall) -> None:
    """Into the meeting by key."""
    hall.wait_lobby()
    press(hall, "1")


def moving(hall: Hall) -> bool:
    """A remote picture changed within the last 300 ms."""
    return any(0 <= video["sinceChangeMs"] < 300 for video in hall.video())


def heard(hall: Hall) -> float:
    """Energy of all voices since they have places."""
    return sum(float(remote["audioEnergy"]) for remote in hall.stats()["remotes"] if remote["kind"] == "audio")


def hears(hall: Hall) -> bool:
    """Somebody was heard within half a second."""
    before = heard(hall)
    time.sleep(0.5)
    return heard(hall) > before + 1e-4


def shows(hall: Hall) -> list[str]:
    """The venues that its screen is meant to show, the largest first."""
    found = hall.page.eval_on_selector_all("[data-show]", "all => all.map(one => one.dataset.show)")
    return [str(code) for code in found]

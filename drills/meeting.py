"""``sanwang drill meeting``: sixty halls of the load tool and real browsers meet, the chair works, things are lost.

Every figure is measured on the running county: delays from pixels, switches and first pictures at every hall, the
chair's state by every hall's own view beside the model-based oracle.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as BrowserError

from drills.browser import Halls as Browsers
from drills.conference import crowd, judge, losses, parts, seats
from drills.conference.judge import misses as misses
from drills.conference.parts import Meeting
from drills.conference.screens import SCRIPTS, Screen
from drills.errors import Missing
from drills.lab import Lab
from drills.ring import settled
from identity.secrets import Secrets
from inventory.model import LinkKind
from twin.errors import TwinError
from twin.links import all_bytes
from vconf.client.channel import Lost, Refusal

Progress = Callable[[str], None]
Found = dict[str, Any]
HALLS, BROWSERS, JOINS = 60, 3, 2
_WIDTH, _HEIGHT = 640, 360
_RING_BPS_LEAST = 200_000


def meeting(
    lab: Lab, progress: Progress, halls: int = HALLS, browsers: int = BROWSERS, joins: int = JOINS
) -> dict[str, Any]:
    """Book, come in, measure, lose things, leave and cancel; the county is as before afterwards.

    A step that stumbles is named under ``failed`` and is a miss; the steps after it are done all the same.
    """
    busy = Busy()
    found: dict[str, Any] = {**dict.fromkeys(judge.LIMITS), "both_go_on": False, "not_measured": {}, "failed": {}}
    found |= {"missing": [], "wrong": {}}
    with seats.booked(lab, halls, browsers) as booked:

        def meet() -> Found:
            with crowd.Halls(booked, seats.way(lab, booked)) as load, _browsers(lab, booked) as screens:
                here = Meeting(lab, booked, load, screens, judge.Judge.of(booked), progress)
                found.update(_tried("come", lambda: _come(here, joins), found["failed"], progress))
                if not found["failed"] and not found["missing"]:
                    for name, step in _steps(here, found["not_measured"]).items():
                        found.update(_tried(name, step, found["failed"], progress))
                return {"wrong_chair_state": here.wrong_count, "wrong": here.wrong, "load": load.figures()}

        found |= _tried("meeting", meet, found["failed"], progress)
    return found | busy.document()


def _tried(name: str, step: Callable[[], Found], failed: dict[str, str], tell: Progress) -> Found:
    """What a step found; nothing when it stumbled, which is named."""
    try:
        return step()
    except (TimeoutError, BrowserError, Lost, Refusal, TwinError, Missing) as problem:
        failed[name] = f"{type(problem).__name__}: {problem}".splitlines()[0][:300]
        tell(f"{name}: {failed[name]}")
        return {}


def _steps(meet: Meeting, apart: dict[str, str]) -> dict[str, Callable[[], Found]]:
    """What is done when all are in, in this order; what the county has no place for goes ``apart``."""
    steps: dict[str, Callable[[], Found]] = {
        "switches": lambda: _switches(meet),
        "delays": lambda: _delays(meet),
        "table": lambda: parts.table(meet),
        "ring": lambda: _ring(meet),
        "relays": lambda: losses.relays_killed(meet),
    }
    if len(meet.screens) == 1:
        del steps["delays"]
        apart["latency_p95_ms"] = "one browser sees no other"
    if site := losses.township_to_cut(meet.lab):
        steps["township"] = lambda: losses.township_cut(meet, site, lambda: settled(meet.lab))
    else:
        apart |= dict.fromkeys(("alone_s", "merge_s"), "no township has a relay of its own")
    for name, why in apart.items():
        meet.tell(f"{name}: not measured: {why}")
    return steps


def _come(meet: Meeting, joins: int) -> Found:
    """Everybody in; the first pictures."""
    meet.judge.did("arriveConsole", console=seats.CONSOLE)
    meet.act("display", mode="fixed", venues=[meet.seats.main])  # as a large meeting has it, in a small county too
    began_s = time.monotonic()
    for screen in meet.screens.values():
        screen.hall.join(60)
        _until(screen.sends, 20)  # whoever comes later finds a picture
    meet.halls.come()
    _until(lambda: _all_in(meet), 60)
    meet.tell(f"{len(meet.seats.everybody)} venues came in {time.monotonic() - began_s:.0f} s")
    meet.judge.come(meet.seats.everybody)
    meet.act("muteAll")
    real = []
    for screen in [*meet.screens.values()] * joins:
        screen.rejoin()
        real.append(screen.hall.wait_picture(changed=1))
        _until(screen.sends, 20)
    load = [value for each in meet.halls.read(lambda hall: hall.figures.first_keyframe_ms).values() for value in each]
    meet.check("all in")
    worst = judge.p95([*real, *load])
    meet.tell(
        f"first pictures: browsers {[round(each) for each in real]} ms, {len(load)} halls, 95 % within {worst} ms"
    )
    return {
        "halls": list(meet.screens),
        "load_halls": len(meet.seats.load),
        "guests": len(meet.seats.guests),
        "townships": len(set(meet.seats.site.values())),
        "first_frame_ms": [round(value) for value in real],
        "first_frame_load_p95_ms": _rounded(judge.p95(load)),
        "first_frame_p95_ms": _rounded(worst),
        "missing": meet.missing(),
    }


def _all_in(meet: Meeting) -> bool:
    """Everybody of the load sees a picture; who came late is let in."""
    meet.halls.admit()
    return all(meet.halls.read(lambda hall: hall.inside and not hall.dark()).values())


def _switches(meet: Meeting) -> Found:
    load = meet.seats.load
    venues = [load[0], *meet.screens, load[len(load) // 2], load[-1]]
    took = parts.switches(meet, [venue for at, venue in enumerate(venues) if venue not in venues[:at]])
    found = {"switches": len(took), "switch_p95_ms": _rounded(judge.p95(took)), "switch_max_ms": _rounded(max(took))}
    meet.tell(f"switch {found['switch_p95_ms']} ms (95 %)")
    return found


def _delays(meet: Meeting) -> Found:
    delays = parts.delays(meet)
    found = {"latency_p95_ms": _rounded(judge.p95(delays)), "latency_pictures": len(delays)}
    meet.tell(f"camera to screen {found['latency_p95_ms']} ms (95 %)")
    return found


def _ring(meet: Meeting) -> Found:
    meet.act("broadcast", venue=meet.seats.main)
    time.sleep(1)
    link = ring_link_in_use(meet.lab)
    meet.tell(f"the pictures ride {link}")
    return parts.ring_cut(meet, link, lambda: settled(meet.lab))


@contextmanager
def _browsers(lab: Lab, booked: seats.Seats) -> Iterator[dict[str, Screen]]:
    ca = Secrets(lab.places.lib / "identity").resolve("ca")
    with tempfile.TemporaryDirectory(prefix="sanwang-halls-") as folder, Browsers(Path(folder), ca) as opened:
        yield {
            code: Screen(
                opened.open_hall(
                    lab.twin.argv(booked.place[code], []),
                    seats.hall_link(lab, booked, code),
                    name=code,
                    probe=False,
                    width=_WIDTH,
                    height=_HEIGHT,
                    scripts=SCRIPTS,
                )
            )
            for code in booked.browsers
        }


def ring_link_in_use(lab: Lab, watch_s: float = 2.0) -> str:
    """The ring fibre that carries most bytes now, by its own counters."""
    ring = [link.name for link in lab.model.links.values() if link.kind is LinkKind.RING]
    before = all_bytes(lab.places, lab.model)
    time.sleep(watch_s)
    after = all_bytes(lab.places, lab.model)
    carried = {name: sum(after[name]) - sum(before[name]) for name in ring}
    busiest = max(carried, key=lambda name: carried[name])
    if carried[busiest] * 8 / watch_s < _RING_BPS_LEAST:
        raise Missing("no ring fibre carries the meeting", f"bytes in {watch_s:.0f} s: {carried}")
    return busiest


class Busy:
    """How busy this machine was meanwhile: a figure of a starved machine says little of a county."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._before = self._ticks()

    def document(self) -> dict[str, Any]:
        """Share of all cores that worked, and how long it took."""
        busy, every = (after - before for after, before in zip(self._ticks(), self._before, strict=True))
        return {
            "cores": os.cpu_count(),
            "machine_busy_percent": round(100 * busy / max(1, every)),
            "load_average": round(os.getloadavg()[0], 1),
            "seconds": round(time.monotonic() - self._began_s),
        }

    @staticmethod
    def _ticks() -> tuple[int, int]:
        """(busy, all) of ``/proc/stat``, proc(5)."""
        values = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        idle = values[3] + values[4]
        return sum(values) - idle, sum(values)


def _until(condition: Callable[[], bool], within_s: float) -> bool:
    end_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.2)
    return True


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)

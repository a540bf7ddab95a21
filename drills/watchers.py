"""``sanwang drill watchers``: what watches the county is killed and loses its database, while fibres fail.

Each round takes something away, cuts a fibre, heals it, and asks afterwards what the watchers know: the fault once,
from its opening to its end; its ticket once; both of the link's events once; nobody called twice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from collectors.desk.tables import NotificationRow, TicketRow
from collectors.faults.tables import FaultRow
from collectors.tables import EventRow
from drills.errors import Missing
from drills.lab import Lab
from inventory.alerting import MEETING
from inventory.model import LinkKind
from store.base import utc_now
from store.engine import Store, open_store
from twin import faults

Progress = Callable[[str], None]
AWAY_S = 60.0
KNOWN_S = 60.0
"""A supervisor starts a killed service within seconds; this only ends a drill that would wait for ever."""
OVER_S = 90.0
DAEMONS = ("collect", "serve", "prometheus", "alertmanager")


@dataclass(frozen=True, slots=True)
class Round:
    """One thing taken away."""

    name: str
    before: str = ""  # daemon killed just before the cut
    during: str = ""  # daemon killed while the fibre is cut
    stopped: str = ""  # daemon that does not run while the fibre is cut
    store_away_s: float = 0.0


def rounds(away_s: float) -> list[Round]:
    """Every round, in order."""
    killed = [Round(f"{daemon} killed", during=daemon) for daemon in DAEMONS]
    return [
        Round("collect killed as the fibre goes", before="collect"),
        *killed,
        Round("prometheus gone", stopped="prometheus"),
        Round("alertmanager gone", stopped="alertmanager"),
        Round("collect gone", stopped="collect"),
        Round("database gone", store_away_s=away_s),
    ]


def watchers(lab: Lab, progress: Progress, away_s: float = AWAY_S, only: Collection[str] = ()) -> dict[str, Any]:
    """Every round on the running county, or those of ``only``; everything is healed at the end."""
    url = lab.places.database
    if not url.startswith("sqlite:///"):
        raise Missing(f"the store is {url.partition(':')[0]}", "this drill takes SQLite's file away: run it on one")
    fibres = [link.name for link in lab.model.links.values() if link.kind is LinkKind.RING]
    store = open_store(url)
    rows = []
    try:
        _quiet(store)
        for number, each in enumerate(each for each in rounds(away_s) if not only or each.name in only):
            row = _round(lab, store, each, fibres[number % len(fibres)])
            progress(f"{each.name}: " + (", ".join(row["problems"]) or f"known {row['known_s']:.1f} s after the cut"))
            rows.append(row)
    finally:
        store.close()
    return {"rounds": rows, "problems": [f"{row['round']}: {words}" for row in rows for words in row["problems"]]}


def misses(found: dict[str, Any]) -> list[str]:
    """What was lost, told twice or never."""
    return list(found["problems"])


def _round(lab: Lab, store: Store, each: Round, link: str) -> dict[str, Any]:
    began = utc_now()
    if each.stopped:
        _service(lab, "down", each.stopped)
    if each.before:
        _kill(lab, each.before)
    cut = faults.cut(lab.twin, link)
    at = time.monotonic()
    try:
        with _away(lab, each.store_away_s) if each.store_away_s else contextlib.nullcontext():
            if each.during:
                time.sleep(1.0)
                _kill(lab, each.during)
            if each.stopped != "collect" and not each.before and each.during != "collect":
                _until(lambda: _known(lab, link), KNOWN_S)  # the collector needs neither of the others to know
            known = time.monotonic() - at
        if each.stopped:
            time.sleep(3.0)
            _service(lab, "up", each.stopped)
        if not _until(lambda: _known(lab, link), KNOWN_S):
            return {"round": each.name, "link": link, "known_s": None, "problems": ["the fault was never known"]}
        if each.stopped == "collect" or each.before or each.during == "collect":
            known = time.monotonic() - at
        _until(lambda: bool(_tickets(store, link, began)), KNOWN_S)
    finally:
        if each.stopped:
            _service(lab, "up", each.stopped)
        faults.heal(lab.twin, cut)
    _until(lambda: _cleared(store, link, began), OVER_S)
    _quiet(store)
    return {
        "round": each.name,
        "link": link,
        "known_s": round(known, 2),
        "problems": _problems(store, link, began),
    }


def _problems(store: Store, link: str, began: datetime) -> list[str]:
    with store.reading() as session:
        found = session.scalars(
            select(FaultRow).where(FaultRow.key == f"link:{link}", FaultRow.opened_at >= began)
        ).all()
        states = list(
            session.scalars(
                select(EventRow.state)
                .where(EventRow.kind == "link", EventRow.subject == link, EventRow.at >= began)
                .order_by(EventRow.number)
            )
        )
        of_faults = (NotificationRow.at >= began, NotificationRow.level != MEETING)
        told = list(session.scalars(select(NotificationRow.recipient).where(*of_faults)))
        texts = list(session.scalars(select(NotificationRow.zh).where(*of_faults)))
    problems = []
    if len(found) != 1:
        problems.append(f"{len(found)} faults for one cut")
    if any(row.cleared_at is None for row in found):
        problems.append("a fault that is over is still open")
    if (tickets := len(_tickets(store, link, began))) != 1:
        problems.append(f"{tickets} tickets for one cut")
    # A collector that was not there when the link changed meets it as it is: that is one event less, never one more.
    if states.count("up") > 1 or states.count("down") > 1 or "down" not in states:
        problems.append(f"events of the link: {', '.join(states) or 'none'}")
    twice = len(told) - len(set(zip(told, texts, strict=True)))
    if twice:
        problems.append(f"{twice} messages told twice")
    return problems


def _known(lab: Lab, link: str) -> bool:
    with contextlib.suppress(Missing):
        return any(fault["key"] == f"link:{link}" for fault in lab.collected("/faults", 2.0)["faults"])
    return False


def _cleared(store: Store, link: str, began: datetime) -> bool:
    query = select(FaultRow.cleared_at).where(FaultRow.key == f"link:{link}", FaultRow.opened_at >= began)
    with store.reading() as session:
        ends = session.scalars(query).all()
    return bool(ends) and None not in ends


def _tickets(store: Store, link: str, began: datetime) -> list[int]:
    with store.reading() as session:
        query = (
            select(TicketRow.id)
            .join(FaultRow, TicketRow.fault == FaultRow.id)
            .where(FaultRow.key == f"link:{link}", FaultRow.opened_at >= began)
        )
        return list(session.scalars(query))


def _quiet(store: Store) -> None:
    def none_open() -> bool:
        with store.reading() as session:
            return session.scalars(select(FaultRow.id).where(FaultRow.cleared_at.is_(None)).limit(1)).first() is None

    if not _until(none_open, OVER_S):
        raise Missing("faults are open that this drill did not make", "look at: sanwang alert list; heal them first")


def _until(happened: Callable[[], bool], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.1)
    return False


def _service(lab: Lab, do: str, daemon: str) -> None:
    lab.twin.run(lab.model.nms, ["sv", do, f"/etc/sanwang/sv/{daemon}"])


def _kill(lab: Lab, daemon: str) -> None:
    """SIGKILL, as the kernel does when memory is short: no service may tidy up."""
    text = lab.twin.run(lab.model.nms, ["cat", f"/etc/sanwang/sv/{daemon}/supervise/pid"]).stdout.strip()
    lab.twin.run(lab.model.nms, ["kill", f"-{signal.SIGKILL.value}", text])


@contextmanager
def _away(lab: Lab, seconds: float) -> Iterator[None]:
    """Nobody can write the store until the block has ended and so much time is over."""
    path = Path(lab.places.database.removeprefix("sqlite:///"))
    end = time.monotonic() + seconds
    with contextlib.closing(sqlite3.connect(os.fspath(path), timeout=30, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        try:
            yield
            time.sleep(max(0.0, end - time.monotonic()))
        finally:
            lock.execute("ROLLBACK")

"""Halls join and leave every second, for MINUTES, against a real relay and signalling on loopback: does anything leak?

make soak                            30 minutes; JSON as the last line, exit code 1 when something leaks
make soak MINUTES=4

The signalling keeps spent tokens for two minutes and caches fill at first, so slopes are taken from the second half
(at most the first 5 minutes are left out).  A slope is the median of the slopes between all pairs of samples
(Theil, Sen): single steps of the allocator do not bend it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from bench.soak_centre import Ground, held
from vconf.load import clip
from vconf.load.crowd import Crowd

EVERY_S = 1.0
_SAMPLE_S = 5.0
_WARM_S = 300.0
_LAST_S, _QUIET_S = 3.0, 15.0
_KIB_A_JOIN, _OBJECTS_A_JOIN, _FILES_A_JOIN = 8.0, 3.0, 0.01
"""What a join may leave behind: the store's connections cache pages (10 MiB at most, as the attendance grows).
Python's own are seen among the objects, however small."""

Document = dict[str, Any]


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Median slope of all pairs (Theil, Sen); 0 for less than two samples.

    >>> slope([(0, 1), (1, 3), (2, 500), (3, 7)])
    2.0
    """
    found = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(samples, 2) if b[0] != a[0]]
    return float(median(found)) if found else 0.0


def leaks(made: Document) -> list[str]:
    """What grew, in words."""
    found = []
    for side in ("centre", "halls"):
        one = made[side]
        for name, bound in (
            ("memory_kib_a_join", _KIB_A_JOIN),
            ("objects_a_join", _OBJECTS_A_JOIN),
            ("files_a_join", _FILES_A_JOIN),
        ):
            if one[name] > bound:
                found.append(f"{side}: {name} {one[name]}, at most {bound}")
        if one["leaked_tasks"]:
            found.append(f"{side}: tasks left behind: {one['leaked_tasks']}")
        if one["leaked_files"] > 0:
            found.append(f"{side}: {one['leaked_files']} files left open")
    return found


class Soak:
    """One run."""

    def __init__(self, folder: Path, minutes: float, population: int) -> None:
        self._ground = Ground(folder)
        self._minutes = minutes
        self._population = population
        self._samples: dict[str, list[Document]] = {"centre": [], "halls": []}
        self._joins: list[int] = []

    async def run(self) -> Document:
        """Bring the centre up, let halls come and go, and judge."""
        codes = sorted(self._ground.model.halls)[: 2 * self._population]
        meeting = self._ground.book(codes, self._minutes + 30)
        self._centre = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.soak_centre", str(self._ground.folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._centre.stdin is not None
        try:
            port = (await self._line())["port"]
            crowd = Crowd(self._ground.way(port, meeting), clip.make())
            await self._first_round(crowd, codes[: self._population])
            totals = await self._come_and_go(crowd, codes)
            await self._settle(crowd)
        finally:
            self._centre.stdin.close()
            await self._centre.wait()
        return self._document(totals)

    async def _first_round(self, crowd: Crowd, codes: list[str]) -> None:
        """What is made once and kept (the store's connections, caches) is there before anything is counted."""
        for code in codes:
            crowd.join(code)
        await asyncio.sleep(_LAST_S)
        await crowd.leave(codes)
        await asyncio.sleep(_LAST_S)
        await self._sample(crowd)

    async def _come_and_go(self, crowd: Crowd, codes: list[str]) -> Document:
        began_s = time.monotonic()
        sampled_s, number = began_s, 0
        before = crowd.figures()["joins"] - crowd.figures()["first_keyframe_ms"]["count"]
        inside: list[str] = []
        while time.monotonic() - began_s < 60 * self._minutes:
            if len(inside) >= self._population:
                await crowd.leave([inside.pop(0)])
            code = codes[number % len(codes)]
            number += 1
            inside.append(code)
            crowd.join(code)
            await asyncio.sleep(max(0.0, began_s + number * EVERY_S - time.monotonic()))
            if len(inside) == self._population and time.monotonic() - sampled_s >= _SAMPLE_S:
                sampled_s = time.monotonic()
                await self._sample(crowd, number)
        await asyncio.sleep(_LAST_S)
        totals = crowd.now()
        await crowd.leave(inside)
        figures = crowd.figures()
        unseen = figures["joins"] - figures["first_keyframe_ms"]["count"] - before
        return totals | figures | {"without_picture": unseen}

    async def _settle(self, crowd: Crowd) -> None:
        """Everybody has left: what is there now was not cleared away, if it stays so."""
        before = sum(self._samples["centre"][0]["tasks"].values())
        deadline_s = time.monotonic() + _QUIET_S
        while True:
            await asyncio.sleep(1)
            await self._sample(crowd)
            gone = sum(self._samples["centre"][-1]["tasks"].values()) <= before
            if gone or time.monotonic() > deadline_s:
                return

    async def _sample(self, crowd: Crowd, joins: int = 0) -> None:
        self._centre.stdin.write(b"\n")  # type: ignore[union-attr]
        self._samples["centre"].append(await self._line())
        self._samples["halls"].append(held())
        self._joins.append(joins)
        if joins % 60 < _SAMPLE_S:
            print(f"{joins} joins: {_words(self._samples['centre'][-1])}", file=sys.stderr, flush=True)

    async def _line(self) -> Document:
        assert self._centre.stdout is not None
        text = await self._centre.stdout.readline()
        if not text:
            raise RuntimeError("the centre ended: its own message is above")
        found: Document = json.loads(text)
        return found

    def _document(self, totals: Document) -> Document:
        made: Document = {"minutes": self._minutes, **totals}
        warm = min(_WARM_S, 30 * self._minutes) / EVERY_S
        for side, samples in self._samples.items():
            first, last = samples[0], samples[-1]
            late = [(joins, each) for joins, each in zip(self._joins, samples, strict=True) if joins >= warm]
            left = {name: count - first["tasks"].get(name, 0) for name, count in last["tasks"].items()}
            made[side] = {
                name + "_a_join": round(slope([(joins, each[name]) for joins, each in late]), 3)
                for name in ("memory_kib", "malloc_kib", "sqlite_kib", "objects", "blocks", "files")
            } | {
                "samples": len(late),
                "memory_kib": [each["memory_kib"] for _, each in late[:: max(1, len(late) // 12)]],
                "leaked_tasks": {name: count for name, count in left.items() if count > 0},
                "leaked_files": last["files"] - first["files"],
            }
        made["leaks"] = leaks(made)
        return made


def _words(sample: Document) -> str:
    tasks = sum(sample["tasks"].values())
    return f"{sample['memory_kib'] // 1024} MiB, {sample['files']} files, {sample['objects']} objects, {tasks} tasks"


def main(argv: list[str] | None = None) -> int:
    """0 when nothing leaks and every hall saw a picture, 1 when not."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description="Do meetings leak?", epilog="example: make soak MINUTES=4"
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--halls", type=int, default=8, help="that are there at the same time")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="sanwang-soak-") as folder:
        made = asyncio.run(Soak(Path(folder), options.minutes, options.halls).run())
    print(json.dumps(made))
    good = not (made["leaks"] or made["without_picture"] or made["refusals"] or made["interruptions"])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""A township loses its county and finds it again: real processes, a real line, load halls with DTLS-SRTP."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.audit import AuditEntry, verify_chain
from tests.vconf.tier_county import OURS
from tests.vconf.tier_lab import TierLab
from vconf import attendance, links
from vconf.chair.oracle import Oracle, wrong
from vconf.load import clip
from vconf.load.crowd import Crowd
from vconf.load.hall import Hall

pytestmark = pytest.mark.twin
TOLD_S = 3.0
"""A node that has just started knows its meetings after this."""

HALLS = ("t01", "t02", "t03")


async def until(true: Callable[[], Any], seconds: float, what: str) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, what
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def sees(hall: Hall, *others: str) -> bool:
    """It is in, and has a picture of exactly these."""
    return hall.inside and set(hall.wanted().values()) == set(others) and not hall.dark()


def right(oracle: Oracle, *halls: Hall) -> dict[str, Any]:
    """Where a hall was told anything that is not so; empty when all is well."""
    return {hall.code: found for hall in halls if (found := wrong(oracle, hall.code, hall.conference))}


async def act(hall: Hall, action: str, **args: Any) -> None:
    await hall._channel.request("act", action=action, **args)


def test_a_township_cut_off_goes_on_alone_and_merges_by_itself(tmp_path: Path) -> None:
    figures: dict[str, Any] = {}

    async def meet(lab: TierLab) -> None:
        meeting = lab.book(*HALLS, main="t03", chair="t03")
        crowd = Crowd(lab.way(meeting), clip.make())
        oracle = Oracle(HALLS, main="t03", owner="t03")
        try:
            first, second, main = (crowd.join(code) for code in HALLS)
            await until(
                lambda: sees(first, "t02", "t03") and sees(second, "t01", "t03") and sees(main, "t01", "t02"),
                60,
                "all three see each other, through the node and over two relays",
            )
            for hall in HALLS:
                oracle.did("system", "arrive", {"venue": hall}, 0.0)
            await act(main, "broadcast", venue="t03")
            await act(main, "banner", text="before")
            oracle.did("t03", "broadcast", {"venue": "t03"}, 1.0)
            oracle.did("t03", "banner", {"text": "before"}, 1.0)
            await until(lambda: sees(first, "t03") and not right(oracle, first, second, main), 10, "the broadcast")
            assert first.conference["alone"] is False
            link = links.link_token(lab.tokens, meeting, "t01", datetime.now(UTC))
            status, told_there = await asyncio.to_thread(lab.post, "/meet/link", link=link)
            assert (status, told_there["hall"]["zh"], told_there["also"]) == (200, "青松镇会场", ["https://10.98.0.1"])
            assert (await asyncio.to_thread(lab.post, "/meet/link", link="forged"))[0] == 401, "the county's word"

            alone = Oracle(HALLS, main="t03", owner="t03")
            for hall in HALLS:
                alone.did("system", "arrive", {"venue": hall}, 0.0)
            alone.did("t03", "broadcast", {"venue": "t03"}, 1.0)
            alone.did("t03", "banner", {"text": "before"}, 1.0)
            await asyncio.sleep(TOLD_S)
            with lab.cut():
                figures["alone_s"] = await until(
                    lambda: (
                        first.conference.get("alone")
                        and second.conference.get("alone")
                        and sees(first, "t02")
                        and sees(second, "t01")
                    ),
                    20,
                    "the two see each other again",
                )
                alone.alone(OURS, 2.0)
                for hall in OURS:
                    alone.did("system", "arrive", {"venue": hall}, 2.0)
                assert right(alone, first, second) == {}
                status, told_there = await asyncio.to_thread(lab.post, "/meet/link", link=link)
                assert (status, told_there["hall"]["zh"], bool(told_there["join"])) == (200, "t01", True)
                assert first.conference["you"]["role"] == "chair", "a deputy at once"
                await act(first, "banner", text="alone")
                await act(second, "signIn", heads=7, name="李")
                alone.did("t01", "banner", {"text": "alone"}, 3.0)
                alone.did("t02", "signIn", {"heads": 7}, 3.0)
                await until(lambda: not right(alone, first, second), 5, "the deputy's word")
                # the county goes on too: it has lost two venues, and its chair is where it was
                await until(lambda: main.conference["present"] == 1, 30, "the county sees that they are gone")
                for hall in OURS:
                    oracle.did("system", "depart", {"who": hall}, 4.0)
                await act(main, "banner", text="county")
                oracle.did("t03", "banner", {"text": "county"}, 5.0)
                await until(lambda: not right(oracle, main), 5, "the county's own view")
                figures["node_kib"] = lab.memory_kib("node")
            figures["merge_s"] = await until(
                lambda: sees(first, "t03") and sees(second, "t03") and sees(main, "t01", "t02"),
                30,
                "all three see each other again",
            )
            for hall in OURS:
                oracle.did("system", "arrive", {"venue": hall}, 6.0)
            oracle.did("t02", "signIn", {"heads": 7}, 6.0)
            await until(
                lambda: not right(oracle, first, second, main), 5, "the county's chair wins, the sign-in counts"
            )
            assert first.conference["alone"] is False
            assert first.conference["epoch"] == main.conference["epoch"] >= 2
        finally:
            await crowd.leave(list(HALLS))
        store = lab.store()
        with store.reading() as session:
            lines = [(e.who, e.what, e.why, json.loads(e.detail)) for e in session.query(AuditEntry)]
            sheet = {line.hall: line for line in attendance.sheet(session, meeting, meeting.end_at)}
            assert verify_chain(session).ok
        store.close()
        told = [(who, what) for who, what, why, _ in lines if why == "t01 was alone"]
        assert ("node:t01", "meeting.alone") in told
        assert ("hall:t01", "meeting.banner") in told
        assert ("hall:t02", "meeting.signIn") in told
        assert told[-1] == ("node:t01", "meeting.merge")
        assert sheet["t02"].heads == 7
        assert sheet["t02"].stays >= 3, "in the county, alone, in the county again"

    with TierLab(tmp_path) as lab:
        asyncio.run(meet(lab))
    print(figures)
    assert figures["alone_s"] < 10, figures  # 2 and 4 on a quiet machine: sanwang drill meeting measures
    assert figures["merge_s"] < 15, figures
    assert figures["node_kib"] < 70_000, figures


def test_a_node_that_dies_alone_forgets_nothing(tmp_path: Path) -> None:
    async def meet(lab: TierLab) -> None:
        meeting = lab.book(*HALLS, main="t03", chair="t03")
        crowd = Crowd(lab.way(meeting), clip.make())
        try:
            first, second = crowd.join("t01"), crowd.join("t02")
            await until(lambda: sees(first, "t02") and sees(second, "t01"), 60, "the township's two")
            await asyncio.sleep(TOLD_S)
            with lab.cut():
                await until(lambda: first.conference.get("alone"), 12, "alone")
                await act(first, "banner", text="kept")
                lab.stop("node", signal.SIGKILL)
                lab.start("node")
                await until(lambda: not first.inside, 10, "its socket is gone")
                await until(lambda: sees(first, "t02") and sees(second, "t01"), 20, "alone again")
                assert first.conference["banner"]["text"] == "kept"
            await until(lambda: first.inside and not first.conference["alone"], 20, "merged")
            await until(lambda: first.conference["banner"] is not None, 5, "nobody was in the county: it counts")
            assert first.conference["banner"]["text"] == "kept"
        finally:
            await crowd.leave(["t01", "t02"])

    with TierLab(tmp_path) as lab:
        asyncio.run(meet(lab))

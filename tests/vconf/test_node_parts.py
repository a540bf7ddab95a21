"""A node's parts: when a parent is lost and back, what outlives a restart, what its files may say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.vconf.nodes import TestClient, World, some_account
from tests.vconf.test_signalling import relay
from vconf import links
from vconf.bus.local import Exchange, LocalBus
from vconf.cascade import Cascade
from vconf.node import child, handed, settings
from vconf.node.child import BUSY_S, LOST_S, STABLE_S, Child
from vconf.node.node import Node
from vconf.node.parent import BEAT_S


def test_a_parent_is_lost_after_three_heartbeats_and_back_when_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 3 * BEAT_S < LOST_S < 2
    clock = [100.0]

    async def body() -> None:
        exchange = Exchange()
        parent, bus = LocalBus(exchange), LocalBus(exchange)
        monkeypatch.setattr(child, "LOOK_S", 0.001)
        opens = [False]

        async def knock() -> bool:
            return opens[0]

        heard = Child(bus, "t01", "shili", None, knock, lambda: clock[0])
        await heard.start()

        async def beat(seconds: float, *, alive: bool = True) -> None:
            for _ in range(round(seconds / 0.1)):
                clock[0] += 0.1
                if alive:
                    parent.publish("tier.shili.t01.beat", b"{}")
                await asyncio.sleep(0.005)

        await beat(STABLE_S - 0.3)
        seen = [heard.up]
        await beat(0.6)
        seen.append(heard.up)
        assert seen == [None, True]
        await beat(LOST_S - 0.3, alive=False)
        await beat(0.2)  # a moment's silence is none
        heard.alive()
        await beat(LOST_S - 0.2, alive=False)
        heard.alive()  # nothing on the bus, but a page's connection speaks
        await beat(LOST_S - 0.2, alive=False)
        seen.append(heard.up)
        await beat(0.5, alive=False)
        seen.append(heard.up)
        heard.alive()  # from a connection that is being closed
        await beat(STABLE_S - 0.4)
        await beat(LOST_S + 0.2, alive=False)
        await beat(STABLE_S - 0.4)
        seen.append(heard.up)  # it comes and goes: not yet
        await beat(0.6)
        seen.append(heard.up)
        opens[0] = True
        await beat(LOST_S + 1, alive=False)
        seen.append(heard.up)  # a machine that is merely busy
        opens[0] = False
        await beat(LOST_S + 0.3, alive=False)
        seen.append(heard.up)
        await beat(STABLE_S + 0.3)
        opens[0] = True
        await beat(BUSY_S + 0.3, alive=False)
        seen.append(heard.up)  # somebody answers the door, and nobody speaks
        assert seen == [None, True, True, False, False, True, True, False, False]
        await heard.close()

    asyncio.run(body())


def test_what_was_heard_and_done_is_there_after_a_restart(tmp_path: Path) -> None:
    with relay(tmp_path / "relay.sock"):
        first = World(tmp_path)
        meeting = first.book("t01", "t02")
        app = Starlette(routes=[Mount("/", first.node.application())], lifespan=first.lifespan)
        with TestClient(app) as first.client:
            first.wait(lambda: meeting.id in first.node.child.meetings)
            first.bus.cut = True
            first.wait(lambda: first.node.alone)
            with first.page(links.join_token(first.tokens, links.Seat("t01", meeting.id))) as (page, _):
                page.ask("act", action="banner", text="kept")
        assert (tmp_path / "node" / "alone.json").stat().st_mode & 0o777 == 0o600
        second = Node(first.settings, first.bus, lambda: Cascade({}))
        found = second._notes.handed(time.time())[0]
        assert (found.meeting, found.account.state.deputies) == (meeting.id, ("t01", "t02"))
        assert found.account.state.banner is not None
        assert {act.action for act in found.acts} == {"alone", "chairPasses", "join", "banner", "leave"}
        assert all(stay.left is not None for stay in found.account.stays)
        first.store.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"listen": "nowhere"}, "listen: found 'nowhere', expected ADDRESS:PORT"),
        ({"county": []}, "county: found none"),
        ({"halls": {"t01": {"zh": "a"}}}, "halls: 'en' is missing"),
        ({"parent": None}, "parent: found None, expected a text"),
        ({"certificate": None}, "certificate, key, ca"),
    ],
)
def test_a_bad_file_is_told_by_its_key(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    good = {
        "name": "t01",
        "parent": "shili",
        "listen": "127.0.0.1:443",
        "county": [{"name": "n", "address": "10.0.0.1:9830"}],
        "county_names": {},
        "bus": {"server": "tls://127.0.0.1:4222", "name": "n"},
        "relay": {"name": "r", "control": "10.0.0.2:9820"},
        "token_key": "k",
        "pages": "p",
        "halls": {},
        **dict.fromkeys(("certificate", "key", "ca"), "c"),
    }
    path = tmp_path / "node.json"
    path.write_text(json.dumps(good))
    assert settings.read(path).relay == ("r", "10.0.0.2", 9820)
    path.write_text(json.dumps(good | change))
    with pytest.raises(settings.Wrong) as wrong:
        settings.read(path)
    assert str(path) in str(wrong.value)
    assert said in str(wrong.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["serial", "tier", "meeting", "began", "account", "acts", "x"]), JSON))
def test_whatever_is_handed_over_is_read_or_refused(found: dict[str, Any]) -> None:
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        handed.read(found)
    whole = handed.written(some_account(7))
    assert handed.written(handed.read(json.loads(json.dumps(whole)))) == json.loads(json.dumps(whole))
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        handed.read(whole | found)

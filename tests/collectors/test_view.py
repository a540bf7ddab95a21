"""The wire between agent and collector: whatever happens on the way, the collector's copy becomes the agent's state."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.agent.state import SECTIONS, AgentState, Change
from collectors.county import County
from collectors.faults.watch import Watch
from collectors.metrics import Exposition, FastMetrics, SlowMetrics
from collectors.view import AgentView, BadLine, parse_line

from .county import all_well, change


@cache
def shared_county() -> County:
    """One county for all examples: every one of them adds its nonsense."""
    county = all_well()
    for view in county.views.values():
        view.heard_at = time.monotonic() + 600
    return county


keys = st.sampled_from(["a", "b", "c"])
values = st.none() | st.dictionaries(st.sampled_from(["up", "vrf"]), st.booleans() | st.text(max_size=3), max_size=2)
changes = st.lists(st.tuples(st.sampled_from(SECTIONS[:3]), keys, values), max_size=30)


@given(changes, st.integers(0, 30))
def test_the_copy_equals_the_original(steps: list[Change], resync_at: int) -> None:
    state, view = AgentState(), AgentView("c1-core")
    wire: list[bytes] = []
    state.listen(
        lambda change: wire.append(json.dumps(dict(zip(("section", "key", "value"), change, strict=True))).encode())
    )
    for number, (section, key, value) in enumerate(steps):
        before = json.dumps(state.sections)
        moved = state.put(section, key, value)
        assert moved == (json.dumps(state.sections) != before)
        if number == resync_at:
            wire.clear()  # the agent's queue overflowed: the whole state goes instead
            view.apply(parse_line(json.dumps({"type": "state", "state": state.sections}).encode()), 0.0)
        while wire:
            view.apply({"type": "change", **parse_line(wire.pop(0))}, 0.0)
    assert view.sections == state.sections


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(max_size=3), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_a_line_is_an_object_or_refused(data: bytes) -> None:
    try:
        line = parse_line(data)
    except BadLine:
        return
    assert isinstance(line, dict)


lines = st.dictionaries(
    st.sampled_from(["type", "section", "key", "value", "state", "dropped"]),
    st.sampled_from(["state", "change", "beat", "ports", "x", None, 5, [], {}, {"ports": {"p1": 5}}, {"ports": []}]),
)


@given(lines)
def test_a_broken_line_is_refused_and_changes_nothing(line: dict[str, Any]) -> None:
    view = AgentView("c1-core")
    view.apply({"type": "change", "section": "ports", "key": "p1", "value": {"up": True}}, 0.0)
    before = json.dumps(view.sections)
    try:
        view.apply(line, 1.0)
    except BadLine:
        assert json.dumps(view.sections) == before


@settings(max_examples=max(20, settings.default.max_examples // 10))  # each one judges the whole county
@given(
    st.sampled_from(SECTIONS),
    st.sampled_from(
        ["p1", "/172.20.0.3", "/p1/172.16.0.2", "ospfd", "c1-core-t01-rt", "wg0/x", "bfdd", "link:ring-c1-c2", "t01-rt"]
    ),
    st.dictionaries(
        st.sampled_from(
            [
                "up",
                "full",
                "since",
                "state",
                "ok",
                "sent",
                "lost",
                "loss_ratio",
                "allowed",
                "remote",
                "vrf",
                "stopped",
                "from",
            ]
        ),
        st.sampled_from([True, None, 5, -1.5, "text", [], ["10.0.0.0/8", 7], {"x": []}]),
    ),
)
def test_an_agent_that_talks_nonsense_breaks_only_its_own_picture(
    section: str, key: str, value: dict[str, Any]
) -> None:
    county = shared_county()
    watch = Watch(county)
    exposition = Exposition(FastMetrics(county, watch.broken), (SlowMetrics(county, list),))
    for host in ("c1-core", "c1-vpn"):
        change(county, host, section, key, value)
        county.evaluate()
        watch.step(time.monotonic(), time.time())
        assert county.links["ring-c2-c3"].state == "up"
    assert exposition.page("").endswith(b"\n")
    assert county.status_document()["hosts"]["ok"] > 100


def test_unknown_type_is_refused() -> None:
    with pytest.raises(BadLine, match="type 'goodbye'"):
        AgentView("c1-core").apply({"type": "goodbye"}, 0.0)

"""Vendors' switches through the broker's methods: the same as for Linux boxes, on all five platforms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.provision import switches
from tests.provision.switches import SITES, Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path / "bench")
    switches.patch(monkeypatch, made)
    yield made
    made.close()


@pytest.mark.parametrize("platform", SITES)
async def test_from_the_factory_to_the_model(bench: Bench, platform: str) -> None:
    host = bench.power(platform)
    broker = bench.broker()
    assert (await broker.ask("enrol", host))["changed"]
    assert not (await broker.ask("enrol", host))["changed"], "enrolled already"
    assert (await broker.ask("in_band", host, wait_s=5))["in_band"]
    before = await broker.ask("diff", host)
    assert before["changed"]
    assert before["commands"]
    applied = await broker.ask("apply", host)
    assert applied["changed"]
    assert applied["commands"] == before["commands"]
    after = await broker.ask("diff", host)
    assert (after["changed"], after["commands"], after["diff"]) == (False, [], [])
    assert not (await broker.ask("apply", host))["changed"]
    state = await broker.ask("state", host)
    assert state["pending"] is None
    bench.cut(host)
    bench.power(platform)
    assert await broker.ask("state", host) == state, "everything was saved"

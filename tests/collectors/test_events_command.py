"""``sanwang events``: what a person reads and a program reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from collectors import seals
from collectors.tables import EventRow
from sanwang.main import main
from store.base import utc_now
from store.engine import Store, open_store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/store.db"
    monkeypatch.setenv("SANWANG_DATABASE", url)
    opened = open_store(url)
    now = utc_now()
    with opened.session() as session:
        for number, (kind, subject, state) in enumerate(
            [("link", "ring-c1-c2", "down"), ("syslog", "b01-sw", "fan failed"), ("service", "c1-core/ospfd", "finish")]
        ):
            at = now - timedelta(hours=3 - number)
            detail = {"repeated": 39} if kind == "syslog" else {}
            session.add(EventRow(number=number + 1, at=at, kind=kind, subject=subject, state=state, detail=detail))
    yield opened
    opened.close()


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_search(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "search", "--since", "150m"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "fan failed  (and 39 more)" in printed[0]
    assert "c1-core/ospfd" in printed[1]
    assert main(["events", "search", "--subject", "c1-core", "--json"]) == 0
    document = last_line(capsys)
    assert [row["state"] for row in document["events"]] == ["finish"]  # type: ignore[attr-defined]
    assert main(["events", "search", "--since", "yesterday"]) == 2
    assert "expected 30s, 15m" in capsys.readouterr().err


def test_verify(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with store.session() as session:
        seals.seal(session)
    assert main(["events", "verify", "--json"]) == 0
    document = last_line(capsys)
    assert (document["ok"], document["sealed"], document["unsealed"]) == (True, 3, 0)
    with store.session() as session:
        session.get_one(EventRow, 2).state = "all is well"
    assert main(["events", "verify"]) == 1
    assert "not what was sealed" in capsys.readouterr().out

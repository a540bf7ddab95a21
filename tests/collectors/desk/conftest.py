"""A desk with a clock that the test moves, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.desk.service import DeskService
from collectors.desk.steps import Desk
from collectors.events import Events
from collectors.faults.tables import FaultRow
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.workdays import CHINA
from store.engine import Store


class Clock:
    """Wall and monotonic time; ``step`` moves the wall clock alone, as a wrong time server does."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 18, 10, 0, tzinfo=CHINA).astimezone(UTC)  # a Wednesday
        self.monotonic = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic_s(self) -> float:
        return self.monotonic

    def go(self, **time: float) -> None:
        self.wall += timedelta(**time)
        self.monotonic += timedelta(**time).total_seconds()

    def step(self, **time: float) -> None:
        self.wall += timedelta(**time)


@pytest.fixture(scope="session")
def model() -> NetworkModel:
    """The small county, where every fault has a ticket at once."""
    found = load_model("xiao")
    assert found.supervision is not None
    classes = {name: replace(each, lasting_s=0) for name, each in found.supervision.classes.items()}
    return replace(found, supervision=replace(found.supervision, classes=classes))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(model: NetworkModel, clock: Clock) -> Desk:
    assert model.supervision is not None
    return Desk(model, model.supervision, clock.now)


@pytest.fixture
def service(desk: Desk, store: Store, clock: Clock) -> Callable[..., DeskService]:
    """Makes services: one more is what a restart, or a second process, is."""

    def make(**more: Any) -> DeskService:
        return DeskService(
            desk.model, desk.rules, store, Events(), now=clock.now, monotonic_s=clock.monotonic_s, **more
        )

    return make


@pytest.fixture
def fault(store: Store, clock: Clock) -> Callable[..., int]:
    """Writes a fault as the collector does."""
    numbers = iter(range(1, 1000))

    def write(**fields: Any) -> int:
        number = next(numbers)
        row: dict[str, Any] = {
            "id": number, "key": "link:t01-c1", "kind": "link-down", "subject": "t01-c1", "site": "t01",
            "severity": "critical", "opened_at": clock.now(), "cleared_at": None, "detail": {},
            "impact": {"sites_cut": ["t01", "s001"], "sites_unprotected": [], "networks_cut": [], "services": []},
        }  # fmt: skip
        with store.session() as session:
            session.add(FaultRow(**{**row, **fields}))
        return number

    return write

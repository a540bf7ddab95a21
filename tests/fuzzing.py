"""``make fuzz``: every property test searches for its share of a bounded time, and the figures are printed.

A plugin of pytest (``-p tests.fuzzing``). A property is run again and again with fresh random examples until its share
of ``--fuzz-minutes`` is used, each run as long as the rest allows; making its fixtures comes on top.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

FIRST = 10
"""Examples of a property's first run, from which the next one's number follows."""

LARGEST = 20_000

_minutes = 0.0
_properties = 0
_examples: dict[str, int] = {}
_failed: list[str] = []
_began_s = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The knob of `make fuzz`."""
    parser.addoption("--fuzz-minutes", type=float, default=15.0, help="time that all properties share")


def pytest_configure(config: pytest.Config) -> None:
    """Remember the time."""
    global _minutes
    _minutes = config.getoption("--fuzz-minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Properties alone; those that bring up hosts are left to `make test`."""
    global _properties
    wanted = [
        item
        for item in items
        if is_hypothesis_test(getattr(item, "obj", None)) and item.get_closest_marker("twin") is None
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted
    _properties = len(wanted)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """The property's own run with few examples, then more of them until its share is used."""
    test: Any = getattr(item, "obj", None)
    inner = test.hypothesis.inner_test
    counted = _counted(item.nodeid, inner)
    asked: settings = test._hypothesis_internal_use_settings
    end_s = time.monotonic() + _minutes * 60 / max(_properties, 1)
    number = FIRST
    try:
        while True:
            began_s = time.monotonic()
            test.hypothesis.inner_test = counted
            test._hypothesis_internal_use_settings = settings(
                asked, max_examples=number, deadline=None, print_blob=True, suppress_health_check=[*HealthCheck]
            )
            if number == FIRST and item.nodeid not in _seen:
                _seen.add(item.nodeid)
                yield
            else:
                item.runtest()
            took_s = max(time.monotonic() - began_s, 1e-3)
            left_s = end_s - time.monotonic()
            if left_s < took_s * FIRST / number:
                return
            number = max(FIRST, min(LARGEST, int(number * left_s / took_s * 0.8)))
    except BaseException:
        _failed.append(item.nodeid)
        raise
    finally:
        test.hypothesis.inner_test = inner
        test._hypothesis_internal_use_settings = asked


_seen: set[str] = set()


def _counted(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        _examples[name] = _examples.get(name, 0) + 1
        return inner(*args, **kwargs)

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures: how much was searched, and where least."""
    if not _examples:
        return
    fewest = sorted(_examples.items(), key=lambda item: item[1])[:5]
    total, seconds = sum(_examples.values()), time.monotonic() - _began_s
    terminalreporter.write_sep("=", "fuzz")
    terminalreporter.write_line(
        f"{len(_examples)} properties, {total} examples, {len(_failed)} failed, {seconds:.0f} s"
        f" (asked for {_minutes:g} minutes)"
    )
    for name, count in fewest:
        terminalreporter.write_line(f"  fewest: {count:>7}  {name}")

"""Whatever is written, the county's reader answers with a model or with CountyErrors: never with a stack trace."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from inventory.errors import CountyErrors, Report
from inventory.expand import expand
from inventory.load import Source, find, load_model, read, validate
from inventory.model import NetworkModel
from inventory.places import COUNTIES

SOURCE = read(find("xiao"))
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted((COUNTIES / "xiao").glob("*.yml"))}


def leaves(value: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every value in the tree, containers included."""
    found = [way] if way else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += leaves(item, (*way, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += leaves(item, (*way, index))
    return found


WAYS = leaves(SOURCE.data)
CODES = st.sampled_from(
    ["c1", "c2", "c3", "t01", "b01", "s001", "v01", "n1", "city", "gov", "edu", "tv", "mgmt", "audit"]
)
VALUES = st.one_of(
    CODES,
    st.lists(CODES, max_size=4),
    st.integers(-5, 5000),
    st.floats(allow_nan=True),
    st.text(max_size=12),
    st.sampled_from(
        ["service:meet", "gov:*", "tv:units", "internet tcp/1-", "vpn udp/51820", "gov:halls tcp/80-70", "city"]
    ),
    st.none(),
    st.booleans(),
    st.just({}),
    st.just([]),
)


def good_or_told(action: Callable[[], NetworkModel]) -> None:
    """A model with hosts, or problems that say what was found, what was expected and what to do."""
    try:
        problems, hosts = None, action().hosts
    except CountyErrors as wrong:
        problems, hosts = wrong.problems, {}
    if problems is None:
        assert hosts
    else:
        assert problems
        assert all(problem.found and problem.expected and problem.advice for problem in problems)


@given(st.lists(st.tuples(st.sampled_from(WAYS), st.one_of(VALUES, st.just("DELETE"))), min_size=1, max_size=3))
def test_changed_values(changes: list[tuple[tuple[str | int, ...], Any]]) -> None:
    data = copy.deepcopy(SOURCE.data)
    for way, value in changes:
        place: Any = data
        try:
            for step in way[:-1]:
                place = place[step]
            if value == "DELETE":
                del place[way[-1]]
            else:
                place[way[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that branch away
    report = Report(SOURCE.places, SOURCE.root)
    good_or_told(lambda: expand(validate(Source(data, SOURCE.places, SOURCE.root), report), report))


@given(st.sampled_from(sorted(TEXTS)), st.integers(0, 4000), st.integers(0, 30), st.text(max_size=6))
@example("sites.yml", 0, 0, "\t")
@example("sites.yml", 0, 0, "&a [*a]\n")
@example("county.yml", 0, 4000, "- a\n- b\n")
@example("county.yml", 0, 0, "--- 1\n--- 2\n")
def test_changed_text(name: str, start: int, length: int, text: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        for other, whole in TEXTS.items():
            edited = whole[:start] + text + whole[start + length :] if other == name else whole
            Path(place, other).write_text(edited, encoding="utf-8", errors="replace")
        good_or_told(lambda: load_model(place))

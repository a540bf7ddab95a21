"""Named series: bounded windows, and no way to smuggle a question in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.series import MAX_POINTS, MAX_RANGE_S, SERIES, BadQuestion, expression, lines, window
from inventory.load import load_model

MODEL = load_model("shili")


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_what_the_page_sends_never_reaches_the_expression(name: str, site: str, link: str) -> None:
    try:
        asked = expression(MODEL, name, site, link)
    except BadQuestion:
        return
    assert name in SERIES
    assert site in MODEL.sites or link in MODEL.links or "{" not in asked


@pytest.mark.parametrize("name", sorted(SERIES))
def test_every_series_is_filled_completely(name: str) -> None:
    asked = expression(MODEL, name, "t01", "t01-c1")
    assert not re.search(r"\{(hosts|link)\}", asked)
    assert "t01" in asked


@given(
    st.floats(0, 4e9),
    st.floats(min_value=1e-3, max_value=MAX_RANGE_S),
    st.one_of(st.none(), st.floats(min_value=1e-6, max_value=1e6)),
)
def test_a_window_is_bounded(now: float, range_s: float, step_s: float | None) -> None:
    start, end, step = window(now, range_s, step_s)
    assert (end - start) / step <= MAX_POINTS * 1.01
    assert end <= now + 1e-3
    assert step >= 1


def test_gaps_and_numbers_that_are_none_are_kept_out() -> None:
    matrix = [{"metric": {"path": "a"}, "values": [[1, "0.5"], [2, "NaN"], [3, "+Inf"], [4, "0.25"]]}]
    assert lines("probe_rtt", matrix) == [{"labels": {"path": "a"}, "points": [(1.0, 0.5), (4.0, 0.25)]}]

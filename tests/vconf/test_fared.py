"""How venues fared: sampled from a real relay, summed up over restarts, read in the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboards.meeting_page import html
from tests.vconf.test_conference import camera, share, until
from tests.vconf.test_signalling import Door, door
from vconf import attendance, fared, links, meetings
from vconf.fared import Fared, add, sampled, summary
from vconf.report.document import document

__all__ = ["door"]

_FIGURES = st.dictionaries(
    st.sampled_from(["samples", "freezes", "up_jitter_ms_sum", "up_jitter_ms_max"]), st.integers(0, 99)
)


@given(_FIGURES, _FIGURES, _FIGURES)
def test_sums_are_the_same_however_they_are_added(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    assert add(add({**a}, b), c) == add({**a}, add({**b}, c))


def test_a_venues_sums_are_read_as_means_and_maxima() -> None:
    row: dict[str, Any] = {"up_lost_percent": 1.0, "up_jitter_ms": 10.0, "down_lost_percent": 0.0, "layer": 2}
    figures = add(add({}, sampled(row)), sampled(row | {"up_lost_percent": 4.0, "layer": 0, "silent": True}))
    figures = add(add(figures, sampled(row)), {"freezes": 2, "freezeMs": 1500, "concealed": 10, "heard": 1000})
    found = summary(figures)
    assert (found["up_lost_percent"], found["up_lost_max"], found["up_jitter_ms"]) == (2.0, 4.0, 10.0)
    assert (found["layer"], found["layers"]) == (2, {"2": 0.667, "0": 0.333})
    assert (found["freezes"], found["freeze_s"], found["concealed_percent"]) == (2, 1.5, 1.0)
    assert found["silent_percent"] == 33.3
    assert summary({"samples": 6})["up_lost_percent"] is None, "not measured is not zero"


def test_a_meeting_is_sampled_and_reported(door: Door) -> None:
    meeting = door.book("t01", "t02", chair="@li")
    where = f"/api/meet/meetings/{meeting.id}"
    chair = {"authorization": f"Bearer {links.chair_token(door.tokens, meeting, 'li', datetime.now(UTC))}"}

    def sample(times: int = 1) -> None:
        sampler = Fared(door.store, door.rooms)
        for _ in range(times):
            assert door.client.portal is not None
            door.client.portal.call(sampler.sample)
        sampler.keep()

    def figures() -> dict[str, dict[str, Any]]:
        with door.store.reading() as session:
            return fared.of(session, meeting.id)

    with door.hall(meeting, "t01") as (one, _), door.hall(meeting, "t02") as (two, _):
        share(two, camera(one))
        until(lambda: "t02" in door.client.get(f"{where}/wall", headers=chair).json()["quality"])
        two.ask("report", freezes=3, freezeMs=900)
        body = {"action": "rollCall", "args": {"venue": "t02"}}
        assert door.client.post(f"{where}/act", json=body, headers=chair).status_code == 200
        body = {"action": "signIn", "args": {"venue": "t02", "heads": 25, "name": "王五"}}
        assert door.client.post(f"{where}/act", json=body, headers=chair).status_code == 200
        row = door.client.get(f"{where}/wall", headers=chair).json()["quality"]["t02"]
        assert (row["freezes"], row["freeze_ms"]) == (3, 900)
        sample(2)
        assert figures()["t02"]["freezes"] == 3, "counted by the page, taken once"
        two.ask("report", freezes=5, freezeMs=1000)
        sample()  # another process: it adds what it sees
        assert figures()["t02"]["minutes"] == 0.5
        assert figures()["t02"]["down_lost_percent"] == 0.0

    with door.store.reading() as session:
        found = meetings.found(session, meeting.id)
        faults = [
            {
                "id": 4, "kind": "link-down", "zh": "光缆中断 t02-c3", "en": "Fibre t02-c3 is cut",
                "opened_at": meeting.start_at.timestamp() + 5, "cleared_at": None,
                "impact": {"halls": [{"hall": "t02", "state": "rerouted"}, {"hall": "t09", "state": "cut"}]},
            }
        ]  # fmt: skip
        told = document(session, door.model, found, faults, datetime.now(UTC))
        assert len(attendance.sheet(session, found, datetime.now(UTC))) == 2
    venue = next(each for each in told["venues"] if each["hall"] == "t02")
    assert (venue["heads"], venue["signed_by"], len(venue["called"])) == (25, "王五", 1)
    assert told["faults"][0]["halls"] == [{"hall": "t02", "zh": door.model.halls["t02"].zh, "state": "rerouted"}]
    done = {each["what"]: each for each in told["actions"]}
    assert done["rollCall"]["zh"] == "点名"
    assert done["rollCall"]["who"] == "li"
    assert done["rollCall"]["detail"] == door.model.halls["t02"].zh
    assert "join" not in done
    page = html(told)
    assert "应答 answered" in page
    assert "绕行 rerouted" in page
    assert "<script" not in page

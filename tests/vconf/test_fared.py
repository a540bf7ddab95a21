"""How venues fared: sampled from a real relay, summed up over restarts, read in the report."""

from __future__ import annotations

import io
import warnings
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from dashboards.meeting_page import html
from dashboards.meeting_report import MeetingReports
from dashboards.shield import Shield
from identity.sealing import verify
from identity.secrets import Secrets
from tests.vconf.test_conference import camera, share, until
from tests.vconf.test_signalling import Door, door
from vconf import attendance, fared, links, meetings
from vconf.fared import Fared, add, sampled, summary
from vconf.report.document import document
from vconf.rest import Rest

with warnings.catch_warnings():  # starlette would rather have another HTTP client than the one installed
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

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


def test_the_report_comes_as_a_page_and_on_paper_with_its_signature(door: Door, tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "county")
    reports = MeetingReports(door.model, door.store, secrets)
    app = FastAPI()
    app.include_router(Rest(door.store, door.tokens, door.model, None, door.operator, reports=reports).router)
    where = f"/api/meet/meetings/{door.book('t01', 't02').id}/report"
    with TestClient(Shield(app)) as client:
        office = {"x-login": "office"}
        assert client.get(where).status_code == 401
        assert client.get(f"{where}.zip", headers={"x-login": "elsewhere"}).status_code == 403
        assert client.get(where, headers=office).json()["booked"] == 2
        page = client.get(f"{where}.html", headers=office)
        assert "未到 absent" in page.text
        assert "style-src 'unsafe-inline'" in page.headers["content-security-policy"]
        assert "script-src" not in page.headers["content-security-policy"]
        packed = client.get(f"{where}.zip", headers=office)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        pdf, signature = (archive.read(name) for name in sorted(archive.namelist()))
    assert pdf.startswith(b"%PDF-")
    assert verify(secrets.ca.certificate_pem, pdf, signature).name == "meetings.sanwang.internal"

"""What the chair is told of the network and of each venue's quality."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.causes import causes, impact_document
from inventory.impact import Faults, ImpactMap
from inventory.model import ROUTERS
from store.audit import AuditEntry
from tests.vconf.test_conference import camera, share, until
from tests.vconf.test_signalling import Door, county, door
from vconf import links, wall

__all__ = ["door"]


def test_a_fault_is_named_with_the_venues_that_it_cuts_off_or_reroutes() -> None:
    model = county()
    impacts = ImpactMap(model)
    site = model.halls["t02"].site
    dead = frozenset(host.name for host in model.site_hosts(site) if host.role in ROUTERS)
    line = impacts.paths(Faults())["t03"]
    assert line is not None
    fibre = next(name for name in line if model.links[name].fibre)
    down = Faults(links=frozenset({fibre}), hosts=dead)
    told = [{"key": f"site:{site}", "hosts": list(dead)}, {"key": f"link:{fibre}", "links": [fibre]}]
    seen = {"impact": impact_document(impacts.of(down), causes(model, told)), "sources": {"collector": "ok"}}
    found = wall.faults(seen, model, ["t01", "t02", "t03"])
    assert found["silent"] == ""
    assert found["venues"]["t02"] == {"state": "cut", "by": [site]}
    assert found["venues"]["t03"] == {"state": "rerouted", "by": [fibre]}
    assert "t04" not in found["venues"], "not of this meeting"
    rows = {row["name"]: row for row in found["faults"]}
    assert rows[site]["zh"] == model.sites[site].zh
    assert (rows[site]["venues"], rows[fibre]["venues"]) == (["t02"], ["t03"])
    assert model.sites["t03"].en in rows[fibre]["en"]


def test_a_silent_collector_is_no_good_news() -> None:
    found = wall.faults({"sources": {"collector": "no answer"}}, county(), ["t01"])
    assert found == {"faults": [], "venues": {}, "silent": "no answer"}


def test_the_chair_reads_each_venues_quality_and_has_a_console_of_its_own(door: Door) -> None:
    meeting = door.book("t01", "t02", chair="@li")
    where = f"/api/meet/meetings/{meeting.id}"
    chair = {"authorization": f"Bearer {links.chair_token(door.tokens, meeting, 'li', datetime.now(UTC))}"}
    assert door.client.get(f"{where}/wall").status_code == 401
    with door.hall(meeting, "t01") as (one, _), door.hall(meeting, "t02") as (two, _):
        share(two, camera(one))

        def quality() -> dict[str, dict[str, object]]:
            found: dict[str, dict[str, object]] = door.client.get(f"{where}/wall", headers=chair).json()["quality"]
            return found

        until(lambda: "t02" in quality())
        row = quality()["t02"]
        assert (row["up_lost_percent"], row["down_lost_percent"], row["silent"]) == (None, 0.0, False)

    office = {"x-login": "office"}
    made = door.client.post(f"{where}/console", headers=office).json()["token"]
    opened = door.client.post("/meet/link", json={"link": made}).json()
    assert (opened["role"], opened["hall"]["code"]) == ("chair", "@office"), "in the caller's own name"
    with door.store.reading() as session:
        entry = session.query(AuditEntry).filter_by(what="meeting.console").one()
    assert entry.who == "office"

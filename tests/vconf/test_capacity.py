"""What a meeting needs of the network, against what the network has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inventory.impact import Faults, ImpactMap
from inventory.load import load_model
from inventory.model import Hall, LinkKind, NetworkModel, Role
from inventory.relays import is_node
from provision.render.qos import sure_bps
from vconf.booking.capacity import background, check
from vconf.booking.need import LAYERS_BPS, OVERHEAD, SLIDES_BPS, VOICE_BPS, demand, hall_needs


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return load_model("shili")


@pytest.fixture(scope="module")
def impacts(model: NetworkModel) -> ImpactMap:
    return ImpactMap(model)


def beside(model: NetworkModel, hall: str, count: int) -> NetworkModel:
    """So many more halls at that hall's computer."""
    more = {f"{hall}x{n}": replace(model.halls[hall], code=f"{hall}x{n}", zh=f"村{n}") for n in range(count)}
    return replace(model, halls={**model.halls, **more})


def test_a_hall_sends_and_gets_what_its_pages_do() -> None:
    small, large = hall_needs(2), hall_needs(60)
    assert small.up == round((LAYERS_BPS[2] + SLIDES_BPS + VOICE_BPS) * OVERHEAD), "one size while halls are few"
    assert large.up == round((sum(LAYERS_BPS) + SLIDES_BPS + VOICE_BPS) * OVERHEAD)
    assert hall_needs(60).down == hall_needs(600).down, "no more pictures than a screen shows"
    assert hall_needs(60, 1).down < large.down
    assert hall_needs(1) == hall_needs(2)


def test_every_hall_is_carried_to_its_relay_and_slides_once(model: NetworkModel, impacts: ImpactMap) -> None:
    direct = [hall for hall in model.halls.values() if not is_node(model, model.hosts[hall.relay])][:6]
    found = demand(model, impacts.paths(Faults()), [hall.code for hall in direct])
    needs = hall_needs(len(direct))
    relay = next(model.by_role(Role.RELAY))
    last = [bps for (name, sender), bps in found.items() if sender == relay.name]
    assert last == [needs.down * len(direct)], "all of them come out of the relay"
    into = [
        bps for (name, sender), bps in found.items() if name in {p.link for p in relay.ports} and sender != relay.name
    ]
    slides = round(SLIDES_BPS * OVERHEAD)
    assert into == [(needs.up - slides) * len(direct) + slides]
    hall = direct[0]
    assert found[model.hosts[hall.host].ports[0].link, hall.host] == needs.up


def test_a_site_with_a_relay_has_one_copy_on_its_line(model: NetworkModel) -> None:
    county = beside(model, "t01", 9)
    relay = replace(next(model.by_role(Role.RELAY)), name="t01-relay", site="t01")
    core = next(host for host in model.site_hosts("t01") if host.role is Role.ACCESS)
    way = ImpactMap(model).paths(Faults())["t01"]
    assert way is not None
    here = next(place for place, name in enumerate(way) if model.links[name].kind is LinkKind.ACCESS)
    # the relay at the township stands where the line begins: the way is known, so only its end is put there
    at_relay = replace(
        county,
        hosts={**county.hosts, "t01-relay": relay},
        halls={
            code: replace(hall, relay=core.name, fallback=hall.relay) if hall.site == "t01" else hall
            for code, hall in county.halls.items()
        },
    )
    at_relay = replace(at_relay, hosts={**at_relay.hosts, core.name: replace(core, role=Role.RELAY)})
    paths = {code: way for code in at_relay.halls if at_relay.halls[code].site == "t01"}
    others = {code: found for code, found in ImpactMap(model).paths(Faults()).items() if code not in paths}
    line = way[here]
    halls = [*paths, "t02", "t03"]
    copies = demand(at_relay, {**others, **paths}, halls)
    each = demand(county, {**others, **paths}, halls)
    assert each[line, core.name] > 5 * copies[line, core.name]
    assert copies[way[0], at_relay.halls["t01"].host] == each[way[0], at_relay.halls["t01"].host], "inside, all"
    alone = demand(at_relay, paths, list(paths))
    assert (line, core.name) not in alone, "a meeting of the township alone needs nothing outside"


def test_the_county_carries_its_own_meeting(model: NetworkModel, impacts: ImpactMap) -> None:
    sure = sure_bps(model)
    line = next(link for link in model.links.values() if link.kind is LinkKind.ACCESS)
    assert sure[line.name] == pytest.approx(line.rate_bps * 0.95 * 0.5, rel=0.01)
    found = check(impacts, list(model.halls), sure=sure)
    assert (found.ok, found.shortages, found.lost, found.fit) == (True, (), (), None)
    assert found.words(model) == []


def test_a_short_line_is_named_with_what_it_needs_has_and_what_would_fit(model: NetworkModel) -> None:
    county = beside(model, "t07", 8)
    impacts = ImpactMap(county)
    sure = sure_bps(county)
    halls = ["t01", *(code for code, hall in county.halls.items() if hall.site == "t07")]
    found = check(impacts, halls, sure=sure)
    assert not found.ok
    worst = found.shortages[0]
    assert (worst.site, worst.way, worst.cut) == ("t07", "down", "")
    assert worst.have_bps == sure[worst.link] < worst.need_bps == 9 * hall_needs(10).down
    zh, en = found.words(county)[0]
    assert zh == f"本次会议在高岭乡（{worst.link}）需要 {-(-worst.need_bps // 100_000) / 10:g} Mbit/s，可用 47.5 Mbit/s"
    assert en.endswith(f"at {county.sites['t07'].en} ({worst.link}), which has 47.5")
    assert found.fit is not None
    assert found.fit.top == 1, "smaller pictures do"
    assert "640x360" in found.words(county)[-1][1]

    tight = check(impacts, halls, sure=dict.fromkeys(sure, 11_000_000))
    assert tight.fit is not None
    assert tight.fit.top is None
    left = check(impacts, tight.fit.halls, sure=dict.fromkeys(sure, 11_000_000))
    assert left.shortages == ()
    assert tight.fit.halls[0] == "t01", "the main venue stays"
    assert check(impacts, halls, sure=dict.fromkeys(sure, 1)).words(county)[-1][1].startswith("nothing smaller fits")


def test_other_meetings_at_the_same_time_and_measured_load_take_their_part(
    model: NetworkModel, impacts: ImpactMap
) -> None:
    halls = ["t01", "t07"]
    line = next(name for name in impacts.paths(Faults())["t07"] or () if model.links[name].kind is LinkKind.ACCESS)
    need = hall_needs(2).down
    sure = sure_bps(model) | {line: need * 3 // 2}
    assert check(impacts, halls, sure=sure).ok
    taken = check(impacts, halls, others=[["t07", "t02"]], sure=sure)
    assert {each.link for each in taken.shortages} == {line}
    del sure[line]  # not shared by class: measured load counts
    full = {line: model.links[line].rate_bps - need / 2}
    assert not check(impacts, halls, sure=sure, load_bps=full).ok
    assert check(impacts, halls, sure=sure, load_bps={line: 1e6}).ok
    running = background(impacts, {line: float(need + 1000)}, [halls])
    assert running == {line: 1000.0}, "what the meeting itself takes is no load of others"


def test_the_way_after_a_cut_is_checked_too_and_a_fault_counts(model: NetworkModel, impacts: ImpactMap) -> None:
    usual = impacts.paths(Faults())["t07"] or ()
    line = next(name for name in usual if model.links[name].kind is LinkKind.ACCESS)
    second = next(
        name
        for name in impacts.paths(Faults(links=frozenset({line})))["t07"] or ()
        if model.links[name].kind is LinkKind.ACCESS
    )
    sure = sure_bps(model) | {second: 1_000_000}
    found = check(impacts, ["t01", "t07"], sure=sure)
    assert found.ok, "carried now"
    assert {(each.link, each.cut) for each in found.shortages} == {(second, line)}
    assert found.words(model)[0][0].startswith(f"{line} 中断后，本次会议在高岭乡（{second}）需要 ")
    now = check(impacts, ["t01", "t07"], sure=sure, faults=Faults(links=frozenset({line})))
    assert not now.ok
    assert now.single[second] == ("t07",), "its last way"
    cut = check(impacts, ["t01", "t07"], sure=sure, faults=Faults(links=frozenset({line, second})))
    assert cut.lost == ("t07",)
    assert cut.words(model)[0][1] == "no way to t07"


def test_a_small_site_has_one_way_only(model: NetworkModel) -> None:
    village = next(site for site in model.sites.values() if site.kind.value == "school")
    host = next(model.site_hosts(village.code))
    hall = Hall("s1", village.code, host.name, "校会场", "School", 30, (), model.halls["t01"].address, "c1-relay")
    county = replace(model, halls={**model.halls, "s1": hall})
    found = check(ImpactMap(county), ["t01", "s1"], sure=sure_bps(county))
    assert any("s1" in halls for halls in found.single.values())
    assert found.document(county)["single"]

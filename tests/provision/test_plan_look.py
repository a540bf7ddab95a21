"""Devices are asked over the broker's socket, and compared again before anything is applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inventory.places import Places
from provision.broker.county import County
from provision.broker.wire import BrokerError
from provision.change import applied, planner
from provision.change.plan import PlanError, county_fingerprint, text_sha256
from store.engine import open_store
from tests.provision import plans
from tests.provision.plans import Held, broker


@pytest.fixture
def county(tmp_path: Path) -> County:
    return plans.county(tmp_path / "county")


def as_model(county: County) -> dict[str, Held]:
    return {host.name: Held.as_model(county, host.name) for host in county.model.appliances()}


def test_a_county_as_the_model_says_has_nothing_to_do(county: County, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    with broker(county, as_model(county), tmp_path / "s") as client:
        looked = planner.look(client, county, progress=lambda done, total: heard.append((done, total)))
    assert (looked.asked, dict(looked.devices), dict(looked.failed)) == (23, {}, {})
    assert heard == [(number, 23) for number in range(1, 24)]


def test_an_edit_of_the_county_shows_on_the_devices_concerned_alone(county: County, tmp_path: Path) -> None:
    devices = as_model(county)
    path = county.folder / "services.yml"
    rule = '  - {name: zeal, from: "gov:*", to: "service:lessons", why: "a test"}\n'
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("\n# Meeting rooms", f"{rule}\n# Meeting rooms"), encoding="utf-8")
    with broker(county, devices, tmp_path / "s") as client:
        looked = planner.look(client, county)
    assert list(looked.devices) == ["c1-fw"]
    device = looked.devices["c1-fw"]
    (change,) = device.files
    assert (change.path, change.group, change.change, change.mode) == ("/etc/nftables.conf", "nft", "changed", "0600")
    wanted = next(file for file in county.files("c1-fw") if file.path == change.path)
    assert change.after_sha256 == text_sha256(wanted.text)
    assert change.before_sha256 == devices["c1-fw"].state()["files"][change.path]["sha256"]
    added = [line for line in change.diff.splitlines()[2:] if line.startswith("+")]
    assert len(added) == 1
    assert 'comment "zeal"' in added[0]


def test_a_faster_line_is_an_ordinary_change_of_its_two_ends(
    county: County, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fibre's rate from 100M to 1G: the queues of both ends' ports, nothing else, and the plan says it in words."""
    monkeypatch.setattr(Places, "lib", property(lambda _: tmp_path))
    places = Places("zp")
    applied.keep(places, county.folder)
    devices = as_model(county)
    path = county.folder / "fibres.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("ends: [b01, c1], km: 1.4", "ends: [b01, c1], km: 1.4, rate: 1G"), encoding="utf-8")
    before = county_fingerprint(county.folder)
    with broker(county, devices, tmp_path / "s") as client:
        looked = planner.look(client, county)
    assert set(looked.devices) == {"b01-rt", "c1-core"}
    for device in looked.devices.values():
        assert device.groups == ("network",)
        (change,) = device.files
        assert change.path == "/etc/sanwang/network.json"
        lines = [line for line in change.diff.splitlines()[2:] if line[0] in "+-"]
        assert lines
        assert all('_bps": ' in line for line in lines), "rates of one port's queues"
        assert '"rate_bps": 95000000' in " ".join(line for line in lines if line[0] == "-")
        assert '"rate_bps": 950000000' in " ".join(line for line in lines if line[0] == "+")
    store = open_store("sqlite://")
    window = planner.Window(plans.NOW, plans.NOW + timedelta(hours=1))
    plan = planner.make_plan(looked, county, places, store, author="wang", why="", window=window, before=before)
    store.close()
    assert "low: b01-c1 (b01-rt to c1-core): rate 100M -> 1G" in plan.risk.reasons
    assert [stage.hosts for stage in plan.stages] == [("b01-rt",), ("c1-core",)]


def test_created_removed_and_running_are_told_apart(county: County) -> None:
    held = Held.as_model(county, "t01-rt")
    gone = held.files.pop("/etc/nftables.d/gov.nft")
    held.files["/etc/sanwang/sv/old/run"] = ("#!/bin/sh\n", "0755")
    held.running.append("network: \x1b[2Jlan-gov addresses")
    device = planner.device_plan(county, "t01-rt", held.diff(county, "t01-rt"), held.state())
    by_path = {file.path: file for file in device.files}
    created, removed = by_path["/etc/nftables.d/gov.nft"], by_path["/etc/sanwang/sv/old/run"]
    assert (created.change, created.before_sha256, created.after_sha256) == ("created", "", text_sha256(gone[0]))
    assert (removed.change, removed.group, removed.after_sha256, removed.mode) == ("removed", "services", "", "")
    assert device.groups == ("network", "nft", "services")
    assert device.running == ("network: \\x1b[2Jlan-gov addresses",)


def test_a_device_that_does_not_answer_spoils_the_plan_and_is_named(county: County, tmp_path: Path) -> None:
    with broker(county, as_model(county), tmp_path / "s", silent=frozenset({"t01-rt"})) as client:
        looked = planner.look(client, county)
        without = planner.look(client, county, ["b01-rt"])
    with pytest.raises(BrokerError, match=r"1 of 23 devices could not be asked(.|\n)*t01-rt is silent"):
        planner.require_all(looked)
    planner.require_all(without)


Edit = Callable[[Held], object]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda held: held.running.append("nft: differs"), "is not the one that was planned on"),
        (lambda held: held.files.update({"/etc/frr/frr.conf": ("!\n", "0640")}), "is not the one that was planned on"),
        (lambda held: held.files.pop("/etc/nftables.conf"), "/etc/nftables.conf would change too"),
    ],
)
def test_a_device_that_moved_since_is_told_with_the_reason(county: County, edit: Edit, words: str) -> None:
    held = plans.without_line(county, "b01-rt", "/etc/frr/frr.conf", "ip route")

    def plan() -> planner.DevicePlan:
        return planner.device_plan(county, "b01-rt", held.diff(county, "b01-rt"), held.state())

    planned = plan()
    assert planner.moved(planned, plan()) == ()
    edit(held)
    reasons = "\n".join(planner.moved(planned, plan()))
    assert words in reasons
    assert reasons.startswith("b01-rt: ")


def test_a_plan_that_lies_about_lines_is_found_when_the_device_is_looked_at_again(county: County) -> None:
    held = plans.without_line(county, "b01-rt", "/etc/frr/frr.conf", "ip route")
    honest = planner.device_plan(county, "b01-rt", held.diff(county, "b01-rt"), held.state())
    lie = replace(honest, files=(replace(honest.files[0], diff="--- a\n+++ a\n"),))
    assert planner.moved(lie, honest) == ("b01-rt: /etc/frr/frr.conf would not change as the plan shows",)
    assert "nothing of the plan is left to do" in planner.moved(honest, None)[0]


def test_the_county_must_rest_while_its_devices_are_asked(county: County, tmp_path: Path) -> None:
    store = open_store("sqlite://")
    before = county_fingerprint(county.folder)
    window = planner.Window(plans.NOW, plans.NOW + timedelta(hours=1))
    held = plans.without_line(county, "b01-rt", "/etc/frr/frr.conf", "ip route")
    device = planner.device_plan(county, "b01-rt", held.diff(county, "b01-rt"), held.state())
    looked = planner.Looked(1, {"b01-rt": device})
    places = Places("zp")

    def make() -> planner.Plan:
        return planner.make_plan(looked, county, places, store, author="wang", why="", window=window, before=before)

    plan = make()
    assert (plan.hosts, plan.touches.links_age_s, plan.risk.level) == (("b01-rt",), None, "high")
    path = county.folder / "county.yml"
    path.write_text(path.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    with pytest.raises(PlanError, match="changed while the devices were asked"):
        make()
    store.close()

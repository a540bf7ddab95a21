"""Vendors' switches in a plan: their order, their timers, their risk, and what will be typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.errors import Report
from inventory.expand import expand
from inventory.impact import ImpactMap
from inventory.load import find, read
from inventory.model import Role
from inventory.schema import Intent
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.broker.vendor_device import BEFORE_RESTART_S
from provision.change import checks, planner, stages, touches
from provision.change.plan import DevicePlan, Plan, PlanError, Stage, Touches, text_sha256
from provision.change.risk import risk
from provision.change.undo import AHEAD_S, UNDO, asked_s, timer_s
from provision.platforms.base import load, names, patch
from provision.render import ConfigFile
from provision.render.switch import RUNNING
from provision.vendor.words import words_of
from tests.provision import plans

MIX = {"b01": "huawei_vrp8", "b02": "h3c_comware", "b03": "ruijie_rgos", "t01": "huawei_vrp5", "t02": "zte_zxr10"}


@pytest.fixture(scope="module")
def impacts() -> ImpactMap:
    """xiao with a switch of each platform."""
    data = read(find("xiao")).data
    for code, platform in MIX.items():
        (data["bodies"] if code in data["bodies"] else data["townships"])[code]["switch"] = platform
    return ImpactMap(expand(Intent.model_validate(data), Report()))


def device(impacts: ImpactMap, host: str, *groups: str) -> DevicePlan:
    found = impacts.model.hosts[host]
    return DevicePlan(host, found.site, found.role.value, found.platform, "", "", groups, (), ())


def test_the_canary_holds_one_device_of_each_platform_and_the_routers_before_them() -> None:
    data = read(find("shili")).data
    for place, body in enumerate(data["bodies"].values()):
        body["switch"] = names()[place % len(names())]
    model = expand(Intent.model_validate(data), Report())
    order = dict(stages.order(ImpactMap(model), [host.name for host in model.appliances()]))
    canary = [model.hosts[host] for host in order["canary"]]
    assert next(iter(order)) == "canary"
    assert sorted(host.platform for host in canary if not host.linux) == list(names())
    assert {host.site for host in canary if not host.linux} == {host.site for host in canary if host.linux}
    assert len(order["access"]) > 60


def test_where_all_would_be_canaries_the_least_harmful_site_is_alone(impacts: ImpactMap) -> None:
    order = dict(stages.order(impacts, [host.name for host in impacts.model.appliances()]))
    assert order["canary"] == ("b01-rt",)
    assert {"b01-sw", *(f"{site}-sw" for site in MIX)} <= set(order["access"])


def test_a_switch_brings_its_router_along(impacts: ImpactMap) -> None:
    order = dict(stages.order(impacts, ["b01-rt", "b01-sw", "b02-rt", "b03-rt"]))
    assert order["canary"] == ("b01-rt", "b01-sw")
    assert order["access"] == ("b02-rt", "b03-rt")
    assert dict(stages.order(impacts, ["b01-sw"])) == {"access": ("b01-sw",)}


def test_within_a_stage_routers_come_before_the_switches_behind_them(impacts: ImpactMap) -> None:
    assert stages.waves(impacts.model, ("b01-sw", "b01-rt", "b02-sw", "b02-rt")) == (
        ("b01-rt", "b02-rt"),
        ("b01-sw", "b02-sw"),
    )
    assert stages.waves(impacts.model, ("b01-sw",)) == (("b01-sw",),)
    assert stages.waves(impacts.model, ()) == ()


@pytest.mark.parametrize("platform", ["linux", *names()])
def test_a_timer_is_never_shorter_than_the_device_can(platform: str) -> None:
    undo = UNDO[platform]
    for asked in (1, 20, 60, 61, 120, 150, 3600):
        least = asked_s(platform, asked)
        assert least == max(asked, undo.shortest_s)
        armed = timer_s(platform, asked)
        assert armed % undo.step_s == 0
        assert least <= armed < least + undo.step_s + AHEAD_S
        assert not undo.restart or armed >= least + AHEAD_S


def test_platforms_undo_as_their_sessions_do() -> None:
    assert set(UNDO) == {"linux", *names()}
    for name in names():
        assert UNDO[name].restart == (words_of(name).confirm == "restart"), name
    assert AHEAD_S == BEFORE_RESTART_S


def test_a_switch_that_fails_cuts_its_site_and_its_restart_is_told(impacts: ImpactMap) -> None:
    model = impacts.model
    devices = (device(impacts, "t01-sw", "configuration"), device(impacts, "b02-sw", "configuration"))
    order = stages.order(impacts, [each.host for each in devices])
    guard = touches.protection(model, {}, plans.NOW)
    staged, concerned = touches.weigh(impacts, devices, order, (), guard)
    assert {site for stage in staged for site in stage.sites_cut} == {"t01", "b02"}
    assert [stage.halls_cut for stage in staged if "t01-sw" in stage.hosts] == [("t01",)]
    found = risk(model, devices, staged, concerned)
    assert any("goes back by a restart" in reason and "t01-sw (huawei_vrp5)" in reason for reason in found.reasons)
    assert not any("b02-sw (h3c" in reason for reason in found.reasons), "Comware has an undo of its own"
    quiet = risk(model, devices[1:], staged[1:], Touches(links_age_s=1))
    assert not any("restart" in reason for reason in quiet.reasons)


@pytest.fixture
def county(tmp_path: Path) -> County:
    """The small county with a switch at b01."""
    found = plans.county(tmp_path / "county")
    sites = found.folder / "sites.yml"
    lines = sites.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  b01:"))
    if "switch:" not in lines[at]:
        lines[at] = lines[at].replace("number: 31,", "number: 31, switch: huawei_vrp8,")
    sites.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return County(found.folder)


def seen(county: County, before: str) -> dict[str, object]:
    """What the broker's ``diff`` tells of a switch that runs this text."""
    (file,) = county.files("b01-sw")
    commands = patch(load("huawei_vrp8"), before, file.text)
    texts = [{"path": RUNNING, "before": before, "after": file.text}]
    return {"changed": True, "files": [RUNNING], "running": [], "diff": texts, "commands": list(commands)}


def state(text: str) -> dict[str, object]:
    return {"files": {RUNNING: {"sha256": text_sha256(text), "mode": ""}}, "running": {}, "pending": None}


def test_the_plan_holds_every_command_that_will_be_typed(county: County, tmp_path: Path) -> None:
    (file,) = county.files("b01-sw")
    before = file.text.replace("description management", "description by hand")
    planned = planner.device_plan(county, "b01-sw", seen(county, before), state(before))
    assert (planned.platform, planned.role, planned.groups) == ("huawei_vrp8", Role.SWITCH.value, ("configuration",))
    assert planned.commands == ("interface Vlanif104", "description management", "quit")
    assert "@secret" not in "".join(planned.commands)
    assert [each.path for each in planned.files] == [RUNNING]
    assert planner.moved(planned, planned) == ()
    other = planner.device_plan(county, "b01-sw", seen(county, file.text.replace(" trust dscp\n", "")), state(before))
    assert any("other commands" in words for words in planner.moved(planned, other))


def made(county: County, device: DevicePlan) -> Plan:
    base = plans.make(county, {})
    return Plan(
        **{
            **{name: getattr(base, name) for name in base.__dataclass_fields__},
            "devices": (device,),
            "stages": (Stage("access", (device.host,)),),
        }
    )


def test_a_plan_with_commands_is_sealed_like_any_other(county: County, tmp_path: Path) -> None:
    (file,) = county.files("b01-sw")
    before = file.text.replace("description management", "description by hand")
    plan = made(county, planner.device_plan(county, "b01-sw", seen(county, before), state(before)))
    path = tmp_path / "sw.plan"
    plan.save(path)
    assert Plan.load(path) == plan
    text = path.read_text()
    path.write_text(text.replace('"description management"', '"description another"'))
    with pytest.raises(PlanError, match="edited"):
        Plan.load(path)


def test_a_plan_that_would_lock_the_controller_out_is_refused(
    county: County, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = county.files("b01-sw")
    before = file.text.replace("description management", "description by hand")
    plan = made(county, planner.device_plan(county, "b01-sw", seen(county, before), state(before)))
    client = BrokerClient(tmp_path / "nobody")
    assert checks.in_band(plan, client, county, plan.stages) == []
    spoilt = ConfigFile(file.path, file.mode, file.text.replace("default vlan 104", "default vlan 101"), file.group)
    monkeypatch.setattr(County, "files", lambda *_: (spoilt,))
    (reason,) = checks.in_band(plan, client, county, plan.stages)
    assert (
        "b01-sw: the controller would be locked out: the uplink 10GE1/0/1 is not in the management VLAN 104" in reason
    )

"""A body's access switch: rendered from the model, put on a stand-in over SSH, changed, and taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from inventory.errors import Report
from inventory.expand import expand
from inventory.hardware import HARDWARE
from inventory.load import find, read
from inventory.model import Host, NetworkModel, Role
from inventory.schema import Intent
from provision.environment import load_environment
from provision.platforms.base import diff, load, names, patch
from provision.render import render
from provision.render.switch import RUNNING, access_switch, render_switch
from tests.provision.vendor_box import SPEECHES, Box, start

PLATFORMS = tuple(HARDWARE)
SECRET = re.compile(r"@secret:[^@]+@")
ENROLMENT = frozenset({"mgmt"})


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    """shili with a switch at every body, the platforms by turns."""
    data = read(find("shili")).data
    for place, body in enumerate(data["bodies"].values()):
        body["switch"] = PLATFORMS[place % len(PLATFORMS)]
    return expand(Intent.model_validate(data), Report())


@pytest.fixture(params=PLATFORMS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    hardware = HARDWARE[request.param]
    ports = ";".join((hardware.access.format(f"1-{hardware.count}"), *hardware.uplinks, hardware.oob))
    made, process = start(request.param, tmp_path, 1, "--ports", ports)
    with process:
        try:
            yield made
        finally:
            process.terminate()


def on(model: NetworkModel, platform: str, name: str = "b01-sw") -> Host:
    """A switch of the county as it would be on this platform."""
    return replace(model.hosts[name], platform=platform)


def regrouped(model: NetworkModel) -> NetworkModel:
    """The county after b01 went from one closed group to another: a VLAN goes, one comes, four ports change."""
    site = model.sites["b01"]
    assert "petition" in site.networks
    networks = tuple("audit" if name == "petition" else name for name in site.networks)
    return replace(model, sites={**model.sites, "b01": replace(site, networks=networks)})


@pytest.mark.parametrize("networks", [None, ENROLMENT], ids=["whole", "enrolment"])
def test_a_new_switch_takes_its_configuration_and_then_nothing(
    model: NetworkModel, box: Box, networks: frozenset[str] | None
) -> None:
    platform = load(box.platform)
    wanted = render_switch(model, on(model, box.platform), networks=networks)
    with box.open(box.ports[0]) as session:
        lines = patch(platform, session.running(), wanted)
        session.configure([SECRET.sub("Switch.Secret-1234", line) for line in lines])
        assert patch(platform, session.running(), wanted) == ()
        if networks is not None:
            whole = render_switch(model, on(model, box.platform))
            rest = patch(platform, session.running(), whole)
            session.configure([SECRET.sub("Switch.Secret-1234", line) for line in rest])
            assert diff(platform, session.running(), whole) == ""
            return
        assert diff(platform, session.running(), wanted) == ""
        other = render_switch(regrouped(model), on(model, box.platform))
        change = patch(platform, session.running(), other)
        assert 0 < len(change) < 60
        before = session.running()
        session.configure(change)
        assert patch(platform, session.running(), other) == ()
        session.undo(before=before)
        assert patch(platform, session.running(), wanted) == ()


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_body_has_a_switch_and_it_is_a_pure_function(name: str, model: NetworkModel) -> None:
    switches = list(model.by_role(Role.SWITCH))
    texts = {host.name: render_switch(model, replace(host, platform=name)) for host in switches}
    assert len(set(texts.values())) == len(switches) > 30
    for host in switches:
        text = texts[host.name]
        assert text == render_switch(model, replace(host, platform=name))
        assert text.isascii(), "devices store what they are sent byte by byte; names go in English"
        if host.name == "b01-sw":
            assert patch(load(name), text, text) == ()
        switch = access_switch(model, replace(host, platform=name))
        assert str(switch.management.ip) in text
        assert switch.management.ip == host.management
        assert {vlan.name for vlan in switch.vlans} == set(host.networks)


def test_a_cable_of_the_model_is_in_the_vlan_that_the_switch_says(model: NetworkModel) -> None:
    """The county's ports and the rendered ones are the same plan: every cable's port is open in its own VLAN."""
    for host in model.by_role(Role.SWITCH):
        open_ports = {port.name: f"vlan{port.vlan.number}" for port in access_switch(model, host).open}
        assert {port.label: port.bridge for port in host.ports}.items() <= open_ports.items()


def test_ports_never_move(model: NetworkModel) -> None:
    """A network has the same ports on every switch that has it; nothing else is open."""
    seen: dict[str, set[str]] = {}
    for host in model.by_role(Role.SWITCH):
        switch = access_switch(model, replace(host, platform="huawei_vrp5"))
        for vlan in switch.vlans:
            ports = {port.name for port in switch.open if port.vlan == vlan}
            assert seen.setdefault(vlan.name, ports) == ports
        names = [port.name for port in switch.open]
        assert len(names) == len(set(names))
        assert not set(names) & set(switch.unused)
        assert len(names) + len(switch.unused) == HARDWARE["huawei_vrp5"].count + len(HARDWARE["huawei_vrp5"].uplinks)


def test_a_switch_has_one_file_with_named_secrets(model: NetworkModel) -> None:
    files = render(model, "b01-sw", load_environment("twin"))
    assert [(file.path, file.mode, file.group) for file in files] == [(RUNNING, "", "configuration")]
    assert files[0].text == render_switch(model, model.hosts["b01-sw"])
    assert "@secret:switch/b01-sw/password@" in files[0].text


@pytest.mark.parametrize("platform", PLATFORMS)
def test_enrolment_needs_the_management_address_and_bars_nobody(platform: str, model: NetworkModel) -> None:
    """A new switch is reached over its out-of-band port until the management network carries it."""
    host = on(model, platform)
    switch = access_switch(model, host, networks=ENROLMENT)
    text = render_switch(model, host, networks=ENROLMENT)
    assert [vlan.name for vlan in switch.vlans] == ["mgmt"]
    assert [port.name for port in switch.open] == [HARDWARE[platform].uplinks[0]]
    assert "shutdown" not in text.replace("no shutdown", "")
    assert str(switch.controller) not in text
    whole = render_switch(model, host)
    assert str(switch.controller) in whole


def test_an_unknown_platform_or_a_name_without_a_value_is_an_error(
    model: NetworkModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyError):
        render_switch(model, on(model, "vyos"))
    with pytest.raises(ValueError, match="need a router and the network mgmt"):
        render_switch(model, on(model, "huawei_vrp5"), networks=frozenset({"gov"}))
    broken = jinja2.Environment(
        loader=jinja2.DictLoader({"access.j2": "{{ switch.nmae }}"}), undefined=jinja2.StrictUndefined
    )
    monkeypatch.setattr("provision.render.switch._templates", lambda platform: broken)
    with pytest.raises(jinja2.UndefinedError, match="nmae"):
        render_switch(model, on(model, "huawei_vrp5"))


def test_speeches_cover_every_platform() -> None:
    assert set(SPEECHES) == set(PLATFORMS) == set(names())

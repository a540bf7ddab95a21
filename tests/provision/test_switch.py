"""A body's access switch: rendered from the model, put on a stand-in over SSH, changed, and taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.hardware import HARDWARE
from inventory.load import load_model
from inventory.model import NetworkModel
from provision.platforms.base import diff, load, names, patch
from provision.render.switch import access_switch, render_switch
from tests.provision.vendor_box import SPEECHES, Box, start

PLATFORMS = [name for name in names() if (load(name).folder / "templates" / "access.j2").exists()]
SECRET = re.compile(r"@secret:[^@]+@")


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return load_model("shili")


@pytest.fixture(params=PLATFORMS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    hardware = HARDWARE[request.param]
    first, last = hardware.access.format(f"1-{hardware.count}"), hardware.uplinks
    ports = ";".join((first, *last))
    made, process = start(request.param, tmp_path, 1, "--ports", ports)
    with process:
        try:
            yield made
        finally:
            process.terminate()


def _moved(wanted: str, platform: str) -> str:
    """The switch with another log server and one port of gov given to petition."""
    port = HARDWARE[platform].access.format(3)
    head, _, tail = wanted.partition(f"interface {port}\n")
    return f"{head}interface {port}\n" + tail.replace("gov", "petition", 1).replace("101", "110", 1)


def test_a_new_switch_takes_its_configuration_and_then_nothing(model: NetworkModel, box: Box) -> None:
    platform = load(box.platform)
    wanted = render_switch(model, "b01", box.platform)
    with box.open(box.ports[0]) as session:
        lines = patch(platform, session.running(), wanted)
        session.configure([SECRET.sub("Switch.Secret-1234", line) for line in lines])
        assert diff(platform, session.running(), wanted) == ""
        assert patch(platform, session.running(), wanted) == ()
        other = _moved(wanted, box.platform)
        change = patch(platform, session.running(), other)
        assert 0 < len(change) < 8
        before = session.running()
        session.configure(change)
        assert patch(platform, session.running(), other) == ()
        session.undo(before=before)
        assert patch(platform, session.running(), wanted) == ()


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_body_has_a_switch_and_it_is_a_pure_function(name: str, model: NetworkModel) -> None:
    bodies = [site for site in model.sites.values() if site.kind in ("body", "building")]
    texts = {site.code: render_switch(model, site.code, name) for site in bodies}
    assert len(set(texts.values())) == len(bodies) > 30
    for site in bodies:
        text = texts[site.code]
        assert text == render_switch(model, site.code, name)
        assert text.isascii(), "devices store what they are sent byte by byte; names go in English"
        if site.code in ("b01", "cb"):
            assert patch(load(name), text, text) == ()
        switch = access_switch(model, site.code, name)
        assert str(switch.management.ip) in text
        assert {vlan.name for vlan in switch.vlans} == set(site.networks)


def test_ports_never_move(model: NetworkModel) -> None:
    """A network has the same ports on every switch that has it; nothing else is open."""
    seen: dict[str, set[str]] = {}
    for site in model.sites.values():
        if site.kind not in ("body", "building"):
            continue
        switch = access_switch(model, site.code, "huawei_vrp5")
        for vlan in switch.vlans:
            ports = {port.name for port in switch.ports if port.vlan == vlan}
            assert seen.setdefault(vlan.name, ports) == ports
        assert all(port.vlan in (None, *switch.vlans) for port in switch.ports)


def test_a_school_has_no_access_switch(model: NetworkModel) -> None:
    with pytest.raises(ValueError, match="only a body or the county building"):
        access_switch(model, "s001", "huawei_vrp5")
    with pytest.raises(KeyError):
        access_switch(model, "b01", "vyos")


def test_speeches_cover_every_platform() -> None:
    assert set(HARDWARE) >= set(SPEECHES)

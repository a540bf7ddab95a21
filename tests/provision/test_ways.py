"""No plan may lock the controller out of a switch: proved on the words of every platform."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from inventory.errors import Report
from inventory.expand import expand
from inventory.hardware import HARDWARE
from inventory.load import find, read
from inventory.model import Host, NetworkModel
from inventory.schema import Intent
from provision.change.ways import problems
from provision.render.switch import render_switch

PLATFORMS = tuple(HARDWARE)
Edit = Callable[[str, Host], str]


@pytest.fixture(scope="module")
def models() -> dict[str, NetworkModel]:
    """xiao with a switch of each platform at b01."""
    found = {}
    for platform in PLATFORMS:
        data = read(find("xiao")).data
        data["bodies"]["b01"]["switch"] = platform
        found[platform] = expand(Intent.model_validate(data), Report())
    return found


def uplink(host: Host) -> str:
    return next(port.label for port in host.ports if port.bridge == "vlan104")


def in_view(text: str, view: str, old: str, new: str) -> str:
    """Replace a line inside the (last) view that begins with ``view``."""
    head, found, tail = text.rpartition(f"{view}\n")
    assert found, view
    assert re.search(old, tail), (view, old)
    return head + found + re.sub(old, new, tail, count=1)


def off_its_vlan(text: str, host: Host) -> str:
    """The uplink goes to gov's VLAN."""
    return in_view(text, f"interface {uplink(host)}", r"(vlan) 104", r"\1 101")


def shut(text: str, host: Host) -> str:
    if host.platform == "zte_zxr10":
        return re.sub(rf"(interface {re.escape(uplink(host))}\n.*\n) +no shutdown\n", r"\1", text)
    return in_view(text, f"interface {uplink(host)}", r"( description .*\n)", r"\1 shutdown\n")


def readdressed(text: str, host: Host) -> str:
    return text.replace(f"ip address {host.management} ", "ip address 10.32.31.77 ")


def without_route(text: str, host: Host) -> str:
    return re.sub(r"(?m)^ip route.*\n", "", text)


def barred(text: str, host: Host) -> str:
    """The list before the login lines lets another machine in."""
    return text.replace("10.32.2.6", "10.32.2.7")


def without_ssh(text: str, host: Host) -> str:
    return re.sub(r"(?m)^(stelnet server enable|ssh server enable|enable service ssh-server)\n", "", text)


def without_vlan(text: str, host: Host) -> str:
    return re.sub(r"(?m)^vlan batch.*\n", "vlan batch 101\n", re.sub(r"(?m)^( *)vlan 104\n", r"\1vlan 99\n", text))


def by_telnet(text: str, host: Host) -> str:
    return re.sub(r"(?m)^( *(?:protocol inbound|transport input)) ssh$", r"\1 telnet", text)


LOCKED_OUT: list[tuple[Edit, str]] = [
    (off_its_vlan, "is not in the management VLAN 104"),
    (shut, "is shut"),
    (readdressed, "VLAN 104 has 10.32.31.77; the controller asks for 10.32.31.14"),
    (without_route, "there is no default route by 10.32.31.1"),
    (barred, "does not let the management host 10.32.2.6 log in"),
    (without_ssh, "SSH is not enabled"),
    (without_vlan, "the management VLAN 104 is not there"),
]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_is_rendered_lets_the_controller_in(platform: str, models: dict[str, NetworkModel]) -> None:
    model = models[platform]
    host = model.hosts["b01-sw"]
    assert problems(model, host, render_switch(model, host)) == ()
    assert problems(model, host, render_switch(model, host, networks=frozenset({"mgmt"}))) == ()


@pytest.mark.parametrize(("edit", "words"), LOCKED_OUT, ids=lambda each: getattr(each, "__name__", ""))
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_change_that_locks_the_controller_out_is_seen(
    platform: str, edit: Edit, words: str, models: dict[str, NetworkModel]
) -> None:
    model = models[platform]
    host = model.hosts["b01-sw"]
    text = render_switch(model, host)
    spoilt = edit(text, host)
    assert spoilt != text
    found = problems(model, host, spoilt)
    assert any(words in each for each in found), found


def test_another_address_in_the_model_is_asked_for(models: dict[str, NetworkModel]) -> None:
    """The text is judged by the model's address, not by its own."""
    model = models["huawei_vrp8"]
    host = model.hosts["b01-sw"]
    assert host.management is not None
    moved = replace(host, management=host.management + 1)
    assert any("asks for" in each for each in problems(model, moved, render_switch(model, host)))


@pytest.mark.parametrize("platform", [each for each in PLATFORMS if each != "zte_zxr10"])  # its lines name no protocol
def test_login_lines_for_telnet_alone_are_seen(platform: str, models: dict[str, NetworkModel]) -> None:
    model = models[platform]
    host = model.hosts["b01-sw"]
    text = render_switch(model, host)
    spoilt = by_telnet(text, host)
    assert spoilt != text
    assert any("its login lines do not take SSH" in each for each in problems(model, host, spoilt))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_line_that_may_decide_and_is_not_known_is_told(platform: str, models: dict[str, NetworkModel]) -> None:
    model = models[platform]
    host = model.hosts["b01-sw"]
    (word,) = problems(model, host, render_switch(model, host) + "traffic-filter unknown\n")
    assert "traffic-filter unknown" in word

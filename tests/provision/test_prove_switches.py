"""The proof through access switches: five vendors' own words decide what their users reach, and who reaches them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import Report
from inventory.expand import expand
from inventory.load import find, read
from inventory.model import NetworkModel, Role
from inventory.schema import Intent
from provision.environment import load_environment
from provision.prove import sets
from provision.prove.checks import Checks, Disagreement
from provision.prove.engine import Engine
from provision.prove.errors import ProveError
from provision.prove.intent import Intent as Intended
from provision.prove.measure import Measurement
from provision.prove.proof import prove, try_eyes
from provision.prove.query import ask, parse
from provision.prove.switch import RUNNING, Switch
from provision.prove.switch import parse as parse_switch
from provision.prove.world import build, configurations

Files = dict[str, dict[str, str]]
SWITCHES = {
    ("bodies", "b01"): "huawei_vrp8", ("bodies", "b02"): "h3c_comware", ("bodies", "b03"): "ruijie_rgos",
    ("townships", "t01"): "huawei_vrp5", ("townships", "t02"): "zte_zxr10",
}  # fmt: skip
SITES = {platform: site for (_, site), platform in SWITCHES.items()}


def _model() -> NetworkModel:
    data = read(find("xiao")).data
    for (kind, site), platform in SWITCHES.items():
        data[kind][site]["switch"] = platform
    return expand(Intent.model_validate(data), Report())


MODEL = _model()
FILES: Files = configurations(MODEL, load_environment("twin"))


@pytest.fixture
def model() -> NetworkModel:
    """xiao with a switch of each vendor."""
    return MODEL


@pytest.fixture
def files() -> Files:
    return FILES


def changed(files: Files, name: str, old: str, new: str, after: str = "") -> Files:
    """The files with one line of a switch exchanged, the first behind ``after``."""
    text = files[name][RUNNING]
    at = text.index(old, text.index(after))
    return {**files, name: {RUNNING: text[:at] + new + text[at + len(old) :]}}


def found(model: NetworkModel, files: Files) -> list[Disagreement]:
    return Checks(Measurement(Engine(build(model, files)), Intended(model))).all()


def kinds(model: NetworkModel, files: Files) -> set[tuple[str, str]]:
    return {(each.kind, each.target) for each in found(model, files)}


def port(files: Files, platform: str, network: str, to: str = "") -> tuple[str, str]:
    """A site's switch, and its line that names the (first) port of a network: of users, or ``to`` the router."""
    name = f"{SITES[platform]}-sw"
    text = files[name][RUNNING]
    described = f"description to {to} {network}" if to else f"description {network}\n"
    head = text[: text.index(described, text.index("interface "))].splitlines()
    return name, next(line for line in reversed(head) if line.startswith("interface "))


def test_a_county_with_all_five_vendors_proves(model: NetworkModel, files: Files) -> None:
    assert {model.hosts[f"{site}-sw"].platform for site in SITES.values()} == set(SITES)
    proof = prove(model, files)
    assert [each.text for each in proof.disagreements] == []
    document = proof.document()
    assert document["devices"]["reached"] == document["devices"]["expected"] == sum(1 for _ in model.appliances()) - 1
    assert document["regions"] >= 500


def test_users_are_beyond_the_switch_and_the_witness_says_so(model: NetworkModel, files: Files) -> None:
    answer = ask(model, files, parse("gov:b01 -> gov:portal"))
    assert answer.passes is not None
    assert [step.space for step in answer.passes.steps][:2] == ["b01-pc", "b01-rt/gov"]
    reached = ask(model, files, parse("mgmt:c2-nms -> mgmt:b01-sw tcp/22"))
    assert reached.passes is not None
    last = reached.passes.steps[-1]
    rule = last.what.split(": ")[1]
    assert last.space == "b01-sw"
    assert re.fullmatch(r"rule \d+ permit vpn-instance mgmt source 10\.32\.2\.6 0", rule)
    number = int(last.where.removeprefix(f"b01-sw:{RUNNING}:"))
    assert files["b01-sw"][RUNNING].splitlines()[number - 1].strip() == rule


@pytest.mark.parametrize("platform", SITES)
def test_a_users_port_shut_cuts_its_users_off(model: NetworkModel, files: Files, platform: str) -> None:
    site = SITES[platform]
    network = "gov" if site.startswith("b") else "edu"
    name, line = port(files, platform, network)
    shut = (
        changed(files, name, "  no shutdown\n", "", line)
        if platform == "zte_zxr10"
        else changed(files, name, f"{line}\n", f"{line}\n shutdown\n")
    )
    assert ("lost", site) in kinds(model, shut)
    assert ask(model, shut, parse(f"{network}:{site} -> {network}:c1 icmp")).verdict == "none"


@pytest.mark.parametrize("platform", SITES)
def test_an_uplink_in_another_vlan(model: NetworkModel, files: Files, platform: str) -> None:
    site = SITES[platform]
    name, line = port(files, platform, "mgmt", f"{site}-rt")
    text = files[name][RUNNING]
    place = text.rindex(line, 0, text.rindex("vlan 104", 0, text.index("route", text.rindex("vlan 104"))))
    moved = changed(files, name, "vlan 104", "vlan 101", text[place : place + len(line) + 1])
    assert ("out of reach", name) in kinds(model, moved)


@pytest.mark.parametrize("platform", SITES)
def test_who_may_log_in(model: NetworkModel, files: Files, platform: str) -> None:
    name = f"{SITES[platform]}-sw"
    controller = str(model.hosts[model.nms].management)
    entry = next(line for line in files[name][RUNNING].splitlines() if "permit" in line and controller in line)
    out = changed(files, name, entry, entry.replace(controller, "10.32.2.77"))
    assert ("out of reach", name) in kinds(model, out)
    guard = re.search(r"^.*(acl 2001 inbound|access-class).*\n", files[name][RUNNING], re.MULTILINE)
    assert guard is not None
    assert ("door", name) in kinds(model, changed(files, name, guard[0], ""))


@pytest.mark.parametrize("platform", SITES)
def test_another_gateway_and_another_address(model: NetworkModel, files: Files, platform: str) -> None:
    name = f"{SITES[platform]}-sw"
    own = model.hosts[name].management
    assert own is not None
    gateway = str(own - 13)
    text = files[name][RUNNING]
    astray = changed(files, name, gateway, str(own - 3), text[text.index("ip route") : text.index("ip route") + 8])
    assert {("dead route", "0.0.0.0"), ("out of reach", name)} <= kinds(model, astray)
    other = changed(files, name, f"ip address {own} ", f"ip address {own + 1} ")
    assert ("out of reach", name) in kinds(model, other)


def test_ports_that_nobody_uses_yet_are_judged_too(model: NetworkModel, files: Files) -> None:
    text = files["b01-sw"][RUNNING]
    spare = changed(files, "b01-sw", "port default vlan 101", "port default vlan 110", "interface GE1/0/3\n")
    (one,) = found(model, spare)
    assert (one.kind, one.source, one.target) == ("port", "b01-sw", "GE1/0/3")
    assert "GE1/0/3 is in VLAN 110, expected in gov, VLAN 101 (b01-sw:running-configuration:" in one.text
    assert "interface GE1/0/20\n description unused\n shutdown\n" in text
    (one,) = found(model, changed(files, "b01-sw", " shutdown\n", "", "interface GE1/0/20\n"))
    assert "GE1/0/20 is in VLAN 1, expected shut" in one.text


def test_vrp5_carries_no_vlan_on_a_port_that_is_no_access_port(model: NetworkModel, files: Files) -> None:
    _, line = port(files, "huawei_vrp5", "edu")
    hybrid = changed(files, "t01-sw", " port link-type access\n", "", line)
    assert ("lost", "t01") in kinds(model, hybrid)


def test_a_line_that_may_decide_where_frames_go_is_not_passed_over(model: NetworkModel, files: Files) -> None:
    trunk = changed(files, "b01-sw", "port default vlan 101", "port link-type trunk")
    with pytest.raises(ProveError, match=r"b01-sw:running-configuration:\d+: .*'port link-type trunk' may decide"):
        found(model, trunk)
    filtered = changed(files, "b03-sw", "ip vrf mgmt\n", "ip vrf mgmt\n!\nvlan access-map x\n")
    with pytest.raises(ProveError, match="vlan access-map x"):
        found(model, filtered)


def test_every_vendor_is_in_the_planted_mistakes(model: NetworkModel, files: Files) -> None:
    proof = prove(model, files)
    try_eyes(proof, 10, 41, lambda *_: None)
    document = proof.document()
    assert document["planted"] == document["found"] == 10
    assert document["kinds"].keys() >= {
        "switch vlan",
        "switch port shut",
        "switch vlan missing",
        "switch login",
        "switch gateway",
    }
    assert {mistake.host for mistake, _ in proof.planted if mistake.path == RUNNING} <= {
        h.name for h in model.by_role(Role.SWITCH)
    }


# The reader -----------------------------------------------------------------------------------------------


def test_lists_of_vlans_and_wildcards() -> None:
    box = parse_switch(
        "x:running-configuration",
        "huawei_vrp5",
        "vlan batch 10 to 12 20\n#\nacl number 2001\n rule 10 deny source 10.0.0.0 0.0.0.255\n rule 5 permit\n#\n",
    )
    assert sorted(box.vlans) == [10, 11, 12, 20]
    entries = box.lists["2001"]
    assert [(each.number, each.permit, each.source) for each in entries] == [
        (10, False, ((10 << 24, (10 << 24) + 255),)),
        (5, True, sets.ADDRESSES),
    ]


@given(st.sampled_from(sorted(SITES)), st.data())
def test_a_configuration_that_lost_lines_is_read_or_refused(platform: str, data: st.DataObject) -> None:
    """Whatever is missing: a switch comes out, or an error with its line."""
    lines = FILES[f"{SITES[platform]}-sw"][RUNNING].splitlines()
    cut = data.draw(st.sets(st.integers(0, len(lines) - 1), max_size=12))
    words = data.draw(st.lists(st.text(st.characters(codec="ascii"), max_size=20), max_size=2))
    text = "\n".join([line for number, line in enumerate(lines) if number not in cut] + words)
    assert _read(platform, text)


def _read(platform: str, text: str) -> str:
    try:
        box = parse_switch("x:running-configuration", platform, text)
    except ProveError as told:
        return "told" if "x:running-configuration" in str(told) else ""
    return "read" if isinstance(box, Switch) and box.ruleset().hooked("input") else ""

"""Rendering: every appliance of every county, secrets only as placeholders, nothing about the machine it ran on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from inventory.load import load_model
from inventory.model import ROUTERS, NetworkModel, Role
from inventory.optics import receive_dbm
from provision.environment import EnvironmentProblem, load_environment
from provision.render import GROUPS, render
from provision.render.nft import zones

TWIN = load_environment("twin")
ENROLMENT = frozenset({"mgmt"})


@pytest.fixture(scope="module", params=["shili", "xiao"])
def model(request: pytest.FixtureRequest) -> NetworkModel:
    return load_model(request.param)


def texts(model: NetworkModel, host: str, networks: frozenset[str] | None = None) -> dict[str, str]:
    return {file.path: file.text for file in render(model, host, TWIN, networks=networks)}


@pytest.mark.parametrize("environment", ["twin", "production"])
def test_every_appliance_renders_the_same_twice(model: NetworkModel, environment: str) -> None:
    chosen = load_environment(environment)
    for host in model.appliances():
        files = render(model, host.name, chosen)
        assert files == render(model, host.name, chosen)
        assert len({file.path for file in files}) == len(files)
        assert [GROUPS.index(file.group) for file in files] == sorted(GROUPS.index(file.group) for file in files)


def test_user_equipment_is_refused(model: NetworkModel) -> None:
    leaf = next(host.name for host in model.hosts.values() if host.role is Role.LEAF)
    with pytest.raises(ValueError, match="not ours to provision"):
        render(model, leaf, TWIN)


def test_private_values_stand_as_placeholders_and_only_ones_own(model: NetworkModel) -> None:
    for host in model.appliances():
        for file in render(model, host.name, TWIN):
            assert "PRIVATE KEY" not in file.text
            for kind, rest in re.findall(r"@secret:(wg|key|ssh)/([^@]*)@", file.text):
                assert rest.rpartition("/")[2] == host.name, (host.name, kind, rest)
                assert file.mode == "0600"


def test_enrolment_brings_the_management_network_and_nothing_of_the_users(model: NetworkModel) -> None:
    for host in model.by_role(*ROUTERS):
        files = texts(model, host.name, ENROLMENT)
        assert set(json.loads(files["/etc/sanwang/network.json"])["namespaces"]) == {"", "mgmt"}
        assert "vrf gov" not in files["/etc/frr/frr.conf"]
        assert not any("snmp" in path or "agent" in path for path in files)
        assert set(files) <= set(texts(model, host.name))


def test_every_allowed_crossing_is_a_rule_and_every_pair_of_zones_is_counted(model: NetworkModel) -> None:
    ruleset = texts(model, model.firewall)["/etc/nftables.conf"]
    names = [zone.name for zone in zones(model)]
    assert set(model.networks) | {"internet"} <= set(names)
    for rule in model.policy:
        assert f'comment "{rule.name}"' in ruleset
    for source in names:
        for target in names:
            expected = 0 if source == target else 1
            assert ruleset.count(f"counter name deny-{source}-{target} drop") == expected
    forward = ruleset[ruleset.index("hook forward") :]
    assert forward.startswith("hook forward priority filter; policy drop")


def test_a_rule_taken_from_the_policy_changes_the_firewall_alone(model: NetworkModel) -> None:
    smaller = replace(model, policy=model.policy[1:])
    changed = {host.name for host in model.appliances() if texts(model, host.name) != texts(smaller, host.name)}
    assert changed == {model.firewall}


def test_rulesets_are_accepted_by_nft(model: NetworkModel) -> None:
    nft = shutil.which("nft")
    if nft is None or subprocess.run([nft, "list", "tables"], capture_output=True, check=False).returncode:
        pytest.skip("needs nft and root")
    seen = set()
    for host in model.appliances():
        for file in render(model, host.name, TWIN):
            kind = (host.role, file.path)
            if file.group == "nft" and kind not in seen:
                seen.add(kind)
                # The switch of the exit is a file of its own beside it.
                beside = texts(model, host.name)
                text = re.sub('include "([^"]*)"', lambda found, beside=beside: beside[found[1]], file.text)
                done = subprocess.run([nft, "-c", "-f", "-"], input=text, text=True, capture_output=True, check=False)
                assert done.returncode == 0, (host.name, file.path, done.stderr)


def test_run_scripts_are_shell(model: NetworkModel) -> None:
    scripts = {
        file.text for host in model.appliances() for file in render(model, host.name, TWIN) if "/sv/" in file.path
    }
    whole = "".join(f"f{place}() {{\n{text}\n}}\n" for place, text in enumerate(scripts))
    assert subprocess.run(["sh", "-n"], input=whole, text=True, capture_output=True, check=False).stderr == ""


def test_what_must_never_wait_goes_first_and_wakes_with_slack(model: NetworkModel) -> None:
    router = next(model.by_role(*ROUTERS))
    for name in ("bfdd", "ospfd"):
        before, _, start = texts(model, router.name)[f"/etc/sanwang/sv/{name}/run"].rpartition("\nexec ")
        assert "/proc/$$/timerslack_ns" in before
        assert start.startswith("'nice' '-n' '-20' "), "a real-time priority has no slack"


def test_no_bfd_session_is_faster_than_the_environment_stands(model: NetworkModel) -> None:
    for host in model.by_role(*ROUTERS):
        intervals = re.findall(r"-interval (\d+)", texts(model, host.name)["/etc/frr/frr.conf"])
        for found in intervals:
            assert int(found) in (TWIN.ospf_hello_s, TWIN.ospf_dead_s) or int(found) >= 100


@pytest.mark.parametrize(("length_km", "dbm"), [(0.0, -6.5), (10.0, -10.0), (40.0, -20.5)])
def test_the_optical_budget(length_km: float, dbm: float) -> None:
    assert receive_dbm(length_km) == dbm


def test_an_unknown_environment_names_those_that_exist() -> None:
    with pytest.raises(EnvironmentProblem, match="production, twin"):
        load_environment("moon")

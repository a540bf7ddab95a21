"""The proof of a plan: its own bytes, before a line of it is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from provision.broker.county import County
from provision.change.plan import Plan, PlanError
from provision.prove import planned
from provision.render import ConfigFile
from sanwang.prove import main
from tests.provision import plans

FIREWALL = "/etc/nftables.conf"


@pytest.fixture
def of(tmp_path: Path) -> County:
    return plans.county(tmp_path / "county")


class Spoilt(County):
    """A county whose renderer has a mistake: one file of one host comes out otherwise."""

    spoilt: tuple[str, str, str, str] = ("", "", "", "")

    def files(self, name: str, networks: frozenset[str] | None = None) -> tuple[ConfigFile, ...]:
        """The renderer's files with the mistake in them."""
        host, path, old, new = self.spoilt
        return tuple(
            replace(file, text=_changed(file.text, old, new)) if (name, file.path) == (host, path) else file
            for file in super().files(name, networks)
        )


def _changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def spoilt(of: County, host: str, path: str, old: str, new: str) -> tuple[Spoilt, Plan]:
    """A county with the mistake, and the plan that would bring it."""
    county = Spoilt(of.folder)
    county.spoilt = (host, path, old, new)
    plan = plans.make(county, {host: plans.Held.as_model(of, host)})
    assert plan.hosts == (host,)
    return county, plan


def test_a_plan_of_good_files_proves(of: County) -> None:
    plan = plans.make(of, {"c1-fw": plans.without_line(of, "c1-fw", FIREWALL, "school-portal")})
    assert planned.unproved(plan, of) == []


def test_the_way_of_the_controller_closed(of: County) -> None:
    leg = of.model.hosts["t01-rt"].management
    county, plan = spoilt(
        of, "t01-rt", "/etc/nftables.d/mgmt.nft", "tcp dport { 22, 9100 } accept", "tcp dport 9100 accept"
    )
    words = planned.unproved(plan, county)
    assert words[0].startswith("not proved: out of reach: mgmt:c2-nms -> t01-rt: the controller does not reach")
    assert f"-> {leg} tcp/22; last seen at t01-rt/mgmt: arrives; refused" in words[0]
    assert "[t01-rt:/etc/nftables.d/mgmt.nft:" in words[0]


def test_policy_not_as_written(of: County) -> None:
    county, plan = spoilt(of, "c1-fw", FIREWALL, 'tcp dport { 443 } counter accept comment "school-portal"', "accept")
    words = planned.unproved(plan, county)
    assert any(each.startswith("not proved: leak: edu:") and "unasked" in each for each in words)
    assert len(words) <= planned.SHOWN + 1


def test_files_that_cannot_be_read_prove_nothing(of: County) -> None:
    county, plan = spoilt(of, "c1-fw", FIREWALL, "tcp dport { 443 }", "tcp dport { no-port }")
    assert planned.unproved(plan, county)[0].startswith("not proved: c1-fw:/etc/nftables.conf:")


def test_other_bytes_than_the_planned_ones_are_refused(of: County) -> None:
    plan = plans.make(of, {"c1-fw": plans.without_line(of, "c1-fw", FIREWALL, "school-portal")})
    county = Spoilt(of.folder)
    county.spoilt = ("c1-fw", FIREWALL, "school-portal", "another-word")
    with pytest.raises(PlanError, match=r"c1-fw: wanted: found files with the SHA-256 .* expected the planned bytes"):
        planned.unproved(plan, county)
    (of.folder / "county.yml").write_text((of.folder / "county.yml").read_text() + "# later\n")
    with pytest.raises(PlanError, match=r"fingerprint: found county's files .* changed since"):
        planned.unproved(plan, of)


def test_the_command_proves_a_plan(of: County, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = plans.make(of, {"c1-fw": plans.without_line(of, "c1-fw", FIREWALL, "school-portal")})
    saved = tmp_path / "a.plan"
    plan.save(saved)
    arguments = ["--plan", str(saved), "--county", str(of.folder), "--json"]
    assert main(["--all", *arguments]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["disagreements"] == 0
    assert document["plan"] == plan.digest
    assert main(["edu:s001 -> gov:portal tcp/443", *arguments]) == 0
    (of.folder / "county.yml").write_text((of.folder / "county.yml").read_text() + "# later\n")
    assert main(["--all", *arguments]) == 2
    assert "make the plan again" in capsys.readouterr().err

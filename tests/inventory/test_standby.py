"""The standby management host: beside the other, and in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

from inventory import switches
from inventory.load import load_model
from inventory.model import Role
from inventory.places import COUNTIES
from inventory.schema import SwitchesIntent, SwitchIntent


def test_a_standby_takes_over_and_no_name_or_address_moves(tmp_path: Path) -> None:
    shutil.copytree(COUNTIES / "xiao", tmp_path / "xiao")
    before = load_model(tmp_path / "xiao")
    assert (before.nms, before.standby) == ("c2-nms", "c1-nms")
    assert before.hosts["c1-nms"].role is Role.STANDBY
    dead = SwitchIntent(who="li", why="its room burnt", at="2027-05-01T00:00:00+00:00")
    switches.write(tmp_path / "xiao", SwitchesIntent(management=dead))
    after = load_model(tmp_path / "xiao")
    assert (after.nms, after.standby) == ("c1-nms", "c2-nms")
    assert after.taken_over is not None
    assert after.services["meet"].address == after.hosts["c1-nms"].management
    assert set(before.controllers()) == set(after.controllers())
    for host in before.hosts.values():
        assert after.hosts[host.name].ports == host.ports

"""Groups, stages, host patterns and the count of host-tasks, on the reference county."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.load import load_model
from inventory.model import NetworkModel, Role
from provision.broker.groups import STAGES, groups, match
from provision.play import PLAYBOOKS
from provision.tally import stages


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return load_model("shili")


def _all(model: NetworkModel) -> list[str]:
    return [host.name for host in model.appliances()]


def test_every_appliance_is_in_one_stage_and_one_role(model: NetworkModel) -> None:
    members = groups(model)
    staged = [host for stage in STAGES for host in members[f"stage_{stage}"]]
    assert sorted(staged) == sorted(_all(model))
    roles = [host for role in Role for host in members.get(role.value, ())]
    assert sorted(roles) == sorted(_all(model))
    assert model.nms in members["stage_centres"]
    assert all(model.hosts[name].role in (Role.CPE, Role.PARTNER) for name in members["stage_remote"])


def test_patterns_as_ansible_reads_them(model: NetworkModel) -> None:
    members, everyone = groups(model), _all(model)
    assert match("all", members, everyone) == tuple(everyone)
    assert match("core:nms", members, everyone) == ("c1-core", "c2-core", "c2-nms", "c3-core")
    assert match("c?-core,!c2-core", members, everyone) == ("c1-core", "c3-core")
    assert match("access:&at_township", members, everyone) == tuple(f"t{n:02}-rt" for n in range(1, 12))
    assert "c1-fw" not in match("!firewall", members, everyone)


def test_a_pattern_without_a_host_names_what_is_near(model: NetworkModel) -> None:
    with pytest.raises(ValueError, match=r"did you mean .*c1-core"):
        match("c1-cor", groups(model), _all(model))


def test_the_tally_counts_plays_tags_and_limits(model: NetworkModel, tmp_path: Path) -> None:
    book = tmp_path / "book.yml"
    book.write_text(
        "- hosts: core\n  name: one\n  tags: a\n  tasks:\n  - {debug: }\n  - {debug: , tags: b}\n"
        "- import_playbook: other.yml\n  tags: c\n"
    )
    (tmp_path / "other.yml").write_text("- hosts: all\n  name: two\n  tasks:\n  - {debug: , run_once: true}\n")
    members, everyone = groups(model), _all(model)

    def count(**options: object) -> list[int]:
        return [stage.host_tasks for stage in stages(book, members, everyone, **options)]  # type: ignore[arg-type]

    assert count() == [6, 1]
    assert count(limit="c1-core") == [2, 1]
    assert count(tags=["b"]) == [3]
    assert count(tags=["c"]) == [1]
    with pytest.raises(ValueError, match="neither a host nor a group"):
        count(limit="nowhere")


@pytest.mark.parametrize("book", sorted(path.name for path in PLAYBOOKS.glob("*.yml")))
def test_every_playbook_of_the_project_can_be_counted(model: NetworkModel, book: str) -> None:
    assert stages(PLAYBOOKS / book, groups(model), _all(model))

"""How much work a playbook will be, before it runs: host-tasks counted from the playbooks and the model.

Reads the playbooks of this project (imports, host patterns, tags, ``run_once``), which use no more of Ansible than
that; it does not import Ansible, and never decides what runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from provision.broker.groups import match


@dataclass(frozen=True, slots=True)
class Stage:
    """One play: its name, the hosts it works on, and its number of host-tasks."""

    name: str
    hosts: tuple[str, ...]
    host_tasks: int


def stages(
    playbook: Path,
    members: Mapping[str, tuple[str, ...]],
    hosts: Iterable[str],
    *,
    limit: str = "",
    tags: Iterable[str] = (),
) -> tuple[Stage, ...]:
    """The plays that will run, in order.

    ``members`` maps groups to hosts, ``hosts`` is every host.  ValueError when ``limit`` or a play's pattern matches
    nothing that the county knows; OSError when a playbook is missing.
    """
    everyone = tuple(hosts)
    allowed = frozenset(match(limit, dict(members), everyone)) if limit else frozenset(everyone)
    if not allowed:
        raise ValueError(f"--limit {limit!r} leaves no host")
    wanted = frozenset(tags)
    found = []
    for play, inherited in _plays(playbook, frozenset()):
        chosen = tuple(host for host in match(str(play["hosts"]), dict(members), everyone) if host in allowed)
        tasks = [task for task in play.get("tasks", []) if _selected(_tags(task) | inherited, wanted)]
        if chosen and tasks:
            count = sum(1 if task.get("run_once") else len(chosen) for task in tasks)
            found.append(Stage(str(play.get("name", play["hosts"])), chosen, count))
    return tuple(found)


def _plays(playbook: Path, inherited: frozenset[str]) -> Iterable[tuple[dict[str, Any], frozenset[str]]]:
    for play in YAML(typ="safe").load(playbook.read_text()) or []:
        tags = inherited | _tags(play)
        imported = play.get("import_playbook") or play.get("ansible.builtin.import_playbook")
        if imported:
            yield from _plays(playbook.parent / imported, tags)
        else:
            yield play, tags


def _tags(item: Mapping[str, Any]) -> frozenset[str]:
    tags = item.get("tags", ())
    return frozenset(tags.split(",") if isinstance(tags, str) else tags)


def _selected(tags: frozenset[str], wanted: frozenset[str]) -> bool:
    return not wanted or "all" in wanted or bool(tags & (wanted | {"always"}))

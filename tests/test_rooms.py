"""The house: which room may import which, held over every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

TABLE: dict[str, frozenset[str]] = {
    "inventory": frozenset(),
    "store": frozenset(),
    "identity": frozenset({"store"}),
    "twin": frozenset({"inventory"}),
    "provision": frozenset({"identity", "store", "inventory"}),
    "collectors": frozenset({"identity", "store", "inventory"}),
    "vconf": frozenset({"identity", "store", "inventory"}),
    "playbooks": frozenset({"provision", "inventory"}),
    "dashboards": frozenset({"collectors", "provision", "vconf", "identity", "store", "inventory"}),
    "drills": frozenset(
        {"dashboards", "playbooks", "vconf", "collectors", "provision", "twin", "identity", "store", "inventory"}
    ),
    "web": frozenset(),
    "sanwang": frozenset(
        {
            "drills", "dashboards", "playbooks", "vconf", "collectors",
            "provision", "twin", "identity", "store", "inventory",
        }
    ),
}  # fmt: skip

PLUGIN_DOORS = ("provision.broker", "inventory")
"""What an Ansible plugin may reach: the broker through its socket, and the model."""


def files(room: str) -> list[Path]:
    """Every Python file of a room that is ours."""
    return [
        path
        for path in sorted((ROOT / room).rglob("*.py"))
        if not {"node_modules", "dist", "artifacts", "__pycache__"} & set(path.parts)
    ]


def name_of(path: Path) -> str:
    """Dotted name of the module in a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> frozenset[tuple[str, int]]:
    """Every absolute module name that a file imports, anywhere in it, with its line."""
    found = set()
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found |= {(alias.name, node.lineno) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
            found |= {(f"{base}.{alias.name}", node.lineno) for alias in node.names}
    return frozenset(found)


@cache
def modules() -> dict[str, Path]:
    """Every module of the house by name."""
    return {name_of(path): path for room in TABLE for path in files(room)}


def inside(name: str) -> str | None:
    """The house's module that a dotted name is, or is taken from; None for a library."""
    while name:
        if name in modules():
            return name
        name = name.rpartition(".")[0]
    return None


def closure(start: str) -> dict[str, str]:
    """All modules that importing one brings into the process: name -> who brought it."""
    brought = {start: "the start"}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        for name, _ in imports(modules()[module]):
            own = inside(name)
            found = own or name.split(".")[0]
            if found not in brought:
                brought[found] = module
                if own:
                    waiting.append(own)
    return brought


def crossings(room: str) -> Iterator[str]:
    """Every import of another room that the table does not allow."""
    for path in files(room):
        for name, line in sorted(imports(path)):
            other = name.split(".")[0]
            if other in TABLE and other != room and other not in TABLE[room]:
                yield f"{path.relative_to(ROOT)}:{line} imports {name}: {room} may import {sorted(TABLE[room])}"


@pytest.mark.parametrize("room", TABLE)
def test_a_room_imports_only_what_its_row_allows(room: str) -> None:
    assert list(crossings(room)) == []


def test_every_room_is_in_the_table() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert rooms <= TABLE.keys()


def test_no_library_room_imports_tests_or_bench() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in TABLE
        for path in files(room)
        for name, line in imports(path)
        if name.split(".")[0] in ("tests", "bench")
    ]
    assert wrong == []


def test_plugins_of_ansible_are_thin_clients() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files("playbooks")
        for name, line in imports(path)
        if name.split(".")[0] in TABLE and not name.startswith(PLUGIN_DOORS)
    ]
    assert wrong == []


def test_scapy_and_ansible_never_share_a_process() -> None:
    """Their licences (GPL-2.0-only, GPL-3.0) do not go together."""
    for start in modules():
        brought = closure(start)
        assert not {"scapy", "ansible"} <= brought.keys(), (
            f"importing {start} brings scapy (by {brought['scapy']}) and ansible (by {brought['ansible']})"
        )


def test_the_walk_sees_relative_and_nested_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: a forbidden import is found wherever it hides."""
    (tmp_path / "store" / "deep").mkdir(parents=True)
    for folder in ("store", "store/deep"):
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "store" / "deep" / "a.py").write_text(
        "from .. import engine\nfrom .b import c\n"
        "def f():\n    from twin import county\n    import vconf.media.engine\n"
    )
    monkeypatch.setattr("tests.test_rooms.ROOT", tmp_path)
    found = {name for name, _ in imports(tmp_path / "store" / "deep" / "a.py")}
    assert found == {"store.engine", "store.deep.b.c", "twin.county", "vconf.media.engine"}
    assert [line.split(" ")[2] for line in crossings("store")] == ["twin.county:", "vconf.media.engine:"]

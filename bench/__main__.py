"""``python -m bench [NAME ...]``: run the measurements, all or some, one table each.

example: make bench ARGS="store --json"
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from bench.table import printed

_HELPERS = {"__init__", "__main__", "table", "soak"}  # a soak compares nothing: make soak


def names() -> list[str]:
    """Every measurement there is."""
    found = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return sorted(name for name in found if name not in _HELPERS and "_" not in name)  # provision_fleet.py is a helper


def main(argv: list[str] | None = None) -> int:
    """Exit code 0, or 2 for a name that is none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure, side by side.",
        epilog=f"measurements: {', '.join(names())}; example: python -m bench store --json",
    )
    parser.add_argument("name", nargs="*", choices=[*names(), []], help="only these")
    parser.add_argument("--json", action="store_true", help="one JSON document as the last line")
    options = parser.parse_args(argv)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().split('-')[0]}"
    print(f"{machine}, Python {platform.python_version()}\n", flush=True)
    found = {}
    for name in options.name or names():
        module = import_module(f"bench.{name}")
        rows = module.rows()
        print(printed((module.__doc__ or name).splitlines()[0].rstrip("."), rows), end="\n\n", flush=True)
        found[name] = [asdict(row) for row in rows]
    if options.json:
        print(json.dumps({"machine": machine, "measurements": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

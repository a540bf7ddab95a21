"""The C engine's library: ``python -m vconf.media.compile`` builds it where there is a compiler; nothing needs it.

The library carries the checksum of its sources, so that one that is older than they are is never used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("native")
LIBRARY = FOLDER / "plane.so"
FLAGS = ("-std=c11", "-O3", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")


def checksum() -> str:
    """Of the sources as they are."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.[ch]")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def compiler() -> str | None:
    """The machine's C compiler, None without one."""
    return shutil.which(os.environ.get("CC", "cc"))


def built() -> bool:
    """Whether the library is there and carries the sources' checksum; looks at the file alone."""
    return LIBRARY.exists() and checksum().encode() in LIBRARY.read_bytes()


def build(into: Path = LIBRARY, *more: str) -> None:
    """Compile; subprocess.CalledProcessError with the compiler's words when it fails."""
    program = compiler()
    assert program is not None, "no C compiler"
    sources = sorted(str(path) for path in FOLDER.glob("*.c"))
    made = into.with_suffix(f".{os.getpid()}")
    command = [program, *FLAGS, *more, f'-DPLANE_SOURCE="{checksum()}"', *sources, "-o", str(made), "-lm"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    made.replace(into)  # at once: a relay may be starting


def main() -> int:
    """0 built, up to date, or no compiler; 1 the compiler failed."""
    if compiler() is None or built():
        return 0
    try:
        build()
    except subprocess.CalledProcessError as error:
        print(f"{error.stderr}\nthe C media engine was not built; relays use the Python one", file=sys.stderr)
        return 1
    print("the C media engine: built")
    return 0


if __name__ == "__main__":
    sys.exit(main())

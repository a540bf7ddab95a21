"""Running a command: no shell, no threads, no pipes to wait on, and none of what ``subprocess`` loads for them.

Standard library only: it runs on the device, where a call's own start is most of what it costs.
"""

from __future__ import annotations

import os


class DeviceError(Exception):
    """A command on the device failed: which, and its words."""


def call(argv: list[str], text: str | None = None) -> tuple[int, str, str]:
    """(exit code, output, errors) of a command; ``text`` is its input, else there is none.

    Raises OSError when there is no such command.
    """
    given, out, err = (os.memfd_create(name) for name in ("given", "out", "err"))
    try:
        if text:
            os.write(given, text.encode())
            os.lseek(given, 0, os.SEEK_SET)
        ends = [(os.POSIX_SPAWN_DUP2, handle, place) for place, handle in enumerate((given, out, err))]
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=ends)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, _text(out), _text(err)
    finally:
        for handle in (given, out, err):
            os.close(handle)


def _text(handle: int) -> str:
    return os.pread(handle, os.fstat(handle).st_size, 0).decode(errors="replace")


def run(argv: list[str], text: str | None = None) -> str:
    """A command's output; DeviceError with its words when it fails."""
    code, out, err = call(argv, text)
    if code:
        raise DeviceError(f"{' '.join(argv)}: {(err or out).strip()[:600]}")
    return out

"""Network namespaces of the machine: bulk creation, settings, and who lives in them."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pyroute2 import netns as pyroute2_netns

from twin.errors import TwinError

NETNS_DIR = Path("/run/netns")

HOST_SYSCTLS: Mapping[str, str] = {
    # Order counts: IPv6 goes off before any device exists, so that no address is ever tried on the cables.
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
}
"""A fresh namespace inherits the machine's settings: these make every twin start the same everywhere."""

PLANT_SYSCTLS: Mapping[str, str] = {
    **HOST_SYSCTLS,
    "net/bridge/bridge-nf-call-iptables": "0",
    "net/bridge/bridge-nf-call-arptables": "0",
}


def ip_batch(lines: Iterable[str], namespace: str = "", *, force: bool = False) -> None:
    """Run ``ip`` commands in one process, inside ``namespace`` when given.

    ``force`` goes on after a failing line (used when removing). Raises TwinError with the failing line.
    """
    commands = list(lines)
    if not commands:
        return
    where = ["-n", namespace] if namespace else []
    argv = ["ip", *where, *(["-force"] if force else []), "-batch", "-"]
    done = subprocess.run(argv, input="\n".join(commands) + "\n", capture_output=True, text=True, check=False)
    if done.returncode and not force:
        raise TwinError(f"ip failed in {namespace or 'the machine'}: {_explain(done.stderr, commands)}")


def _explain(stderr: str, commands: list[str]) -> str:
    """Put the command beside ip's "Command failed -:LINE"."""
    for text in stderr.splitlines():
        _, _, number = text.partition("Command failed -:")
        if number.strip().isdigit():
            return f"{commands[int(number) - 1]!r}: {stderr.strip()}"
    return stderr.strip()


def in_namespace(namespace: str, work: Callable[[], None]) -> None:
    """Call ``work`` in a thread of its own that has entered ``namespace``; its exception is raised here."""
    failure: list[BaseException] = []

    def enter() -> None:
        try:
            pyroute2_netns.setns(namespace)
            work()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=enter, name=f"in-{namespace}")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def set_sysctls(settings: Mapping[str, str]) -> None:
    """Write settings of the namespace the calling thread is in; those this kernel lacks are skipped."""
    for key, value in settings.items():
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/sys", key).write_text(value)


def create(wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Create namespaces (name -> its settings), each with ``lo`` up."""
    ip_batch(f"netns add {name}" for name in wanted)

    def settle() -> None:
        for name, settings in wanted.items():
            pyroute2_netns.setns(name)
            set_sysctls(settings)

    if wanted:
        in_namespace(next(iter(wanted)), settle)


def delete(names: Iterable[str]) -> None:
    """Delete namespaces that exist; the others are ignored."""
    ip_batch([f"netns del {name}" for name in names if (NETNS_DIR / name).exists()], force=True)


def inodes(names: Iterable[str]) -> frozenset[int]:
    """Inode numbers of named namespaces that exist: how a process in them is recognised."""
    found = set()
    for name in names:
        with contextlib.suppress(OSError):
            found.add((NETNS_DIR / name).stat().st_ino)
    return frozenset(found)


def processes_in(wanted: frozenset[int]) -> list[int]:
    """Pids of every process whose network namespace is one of ``wanted`` (inode numbers)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "ns" / "net").stat().st_ino in wanted:
                    found.append(int(entry.name))
    return found

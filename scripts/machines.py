"""Machines of a test in namespaces of their own: a disk, network cards, and systemd as their first process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PLANT = "bundletest"
"""Begin of every namespace's name; the cables' middle is the namespace of this name."""

CGROUPS = next(
    (path for path in map(Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")) if (path / "cgroup.procs").exists()), None
)

BOOT = """set -e
root=$1 lower=$2 upper=$3 work=$4 cgroup=$5
mount -t overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" overlay "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs dev
for name in null zero full random urandom tty net/tun; do
    mkdir -p "$(dirname "dev/$name")"
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir -p dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mkdir -p .old
pivot_root . .old
umount -l /.old
mount --make-rshared /
# whoever would set the clock would set this machine's
exec env -i container=bundle-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    setpriv --bounding-set -sys_time --inh-caps -sys_time /lib/systemd/systemd --log-target=journal
"""


class Failed(Exception):
    """A step did not do what it must; with its words."""


def run(argv: Sequence[str], *, within_s: float = 300, good: bool = True, stdin: Path = Path("/dev/null")) -> str:
    """Run a command to its end; Failed with its last words."""
    with stdin.open("rb") as file:
        done = subprocess.run(argv, stdin=file, capture_output=True, text=True, timeout=within_s)
    if good and done.returncode:
        words = (done.stdout + done.stderr).strip().splitlines()[-25:]
        raise Failed(f"{' '.join(argv[-6:])}: exit code {done.returncode}\n  " + "\n  ".join(words))
    return done.stdout


class Machine:
    """One machine: a network namespace for its cards, a disk over what the bundle installed, and systemd."""

    def __init__(self, name: str, place: Path, base: Path) -> None:
        self.name, self.place, self.base = name, place / name, base
        self.space = f"{PLANT}-{name}"
        self.pid = 0
        for folder in ("upper", "work", "root"):
            (self.place / folder).mkdir(parents=True)

    @contextlib.contextmanager
    def disk(self) -> Iterator[Path]:
        """The machine's disk, while it is off."""
        root = self.place / "root"
        options = f"lowerdir={self.base},upperdir={self.place / 'upper'},workdir={self.place / 'work'}"
        run(["mount", "-t", "overlay", "-o", options, "overlay", str(root)])
        try:
            yield root
        finally:
            run(["umount", str(root)])

    def boot(self) -> None:
        """Power on; returns once systemd has started what it was told to."""
        assert CGROUPS is not None
        group = CGROUPS / self.space
        group.mkdir(exist_ok=True)
        keeper = subprocess.Popen(
            [
                *("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(group)),
                *("nsenter", f"--net=/run/netns/{self.space}"),
                *("unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"),
                *("sh", "-c", BOOT, "boot", str(self.place / "root"), str(self.base)),
                *(str(self.place / "upper"), str(self.place / "work"), str(group)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=(self.place / "console").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.keeper = keeper
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children")

        def up() -> str:
            if keeper.poll() is not None:
                raise Failed(f"{self.name} did not boot: {(self.place / 'console').read_text()[-800:]}")
            words = children.read_text().split()
            if not words:
                return "no first process yet"
            self.pid = int(words[0])
            if Path(f"/proc/{self.pid}/comm").read_text().strip() != "systemd":
                return "systemd has not begun"
            said = self.run("systemctl", "is-system-running", good=False).strip()
            return "" if said in ("running", "degraded") else f"systemd says {said!r}"

        wait(f"{self.name} boots", up, 90)

    def off(self) -> None:
        """Power lost."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.keeper.wait(30)
            self.pid = 0

    def run(self, *argv: str, good: bool = True, within_s: float = 120, stdin: Path = Path("/dev/null")) -> str:
        """Run a command on the machine."""
        inside = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C"]
        return run(
            [*inside, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", *argv],
            good=good,
            within_s=within_s,
            stdin=stdin,
        )


def wait(what: str, ask: Callable[[], str], within_s: float) -> None:
    """Ask until nothing is missing; Failed with what still is."""
    end = time.monotonic() + within_s
    while missing := ask():
        if time.monotonic() > end:
            raise Failed(f"{what}: after {within_s:.0f} s: {missing}")
        time.sleep(0.5)


def cable(ports: dict[str, list[tuple[str, str, str]]], machines: dict[str, Machine]) -> None:
    """Plug every port (host -> [(port, far host, far port)]) of the machines.

    Again after every loss of power: cards in a VRF are gone with it, as real ones are not.
    A cable to a machine that is not there has a dark far end; ``stg0`` is plugged into one switch.  Which card is which
    port stands in each machine's ``ports``, as the installer would write it down.
    """
    for space in (PLANT, *(machine.space for machine in machines.values())):
        run(["ip", "netns", "add", space])
    inside = ["ip", "-n", PLANT, "link"]
    run([*inside, "add", "staging", "type", "bridge"])
    run([*inside, "set", "staging", "up"])
    tables: dict[str, list[str]] = {name: [] for name in machines}
    count = 0
    for name, machine in machines.items():
        for port, peer, peer_port in [("stg0", "", ""), *ports[name]]:
            if peer in machines and (peer, peer_port) < (name, port):
                continue  # plugged from the other side
            count += 1
            near, far = f"e{count}a", f"e{count}b"
            macs = [f"52:54:00:{side:02x}:{count >> 8:02x}:{count & 255:02x}" for side in (0, 1)]
            pair = ["type", "veth", "peer", "name", far, "mtu", "1600", "address", macs[1]]
            run([*inside, "add", near, "mtu", "1600", "address", macs[0], *pair])
            run([*inside, "set", near, "netns", machine.space])
            tables[name].append(f"{port} now:{macs[0]}")
            if peer in machines:
                run([*inside, "set", far, "netns", machines[peer].space])
                tables[peer].append(f"{peer_port} now:{macs[1]}")
            elif port == "stg0":
                run([*inside, "set", far, "master", "staging", "up"])
    for name, lines in tables.items():
        (machines[name].place / "ports").write_text("\n".join(lines) + "\n")


def remove(machines: Sequence[Machine]) -> None:
    """Power off, and nothing of them is left but their folders."""
    for machine in machines:
        machine.off()
        run(["ip", "netns", "delete", machine.space], good=False)
        assert CGROUPS is not None
        group = CGROUPS / machine.space
        for folder in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
            with contextlib.suppress(OSError):
                folder.rmdir()
    run(["ip", "netns", "delete", PLANT], good=False)

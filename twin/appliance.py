"""Appliances: a disk of their own, and an init in namespaces of their own.

A host's disk is ``Places.hosts/<host>``: ``etc`` lies over the machine's /etc (what Debian's packages installed),
``lib`` and ``log`` are its /var/lib and /var/log. They survive a restart of the host, as a machine's disk does.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from inventory.model import Host
from inventory.places import CHECKOUT, Places
from twin import children, names
from twin.errors import TwinError
from twin.state import Process, State

_INIT = Path(__file__).with_name("init.sh")
_HIDDEN = tuple(map(Path, ("/run", "/tmp", "/var/tmp", "/root", "/var/lib", "/var/log")))  # what init.sh covers
_LIB_OWNERS = {"frr": "frr", "snmp": "Debian-snmp", "chrony": "_chrony", "nginx": "root", "prometheus": "prometheus"}
_LOG_OWNERS = {"frr": "frr", "nginx": "www-data", "chrony": "_chrony", "prometheus": "prometheus"}
_START_SECONDS = 60.0

_STAGING_CONFIG = """\
# The staging port: first enrolment only, root by the county's bootstrap key.
ListenAddress {address}
Port 22
HostKey /etc/sanwang/staging/ssh_host_ed25519_key
AuthorizedKeysFile /etc/sanwang/staging/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers root
UsePAM no
UseDNS no
PrintLastLog no
PidFile none
MaxStartups 50
Subsystem sftp internal-sftp
"""

_STAGING_RUN = """\
#!/bin/sh
exec 2>&1
exec /usr/sbin/sshd -D -e -f /etc/sanwang/staging/sshd_config
"""


def make_disk(places: Places, host: Host, bootstrap_key: str) -> None:
    """Create a host's disk if it has none: empty but for names and the staging port's sshd.

    ``bootstrap_key`` is one authorized_keys line.
    """
    disk = places.hosts / host.name
    if (disk / "ready").exists():
        return
    shutil.rmtree(disk, ignore_errors=True)
    etc = disk / "etc"
    staging = etc / "sanwang" / "staging"
    service = etc / "sanwang" / "sv" / "staging-sshd"
    for folder in (disk / "etc.work", staging, service):
        folder.mkdir(parents=True)
    for parent, owners in (("lib", _LIB_OWNERS), ("log", _LOG_OWNERS)):
        for name, owner in owners.items():
            folder = disk / parent / name
            folder.mkdir(parents=True, mode=0o750)
            _own(folder, owner)
    disk.chmod(0o755)
    (etc / "sanwang").chmod(0o755)
    staging.chmod(0o700)
    assert host.staging is not None
    (etc / "hostname").write_text(host.name + "\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n")
    (etc / "resolv.conf").write_text("# The county's names are in /etc/hosts: no packet leaves the county.\n")
    (etc / "service").symlink_to("/etc/sanwang/sv")
    (staging / "sshd_config").write_text(_STAGING_CONFIG.format(address=host.staging.ip))
    (staging / "authorized_keys").write_text(bootstrap_key.strip() + "\n")
    host_key(staging / "ssh_host_ed25519_key", host.name)
    run = service / "run"
    run.write_text(_STAGING_RUN)
    run.chmod(0o755)
    (disk / "ready").touch()


def _own(folder: Path, user: str) -> None:
    """Give a folder to a daemon's user; root keeps it where the package is not installed."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return
    os.chown(folder, entry.pw_uid, entry.pw_gid)


def host_key(path: Path, host: str) -> None:
    """Generate the staging sshd's own key, once in the life of a disk."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{host} staging", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def start(places: Places, host: Host, *, shared: bool, visible: Iterable[Path] = ()) -> None:
    """Start a host's init and wait until its supervisor runs.

    ``shared``: the management host, which sees the instance's own /run and /var/lib folders.
    ``visible``: further folders that stay visible inside. Raises TwinError with init's own words.
    """
    assert host.staging is not None
    argv = [
        "nsenter",
        f"--net=/run/netns/{names.namespace(places.instance, host.name)}",
        *("unshare", "--mount", "--uts", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"),
        *("sh", str(_INIT), host.name, str(places.hosts / host.name), str(host.staging)),
        f"sanwang/{places.instance}" if shared else "-",
        *map(str, _kept(visible)),
    ]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    keeper = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd="/",
        start_new_session=True,
    )
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    state = State(places)
    try:
        init = _child(keeper)
        state.record_host(host.name, Process.of(keeper.pid), Process.of(init))
        ready = keeper.stdout.readline()
    except (ProcessLookupError, TimeoutError):
        ready = b""
    if ready.strip() != b"ready":
        keeper.kill()
        words = keeper.stderr.read().decode(errors="replace").strip()
        keeper.wait()
        state.forget_host(host.name)
        raise TwinError(f"{host.name} did not start: {words or 'its init ended without a word'}")
    keeper.stdout.close()
    keeper.stderr.close()
    children.keep(keeper)


def _child(keeper: subprocess.Popen[bytes]) -> int:
    """Pid of init: the only child of its keeper."""
    children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if keeper.poll() is not None:
            raise ProcessLookupError(keeper.pid)
        words = children.read_text().split()
        if words:
            return int(words[0])
        time.sleep(0.002)
    raise TimeoutError


def _kept(visible: Iterable[Path]) -> list[Path]:
    """Folders to keep visible: those below a folder that init hides, without those inside another."""
    wanted = {path.resolve() for path in (CHECKOUT, Path(sys.prefix), Path(sys.base_prefix), *visible)}
    hidden = {path for path in wanted if path.is_dir() and any(path.is_relative_to(mask) for mask in _HIDDEN)}
    return sorted(path for path in hidden if not any(path != other and path.is_relative_to(other) for other in hidden))

"""What this machine lacks for a twin, in plain words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_COMMANDS = {
    # command: the Debian package that brings it
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "runsvdir": "runit",
    "sv": "runit",
    "tcpdump": "tcpdump",
    "conntrack": "conntrack",
    "wg": "wireguard-tools",
    "wireguard-go": "wireguard-go",
    "swanctl": "strongswan-swanctl",
    "snmpd": "snmpd",
    "keepalived": "keepalived",
    "nginx": "nginx-light",
    "chronyd": "chrony",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "/usr/lib/frr/zebra": "frr",
    "/usr/lib/ipsec/charon": "strongswan-charon",
}

_DEVICES = {
    "veth pairs": "ip link add tw0 type veth peer name tw1",
    "bridges": "ip link add tw0 type bridge mcast_snooping 0 group_fwd_mask 0x4000",
    "VXLAN": "ip link add tw0 type vxlan id 1 dstport 4789 local 127.0.0.1",
    "nftables": "nft add table inet tw0",
    "nftables' egress hook (Linux 5.16)": "ip link add tw0 type veth peer name tw1; nft add table netdev t;"
    " nft 'add chain netdev t c { type filter hook egress device tw0 priority 0; }'",
}

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> list[str]:
    """One line for every thing that is missing, with the next step; empty when a twin can come up."""
    if sys.platform != "linux":
        return [f"this is {sys.platform}: the twin needs Linux (a virtual machine with Debian 12 does)"]
    if os.geteuid() != 0:
        return ["not root: the twin makes network namespaces. Next: run it with sudo"]
    found = [
        f"{command} is missing. Next: apt-get install {package}"
        for command, package in _COMMANDS.items()
        if shutil.which(command, path=_PATH) is None
    ]
    if shutil.which("unshare", path=_PATH) is None or shutil.which("ip", path=_PATH) is None:
        return found
    if not _works(["unshare", "--net", "--mount", "--pid", "--fork", "true"]):
        return [*found, "no namespaces: this kernel or container forbids them. Next: a machine or privileged container"]
    for what, command in _DEVICES.items():
        if not _works(["unshare", "--net", "sh", "-ec", command]):
            found.append(f"{what}: this kernel has none. Next: load the module, or use Debian's own kernel")
    if not Path("/dev/net/tun").exists():
        found.append("/dev/net/tun is missing: VPN daemons need it. Next: modprobe tun")
    if not _overlay_works():
        found.append(
            "overlay mounts in /var/lib/sanwang do not work: hosts' disks need them."
            " Next: put /var/lib/sanwang on a file system such as ext4 or xfs (in a container: a volume)"
        )
    return found


def _works(argv: list[str]) -> bool:
    """True when the command succeeds."""
    quiet = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, env={"PATH": _PATH}, check=False)
    return quiet.returncode == 0


def _overlay_works() -> bool:
    """Mount an overlay of /etc in a mount namespace that ends with the test, where the disks will be."""
    base = Path("/var/lib/sanwang")
    created = not base.exists()
    base.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=base, prefix=".check-") as folder:
            for name in ("upper", "work"):
                (Path(folder) / name).mkdir()
            options = f"lowerdir=/etc,upperdir={folder}/upper,workdir={folder}/work"
            return _works(["unshare", "--mount", "mount", "-t", "overlay", "-o", options, "overlay", "/etc"])
    finally:
        if created:
            base.rmdir()

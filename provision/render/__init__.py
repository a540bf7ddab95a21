"""Every file of an appliance, from the model alone.

>>> from inventory.load import load_model
>>> from provision.environment import load_environment
>>> files = render(load_model("shili"), "c1-core", load_environment("twin"))
>>> [file.path for file in files if file.group == "frr"]
['/etc/frr/frr.conf', '/etc/frr/daemons', '/etc/frr/vtysh.conf']
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory.model import ROUTERS, Host, NetworkModel, Role
from provision.environment import Environment
from provision.render.files import GROUPS, ConfigFile, program
from provision.render.frr import daemons, frr_conf
from provision.render.hosted import chrony_files, nms_files, relay_files, server_files, ssh_files
from provision.render.network import line_files, natlog_files, network_json
from provision.render.nft import nft_files
from provision.render.services import service_files, watches_lines
from provision.render.switch import switch_file
from provision.render.vpn import vpn_files
from provision.render.watch import agent_files, snmp_files

__all__ = ["GROUPS", "ConfigFile", "render"]

_ON_DEVICE = "/etc/sanwang/bin"
_TOOL = (
    *("disk.py", "undo.py", "spawn.py", "change.py", "shape.py", "network.py", "netapply.py", "frr.py", "running.py"),
    "calls.py",
)


def render(
    model: NetworkModel, host_name: str, environment: Environment, *, networks: frozenset[str] | None = None
) -> tuple[ConfigFile, ...]:
    """The files of one appliance, in the order of GROUPS; a pure function of its arguments.

    A vendor's switch has one file: its whole running configuration.

    ``networks``: only the underlay and these networks' VRFs, sshd and what carries them (enrolment); a box behind
    a tunnel gets its tunnel too.  Secrets stand as ``@secret:NAME@``.

    Raises KeyError for an unknown host and ValueError for one that is not ours to provision.
    """
    host = model.hosts[host_name]
    if not host.appliance:
        raise ValueError(f"{host_name} is user equipment or stands outside: it is not ours to provision")
    if not host.linux:
        return (switch_file(model, host, networks=networks),)
    files = list(_files(model, host, environment, networks))
    return tuple(sorted(files, key=lambda file: GROUPS.index(file.group)))


def _files(
    model: NetworkModel, host: Host, environment: Environment, networks: frozenset[str] | None
) -> Iterator[ConfigFile]:
    library = f"{_ON_DEVICE}/provision/platforms/linux"
    for name in _TOOL:
        yield ConfigFile(f"{library}/{name}", "0644", program(name), "network")
    yield ConfigFile(f"{_ON_DEVICE}/device", "0755", program("device.py"), "network")
    yield ConfigFile("/etc/sanwang/network.json", "0644", network_json(model, host, networks), "network")
    yield from nft_files(model, host, environment, networks)
    if host.role in ROUTERS:
        yield ConfigFile("/etc/frr/frr.conf", "0644", frr_conf(model, host, environment, networks), "frr")
        names = "".join(f"{name}=yes\n" for name in daemons(host))
        yield ConfigFile("/etc/frr/daemons", "0644", names, "frr")
        yield ConfigFile("/etc/frr/vtysh.conf", "0644", "service integrated-vtysh-config\n", "frr")
    yield from ssh_files(host)
    if host.role in (Role.CPE, Role.PARTNER) or (host.role is Role.VPN and networks is None):
        yield from vpn_files(model, host)
    if networks is None:
        yield from snmp_files(model, host, environment)
        yield from agent_files(model, host)
        yield from chrony_files(model, host, environment)
        if watches_lines(model, host):
            yield from line_files(model)
        if host.role is Role.FIREWALL and model.exits:
            yield from natlog_files(model)
        if host.role is Role.SERVER:
            yield from server_files(model, host)
        if host.role is Role.RELAY:
            yield from relay_files(model, host, environment)
        if host.role is Role.NMS:
            yield from nms_files(model, host, environment)
        if host.role is Role.STANDBY:
            yield ConfigFile("/etc/sanwang/backup.key", "0600", "@secret:psk/backup@\n", "nms")
    yield from service_files(model, host, environment, networks)

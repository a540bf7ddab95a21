"""The services of a host, each with the run script of its supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inventory.model import ROUTERS, Host, NetworkModel, Role
from inventory.relays import bus, is_node
from provision.environment import Environment
from provision.render.files import ConfigFile, fill
from provision.render.frr import daemons
from provision.render.hosted import BUS_FILE
from provision.render.network import CORE_READY, tunnel_device

_FRR = "/usr/lib/frr"
_TOOL = "/etc/sanwang/bin/device"
# Each thread of a daemon keeps tables for as many files as it may open: Debian's unit says 1024, too. A centre has 135.
_FEW_FILES = "ulimit -n 1024"
_FIRST = ("nice", "-n", "-20")
_FIRST_BEFORE = (
    # FRR waits in whole milliseconds rounded down, and asks its sockets again and again for the rest of the last one:
    # two thirds of what BFD costs. A timer that the kernel may fire a millisecond later is past when FRR looks. Real
    # time priorities get no such slack, so it goes before all others with the ordinary ones: itself, and its session.
    "echo 1000000 >/proc/$$/timerslack_ns",
    "if [ -e /proc/$$/autogroup ]; then echo -20 >/proc/$$/autogroup; fi",
)


_JOIN = (
    # A centre that comes back draws its sites' traffic only once the other centres have told it their routes; alone, it
    # waits no longer than this.
    "for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1;"
    " vtysh -c 'show bgp vrf all summary' | grep -Eq ' (Idle|Active|Connect|OpenSent|OpenConfirm) ' || break; done",
    f"sleep 1; : >{CORE_READY}; {_TOOL} net",
)


@dataclass(frozen=True, slots=True)
class Service:
    """One supervised process."""

    name: str
    argv: tuple[str, ...]
    vrf: str = ""  # network namespace it runs in
    folder: str = "/"
    user: str = ""
    before: tuple[str, ...] = ()  # shell lines run first
    after: tuple[str, ...] = ()  # shell lines run beside it, once it has started
    log: str = ""  # file for its words; "" = /var/log/<name>.log
    environment: tuple[tuple[str, str], ...] = ()


_BUS = Service("bus", ("/usr/sbin/nats-server", "-c", BUS_FILE), folder="/etc/sanwang/tls")


def services(
    model: NetworkModel, host: Host, environment: Environment, networks: frozenset[str] | None
) -> tuple[Service, ...]:
    """Every service of a host; at enrolment only what carries the management network, and sshd."""
    found = [Service("network", (_TOOL, "boot"))]
    if host.role in ROUTERS:
        found += (_frr(name) for name in daemons(host))
    if (networks is None and host.role is Role.VPN) or host.role in (Role.CPE, Role.PARTNER):
        found += _tunnels(model, host, environment)
    found.append(Service("sshd", ("/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/sshd_config"), vrf=host.management_vrf))
    if networks is not None:
        return tuple(found)
    found.append(
        Service(
            "snmpd",
            (
                _TOOL,
                "listen",
                host.management_vrf or "-",
                str(host.management),
                "161",
                "/usr/sbin/snmpd",
                "-f",
                "-LOw",
                "-C",
                "-c",
                "/etc/snmp/snmpd.conf",
                "-p",
                "/run/snmpd.pid",
                "-I",
                "-smux",
            ),
            before=("mkdir -p /var/lib/snmp",),
            environment=(("MIBS", ""),),
        )
    )
    # In the default namespace, where the underlay is: it opens its sockets of a VRF by itself.
    found.append(_ours(environment, "agent", "--config", "/etc/sanwang/agent.json"))
    found.append(
        Service(
            "chrony",
            (
                "/usr/sbin/chronyd",
                "-d",
                *(("-x",) if environment.clock == "shared" else ()),
                "-f",
                "/etc/chrony/chrony.conf",
            ),
            vrf=host.management_vrf,
            before=(
                "mkdir -p /run/chrony && chown _chrony:_chrony /run/chrony && chmod 750 /run/chrony",
                "chgrp _chrony /etc/chrony/chrony.keys",
            ),
        )
    )
    if host.role is Role.SERVER:
        found.append(
            Service("nginx", ("/usr/sbin/nginx", "-g", "daemon off;"), before=("mkdir -p /run/nginx /var/log/nginx",))
        )
        found.append(
            Service(
                "keepalived",
                (
                    "/usr/sbin/keepalived",
                    "-n",
                    "-l",
                    "-P",
                    "-f",
                    "/etc/keepalived/keepalived.conf",
                    "-p",
                    "/run/keepalived.pid",
                    "-r",
                    "/run/keepalived-vrrp.pid",
                ),
            )
        )
    if watches_lines(model, host):
        found.append(Service("lines", ("/usr/bin/python3", "-SE", "/etc/sanwang/bin/lines")))
    if host.role is Role.FIREWALL and model.exits:
        found.append(Service("natlog", ("/usr/bin/python3", "-SE", "/etc/sanwang/bin/natlog")))
    if host.role is Role.RELAY:
        found.append(_ours(environment, "relay", "--config", "/etc/sanwang/relay.json"))
    if is_node(model, host):
        found.append(_BUS)
        found.append(_ours(environment, "node", "--config", "/etc/sanwang/node.json"))
    if host.role is Role.NMS and environment.management == "runit":
        found += _management(model, environment)
    return tuple(found)


def watches_lines(model: NetworkModel, host: Host) -> bool:
    """Whether the host chooses between carriers."""
    return host.role is Role.FIREWALL and len(model.exits) > 1


def _ours(environment: Environment, name: str, *arguments: str, vrf: str = "") -> Service:
    return Service(name, tuple(environment.command(name, *arguments)), vrf=vrf, folder=environment.folder)


def _frr(name: str) -> Service:
    """One FRR daemon; it takes its part of frr.conf as soon as it answers, also after a crash."""
    options = ("-n",) if name == "zebra" else ()
    first = name in ("ospfd", "bfdd")
    # A client that asks zebra before it answers comes back ten seconds later, and BFD sessions asked for meanwhile
    # are never asked for again: so each daemon waits for those it needs.
    needs = {"zebra": (), "ospfd": ("zebra", "bfdd"), "bgpd": ("zebra", "bfdd")}.get(name, ("zebra",))
    wait = tuple(_answers(need) for need in needs)
    if name == "zebra":
        # Clients of a zebra that died keep sessions nobody serves any more: they start again with it.
        wait = ("for each in staticd bfdd ospfd bgpd; do sv term /etc/sanwang/sv/$each >/dev/null 2>&1; done",)
    return Service(
        name,
        (*(_FIRST if first else ()), f"{_FRR}/{name}", "-P", "0", *options),
        before=(
            "install -d -o frr -g frr -m 755 /run/frr",
            f"rm -f /run/frr/{name}.vty",
            *wait,
            _FEW_FILES,
            *(_FIRST_BEFORE if first else ()),
        ),
        after=(
            _answers(name),
            f"vtysh -b -d {name}",
            *(_JOIN if name == "bgpd" else ()),
        ),
    )


def _answers(daemon: str) -> str:
    # the socket is the last thing a daemon opens; asking with vtysh would cost a process five times a second
    return f"until [ -S /run/frr/{daemon}.vty ]; do sleep 0.1; done"


def _tunnels(model: NetworkModel, host: Host, environment: Environment) -> Iterator[Service]:
    kinds = tunnel_device(model, host)
    if "wireguard" in kinds:
        userspace = environment.wireguard == "userspace"
        argv = (
            ("/usr/bin/wireguard-go", "-f", "wg0")
            if userspace
            else ("sh", "-c", "ip link add wg0 type wireguard && exec sleep infinity")
        )
        yield Service(
            "wireguard",
            argv,
            before=("mkdir -p /run/wireguard", "ip link del wg0 2>/dev/null || true", "rm -f /run/wireguard/wg0.sock"),
            after=(
                "until wg show wg0 >/dev/null 2>&1; do sleep 0.1; done",
                "wg syncconf wg0 /etc/wireguard/wg0.conf",
                f"{_TOOL} net",
            ),
            environment=(("WG_PROCESS_FOREGROUND", "1"), ("LOG_LEVEL", "error")),
        )
    if "ipsec" in kinds:
        yield Service(
            "charon",
            ("/usr/lib/ipsec/charon", "--use-syslog", "no"),
            before=("mkdir -p /run", "rm -f /run/charon.vici /run/charon.pid"),
            after=(
                "until [ -S /run/charon.vici ]; do sleep 0.1; done",
                "swanctl --load-all --noprompt",
                f"{_TOOL} net",
                *_keep_up(model, host),
            ),
        )


def _keep_up(model: NetworkModel, host: Host) -> Iterator[str]:
    """charon asks once for a tunnel, and over userspace IPsec no packet can ask again: so the box goes on asking."""
    for tunnel in model.tunnels.values():
        if tunnel.host == host.name and tunnel.kind == "ipsec":
            there = f"swanctl --list-sas --ike {tunnel.name} 2>/dev/null | grep -q INSTALLED"
            ask = f"swanctl --initiate --child {tunnel.name} --timeout 10 >/dev/null 2>&1"
            yield f"while [ -d /proc/$$ ]; do {there} || {ask}; sleep 5; done"


def _management(model: NetworkModel, environment: Environment) -> Iterator[Service]:
    # The instance is whose folder the host sees: the county's own name unless two of them run on one machine.
    instance = (
        'SANWANG_INSTANCE="$(ls /run/sanwang 2>/dev/null | head -n 1)"',
        f'export SANWANG_INSTANCE="${{SANWANG_INSTANCE:-{model.name}}}"',
    )
    for name in ("broker", "collect", "serve"):
        argv = tuple(environment.command(name))
        yield Service(name, argv, folder=environment.folder, before=instance)
    if bus(model):
        yield _BUS
    yield Service(
        "prometheus",
        (
            "/usr/bin/prometheus",
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/var/lib/prometheus/metrics2",
            "--storage.tsdb.retention.time=15d",
            "--web.listen-address=127.0.0.1:9090",
            "--log.level=warn",
        ),
        before=("mkdir -p /var/lib/prometheus/metrics2",),
    )
    yield Service(
        "alertmanager",
        (
            "/usr/bin/prometheus-alertmanager",
            "--config.file=/etc/prometheus/alertmanager.yml",
            "--storage.path=/var/lib/prometheus/alertmanager",
            "--web.listen-address=127.0.0.1:9093",
            "--cluster.listen-address=",
            "--log.level=warn",
        ),
        before=("mkdir -p /var/lib/prometheus/alertmanager",),
    )


def service_files(
    model: NetworkModel, host: Host, environment: Environment, networks: frozenset[str] | None
) -> Iterator[ConfigFile]:
    """The supervisor's files, one set for each service."""
    for service in services(model, host, environment, networks):
        text = fill("run.j2", service=service, host=host)
        yield ConfigFile(f"/etc/sanwang/sv/{service.name}/run", "0755", text, "services")

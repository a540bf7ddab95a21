"""Vendors' switches: the same clauses over the configuration of a Huawei, H3C, Ruijie or ZTE device.

Over what is planned for a switch, or over what it runs (a file with its running configuration).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from provision.comply.findings import Found, check, failed, judged, passed, unknown
from provision.comply.subject import Line, Subject, Switch

LONGEST_IDLE_S = 1800


@dataclass(frozen=True, slots=True)
class Tongue:
    """How one platform says what the checks ask; regexes at the start of a line."""

    vty: str  # the block of the login lines
    ssh_only: str  # within it
    telnet: str  # anywhere: remote management in clear
    vty_acl: str  # within it
    ssh_acl: str  # anywhere: for SSH as a whole
    idle: str  # within it; groups minutes and seconds
    idle_default_s: int  # when it is not written
    weak_snmp: str
    time: str  # a server of time
    time_key: str  # what makes it authenticated
    log: str
    used: str  # within an interface's block: the port serves somebody
    shut: str = r"shutdown$"  # within it
    opened: str = ""  # within it, where a port is shut unless it says so


_VRP = Tongue(
    vty=r"(?:user-interface|line)(?: class)? vty",
    ssh_only=r"protocol inbound ssh$",
    telnet=r"telnet (?:ipv6 )?server enable|protocol inbound (?:all|telnet)",
    vty_acl=r"acl (?:ipv6 )?\S+ inbound",
    ssh_acl=r"ssh server acl\S* \S+",
    idle=r"idle-timeout (?P<minutes>\d+)(?: (?P<seconds>\d+))?",
    idle_default_s=600,
    weak_snmp=r"snmp-agent (?:community|sys-info version (?:all|.*v1|.*v2c)|"
    r".* (?:authentication-mode md5|privacy-mode des))",
    time=r"ntp-service (?:unicast-server|unicast-peer)",
    time_key=r" authentication-keyid \d+",
    log=r"info-center loghost \S+",
    used=r"(?:ip address|port (?:default|trunk|hybrid|access|link-type)|eth-trunk|port link-aggregation|ip binding)",
)
_IOS = Tongue(
    vty=r"line vty",
    ssh_only=r"transport input ssh$",
    telnet=r"enable service telnet-server|telnet-server enable|transport input (?:all|telnet)",
    vty_acl=r"access-class \S+ in",
    ssh_acl=r"(?:line telnet|ssh server) access-class \S+",
    idle=r"exec-timeout (?P<minutes>\d+)(?: (?P<seconds>\d+))?",
    idle_default_s=600,
    weak_snmp=r"snmp-server (?:community|(?:enable )?version v[12]|user .*(?:auth md5|priv des))",
    time=r"ntp server",
    time_key=r" key \d+",
    log=r"(?:logging(?: server| host)?|syslog-server host)(?: vrf \S+)? \d+\.\d+\.\d+\.\d+",
    used=r"(?:ip address|switchport|switchvlan|port-group|smartgroup)",
)
_ZTE = replace(_IOS, opened=r"no shutdown$")
TONGUES = {"huawei_vrp8": _VRP, "huawei_vrp5": _VRP, "h3c_comware": _VRP, "ruijie_rgos": _IOS, "zte_zxr10": _ZTE}
_PORT = re.compile(r"interface (?:\d*GE|(?:\w*-?)GigabitEthernet|x?gei[_-]|TenGigabit)", re.IGNORECASE)


def _lines(switch: Switch) -> list[Line]:
    return [Line(switch.path, number, text) for number, text in enumerate(switch.text.splitlines(), 1) if text.strip()]


def _starting(switch: Switch, pattern: str) -> list[Line]:
    return [line for line in _lines(switch) if re.match(pattern, line.text.strip())]


def _blocks(switch: Switch, pattern: str) -> Iterator[list[Line]]:
    """Each view that begins with the pattern, its first line included."""
    block: list[Line] = []
    for line in _lines(switch):
        if line.text[0] not in " \t":
            if block:
                yield block
            block = [line] if re.match(pattern, line.text) else []
        elif block:
            block.append(line)
    if block:
        yield block


def _joined(switch: Switch) -> set[str]:
    """Interfaces that are given a VLAN in another place than their own view, as ZTE's are."""
    found: set[str] = set()
    for block in _blocks(switch, "switchvlan"):
        name = ""
        for line in block[1:]:
            text = line.text.strip()
            name = text if text.startswith("interface ") else name
            if text.startswith("switchport "):
                found.add(name)
    return found


def _each(subject: Subject) -> Iterator[tuple[Switch, Tongue]]:
    return ((switch, TONGUES[switch.platform]) for switch in subject.switches)


def _first(lines: list[Line], pattern: str) -> Line | None:
    return next((line for line in lines if re.match(pattern, line.text.strip())), None)


@check("switch-ssh-only", "8.1.4.1 c)", "交换机远程管理仅 SSH", "switches are managed by SSH only")
def switch_ssh_only(subject: Subject) -> Iterator[Found]:
    """No telnet anywhere, and every login line says SSH itself."""
    for switch, tongue in _each(subject):
        bad = _starting(switch, tongue.telnet)
        yield from (failed(switch.name, str(line)) for line in bad)
        for block in _blocks(switch, tongue.vty):
            said = _first(block, tongue.ssh_only)
            if said or not bad:
                yield judged(said is not None, switch.name, str(said or f"{block[0]}: not restricted to SSH"))


@check("switch-vty-acl", "8.1.4.4 c)", "交换机每个 VTY 有访问控制列表", "an access list on every VTY")
def switch_vty_acl(subject: Subject) -> Iterator[Found]:
    """Each login line, or the SSH server as a whole, takes only listed sources."""
    for switch, tongue in _each(subject):
        whole = _first(_lines(switch), tongue.ssh_acl)
        blocks = list(_blocks(switch, tongue.vty))
        for block in blocks:
            said = _first(block, tongue.vty_acl) or whole
            yield judged(said is not None, switch.name, str(said or f"{block[0]}: no access list"))
        if not blocks:
            yield judged(whole is not None, switch.name, str(whole or f"{switch.path}: no access list for logins"))


@check("switch-idle-timeout", "8.1.4.1 b)", "交换机登录超时自动退出", "an idle login on a switch ends by itself")
def switch_idle_timeout(subject: Subject) -> Iterator[Found]:
    """Half an hour at most; what is not written is the vendor's default."""
    for switch, tongue in _each(subject):
        for block in _blocks(switch, tongue.vty):
            said = _first(block, tongue.idle)
            found = re.match(tongue.idle, said.text.strip()) if said else None
            span_s = int(found["minutes"]) * 60 + int(found["seconds"] or 0) if found else tongue.idle_default_s
            evidence = str(said or f"{block[0]}: not written, the default is {tongue.idle_default_s // 60} minutes")
            yield judged(0 < span_s <= LONGEST_IDLE_S, switch.name, evidence)


@check("switch-snmp-v3", "8.1.4.1 c)", "交换机 SNMP 仅 v3，无团体名", "switches speak SNMPv3 only")
def switch_snmp_v3(subject: Subject) -> Iterator[Found]:
    """No community, no older version, no MD5, no DES."""
    for switch, tongue in _each(subject):
        bad = _starting(switch, tongue.weak_snmp)
        if bad:
            yield from (failed(switch.name, str(line)) for line in bad)
        else:
            yield passed(switch.name, f"{switch.path}: no community, no SNMPv1 or v2c, no MD5, no DES")


@check("switch-time", "8.1.3.5 b)", "交换机时钟同步经认证", "switches take an authenticated time")
def switch_time(subject: Subject) -> Iterator[Found]:
    """Every server of time with a key."""
    for switch, tongue in _each(subject):
        servers = _starting(switch, tongue.time)
        for line in servers:
            yield judged(bool(re.search(tongue.time_key, line.text)), switch.name, str(line))
        if not servers:
            yield failed(switch.name, f"{switch.path}: no server of time")


@check("switch-log", "8.1.5.4 d)", "交换机日志送往日志服务器", "switches send their log to the collector")
def switch_log(subject: Subject) -> Iterator[Found]:
    """To the management host."""
    wanted = str(subject.model.hosts[subject.model.nms].management)
    for switch, tongue in _each(subject):
        lines = _starting(switch, tongue.log)
        good = next((line for line in lines if wanted in line.text.split()), None)
        missing = "; ".join(map(str, lines)) or f"{switch.path}: no log host"
        yield judged(good is not None, switch.name, str(good) if good else f"{missing}; expected {wanted}")


@check("switch-unused-ports", "8.1.3.1 b)", "交换机未使用端口关闭", "unused ports of switches are shut")
def switch_unused_ports(subject: Subject) -> Iterator[Found]:
    """A physical port that serves nobody is shut down."""
    for switch, tongue in _each(subject):
        blocks = [block for block in _blocks(switch, "interface ") if _PORT.match(block[0].text)]
        joined = _joined(switch)
        idle = [block for block in blocks if not _first(block[1:], tongue.used) and block[0].text not in joined]
        wide_open = [
            block[0]
            for block in idle
            if (_first(block, tongue.opened) if tongue.opened else not _first(block, tongue.shut))
        ]
        if not blocks:
            yield unknown(switch.name, f"{switch.path}: no physical port that is known by its name")
        elif wide_open:
            yield from (failed(switch.name, f"{line}: serves nobody and is not shut") for line in wide_open)
        else:
            yield passed(
                switch.name, f"{switch.path}: {len(idle)} of {len(blocks)} ports serve nobody, all of them shut"
            )

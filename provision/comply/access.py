"""8.1.4 安全计算环境: who may log in to a device, how, from where, and what stands open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from provision.comply.findings import Found, check, failed, judged, passed, unknown
from provision.comply.rulesets import shuts_port
from provision.comply.subject import Subject, lines_of

SSHD = "/etc/ssh/sshd_config"
SNMPD = "/etc/snmp/snmpd.conf"
KEYS = "/etc/sanwang/ssh/authorized_keys"

DEFAULT_LOGINS = frozenset(
    {"admin", "administrator", "root", "guest", "test", "user", "huawei", "h3c", "ruijie", "zte", "super"}
)
MOST_TRIES = 5
LONGEST_IDLE_S = 1800
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WEAK = re.compile(r"(?i)\b(?:3des|des|arcfour|rc4|blowfish|cast128|[\w-]*-cbc|[\w-]*md5[\w-]*|[\w-]*sha1(?:-96)?)\b")


def _option(subject: Subject, host: str, name: str) -> tuple[str, str]:
    """Value and place of an sshd option ("" when it is not written); sshd takes the first."""
    found = subject.lines(host, SSHD, lambda text: text.lower().startswith(f"{name.lower()} "))
    return (found[0].text.split(None, 1)[1].strip(), str(found[0])) if found else ("", f"{SSHD}: no {name}")


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)([smhd]?)", text.strip().lower())
    return int(found[1]) * _UNITS[found[2]] if found else 0


@check("unique-accounts", "8.1.4.1 a)", "账户唯一，密钥不共用", "every account is one person's, no key is shared")
def unique_accounts(subject: Subject) -> Iterator[Found]:
    """One key per person in the county; one key, the broker's, on each device."""
    shared = Counter(person.public_key for person in subject.model.people.values() if person.public_key)
    for person in subject.model.people.values():
        twice = shared[person.public_key] > 1
        evidence = f"people.yml: {person.login}" + (": the same public key as somebody else" if twice else "")
        yield judged(not twice, "", evidence)
    for host in subject.hosts():
        file = subject.file(host.name, KEYS)
        keys = list(lines_of(file)) if file else []
        evidence = "; ".join(map(str, keys)) or f"{KEYS}: missing"
        yield judged(len(keys) == 1, host.name, evidence)


@check("password-rule", "8.1.4.1 a)", "口令复杂度（或仅允许密钥登录）", "password rule, or keys only")
def password_rule(subject: Subject) -> Iterator[Found]:
    """Where no password is taken, none can be weak."""
    for host in subject.hosts():
        for name in ("PasswordAuthentication", "KbdInteractiveAuthentication"):
            value, place = _option(subject, host.name, name)
            yield judged(value.lower() == "no", host.name, place)


@check("lockout", "8.1.4.1 b)", "登录失败处理", "failed logins end the session")
def lockout(subject: Subject) -> Iterator[Found]:
    """A handful of tries within a minute, then the connection is closed."""
    for host in subject.hosts():
        tries, place = _option(subject, host.name, "MaxAuthTries")
        yield judged(tries.isdigit() and 0 < int(tries) <= MOST_TRIES, host.name, place)
        grace, place = _option(subject, host.name, "LoginGraceTime")
        yield judged(0 < _seconds(grace) <= 60, host.name, place)


@check("idle-timeout", "8.1.4.1 b)", "登录连接超时自动退出", "an idle session ends by itself")
def idle_timeout(subject: Subject) -> Iterator[Found]:
    """``ChannelTimeout`` ends a session in which nothing is said; ``ClientAlive`` only finds dead clients."""
    for host in subject.hosts():
        value, place = _option(subject, host.name, "ChannelTimeout")
        spans = [
            _seconds(part.partition("=")[2]) for part in value.split() if part.partition("=")[0] in ("session", "*")
        ]
        yield judged(bool(spans) and 0 < max(spans) <= LONGEST_IDLE_S, host.name, place)


@check("ssh-only", "8.1.4.1 c)", "远程管理加密：仅 SSHv2", "remote management is SSH version 2 only")
def ssh_only(subject: Subject) -> Iterator[Found]:
    """No protocol 1, no weak algorithm, no telnet or plain web server to manage by."""
    for host in subject.hosts():
        bad = subject.lines(
            host.name,
            SSHD,
            lambda text: bool(
                re.match(r"(?i)protocol\s+.*1", text)
                or (re.match(r"(?i)(?:ciphers|macs|kexalgorithms)\s", text) and _WEAK.search(text))
            ),
        )
        services = [
            file.path for file in subject.files[host.name] if re.search(r"/sv/(?:telnetd?|rlogin|rsh)/", file.path)
        ]
        if bad or services:
            yield failed(host.name, "; ".join([*map(str, bad), *services]))
        elif subject.file(host.name, SSHD):
            yield passed(host.name, f"{SSHD}: no Protocol 1, no weak algorithm; no telnet among its services")
        else:
            yield failed(host.name, f"{SSHD}: missing")


@check("snmp-v3", "8.1.4.1 c)", "SNMP 仅 v3 认证加密，无团体名", "SNMPv3 with authentication and privacy only")
def snmp_v3(subject: Subject) -> Iterator[Found]:
    """No community at all (so none is ``public``), no MD5, no DES."""
    for host in subject.hosts():
        file = subject.file(host.name, SNMPD)
        if file is None:
            yield passed(host.name, f"{SNMPD}: not there, no SNMP agent")
            continue
        lines = list(lines_of(file))
        bad = [
            line
            for line in lines
            if re.match(r"\s*(?:r[ow]community6?|com2sec6?|group\s+\S+\s+v(?:1|2c))\b", line.text)
            or re.match(r"\s*createUser\s+\S+\s+MD5\b", line.text)
            or re.match(r"\s*createUser\s.*\bDES\b", line.text)
            or re.match(r"\s*r[ow]user\s+\S+\s+(?:no)?auth(?:NoPriv)?\s*$", line.text, re.IGNORECASE)
        ]
        users = [line for line in lines if re.match(r"\s*r[ow]user\s+\S+\s+(?:authPriv|priv)\b", line.text)]
        if bad or not users:
            yield failed(host.name, "; ".join(map(str, bad)) or f"{SNMPD}: no user with authPriv")
        else:
            yield passed(host.name, str(users[0]))


@check("no-default-accounts", "8.1.4.2 b)", "无默认账户、无空口令", "no default account, no empty password")
def no_default_accounts(subject: Subject) -> Iterator[Found]:
    """People's names, and empty passwords on devices."""
    for person in subject.model.people.values():
        yield judged(person.login.lower() not in DEFAULT_LOGINS, "", f"people.yml: {person.login}")
    for host in subject.hosts():
        value, place = _option(subject, host.name, "PermitEmptyPasswords")
        yield judged(value.lower() in ("", "no"), host.name, place)
        value, place = _option(subject, host.name, "PermitRootLogin")
        yield judged(value.lower() in ("no", "prohibit-password", "forced-commands-only"), host.name, place)


@check("management-acl", "8.1.4.4 c)", "管理终端地址限制（每个登录入口）", "management only from where it is done")
def management_acl(subject: Subject) -> Iterator[Found]:
    """sshd on the management address alone, and every ruleset of the device shuts port 22 to all but the controller."""
    prefix = subject.model.networks["mgmt"].prefix
    for host in subject.hosts():
        value, place = _option(subject, host.name, "ListenAddress")
        yield judged(value == str(host.management) and host.management in prefix, host.name, place)
        rulesets = [file for file in subject.rulesets(host.name) if file.group == "nft"]
        if not rulesets:
            yield failed(host.name, "no ruleset")
        for file in rulesets:
            good, line = shuts_port(file, 22)
            yield judged(good, host.name, str(line) if line else f"{file.path}: no chain input")


@check("unused-services", "8.1.4.4 b)", "关闭不需要的服务与高危端口", "no unneeded service, no dangerous port")
def unused_services(subject: Subject) -> Iterator[Found]:
    """Ports that worms and scanners know are let in by no rule."""
    risky = ("21", "23", "69", "135", "137-139", "139", "445", "3389")
    for host in subject.hosts():
        bad = []
        for file in subject.rulesets(host.name):
            for line in lines_of(file):
                ports = re.findall(r"dport (?:\{ ?([^}]*)\}|(\S+))", line.text)
                named = {port.strip() for group in ports for part in group for port in part.split(",") if port.strip()}
                if " accept" in line.text and named & set(risky):
                    bad.append(line)
        if bad:
            yield failed(host.name, "; ".join(map(str, bad)))
        else:
            yield passed(
                host.name, "no rule lets in " + ", ".join(sorted(risky, key=lambda port: int(port.split("-")[0])))
            )


@check("controller-keys", "8.1.4.8 b)", "控制器密钥与库文件仅属主可读", "the controller's private files are its own")
def controller_keys(subject: Subject) -> Iterator[Found]:
    """Vault, its key and the authority's key are readable by nobody else on the controller's host."""
    if subject.facts.key_modes is None:
        yield unknown(subject.model.nms, "no instance of this county runs here: start one, or name it with --instance")
        return
    for path, mode in sorted(subject.facts.key_modes.items()):
        yield judged(mode & 0o077 == 0, subject.model.nms, f"{path}: mode {mode & 0o777:04o}")

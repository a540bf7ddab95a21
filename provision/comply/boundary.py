"""8.1.3 安全区域边界: what crosses from one network into another, and what proves it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inventory.model import Role, SiteKind
from provision.comply.findings import Found, check, failed, judged, passed, unknown
from provision.comply.rulesets import Accept, accepts, chain, policy
from provision.comply.subject import Subject, lines_of
from provision.render import ConfigFile
from provision.render.nft import zones

MAIN = "/etc/nftables.conf"
_BORDER = frozenset({Role.FIREWALL, Role.VPN, Role.CPE, Role.PARTNER})
"""Where traffic crosses between networks, or between the county and the outside."""


def _borders(subject: Subject) -> Iterator[tuple[str, ConfigFile]]:
    for host in subject.hosts():
        file = subject.file(host.name, MAIN)
        if host.role in _BORDER and file is not None:
            yield host.name, file


def _nothing(name: str) -> Found:
    return failed(name, f"{MAIN}: missing")


@check("one-exit", "8.1.3.1 c)", "互联网出口唯一", "exactly one Internet exit")
def one_exit(subject: Subject) -> Iterator[Found]:
    """Only the firewall translates addresses towards the outside; a box behind a carrier forwards into tunnels only."""
    model = subject.model
    found = []
    for host in subject.hosts():
        for file in subject.rulesets(host.name):
            lines = [line for line in lines_of(file) if re.search(r"\b(?:masquerade|snat)\b", line.text)]
            found += [(host.name, line) for line in lines]
    for name, line in found:
        yield judged(name == model.firewall, name, str(line))
    if not found:
        yield failed(model.firewall, "no device translates addresses: the county has no exit that is controlled")
    for host in subject.hosts():
        outside = {
            port.name for port in host.ports if model.sites[model.hosts[port.peer_host].site].kind is SiteKind.CARRIER
        }
        if not outside or host.name == model.firewall:
            continue
        own = subject.file(host.name, MAIN)
        forwarded = list(accepts(own, "forward")) if own else []
        bad = [each for each in forwarded if not each.outgoing or each.outgoing & outside]
        if bad or own is None:
            yield failed(host.name, "; ".join(str(each.line) for each in bad) or f"{MAIN}: missing")
        else:
            yield passed(host.name, f"{MAIN}: chain forward lets nothing out by {', '.join(sorted(outside))}")


@check("unused-ports", "8.1.3.1 b)", "未使用端口关闭", "ports that are not used are shut")
def unused_ports(subject: Subject) -> Iterator[Found]:
    """A physical port with carrier that the model does not know is somebody's own cable."""
    seen = subject.facts.ports_up
    for host in subject.hosts():
        if seen is None or host.name not in seen:
            yield unknown(host.name, "needs the device's port states: nobody has looked while an instance ran")
            continue
        strange = [port for port in seen[host.name] if port not in {each.name for each in host.ports}]
        yield judged(not strange, host.name, f"ports with carrier not in the model: {', '.join(strange) or 'none'}")


@check("neighbours", "8.1.3.1 b)", "LLDP 邻居与设计一致", "neighbours are as intended")
def neighbours(subject: Subject) -> Iterator[Found]:
    """What LLDP sees behind a port is what the model connected there."""
    if subject.facts.neighbours is None:
        yield unknown("", "needs LLDP neighbours from the devices: none have been collected")
        return
    for (host, port), (peer, peer_port) in sorted(subject.facts.neighbours.items()):
        wanted = next((each for each in subject.model.hosts[host].ports if each.name == port), None)
        expected = (wanted.peer_host, wanted.peer_port) if wanted else ("nothing", "")
        evidence = f"LLDP: {port} sees {peer} {peer_port}, expected {' '.join(expected).strip()}"
        yield judged((peer, peer_port) == expected, host, evidence)


@check("default-deny", "8.1.3.2 a)", "默认拒绝", "everything not allowed is denied")
def default_deny(subject: Subject) -> Iterator[Found]:
    """Forwarding at every border, and what reaches a device itself, falls to a policy of drop."""
    for name, file in _borders(subject):
        verdict, line = policy(file, "forward")
        yield judged(verdict == "drop", name, str(line) if line else f"{file.path}: no chain on hook forward")
    for host in subject.hosts():
        main = subject.file(host.name, MAIN)
        if main is None:
            yield _nothing(host.name)
            continue
        verdict, line = policy(main, "input")
        yield judged(verdict == "drop", host.name, str(line) if line else f"{MAIN}: no chain on hook input")


@check("useless-rules", "8.1.3.2 b)", "无冗余、重复或失效规则", "no duplicate or shadowed rule")
def useless_rules(subject: Subject) -> Iterator[Found]:
    """No rule whose every packet an earlier one has already taken."""
    for name, file in _borders(subject):
        earlier: list[Accept] = []
        bad = []
        for each in accepts(file, "forward"):
            before = next((one for one in earlier if one.covers(each)), None)
            if before is not None:
                word = "duplicates" if each.covers(before) else "is shadowed by"
                bad.append(f"{each.line} {word} {before.line}")
            earlier.append(each)
        if bad:
            yield from (failed(name, text) for text in bad)
        else:
            yield passed(name, f"{file.path}: {len(earlier)} accepting rules in chain forward, none covered by another")


@check("no-any-any", "8.1.3.2 c)", "规则写明源、目的与服务", "no rule from any to any")
def no_any_any(subject: Subject) -> Iterator[Found]:
    """Every crossing names its source, its target or its service, and never none of them."""
    for name, file in _borders(subject):
        county = name == subject.model.firewall  # at a tunnel's end the interface pair is the whole rule
        bad = [each for each in accepts(file, "forward") if each.any_to_any and (county or not each.incoming)]
        if bad:
            yield from (failed(name, str(each.line)) for each in bad)
        else:
            yield passed(name, f"{file.path}: no rule of chain forward lets any source to any target")


@check("anti-spoofing", "8.1.3.2 c)", "源地址防伪造", "nobody speaks for somebody else's prefix")
def anti_spoofing(subject: Subject) -> Iterator[Found]:
    """Each zone of the firewall drops sources that are not its own, before anything else sees them."""
    firewall = subject.model.firewall
    file = subject.file(firewall, MAIN) if firewall in subject.files else None
    if file is None:
        yield _nothing(firewall)
        return
    lines = [line for line in lines_of(file) if "ip saddr" in line.text and re.search(r"\bdrop\b", line.text)]
    for zone in zones(subject.model):
        for port in zone.ports:
            of_port = [line for line in lines if f'"{port}"' in line.text.partition("ip saddr")[0]]
            evidence = (
                str(of_port[0]) if of_port else f"{MAIN}: zone {zone.name}: no line drops false sources on {port}"
            )
            yield judged(bool(of_port), firewall, evidence)


@check("denials-logged", "8.1.3.5 a)", "拒绝的访问被记录", "what is denied is logged and counted")
def denials_logged(subject: Subject) -> Iterator[Found]:
    """The last thing that happens to a denied packet at the firewall is a line in the log and a named counter."""
    firewall = subject.model.firewall
    file = subject.file(firewall, MAIN) if firewall in subject.files else None
    if file is None:
        yield _nothing(firewall)
        return
    for zone in zones(subject.model):
        lines = chain(file, f"from-{zone.name}")
        logged = next((line for line in lines if re.search(r"\blog\b", line.text)), None)
        counted = any("counter name deny-" in line.text for line in lines)
        evidence = str(logged) if logged else f"{MAIN}: chain from-{zone.name}: no log"
        yield judged(logged is not None and counted, firewall, evidence)


@check("boundary-time", "8.1.3.5 b)", "审计记录时间可信：经认证的时钟同步", "records carry a time that can be trusted")
def boundary_time(subject: Subject) -> Iterator[Found]:
    """Time from the county's servers, authenticated (9.1.5.4 g) asks one clock for all of level four)."""
    for host in subject.hosts():
        path = "/etc/chrony/chrony.conf"
        sources = subject.lines(host.name, path, lambda text: text.startswith(("server ", "pool ", "peer ")))
        open_ones = [line for line in sources if not re.search(r"\s(?:key \d+|nts)\b", line.text)]
        if not sources:
            yield failed(host.name, f"{path}: no time source")
        else:
            yield judged(not open_ones, host.name, "; ".join(map(str, open_ones or sources)))

"""8.1.2 安全通信网络: lines that back each other up, and what travels over other people's lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from inventory.model import LinkKind, NetworkModel, Role, SiteKind
from provision.comply.findings import Found, check, failed, judged, passed, unknown
from provision.comply.subject import Subject, lines_of

EXPIRY_WARNING = timedelta(days=30)
_WEAK_VPN = re.compile(
    r"(?i)(?<![a-z0-9])(?:3?des|null|md5|sha1|sha-1|modp(?:768|1024|1536)|aes\d*-md5|ikev1)(?![a-z0-9])"
)


def _arms(model: NetworkModel, site: str) -> list[str]:
    hosts = {host.name for host in model.hosts.values() if host.site == site}
    kinds = (LinkKind.RING, LinkKind.ACCESS)
    return [
        link.name for link in model.links.values() if link.kind in kinds and {end.host for end in link.ends} & hosts
    ]


@check("redundant-links", "8.1.2.1 e)", "通信线路冗余，两路不同沟", "lines back each other up, in different ducts")
def redundant_links(subject: Subject) -> Iterator[Found]:
    """Centres, townships, bodies and the county building have two ways, and no duct holds both."""
    model = subject.model
    for site in model.sites.values():
        if site.kind not in (SiteKind.CENTRE, SiteKind.TOWNSHIP, SiteKind.BODY, SiteKind.BUILDING):
            continue
        arms = _arms(model, site.code)
        ducts = [set(model.links[name].ducts) for name in arms]
        shared = set.intersection(*ducts) if ducts else set()
        device = next((host.name for host in model.hosts.values() if host.site == site.code), site.code)
        together = f"; all in duct {', '.join(sorted(shared))}" if shared else ""
        evidence = f"links of {site.code}: {', '.join(arms) or 'none'}{together}"
        yield judged(len(arms) > 1 and not shared, device, evidence)
    lines = [f"{line.carrier} on {line.port}" for line in model.exits]
    yield judged(len(lines) > 1, model.firewall, f"carriers at the Internet exit: {', '.join(lines) or 'none'}")


@check("redundant-devices", "8.1.2.1 e)", "关键服务设备冗余", "what services run on backs each other up")
def redundant_devices(subject: Subject) -> Iterator[Found]:
    """Every hosted system answers from more than one centre."""
    for service in subject.model.services.values():
        if service.kind != "web":
            continue
        centres = [backend.centre for backend in service.backends]
        yield judged(len(set(centres)) > 1, service.backends[0].host, f"service {service.name}: {', '.join(centres)}")


@check("vpn-algorithms", "8.1.2.2 b)", "VPN 加密算法", "algorithms of the VPN")
def vpn_algorithms(subject: Subject) -> Iterator[Found]:
    """No DES, MD5, SHA-1 or short groups (whether commercial cryptography of GM/T is required is the assessor's)."""
    for host in subject.hosts():
        if host.role not in (Role.VPN, Role.CPE, Role.PARTNER):
            continue
        said = False
        for file in subject.files[host.name]:
            if file.path.startswith("/etc/swanctl/") and file.path.endswith(".conf"):
                lines = [
                    line for line in lines_of(file) if re.search(r"\b(?:esp_)?proposals\s*=|\bversion\s*=", line.text)
                ]
                bad = [
                    line
                    for line in lines
                    if _WEAK_VPN.search(line.text) or re.search(r"version\s*=\s*[01]\s*$", line.text)
                ]
                evidence = "; ".join(map(str, bad or lines)) or f"{file.path}: proposals left to the daemon's defaults"
                yield judged(bool(lines) and not bad, host.name, evidence)
                said = True
            elif "/wireguard/" in file.path:
                yield passed(host.name, f"{file.path}: WireGuard: Curve25519, ChaCha20-Poly1305, BLAKE2s, no choice")
                said = True
        if not said:
            yield failed(host.name, "no tunnel configuration on a device that stands behind a carrier")


@check("services-encrypted", "8.1.2.2 b)", "服务访问加密（TLS 1.2 以上）", "services speak TLS 1.2 or newer")
def services_encrypted(subject: Subject) -> Iterator[Found]:
    """Every web server listens with TLS only, and with no version that is broken."""
    for host in subject.hosts():
        file = subject.file(host.name, "/etc/nginx/nginx.conf")
        if file is None:
            continue
        plain = [line for line in lines_of(file) if re.match(r"\s*listen\s", line.text) and "ssl" not in line.text]
        old = [
            line for line in lines_of(file) if re.search(r"ssl_protocols\b.*(?:SSLv|TLSv1(?:\.1)?(?:\s|;))", line.text)
        ]
        good = [line for line in lines_of(file) if "ssl_protocols" in line.text]
        bad = plain + old
        missing = f"{file.path}: no ssl_protocols"
        yield judged(not bad and bool(good), host.name, "; ".join(map(str, bad or good)) or missing)


@check("certificates", "8.1.2.2 a)", "证书在有效期内（余 30 天以上）", "certificates have thirty days left")
def certificates(subject: Subject) -> Iterator[Found]:
    """Every certificate of the county's authority that is in use."""
    if subject.facts.certificates is None:
        yield unknown("", "needs the index of the county's authority: no instance of this county has one yet")
        return
    newest = {each.name + each.kind: each for each in subject.facts.certificates if not each.revoked}
    for each in newest.values():
        left = each.not_after - subject.now
        device = each.name if each.name in subject.model.hosts else ""
        evidence = f"CA index: {each.name} ({each.kind}) until {each.not_after.date()}, {left.days} days left"
        yield judged(left >= EXPIRY_WARNING, device, evidence)

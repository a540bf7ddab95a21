"""Each check passes on what is good and fails when its violation is planted; without facts it does not guess."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inventory.errors import Report
from inventory.expand import expand
from inventory.load import find, load_model, read
from inventory.model import NetworkModel
from inventory.places import COUNTIES, Places
from inventory.schema import Intent
from provision import printing
from provision.comply import Facts, Subject, Switch, assess, planned
from provision.comply.findings import CHECKS, GROUPS, Found, Status
from provision.comply.live import gather
from provision.comply.page import html, pdf
from provision.comply.rulesets import accepts
from provision.comply.subject import Account, Certificate
from provision.environment import load_environment
from provision.render import ConfigFile
from provision.render.switch import render_switch
from sanwang.comply import main
from store.audit import record
from store.engine import open_store

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SSHD, NFT, SNMPD = "/etc/ssh/sshd_config", "/etc/nftables.conf", "/etc/snmp/snmpd.conf"
CHRONY, AGENT, NGINX = "/etc/chrony/chrony.conf", "/etc/sanwang/agent.json", "/etc/nginx/nginx.conf"
Plant = Callable[[Subject], Subject]


@pytest.fixture(scope="module")
def plain() -> Subject:
    """The county as it is rendered, one body with a vendor's switch."""
    data = read(find("shili")).data
    data["bodies"]["b01"]["switch"] = "huawei_vrp8"
    return planned(expand(Intent.model_validate(data), Report()), load_environment("twin"))


@pytest.fixture(scope="module")
def good(plain: Subject) -> Subject:
    """The same, with what every check wants to see: live facts, and the lines that rendering may not give yet."""
    facts = Facts(
        instance="zc",
        certificates=(Certificate("c1-srv", "server", NOW + timedelta(days=200)),),
        audit_problems=(),
        audit_entries=9,
        oldest_record=NOW - timedelta(days=400),
        first_record=1,
        backup_at=NOW - timedelta(days=1),
        restore_rehearsed_at=NOW - timedelta(days=30),
        neighbours={("c1-core", "p1"): ("c2-core", "p1")},
        ports_up={"c1-core": ("p1",)},
        key_modes={"identity/vault.key": 0o100600},
        accounts=(Account("wang", (), True, False, NOW),),
    )
    text = render_switch(plain.model, plain.model.hosts["b01-sw"])
    nms = plain.model.hosts[plain.model.nms].management
    switches = (
        Switch("b01-sw", "huawei_vrp8", "b01-sw.cfg", text),
        Switch("r1", "ruijie_rgos", "r1.cfg", RUIJIE.format(nms=nms)),
    )
    return replace(plain, facts=facts, now=NOW, switches=switches)


def edit(host: str, path: str, pattern: str, to: str) -> Plant:
    """Change one file of one host; the pattern must be there."""

    def plant(subject: Subject) -> Subject:
        held = []
        for file in subject.files[host]:
            if file.path == path:
                text, count = re.subn(pattern, to, file.text, count=1, flags=re.MULTILINE)
                assert count == 1, f"{host} {path} has no {pattern}"
                file = replace(file, text=text)
            held.append(file)
        return replace(subject, files={**subject.files, host: tuple(held)})

    return plant


def facts(**changed: object) -> Plant:
    return lambda subject: replace(subject, facts=replace(subject.facts, **changed))  # type: ignore[arg-type]


def model(change: Callable[[NetworkModel], NetworkModel]) -> Plant:
    return lambda subject: replace(subject, model=change(subject.model))


def person(who: str, **changed: object) -> Plant:
    def change(county: NetworkModel) -> NetworkModel:
        people = dict(county.people)
        people[who] = replace(people[who], **changed)  # type: ignore[arg-type]
        return replace(county, people=people)

    return model(change)


def one_arm(county: NetworkModel) -> NetworkModel:
    return replace(county, links={name: link for name, link in county.links.items() if name != "t01-c1"})


def one_backend(county: NetworkModel) -> NetworkModel:
    portal = county.services["portal"]
    return replace(county, services={**county.services, "portal": replace(portal, backends=portal.backends[:1])})


def unmanaged(county: NetworkModel) -> NetworkModel:
    host = replace(county.hosts["t01-rt"], management=None)
    return replace(county, hosts={**county.hosts, "t01-rt": host})


ANY_RULE = r"\g<0>  accept\n"
FORWARD = r"^  type filter hook forward priority filter; policy drop;\n"
PLANTS: list[tuple[str, str, Plant]] = [
    ("redundant-links", "t01-rt", model(one_arm)),
    ("redundant-devices", "c1-srv", model(one_backend)),
    ("services-encrypted", "c2-srv", edit("c2-srv", NGINX, r"TLSv1\.2", "TLSv1.1 TLSv1.2")),
    ("services-encrypted", "c2-srv", edit("c2-srv", NGINX, r"(listen [\d.]+):443 ssl;", r"\1:80;")),
    (
        "vpn-algorithms",
        "ip01-box",
        edit("ip01-box", "/etc/swanctl/conf.d/county.conf", "aes256gcm16-prf", "3des-sha1-prf"),
    ),
    ("certificates", "c1-srv", facts(certificates=(Certificate("c1-srv", "server", NOW + timedelta(days=9)),))),
    ("one-exit", "c1-core", edit("c1-core", NFT, r"\Z", "table ip n { chain c {\n oifname p1 masquerade\n}}\n")),
    ("one-exit", "v01-cpe", edit("v01-cpe", NFT, FORWARD, ANY_RULE)),
    ("unused-ports", "c1-core", facts(ports_up={"c1-core": ("p1", "eth9")})),
    ("neighbours", "c1-core", facts(neighbours={("c1-core", "p1"): ("somebody", "eth0")})),
    (
        "default-deny",
        "c1-fw",
        edit("c1-fw", NFT, r"hook forward priority filter; policy drop", "hook forward priority filter; policy accept"),
    ),
    (
        "default-deny",
        "c2-nms",
        edit("c2-nms", NFT, r"hook input priority filter; policy drop", "hook input priority filter; policy accept"),
    ),
    ("useless-rules", "c1-fw", edit("c1-fw", NFT, r"^(  iifname .* accept comment \"[\w-]+\"\n)", r"\1\1")),
    ("useless-rules", "c1-fw", edit("c1-fw", NFT, FORWARD, ANY_RULE)),
    ("no-any-any", "c1-fw", edit("c1-fw", NFT, FORWARD, r'\g<0>  iifname "p6145" oifname "p6146" accept\n')),
    ("anti-spoofing", "c1-fw", edit("c1-fw", NFT, r"^  iifname \{[^}]*\} ip saddr != .* drop\n", "")),
    ("denials-logged", "c1-fw", edit("c1-fw", NFT, r'^  limit rate .* log prefix "deny gov "\n', "")),
    ("boundary-time", "c1-fw", edit("c1-fw", CHRONY, " key 1", "")),
    ("unique-accounts", "", person("wang", public_key="k")),
    (
        "unique-accounts",
        "c1-fw",
        edit("c1-fw", "/etc/sanwang/ssh/authorized_keys", r"\Z", "ssh-ed25519 AAAA somebody\n"),
    ),
    ("password-rule", "c1-fw", edit("c1-fw", SSHD, "PasswordAuthentication no", "PasswordAuthentication yes")),
    ("lockout", "c1-fw", edit("c1-fw", SSHD, "MaxAuthTries 3", "MaxAuthTries 30")),
    ("lockout", "c1-fw", edit("c1-fw", SSHD, "LoginGraceTime 20", "LoginGraceTime 0")),
    ("idle-timeout", "c1-fw", edit("c1-fw", SSHD, "session=15m", "session=10h")),
    ("ssh-only", "c1-fw", edit("c1-fw", SSHD, r"\Z", "Ciphers aes256-gcm@openssh.com,3des-cbc\n")),
    ("ssh-only", "c1-fw", edit("c1-fw", SSHD, r"\Z", "Protocol 2,1\n")),
    ("snmp-v3", "c1-fw", edit("c1-fw", SNMPD, r"\Z", "rocommunity public\n")),
    ("snmp-v3", "c1-fw", edit("c1-fw", SNMPD, "SHA-256", "MD5")),
    ("snmp-v3", "c1-fw", edit("c1-fw", SNMPD, "rouser sanwang authPriv", "rouser sanwang auth")),
    ("no-default-accounts", "", person("wang", login="admin")),
    ("no-default-accounts", "c1-fw", edit("c1-fw", SSHD, "PermitEmptyPasswords no", "PermitEmptyPasswords yes")),
    ("separated-roles", "", person("sun", roles=("auditor", "engineer"))),
    ("separated-roles", "", person("wu", roles=("operator",))),
    ("separated-roles", "", facts(accounts=(Account("wu", ("secadmin",), True, False, NOW),))),
    ("two-factors", "", facts(accounts=(Account("wang", (), False, False, NOW),))),
    ("unused-accounts", "", facts(accounts=(Account("zhao", (), False, False, NOW - timedelta(days=91)),))),
    ("unused-accounts", "", facts(accounts=(Account("ma", (), False, False, NOW),))),
    ("management-acl", "c1-fw", edit("c1-fw", SSHD, r"ListenAddress .*", "ListenAddress 0.0.0.0")),
    ("management-acl", "c2-nms", edit("c2-nms", NFT, r"ip saddr \{[^}]*\} (tcp dport \{ 22, 9100 \})", r"\1")),
    (
        "management-acl",
        "c1-core",
        edit("c1-core", "/etc/nftables.d/gov.nft", r"^  tcp dport \{ 22, 9100 \} drop\n", ""),
    ),
    ("unused-services", "c2-nms", edit("c2-nms", NFT, "tcp dport 443 accept", "tcp dport { 23, 443 } accept")),
    ("controller-keys", "c2-nms", facts(key_modes={"identity/vault.key": 0o100644})),
    ("audit-chain", "c2-nms", facts(audit_problems=("entry 4: it was changed",))),
    ("audit-retention", "c2-nms", facts(oldest_record=NOW - timedelta(days=30), first_record=100)),
    ("backup-age", "c2-nms", facts(backup_at=NOW - timedelta(days=8))),
    ("restore-rehearsed", "c2-nms", facts(restore_rehearsed_at=NOW - timedelta(days=500))),
    ("audit-administrator", "", person("sun", roles=("operator",))),
    ("management-area", "t01-rt", model(unmanaged)),
    ("events-collected", "t01-rt", edit("t01-rt", AGENT, r'"collector": "[^"]*"', '"collector": "10.8.1.9:9810"')),
]


def in_switch(name: str, pattern: str, to: str) -> Plant:
    """Change one line of a switch's configuration; the pattern must be there."""

    def plant(subject: Subject) -> Subject:
        changed = []
        for switch in subject.switches:
            if switch.name == name:
                text, count = re.subn(pattern, to, switch.text, count=1, flags=re.MULTILINE)
                assert count == 1
                switch = replace(switch, text=text)
            changed.append(switch)
        return replace(subject, switches=tuple(changed))

    return plant


PLANTS += [
    ("switch-ssh-only", "b01-sw", in_switch("b01-sw", r"\Z", "telnet server enable\n")),
    ("switch-ssh-only", "b01-sw", in_switch("b01-sw", "protocol inbound ssh", "protocol inbound all")),
    ("switch-ssh-only", "r1", in_switch("r1", "^ transport input ssh\n", "")),
    ("switch-vty-acl", "b01-sw", in_switch("b01-sw", r"^ acl 2001 inbound\n", "")),
    ("switch-vty-acl", "r1", in_switch("r1", r"^ access-class .*\n", "")),
    ("switch-idle-timeout", "b01-sw", in_switch("b01-sw", "idle-timeout 10 0", "idle-timeout 0 0")),
    ("switch-idle-timeout", "r1", in_switch("r1", "exec-timeout 5 0", "exec-timeout 120")),
    ("switch-snmp-v3", "b01-sw", in_switch("b01-sw", "sys-info version v3", "sys-info version v2c v3")),
    ("switch-snmp-v3", "r1", in_switch("r1", r"\Z", "snmp-server community public ro\n")),
    ("switch-time", "b01-sw", in_switch("b01-sw", r"(unicast-server .*) authentication-keyid 2", r"\1")),
    ("switch-time", "r1", in_switch("r1", "^ntp server .*\n", "")),
    ("switch-log", "b01-sw", in_switch("b01-sw", r"info-center loghost \S+", "info-center loghost 192.0.2.1")),
    ("switch-unused-ports", "b01-sw", in_switch("b01-sw", r"^ shutdown\n", "")),
    ("switch-unused-ports", "r1", in_switch("r1", r"^ shutdown\n", "")),
]

RUIJIE = """hostname r1
!
interface GigabitEthernet 0/1
 switchport access vlan 101
!
interface GigabitEthernet 0/2
 shutdown
!
ntp server 10.32.1.1 key 1
logging server {nms}
snmp-server user sanwang watch v3 encrypted auth sha x priv aes128 x
line vty 0 4
 access-class 2001 in
 exec-timeout 5 0
 transport input ssh
 login local
!
end
"""


def results(subject: Subject, name: str, device: str) -> list[Found]:
    return [found for found in CHECKS[name].run(subject) if found.device == device]


@pytest.mark.parametrize(
    ("name", "device", "plant"), PLANTS, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(PLANTS)]
)
def test_planted_violation_is_found(good: Subject, name: str, device: str, plant: Plant) -> None:
    if name == "unique-accounts" and not device:
        good = person("li", public_key="k")(good)
    clean = results(good, name, device)
    assert clean or name == "one-exit"  # only devices at a carrier's line are asked before
    assert all(found.status is Status.PASS for found in clean), [
        found for found in clean if found.status is not Status.PASS
    ]
    planted = results(plant(good), name, device)
    bad = [found for found in planted if found.status is Status.FAIL]
    assert bad
    assert all(found.evidence for found in bad)


def test_every_check_has_a_planted_violation() -> None:
    assert {name for name, _, _ in PLANTS} == set(CHECKS)


def test_evidence_names_file_line_and_text(good: Subject) -> None:
    planted = edit("c1-fw", SSHD, "MaxAuthTries 3", "MaxAuthTries 30")(good)
    bad = next(found for found in results(planted, "lockout", "c1-fw") if found.status is Status.FAIL)
    file = planted.file("c1-fw", SSHD)
    assert file is not None
    path, number, text = bad.evidence.split(":", 2)
    assert (path, file.text.splitlines()[int(number) - 1], text.strip()) == (SSHD, "MaxAuthTries 30", "MaxAuthTries 30")


def test_without_an_instance_live_checks_have_no_answer(plain: Subject) -> None:
    report = assess(plain)
    live = {"certificates", "unused-ports", "neighbours", "controller-keys", "audit-chain", "audit-retention"}
    live |= {"backup-age", "restore-rehearsed", "two-factors", "unused-accounts"}
    seen = {
        check.name: {found.status for each, found in report.results if each.name == check.name}
        for check, _ in report.results
    }
    assert {name for name, status in seen.items() if Status.UNKNOWN in status} == live
    assert all(seen[name] == {Status.UNKNOWN} for name in live)


def test_a_young_log_is_not_called_kept_and_not_called_lost(good: Subject) -> None:
    young = facts(oldest_record=NOW - timedelta(days=30))(good)
    assert [found.status for found in CHECKS["audit-retention"].run(young)] == [Status.UNKNOWN]


def test_the_controllers_own_host_is_assessed(plain: Subject) -> None:
    report = assess(plain)
    assert {check.group for check, found in report.results if found.device == plain.model.nms} == set(GROUPS) - {
        "8.1.2"
    }


def test_document_has_no_score_and_every_result_its_clause(plain: Subject) -> None:
    document = assess(plain).document()
    assert set(document) == {"standard", "level", "county", "instance", "at", "counts", "results"}
    for result in document["results"]:
        assert re.fullmatch(r"8\.1\.[2-5]\.\d+ [a-h]\)", result["clause"])
        assert result["clause"].startswith(result["group"][:5])
        assert result["evidence"]
        assert result["at"]
    total = sum(sum(counts.values()) for counts in document["counts"].values())
    assert total == len(document["results"])


def test_page_stands_alone_and_escapes(good: Subject) -> None:
    report = assess(edit("c1-fw", SSHD, "MaxAuthTries 3", "MaxAuthTries <b>30</b>")(good))
    page = html(report)
    assert not re.search(r"(?:src|href)=|@import|url\(", page)
    assert page.index("安全通信网络") < page.index("安全区域边界") < page.index("安全计算环境")
    assert "MaxAuthTries &lt;b&gt;30" in page
    assert "<b>30" not in page


def test_facts_of_an_instance_come_from_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Places, "lib", property(lambda _: tmp_path))
    monkeypatch.delenv("SANWANG_DATABASE", raising=False)
    assert gather(Places("zc")) == Facts()
    (tmp_path / "identity" / "ca").mkdir(parents=True)
    (tmp_path / "identity" / "vault.key").write_text("k")
    (tmp_path / "identity" / "vault.key").chmod(0o640)
    (tmp_path / "identity" / "ca" / "index.json").write_text(
        '[{"serial": "1", "name": "c1-srv", "kind": "server", "not_after": "2027-01-01T00:00:00+00:00"}]'
    )
    store = open_store(Places("zc").database)
    with store.session() as session:
        record(session, "wang", "apply", "as planned")
        record(session, "wang", "restore", "rehearsed")
    assert gather(Places("zc")).backup_at is None
    with store.session() as session:
        record(session, "wang", "backup.take", "weekly")
    store.close()
    seen = gather(Places("zc"))
    assert seen.backup_at is not None
    assert seen.backup_source == "audit log: entry 3 (backup.take)"
    assert seen.certificates == (Certificate("c1-srv", "server", datetime(2027, 1, 1, tzinfo=UTC)),)
    assert seen.audit_problems == ()
    assert (seen.audit_entries, seen.first_record) == (3, 1)
    assert seen.restore_rehearsed_at is not None
    assert {mode & 0o777 for mode in (seen.key_modes or {}).values()} == {0o640}


def test_a_rule_is_read_as_the_packets_it_takes() -> None:
    text = (
        "table inet t {\n chain forward {\n"
        '  iifname { "a", "b" } oifname "c" ip saddr { 10.8.0.0/13, 10.16.0.0/13 } tcp dport { 80, 443-445 } accept\n'
        '  iifname "a" oifname "c" ip saddr 10.8.1.0/24 ip daddr 10.9.0.1 tcp dport 444 accept comment "x"\n'
        '  iifname "a" oifname "c" ip saddr 10.8.1.0/24 ct mark 5 tcp dport 444 accept\n'
        " }\n}\n"
    )
    wide, narrow, marked = accepts(ConfigFile(NFT, "0600", text, "nft"), "forward")
    assert wide.covers(narrow)
    assert not narrow.covers(wide)
    assert wide.covers(marked)
    assert not marked.covers(narrow)
    assert wide.ports == ((80, 80), (443, 445))


def test_without_chromium_a_pdf_is_refused_with_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(printing, "CHROMIUM", tmp_path / "chromium")
    code = main(["xiao", "--instance", "zcnone", "--pdf", str(tmp_path / "report.pdf")])
    assert code == 3
    assert "apt-get install chromium" in capsys.readouterr().err
    assert not (tmp_path / "report.pdf").exists()


@pytest.mark.browser
def test_pdf_is_printed_by_the_installed_chromium(tmp_path: Path) -> None:
    small = planned(load_model(COUNTIES / "xiao"), load_environment("twin"))
    pdf(assess(small), tmp_path / "report.pdf")
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(data) > 50_000


def test_command_prints_one_document_and_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "sw.cfg"
    config.write_text("sysname old-sw\ntelnet server enable\nsnmp-agent community read public\n")
    code = main(["xiao", "--instance", "zcnone", "--switch", f"huawei_vrp5:{config}", "--json"])
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    bad = {each["check"] for each in document["results"] if each["device"] == "old-sw" and each["status"] == "fail"}
    assert code == 1
    assert {"switch-ssh-only", "switch-snmp-v3", "switch-time", "switch-log"} <= bad
    assert main(["xiao", "--instance", "zcnone", "--switch", f"cisco:{config}"]) == 2
    assert main(["xiao", "--instance", "zcnone", "--switch", "huawei_vrp5:/no/such"]) == 2

"""8.1.4.3, 8.1.4.9 and 8.1.5: records, backups and the place from which everything is watched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from provision.comply.findings import Found, check, failed, judged, passed, unknown
from provision.comply.subject import Subject

RETENTION = timedelta(days=180)  # 网络安全法, article 21: no less than six months
BACKUP_AGE = timedelta(days=7)
REHEARSAL_AGE = timedelta(days=365)
_NO_INSTANCE = "no instance of this county runs here: start one, or name it with --instance"


@check("audit-chain", "8.1.4.3 c)", "审计记录完整未篡改", "the audit log is whole and unchanged")
def audit_chain(subject: Subject) -> Iterator[Found]:
    """The chain of digests over the log holds from its first record."""
    facts, device = subject.facts, subject.model.nms
    if facts.audit_problems is None:
        yield unknown(device, _NO_INSTANCE)
    elif facts.audit_problems:
        yield from (failed(device, f"audit log: {problem}") for problem in facts.audit_problems)
    else:
        yield passed(device, f"audit log: {facts.audit_entries} records, every digest follows from the one before")


@check("audit-retention", "8.1.5.4 d)", "审计记录留存不少于六个月", "records are kept for six months")
def audit_retention(subject: Subject) -> Iterator[Found]:
    """Proven by the oldest record: it is six months old, or the log is younger and nothing was taken out of it."""
    facts, device = subject.facts, subject.model.nms
    if facts.audit_problems is None:
        yield unknown(device, _NO_INSTANCE)
        return
    if facts.oldest_record is None:
        yield unknown(device, "the audit log holds no record yet")
        return
    age = subject.now - facts.oldest_record
    evidence = f"oldest record: number {facts.first_record} of {facts.oldest_record.isoformat(timespec='seconds')}"
    if age >= RETENTION:
        yield passed(device, f"{evidence}, {age.days} days old")
    elif facts.first_record > 1:
        yield failed(
            device, f"{evidence}, {age.days} days old, and {facts.first_record - 1} records before it are gone"
        )
    else:
        when = (facts.oldest_record + RETENTION).date()
        yield unknown(device, f"{evidence}: the log is {age.days} days old and complete; provable from {when}")


@check("backup-age", "8.1.4.9 a)", "配置备份不超过七天", "running configurations were backed up this week")
def backup_age(subject: Subject) -> Iterator[Found]:
    """The last commit in the county's repository of configurations."""
    facts, device = subject.facts, subject.model.nms
    if not facts.instance:
        yield unknown(device, _NO_INSTANCE)
    elif facts.backup_at is None:
        yield failed(device, "no backup of running configurations has ever been made")
    else:
        age = subject.now - facts.backup_at
        source = facts.backup_source or "backup"
        yield judged(
            age <= BACKUP_AGE, device, f"{source}: {facts.backup_at.isoformat(timespec='seconds')}, {age.days} d"
        )


@check("restore-rehearsed", "8.1.4.9 a)", "恢复演练不超过一年", "restoring was rehearsed this year")
def restore_rehearsed(subject: Subject) -> Iterator[Found]:
    """A record of the audit log says that a device was brought back from its backup."""
    facts, device = subject.facts, subject.model.nms
    if facts.audit_problems is None:
        yield unknown(device, _NO_INSTANCE)
    elif facts.restore_rehearsed_at is None:
        yield failed(device, "audit log: no restore has been rehearsed")
    else:
        age = subject.now - facts.restore_rehearsed_at
        yield judged(age <= REHEARSAL_AGE, device, f"audit log: restored on {facts.restore_rehearsed_at.date()}")


@check("audit-administrator", "8.1.5.2 a)", "设审计管理员", "there is an audit administrator")
def audit_administrator(subject: Subject) -> Iterator[Found]:
    """Somebody reads the log who is not the one it is about."""
    auditors = [person.login for person in subject.model.people.values() if person.roles == ("auditor",)]
    yield judged(bool(auditors), "", f"people.yml: auditor and nothing else: {', '.join(auditors) or 'nobody'}")


@check("management-area", "8.1.5.4 a)", "划分特定的管理区域", "management has an area of its own")
def management_area(subject: Subject) -> Iterator[Found]:
    """Every appliance is managed at an address of the management network, in a VRF of its own where it forwards."""
    prefix = subject.model.networks["mgmt"].prefix
    for host in subject.hosts():
        inside = host.management is not None and host.management in prefix
        yield judged(inside, host.name, f"network.json: management address {host.management} in {prefix} (mgmt)")


@check("events-collected", "8.1.5.4 d)", "设备事件集中汇集", "every device's events are collected in one place")
def events_collected(subject: Subject) -> Iterator[Found]:
    """The agent on each appliance sends its events to the management host."""
    path = "/etc/sanwang/agent.json"
    wanted = subject.model.hosts[subject.model.nms].management
    for host in subject.hosts():
        file = subject.file(host.name, path)
        try:
            collector = str(json.loads(file.text).get("collector", "")) if file else ""
        except ValueError:
            collector = ""
        yield judged(collector.partition(":")[0] == str(wanted), host.name, f"{path}: collector {collector or 'none'}")

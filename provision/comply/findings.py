"""What a check finds, and the table of all checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.comply.subject import Subject


class Status(StrEnum):
    """The three answers."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "not-assessable"


GROUPS = {
    "8.1.2": ("安全通信网络", "Secure communication network"),
    "8.1.3": ("安全区域边界", "Secure area boundary"),
    "8.1.4": ("安全计算环境", "Secure computing environment"),
    "8.1.5": ("安全管理中心", "Security management centre"),
}
"""Clause groups of GB/T 22239-2019, level three (第三级), general requirements (安全通用要求)."""

ITEMS = {
    "8.1.2.1": ("网络架构", "network architecture"),
    "8.1.2.2": ("通信传输", "transmission"),
    "8.1.3.1": ("边界防护", "boundary protection"),
    "8.1.3.2": ("访问控制", "access control"),
    "8.1.3.5": ("安全审计", "security audit"),
    "8.1.4.1": ("身份鉴别", "identification"),
    "8.1.4.2": ("访问控制", "access control"),
    "8.1.4.3": ("安全审计", "security audit"),
    "8.1.4.4": ("入侵防范", "intrusion prevention"),
    "8.1.4.8": ("数据保密性", "confidentiality of data"),
    "8.1.4.9": ("数据备份恢复", "backup and recovery"),
    "8.1.5.2": ("审计管理", "audit administration"),
    "8.1.5.4": ("集中管控", "central control"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """One result of one check on one device (or on the county: device "")."""

    status: Status
    device: str
    evidence: str  # "path:line: text", a fact with its source, or what is missing


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it asks, and of which clause."""

    name: str
    clause: str  # "8.1.4.1 b)"
    zh: str
    en: str
    run: Callable[[Subject], Iterator[Found]]

    @property
    def group(self) -> str:
        """Its clause group, "8.1.4"."""
        return self.clause[:5]

    @property
    def item(self) -> str:
        """Its clause without the letter, "8.1.4.1"."""
        return self.clause.partition(" ")[0]


CHECKS: dict[str, Check] = {}


def check(
    name: str, clause: str, zh: str, en: str
) -> Callable[[Callable[[Subject], Iterator[Found]]], Callable[[Subject], Iterator[Found]]]:
    """Put a function into the table."""

    def put(run: Callable[[Subject], Iterator[Found]]) -> Callable[[Subject], Iterator[Found]]:
        if name in CHECKS or clause[:5] not in GROUPS or clause.partition(" ")[0] not in ITEMS:
            raise ValueError(f"check {name}: name twice, or clause {clause} unknown")
        CHECKS[name] = Check(name, clause, zh, en, run)
        return run

    return put


def passed(device: str, evidence: str) -> Found:
    """It is as it must be."""
    return Found(Status.PASS, device, evidence)


def failed(device: str, evidence: str) -> Found:
    """It is not."""
    return Found(Status.FAIL, device, evidence)


def unknown(device: str, why: str) -> Found:
    """Nobody can tell from here; ``why`` says what would tell."""
    return Found(Status.UNKNOWN, device, why)


def judged(good: bool, device: str, evidence: str) -> Found:
    """Pass or fail, with the same evidence."""
    return Found(Status.PASS if good else Status.FAIL, device, evidence)

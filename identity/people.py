"""Who may do what: a person's roles are the county's data (``people.yml``) and grants; their rights stand here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Right(StrEnum):
    """Something a person may be allowed to do."""

    WATCH = "watch"  # open the operations pages
    HANDLE = "handle"  # acknowledge alerts, work on tickets, keep the shift log
    REPORT = "report"  # report a fault or file a request, for one's own units
    CHANGE = "change"  # run playbooks, make and heal faults
    APPROVE = "approve"  # sign another person's plan
    MEET = "meet"  # book, change and cancel meetings, chair them
    SUPERVISE = "supervise"  # the supervision board, corrections, scores
    LEAD = "lead"  # the leaders' page
    ACCOUNTS = "accounts"  # make, lock and reset accounts
    GRANT = "grant"  # hand out roles
    AUDIT = "audit"  # read the audit log


ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    "engineer": frozenset({Right.WATCH, Right.HANDLE, Right.REPORT, Right.CHANGE, Right.APPROVE}),
    "approver": frozenset({Right.WATCH, Right.APPROVE}),
    "operator": frozenset({Right.WATCH, Right.HANDLE, Right.REPORT}),
    "supervisor": frozenset({Right.WATCH, Right.SUPERVISE}),
    "chair": frozenset({Right.MEET}),
    "hall": frozenset({Right.MEET, Right.REPORT}),
    "leader": frozenset({Right.WATCH, Right.APPROVE, Right.LEAD}),
    "clerk": frozenset({Right.REPORT}),
    "head": frozenset({Right.MEET, Right.REPORT, Right.GRANT}),
    "sysadmin": frozenset({Right.ACCOUNTS}),
    "secadmin": frozenset({Right.GRANT}),
    "auditor": frozenset({Right.WATCH, Right.LEAD, Right.AUDIT}),
}

ADMINISTRATORS = ("sysadmin", "secadmin", "auditor")
"""三员: each excludes every other role, the other two among them (GB/T 22239-2019, 8.1.5)."""

OF_UNITS = ("hall", "clerk", "head")
"""Roles that hold for named units, never for the whole county."""


def rights_of(roles: Iterable[str]) -> frozenset[Right]:
    """All rights that the roles carry together; an unknown role carries none."""
    return frozenset(right for role in roles for right in ROLE_RIGHTS.get(role, ()))


def may(roles: Iterable[str], right: Right) -> bool:
    """True when one of the roles carries the right; an unknown role carries none."""
    return right in rights_of(roles)


def conflict(roles: Iterable[str]) -> str:
    """The administrator's role that must not stand beside the others; empty when all is well."""
    held = set(roles)
    return next((role for role in ADMINISTRATORS if role in held and len(held) > 1), "")

"""Who may do what: a person's roles are the county's data (``people.yml``), the rights of a role stand here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Right(StrEnum):
    """Something a person may be allowed to do."""

    WATCH = "watch"  # open the operations pages
    CHANGE = "change"  # run playbooks, make and heal faults
    APPROVE = "approve"  # sign another person's plan
    MEET = "meet"  # book, change and cancel meetings, chair them
    AUDIT = "audit"  # read the audit log


ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    "engineer": frozenset({Right.WATCH, Right.CHANGE, Right.APPROVE}),
    "operator": frozenset({Right.WATCH}),
    "chair": frozenset({Right.MEET}),
    "leader": frozenset({Right.WATCH, Right.APPROVE}),
    "auditor": frozenset({Right.WATCH, Right.AUDIT}),
}


def may(roles: Iterable[str], right: Right) -> bool:
    """True when one of the roles carries the right; an unknown role carries none."""
    return any(right in ROLE_RIGHTS.get(role, frozenset()) for role in roles)

"""Who works with the system, as the county's files have it (the model)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Duty = Literal[
    "engineer",
    "approver",
    "operator",
    "supervisor",
    "chair",
    "hall",
    "leader",
    "clerk",
    "head",
    "sysadmin",
    "secadmin",
    "auditor",
]
"""Roles; what each may do is ``identity.people``."""

ADMINISTRATORS = ("sysadmin", "secadmin", "auditor")
"""三员: each excludes every other role."""

OF_UNITS = ("hall", "clerk", "head")
"""Roles that hold for named units, never for the whole county."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works with the system."""

    login: str
    zh: str
    en: str
    roles: tuple[str, ...]  # see Duty
    public_key: str = ""  # ed25519, base64; may approve changes
    units: tuple[str, ...] = ()  # site codes that the roles hold for; none: the whole county

"""Who may do what: roles are data of the county (``people.yml``), the rights of a role stand here.

A person's key is Ed25519; its public half, base64, stands beside the person in the county's data.  The private half
is the person's own and never comes here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Right(StrEnum):
    """Something a person may be allowed to do."""

    WATCH = "watch"  # open the operations pages
    CHANGE = "change"  # run playbooks, make and heal faults
    MEET = "meet"  # book, change and cancel meetings, chair them
    AUDIT = "audit"  # read the audit log


ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    "engineer": frozenset({Right.WATCH, Right.CHANGE}),
    "operator": frozenset({Right.WATCH}),
    "chair": frozenset({Right.MEET}),
    "leader": frozenset({Right.WATCH}),
    "auditor": frozenset({Right.WATCH, Right.AUDIT}),
}


def may(roles: Iterable[str], right: Right) -> bool:
    """True when one of the roles carries the right; an unknown role carries none."""
    return any(right in ROLE_RIGHTS.get(role, frozenset()) for role in roles)


def signed_by(public_key: str, message: bytes, signature: bytes) -> bool:
    """True when the holder of the public key (base64 of 32 bytes) signed the message (RFC 8032)."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(signature, message)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True

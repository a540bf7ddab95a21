"""Keeping secrets out of what the broker shows: diffs, session logs, error messages.

Two nets, because a device may hold a value that the vault no longer knows: known values become the placeholder they
came from, and anything that has the shape of key material is hidden even when its value is unknown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

PLACEHOLDER = re.compile(r"@secret:([a-z0-9][a-z0-9./_-]*)@")
"""Where a rendered file wants a secret: ``@secret:wg/c1-vpn@``."""

HIDDEN = "<secret>"

_PRIVATE_BLOCK = re.compile(r"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.*?(?:-----END (?P=kind)-----|\Z)", re.DOTALL)
_ASSIGNED = re.compile(
    r"(?im)(?<![@\w-])(?P<key>[\w-]*(?:private_?-?key|preshared_?-?key|secret|passw(?:or)?d|passphrase|auth_pass|token)"
    r"[ \t]*[=: \t][ \t]*)(?P<value>[^\s#;].*)$"
)
_CREATE_USER = re.compile(r"(?im)(?P<key>\b(?:createUser|usmUser)\b[ \t]+\S+)[ \t]+.*$")
_SHORTEST_VALUE = 6  # a shorter value would also hide ordinary words


def placeholders(text: str) -> frozenset[str]:
    """Names of the secrets that a rendered text asks for."""
    return frozenset(PLACEHOLDER.findall(text))


def unfilled(text: str, values: Mapping[str, str]) -> str:
    """The text with the placeholder again wherever one of the values stands."""
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        bare = value.strip("\n")
        if len(bare) >= _SHORTEST_VALUE:
            text = text.replace(bare, f"@secret:{name}@")
    return text


def mask(text: str, values: Mapping[str, str]) -> str:
    """The text without secrets: ``values`` maps the names of secrets to their values (public values left out).

    Multi-line values are found with or without their last newline.
    """
    text = unfilled(text, values)
    text = _PRIVATE_BLOCK.sub(HIDDEN, text)
    text = _ASSIGNED.sub(_hide_assigned, text)
    return _CREATE_USER.sub(_hide_user, text)


def _hide_assigned(found: re.Match[str]) -> str:
    value = found["value"]
    if PLACEHOLDER.search(value) or value.strip().strip("{\"'") in ("", HIDDEN):
        return found[0]
    # "secrets {" opens a block of swanctl.conf, "key = /path" points to a file: neither is a value.
    if value.rstrip().endswith("{") or value.lstrip("\"'").startswith("/"):
        return found[0]
    return f"{found['key']}{HIDDEN}"


def _hide_user(found: re.Match[str]) -> str:
    return found[0] if PLACEHOLDER.search(found[0]) else f"{found['key']} {HIDDEN}"


def unified(path: str, before: str, after: str) -> str:
    """A unified diff of two masked texts; a change hidden by the mask is told in words."""
    if before == after:
        return f"--- {path}\n+++ {path}\n a secret in it differs\n"
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="", n=2)
    return "\n".join(lines) + "\n"

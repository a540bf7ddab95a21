"""With which keys a person asks devices: from a file or the county's vault, never from the command line.

A file has lines ``key: value``: ``community`` for SNMPv2c; ``user``, ``auth`` and ``priv`` for SNMPv3, and where they
differ from SHA256 and AES128, ``auth-protocol`` and ``priv-protocol``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from collectors.snmp.usm import Auth, Community, Priv, User
from inventory.errors import CountyErrors, Place, Problem
from inventory.hardware import HARDWARE
from inventory.model import Host

_KEYS = ("community", "user", "auth", "priv", "auth-protocol", "priv-protocol")


def user_of(host: Host, user: User) -> User:
    """The county's user as a device knows him: a vendor's switch with the hash that its platform has."""
    return user if host.linux else replace(user, auth=Auth[HARDWARE[host.platform].snmp_auth])


def read_credentials(path: Path) -> list[Community | User]:
    """Those of a file, SNMPv3 first.

    Raises:
        CountyErrors: it cannot be read as that; never with a value in it.
    """
    problems: list[Problem] = []
    found: dict[str, str] = {}

    def wrong(line: int, key: str, seen: str, expected: str) -> None:
        problems.append(Problem(Place(path.name, line), key, seen, expected, "mend the line"))

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise CountyErrors(
            "credentials", [Problem(Place(str(path)), "file", str(problem), "text", "name another")]
        ) from None
    if path.stat().st_mode & 0o077:
        wrong(0, "file", f"mode {path.stat().st_mode & 0o777:o}", "readable by its owner alone (chmod 600)")
    for number, line in enumerate(lines, 1):
        key, colon, value = line.partition(":")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colon or key.strip() not in _KEYS:
            wrong(number, key.strip() if colon else "line", "a key nobody reads", f"one of {', '.join(_KEYS)}")
        else:
            found[key.strip()] = value.strip()
    names = {"auth-protocol": Auth.__members__, "priv-protocol": Priv.__members__}
    for key, known in names.items():
        if found.get(key, next(iter(known))) not in known:
            wrong(0, key, "a protocol nobody knows", f"one of {', '.join(known)}")
    if "user" in found and not all(len(found.get(key, "")) >= 8 for key in ("auth", "priv")):
        wrong(0, "user", "no auth and priv of 8 letters and more", "both (RFC 3414 section 11.2)")
    if not found.keys() & {"community", "user"}:
        wrong(0, "file", "neither user nor community", "one of them")
    if problems:
        raise CountyErrors("credentials", problems)
    listed: list[Community | User] = []
    if "user" in found:
        auth, priv = Auth[found.get("auth-protocol", "SHA256")], Priv[found.get("priv-protocol", "AES128")]
        listed.append(User(found["user"], found["auth"], found["priv"], auth, priv))
    if "community" in found:
        listed.append(Community(found["community"]))
    return listed

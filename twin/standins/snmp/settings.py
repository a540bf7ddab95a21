"""What a running configuration says of watching: who may ask, where the log and the traps go."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from twin.standins.snmp.usm import User

if TYPE_CHECKING:
    from twin.standins.device import Device
    from twin.standins.tree import Node

_HASHES = {"sha": "sha1", "sha2-256": "sha256", "sha2-512": "sha512"}
_CIPHERS = {"aes128": 16, "aes256": 32}
_LOCAL0 = 16
_LOCAL7 = 23  # where these devices log unless they are told otherwise

_LLDP = {
    "huawei_vrp5": ("lldp", "enable"), "huawei_vrp8": ("lldp", "enable"), "h3c_comware": ("lldp", "global", "enable"),
}  # fmt: skip
_SERVED = (("snmp-agent",), ("enable", "service", "snmp-agent"), ("snmp-server", "version", "v3", "enable"))
_USERS = (("snmp-agent", "usm-user", "v3"), ("snmp-server", "user"))
_GROUPS = (("snmp-agent", "group", "v3"), ("snmp-server", "group"))
_LOGS = (("info-center", "loghost"), ("logging", "server"), ("syslog-server", "host"))
_TRAPS = (("snmp-agent", "target-host", "trap"), ("snmp-server", "host"))


@dataclass(frozen=True, slots=True)
class Watching:
    """Of one configuration.

    lists: the access lists that a questioner must pass, by user. logs: (log host, facility). traps: (target, user).
    """

    users: dict[bytes, User] = field(default_factory=dict)
    lists: dict[bytes, list[Node]] = field(default_factory=dict)
    logs: tuple[tuple[IPv4Address, int], ...] = ()
    traps: tuple[tuple[IPv4Address, str], ...] = ()
    lldp: bool = True


def watching(device: Device) -> Watching:
    """What the running configuration says."""
    root = device.running
    served = any(root.get(*key) is not None for key in _SERVED)
    users, lists = _users(device, root) if served else ({}, {})
    lldp = _LLDP.get(device.dialect.name)
    return Watching(
        users, lists, tuple(_logs(root)), tuple(_traps(device, root)) if served else (),
        lldp is None or root.get(*lldp) is not None,
    )  # fmt: skip


def _lines(root: Node, heads: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    return [node.words for head in heads for node in root.starting(*head)]


def _after(words: tuple[str, ...], *keys: str) -> str:
    """The word behind the first of these; "" where none of them stands."""
    return next((words[at + 1] for at, word in enumerate(words[:-1]) if word in keys), "")


def _users(device: Device, root: Node) -> tuple[dict[bytes, User], dict[bytes, list[Node]]]:
    """VRP tells a user in three lines, the others in one."""
    told: dict[str, dict[str, str]] = {}
    for words in _lines(root, _USERS):
        name = words[3] if words[1] == "usm-user" else words[2]
        one = told.setdefault(name, {})
        if group := _after(words, "group") or (words[4] if words[1] == "usm-user" else words[3]):
            one.setdefault("group", group)
        for what, keys in (("auth", ("authentication-mode", "auth")), ("priv", ("privacy-mode", "priv"))):
            at = next((at for at, word in enumerate(words) if word in keys), None)
            if at is not None:
                secret = [word for word in words[at + 2 :] if word not in ("cipher", "simple")]
                one[what] = words[at + 1]
                one[f"{what}-key"] = device.keys.get(secret[0], "") if secret else ""
    groups = {_group(words): words for words in _lines(root, _GROUPS)}
    users, lists = {}, {}
    for name, one in told.items():
        known = one.get("auth") in _HASHES and one.get("priv") in _CIPHERS
        rights = groups.get(one.get("group", ""), ())
        if not (known and rights and one["auth-key"] and one["priv-key"]):
            continue
        users[name.encode()] = User(name, _HASHES[one["auth"]], one["auth-key"], one["priv-key"], _CIPHERS[one["priv"]])
        lists[name.encode()] = _acls(root, {_after(rights, "acl", "access")} - {""})
    return users, lists


def _group(words: tuple[str, ...]) -> str:
    return words[3] if words[0] == "snmp-agent" else words[2]


def _acls(root: Node, names: set[str]) -> list[Node]:
    names |= {words[-1] for words in _lines(root, (("snmp-server", "access-list", "ipv4"),))}
    found = [acl for acl in root.starting("acl") if acl.words[-1] in names]
    found += [acl for acl in root.starting("ip", "access-list") if acl.words[3] in names]
    return [*found, *(acl for acl in root.starting("ipv4-access-list") if acl.words[1] in names)]


def _address(words: tuple[str, ...]) -> IPv4Address | None:
    for word in words:
        try:
            return IPv4Address(word)
        except AddressValueError:
            continue
    return None


def _logs(root: Node) -> list[tuple[IPv4Address, int]]:
    every = next((words[-1] for words in _lines(root, (("syslog-server", "facility"),))), "")
    found = []
    for words in _lines(root, _LOGS):
        address = _address(words[2:])
        if address is not None:
            name = _after(words, "facility") or every
            found.append((address, _LOCAL0 + int(name[5:]) if name[:5] == "local" else _LOCAL7))
    return found


def _traps(device: Device, root: Node) -> list[tuple[IPv4Address, str]]:
    """Those with authentication and privacy; where the platform asks for it, only when traps are switched on."""
    switched = root.starting("snmp-server", "enable", "traps") or root.starting("snmp-server", "enable", "trap")
    found = []
    for words in _lines(root, _TRAPS):
        address = _address(words[2:])
        name = _after(tuple(word for word in words if word != "cipher"), "securityname") or _after(words, "priv")
        private = "privacy" in words or "priv" in words
        if address is not None and private and (words[0] == "snmp-agent" or switched):
            found.append((address, name))
    return found

"""Whom the VPN gateway lets in beside remote sites: other agencies' gateways and people's notebooks (the model)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class Opening:
    """Something that a guest may reach."""

    prefix: IPv4Network
    protocol: str  # "tcp", "udp" or "any"
    port: int  # 0: any


@dataclass(frozen=True, slots=True)
class Pool:
    """Where travellers' addresses come from."""

    network: str
    prefix: IPv4Network
    days: int  # how long a key is good
    roles: tuple[str, ...]  # that may have one


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody outside whom the VPN gateway lets in to named services only."""

    name: str
    kind: str  # "ipsec": a third party's gateway; "wireguard": a person's notebook
    network: str  # whose leg its packets leave the gateway by
    prefixes: tuple[IPv4Network, ...]  # its own; sources are nothing else
    openings: tuple[Opening, ...]
    host: str = ""  # its gateway, powered by the twin alone
    outer: IPv4Address | None = None  # where it calls from
    identity: str = ""  # in IKE
    authority: str = ""  # its root certificate (PEM); "": a shared secret, ``psk/<name>``
    key: str = ""  # WireGuard's public key
    until: str = ""  # UTC, ISO 8601: when it is no longer let in

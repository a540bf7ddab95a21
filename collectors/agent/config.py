"""What the agent is told: ``/etc/sanwang/agent.json`` (shape in the package's docstring)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

DEFAULT_PATH = Path("/etc/sanwang/agent.json")
HTTP_PORT = 9100


class ConfigError(ValueError):
    """The file cannot be used: says the file, the key, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Reflector:
    """An address that answers STAMP packets (udp 862); with ``port`` those of that line's other end alone."""

    vrf: str
    address: str
    port: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """A path to probe, or with ``port`` the line behind that port."""

    name: str
    vrf: str
    source: str
    target: str
    interval_ms: int
    port: str = ""


@dataclass(frozen=True, slots=True)
class Lan:
    """A bridge with users behind it: nobody gives addresses there."""

    vrf: str
    bridge: str


@dataclass(frozen=True, slots=True)
class Check:
    """A hosted service to ask every half minute (``collectors.check``)."""

    service: str
    kind: str
    vrf: str
    source: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The agent's whole configuration."""

    host: str
    management: str
    management_vrf: str
    nms: str
    collector: tuple[str, int]
    reflectors: tuple[Reflector, ...]
    senders: tuple[Sender, ...]
    lans: tuple[Lan, ...] = ()
    checks: tuple[Check, ...] = ()
    shares: tuple[tuple[str, str], ...] = ()  # ports whose fair shares are counted: name, "up" or "down"


def parse(document: Any, where: str = "agent.json") -> AgentConfig:
    """Check and convert the JSON document.

    Raises:
        ConfigError: naming ``where`` and the key.
    """

    def text(table: Any, key: str, path: str) -> str:
        value = table.get(key) if isinstance(table, dict) else None
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {path}{key}: found {value!r}, expected a string; render the host again")
        return value

    def address(table: Any, key: str, path: str) -> str:
        value = text(table, key, path)
        try:
            return str(IPv4Address(value))
        except ValueError:
            raise ConfigError(f"{where}: {path}{key}: found {value!r}, expected an IPv4 address") from None

    def number(table: Any, key: str, path: str) -> int:
        value = table.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
            raise ConfigError(f"{where}: {path}{key}: found {value!r}, expected a port, 1 to 65535")
        return value

    def rows(key: str) -> list[tuple[str, Any]]:
        value = document.get(key, [])
        if not isinstance(value, list):
            raise ConfigError(f"{where}: {key}: found {type(value).__name__}, expected a list")
        return [(f"{key}[{index}].", row) for index, row in enumerate(value)]

    if not isinstance(document, dict):
        raise ConfigError(f"{where}: found {type(document).__name__}, expected an object")
    collector = text(document, "collector", "")
    host, colon, port = collector.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"{where}: collector: found {collector!r}, expected address:port")
    senders = []
    for path, row in rows("senders"):
        interval = row.get("interval_ms", 500) if isinstance(row, dict) else None
        if not isinstance(interval, int) or isinstance(interval, bool) or not 10 <= interval <= 60_000:
            raise ConfigError(f"{where}: {path}interval_ms: found {interval!r}, expected 10 to 60000")
        senders.append(
            Sender(
                name=text(row, "name", path),
                vrf=text(row, "vrf", path),
                source=address(row, "source", path),
                target=address(row, "target", path),
                interval_ms=interval,
                port=text(row, "port", path) if "port" in row else "",
            )
        )
    shares = document.get("shares", {})
    if not isinstance(shares, dict) or not set(map(str, shares.values())) <= {"up", "down"}:
        raise ConfigError(f"{where}: shares: found {str(shares)[:60]!r}, expected up or down for each port")
    return AgentConfig(
        host=text(document, "host", ""),
        management=address(document, "management", ""),
        management_vrf=text(document, "management_vrf", ""),
        nms=address(document, "nms", ""),
        collector=(host, int(port)),
        reflectors=tuple(
            Reflector(
                vrf=text(row, "vrf", path),
                address=address(row, "address", path),
                port=text(row, "port", path) if "port" in row else "",
            )
            for path, row in rows("reflectors")
        ),
        senders=tuple(senders),
        lans=tuple(Lan(vrf=text(row, "vrf", path), bridge=text(row, "bridge", path)) for path, row in rows("lans")),
        checks=tuple(
            Check(
                service=text(row, "service", path),
                kind=text(row, "kind", path),
                vrf=text(row, "vrf", path),
                source=address(row, "source", path),
                address=address(row, "address", path),
                port=number(row, "port", path),
            )
            for path, row in rows("checks")
        ),
        shares=tuple((str(port), str(direction)) for port, direction in shares.items()),
    )


def load(path: Path = DEFAULT_PATH) -> AgentConfig:
    """Read and check the file.

    Raises:
        ConfigError: when it is missing, not JSON, or wrong.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ConfigError(f"{path}: {problem.strerror}; provision writes it, run playbooks/services.yml") from None
    except ValueError as problem:
        raise ConfigError(f"{path}: not JSON: {problem}") from None
    return parse(document, str(path))

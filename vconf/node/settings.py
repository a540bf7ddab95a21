"""What a node is told in its one file, ``/etc/sanwang/node.json`` (rendered by ``provision/render/node.py``)."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from identity.tokens import Tokens
from vconf.lines import Identity
from vconf.node.passing import Place


class Wrong(ValueError):
    """The file is not what it has to be; the message says where."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A node's; addresses as (host, port)."""

    name: str  # of this tier on the bus: the site's code
    parent: str  # of the tier above: the county's name
    listen: tuple[str, int]
    county: tuple[Place, ...]  # where the tier above takes pages' requests
    county_names: Mapping[str, str]
    bus: tuple[str, str]  # "tls://127.0.0.1:4222", name in its certificate
    relay: tuple[str, str, int]  # name, control address
    identity: Identity
    token_key: Path  # the county's public key of meetings' tokens
    pages: Path
    halls: Mapping[str, Mapping[str, str]]
    lib: Path | None = None  # None: nothing is kept over a restart
    duty: Mapping[str, str] | None = None
    also: tuple[str, ...] = ()
    children: Mapping[str, frozenset[str]] = field(default_factory=dict)  # nodes below, and the halls of each

    def names(self) -> dict[str, tuple[str, str]]:
        """Of its halls, in Chinese and English."""
        return {code: (hall["zh"], hall["en"]) for code, hall in self.halls.items()}

    def tls(self) -> ssl.SSLContext:
        """For connections to the tier above."""
        return self.identity.client()

    def tokens(self) -> Tokens:
        """Checks what the county has signed."""
        return Tokens(self.token_key.read_text())


def read(path: Path) -> Settings:
    """Wrong when it cannot be read or lacks something."""
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise Wrong(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Wrong(f"{path}: expected an object")
    key = ""
    try:
        values: dict[str, Any] = {}
        for key, take in _KEYS.items():
            if key in found or key not in _MAY_LACK:
                values[key] = take(found[key])
        key = "certificate, key, ca"
        identity = Identity(*(_path(found[each]) for each in ("certificate", "key", "ca")))
        return Settings(identity=identity, **values)
    except KeyError as error:
        raise Wrong(f"{path}: {key}: {error} is missing") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise Wrong(f"{path}: {key}: {error}") from None


def address(text: str) -> tuple[str, int]:
    """(host, port) of "10.8.11.5:443"; ValueError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"found {text!r}, expected ADDRESS:PORT")
    return host, int(port)


def _text(found: Any) -> str:
    if not isinstance(found, str) or not found:
        raise ValueError(f"found {found!r}, expected a text")
    return found


def _path(found: Any) -> Path:
    return Path(_text(found))


def _places(found: Any) -> tuple[Place, ...]:
    places = tuple(Place(_text(each["name"]), *address(each["address"])) for each in found)
    if not places:
        raise ValueError("found none, expected at least one")
    return places


_KEYS: dict[str, Any] = {
    "name": _text,
    "parent": _text,
    "listen": address,
    "county": _places,
    "county_names": dict,
    "bus": lambda found: (_text(found["server"]), _text(found["name"])),
    "relay": lambda found: (_text(found["name"]), *address(found["control"])),
    "token_key": _path,
    "pages": _path,
    "lib": lambda found: Path(found) if found else None,
    "halls": lambda found: {code: {"zh": _text(hall["zh"]), "en": _text(hall["en"])} for code, hall in found.items()},
    "duty": lambda found: found,
    "also": tuple,
    "children": lambda found: {name: frozenset(halls) for name, halls in found.items()},
}
_MAY_LACK = frozenset({"lib", "duty", "also", "children"})

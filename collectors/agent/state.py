"""The agent's picture of its appliance: sections of keyed JSON values, and who hears of every change.

Sections: ``ports``, ``addresses``, ``neighbours``, ``routes``, ``bfd``, ``ospf``, ``bgp``, ``services``, ``wireguard``,
``ipsec``, ``certificates``, ``probes``, ``lldp``, ``dhcp``, ``checks``, ``told``, ``sources``, ``counters``.  A
value is replaced whole; None removes the key.
The collector applies the same changes to its own copy, so this is also the shape of what it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Value = dict[str, Any]
Change = tuple[str, str, Value | None]
SECTIONS = (
    "ports",
    "addresses",
    "neighbours",
    "routes",
    "bfd",
    "ospf",
    "bgp",
    "services",
    "wireguard",
    "ipsec",
    "certificates",
    "probes",
    "lldp",
    "dhcp",
    "checks",
    "told",
    "sources",
    "counters",
)


class AgentState:
    """Current values; every real change is handed to the listeners, in order."""

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Value]] = {name: {} for name in SECTIONS}
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call ``listener`` with every change from now on; it must not block."""
        self._listeners.append(listener)

    def put(self, section: str, key: str, value: Value | None) -> bool:
        """Set (or with None remove) one value; True when it changed."""
        table = self.sections[section]
        if value is None:
            if table.pop(key, None) is None:
                return False
        elif table.get(key) == value:
            return False
        else:
            table[key] = value
        for listener in self._listeners:
            listener((section, key, value))
        return True

    def replace(self, section: str, values: Mapping[str, Value]) -> None:
        """Make a section equal to ``values``, telling only what differs."""
        for key in [key for key in self.sections[section] if key not in values]:
            self.put(section, key, None)
        for key, value in values.items():
            self.put(section, key, value)

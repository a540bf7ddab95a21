"""The collector's copy of one agent's state, kept by the lines the agent sends (``collectors.agent.push``)."""

from __future__ import annotations

import json
from typing import Any

from collectors.agent.state import SECTIONS, Value

FRESH_S = 3.5  # an agent sends a line every second
MAX_KEYS = 20_000  # of one section: an agent with more is broken, and must not eat the collector


class BadLine(ValueError):
    """A line no agent of ours sends: the connection is closed."""


class AgentView:
    """What one appliance last said.  Times are monotonic seconds."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.sections: dict[str, dict[str, Value]] = {name: {} for name in SECTIONS}
        self.connected = False
        self.known = False  # a whole state was heard since the collector started
        self.heard_at: float | None = None
        self.relayed_at: float | None = None  # its neighbours passed on what it told them
        self.relayed: frozenset[str] = frozenset()  # the services of it that do not run, as they said
        self.relayed_dark: frozenset[str] = frozenset()  # addresses at the other ends of its dark fibres, as they said
        self.boot = ""
        self.dropped = 0
        self.lines = 0

    def fresh(self, now: float) -> bool:
        """True when what it said can be believed now."""
        return self.connected and self.heard_at is not None and now - self.heard_at < FRESH_S

    def told(self, now: float) -> bool:
        """True when what is known of its daemons is of now: from itself, or passed on by a neighbour."""
        return self.fresh(now) or (self.relayed_at is not None and now - self.relayed_at < FRESH_S)

    def value(self, section: str, key: str) -> Value | None:
        """One value, None when it is not there."""
        return self.sections[section].get(key)

    def service_up(self, name: str) -> bool:
        """True when that service runs there."""
        value = self.value("services", name)
        return value is not None and bool(value.get("up"))

    def source_ok(self, name: str) -> bool:
        """True when the agent could ask that daemon."""
        value = self.value("sources", name)
        return value is not None and bool(value.get("ok"))

    def apply(self, line: dict[str, Any], now: float) -> list[tuple[str, str, Value | None, Value | None]]:
        """Take one line; gives the changes: (section, key, before, after).

        Raises:
            BadLine: not a line of the protocol.
        """
        kind = line.get("type")
        self.heard_at = now
        self.lines += 1
        if kind == "beat":
            self.dropped = _integer(line.get("dropped", 0))
            return []
        if kind == "state":
            return self._replace(line.get("state"))
        if kind == "change":
            return self._change(line.get("section"), line.get("key"), line.get("value"))
        raise BadLine(f"type {kind!r}")

    def _replace(self, state: Any) -> list[tuple[str, str, Value | None, Value | None]]:
        if not isinstance(state, dict):
            raise BadLine("state is no object")
        fresh: dict[str, dict[str, Value]] = {}
        for section in SECTIONS:
            table = state.get(section, {})
            if not isinstance(table, dict) or len(table) > MAX_KEYS:
                raise BadLine(f"section {section} is no object, or too large")
            fresh[section] = {key: _value(value) for key, value in table.items()}
        changes: list[tuple[str, str, Value | None, Value | None]] = []
        for section, table in fresh.items():
            old = self.sections[section]
            for key in {**old, **table}:
                if old.get(key) != table.get(key):
                    changes.append((section, key, old.get(key), table.get(key)))
        self.sections = fresh
        if not self.known:  # the first picture is no news: nothing happened, we only began to look
            self.known = True
            return []
        return changes

    def _change(self, section: Any, key: Any, value: Any) -> list[tuple[str, str, Value | None, Value | None]]:
        if not isinstance(section, str) or section not in self.sections or not isinstance(key, str):
            raise BadLine(f"section {section!r}, key {key!r}")
        table = self.sections[section]
        before = table.get(key)
        if value is None:
            table.pop(key, None)
            return [(section, key, before, None)] if before is not None else []
        if key not in table and len(table) >= MAX_KEYS:
            raise BadLine(f"section {section} is too large")
        table[key] = _value(value)
        return [(section, key, before, table[key])] if before != table[key] else []


def _value(value: Any) -> Value:
    if not isinstance(value, dict):
        raise BadLine(f"value {str(value)[:60]!r} is no object")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise BadLine(f"found {str(value)[:60]!r}, expected a number")
    return value


def parse_line(data: bytes) -> dict[str, Any]:
    """One line of the wire.

    Raises:
        BadLine: not a JSON object.
    """
    try:
        line = json.loads(data)
    except (ValueError, RecursionError):
        raise BadLine("not JSON") from None
    if not isinstance(line, dict):
        raise BadLine("not an object")
    return line

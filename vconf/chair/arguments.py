"""Arguments of actions as pages send them: checked, never trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vconf.chair.refusal import Refused
from vconf.chair.state import Conference

Arguments = dict[str, Any]
Check = Callable[[Conference, str, Any], Any]


def venue(state: Conference, name: str, value: Any) -> str:
    """A venue of the meeting, there or not."""
    if not isinstance(value, str):
        raise Refused("bad", f"{name}: expected the code of a venue")
    if value not in state.venues:
        raise Refused("unknown", value[:64])
    return value


def venue_or_none(state: Conference, name: str, value: Any) -> str:
    """A venue, or "" for none."""
    return "" if value == "" else venue(state, name, value)


def venue_list(state: Conference, name: str, value: Any) -> tuple[str, ...]:
    """Venues, each once; may be empty."""
    if not isinstance(value, list) or len(value) > len(state.venues):
        raise Refused("bad", f"{name}: expected a list of venues, each once")
    found = tuple(venue(state, name, each) for each in value)
    if len(set(found)) != len(found):
        raise Refused("bad", f"{name}: expected each venue once")
    return found


def flag(state: Conference, name: str, value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Refused("bad", f"{name}: expected true or false")
    return value


def integer(least: int, most: int) -> Check:
    """A whole number between two."""

    def check(state: Conference, name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Refused("bad", f"{name}: expected a whole number from {least} to {most}")
        return value

    return check


def seconds(least: float, most: float) -> Check:
    """Seconds between two."""

    def check(state: Conference, name: str, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise Refused("bad", f"{name}: expected {least} to {most} seconds")
        return float(value)

    return check


def one_of(*words: str) -> Check:
    """One of some words."""

    def check(state: Conference, name: str, value: Any) -> str:
        if value not in words:
            raise Refused("bad", f"{name}: expected one of {', '.join(words)}")
        return str(value)

    return check


def text(most: int) -> Check:
    """A printable text, without spaces around it."""

    def check(state: Conference, name: str, value: Any) -> str:
        if not isinstance(value, str) or len(value) > most or not value.isprintable():
            raise Refused("bad", f"{name}: expected a printable text of at most {most} characters")
        return value.strip()

    return check

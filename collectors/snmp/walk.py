"""What an agent said: rows of object identifier and value, from a poll or from a recorded walk.

Values are plain Python: int for every number, bytes for OCTET STRING, IpAddress and Opaque, str (dotted) for OBJECT
IDENTIFIER.  Object identifiers are dotted strings without a leading dot.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

Value = int | bytes | str
Oid = tuple[int, ...]

_LARGEST = 256 << 20
_NUMBERS = frozenset({"2", "65", "66", "67", "70"})  # ASN.1 tags: INTEGER, Counter32, Gauge32, TimeTicks, Counter64
_TEXTS = frozenset({"4", "64", "68"})  # OCTET STRING, IpAddress, Opaque


class BadWalk(ValueError):
    """Not a recorded walk."""


def parts(oid: str) -> Oid:
    """Dotted text as numbers.

    Raises:
        ValueError: it is none.
    """
    return tuple(map(int, oid.split(".")))


def dotted(oid: Oid) -> str:
    """Numbers as dotted text."""
    return ".".join(map(str, oid))


class Walk:
    """Rows of one device, read by column."""

    def __init__(self, rows: Mapping[str, Value]) -> None:
        """``rows``: value by instance OID; rows whose OID makes no sense are left out."""
        self._rows = dict(rows)

    @cached_property
    def _sorted(self) -> list[tuple[Oid, str]]:
        found = []
        for oid in self._rows:
            try:
                found.append((parts(oid), oid))
            except ValueError:
                continue
        return sorted(found)

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, oid: str) -> Value | None:
        """The value of one instance."""
        return self._rows.get(oid)

    def column(self, oid: str) -> dict[Oid, Value]:
        """Values below an object, by index (what follows the object's own identifier), in the agent's order."""
        head = parts(oid)
        at = bisect_left(self._sorted, (head, ""))
        found: dict[Oid, Value] = {}
        for row, name in self._sorted[at:]:
            if row[: len(head)] != head:
                break
            if len(row) > len(head):
                found[row[len(head) :]] = self._rows[name]
        return found


def read_walk(path: Path) -> Walk:
    """A recorded walk: lines ``OID|type|value`` (snmpsim's snmprec; "4x" is hexadecimal, "4e" escaped).

    Lines that make no sense are skipped, as an agent's broken row is: a walk needs one good line.

    Raises:
        OSError: it cannot be read.
        BadWalk: it has no good line at all, or is larger than any walk.
    """
    if path.stat().st_size > _LARGEST:
        raise BadWalk(f"{path}: larger than {_LARGEST >> 20} MiB, which no walk is")
    rows: dict[str, Value] = {}
    bad = 0
    for line in path.read_bytes().split(b"\n"):
        oid, _, rest = line.rstrip(b"\r").partition(b"|")
        kind, bar, text = rest.partition(b"|")
        if not bar or not oid.replace(b".", b"").isdigit():
            bad += bool(line.strip())
            continue
        value = _value(kind.decode("ascii", "replace"), text)
        if value is not None:
            rows.setdefault(oid.decode("ascii").strip("."), value)
        else:
            bad += 1
    if not rows:
        raise BadWalk(f"{path}: none of its {bad} lines reads OID|type|value; give a recorded walk (snmprec)")
    return Walk(rows)


def _value(kind: str, text: bytes) -> Value | None:
    """One value by its ASN.1 tag; None for what cannot be read (an end mark, a number that is none)."""
    tag, suffix = (kind[:-1], kind[-1]) if kind[-1:] in ("x", "e") else (kind, "")
    try:
        if suffix == "x":
            data = bytes.fromhex(text.decode("ascii"))
        elif suffix == "e":
            data = text.decode("unicode_escape").encode("latin-1")
        else:
            data = text
        if tag in _NUMBERS:
            return int(data)
        if tag == "6":
            return dotted(parts(data.decode("ascii").strip(".")))
        if tag == "64" and not suffix:
            return bytes(map(int, data.split(b".")))
        return data if tag in _TEXTS else None
    except ValueError:
        return None

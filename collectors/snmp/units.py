"""What a raw value means: from the vendor's unit to the unit that the fact's field is named after."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal[
    "percent", "celsius", "rpm", "V", "mV", "A", "mA", "uA", "W", "mW", "uW", "nW", "dBm", "dBm|uW",
    "bytes", "kB", "MB", "bps", "kbps", "Mbps", "s", "cs", "ms", "km", "m", "count",
    "text", "mac", "address", "onu-serial",
]  # fmt: skip
"""``dBm|uW``: one column in either unit, as Huawei writes it; which, the signs of a device's values tell
(``Reading.settled``).  ``scale`` is then that of the dBm."""

_LINEAR: dict[str, tuple[str, float]] = {
    "percent": ("percent", 1), "celsius": ("celsius", 1), "rpm": ("rpm", 1), "count": ("count", 1),
    "V": ("V", 1), "mV": ("V", 1e-3),
    "A": ("mA", 1e3), "mA": ("mA", 1), "uA": ("mA", 1e-3),
    "W": ("W", 1), "mW": ("W", 1e-3), "uW": ("W", 1e-6), "nW": ("W", 1e-9),
    "bytes": ("bytes", 1), "kB": ("bytes", 1024), "MB": ("bytes", 1 << 20),
    "bps": ("bps", 1), "kbps": ("bps", 1e3), "Mbps": ("bps", 1e6),
    "s": ("s", 1), "cs": ("s", 0.01), "ms": ("s", 1e-3),
    "m": ("m", 1), "km": ("m", 1000),
}  # fmt: skip
_OF_FIELD = {
    "_percent": "percent", "_dbm": "dBm", "_ma": "mA", "_c": "celsius", "celsius": "celsius", "_v": "V", "_w": "W",
    "rpm": "rpm", "_bytes": "bytes", "_bps": "bps", "_s": "s", "_m": "m", "count": "count",
}  # fmt: skip
_DIGITS = {"dBm": 2, "V": 3, "mA": 3, "celsius": 2, "percent": 2, "W": 3, "s": 3, "m": 1}
_PLAUSIBLE: dict[str, tuple[float, float]] = {
    "dBm": (-60, 30), "celsius": (-60, 200), "percent": (0, 100), "V": (-100, 1000), "mA": (0, 100_000),
    "rpm": (0, 100_000), "W": (0, 100_000),
}  # fmt: skip
"""What lies outside is no measurement but a code of the vendor for "none"."""
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def unit_of(name: str) -> str:
    """The unit of a field by its name: ``rx_dbm`` -> "dBm"; "" for text and whole numbers."""
    return next((unit for ending, unit in _OF_FIELD.items() if name.endswith(ending)), "")


def fits(unit: Unit, name: str) -> bool:
    """True when a column of that unit can fill the field of that name."""
    wanted = unit_of(name)
    if wanted == "dBm":
        return unit in ("dBm", "dBm|uW", "W", "mW", "uW", "nW")
    if unit in ("text", "mac", "address", "onu-serial"):
        return not wanted
    return _LINEAR.get(unit, ("dBm", 0))[0] == (wanted or "count")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read one column.

    Attributes:
        unit: Of the raw value after ``scale``.
        field: The fact's field it fills; its ending names the unit of the result.
        scale: Multiplies the raw value.
        offset: Added after that.
        missing: Raw values by which the vendor says "none".
        values: Words of an enumeration.
        lane: Which number of a text with several is meant, from 0; None: the text is one number.
    """

    unit: Unit
    field: str
    scale: float = 1.0
    offset: float = 0.0
    missing: frozenset[int | str] = frozenset()
    values: dict[int, str] = dataclasses.field(default_factory=dict)
    lane: int | None = None

    def settled(self, raws: Iterable[object]) -> Reading:
        """The same with the one unit that this device uses, told by all its values: real light in dBm is mostly
        negative, in microwatts never."""
        if self.unit != "dBm|uW":
            return self
        values = [value for raw in raws if (value := self._plain(raw)) is not None and value not in self.missing]
        if any(value < 0 for value in values):
            return replace(self, unit="dBm")
        return replace(self, unit="uW", scale=1.0) if any(value > 0 for value in values) else self

    def number(self, raw: object) -> float | None:
        """The value in the field's unit; None where there is none (``why`` tells)."""
        return self._read(raw)[0]

    def why(self, raw: object) -> str:
        """Why there is no value, for people; "" when there is one."""
        return self._read(raw)[1]

    def numbers(self, raw: object) -> int:
        """How many numbers a text of lanes holds; 1 for a plain number."""
        return len(_NUMBER.findall(raw.decode("latin-1"))) if isinstance(raw, bytes) else 1

    def _read(self, raw: object) -> tuple[float | None, str]:
        value = self._plain(raw)
        if value is None:
            return None, f"{_shown(raw)} is no number"
        if value in self.missing or _shown(raw) in self.missing:
            return None, f"{_shown(raw)} is the vendor's word for none"
        value = value * self.scale + self.offset
        wanted = unit_of(self.field)
        if wanted == "dBm":
            result, problem = _dbm(value, self.unit, _shown(raw))
        else:
            result, problem = value * _LINEAR[self.unit][1], ""
        if result is None:
            return None, problem
        low, high = _PLAUSIBLE.get(wanted, (-math.inf, math.inf))
        if not low <= result <= high:
            return None, f"{_shown(raw)} would be {result:g} {wanted}, which nothing measures"
        return round(result, _DIGITS.get(wanted, 0)), ""

    def _plain(self, raw: object) -> float | None:
        if isinstance(raw, int):
            return float(raw)
        if not isinstance(raw, bytes):
            return None
        found = _NUMBER.findall(raw.decode("latin-1"))
        at = self.lane or 0
        if at >= len(found) or (self.lane is None and len(found) != 1):
            return None
        value = float(found[at])
        return value if math.isfinite(value) else None


def _dbm(value: float, unit: Unit, shown: str) -> tuple[float | None, str]:
    if unit == "dBm":
        return value, ""
    if unit == "dBm|uW":
        return None, f"{shown} may be dBm or microwatts: no other value of the device tells which"
    watts = value * _LINEAR[unit][1]
    if watts <= 0:
        return None, f"{shown}: no light, which has no dBm"
    return 10 * math.log10(watts * 1000), ""


def _shown(raw: object) -> str:
    return raw.decode("utf-8", "replace").strip("\0 ") if isinstance(raw, bytes) else str(raw)

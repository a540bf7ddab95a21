"""SNMP results as Prometheus text: one device for ``/snmp?target=``, all of them for ``/metrics``.

A device's samples are one ``%`` template a metric, made when its readings are learned; a scrape fills in numbers, and
what did not change since the last one is still text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Protocol

from collectors.snmp import ber
from collectors.snmp.readings import BUSY, CPU, FAMILIES, IDLE, OCTETS, RATE, UNSHOWN, Reading

Values = Sequence[ber.Value]


@dataclass(slots=True)
class _Block:
    """The samples of one metric: readings ``start`` to ``stop``."""

    metric: str
    start: int
    stop: int
    readings: list[Reading]
    lines: list[str]
    template: str
    plain: bool
    last: Values = ()
    text: str = ""

    def fill(self, values: Values) -> str:
        values = values[self.start : self.stop]
        if values != self.last:
            self.last = values
            try:
                self.text = self.template % tuple(values if self.plain else self._numbers(values))
            except TypeError:  # something that is no number, or nothing at all
                self.text = "".join(
                    line % number
                    for line, each, value in zip(self.lines, self.readings, values, strict=True)
                    if (number := _read(each, value)) is not None
                )
        return self.text

    def _numbers(self, values: Values) -> list[float]:
        numbers = [_read(reading, value) for reading, value in zip(self.readings, values, strict=True)]
        if None in numbers:
            raise TypeError("a reading without a value")
        return numbers  # type: ignore[return-value]


@dataclass(slots=True)
class Page:
    """What one device's readings look like."""

    host: str
    _blocks: list[_Block] = field(default_factory=list)
    _rates: list[tuple[int, str]] = field(default_factory=list)  # (place, line) of octets on a link
    _result: Result | None = None
    _texts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, host: str, readings: Sequence[Reading], links: Mapping[tuple[str, str], str]) -> Page:
        """``readings`` in their order; ``links``: (host, port) -> link's name."""
        page = cls(host)
        start = 0
        for metric, group in groupby(readings, key=lambda reading: reading.metric):
            members = list(group)
            names = [_labels(host, reading, links) for reading in members]
            # "%s" writes integers and floats so that they read back the same; "%d" is quicker, and refuses the rest.
            forms = ["%d" if reading.read is None else "%s" for reading in members]
            lines = [f"{metric}{{{name}}} {form}\n" for name, form in zip(names, forms, strict=True)]
            plain = all(reading.read is None for reading in members)
            stop = start + len(members)
            page._blocks.append(_Block(metric, start, stop, members, lines, "".join(lines), plain))
            if metric == OCTETS:
                page._rates = [
                    (start + place, f"{RATE}{{{name}}} %.6g\n")
                    for place, name in enumerate(names)
                    if 'link=""' not in name
                ]
            start = stop
        return page

    def texts(self, result: Result) -> Mapping[str, str]:
        """Samples by metric."""
        if result is self._result:
            return self._texts
        found = {}
        before = result.before
        ticks = {}
        for block in self._blocks:
            if block.metric in UNSHOWN:
                ticks[block.metric] = (
                    _sum(result.values[block.start : block.stop]),
                    _sum(before.values[block.start : block.stop]) if before is not None else None,
                )
                continue
            found[block.metric] = block.fill(result.values)
        ratio = _busy(*ticks[BUSY], *ticks[IDLE]) if BUSY in ticks and IDLE in ticks else None
        if ratio is not None:
            found[CPU] = f'{CPU}{{host="{self.host}"}} {ratio}\n'
        if self._rates and before is not None:
            found[RATE] = self._bps(result, before)
        self._result, self._texts = result, found
        return found

    def _bps(self, result: Result, before: Result) -> str:
        """Rates between two polls; none where the counter went back (a device that was replaced)."""
        eight = 8 / max(result.at - before.at, 1e-3)
        found = []
        for place, line in self._rates:
            late, early = result.values[place], before.values[place]
            if isinstance(late, int) and isinstance(early, int) and late >= early:
                found.append(line % ((late - early) * eight))
        return "".join(found)


@dataclass(frozen=True, slots=True)
class Result:
    """One good poll: values in the order of the page's readings, and the poll before it."""

    at: float  # monotonic seconds
    took_s: float
    varbind_s: float
    page: Page
    values: Values
    before: Result | None = None


class Shown(Protocol):
    """What the exposition asks of a polled device."""

    @property
    def host(self) -> str: ...
    @property
    def result(self) -> Result | None: ...
    @property
    def repeated(self) -> int: ...
    def fresh(self, now: float) -> bool: ...


def exposition(targets: Iterable[Shown]) -> bytes:
    """All samples of these devices; one that does not answer has ``sanwang_snmp_up`` 0 only."""
    now = time.monotonic()
    found: dict[str, list[str]] = {name: [] for name in FAMILIES}
    for target in targets:
        label, result = f'{{host="{target.host}"}}', target.result
        fresh = target.fresh(now)
        found["sanwang_snmp_up"].append(f"sanwang_snmp_up{label} {int(fresh)}\n")
        found["sanwang_snmp_repeated_total"].append(f"sanwang_snmp_repeated_total{label} {target.repeated}\n")
        if result is None or not fresh:
            continue
        found["sanwang_snmp_poll_seconds"].append(f"sanwang_snmp_poll_seconds{label} {result.took_s:.6f}\n")
        found["sanwang_snmp_varbind_seconds"].append(f"sanwang_snmp_varbind_seconds{label} {result.varbind_s:.3g}\n")
        for name, text in result.page.texts(result).items():
            found.setdefault(name, []).append(text)
    return "".join(_header(name) + "".join(texts) for name, texts in found.items() if texts).encode()


@cache
def _header(name: str) -> str:
    kind, text = FAMILIES.get(name, ("untyped", name))
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _labels(host: str, reading: Reading, links: Mapping[tuple[str, str], str]) -> str:
    pairs = [("host", host)]
    for name, value in reading.labels:
        pairs.append((name, value))
        if name == "port":
            pairs.append(("link", links.get((host, value), "")))
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(value: str) -> str:
    """As the text format wants it, and safe in a template."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")


def _read(reading: Reading, value: ber.Value) -> float | None:
    if not isinstance(value, int | bytes):
        return None
    return reading.read(value) if reading.read is not None else value if isinstance(value, int) else None


def _sum(values: Values) -> int | None:
    numbers = [value for value in values if isinstance(value, int)]
    return sum(numbers) if len(numbers) == len(values) else None


def _busy(busy: int | None, busy_before: int | None, idle: int | None, idle_before: int | None) -> float | None:
    if busy is None or busy_before is None or idle is None or idle_before is None:
        return None
    used, all_of_it = busy - busy_before, busy + idle - busy_before - idle_before
    return round(used / all_of_it, 4) if used >= 0 and all_of_it > 0 else None

"""The fault book: which faults are open, since when, and when one may be called over.  Pure but for its clocks' values.

A root is entered as soon as it is ripe (the watcher says when what is seen can only mean this), and leaves when its
subject has been well for a while.  What is not known keeps a fault open.  A link that goes down and up again and again
stays one fault, "link-flap", until it has been quiet.  What a fault took down with it gets time to come back before it
counts as a fault of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from collectors.faults.diagnose import Child, Root

CLEAR_S = {
    "link-down": 8.0,
    "link-silent": 13.0,  # until its figures can be believed again: it may be a link that loses packets
    "link-flap": 15.0,
    "link-degraded": 4.0,  # its figures are means over seconds already
    "duct-cut": 8.0,
}
"""How long the subject must be well; others ``CLEAR_ELSE_S``."""
CLEAR_ELSE_S = 4.0
FLAP_WITHIN_S = 60.0
FLAPS = 3
AFTERMATH_S = 30.0
"""So long after a fault is over its children may still be coming back."""

RECOVERED_S = 3.0
"""What has been well for so long has come back: if it fails again, that is news."""

What = Literal["opened", "changed", "cleared"]


@dataclass(slots=True)
class Fault:
    """One row of the book; times in UNIX seconds.  Replaced, never changed, once it was handed out."""

    id: int
    key: str
    kind: str
    opened_as: tuple[str, str]  # kind and severity when it was opened: an alert's labels never change
    subject: str
    site: str
    severity: str
    opened_at: float
    links: tuple[str, ...]
    hosts: tuple[str, ...]
    detail: dict[str, Any]
    children: tuple[Child, ...] = ()
    impact: dict[str, Any] = field(default_factory=dict)
    cleared_at: float | None = None


Shelter = Callable[[str, Collection[str], Collection[str]], frozenset[Child]]
"""key, links, hosts of a fault -> all that it may take down with it."""


@dataclass(slots=True)
class _Entry:
    """What is known of one key; times monotonic."""

    root: Root
    first: float
    fault: Fault | None = None
    well_since: float | None = None
    shelter: frozenset[Child] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """Something of a fault changed."""

    what: What
    fault: Fault


class Book:
    """All open faults.

    Args:
        well: Of a fault's key, links and hosts: True well, False not, None nobody knows.
        ripe: Whether a root, first seen at that (monotonic) moment, is sure now.
    """

    def __init__(
        self, well: Callable[[Fault], bool | None], ripe: Callable[[Root, float, float], bool], shelter: Shelter
    ) -> None:
        self._well, self._ripe, self._shelter = well, ripe, shelter
        self._next = 1
        self._entries: dict[str, _Entry] = {}
        self._downs: dict[str, deque[float]] = {}
        self._aftermath: dict[Child, tuple[float, float]] = {}  # child of a fault that is over -> until; well since

    @property
    def open(self) -> list[Fault]:
        """Open faults, oldest first."""
        return sorted((e.fault for e in self._entries.values() if e.fault is not None), key=lambda fault: fault.id)

    @property
    def busy(self) -> bool:
        """True while anything is entered, sure or not."""
        return bool(self._entries or self._aftermath)

    def unsure(self, patient: Collection[str] = ()) -> bool:
        """True while something is entered that is not sure yet; kinds of ``patient`` do not count."""
        return any(entry.fault is None and entry.root.kind not in patient for entry in self._entries.values())

    def adopt(self, faults: Iterable[Fault], next_id: int, now: float) -> None:
        """Take over what was open when an earlier collector ended."""
        self._next = max(self._next, next_id)
        for fault in faults:
            root = Root(fault.kind, fault.subject, fault.site, fault.severity, fault.links, fault.hosts, fault.detail)
            shelter = self._shelter(fault.key, fault.links, fault.hosts)
            self._entries[fault.key] = _Entry(root, now, fault, shelter=shelter)

    def down(self, key: str, now: float) -> None:
        """A link has just gone down; enough of these make a flap."""
        self._downs.setdefault(key, deque(maxlen=50)).append(now)

    def impact(self, number: int, impact: dict[str, Any]) -> Change | None:
        """What a fault means was worked out anew."""
        for entry in self._entries.values():
            if entry.fault is not None and entry.fault.id == number and entry.fault.impact != impact:
                entry.fault = replace(entry.fault, impact=impact)
                return Change("changed", entry.fault)
        return None

    def step(self, roots: Iterable[Root], suffers: Collection[Child], now: float, wall: float) -> list[Change]:
        """The diagnosis of this moment and all that suffers; gives what changed, in order: what is over first."""
        found = {root.key: root for root in roots}
        suffering = {child: root.key for root in found.values() for child in root.children}
        for root in found.values():  # a duct's links, a site's boxes
            suffering |= {Child("link", name): root.key for name in root.links if root.key != f"link:{name}"}
            suffering |= {Child("host", name): root.key for name in root.hosts if root.key != f"host:{name}"}
        changes: list[Change] = []
        for key, entry in list(self._entries.items()):
            if key not in found:
                changes += self._absent(key, entry, suffering, now, wall)
        for key, root in found.items():
            changes += self._present(key, root, now, wall)
        self._forget(suffers, now)
        return changes

    def _present(self, key: str, root: Root, now: float, wall: float) -> list[Change]:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(root, now)
        entry.well_since = None
        if entry.fault is None:
            entry.root = root
            if not self._due(key, root, entry.first, now):
                return []
            entry.fault = Fault(
                self._next, key, self._kind(root, key, now), (root.kind, root.severity), root.subject, root.site,
                root.severity, round(wall, 3), root.links, root.hosts, self._detail(root, key, {}), root.children,
            )  # fmt: skip
            self._next += 1
            entry.shelter = self._shelter(key, root.links, root.hosts)
            return [Change("opened", entry.fault)]
        dead = root.kind in ("link-down", "link-silent")
        if entry.fault.severity != "critical" and dead:  # what was bad is dead now: another call
            over = self._over(entry, wall, {"became": root.kind})
            self._entries[key] = _Entry(root, now)
            return [over, *self._present(key, root, now, wall)]
        kind, severity = self._kind(root, key, now), root.severity
        if "critical" in (severity, entry.fault.severity):
            severity = "critical"
        children = tuple(dict.fromkeys((*entry.fault.children, *root.children)))
        detail = self._detail(root, key, entry.fault.detail)
        old = entry.fault
        if (kind, severity, children, detail) != (old.kind, old.severity, old.children, old.detail):
            entry.root = root
            entry.fault = replace(old, kind=kind, severity=severity, children=children, detail=detail)
            if (kind, severity, children) != (old.kind, old.severity, old.children):
                return [Change("changed", entry.fault)]
        return []

    def _absent(self, key: str, entry: _Entry, suffering: Mapping[Child, str], now: float, wall: float) -> list[Change]:
        fault = entry.fault
        if fault is None:
            del self._entries[key]
            return []
        above = suffering.get(Child(key.partition(":")[0], fault.subject))
        if above is not None:
            wider = self._entries.get(above)
            if wider is None or wider.fault is None:
                return []  # not sure yet
            del self._entries[key]
            return [self._over(entry, wall, {"merged_into": wider.fault.id})]
        if not self._well(fault):
            entry.well_since = None
            return []
        if entry.well_since is None:
            entry.well_since = now
        if now - entry.well_since < CLEAR_S.get(fault.kind, CLEAR_ELSE_S):
            return []
        del self._entries[key]
        self._downs.pop(key, None)
        self._aftermath.update(dict.fromkeys(entry.shelter.union(fault.children), (now + AFTERMATH_S, now)))
        return [self._over(entry, wall, {})]

    @staticmethod
    def _over(entry: _Entry, wall: float, more: Mapping[str, Any]) -> Change:
        assert entry.fault is not None
        fault = replace(entry.fault, cleared_at=max(round(wall, 3), entry.fault.opened_at))
        fault.detail = {**fault.detail, **more}
        return Change("cleared", fault)

    def _due(self, key: str, root: Root, first: float, now: float) -> bool:
        if self._sheltered(key, root):
            return False
        return self._flapping(key, now) or self._ripe(root, first, now)

    def _sheltered(self, key: str, root: Root) -> bool:
        """It may be what another fault did, or be coming back after one."""
        kind = key.partition(":")[0]
        if kind in ("site", "duct"):
            parts = [Child("host", name) for name in root.hosts] + [Child("link", name) for name in root.links]
        else:
            parts = [Child(kind, root.subject)]
        others = [
            entry
            for other, entry in self._entries.items()
            if other != key and not (root.kind == "link-down" and other.startswith("service:"))  # no daemon does that
        ]
        return all(
            part in self._aftermath
            or any(e.fault is not None and (part in e.shelter or part in e.fault.children) for e in others)
            for part in parts
        )

    def _flapping(self, key: str, now: float) -> bool:
        downs = self._downs.get(key, ())
        return sum(now - at < FLAP_WITHIN_S for at in downs) >= FLAPS

    def _kind(self, root: Root, key: str, now: float) -> str:
        entry = self._entries.get(key)
        before = entry.fault.kind if entry is not None and entry.fault is not None else ""
        if root.kind in ("link-down", "link-silent", "link-degraded"):
            return "link-flap" if before == "link-flap" or self._flapping(key, now) else root.kind
        if (before, root.kind) == ("host-down", "host-unreachable"):
            return before  # it has power again, and is starting
        return root.kind

    def _detail(self, root: Root, key: str, before: Mapping[str, Any]) -> dict[str, Any]:
        detail = {**before, **root.detail}
        if (downs := len(self._downs.get(key, ()))) > 1:
            detail["downs"] = downs
        return detail

    def _forget(self, suffers: Collection[Child], now: float) -> None:
        for child, (until, well_since) in list(self._aftermath.items()):
            if child in suffers:
                self._aftermath[child] = (until, now)
            if until <= now or now - well_since > RECOVERED_S:
                del self._aftermath[child]
        for key in [key for key, downs in self._downs.items() if now - downs[-1] > FLAP_WITHIN_S]:
            if key not in self._entries:
                del self._downs[key]

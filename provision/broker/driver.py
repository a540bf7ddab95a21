"""What the broker asks of a device, whatever it is: the protocol that Linux boxes and vendors' devices both answer.

``linux_device.py`` speaks to the device tool, ``vendor_device.py`` types commands; ``Devices.on`` chooses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from inventory.model import Host, NetworkModel
from provision.backup.archive import Snapshot
from provision.broker.session import Ran
from provision.render import ConfigFile


@dataclass(frozen=True, slots=True)
class File:
    """A file as the device gets it: secrets filled in."""

    path: str
    mode: str  # "0644"
    text: str
    group: str


@dataclass(frozen=True, slots=True)
class Change:
    """One file that was, or would be, changed; both texts are masked."""

    path: str
    before: str
    after: str

    def as_json(self) -> dict[str, str]:
        """As diffs travel to clients."""
        return {"path": self.path, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Applied:
    """What a device did, or would do."""

    changed: bool
    files: list[Change] = field(default_factory=list)
    running: list[str] = field(default_factory=list)  # differences of the running configuration, a line each
    pending: dict[str, Any] | None = None  # {"id", "left_s"}: the device undoes it unless it is confirmed
    commands: tuple[str, ...] = ()  # lines typed at a vendor's device, secrets as placeholders
    state: dict[str, Any] | None = None  # what ``state`` tells, where a comparison has seen it and something differs
    confirm_s: int = 0  # how long it really waits for a confirmation, where that is not what was asked

    def words(self, check: bool) -> str:
        """One line for people."""
        if not self.changed:
            return "as the model says"
        parts = [change.path for change in self.files] + self.running
        shown = "; ".join(parts[:6]) + (f"; and {len(parts) - 6} more" if len(parts) > 6 else "")
        return f"{'would change' if check else 'changed'}: {shown}"


class Driver(Protocol):
    """One device with an open session.  Everything blocks; BrokerError for whatever goes wrong.

    Each method may be called again when its session turned out to be dead, and goes on where it was.
    """

    exact: bool
    """Whether its files lie there byte for byte as they were sent; a vendor's device shows its own text."""

    whole_at_once: bool
    """Whether a fresh one may get everything over its staging port; a vendor's whole configuration shuts that port."""

    @property
    def alive(self) -> bool:
        """Whether the session stands (no packet is sent)."""

    @property
    def host_key(self) -> str:
        """The SSH host key that the device showed."""

    def enrol(self, files: Collection[File], secrets: Mapping[str, str]) -> Applied:
        """Over its staging port: a fresh device's first configuration, for good."""

    def close_staging(self, *, check: bool, keep_port: bool) -> bool:
        """In band: take the staging port away; True when it was open still and nothing else will shut it."""

    def state(self) -> dict[str, Any]:
        """``{"files": {path: {"sha256", "mode"}}, "groups": {path: group}, "running": {part: fingerprint}, "drift":
        {part: [lines]}, "pending": {"id", "left_s"} | None, "last": {"id", "outcome"} | None}``."""

    def apply(
        self,
        files: Collection[File],
        *,
        groups: Collection[str] | None,
        check: bool,
        secrets: Mapping[str, str],
        confirm: tuple[int, str] | None = None,
    ) -> Applied:
        """Make the device what ``files`` say; ``check``: find out what that would change.

        ``confirm``: (seconds, id): it is undone unless ``end("confirm", id)`` comes in time.  ``secrets`` are the
        private values in ``files`` by name.
        """

    def rollback(self, of: str, *, confirm: tuple[int, str]) -> Applied:
        """Bring back what there was before the confirmed change ``of``, to be confirmed like any other."""

    def end(self, how: str, change: str) -> str:
        """``confirm`` or ``revert`` a pending change; what came of it, in a word or two."""

    def settle(self, change: str) -> str:
        """What became of a change whose time is over: "" while the device still holds it."""

    def command(self, kind: str, text: str, timeout_s: float) -> Ran:
        """One line of a person's; ``kind`` as the device knows it.  The answer may hold secrets."""

    def verify(self, model: NetworkModel, host: Host, files: Collection[ConfigFile]) -> tuple[int, list[str]]:
        """(how many single things were looked at, what is not as the model says)."""

    def snapshot(self, files: Collection[File], rendered: Mapping[str, str], secrets: Mapping[str, str]) -> Snapshot:
        """All that it has, masked; texts that are as ``files`` say are taken from ``rendered`` (path -> text)."""

"""A vendor's device as the broker asks it: its whole configuration is one file, and changing it is typing the patch.

What the device tool keeps on a Linux box, the broker keeps here (``vendor_ledger.py``): what there was before, and
where a change stands.  So whoever comes after a killed broker brings the device to before or to after:

=============  =======================================================  =======================================
held phase     what the device has                                      what is done
=============  =======================================================  =======================================
(nothing)      before                                                   -
sending        some of the lines; its own timer runs                    taken back by the inverse patch
armed          all of them; its own timer runs                          waits; overdue: taken back
confirming     all of them; timer stopped or not, saved or not          finished: timer stopped, saved
=============  =======================================================  =======================================

The device's own timer (VRP8's trial, Comware's commit delay, elsewhere a restart that was scheduled before the first
line) does it where no broker comes in time.  Only a confirmed change is saved.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from inventory.model import Host, NetworkModel
from provision.backup.archive import Kept, Snapshot
from provision.broker import vendor_verify
from provision.broker.driver import Applied, Change, File
from provision.broker.masking import PLACEHOLDER, unfilled
from provision.broker.session import Ran
from provision.broker.vendor_ledger import Held, Ledger
from provision.broker.wire import BrokerError
from provision.platforms import base as platforms
from provision.platforms.hide import hidden as hide
from provision.render import ConfigFile
from provision.vendor import VendorError, VendorSession
from provision.vendor.transcript import hidden

RUNNING = "running-configuration"
"""The one file of a vendor's device."""

GROUP = "configuration"

UNCONFIRMED_S = 300
"""Timer of a change that is confirmed as soon as every line was taken."""

BEFORE_RESTART_S = 20
"""How long before its restart a change is overdue: the inverse patch is faster, and cuts nobody off."""


class VendorDevice:
    """The ``Driver`` of one vendor's device."""

    exact = False
    whole_at_once = False

    def __init__(self, session: VendorSession, host: Host, ledger: Ledger, pin: Callable[[str], None]) -> None:
        """``pin`` keeps the host key that a fresh device shows."""
        self._session = session
        self._host = host
        self._ledger = ledger
        self._pin = pin
        self._platform = platforms.load(host.platform)

    @property
    def alive(self) -> bool:
        return self._session.alive

    @property
    def host_key(self) -> str:
        return self._session.host_key

    # Looking.

    def state(self) -> dict[str, Any]:
        return self._state(self._session.running())

    def _state(self, running: str) -> dict[str, Any]:
        page = self._ledger.page(self._host.name)
        held, last = page.held, page.last
        ended = {"id": last.id, "outcome": last.outcome, "why": last.why} if last else None
        if held is not None and held.phase != "confirming" and self._same(running, held.before):
            ended = {"id": held.id, "outcome": "reverted", "why": "the device went back by itself"}
            held = None
        return {
            "files": {RUNNING: {"sha256": self._digest(running), "mode": ""}},
            "groups": {RUNNING: GROUP},
            "running": {},
            "drift": {},
            "pending": _pending(held) if held is not None else None,
            "last": ended,
        }

    def verify(self, model: NetworkModel, host: Host, files: Collection[ConfigFile]) -> tuple[int, list[str]]:
        wanted = next((file.text for file in files if file.path == RUNNING), "")
        held = self._ledger.page(host.name).held
        return vendor_verify.look(self._session, self._platform, model, host, wanted, pending=held is not None)

    def snapshot(self, files: Collection[File], rendered: Mapping[str, str], secrets: Mapping[str, str]) -> Snapshot:
        running, saved = self._session.running(), self._session.saved()
        text = hide(self._platform, running, rendered.get(RUNNING, ""))
        differs = platforms.diff(self._platform, hide(self._platform, saved), hide(self._platform, running))
        drift = {"saved": differs.splitlines()} if differs else {}
        return Snapshot({RUNNING: Kept(text, "", self._digest(running), GROUP)}, drift)

    def command(self, kind: str, text: str, timeout_s: float) -> Ran:
        if kind != "cli":
            raise BrokerError("request", f"kind {kind!r}: {self._host.name} is no Linux box; expected cli")
        try:
            return Ran(0, hidden(self._session.command(text, timeout_s=timeout_s)), "")
        except VendorError as error:
            if error.kind != "refused":
                raise
            return Ran(1, error.words, "")

    # Changing.

    def enrol(self, files: Collection[File], secrets: Mapping[str, str]) -> Applied:
        wanted = self._wanted(files, secrets)
        running = self._session.running()
        commands = self._patch(running, wanted)
        self._session.hide(*secrets.values())
        self._pin(self._session.host_key)
        self._ledger.forget(self._host.name)  # a fresh device has nothing of what was before
        try:
            self._session.configure(_filled(commands, secrets))
        except VendorError as error:
            if error.sent:
                self._session.undo()
            raise
        self._require_taken(self._session.running(), wanted)
        self._session.save()
        return self._shown(running, wanted, commands)

    def close_staging(self, *, check: bool, keep_port: bool) -> bool:
        """The whole configuration shuts its out-of-band port; in band the login alone is proof."""
        return False

    def apply(
        self,
        files: Collection[File],
        *,
        groups: Collection[str] | None,
        check: bool,
        secrets: Mapping[str, str],
        confirm: tuple[int, str] | None = None,
    ) -> Applied:
        wanted = self._wanted(files, secrets)
        if check:
            running = self._session.running()
            shown = self._shown(running, wanted, self._patch(running, wanted))
            return replace(shown, state=self._state(running)) if shown.changed else shown
        seconds, change = confirm or (UNCONFIRMED_S, f"apply-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}")
        applied = self._change(wanted, secrets, seconds, change)
        if confirm is not None:
            return applied
        if applied.changed:
            self.end("confirm", change)
            return replace(applied, pending=None, confirm_s=0)
        if self._same(self._session.saved(), self._session.running()):
            return applied
        self._session.save()
        return Applied(True, running=["saved: it would have started with something else"])

    def rollback(self, of: str, *, confirm: tuple[int, str]) -> Applied:
        name = self._host.name
        kept = self._ledger.kept(name, of)
        if kept is None:
            raise BrokerError("device", f"{name}: what there was before change {of} is not kept")
        held = self._ledger.page(name).held
        running = self._session.running()
        if (held is None or held.id != confirm[1]) and not (
            self._same(running, kept.after) or self._same(running, kept.before)
        ):
            raise BrokerError("device", f"{name}: it was changed again after {of}: roll that change back first")
        return self._change(kept.before, {}, *confirm)

    def end(self, how: str, change: str) -> str:
        page = self._ledger.page(self._host.name)
        if page.held is not None and page.held.id == change:
            if how == "confirm":
                return self._finish(page.held)
            self._take_back(page.held, "asked to")
            return "reverted"
        ended = page.last if page.last is not None and page.last.id == change else None
        confirmed = ended is not None and ended.outcome == "confirmed"
        if how == "confirm":
            if confirmed:
                return "confirmed already"
            words = f": it was {ended.outcome} ({ended.why})" if ended else ""
            raise BrokerError("device", f"{self._host.name}: change {change} does not wait for a confirmation{words}")
        if confirmed:
            raise BrokerError("device", f"{self._host.name}: change {change} was confirmed: roll it back instead")
        return "not pending"

    def settle(self, change: str) -> str:
        held = self._ledger.page(self._host.name).held
        if held is not None and held.id == change:
            self._settle(held)
        last = self._ledger.page(self._host.name).last
        return last.outcome if last is not None and last.id == change else "unknown"

    # How a change is made, finished, taken back.

    def _change(self, wanted: str, secrets: Mapping[str, str], seconds: int, change: str) -> Applied:
        name = self._host.name
        self._session.hide(*secrets.values())
        running = self._session.running()
        held = self._ledger.page(name).held
        if held is not None:
            if self._waits(held, change, running, wanted):
                return Applied(True, pending=_pending(held), confirm_s=int(held.left_s))
            self._settle(held)
            running = self._session.running()
        commands = self._patch(running, wanted)
        if not commands:
            return Applied(False)
        early_s = BEFORE_RESTART_S if self._session.words.confirm == "restart" else 0
        if early_s and not self._same(self._session.saved(), running):
            self._session.save()  # its restart brings back what is saved: what runs now, and was planned on
        confirm_s = self._session.armed_s(seconds + early_s) - early_s
        held = Held(change, "sending", running, "", time.time() + confirm_s)
        self._ledger.hold(name, held)
        try:
            self._session.configure(_filled(commands, secrets), confirm_s=seconds + early_s, label=_label(change))
        except VendorError as error:
            if error.kind != "unreachable":
                self._take_back(held, error.message, "refused")
                raise BrokerError("device", f"{error.message}; everything was taken back") from None
            raise
        after = self._session.running()
        if self._patch(after, wanted):
            self._take_back(held, "it took every line and still differed", "refused")
            self._require_taken(after, wanted)
        held = replace(held, phase="armed", after=after)
        self._ledger.hold(name, held)
        return replace(self._shown(running, wanted, commands), pending=_pending(held), confirm_s=confirm_s)

    def _waits(self, held: Held, change: str, running: str, wanted: str) -> bool:
        """Whether this very change is there already; BrokerError when another one waits."""
        if held.phase != "armed" or held.left_s < 0 or self._same(running, held.before):
            return False
        if held.id != change:
            raise BrokerError(
                "device",
                f"{self._host.name}: change {held.id} waits for its confirmation for another {held.left_s:.0f} s:"
                " confirm or revert it first",
            )
        return not self._patch(running, wanted)

    def _settle(self, held: Held) -> None:
        """Before or after, as the phase says."""
        if held.phase == "confirming":
            self._finish(held)
        else:
            self._take_back(held, "its time was over" if held.phase == "armed" else "it was cut off half way")

    def _finish(self, held: Held) -> str:
        name = self._host.name
        if held.phase == "sending":
            self._take_back(held, "it was cut off half way")
            raise BrokerError("device", f"{name}: change {held.id} was cut off half way; it was taken back")
        if held.phase == "armed" and self._same(self._session.running(), held.before):
            self._gone(held)
        self._ledger.hold(name, replace(held, phase="confirming"))
        refused = None
        try:
            self._session.confirm(_label(held.id))
        except VendorError as error:
            if error.kind == "unreachable":
                raise
            refused = error
        if self._same(self._session.running(), held.before):
            self._gone(held)
        if refused is not None and held.phase != "confirming":
            raise refused
        self._session.save()
        self._ledger.settle(name, "confirmed")
        return "confirmed"

    def _gone(self, held: Held) -> None:
        why = "the device went back by itself"
        self._take_back(held, why)
        raise BrokerError("device", f"{self._host.name}: change {held.id} is not there any more: {why}")

    def _take_back(self, held: Held, why: str, outcome: str = "reverted") -> None:
        """What there was before, its timer stopped; BrokerError when that fails: then the change stays held, and the
        device's own timer runs on."""
        name, label = self._host.name, _label(held.id)
        if self._session.words.confirm == "trial":
            try:
                self._session.undo(label)
            except VendorError as error:
                if error.kind == "unreachable":
                    raise  # else nothing is on trial any more: it went back by itself, or was committed
        self._session.undo(label, before=held.before)
        left = self._patch(self._session.running(), held.before)
        if left:
            words = f"{name}: what there was before change {held.id} could not be brought back: {hidden(left[0])!r}"
            raise BrokerError("device", f"{words} and {len(left) - 1} more lines are missing")
        if held.phase == "confirming":
            self._session.save()
        self._ledger.settle(name, outcome, why)

    # Texts.

    def _wanted(self, files: Collection[File], secrets: Mapping[str, str]) -> str:
        text = next((file.text for file in files if file.path == RUNNING), None)
        if text is None:
            raise BrokerError("request", f"{self._host.name}: expected its {RUNNING}, found {len(files)} other files")
        return unfilled(text, secrets)

    def _patch(self, before: str, after: str) -> tuple[str, ...]:
        try:
            return platforms.patch(self._platform, before, after)
        except platforms.PatchError as error:
            raise BrokerError("device", f"{self._host.name}: its configuration cannot be compared: {error}") from None

    def _same(self, one: str, other: str) -> bool:
        return one == other or not (self._patch(one, other) or self._patch(other, one))

    def _require_taken(self, running: str, wanted: str) -> None:
        left = self._patch(running, wanted)
        if left:
            raise BrokerError(
                "device",
                f"{self._host.name} took every line, and {len(left)} would be sent again, the first is"
                f" {hidden(left[0])!r}: its release shows it otherwise than the template writes it",
            )

    def _shown(self, running: str, wanted: str, commands: tuple[str, ...]) -> Applied:
        """What changes, for people: the lines that go and come, below the views they stand in."""
        if not commands:
            return Applied(False)
        there = hide(self._platform, running, wanted)
        rows = platforms.diff(self._platform, there, hide(self._platform, wanted, wanted)).splitlines()
        before, after = ("".join(f"{row[1:]}\n" for row in rows if row[:1] in (" ", sign)) for sign in "-+")
        shown = tuple(line if PLACEHOLDER.search(line) else hidden(line) for line in commands)
        return Applied(True, [Change(RUNNING, before, after)], commands=shown)

    def _digest(self, running: str) -> str:
        return hashlib.sha256(hide(self._platform, running).encode()).hexdigest()


def _filled(commands: Collection[str], secrets: Mapping[str, str]) -> list[str]:
    return [PLACEHOLDER.sub(lambda found: secrets[found[1]].rstrip("\n"), line) for line in commands]


def _label(change: str) -> str:
    """A change's name on the device: a letter first, and no longer than VRP takes."""
    return f"p-{change}"[:60]


def _pending(held: Held) -> dict[str, Any]:
    return {"id": held.id, "phase": held.phase, "left_s": round(held.left_s, 1)}

"""Restoring one device from git, guarded as a change is: looked at, armed, verified, confirmed, audited.

The device and everything one cable away may not be worse afterwards than before: what a neighbour misses then that it
did not miss before takes the configuration back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from inventory.impact import ImpactMap
from inventory.model import LinkKind, NetworkModel
from provision.broker.client import BrokerClient
from provision.broker.wire import BrokerError
from provision.change import inband, touches
from provision.change.checks import LINKS_MAY_BE_S, NotNow
from provision.change.runner import BROKER_BACK_S
from store.audit import record
from store.engine import Store
from store.queries import booked_meetings, link_states

CONFIRM_S = 120
IN_BAND_S = 90
VERIFY_S = 45.0
Tell = Callable[[str], None]


@dataclass(slots=True)
class Restored:
    """How it went: "restored", "unchanged" (it was so already), "reverted" or "unfinished"."""

    host: str
    commit: str
    outcome: str = "unfinished"
    new: bool = False  # the box was empty
    files: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)  # files whose secrets are today's, and were others then
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """True when the device has the configuration of the commit, and everything around it is well."""
        return self.outcome in ("restored", "unchanged") and not self.reasons


class Restore:
    """One device, one commit."""

    def __init__(
        self,
        client: BrokerClient,
        model: NetworkModel,
        store: Store,
        host: str,
        commit: str = "",
        *,
        why: str,
        tell: Tell = lambda _: None,
    ) -> None:
        """``commit`` "" is the newest that changed the device.  Raises BrokerError when that has no answer."""
        self._client, self._model, self._store, self._why, self._tell = client, model, store, why, tell
        self.host = host
        self.found: dict[str, Any] = client.call("restore", why=why, host=host, commit=commit, check=True)

    @property
    def commit(self) -> str:
        """The whole name of the commit."""
        return str(self.found["commit"])

    def reasons(self) -> list[str]:
        """Why it may not be done now, a line each: protection, meetings, the controller's own way."""
        if self.found["new"] or not self.found["changed"]:
            return []  # an empty box carries nothing that could be lost
        found = []
        if not touches.FORWARDING.isdisjoint(self.found["groups"]):
            found += self._carried(datetime.now(UTC))
        return found + self._in_band()

    def run(self, *, confirm_s: int = CONFIRM_S) -> Restored:
        """Do it; NotNow when ``reasons`` has some.  What goes wrong afterwards is a value."""
        began_s = time.monotonic()
        if reasons := self.reasons():
            raise NotNow(*reasons)
        done = Restored(self.host, self.commit, new=self.found["new"], renewed=list(self.found["renewed"]))
        if not self.found["changed"]:
            done.outcome = "unchanged"
        else:
            if done.new:
                self._fill(done)
            else:
                self._change(done, self._problems(0.0), confirm_s)
            done.seconds = round(time.monotonic() - began_s, 1)
            self._note(done)
        return done

    def _fill(self, done: Restored) -> None:
        """A new box: everything over its staging port, which is shut once it answers in band."""
        answer = self._ask("restore", commit=self.commit)
        self._tell(f"{self.host}: {answer['msg']}")
        done.files = answer["files"]
        self._ask("in_band", wait_s=IN_BAND_S)
        self._tell(f"{self.host} answers in band")
        left = self._problems(VERIFY_S)
        done.outcome = "restored"
        done.reasons = [words for host in left.values() for words in host]

    def _change(self, done: Restored, before: Mapping[str, list[str]], confirm_s: int) -> None:
        """A device that answers: armed, verified, confirmed or taken back."""
        change = f"restore-{secrets.token_hex(6)}"
        answer = self._ask("restore", commit=self.commit, confirm_s=confirm_s, change=change, base=self.found["base"])
        done.files = answer["files"]
        self._tell(f"{self.host}: {answer['msg']}")
        if answer["pending"] is None:
            done.outcome = "unchanged"
            return
        after = self._problems(min(VERIFY_S, confirm_s * 0.4), before)
        done.reasons = [words for host, each in after.items() for words in each if words not in before.get(host, [])]
        try:
            self._ask("revert" if done.reasons else "confirm", change=change)
        except BrokerError as error:
            done.reasons.append(f"{error.message}: the device undoes it by itself within {confirm_s} s")
            return
        done.outcome = "reverted" if done.reasons else "restored"

    def _problems(self, wait_s: float, before: Mapping[str, list[str]] | None = None) -> dict[str, list[str]]:
        """What the device and its neighbours miss, a line each; a host that is well is not in it.

        Asked again for ``wait_s`` seconds while there is more than ``before``.
        """
        near = {port.peer_host for port in self._model.hosts[self.host].ports} | {self.host}
        hosts = [host.name for host in self._model.appliances() if host.name in near]
        end = time.monotonic() + wait_s
        while True:
            with ThreadPoolExecutor(8) as pool:
                found = dict(zip(hosts, pool.map(self._missing, hosts), strict=True))
            worse = [
                words for host, each in found.items() for words in each if words not in (before or {}).get(host, [])
            ]
            if not worse or time.monotonic() >= end:
                return {host: each for host, each in found.items() if each}
            time.sleep(1.0)

    def _missing(self, host: str) -> list[str]:
        try:
            return [f"{host}: {words}" for words in self._client.call("verify", why=self._why, host=host)["problems"]]
        except BrokerError as error:
            if error.kind not in ("unreachable", "device"):
                raise
            return [f"{host} does not answer in band"]

    def _carried(self, now: datetime) -> list[str]:
        """What the device carries may not be lost: protection and meetings, as for a plan.

        Fibres of the device itself do not count as faults: they may be down because of what is put right here.
        """
        with self._store.reading() as session:
            states = link_states(session)
            end = now + timedelta(seconds=CONFIRM_S) + touches.OVERRUN
            booked = booked_meetings(session, now - touches.OVERRUN, end)
        own = {link.name for link in self._model.links.values() if self.host in {end.host for end in link.ends}}
        seen = touches.protection(
            self._model,
            {name: replace(state, state="up") if name in own else state for name, state in states.items()},
            now,
        )
        if seen.unseen or seen.age_s is None or seen.age_s > LINKS_MAY_BE_S:
            return ["protection is not known: the fibres' states are too old; is the collector up? `sanwang status`"]
        found = [
            f"protection is already switched: {alone.because}, so {alone.link} carries alone: repair it first"
            for alone in seen.unprotected
            if alone.link in own or self._model.links[alone.link].kind is LinkKind.RING
        ]
        down = frozenset(name for name, state in states.items() if state.state != "up" and name in self._model.links)
        cut = touches.effect(ImpactMap(self._model), [self.host], down).halls_cut
        return found + [
            f"meeting {meeting.id} ({meeting.title}, {meeting.start_at.astimezone():%H:%M} to"
            f" {meeting.end_at.astimezone():%H:%M}) could lose {', '.join(lost)}: restore after it"
            for meeting in booked
            if (lost := [hall for hall in meeting.halls if hall in cut])
        ]

    def _in_band(self) -> list[str]:
        """Devices that the controller reaches now and would no longer reach."""
        texts = {each["path"]: each for each in self.found["diff"] if each["path"] in (inband.NETWORK, inband.FRR)}
        if not texts:
            return []
        host = self._model.hosts[self.host]

        def reached(side: str) -> frozenset[str]:
            files = {path: each[side] for path, each in texts.items() if each[side]}
            hosts = {**self._model.hosts, self.host: inband.as_running(host, files)}
            return inband.reached(replace(self._model, hosts=hosts))

        lost = sorted(reached("before") - reached("after"))
        return [f"the controller would no longer reach {', '.join(lost[:6])} in band"] if lost else []

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the broker about the device; one that starts again has the time: every question may be asked twice."""
        end = time.monotonic() + BROKER_BACK_S
        while True:
            try:
                answer: dict[str, Any] = self._client.call(method, why=self._why, host=self.host, **params)
                return answer
            except BrokerError as error:
                gone = error.kind in ("absent", "moved") or "went away" in error.message
                if not gone or time.monotonic() > end:
                    raise
            time.sleep(0.5)

    def _note(self, done: Restored) -> None:
        """``restore`` in the audit log is the evidence that a device came back from its backup."""
        what = "restore" if done.outcome == "restored" else "restore.failed"
        detail = {"host": done.host, "commit": done.commit, "outcome": done.outcome, "new": done.new}
        with self._store.session() as session:
            record(session, self._client.who, what, self._why, {**detail, "reasons": done.reasons[:5]})

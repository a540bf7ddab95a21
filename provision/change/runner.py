"""Carrying a plan out: stage by stage, every device with its own undo timer, every step in the journal first.

A stage is: look again whether it may be done; send its part to each device, which arms its timer; ask the stage's
devices and their neighbours whether all is as the model says; confirm.  Whatever goes wrong takes the stage back, and
the stages before it.  Killed at any moment, the devices that were not confirmed go back by themselves; ``resume`` goes
on with what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from inventory.model import NetworkModel
from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.broker.wire import BrokerError
from provision.change import checks
from provision.change.journal import Journal
from provision.change.plan import Plan, Stage
from provision.change.stages import waves
from provision.change.undo import asked_s
from provision.prove import planned
from store.audit import record
from store.engine import Store

CONFIRM_S = 120
"""How long a device waits for its confirmation."""

AT_ONCE = 10
SEND_S = 10
"""What each further ten devices of a stage add to that time: the first ones wait for the last."""

TYPING_S = 30
"""What the switches of a stage add to it: a command line takes its configuration word by word."""

BROKER_BACK_S = 45.0
"""A broker that is gone has this long to be started again by its supervisor."""

SETTLES_S = 20.0
_GONE = ("absent", "moved")
Tell = Callable[[str], None]


@dataclass(slots=True)
class StageResult:
    """What became of one stage: "confirmed", "reverted", "rolled back" or "not begun"."""

    name: str
    hosts: tuple[str, ...]
    outcome: str = "not begun"
    seconds: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What became of a plan: "applied", "reverted", "kept" (with --keep: earlier stages stay), "rolled back" or
    "unfinished"."""

    plan: str
    outcome: str = "unfinished"
    stages: list[StageResult] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # devices whose own timer, or --resume, must finish it
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        rows = [
            {"name": each.name, "hosts": list(each.hosts), "outcome": each.outcome, "seconds": round(each.seconds, 1)}
            for each in self.stages
        ]
        found = {"plan": self.plan, "outcome": self.outcome, "stages": rows, "reasons": self.reasons, "left": self.left}
        return {**found, "seconds": round(self.seconds, 1)}


def waits_s(model: NetworkModel, host: str, together: tuple[str, ...], confirm_s: int) -> int:
    """Seconds that a device of a stage is asked to wait for its confirmation, when each is given ``confirm_s``."""
    more = SEND_S * ((len(together) - 1) // AT_ONCE) + TYPING_S * (len(waves(model, together)) - 1)
    return asked_s(model.hosts[host].platform, confirm_s + more)


class StageFailed(Exception):
    """A stage that cannot be confirmed; a line per reason."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


class Runner:
    """Applies one plan, or takes it back."""

    def __init__(
        self,
        plan: Plan,
        client: BrokerClient,
        county: County,
        places: Places,
        store: Store,
        *,
        confirm_s: int = CONFIRM_S,
        tell: Tell = lambda _: None,
    ) -> None:
        self.plan = plan
        self.confirm_s = confirm_s
        self.journal = Journal(places, plan.id)
        self._client, self._county, self._places, self._store, self._tell = client, county, places, store, tell
        self._guard = checks.Guard(county.model, store)
        self._wait_s = max(5.0, confirm_s * 0.4)

    # Applying -------------------------------------------------------------------------------------------------

    def refuse(self, *, resume: bool = False) -> None:
        """Raise PlanError or NotNow with every reason why the plan may not be applied; nothing has been sent then."""
        model = self._county.model
        self._ask("reload_model")
        if resume and self.going_back:
            return  # it is taken back: nothing new is sent
        checks.signed(self.plan, model, self._places, self._county.folder, datetime.now(UTC))
        begun = self._begun() if resume else {}
        rest = [host for host in self.plan.hosts if host not in begun]
        stages = [stage for stage in self.plan.stages if any(begun.get(host) != "confirmed" for host in stage.hosts)]
        reasons = checks.devices(self.plan, self._client, self._county, rest)
        reasons += self._guard.reasons(self.plan, stages, len(stages) * self.confirm_s)
        if not begun:  # a run that goes on has proved these very bytes: plan and files are the same, by their hash
            reasons += checks.in_band(self.plan, self._client, self._county, self.plan.stages)
            reasons += planned.unproved(self.plan, self._county)
        if reasons:
            raise checks.NotNow(*reasons)

    def apply(self, *, resume: bool = False, keep: bool = False) -> Outcome:
        """Carry the plan out; a failure is a value.  ``refuse`` comes first."""
        began_s = time.monotonic()
        if resume and self.going_back:
            return self.rollback(self.going_back, guarded=False)
        begun = self._begun() if resume else {}
        if not resume or self.journal.ended:
            self.journal.keep(self.plan)
            self.journal.add("begin", words=f"{self._client.who}, confirm within {self.confirm_s} s")
        self._audit("change.begin", resumed=resume)
        outcome = Outcome(self.plan.id, stages=[StageResult(stage.name, stage.hosts) for stage in self.plan.stages])
        for stage, result in zip(self.plan.stages, outcome.stages, strict=True):
            if all(begun.get(host) == "confirmed" for host in stage.hosts):
                result.outcome = "confirmed"
                continue
            began_stage_s = time.monotonic()
            self._tell(f"stage {stage.name}: {_some(stage.hosts)}")
            try:
                self._stage(stage, begun)
                result.outcome = "confirmed"
            except StageFailed as failed:
                outcome.reasons += failed.reasons
                for reason in failed.reasons:
                    self._tell(reason)
            result.seconds = time.monotonic() - began_stage_s
            if result.outcome != "confirmed":
                self._take_back(outcome, result, keep=keep)
                break
        else:
            outcome.outcome = "applied"
        if not outcome.left:
            self.journal.add("end", words=outcome.outcome)
        outcome.seconds = time.monotonic() - began_s
        self._audit("change.end", outcome=outcome.outcome, reasons=outcome.reasons[:5], left=outcome.left)
        return outcome

    def _begun(self) -> dict[str, str]:
        """Devices that an earlier run of this plan has reached: "pending" or "confirmed"."""
        found = {}
        for host, state in self._states(self.plan.hosts).items():
            last = state.get("last") or {}
            if (state.get("pending") or {}).get("id") == self.plan.id:
                found[host] = "pending"
            elif host in self.journal.confirmed or (last.get("id"), last.get("outcome")) == (self.plan.id, "confirmed"):
                found[host] = "confirmed"
        return found

    def _stage(self, stage: Stage, begun: dict[str, str]) -> None:
        hosts = [host for host in stage.hosts if begun.get(host) != "confirmed"]
        around = self._around(stage.hosts)
        self._require_guard(stage)
        if not any(host in begun for host in stage.hosts):
            self._require_well(around, f"before stage {stage.name}", 5.0, self.journal.confirmed)
        self.journal.add("stage", stage=stage.name)
        for wave in waves(self._county.model, hosts):
            self._each(wave, lambda host: self._send(stage, host))
        self._require_well(around, f"after stage {stage.name}", self._wait_s, {*self.journal.confirmed, *stage.hosts})
        self._each(hosts, lambda host: self._confirm(stage, host))
        self.journal.add("passed", stage=stage.name)

    def _require_guard(self, stage: Stage) -> None:
        """Protection and meetings once more; a link that the stage before has just touched has time to come back."""
        end = time.monotonic() + SETTLES_S
        while reasons := self._guard.reasons(self.plan, [stage], self.confirm_s):
            if time.monotonic() > end:
                raise StageFailed(*reasons)
            time.sleep(1.0)

    def _send(self, stage: Stage, host: str) -> None:
        device = self.plan.device(host)
        self.journal.add("sending", stage=stage.name, host=host)
        answer = self._ask(
            "apply",
            host=host,
            confirm_s=waits_s(self._county.model, host, stage.hosts, self.confirm_s),
            change=self.plan.id,
            base=device.base,
            wanted=device.wanted,
        )
        self.journal.add("applied", stage=stage.name, host=host)
        self._tell(f"{host}: {answer['msg']}")

    def _confirm(self, stage: Stage, host: str) -> None:
        self._ask("confirm", host=host, change=self.plan.id)
        self.journal.add("confirmed", stage=stage.name, host=host)

    # Taking back ----------------------------------------------------------------------------------------------

    def _take_back(self, outcome: Outcome, failed: StageResult, *, keep: bool) -> None:
        """Undo the failed stage, and (unless ``keep``) every stage before it, the last one first."""
        done = [] if keep else [each for each in outcome.stages if each.outcome == "confirmed"]
        self.journal.add("back", words=",".join(each.name for each in (*done, failed)))
        self._tell(f"taking stage {failed.name} back")
        outcome.left += self._back(failed)
        for result in reversed(done):
            self._tell(f"taking stage {result.name} back")
            outcome.left += self._back(result)
        outcome.outcome = "unfinished" if outcome.left else "kept" if keep else "reverted"

    @property
    def going_back(self) -> tuple[str, ...]:
        """Stages that a run which was cut off was taking back."""
        steps = () if self.journal.ended else self.journal.current
        return next((tuple(step.words.split(",")) for step in steps if step.what == "back"), ())

    def _back(self, result: StageResult) -> list[str]:
        """Take one stage back: pending devices revert, confirmed ones roll back; returns those that did not answer."""
        problems: dict[str, str] = {}
        for wave in reversed(waves(self._county.model, result.hosts)):
            problems |= self._try_each(wave, lambda host: self._back_one(result.name, host))
        result.outcome = "reverted" if not problems else result.outcome
        for host, words in problems.items():
            self._tell(f"{host}: {words}")
        return list(problems)

    def _back_one(self, stage: str, host: str) -> None:
        state = self._ask("state", host=host)
        last = state.get("last") or {}
        if (state.get("pending") or {}).get("id") == self.plan.id:
            self._ask("revert", host=host, change=self.plan.id)
            self.journal.add("reverted", stage=stage, host=host)
        elif host in self.journal.confirmed or (last.get("id"), last.get("outcome")) == (self.plan.id, "confirmed"):
            self._roll_back(stage, host, state)

    def _roll_back(self, stage: str, host: str, state: dict[str, Any]) -> None:
        """Bring a confirmed device back; its answer over the changed network is the proof that it may be confirmed."""
        name = f"{self.plan.id}-back"
        last = state.get("last") or {}
        if (last.get("id"), last.get("outcome")) != (name, "confirmed"):
            seconds = waits_s(self._county.model, host, (host,), self.confirm_s)
            self._ask("rollback", host=host, change=name, of=self.plan.id, confirm_s=seconds)
            self._ask("confirm", host=host, change=name)
        self.journal.add("rolled-back", stage=stage, host=host)

    def rollback(self, names: tuple[str, ...] = (), *, guarded: bool = True) -> Outcome:
        """Bring the devices of these stages (default: all) back to what they were before, the last stage first.

        Fine to repeat.  ``guarded``: raise NotNow where protection or a meeting stands against it.
        """
        began_s = time.monotonic()
        stages = [stage for stage in self.plan.stages if not names or stage.name in names]
        outcome = Outcome(self.plan.id, stages=[StageResult(stage.name, stage.hosts) for stage in stages])
        if guarded and (reasons := self._guard.reasons(self.plan, stages, len(stages) * self.confirm_s)):
            raise checks.NotNow(*reasons)
        self._audit("change.rollback", stages=[stage.name for stage in stages])
        self.journal.add("back", words=",".join(stage.name for stage in stages))
        for result in reversed(outcome.stages):
            self._tell(f"taking stage {result.name} back")
            outcome.left += self._back(result)
            if outcome.left:
                break
            try:
                around = self._around(result.hosts)
                self._require_well(around, f"after stage {result.name}", self._wait_s, self.journal.confirmed)
            except StageFailed as failed:
                outcome.reasons += failed.reasons
        outcome.outcome = "unfinished" if outcome.left else "rolled back"
        if not outcome.left:
            self.journal.add("end", words=outcome.outcome)
        outcome.seconds = time.monotonic() - began_s
        self._audit("change.end", outcome=outcome.outcome, reasons=outcome.reasons[:5], left=outcome.left)
        return outcome

    # Asking ---------------------------------------------------------------------------------------------------

    def _around(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """The hosts and every appliance one cable away."""
        model = self._county.model
        near = {port.peer_host for host in hosts for port in model.hosts[host].ports}
        return tuple(host.name for host in model.appliances() if host.name in near or host.name in set(hosts))

    def _require_well(self, hosts: tuple[str, ...], when: str, wait_s: float, has: Collection[str]) -> None:
        """StageFailed unless every host answers in band and has the neighbours, tunnels and services it should.

        ``has``: devices that have the change; the configuration of other switches is not compared with the plan's.
        """
        model = self._county.model

        def well(host: str) -> None:
            changed = model.hosts[host].linux or host in has
            answer = self._ask("verify", host=host, wait_s=wait_s, changed=changed)
            if answer["failed"]:
                raise BrokerError("device", "; ".join(answer["problems"][:4]))

        problems = self._try_each(hosts, well)
        if problems:
            raise StageFailed(*(f"{when}: {host}: {words}" for host, words in problems.items()))

    def _states(self, hosts: Iterable[str]) -> dict[str, dict[str, Any]]:
        states: dict[str, dict[str, Any]] = {}

        def one(host: str) -> None:
            states[host] = self._ask("state", host=host)

        problems = self._try_each(tuple(hosts), one)
        if problems:
            raise BrokerError("unreachable", "\n".join(problems.values()))
        return states

    def _each(self, hosts: Iterable[str], work: Callable[[str], None]) -> None:
        problems = self._try_each(tuple(hosts), work)
        if problems:
            raise StageFailed(*(f"{host}: {words}" for host, words in problems.items()))

    def _try_each(self, hosts: tuple[str, ...], work: Callable[[str], None]) -> dict[str, str]:
        """Do it on every host, several at once; host -> why it did not work."""
        problems: dict[str, str] = {}

        def one(host: str) -> None:
            try:
                work(host)
            except BrokerError as error:
                problems[host] = error.message
            except OSError as error:
                problems[host] = f"the journal cannot be written: {error}"

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, hosts))
        return {host: problems[host] for host in hosts if host in problems}

    def _ask(self, method: str, **params: Any) -> Any:
        """Ask the broker; one that was killed is given the time to come back, as every request may be repeated."""
        end = time.monotonic() + BROKER_BACK_S
        while True:
            try:
                return self._client.call(method, why=f"plan {self.plan.id}: {self.plan.why}"[:400], **params)
            except BrokerError as error:
                gone = error.kind in _GONE or (error.kind == "broker" and "went away" in error.message)
                if not gone or time.monotonic() > end:
                    raise
            time.sleep(0.5)

    def _audit(self, what: str, **detail: object) -> None:
        with self._store.session() as session:
            more = {"plan": self.plan.digest, "author": self.plan.author, **detail}
            record(session, self._client.who, what, self.plan.why, more)


def _some(hosts: tuple[str, ...]) -> str:
    return ", ".join(hosts[:8]) + (f" and {len(hosts) - 8} more" if len(hosts) > 8 else "")

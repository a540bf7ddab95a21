"""``sanwang verify``: real packets show that what policy allows works and that what it denies is dropped.

A denied pair counts only with its control: the same listener answers a neighbour of its own network, and the
firewall's own counter for that crossing rises while the pair is tried.  So "blocked" never means "unrouted".
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from drills.doors import try_doors
from drills.guests import try_guests
from drills.lab import Lab
from drills.policy import Check, Place, allowed_checks, denied_checks
from drills.talk import Listeners, reaches

ALLOWED_TIMEOUT_S = 5.0
DENIED_WAIT_S = 0.5
AT_ONCE = 40

Progress = Callable[[str, int, int], None]


@dataclass
class Verdict:
    """What was seen."""

    allowed_expected: int = 0
    allowed_ok: int = 0
    denied_expected: int = 0
    denied_ok: int = 0
    sites: dict[str, bool] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True when every pair behaved."""
        return self.allowed_ok == self.allowed_expected and self.denied_ok == self.denied_expected

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "allowed": {"expected": self.allowed_expected, "ok": self.allowed_ok},
            "denied": {"expected": self.denied_expected, "ok": self.denied_ok},
            "sites": {"expected": len(self.sites), "ok": sum(self.sites.values())},
            "failures": self.failures,
        }

    def fail(self, check: Check, why: str) -> None:
        """Note a pair that misbehaved."""
        self.failures.append({"pair": str(check), "rule": check.rule, "why": why})


def deny_counters(lab: Lab) -> dict[str, int]:
    """Packets per ``deny-<from>-<to>`` counter, as the firewall itself reports them."""
    answer = lab.broker().call("command", host=lab.model.firewall, text="nft -j list counters", why="verify")
    listing = json.loads(answer["out"])
    return {
        entry["counter"]["name"]: entry["counter"]["packets"] for entry in listing["nftables"] if "counter" in entry
    }


async def verify(lab: Lab, progress: Progress) -> Verdict:
    """Try every allowed and every denied pair; nothing is configured, and every listener is gone afterwards."""
    allowed, denied = allowed_checks(lab.model), denied_checks(lab.model)
    verdict = Verdict(allowed_expected=len(allowed), denied_expected=len(denied))
    async with Listeners(lab) as listeners:
        for check in (*allowed, *denied):
            listeners.open(check.target, check.protocol, check.port)
        await _try_allowed(lab, allowed, verdict, progress)
        await _try_denied(lab, denied, verdict, progress)
    for check, must, why in (*await try_guests(lab), *await try_doors(lab)):
        verdict.allowed_expected += must
        verdict.denied_expected += not must
        verdict.allowed_ok += must and not why
        verdict.denied_ok += not must and not why
        if why:
            verdict.fail(check, why)
    return verdict


async def _try_allowed(lab: Lab, checks: tuple[Check, ...], verdict: Verdict, progress: Progress) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(check: Check) -> None:
        nonlocal done
        async with gate:
            works = await reaches(lab, check, ALLOWED_TIMEOUT_S)
        done += 1
        progress("allowed", done, len(checks))
        outside = lab.model.sites[check.source.site].kind.outside
        if not outside:
            verdict.sites[check.source.site] = verdict.sites.get(check.source.site, True) and works
        if works:
            verdict.allowed_ok += 1
        else:
            verdict.fail(check, "policy allows it and no answer came")

    await asyncio.gather(*(one(check) for check in checks))


async def _try_denied(lab: Lab, checks: tuple[Check, ...], verdict: Verdict, progress: Progress) -> None:
    controls = await _controls(lab, {Check(c.control, c.target, c.protocol, c.port, "") for c in checks if c.control})
    done = 0
    for group in rounds(checks):
        before = await asyncio.to_thread(deny_counters, lab)
        passed = await asyncio.gather(*(reaches(lab, check, DENIED_WAIT_S) for check in group))
        after = await asyncio.to_thread(deny_counters, lab)
        for check, through in zip(group, passed, strict=True):
            counter = f"deny-{check.source.network}-{check.target.network}"
            if through:
                verdict.fail(check, "policy denies it and it was answered")
            elif not controls.get((check.target, check.port), False):
                verdict.fail(check, "its control failed: the listener did not answer somebody who may reach it")
            elif after.get(counter, 0) <= before.get(counter, 0):
                verdict.fail(check, f"the firewall's counter {counter} did not see it")
            else:
                verdict.denied_ok += 1
        done += len(group)
        progress("denied", done, len(checks))


def rounds(checks: Iterable[Check]) -> list[list[Check]]:
    """Checks in groups that hold each crossing (pair of networks) once, so that a counter speaks for one pair."""
    groups: list[list[Check]] = []
    used: dict[tuple[str, str], int] = defaultdict(int)
    for check in checks:
        crossing = (check.source.network, check.target.network)
        index = used[crossing]
        used[crossing] += 1
        if index == len(groups):
            groups.append([])
        groups[index].append(check)
    return groups


async def _controls(lab: Lab, controls: set[Check]) -> dict[tuple[Place, int], bool]:
    """Whether each denied target answers somebody who may reach it."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(check: Check) -> bool:
        async with gate:
            return await reaches(lab, check, ALLOWED_TIMEOUT_S)

    ordered = sorted(controls, key=str)
    results = await asyncio.gather(*(one(check) for check in ordered))
    return {(check.target, check.port): answered for check, answered in zip(ordered, results, strict=True)}

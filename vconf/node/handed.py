"""What a tier that was alone hands over: a meeting's account, and everything that was done, for the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vconf.chair import merge
from vconf.chair.merge import Account

MOST_ACTS = 300
"""Acts in one message; a long time alone takes several."""


@dataclass(frozen=True, slots=True)
class Act:
    """One line for the audit; ``at`` in UNIX seconds."""

    at: float
    who: str
    action: str
    args: Mapping[str, Any]
    number: int  # of the state, 0 where it says nothing


@dataclass(frozen=True, slots=True)
class Handed:
    """One meeting as a tier held it alone, or a part of its acts; ``serial`` is good once."""

    serial: str
    tier: str
    meeting: int
    began: float  # UNIX seconds
    account: Account
    acts: tuple[Act, ...]

    def parts(self) -> Iterator[Handed]:
        """In messages of bounded size, each with a serial of its own."""
        for start in range(0, max(1, len(self.acts)), MOST_ACTS):
            yield replace(self, serial=f"{self.serial}.{start}", acts=self.acts[start : start + MOST_ACTS])


def written(found: Handed) -> dict[str, Any]:
    """As JSON."""
    return {
        "serial": found.serial,
        "tier": found.tier,
        "meeting": found.meeting,
        "began": found.began,
        "account": merge.written(found.account),
        "acts": [
            {"at": act.at, "who": act.who, "action": act.action, "args": dict(act.args), "number": act.number}
            for act in found.acts
        ],
    }


def read(found: Mapping[str, Any]) -> Handed:
    """What ``written`` wrote; KeyError, TypeError or ValueError when it is something else."""
    return Handed(
        serial=str(found["serial"]),
        tier=str(found["tier"]),
        meeting=int(found["meeting"]),
        began=float(found["began"]),
        account=merge.read(found["account"]),
        acts=tuple(
            Act(float(each["at"]), str(each["who"]), str(each["action"]), dict(each["args"]), int(each["number"]))
            for each in found["acts"]
        ),
    )

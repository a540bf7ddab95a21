"""A ruleset as it was read: tables' chains, and rules with their lines."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from provision.prove.sets import ALL, Box

ROUTED = ("ip ", "inet ")  # tables of other families see frames, not routed packets
ENDS = ("", "accept", "return")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.  ``within`` and the interface, state and mark conditions must all hold."""

    where: str  # host:path:line
    text: str
    within: tuple[Box, ...] = (ALL,)  # any of them
    iif: tuple[bool, frozenset[str]] | None = None  # (wanted, names); a name may end in *
    oif: tuple[bool, frozenset[str]] | None = None
    states: tuple[bool, frozenset[str]] | None = None  # of the connection
    direction: str = ""  # "original" or "reply"
    mark: tuple[bool, int] | None = None  # of the packet
    ct_mark: tuple[bool, int] | None = None
    never: str = ""  # why no routed packet matches (TTL 255, a rate)
    by_class: bool = False  # hangs on the class of traffic (DSCP, payload), which decides queues and never ways
    verdict: str = ""  # accept, drop, reject, return, jump, goto, snat, dnat, masquerade, or "" (goes on)
    to: str = ""  # chain of a jump; address[:port] of a NAT
    set_mark: str = ""  # a number, or "ct" (restore)
    set_ct_mark: str = ""  # a number, or "meta" (save)
    counter: str = ""
    comment: str = ""


@dataclass
class Chain:
    """A chain; a base chain has a hook."""

    name: str
    where: str
    hook: str = ""
    priority: int = 0
    kind: str = ""  # filter, nat, route
    policy: str = "accept"
    rules: list[Rule] = field(default_factory=list)

    @functools.cached_property
    def inert(self) -> bool:
        """True for a base chain that lets everything through as it is: one that only sorts packets into queues."""
        marks = any(rule.set_mark or rule.set_ct_mark for rule in self.rules)
        return self.policy == "accept" and not marks and all(rule.verdict in ENDS for rule in self.rules)


@dataclass(slots=True)
class Ruleset:
    """All chains of one namespace, by ``family table chain``."""

    path: str
    chains: dict[str, Chain] = field(default_factory=dict)
    _hooked: dict[str, list[Chain]] = field(default_factory=dict)

    def hooked(self, hook: str) -> list[Chain]:
        """Base chains of a hook in the kernel's order."""
        if hook not in self._hooked:
            ours = (each for name, each in self.chains.items() if each.hook == hook and name.startswith(ROUTED))
            self._hooked[hook] = sorted(ours, key=lambda each: each.priority)
        return self._hooked[hook]

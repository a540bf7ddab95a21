"""A small county that can be broken: what its agents then say, second by second, on a clock of its own.

The physics is told here once more and simply (who has carrier, who reaches the management host), apart from the code
that is tested.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from functools import cache
from typing import Any

from collectors.county import County
from collectors.expected import expect
from collectors.faults.book import Change
from collectors.faults.watch import Watch
from collectors.judge import Asked
from inventory.load import load_model
from inventory.model import ROUTERS, NetworkModel

from .county import healthy

STUCK = frozenset({"zebra", "ospfd", "staticd"})
TICK_S = 0.2
_BEATS = 5  # ticks between two beats of an agent


@cache
def small() -> NetworkModel:
    """The county to start from."""
    return load_model("xiao")


class World:
    """The county, its watch, and what is broken; ``now`` is both clocks."""

    def __init__(self, model: NetworkModel | None = None, dead: Collection[str] = ()) -> None:
        self.model = model or small()
        self.county = County(self.model, expect(self.model))
        self.now = 1_000_000.0
        self.county._started = self.now
        self.dead = set(dead)
        self.cut: set[str] = set()
        self.silent: set[str] = set()
        self.stopped: set[tuple[str, str]] = set()
        self.bad: dict[str, dict[str, Any]] = {}  # link -> figures of its probes
        self.changes: list[Change] = []
        self._well = healthy(self.county)
        self._phase = {name: index % _BEATS for index, name in enumerate(self.county.views)}
        self._tick = 0
        self._said: dict[str, dict[str, dict[str, Any]]] = {}
        self._broken: object = None
        self._states: dict[str, dict[str, dict[str, Any]]] = {}
        self._near: set[str] = set()
        self._number = 0
        self.watch = Watch(self.county)
        for name in self._reached() & self.county.views.keys():
            self.county.views[name].connected = True
            self._speak(name, whole=True)
        self.run(1.5)
        assert self.changes == []
        if not dead:
            self.now += 60  # it has been watched for long
            self.county._looked = self.now
            for view in self.county.views.values():
                view.heard_at = self.now

    @property
    def open(self) -> dict[str, str]:
        """Key -> kind of every open fault."""
        return {fault.key: fault.kind for fault in self.watch.book.open}

    @property
    def opened(self) -> list[str]:
        """Key of every fault that was ever opened, in order."""
        return [change.fault.key for change in self.changes if change.what == "opened"]

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / TICK_S)):
            self.now += TICK_S
            self._tick += 1
            broken = (frozenset(self.dead), frozenset(self.cut), frozenset(self.silent), frozenset(self.stopped),
                      str(self.bad))  # fmt: skip
            if broken != self._broken:
                self._broken, self._near = broken, self._reached()
                self._states = {name: self._state(name) for name in self._near if name in self.county.views}
            reached = self._near
            for name, view in self.county.views.items():
                if name in reached and (name, "agent") not in self.stopped:
                    view.connected = True
                    self._speak(name)
                elif (name, "agent") in self.stopped and name in reached:
                    view.connected = False
                    self.county.judge.asked[name] = Asked(self.now, alive=True)
                elif view.heard_at is not None and self.now - view.heard_at > 1.6:
                    self.county.judge.asked[name] = Asked(self.now, alive=False, failures=2)
            for host, _ in self.stopped:
                self._over_the_fibres(host, reached)
            self.county.evaluate(self.now, self.now)
            self.changes += self.watch.step(self.now, self.now)

    def _stuck(self, host: str) -> bool:
        routes = self.model.hosts[host].role in ROUTERS
        return routes and any((host, service) in self.stopped for service in STUCK)

    def _reached(self) -> set[str]:
        start = self.model.nms
        found, queue = {start} - self.dead, deque([start])
        while queue:
            for port in self.model.hosts[queue.popleft()].ports:
                if port.link in self.cut | self.silent or port.peer_host in self.dead | found:
                    continue
                peer = self.model.hosts[port.peer_host]
                managed = next((p.link for p in peer.ports if p.address and p.address.ip == peer.management), port.link)
                if managed == port.link and not (self._stuck(peer.name) and peer.name not in self._beside(start)):
                    found.add(peer.name)
                    if not self._stuck(peer.name):
                        queue.append(peer.name)
        return found

    def _beside(self, host: str) -> set[str]:
        return {port.peer_host for port in self.model.hosts[host].ports}

    def _over_the_fibres(self, host: str, reached: set[str]) -> None:
        """A router's words on what stands still, passed on by neighbours that are reached."""
        for port in self.model.hosts[host].ports:
            if port.ospf and port.link not in self.cut | self.silent and port.peer_host in reached and port.address:
                self._number += 1
                stopped = {name: "stopped" for where, name in self.stopped if where == host}
                told = {"number": self._number, "stopped": stopped, "from": str(port.address.ip)}
                self._change(port.peer_host, "told", host, told)
        self.county.views[host].relayed_at = self.now if self.county.views[host].relayed_at else None

    def _state(self, name: str) -> dict[str, dict[str, Any]]:
        state = {section: dict(rows) for section, rows in self._well[name].items()}
        host = self.model.hosts[name]
        for port in host.ports:
            dark = port.link in self.cut or port.peer_host in self.dead
            state["ports"][port.name] = {**state["ports"][port.name], "up": not dark}
            quiet = dark or port.link in self.silent or any(
                (end, daemon) in self.stopped for end in (name, port.peer_host) for daemon in ("bfdd", "ospfd")
            )  # fmt: skip
            key = self.county.expected.fibre_bfd.get((name, port.name))
            if key is not None and quiet:
                state["bfd"].pop(key, None)
        for where, service in self.stopped:
            if where == name and service in state["services"]:
                state["services"][service] = {"up": False, "state": "stopped", "pid": 0, "since": 1}
        for link, figures in self.bad.items():
            state["probes"][f"link:{link}"] = figures
        return state

    def _speak(self, name: str, *, whole: bool = False) -> None:
        state = self._states.get(name) or self._state(name)
        view = self.county.views[name]
        if whole or view.heard_at is None or self.now - view.heard_at > 4:
            self.county.take(view, view.apply({"type": "state", "state": state}, self.now))
        elif state is not self._said.get(name):
            for section, rows in state.items():
                before = self._said[name].get(section, {})
                for key in {**before, **rows}:
                    if before.get(key) != rows.get(key):
                        self._change(name, section, key, rows.get(key))
        elif self._tick % _BEATS == self._phase[name]:
            view.apply({"type": "beat", "dropped": 0}, self.now)
        self._said[name] = state

    def _change(self, host: str, section: str, key: str, value: dict[str, Any] | None) -> None:
        view = self.county.views[host]
        line = {"type": "change", "section": section, "key": key, "value": value}
        self.county.take(view, view.apply(line, self.now))

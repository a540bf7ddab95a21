"""The county as the collector sees it now: agents' views, judged links and hosts, and the events of every change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

from collectors import strangers
from collectors.agent.state import Value
from collectors.events import Events
from collectors.expected import Expected
from collectors.judge import Judge, State, Verdict
from collectors.status import Seen, assess
from collectors.view import AgentView
from inventory.model import NetworkModel

EVALUATE_S = 0.5  # at least this often: silence is no event
REMEMBER_S = 60.0  # so long after the start what nobody says anything about may still be what was told last
LAG_S = 0.3  # later than this, and the machine had no time for us: nobody else was silent
_SETTLE_S = 0.02  # changes of one fault come together
_JUDGED = frozenset({"ports", "bfd", "services", "sources", "wireguard", "ipsec", "told"})  # what judgements hang on


@dataclass(frozen=True, slots=True)
class Current:
    """State of a link or host; ``since`` in UNIX seconds."""

    state: State
    reason: str
    since: float
    how: str = ""


class County:
    """Owned by the collector's loop; every method is called there but ``links_seen`` (a copy for the recorder)."""

    def __init__(self, model: NetworkModel, expected: Expected) -> None:
        self.model = model
        self.expected = expected
        self.events = Events()
        self.views = {name: AgentView(name) for name in expected.appliances}
        self.snmp_ok: frozenset[str] = frozenset()
        self.mute: frozenset[str] = frozenset()  # switches that are there, and answer no SNMP
        self.links: dict[str, Current] = {}
        self.hosts: dict[str, Current] = {}
        self.evaluations = 0
        self._fibre_ends = {
            str(port.address.ip): host.name
            for host in model.hosts.values()
            for port in host.ports
            if port.ospf and port.address is not None
        }
        self.judge = Judge(model, expected)
        self.judged: list[Callable[[float, float], None]] = []  # called after each judging: monotonic, UNIX seconds
        self._judged = [link for link in model.links.values() if any(end.host in self.views for end in link.ends)]
        self._host_names = expected.hosts
        self._started = time.monotonic()
        self._wake = asyncio.Event()
        self._every = EVALUATE_S
        self._looked = float("inf")  # when we last judged
        self._told: dict[tuple[str, str], Current] = {}  # by an earlier collector, and not looked at since
        self._verdicts: dict[str, Verdict] = {}

    def take(self, view: AgentView, changes: list[tuple[str, str, Value | None, Value | None]]) -> None:
        """An agent told something: emit its events, and judge again soon."""
        if not changes:
            return
        for section, key, before, after in changes:
            self._event(view.host, section, key, before, after)
            if section == "told" and after is not None:
                self._passed_on(key, after)
        if any(section in _JUDGED for section, *_ in changes):
            self._wake.set()

    def _passed_on(self, host: str, told: Value) -> None:
        """A neighbour passes on which daemons of a router do not run: it may have no way to us left."""
        view, stopped = self.views.get(host), told.get("stopped")
        if view is None or not isinstance(stopped, dict) or self._fibre_ends.get(str(told.get("from"))) != host:
            return
        view.relayed_at = time.monotonic()
        services = view.sections["services"]
        dark = told.get("dark")
        view.relayed_dark = frozenset(map(str, dark)) if isinstance(dark, list) else frozenset()
        for name in {*stopped, *view.relayed}:
            before = services.get(name, {"pid": 0, "since": 0})
            if before.get("up") == (name not in stopped) or (host, name) not in self.expected.services:
                continue
            state = str(stopped.get(name, "run"))
            services[name] = {**before, "up": name not in stopped, "state": state}
            self._event(host, "services", name, before, services[name])
        view.relayed = frozenset(stopped)

    def soon(self, seconds: float) -> None:
        """Judge again in so many seconds, if nothing else makes us do it sooner."""
        self._every = min(self._every, seconds)

    def touched(self) -> None:
        """Something outside the agents changed (a connection opened or closed)."""
        self._wake.set()

    def _event(self, host: str, section: str, key: str, before: Value | None, after: Value | None) -> None:
        if section == "services":
            old, new = (str(value.get("state")) if value else "gone" for value in (before, after))
            if old != new or (before and after and before.get("pid") != after.get("pid")):
                self.events.emit("service", f"{host}/{key}", new, before=old, pid=after.get("pid") if after else None)
        elif section in ("bfd", "ospf", "bgp"):
            flag = "full" if section == "ospf" else "up"
            was, now = (bool(value and value.get(flag)) for value in (before, after))
            if was != now:
                self.events.emit(section, f"{host}{key if key.startswith('/') else '/' + key}", "up" if now else "down")
        elif section in ("wireguard", "ipsec"):
            was, now = (bool(value and value.get("up")) for value in (before, after))
            if was != now:
                self.events.emit("tunnel", f"{host}/{key}", "up" if now else "down")
        elif section in strangers.SECTIONS:
            was_odd, odd = (strangers.oddity(self.model, host, section, key, value) for value in (before, after))
            if (odd is None) != (was_odd is None):
                told = odd or was_odd
                assert told is not None
                self.events.emit(told.kind, told.subject, "found" if odd else "gone", reason=told.words)
        elif section == "routes" and before is not None:
            default = after.get("default") if after else None
            self.events.emit(
                "route", f"{host}/{key or 'default'}", str(default or "none"), before=before.get("default")
            )

    async def run(self) -> None:
        """Judge after every change and twice a second, until cancelled."""
        while True:
            try:
                every, self._every = self._every, EVALUATE_S
                async with asyncio.timeout(every):
                    await self._wake.wait()
                await asyncio.sleep(_SETTLE_S)
            except TimeoutError:
                pass
            self._wake.clear()
            self.evaluate()

    def evaluate(self, now: float | None = None, wall: float | None = None) -> None:
        """Judge every link and host at a moment (monotonic, UNIX seconds; default now), and tell what changed."""
        now, wall = time.monotonic() if now is None else now, time.time() if wall is None else wall
        if now - self._looked > EVALUATE_S + LAG_S:  # we stood still; what was said meanwhile is still to be read
            self.judge.awake_since = now
        self._looked = now
        self.evaluations += 1
        verdicts: dict[str, Verdict] = {}
        for link in self._judged:
            verdict = verdicts[link.name] = self.judge.link(link, self.views, now, wall)
            self._settle("link", self.links, link.name, verdict, wall)
        for name in self._host_names:
            verdict = self.judge.host(name, self.views, verdicts, now, self._started)
            self._settle("host", self.hosts, name, verdict, wall)
        for tell in self.judged:
            tell(now, wall)

    def _settle(self, kind: str, table: dict[str, Current], name: str, verdict: Verdict, wall: float) -> None:
        old = table.get(name)
        if old is not None and old.state == verdict.state:
            if (old.reason, old.how) != (verdict.reason, verdict.how):
                table[name] = Current(old.state, verdict.reason, old.since, verdict.how)
            return
        told = self._told.get((kind, name))
        since = told.since if told is not None and told.state == verdict.state else round(wall, 3)
        table[name] = Current(verdict.state, verdict.reason, since, verdict.how)
        if told is not None:
            if verdict.state == "unknown" and time.monotonic() - self._started < REMEMBER_S:
                return  # nobody has said anything yet: what was told last stands
            del self._told[kind, name]
            if verdict.state != told.state:
                self.events.emit(kind, name, verdict.state, reason=verdict.reason, before=told.state)
        elif old is not None or verdict.state == "down":
            self.events.emit(kind, name, verdict.state, reason=verdict.reason, before=old.state if old else None)

    def remember(self, kind: str, name: str, state: str, since: float) -> None:
        """What an earlier collector told last of a link or host: not told again. Before the loop begins."""
        if state in get_args(State):
            self._told[kind, name] = Current(cast(State, state), "", since)

    def hosts_how(self, name: str) -> str:
        """How a host was seen to be down, "" when it was not."""
        seen = self.hosts.get(name)
        return seen.how if seen is not None else ""

    def links_seen(self) -> dict[str, Current]:
        """A copy of all links' states, safe to read from another thread."""
        return dict(self.links)

    def links_document(self) -> dict[str, Any]:
        """``GET /links``."""
        documents = {}
        for link in self.model.links.values():
            seen = self.links.get(link.name, Current("unknown", "nothing of ours can see it", self._wall_start()))
            documents[link.name] = {
                **asdict(seen),
                "up": {"up": True, "down": False}.get(seen.state),
                "kind": link.kind.value,
                "a": link.a.host,
                "b": link.b.host,
            }
        return documents

    def _wall_start(self) -> float:
        return round(time.time() - (time.monotonic() - self._started), 3)

    def hosts_document(self) -> dict[str, Any]:
        """``GET /hosts``: every judged host; ``up`` is False also while it is unknown."""
        documents = {}
        for name in self._host_names:
            host = self.model.hosts[name]
            seen = self.hosts.get(name, Current("unknown", "not judged yet", self._wall_start()))
            documents[name] = {
                **asdict(seen),
                "up": seen.state == "up",
                "site": host.site,
                "role": host.role.value,
            }
        return documents

    def probes_document(self) -> dict[str, Any]:
        """``GET /probes``: newest figures of every path, with the host that sends."""
        now = time.monotonic()
        return {
            path: {**value, "host": view.host, "fresh": view.fresh(now)}
            for view in self.views.values()
            for path, value in view.sections["probes"].items()
        }

    def status_document(self) -> dict[str, Any]:
        """``GET /status``."""
        self.evaluate()
        hosts = {name: Verdict(seen.state, seen.reason) for name, seen in self.hosts.items()}
        document = assess(self.expected, Seen(time.monotonic(), self.views, hosts, self.snmp_ok))
        return {"county": self.model.name, "at": round(time.time(), 3), **document}

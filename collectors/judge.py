"""From what the agents say to the state of links and hosts: pure functions, both ends of a link merged into one.

A link is down when either end has lost its carrier, or when either end's BFD session on it is down; up when a fresh
end says nothing bad; unknown when nobody who could know is heard.  BFD is not believed while ospfd or bfdd of either
end is stopped or has just been started: then a daemon is the matter, not the fibre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from collectors.expected import Expected
from collectors.view import FRESH_S, AgentView
from inventory.model import Link, LinkEnd, NetworkModel

State = Literal["up", "down", "unknown"]
DAEMON_SETTLE_S = 8.0  # OSPF and BFD need this long after a daemon's start
START_S = 10.0  # agents need this long to find a collector that has just started
BEAT_S = 1.1  # an agent beats every second
LATE_S = 0.3  # words that were on their way when something happened
DARK_S = 0.3  # silence after which the neighbours' opinion counts
SILENT_S = 1.1  # an agent beats every second; what is silent longer is asked
GONE_S = 2.6  # silence of a host whose agent has closed its connection, when nobody asked it
FAILURES = 2  # questions without an answer after which a host is down
_BFD_DAEMONS = ("bfdd", "ospfd")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a host said when it was asked whether it lives, at a monotonic moment."""

    at: float
    alive: bool
    failures: int = 0


@dataclass(frozen=True, slots=True)
class EndSeen:
    """What one end of a link says; None = it cannot tell."""

    host: str
    carrier: bool | None = None
    bfd: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and why; ``how``: a link's "carrier" or "bfd", a host's "dark" (its cables are) or "silent"."""

    state: State
    reason: str = ""
    how: str = ""


def merge(ends: tuple[EndSeen, ...]) -> Verdict:
    """Both ends' words into one state."""
    for end in ends:
        if end.carrier is False:
            return Verdict("down", f"no carrier at {end.host}", "carrier")
    for end in ends:
        if end.bfd is False:
            return Verdict("down", f"BFD down at {end.host}", "bfd")
    if any(end.carrier is not None for end in ends):
        return Verdict("up")
    return Verdict("unknown", "neither end is heard")


class Judge:
    """Knows the model and what it expects; judges views at a moment."""

    def __init__(self, model: NetworkModel, expected: Expected) -> None:
        self._model = model
        self._expected = expected
        self.asked: dict[str, Asked] = {}
        self._dark_since: dict[str, float] = {}
        self.awake_since = float("-inf")  # when the collector itself last began again after standing still

    def link(self, link: Link, views: Mapping[str, AgentView], now: float, wall: float) -> Verdict:
        """State of one link; ``now`` monotonic, ``wall`` UNIX seconds."""
        daemons = all(self._daemons_settled(views.get(end.host), now, wall) for end in link.ends)
        return merge(tuple(self._end(end, views.get(end.host), now, daemons) for end in link.ends))

    def _end(self, end: LinkEnd, view: AgentView | None, now: float, daemons: bool) -> EndSeen:
        if view is None or not view.fresh(now):
            return EndSeen(end.host)
        port = view.value("ports", end.port)
        if port is None:
            return EndSeen(end.host, carrier=False)
        carrier = bool(port.get("up"))
        key = self._expected.fibre_bfd.get((end.host, end.port))
        if key is None or not daemons or not view.source_ok("bfdd"):
            return EndSeen(end.host, carrier)
        session = view.value("bfd", key)
        return EndSeen(end.host, carrier, session is not None and bool(session.get("up")))

    @staticmethod
    def _daemons_settled(view: AgentView | None, now: float, wall: float) -> bool:
        """False while this router's own daemons explain a missing BFD session."""
        if view is None or not view.told(now):
            return True  # the other end's word is all there is
        for name in _BFD_DAEMONS:
            service = view.value("services", name)
            if service is None:
                continue
            since = service.get("since")
            just_started = isinstance(since, (int, float)) and abs(wall - since) < DAEMON_SETTLE_S
            if not service.get("up") or just_started:
                return False
        return True

    def host(
        self,
        name: str,
        views: Mapping[str, AgentView],
        links: Mapping[str, Verdict],
        now: float,
        started: float,
    ) -> Verdict:
        """State of one host; ``links`` as just judged, ``started`` when the collector began to listen."""
        leaf = self._expected.leaves.get(name)
        if leaf is not None:
            return self._by_carrier((leaf,), views, now)
        uplinks = self._expected.switches.get(name)
        if uplinks is not None:
            return self._by_carrier(uplinks, views, now)
        view = views.get(name)
        if view is None:
            return Verdict("unknown", "nothing of ours can see it")
        if view.heard_at is None:
            if now - started < START_S:
                return Verdict("unknown", "not heard yet")
            dark = self._dark(name, views, links, now)
            return Verdict("down", "its agent was never heard", "dark" if dark else "silent")
        silence = now - max(view.heard_at, self.awake_since)
        if silence > DARK_S and self._dark(name, views, links, now):
            return Verdict("down", "every neighbour has lost it", "dark")
        if view.connected and silence < SILENT_S:
            return Verdict("up")
        asked = self.asked.get(name)
        if asked is None or asked.at < view.heard_at:
            # nobody asks: an agent that restarts is back within a second or two
            if silence < (FRESH_S if view.connected else GONE_S):
                return Verdict("up")
        elif asked.alive or asked.failures < FAILURES:
            return Verdict("up", "its agent is silent" if asked.alive else "")
        if view.relayed_at is not None and now - view.relayed_at < FRESH_S:
            return Verdict("up", "heard by way of its neighbours")
        return Verdict("down", "its agent is silent" if view.connected else "its agent has gone", "silent")

    @staticmethod
    def _by_carrier(ports: Sequence[tuple[str, str]], views: Mapping[str, AgentView], now: float) -> Verdict:
        """A box without an agent of ours lives while one of the ports it hangs on has a carrier."""
        dark = []
        for host, port in ports:
            view = views.get(host)
            if view is None or not view.fresh(now):
                continue
            value = view.value("ports", port)
            if value is not None and value.get("up"):
                return Verdict("up")
            dark.append(f"{host} {port}")
        if not dark:
            return Verdict("unknown", f"{ports[0][0]} is not heard")
        return Verdict("down", f"no carrier at {', '.join(dark)}", "dark")

    def _dark(self, name: str, views: Mapping[str, AgentView], links: Mapping[str, Verdict], now: float) -> bool:
        """True when at least one neighbour has lost its carrier to the host, and none that spoke since still has it.

        A neighbour that has not spoken since may be as cut off as the host: it is waited for, as long as a beat takes.
        """
        whole: list[AgentView] = []
        dark = False
        for port in self._model.hosts[name].ports:
            peer = views.get(port.peer_host)
            if peer is None or not peer.fresh(now):
                continue
            if links[port.link].how == "carrier":
                dark = True
            else:
                whole.append(peer)
        if not dark:
            self._dark_since.pop(name, None)
            return False
        since = self._dark_since.setdefault(name, now)
        return not whole or (now - since > BEAT_S and all((peer.heard_at or 0.0) < since + LATE_S for peer in whole))

"""From the county as it is judged to symptoms: what is wrong now, since when, and when it is sure.

A symptom alone may mean two things for a moment: a link that went dark is a cut fibre or the death of the box at its
other end; a BFD session that ended is a silent fibre or a stopped daemon.  So a root waits until the hosts at its ends
have been heard after it was first seen, or could not be any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from collectors.county import County
from collectors.faults.book import Book, Change, Fault
from collectors.faults.diagnose import Child, Dark, Diagnosis, Root, Symptoms
from collectors.probe.degraded import SETTLE_S, Degradation, degradations
from collectors.status import tunnel_up
from inventory.model import ROUTERS
from inventory.probes import link_key, link_paths

TOGETHER_S = 0.25  # words of one moment arrive within this time
SILENT_S = 0.15  # a daemon that was stopped is seen this long after its BFD sessions ended
WAIT_S = 1.25  # longest wait for a host's own word: an agent beats every second
RESTART_S = 1.6  # a daemon that its supervisor starts again is back by then
SERVICE_S = {"stopped": TOGETHER_S, "silent": 6.0}  # on purpose; an agent whose words are on their way round a cut
TUNNEL_S = 3.0
REROUTE_S = 1.5  # a router whose fibre fell silent is back by its other one as soon as BFD has noticed
UNREST_S = 8.0  # OSPF, BGP and TCP have found another way by then
FIRST_LOOK_S = 12.0  # after the collector's start: agents come one by one
SOON_S = 0.1  # look again so soon while something is not sure
LOOK_S = 0.4  # figures change every two seconds


def _measured(wrong: Sequence[Degradation]) -> dict[str, Any]:
    """As a fault's detail: one key for each thing that is wrong."""
    detail: dict[str, Any] = {"reason": "; ".join(each.words for each in wrong)}
    for each in wrong:
        if each.kind == "loss":
            detail["loss_ratio"] = each.measured
        elif each.kind == "rate":
            detail["bottleneck_bps"] = each.measured
        elif each.kind == "delay":
            detail["delay_ms"] = round(each.measured - each.expected, 3)
    return detail


class Watch:
    """Runs the diagnosis on the county and keeps the book.  Lives in the collector's loop."""

    def __init__(self, county: County) -> None:
        self._county = county
        self.diagnosis = Diagnosis(county.model, county.expected)
        self._since: dict[tuple[str, str], float] = {}
        self._down_hosts: Collection[str] = ()
        self._probed = [(path.link, path.host) for path in link_paths(county.model) if path.host in county.views]
        self._figures_from: dict[str, float] = {}  # link -> when its figures can be believed again
        self._looked = 0.0
        self._unrest_at = -UNREST_S
        self._began = float("inf")
        self.degraded: Mapping[str, Mapping[str, Any]] = {}
        self.book = Book(self._well, self._ripe, self.diagnosis.shelter)

    def step(self, now: float, wall: float) -> list[Change]:
        """Look at the county as just judged."""
        self._began = min(self._began, now)
        symptoms = self.symptoms(now)
        if symptoms.none and not self.book.busy:
            return []
        suffers = {Child(kind, name) for kind, name in self._since}
        changes = self.book.step(self.diagnosis.find(symptoms), suffers, now, wall)
        if self.book.unsure:
            self._county.soon(SOON_S)
        return changes

    def broken(self) -> tuple[frozenset[str], frozenset[str]]:
        """Links and hosts that are faults themselves."""
        faults = self.book.open
        return (
            frozenset(name for fault in faults if fault.kind != "link-degraded" for name in fault.links),
            frozenset(name for fault in faults if fault.kind != "tunnel-down" for name in fault.hosts),
        )

    def symptoms(self, now: float) -> Symptoms:
        """What is wrong now."""
        county, before = self._county, self._since
        since: dict[tuple[str, str], float] = {}

        def first(kind: str, name: str) -> float:
            since[kind, name] = before.get((kind, name), now)
            return since[kind, name]

        links = {
            name: Dark(seen.how == "bfd", first("link", name), seen.reason)
            for name, seen in county.links.items()
            if seen.state == "down"
        }
        hosts = {
            name: Dark(seen.how == "silent", first("host", name), seen.reason)
            for name, seen in county.hosts.items()
            if seen.state == "down"
        }
        self._down_hosts = hosts.keys()
        services: dict[tuple[str, str], str] = {}
        for host, asked in county.judge.asked.items():
            view = county.views[host]
            if asked.alive and view.heard_at is not None and asked.at > view.heard_at and host not in hosts:
                first("service", f"{host}/agent")
                services[host, "agent"] = "silent" if view.connected else "gone"
        for host, name in county.expected.services:
            state = self._service(host, name, now)
            if state:
                first("service", f"{host}/{name}")
                services[host, name] = state
        tunnels = set()
        for name, tunnel in county.expected.tunnels.items():
            view = county.views[tunnel.gateway]
            if view.fresh(now) and not tunnel_up(tunnel, view):
                first("tunnel", name)
                tunnels.add(name)
        if now - self._looked >= LOOK_S:
            self._looked = now
            self.degraded = self._judge_figures(now)
        for name in self.degraded:
            first("degraded", name)
        for name, dark in links.items():
            if not dark.silent:
                first("carrier", name)
        for kind, name in since.keys() - before.keys():
            if kind == "carrier" or (kind == "link" and links[name].silent):
                self.book.down(f"link:{name}", now)
        self._since = since
        return Symptoms(links, hosts, services, tunnels, self.degraded)

    def _judge_figures(self, now: float) -> dict[str, dict[str, Any]]:
        """Links that carry badly, with what was measured."""
        found = {}
        for name, host in self._probed:
            seen, view = self._county.links.get(name), self._county.views[host]
            if seen is None or seen.state != "up":
                self._figures_from[name] = now + SETTLE_S
                continue
            figures = view.value("probes", link_key(name))
            if figures is None or not view.fresh(now) or now < self._figures_from.get(name, 0.0):
                continue
            numbers = {key: value for key, value in figures.items() if isinstance(value, int | float)}
            if wrong := degradations(self._county.model.links[name], numbers):
                found[name] = _measured(wrong)
        return found

    def _service(self, host: str, name: str, now: float) -> str:
        """What is wrong with a service, "" when nothing is or nobody knows."""
        view = self._county.views[host]
        if not view.told(now):
            return ""
        value = view.value("services", name)
        if value is None:  # of one that was never heard itself neighbours tell only what stands still
            return "missing" if view.fresh(now) and view.known else ""
        return "" if value.get("up") else str(value.get("state", "down"))

    def _ripe(self, root: Root, first: float, now: float) -> bool:
        age = now - max(first, self._county.judge.awake_since)
        kind = root.key.partition(":")[0]
        if kind in ("link", "duct"):
            if root.kind == "link-degraded":
                return True  # its figures are means over seconds already
            margin = SILENT_S if root.kind == "link-silent" else 0.0
            patience = WAIT_S if now - self._began > FIRST_LOOK_S else FIRST_LOOK_S
            return age >= patience or (age >= TOGETHER_S and self._heard_both(root, margin))
        if kind == "service":
            state = str(root.detail.get("state"))
            if state in ("gone", "silent") and self._unrest(root.key, now):
                return age >= UNREST_S  # its connection broke, and it is about to come back
            return age >= SERVICE_S.get(state, RESTART_S)
        if kind == "tunnel" and root.hosts[0] not in self._down_hosts:
            return age >= TUNNEL_S
        if root.kind in ("host-unreachable", "tunnel-down"):  # asked twice already; but routes may be on their way
            routers = any(self._county.model.hosts[name].role in ROUTERS for name in root.hosts)
            return age >= (UNREST_S if self._unrest(root.key, now) else REROUTE_S if routers else 0.0)
        return age >= TOGETHER_S

    def _unrest(self, key: str, now: float) -> bool:
        """Something else is broken, or was a moment ago: what is out of reach may come back by another way."""
        others = [name for kind, name in self._since if f"{kind}:{name}" != key and kind in ("link", "service")]
        if others or any(fault.key != key for fault in self.book.open):
            self._unrest_at = now
        return now - self._unrest_at < UNREST_S

    def _heard_both(self, root: Root, margin: float) -> bool:
        """Both ends are known to live: nothing else than the link explains what is seen."""
        for name in root.links:
            silent = self._county.links[name].how == "bfd"
            for end in self._county.model.links[name].ends:
                if not self._lives(end.host, root.since + margin) and (silent or not self._powered(end.host, root)):
                    return False
        return True

    def _lives(self, host: str, since: float) -> bool:
        """Its agent has spoken since: what it says of its daemons and ports is of now."""
        view = self._county.views.get(host)
        return view is None or (view.heard_at is not None and view.heard_at >= since)

    def _powered(self, host: str, root: Root) -> bool:
        """A neighbour that has spoken since still sees carrier on another cable of it."""
        for link, peer in self.diagnosis.cables(host):
            seen = self._county.links.get(link)
            whole = link not in root.links and seen is not None and seen.state == "up"
            if whole and peer in self._county.views and self._lives(peer, root.since):
                return True
        return False

    def _well(self, fault: Fault) -> bool | None:
        county = self._county
        model = county.model
        if not (set(fault.links) <= model.links.keys() and set(fault.hosts) <= model.hosts.keys()):
            return True  # it left the county
        kind = fault.key.partition(":")[0]
        if kind == "service":
            return self._since.get(("service", fault.subject)) is None and self._knows(fault)
        states = {county.links[name].state for name in fault.links if name in county.links}
        states |= {county.hosts[name].state for name in fault.hosts if name in county.hosts}
        if kind == "tunnel" and ("tunnel", fault.subject) in self._since:
            return False
        if any(name in self.degraded for name in fault.links):
            return False
        return None if "unknown" in states else "down" not in states

    def _knows(self, fault: Fault) -> bool:
        host = fault.subject.partition("/")[0]
        view = self._county.views.get(host)
        return view is None or view.heard_at is not None

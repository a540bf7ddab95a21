"""From the county as it is judged to symptoms: what is wrong now, since when, and when it is sure.

A symptom alone may mean two things for a moment: a link that went dark is a cut fibre or the death of the box at its
other end; a BFD session that ended is a silent fibre or a stopped daemon.  So a root waits until the hosts at its ends
have been heard after it was first seen, or could not be any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from collectors.county import County
from collectors.faults.book import Book, Change, Fault
from collectors.faults.diagnose import ROUTING, Child, Dark, Diagnosis, Root, Symptoms
from collectors.faults.lines import Lines, Measured
from collectors.status import tunnel_up
from collectors.strangers import KINDS as ODD
from collectors.strangers import Oddity, oddities
from collectors.view import FRESH_S
from inventory.model import ROUTERS, LinkEnd

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
ODD_LOOK_S = 2.0
ODD_S = {"rogue-dhcp": 0.0, "wrong-neighbour": 10.0, "check-failed": 60.0}
"""Heard itself; a cable just moved may be moved on; a service that is coming back after a fault."""


class Watch:
    """Runs the diagnosis on the county and keeps the book.  Lives in the collector's loop."""

    def __init__(self, county: County) -> None:
        self._county = county
        self.diagnosis = Diagnosis(county.model, county.expected)
        self._since: dict[tuple[str, str], float] = {}
        self._down_hosts: Collection[str] = ()
        self._lines = Lines(county)
        self._looked = self._looked_odd = 0.0
        self._unrest_at = -UNREST_S
        self._trouble_at = float("-inf")  # when something else than an oddity was last wrong
        self._now = 0.0
        self._began = float("inf")
        self.degraded: Mapping[str, Measured] = {}
        self._odd: Mapping[str, Oddity] = {}  # by key of their fault
        self.book = Book(self._well, self._ripe, self.diagnosis.shelter)

    def step(self, now: float, wall: float) -> list[Change]:
        """Look at the county as just judged."""
        self._began = min(self._began, now)
        symptoms = self.symptoms(now)
        if symptoms.none and not self.book.busy:
            return []
        suffers = {Child(kind, name) for kind, name in self._since}
        changes = self.book.step(self.diagnosis.find(symptoms), suffers, now, wall)
        if self.book.unsure(ODD):
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
        self._now, self._down_hosts = now, hosts.keys()
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
        for host in county.mute:
            first("service", f"{host}/snmp")
            services[host, "snmp"] = "silent"
        tunnels = set()
        for name, tunnel in county.expected.tunnels.items():
            view = county.views[tunnel.gateway]
            if view.fresh(now) and not tunnel_up(tunnel, view):
                first("tunnel", name)
                tunnels.add(name)
        if now - self._looked >= LOOK_S:
            self._looked = now
            quiet = {name: dark.since for name, dark in links.items() if dark.silent}
            known = {name for fault in self.book.open if fault.kind == "link-degraded" for name in fault.links}
            self.degraded = self._lines.degraded(now, quiet, known, self.degraded)
        for name in self.degraded:
            first("degraded", name)
            if name in links and links[name].silent:
                del links[name]  # it loses BFD's packets too
        if now - self._looked_odd >= ODD_LOOK_S:
            self._looked_odd = now
            self._odd = {found.key: found for found in oddities(county.model, county.views, now)}
        for name, dark in links.items():
            if not dark.silent:
                first("carrier", name)
        for kind, name in since.keys() - before.keys():
            if kind == "carrier" or (kind == "link" and name in links and links[name].silent):
                self.book.down(f"link:{name}", now)
        self._since = since
        if since or any(fault.kind not in ODD for fault in self.book.open):
            self._trouble_at = now
        return Symptoms(links, hosts, services, tunnels, self.degraded, tuple(self._odd.values()))

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
            if root.kind == "link-silent" and all(self._says_silent(end) for end in self._ends(root)):
                return True
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
        if root.kind == "check-failed":
            return now - max(first, self._trouble_at) >= ODD_S[root.kind]
        if root.kind in ODD:
            return age >= ODD_S[root.kind]
        if root.kind in ("host-unreachable", "tunnel-down"):  # asked twice already; but routes may be on their way
            routers = any(self._county.model.hosts[name].role in ROUTERS for name in root.hosts)
            return age >= (UNREST_S if self._unrest(root.key, now) else REROUTE_S if routers else 0.0)
        return age >= TOGETHER_S

    def _unrest(self, key: str, now: float) -> bool:
        """Something else is broken, or was a moment ago: what is out of reach may come back by another way."""
        others = [name for kind, name in self._since if f"{kind}:{name}" != key and kind in ("link", "service")]
        if others or any(fault.key != key and fault.kind not in ODD for fault in self.book.open):
            self._unrest_at = now
        return now - self._unrest_at < UNREST_S

    def _ends(self, root: Root) -> list[LinkEnd]:
        return [end for name in root.links for end in self._county.model.links[name].ends]

    def _says_silent(self, end: LinkEnd) -> bool:
        """This end itself says that the fibre's session is gone though its daemons run, by its own way or by way of
        a neighbour.  When both do, only the fibre is left, and nothing needs to be waited for."""
        view, key = self._county.views.get(end.host), self._county.expected.fibre_bfd.get((end.host, end.port))
        if view is None or key is None or not view.told(self._now):
            return False
        if any(not view.service_up(name) for name in ROUTING if (end.host, name) in self._county.expected.services):
            return False
        relayed = view.relayed_at is not None and self._now - view.relayed_at < FRESH_S
        if relayed and key.partition("/")[2] in view.relayed_dark:
            return True
        session = view.value("bfd", key)
        return view.fresh(self._now) and view.source_ok("bfdd") and not (session and session.get("up"))

    def _heard_both(self, root: Root, margin: float) -> bool:
        """Both ends are known to live: nothing else than the link explains what is seen.  A box that hangs on this
        cable alone cannot be heard, and is named among what it may be."""
        alone = root.detail.get("alternatives", ())
        for name in root.links:
            silent = self._county.links[name].how == "bfd"
            for end in self._county.model.links[name].ends:
                if end.host in alone:
                    continue
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
        if fault.kind in ODD:
            teller = county.views.get(str(fault.detail.get("host")))
            gone = teller is None or teller.fresh(self._now)
            return False if fault.key in self._odd else True if gone else None
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

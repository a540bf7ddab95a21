"""What is broken, as opposed to what merely suffers: one root for one fault.  Pure.

- A host with several cables that are all dark, and that is silent, is itself the fault; its cables are not.
- A silent host with one cable that is dark: the cable is named (a cut fibre must name its link, and a box without power
  behind it looks the same); the host is given among the root's alternatives.
- A site that is seen through its tunnel alone: the tunnel is named; its line and its box are alternatives.
- Dark links of one duct that went at one moment, and are all of it, are the duct.
- What is reached only through a fault, through a tunnel that is down, or through a router whose routing stands still,
  is no fault of its own but a child of it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from collectors.expected import Expected
from collectors.strangers import Oddity
from inventory.model import ROUTERS, LinkKind, NetworkModel, Role

TOGETHER_S = 2.0
"""Links of a duct, and boxes of a site, that fail within this time failed together."""
ROUTING = frozenset({"zebra", "staticd", "ospfd", "bfdd", "bgpd"})
"""Daemons without which nothing behind a router, nor often the router itself, is reached."""
_VPN = frozenset({"wireguard", "charon"})


@dataclass(frozen=True, slots=True)
class Dark:
    """A link that is down: seen by its carrier, or silent (the carrier is there); ``since`` monotonic seconds."""

    silent: bool
    since: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Symptoms:
    """Everything that is wrong at one moment; what is unknown is not in it."""

    links: Mapping[str, Dark] = field(default_factory=dict)
    hosts: Mapping[str, Dark] = field(default_factory=dict)  # ``silent``: its neighbours see carrier
    services: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (host, service) -> its state
    tunnels: Collection[str] = frozenset()
    degraded: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # link -> measured figures
    odd: tuple[Oddity, ...] = ()  # what is there and should not be

    @property
    def none(self) -> bool:
        """True when all is well."""
        return not (self.links or self.hosts or self.services or self.tunnels or self.degraded or self.odd)


@dataclass(frozen=True, slots=True)
class Child:
    """Something that suffers from a root."""

    kind: str  # "link", "host", "service", "tunnel"
    subject: str


@dataclass(frozen=True, slots=True)
class Root:
    """One fault: ``key`` tells it from every other one, whatever its kind becomes."""

    kind: str  # of collectors.faults.tables.KINDS
    subject: str
    site: str
    severity: str
    links: tuple[str, ...] = ()  # what is broken itself, for the impact
    hosts: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    children: tuple[Child, ...] = ()
    since: float = 0.0  # monotonic seconds when it was first seen, the latest of its parts

    @property
    def key(self) -> str:
        """ "link:ring-c1-c2", "host:c1-core" ..."""
        return f"{self.kind.partition('-')[0]}:{self.subject}"


class Diagnosis:
    """Knows who hangs on whom; made once per model."""

    def __init__(self, model: NetworkModel, expected: Expected) -> None:
        self._model = model
        self._expected = expected
        self._links_of: dict[str, list[str]] = defaultdict(list)
        self._near: dict[str, list[tuple[str, str]]] = defaultdict(list)  # host -> (link, peer)
        for link in model.links.values():
            for end, far in (link.ends, link.ends[::-1]):
                self._links_of[end.host].append(link.name)
                self._near[end.host].append((link.name, far.host))
        watched = set(expected.appliances)
        self._watched = {  # cables whose other end somebody of ours sees
            host: [link for link, peer in near if peer in watched] for host, near in self._near.items()
        }
        self._managed_by = {  # a box that does not forward is managed over one of its cables
            host.name: port.link
            for host in model.hosts.values()
            for port in host.ports
            if port.address is not None and port.address.ip == host.management
        }
        self._tunnel_of = {model.tunnels[name].host: name for name in expected.tunnels}
        self._ducts = {
            duct: frozenset(link.name for link in model.links.values() if duct in link.ducts) for duct in model.ducts
        }

    def cables(self, host: str) -> list[tuple[str, str]]:
        """(link, host at its other end) of every cable of a host."""
        return self._near[host]

    def find(self, symptoms: Symptoms) -> tuple[Root, ...]:
        """The roots, widest first, each with its children."""
        if symptoms.none:
            return ()
        cut, dead = set(symptoms.links), set(symptoms.hosts)
        stuck = {host for host, service in symptoms.services if service in ROUTING and self._routes(host)}
        reached = self._reached(dead - stuck, cut, stuck)
        tunnels = [self._tunnel(name) for name in self._expected.tunnels if self._tunnel_root(name, symptoms, reached)]
        ducts = self._dark_ducts(symptoms)
        drawn = {name for host, service in symptoms.services if service == "bgpd" for name in self._drawn(host)}
        hosts = [
            name for name in self._model.hosts
            if name in dead - drawn and self._host_root(name, symptoms.hosts, cut, stuck, reached)
            and not any(members.issuperset(self._watched[name]) for members in ducts.values())
        ]  # fmt: skip
        links = [name for name in self._model.links if name in cut and self._link_root(name, symptoms, stuck, reached)]
        links = [name for name in links if not {*hosts}.intersection(self._ends(name))]
        roots = [
            *self._group_sites(hosts, symptoms),
            *self._group_ducts(links, symptoms, ducts),
            *(self._service(host, name, state) for (host, name), state in symptoms.services.items()
              if host in reached and host not in hosts),
            *tunnels,
            *(self._degraded(name, symptoms.degraded[name]) for name in symptoms.degraded
              if name not in cut and not dead.intersection(self._ends(name))),
        ]  # fmt: skip
        return (*self._with_children(roots, symptoms), *(_odd(each) for each in symptoms.odd))

    def shelter(self, key: str, links: Collection[str], hosts: Collection[str]) -> frozenset[Child]:
        """All that a fault may take down with it, now or while it comes back."""
        kind, _, subject = key.partition(":")
        host, _, service = subject.partition("/")
        stuck = {host} if kind == "service" and service in ROUTING and self._routes(host) else set()
        if kind == "service" and not stuck:
            return frozenset()
        dead = set(hosts) if kind != "tunnel" else set()
        lost = set(self._model.hosts) - self._reached(dead, links, stuck) | stuck | dead
        lost |= {name for name, link in self._managed_by.items() if link in links}
        lost |= self._drawn(host) if service == "bgpd" else set()
        found = {Child("host", name) for name in lost}
        found |= {Child("link", link) for name in lost for link in self._links_of[name]}
        found |= {Child("service", f"{name}/{service}") for name, service in self._expected.services if name in lost}
        found |= {Child("tunnel", name) for name, tunnel in self._model.tunnels.items()
                  if lost.intersection((tunnel.gateway, tunnel.host))}  # fmt: skip
        return frozenset(found - {Child(kind, subject)})

    def _routes(self, host: str) -> bool:
        return self._model.hosts[host].role in ROUTERS

    def _drawn(self, centre: str) -> set[str]:
        """Hosts whose packets go to that centre first of all, whether it knows a way on or not."""
        sites = {code for code, site in self._model.sites.items()
                 if site.homes and site.homes[0] == self._model.hosts[centre].site}  # fmt: skip
        sites |= {code for code, site in self._model.sites.items() if sites.intersection(site.homes[:1])}
        return {name for name, host in self._model.hosts.items() if host.site in sites}

    def _ends(self, link: str) -> tuple[str, str]:
        found = self._model.links[link]
        return found.a.host, found.b.host

    def _reached(self, dead: set[str], cut: Collection[str], stuck: set[str]) -> set[str]:
        """Hosts that the management host reaches over whole cables, through hosts that live and forward."""
        start = self._model.nms
        reached, queue = {start}, deque([start])
        while queue:
            for link, other in self._near[queue.popleft()]:
                if other not in reached and other not in dead and link not in cut:
                    reached.add(other)
                    if other not in stuck:
                        queue.append(other)
        return reached

    # Which symptoms are roots.

    def _host_root(
        self, name: str, dead: Mapping[str, Dark], cut: set[str], stuck: set[str], reached: set[str]
    ) -> bool:
        if name in stuck or name in self._tunnel_of:
            return False  # its routing stands still, and is named; a site behind a tunnel: the tunnel is
        if self._managed_by.get(name) in cut and dead[name].silent:
            return False  # it lives; the cable that it is managed over does not
        near = [link for link, peer in self._near[name] if peer in reached and peer not in stuck]
        if not near:
            return False  # all its neighbours are out of reach: something nearer is broken
        return len(self._watched[name]) > 1 or near[0] not in cut

    def _link_root(self, name: str, symptoms: Symptoms, stuck: set[str], reached: set[str]) -> bool:
        ends = self._ends(name)
        if symptoms.links[name].silent and stuck.intersection(ends):
            return False
        return bool(reached.intersection(ends))

    def _tunnel_root(self, name: str, symptoms: Symptoms, reached: set[str]) -> bool:
        tunnel = self._model.tunnels[name]
        if name not in symptoms.tunnels and tunnel.host not in symptoms.hosts:
            return False
        if any(service in _VPN and host in (tunnel.gateway, tunnel.host) for host, service in symptoms.services):
            return False
        whole = self._reached(set(symptoms.hosts) - {tunnel.host}, symptoms.links, set())
        return tunnel.gateway in reached and tunnel.host in whole

    # How they are named.

    def _group_sites(self, hosts: list[str], symptoms: Symptoms) -> Iterator[Root]:
        """Boxes of one site that died at one moment, and are all that is watched there but its router."""
        by_site: dict[str, list[str]] = defaultdict(list)
        for name in hosts:
            by_site[self._model.hosts[name].site].append(name)
        for site, names in by_site.items():
            watched = {
                name for name in self._expected.hosts
                if self._model.hosts[name].site == site and not self._routes(name)
            }  # fmt: skip
            since = [symptoms.hosts[name].since for name in names]
            if len(names) > 1 and watched <= {*names} and max(since) - min(since) <= TOGETHER_S:
                yield Root("site-down", site, site, "critical", hosts=tuple(names), since=max(since))
                continue
            for name in names:
                dark = symptoms.hosts[name]
                kind = "host-unreachable" if dark.silent else "host-down"
                detail: dict[str, Any] = {"reason": dark.reason}
                seen = [link for link in self._links_of[name] if link in symptoms.links]
                if len(seen) == 1 and not dark.silent:
                    detail["alternatives"] = seen  # one dark cable is all that is seen of it
                yield Root(kind, name, site, "critical", hosts=(name,), detail=detail,
                           since=dark.since)  # fmt: skip

    def _dark_ducts(self, symptoms: Symptoms) -> dict[str, frozenset[str]]:
        """Ducts of several links all of which went dark at one moment, with their links."""
        found = {}
        for duct, members in self._ducts.items():
            if len(members) > 1 and symptoms.links.keys() >= members:
                since = [symptoms.links[name].since for name in members]
                if max(since) - min(since) <= TOGETHER_S:
                    found[duct] = members
        return found

    def _group_ducts(self, links: list[str], symptoms: Symptoms, ducts: Mapping[str, frozenset[str]]) -> Iterator[Root]:
        left = set(links)
        for duct, members in ducts.items():
            since = [symptoms.links[name].since for name in members]
            if members <= left:
                left -= members
                names = tuple(name for name in self._model.links if name in members)
                yield Root("duct-cut", duct, "", "critical", links=names, detail={"links": list(names)},
                           since=max(since))  # fmt: skip
        for name in links:
            if name in left:
                dark = symptoms.links[name]
                detail: dict[str, Any] = {"reason": dark.reason}
                if alternatives := self._behind(name):
                    detail["alternatives"] = alternatives
                yield Root("link-silent" if dark.silent else "link-down", name, self._site(name), "critical",
                           links=(name,), detail=detail, since=dark.since)  # fmt: skip

    def _behind(self, link: str) -> list[str]:
        """Hosts that hang on this cable alone: without power they look like the cable."""
        return [host for host in self._ends(link) if self._watched[host] == [link]]

    def _site(self, link: str) -> str:
        """The site that a link serves: the far one of a centre's."""
        a, b = (self._model.hosts[host].site for host in self._ends(link))
        return a if self._model.links[link].kind is LinkKind.RING or b in self._model.sites[a].homes else b

    def _service(self, host: str, name: str, state: str) -> Root:
        role = self._model.hosts[host].role
        critical = name in ROUTING | _VPN or role in (Role.RELAY, Role.NMS) or name in ("nginx", "network")
        severity = "critical" if critical else "warning"
        return Root("service-down", f"{host}/{name}", self._model.hosts[host].site, severity, detail={"state": state})

    def _tunnel(self, name: str) -> Root:
        tunnel = self._model.tunnels[name]
        lines = self._links_of[tunnel.host]
        detail = {"alternatives": [*lines, tunnel.host, *(f"{tunnel.host}/{service}" for service in sorted(_VPN))]}
        return Root("tunnel-down", name, tunnel.site, "warning", hosts=(tunnel.host,), detail=detail)

    def _degraded(self, name: str, figures: Mapping[str, Any]) -> Root:
        return Root("link-degraded", name, self._site(name), "warning", links=(name,), detail=figures)

    # Who suffers from whom.

    def _with_children(self, roots: list[Root], symptoms: Symptoms) -> tuple[Root, ...]:
        own = {(kind, name) for root in roots for kind, names in (("link", root.links), ("host", root.hosts))
               for name in names}  # fmt: skip
        own |= {("service", root.subject) for root in roots} | {("tunnel", root.subject) for root in roots}
        suffering = [
            *(("link", name) for name in symptoms.links),
            *(("host", name) for name in symptoms.hosts),
            *(("service", f"{host}/{name}") for host, name in symptoms.services),
            *(("tunnel", name) for name in symptoms.tunnels),
        ]
        children: dict[int, list[Child]] = defaultdict(list)
        lost: dict[int, set[str]] = {}
        for kind, name in suffering:
            if (kind, name) not in own and roots:
                children[self._blame(kind, name, roots, lost)].append(Child(kind, name))
        return tuple(replace(root, children=tuple(children[index])) for index, root in enumerate(roots))

    def _blame(self, kind: str, name: str, roots: list[Root], lost: dict[int, set[str]]) -> int:
        """Index of the root that a symptom is put under: one it touches, else the first that alone cuts it off."""
        if kind == "link":
            touched = set(self._ends(name))
        elif kind == "tunnel":
            touched = {self._model.tunnels[name].gateway, self._model.tunnels[name].host}
        else:
            touched = {name.partition("/")[0]}
        for index, root in enumerate(roots):
            if touched.intersection((*root.hosts, root.subject.partition("/")[0])):
                return index
        for index, root in enumerate(roots):
            if index not in lost:
                stuck = {root.subject.partition("/")[0]} if root.kind == "service-down" else set()
                lost[index] = set(self._model.hosts) - self._reached(set(root.hosts), set(root.links), stuck)
            if touched & lost[index]:
                return index
        return 0


def _odd(found: Oddity) -> Root:
    return Root(found.kind, found.subject, found.site, "warning", detail={**found.detail, "reason": found.words})

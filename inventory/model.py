"""The expanded county: frozen dataclasses that every room reads and none changes.

``expand()`` turns the written intent into one ``NetworkModel``.  Everything here is computed from the
numbers an engineer wrote once (site, link, network, service), so that adding a site never moves another
site's address.  ``docs/architecture.md`` holds the address plan this follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from inventory.alerting import Alerting
from inventory.guests import Guest, Pool
from inventory.metrics import Metrics
from inventory.people import Person
from inventory.supervision import Supervision


class SiteKind(StrEnum):
    """What stands at a site."""

    CENTRE = "centre"
    TOWNSHIP = "township"
    BODY = "body"
    BUILDING = "building"  # the county building: one site, many bodies
    SCHOOL = "school"
    CLINIC = "clinic"
    VILLAGE = "village"
    UNIT = "unit"  # a small unit behind a cable modem
    SUBSCRIBERS = "subscribers"  # a group of cable homes
    CARRIER = "carrier"
    CITY = "city"
    PROVINCE = "province"
    THIRD = "third-party"  # another agency, behind its own IPsec gateway

    @property
    def outside(self) -> bool:
        """True for the world beyond the county: nothing there is ours to configure."""
        return self in (SiteKind.CARRIER, SiteKind.CITY, SiteKind.PROVINCE, SiteKind.THIRD)


class Role(StrEnum):
    """What a host does; a template set and a set of services follow from it."""

    CORE = "core"  # centre router: ring, VXLAN hub, VRFs
    ACCESS = "access"  # township or body router, dual-homed
    FIREWALL = "firewall"  # Internet exit and every crossing between networks
    VPN = "vpn"  # WireGuard and IPsec gateway
    SERVER = "server"  # hosted systems of a centre (nginx behind a VRRP address)
    RELAY = "relay"  # one media worker; outside the centres its site's node too
    NMS = "nms"  # management host: broker, collectors, pages, Prometheus
    STANDBY = "standby"  # management host that stands by: takes the other's place when that is dead
    HEADEND = "headend"  # cable head-end (CMTS side)
    CPE = "cpe"  # small site's own box behind broadband or cable: WireGuard
    PARTNER = "partner"  # small site's own box: IPsec (IKEv2, certificates)
    SWITCH = "switch"  # a vendor's access switch: the users of a township or body hang on it
    LEAF = "leaf"  # user equipment: a PC, a hall's computer, a set-top box
    OUTSIDE = "outside"  # carriers, city, province, third parties


APPLIANCES: frozenset[Role] = frozenset(Role) - {Role.LEAF, Role.OUTSIDE}
"""Roles whose hosts are ours: they start empty and the playbooks provision them."""

ROUTERS: frozenset[Role] = frozenset({Role.CORE, Role.ACCESS})
"""Roles that run FRR in the underlay and hold one VRF per network."""


class LinkKind(StrEnum):
    """What a link is; ring and access links are fibres of the backbone."""

    RING = "ring"  # centre to centre
    ACCESS = "access"  # township or body to a centre
    SPUR = "spur"  # small site to a township or centre: one fibre, no second arm
    LAN = "lan"  # inside a site: patch cable between two boxes of one room
    UPLINK = "uplink"  # firewall to carrier, city, province
    BROADBAND = "broadband"  # carrier to a small site
    CABLE = "cable"  # head-end to a cable modem or a subscriber group


@dataclass(frozen=True, slots=True)
class Network:
    """One of the three networks, the management network, or a closed group (专网)."""

    name: str  # [a-z0-9]{1,8}; also the VRF's name and the network namespace's
    number: int  # 1..31
    zh: str
    en: str
    kind: str  # "public" (gov, edu, tv), "mgmt" or "closed"
    prefix: IPv4Network  # 10.0.0.0/8 | number << 19, a /13
    vni: int  # 1000 + number: access routers <-> centres (anycast gateway)
    core_vni: int  # 3000 + number: centre <-> centre, OSPF runs on it
    service_vni: int  # 2000 + number: the service segment stretched over the centres


@dataclass(frozen=True, slots=True)
class Site:
    """A place: a centre, a township, a body, a school ..."""

    code: str  # "c1", "t01", "b01", "s001"; host names start with it
    number: int  # 1..2047, written once, never reused
    kind: SiteKind
    zh: str
    en: str
    homes: tuple[str, ...]  # codes of the sites it hangs on, primary first: 2 centres when dual-homed
    networks: tuple[str, ...]  # names of the networks present at the site
    organisations: tuple[tuple[str, str], ...] = ()  # (zh, en) of every body that shares the site
    x: float = 0.0  # place on the map, kilometres east
    y: float = 0.0  # and north of the information centre

    @property
    def dual_homed(self) -> bool:
        """True when two centres carry the site."""
        return len(self.homes) > 1


@dataclass(frozen=True, slots=True)
class Duct:
    """A shared trench: links in one duct fail together."""

    name: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """One end of a link."""

    host: str
    port: str  # interface name on the host, "p<link number>"


@dataclass(frozen=True, slots=True)
class Link:
    """A cable between two hosts."""

    name: str  # "ring-c1-c2", "t01-c1", ...
    number: int  # unique, written once (or computed from the site's number); names the ports
    kind: LinkKind
    a: LinkEnd
    b: LinkEnd
    rate_bps: int
    length_km: float = 0.0
    ducts: tuple[str, ...] = ()

    @property
    def fibre(self) -> bool:
        """True for an optical link with modules at both ends."""
        return self.kind in (LinkKind.RING, LinkKind.ACCESS, LinkKind.SPUR)

    @property
    def ends(self) -> tuple[LinkEnd, LinkEnd]:
        """Both ends, a first."""
        return (self.a, self.b)


@dataclass(frozen=True, slots=True)
class Port:
    """A physical port of a host: one end of a link."""

    name: str  # "p<link number>"
    link: str  # Link.name
    peer_host: str
    peer_port: str
    mtu: int  # 1600 in the underlay, 1500 elsewhere
    vrf: str = ""  # network name of the VRF that owns it; "" is the host's default namespace
    bridge: str = ""  # LAN bridge it is a member of ("lan-gov"; on a switch its VLAN, "vlan101"), else routed
    address: IPv4Interface | None = None  # None on a bridge member
    ospf: bool = False  # underlay OSPF + BFD run on it
    bfd_ms: int = 0  # BFD interval (detect multiplier 3); 0 = no BFD
    ospf_cost: int = 10
    label: str = ""  # name in a vendor box's own command line ("GigabitEthernet0/0/8"); "" on Linux


@dataclass(frozen=True, slots=True)
class Bridge:
    """A LAN of a site inside one VRF: ``lan-<network>``, or the stretched service segment ``svc-<network>``."""

    name: str
    address: IPv4Interface  # the router's own address in it
    vxlan: str = ""  # name of the VXLAN device that is a member (service segment only)


@dataclass(frozen=True, slots=True)
class Vxlan:
    """A VXLAN device, made in the underlay namespace and moved into its VRF (the socket stays)."""

    name: str  # "vx-<network>" access overlay, "vc-<network>" centre to centre, "vs-<network>" service segment
    vni: int
    local: IPv4Address  # the host's own loopback
    mac: str  # deterministic; on vx- of a centre the anycast gateway's MAC, the same on all centres
    address: IPv4Interface | None  # None when it is a bridge member
    fdb: tuple[tuple[str, IPv4Address], ...] = ()  # (MAC or 00:00:00:00:00:00 for flooding, remote VTEP)
    neighbours: tuple[tuple[IPv4Address, str], ...] = ()  # permanent ARP entries (address, MAC)
    learning: bool = False  # only vs- devices learn MACs


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route an engineer would write: prefix via next hop."""

    prefix: IPv4Network
    via: IPv4Address
    metric: int = 0  # on a centre: 10 first home, 20 second home, told to the other centres; 0 = kept to itself.
    # On hosts that are no routers: the kernel's route metric
    source: IPv4Network | None = None  # policy routing: only for packets from this prefix. ``ip rule from SOURCE``
    # comes before the main table; its table holds this route and the connected prefix the next hop lies in.
    # On the VPN gateway the rule is only for packets that come out of a tunnel


@dataclass(frozen=True, slots=True)
class Vrf:
    """One network on one router (a network namespace in the twin, a kernel VRF in production).

    ``name == ""`` is the host's default namespace: the underlay on routers, everything on other hosts.
    """

    name: str
    bridges: tuple[Bridge, ...] = ()
    vxlans: tuple[Vxlan, ...] = ()
    routes: tuple[StaticRoute, ...] = ()
    loopbacks: tuple[IPv4Interface, ...] = ()  # on lo
    router_id: IPv4Address | None = None  # a routing protocol runs here when set
    ospf_interfaces: tuple[str, ...] = ()  # underlay: ports (OSPF); VRF on a centre: "vc-<network>" (iBGP); with BFD
    ospf_originate_default: bool = False  # the centre that holds the firewall
    anycast_vteps: tuple[tuple[IPv4Interface, int], ...] = ()  # underlay only: (VTEP /32, extra cost)


@dataclass(frozen=True, slots=True)
class Host:
    """One machine."""

    name: str  # "<site code>-<what>", unique in the county
    site: str
    role: Role
    slot: int  # 1 router, 2 firewall, 3 vpn, 4 server, 5 relay, 6 nms, 7 head-end, 10 user equipment, 14 switch
    networks: tuple[str, ...]
    ports: tuple[Port, ...]
    vrfs: tuple[Vrf, ...]  # the default one ("") first; centres tell each other connected prefixes too
    loopback: IPv4Address | None = None  # routers: underlay loopback, VTEP, OSPF router id
    management: IPv4Address | None = None  # in-band address (mgmt network); None for leaf and outside
    management_vrf: str = ""  # "mgmt" where sshd, snmpd and the agent live in that VRF, else ""
    staging: IPv4Interface | None = None  # port stg0 until enrolled; None for leaf and outside
    platform: str = "linux"  # else a folder of provision/platforms/: a vendor's box

    @property
    def appliance(self) -> bool:
        """True when the host is ours to provision."""
        return self.role in APPLIANCES

    @property
    def linux(self) -> bool:
        """True when it runs Linux: files, services and the agent; a vendor's box has none of these."""
        return self.platform == "linux"

    def vrf(self, name: str) -> Vrf:
        """The VRF of that name; KeyError when the host has none."""
        for vrf in self.vrfs:
            if vrf.name == name:
                return vrf
        raise KeyError(f"{self.name} has no VRF {name!r}")

    def port(self, name: str) -> Port:
        """The port of that name; KeyError when the host has none."""
        for port in self.ports:
            if port.name == name:
                return port
        raise KeyError(f"{self.name} has no port {name!r}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a site's user sits in one network: packets from there count as the site's."""

    site: str
    network: str
    host: str
    vrf: str  # VRF on that host ("" = default namespace)
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A VPN tunnel between a small site's box and the VPN gateway."""

    name: str
    kind: str  # "wireguard" or "ipsec"
    site: str
    host: str  # the small site's box
    gateway: str  # host name of the VPN gateway
    outer: IPv4Address  # the box's address outside
    gateway_outer: IPv4Address  # where the box finds the gateway
    port: int  # UDP port of the gateway (51820, or 500/4500 for IPsec)
    inner: tuple[IPv4Network, ...]  # the site's prefixes behind the tunnel, one per network, mgmt /32 included
    remote: tuple[IPv4Network, ...]  # what the site reaches through it


@dataclass(frozen=True, slots=True)
class Backend:
    """One centre's copy of a service."""

    centre: str
    host: str
    address: IPv4Address  # of the host in the service segment
    priority: int  # VRRP priority, highest is master


@dataclass(frozen=True, slots=True)
class Service:
    """A hosted system: an address, a network, a class of traffic, backends."""

    name: str
    number: int  # 1..99, written once
    zh: str
    en: str
    network: str
    protocol: str  # "tcp" or "udp"
    port: int
    address: IPv4Address  # the VRRP address, or the host's own where there is one backend
    traffic_class: str  # "control", "voice", "video", "training" or "data"
    backends: tuple[Backend, ...]  # highest priority first
    kind: str = "web"  # "web" (nginx answers), "meet" (signalling), "media" (relay), "watch" (management host)


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One allowed crossing; everything not allowed is denied and counted.

    ``source`` and ``target`` are prefixes already resolved from the selectors that were written.
    """

    name: str
    source_network: str  # network name, or the zone "internet", "city", "province", "vpn" (the gateway's outer port)
    sources: tuple[IPv4Network, ...]
    target_network: str
    targets: tuple[IPv4Network, ...]
    protocol: str  # "tcp", "udp", "icmp" or "any"
    ports: tuple[tuple[int, int], ...]  # inclusive ranges; () means all
    why: str = ""


@dataclass(frozen=True, slots=True)
class Hall:
    """A meeting room (会场) with its computer."""

    code: str  # unique, "t01"
    site: str
    host: str  # the hall's computer
    zh: str
    en: str
    seats: int
    devices: tuple[str, ...]  # "camera", "microphone", "screen" ...
    address: IPv4Address
    relay: str  # host name of the relay that serves it
    fallback: str = ""  # the relay that does when that one is dead; "" for none


@dataclass(frozen=True, slots=True)
class ExitLine:
    """One carrier's line at the shared Internet exit."""

    carrier: str  # site code
    port: str  # port of the firewall
    address: IPv4Interface  # the firewall's public address
    gateway: IPv4Address
    metric: int  # lower is preferred
    probe: IPv4Address | None = None  # answers ping while the carrier works; None: ask the gateway


@dataclass(frozen=True, slots=True)
class Switch:
    """Something that operations staff switched: who, why, and when (UTC, ISO 8601)."""

    who: str
    why: str
    at: str


@dataclass(frozen=True, slots=True)
class NetworkModel:
    """The whole county, expanded."""

    name: str
    zh: str
    en: str
    networks: Mapping[str, Network]
    sites: Mapping[str, Site]
    ducts: Mapping[str, Duct]
    links: Mapping[str, Link]
    hosts: Mapping[str, Host]
    endpoints: tuple[Endpoint, ...]
    tunnels: Mapping[str, Tunnel]
    services: Mapping[str, Service]
    policy: tuple[PolicyRule, ...]
    halls: Mapping[str, Hall]
    exits: tuple[ExitLine, ...]
    people: Mapping[str, Person]
    firewall: str  # host that every crossing passes
    vpn: str  # host name of the VPN gateway, "" when the county has none
    nms: str  # the management host that acts now
    outside: Mapping[str, IPv4Network] = field(default_factory=dict)  # "internet", "city", "province" -> prefix
    guests: Mapping[str, Guest] = field(default_factory=dict)  # whom the VPN gateway lets in beside remote sites
    travellers: Pool | None = None  # None: nobody works from outside
    exit_closed: Switch | None = None  # the Internet exit is closed: the county is an intranet
    revoked: Mapping[str, Switch] = field(default_factory=dict)  # site -> its VPN access was taken away
    standby: str = ""  # the management host that stands by, "" for none
    taken_over: Switch | None = None  # the two management hosts have changed places
    fenced: Switch | None = None  # the one that stands by may not manage devices: it was not seen to give up
    metrics: Metrics = field(default_factory=Metrics)
    alerting: Alerting | None = None  # who is called; None: nobody, alerts are on the pages alone
    supervision: Supervision | None = None  # time limits and the desk; None: the county keeps no tickets

    def appliances(self) -> Iterator[Host]:
        """Every host that is ours to provision, in the county's order; a revoked site's box is nobody's."""
        return (host for host in self.hosts.values() if host.appliance and host.site not in self.revoked)

    def linux_appliances(self) -> Iterator[Host]:
        """Those appliances that run Linux: every one but the vendors' access switches."""
        return (host for host in self.appliances() if host.linux)

    def controllers(self) -> tuple[IPv4Address, ...]:
        """Addresses that may manage devices: the management host's and the standby's, the same whoever of them acts;
        the standby's not while it is fenced."""
        found = (self.hosts[name].management for name in (self.nms, "" if self.fenced else self.standby) if name)
        return tuple(sorted(address for address in found if address is not None))

    def live_tunnels(self) -> Iterator[Tunnel]:
        """Every tunnel but those of revoked sites."""
        return (tunnel for tunnel in self.tunnels.values() if tunnel.site not in self.revoked)

    def by_role(self, *roles: Role) -> Iterator[Host]:
        """Every host with one of these roles."""
        return (host for host in self.hosts.values() if host.role in roles)

    def site_hosts(self, site: str) -> Iterator[Host]:
        """Every host that stands at a site."""
        return (host for host in self.hosts.values() if host.site == site)

    def endpoint(self, site: str, network: str) -> Endpoint:
        """The site's user in that network; KeyError when it has none."""
        for endpoint in self.endpoints:
            if endpoint.site == site and endpoint.network == network:
                return endpoint
        raise KeyError(f"{site} has no endpoint in {network}")

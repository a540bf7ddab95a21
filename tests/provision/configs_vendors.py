"""Configurations as H3C, Ruijie and ZTE switches show them, of one drawn network each."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Port:
    """A port: ``access``, ``trunk``, ``routed``, ``member`` of the aggregation, or ``bare``."""

    kind: str
    vlans: tuple[int, ...]
    described: str
    shut: bool
    policy: str  # the QoS policy on it, or ""


@dataclass(frozen=True)
class Switch:
    """What a switch is for, in nobody's words."""

    name: str
    vlans: dict[int, str]  # number: name or ""
    vrfs: tuple[str, ...]
    gateways: dict[int, tuple[str, int, int]]  # VLAN: (VRF or "", third octet, OSPF cost or 0)
    rules: dict[int, tuple[str, str, str, int]]  # number: (action, protocol, "network wildcard", port or 0)
    policies: dict[str, tuple[int, int]]  # QoS policy: (DSCP, rate in kbit/s)
    ports: tuple[Port, ...]
    areas: dict[int, int]  # third octet: area
    neighbours: dict[int, tuple[int, str]]  # fourth octet: (AS, description or "")
    routes: dict[int, int]  # third octet of the network: fourth octet of the next hop


SOURCES = ("10.8.0.0 0.0.255.255", "10.16.0.0 0.0.255.255", "10.32.9.0 0.0.0.255")


@st.composite
def switches(draw: st.DrawFn) -> Switch:
    """Any switch."""
    numbers = sorted(draw(st.sets(st.integers(10, 20), max_size=7)))
    vlans = {number: draw(st.sampled_from(["", "", "office", "video"])) for number in numbers}
    vrfs = tuple(sorted(draw(st.sets(st.sampled_from(["gov", "edu", "tv"])))))
    octets = draw(st.permutations(range(1, 9)))
    gateways = {
        number: (draw(st.sampled_from(["", *vrfs])), octets[place], draw(st.sampled_from([0, 5, 50])))
        for place, number in enumerate(numbers[:4])
        if draw(st.booleans())
    }
    statements = st.tuples(
        st.sampled_from(["permit", "deny"]), st.sampled_from(["ip", "tcp", "udp"]), st.sampled_from(SOURCES),
        st.sampled_from([0, 443]),
    ).map(lambda one: (*one[:3], one[3] if one[1] != "ip" else 0))  # fmt: skip
    rules = dict(zip((10, 20, 30), draw(st.lists(statements, unique=True, max_size=3)), strict=False))
    policies = {name: (draw(st.sampled_from([34, 46])), draw(st.sampled_from([1000, 2000]))) for name in ("P1", "P2")}
    kinds = st.sampled_from(["access", "trunk", "routed", "member", "bare"])
    ports = tuple(
        Port(
            kind=draw(kinds),
            vlans=tuple(sorted(draw(st.sets(st.sampled_from(numbers), min_size=1)))) if numbers else (),
            described=draw(st.sampled_from(["", "a", "b c"])),
            shut=draw(st.booleans()),
            policy=draw(st.sampled_from(["", "P1", "P2"])),
        )
        for _ in range(3)
    )
    return Switch(
        name=draw(st.sampled_from(["one", "two"])),
        vlans=vlans,
        vrfs=vrfs,
        gateways=gateways,
        rules=rules,
        policies=policies,
        ports=ports,
        areas={octet: draw(st.sampled_from([0, 17])) for octet in draw(st.sets(st.sampled_from([1, 2, 3])))},
        neighbours={
            octet: (draw(st.sampled_from([65001, 65002])), draw(st.sampled_from(["", "core"])))
            for octet in draw(st.sets(st.sampled_from([1, 2, 3])))
        },
        routes={octet: draw(st.sampled_from([1, 5])) for octet in draw(st.sets(st.sampled_from([50, 51])))},
    )


def _joined(numbers: tuple[int, ...], to: str, between: str) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return between.join(str(a) if a == b else f"{a}{to}{b}" for a, b in runs)


def h3c(one: Switch) -> str:
    """As Comware 7 shows it."""
    rows = [f"sysname {one.name}", "#"]
    rows += [row for vrf in one.vrfs for row in (f"ip vpn-instance {vrf}", f" route-distinguisher 65017:{len(vrf)}")]
    for area in sorted(set(one.areas.values())):
        rows += ["ospf 1 router-id 10.255.0.17"] if area == min(one.areas.values()) else []
        rows += [f" area 0.0.0.{area}"]
        rows += [f"  network 10.8.{octet}.0 0.0.0.255" for octet, its in sorted(one.areas.items()) if its == area]
    rows += [f"vlan {_joined(tuple(n for n in one.vlans if not one.vlans[n]), ' to ', ' ')}"] if _one_run(one) else []
    for number, name in one.vlans.items():
        rows += [f"vlan {number}"] if name or not _one_run(one) else []
        rows += [f" name {name}"] if name else []
    for policy, (dscp, rate) in one.policies.items():
        rows += [f"traffic classifier {policy} operator and", f" if-match dscp {dscp}"]
        rows += [f"traffic behavior {policy}", f" car cir {rate}"]
        rows += [f"qos policy {policy}", f" classifier {policy} behavior {policy}"]
    rows += ["interface Bridge-Aggregation1", " link-aggregation mode dynamic"]
    for number, (vrf, octet, cost) in one.gateways.items():
        rows += [f"interface Vlan-interface{number}"]
        rows += [f" ip binding vpn-instance {vrf}"] if vrf else []
        rows += [f" ip address 10.8.{octet}.1 255.255.255.0"]
        rows += [f" ospf cost {cost}"] if cost else []
    for place, port in enumerate(one.ports, 1):
        rows += [f"interface GigabitEthernet1/0/{place}"]
        rows += [f" port link-mode {'route' if port.kind == 'routed' else 'bridge'}"]
        rows += [f" description {port.described}"] if port.described else []
        if port.kind == "routed":
            rows += [f" ip address 10.9.{place}.1 255.255.255.0"]
        elif port.kind == "trunk" and port.vlans:
            rows += [" port link-type trunk", " undo port trunk permit vlan 1"]
            rows += [f" port trunk permit vlan {_joined(port.vlans, ' to ', ' ')}"]
        elif port.kind == "access" and port.vlans:
            rows += [f" port access vlan {port.vlans[0]}"]
        rows += [" shutdown"] if port.shut else []
        rows += [f" qos apply policy {port.policy} inbound"] if port.policy else []
        rows += [" port link-aggregation group 1"] if port.kind == "member" else []
    if one.neighbours:
        rows += ["bgp 65017"]
        for octet, (number, described) in one.neighbours.items():
            rows += [f" peer 10.0.0.{octet} as-number {number}"]
            rows += [f" peer 10.0.0.{octet} description {described}"] if described else []
        rows += [" #", " address-family ipv4 unicast"]
        rows += [f"  peer 10.0.0.{octet} enable" for octet in one.neighbours]
    rows += [f"ip route-static 10.{octet}.0.0 16 10.8.1.{hop}" for octet, hop in one.routes.items()]
    rows += ["acl advanced 3001"]
    for number, (action, protocol, source, port) in one.rules.items():
        rows += [
            f" rule {number} {action} {protocol} source {source}" + (f" destination-port eq {port}" if port else "")
        ]
    return "\n".join(rows)


def _one_run(one: Switch) -> bool:
    bare = [number for number in one.vlans if not one.vlans[number]]
    return len(bare) > 1 and bare[-1] - bare[0] == len(bare) - 1


def ruijie(one: Switch) -> str:
    """As RGOS 11 shows it."""
    rows = [f"hostname {one.name}", "!"]
    rows += [row for vrf in one.vrfs for row in (f"ip vrf {vrf}", f" rd 65017:{len(vrf)}")]
    rows += ["ip access-list extended A"]
    for number, (action, protocol, source, port) in one.rules.items():
        rows += [f" {number} {action} {protocol} {source} any" + (f" eq {port}" if port else "")]
    bare = tuple(number for number in one.vlans if not one.vlans[number])
    rows += [f"vlan range 1,{_joined(bare, '-', ',')}"] if bare else []
    rows += [row for number, name in one.vlans.items() if name for row in (f"vlan {number}", f" name {name}")]
    for policy, (dscp, rate) in one.policies.items():
        rows += [f"class-map {policy}", f" match ip dscp {dscp}"]
        rows += [f"policy-map {policy}", f" class {policy}", f"  police {rate} 256 exceed-action drop"]
    rows += ["interface AggregatePort 1", " switchport mode trunk"]
    for place, port in enumerate(one.ports, 1):
        rows += [f"interface GigabitEthernet 0/{place}"]
        rows += [" no switchport"] if port.kind == "routed" else []
        rows += [f" description {port.described}"] if port.described else []
        if port.kind == "routed":
            rows += [f" ip address 10.9.{place}.1 255.255.255.0"]
        elif port.kind == "trunk":
            rows += [" switchport mode trunk"]
            rows += [f" switchport trunk allowed vlan only {_joined(port.vlans, '-', ',')}"] if port.vlans else []
        elif port.kind == "access" and port.vlans:
            rows += [f" switchport access vlan {port.vlans[0]}"]
        rows += [" shutdown"] if port.shut else []
        rows += [f" service-policy input {port.policy}"] if port.policy else []
        rows += [" port-group 1 mode active"] if port.kind == "member" else []
    for number, (vrf, octet, cost) in one.gateways.items():
        rows += [f"interface VLAN {number}"]
        rows += [f" ip vrf forwarding {vrf}"] if vrf else []
        rows += [f" ip address 10.8.{octet}.1 255.255.255.0"]
        rows += [f" ip ospf cost {cost}"] if cost else []
    if one.areas:
        rows += ["router ospf 1"]
        rows += [f" network 10.8.{octet}.0 0.0.0.255 area {area}" for octet, area in one.areas.items()]
    if one.neighbours:
        rows += ["router bgp 65017"]
        for octet, (number, described) in one.neighbours.items():
            rows += [f" neighbor 10.0.0.{octet} remote-as {number}"]
            rows += [f" neighbor 10.0.0.{octet} description {described}"] if described else []
        rows += [" address-family ipv4"]
        rows += [f"  neighbor 10.0.0.{octet} activate" for octet in one.neighbours]
        rows += [" exit-address-family"]
    rows += [f"ip route 10.{octet}.0.0 255.255.0.0 10.8.1.{hop}" for octet, hop in one.routes.items()]
    return "\n".join(rows)


def zte(one: Switch) -> str:
    """As ZXROS NG shows it."""
    rows = [f"hostname {one.name}", "!<vrf>"]
    rows += [row for vrf in one.vrfs for row in (f"ip vrf {vrf}", f"  rd 65017:{len(vrf)}", "$")]
    rows += ["!</vrf>", "interface smartgroup1", "$"]
    for place, port in enumerate(one.ports, 1):
        rows += [f"interface gei-0/1/1/{place}", "  shutdown" if port.shut else "  no shutdown"]
        rows += [f"  description {port.described}"] if port.described else []
        rows += [f"  ip address 10.9.{place}.1 255.255.255.0"] if port.kind == "routed" else []
        rows += ["$"]
    for number, (vrf, octet, _) in one.gateways.items():
        rows += [f"interface vlan{number}"]
        rows += [f"  ip vrf forwarding {vrf}"] if vrf else []
        rows += [f"  ip address 10.8.{octet}.1 255.255.255.0", "$"]
    rows += ["!<switchvlan>", "switchvlan-configuration"]
    bare = tuple(number for number in one.vlans if not one.vlans[number])
    rows += [f"  vlan list {_joined(bare, '-', ',')}"] if len(bare) > 1 else [f"  vlan {number}" for number in bare]
    rows += [
        row for number, name in one.vlans.items() if name for row in (f"  vlan {number}", f"    name {name}", "  $")
    ]
    for place, port in enumerate(one.ports, 1):
        if port.kind == "trunk" and port.vlans:
            rows += [f"  interface gei-0/1/1/{place}", "    switchport mode trunk"]
            rows += [f"    switchport trunk vlan {_joined(port.vlans, '-', ',')}", "  $"]
        elif port.kind == "access" and port.vlans:
            rows += [f"  interface gei-0/1/1/{place}", f"    switchport access vlan {port.vlans[0]}", "  $"]
    rows += ["$", "!</switchvlan>"]
    members = [place for place, port in enumerate(one.ports, 1) if port.kind == "member"]
    rows += ["lacp", "  interface smartgroup1", "    lacp mode 802.3ad", "  $"] if members else []
    for place in members:
        rows += [f"  interface gei-0/1/1/{place}", "    smartgroup 1 mode active", "  $"]
    rows += ["$"] if members else []
    rows += ["ipv4-access-list A"]
    for number, (action, protocol, source, tcp) in one.rules.items():
        rows += [f"  rule {number} {action} {protocol} {source} any" + (f" eq {tcp}" if tcp else "")]
    rows += ["$"]
    for policy, (dscp, rate) in one.policies.items():
        rows += [f"class-map {policy} match-all", f"  match dscp {dscp}", "$"]
        rows += [f"policy-map {policy}", f"  class {policy}", f"    police cir {rate}", "  $", "$"]
    rows += [
        f"service-policy gei-0/1/1/{place} input {port.policy}"
        for place, port in enumerate(one.ports, 1)
        if port.policy
    ]
    if one.areas:
        rows += ["router ospf 1"]
        rows += [f"  network 10.8.{octet}.0 0.0.0.255 area 0.0.0.{area}" for octet, area in one.areas.items()]
        rows += ["$"]
    if one.neighbours:
        rows += ["router bgp 65017"]
        for octet, (number, described) in one.neighbours.items():
            rows += [f"  neighbor 10.0.0.{octet} remote-as {number}", f"  neighbor 10.0.0.{octet} activate"]
            rows += [f"  neighbor 10.0.0.{octet} description {described}"] if described else []
        rows += ["$"]
    rows += [f"ip route 10.{octet}.0.0 255.255.0.0 10.8.1.{hop}" for octet, hop in one.routes.items()]
    return "\n".join(rows)


WRITERS = {"h3c_comware": h3c, "ruijie_rgos": ruijie, "zte_zxr10": zte}

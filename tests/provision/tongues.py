"""What H3C's, Ruijie's and ZTE's command lines do with a line, from their manuals, as data for a small device.

Nothing here comes from the rulebooks: a rulebook and what judges it must not share a mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Tongue:
    """One vendor's command line.  Patterns are matched from the beginning of a line."""

    negate: str
    leave: str
    noise: re.Pattern[str]  # lines of the shown text that say nothing
    views: re.Pattern[str]  # lines that open a view
    always: re.Pattern[str]  # views that are there whether anything is said in them or not
    single: tuple[re.Pattern[str], ...]  # lines of which there is one for each value of the groups
    bound: re.Pattern[str]  # an interface's VRF
    vrf: str  # the line that makes one, with {}
    keep: re.Pattern[str]  # what an interface keeps when its VRF changes
    mode: re.Pattern[str]  # a setting that takes others with it when it changes...
    moded: re.Pattern[str]  # ...these
    off: re.Pattern[str]  # what is shown with the negation, being on by itself
    once: tuple[re.Pattern[str], ...]  # a second one with the same groups is refused
    used: tuple[tuple[str, str], ...]  # (what cannot go, while a line matches this; {} is its last word)
    area: str  # a network, that one area only may have; {} is the network
    peer: str  # the word that begins a BGP neighbour's lines
    edited: bool  # an ACL's rule may be given again under its number
    entry: re.Pattern[str]  # an ACL's rule; groups: number, statement


def _all(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


H3C = Tongue(
    negate="undo",
    leave="quit",
    noise=re.compile(r"#"),
    views=re.compile(
        r"(interface |acl (basic|advanced)|traffic (classifier|behavior) |qos policy |ip vpn-instance \S+$"
        r"|ospf \d+( router|$)|bgp |address-family |area |vlan \d+$|local-user |line )"
    ),
    always=re.compile(r"interface (?!Vlan|Bridge|LoopB|.*\.)|line |vlan 1$"),
    single=_all(
        r"(sysname|description|mtu|name|route-distinguisher|car|queue (?:ef|af)|remark dscp)\b",
        r"(ip address) \S+ \S+$",
        r"(ospf cost|ospf network-type|ospf timer hello|stub|router-id|link-aggregation mode)\b",
        r"(port (?:link-mode|link-type|access vlan|trunk pvid vlan|hybrid pvid vlan|link-aggregation group))\b",
        r"(peer \S+ (?:as-number|description|group))\b",
        r"(peer \S+ route-policy) \S+ (import|export)",
        r"(classifier \S+ behavior)\b",
        r"(import-route \S+)",
        r"(password|authentication-mode|protocol inbound|idle-timeout)\b",
        r"(ntp-service unicast-server \S+)",
        r"(header \S+)",
        r"(ospf \d+) router-id",
        r"(ip route-static (?:vpn-instance \S+ )?\S+ \S+ \S+)",
    ),
    bound=re.compile(r"ip binding vpn-instance (\S+)"),
    vrf="ip vpn-instance {}",
    keep=re.compile(r"description|shutdown|port link-mode|mtu|qos|packet-filter"),
    mode=re.compile(r"port link-mode"),
    moded=re.compile(r"(?!shutdown)"),
    off=re.compile(r"(?!)"),
    once=_all(
        r"(ip binding vpn-instance)",
        r"(qos apply policy) \S+ (\S+)",
        r"(packet-filter) \S+ (\S+)",
        r"(route-distinguisher)",
        r"(peer \S+ as-number)",
        r"(port link-type)",
        r"(port link-aggregation group)",
    ),
    used=(
        (r"qos policy (\S+)", r"qos apply policy {} "),
        (r"traffic classifier (\S+)", r"classifier {} behavior"),
        (r"traffic behavior (\S+)", r"classifier \S+ behavior {}$"),
        (r"acl advanced (\S+)", r"(packet-filter {} |if-match acl {}$)"),
        (r"interface Bridge-Aggregation(\S+)", r"port link-aggregation group {}$"),
        (r"ip vpn-instance (\S+)", r"ip binding vpn-instance {}$"),
    ),
    area=r"network {}$",
    peer="peer",
    edited=True,
    entry=re.compile(r"rule (\d+) ((?:permit|deny).*)"),
)

RUIJIE = Tongue(
    negate="no",
    leave="exit",
    noise=re.compile(r"!|exit-address-family"),
    views=re.compile(
        r"(interface |ip access-list |class-map |policy-map |class |ip vrf \S+$|vrf definition |router |address-family "
        r"|vlan \d+$|line )"
    ),
    always=re.compile(r"interface (?!VLAN|Aggr|Loopb|.*\.)|line |vlan 1$"),
    single=_all(
        r"(hostname|description|mtu|name|rd|police|set ip dscp|router-id|bgp router-id)\b",
        r"(ip address) \S+ \S+$",
        r"(ip ospf (?:cost|network))\b",
        r"(switchport (?:mode|access vlan|trunk native vlan)|port-group)\b",
        r"(ip vrf forwarding|vrf forwarding|mls qos trust|rate-limit (?:input|output))\b",
        r"(ip access-group) \S+ (\S+)",
        r"(neighbor \S+ (?:remote-as|description|priority))\b",
        r"(neighbor \S+ route-map) \S+ (\S+)",
        r"(transport input|login|exec-timeout|access-class) ",
        r"(ntp server \S+)",
        r"(username \S+ (?:password|privilege))",
        r"(ip route (?:vrf \S+ )?\S+ \S+ \S+)",
    ),
    bound=re.compile(r"(?:ip )?vrf forwarding (\S+)"),
    vrf="(ip vrf|vrf definition) {}",
    keep=re.compile(r"description|shutdown|no switchport|mtu|service-policy|ip access-group"),
    mode=re.compile(r"(no )?switchport$"),
    moded=re.compile(r"ip (?!access-group)|vrf|switchport .+"),
    off=re.compile(r"switchport|enable service telnet-server"),
    once=_all(r"(service-policy) (\S+)", r"(port-group)", r"(neighbor \S+ remote-as)"),
    used=(
        (r"policy-map (\S+)", r"service-policy \S+ {}$"),
        (r"class-map (\S+)", r"class {}$"),
        (r"ip access-list \S+ (\S+)", r"(ip access-group {} |match access-group {}$|access-class {} )"),
        (r"interface AggregatePort (\d+)", r"port-group {}\b"),
        (r"ip vrf (\S+)", r"ip vrf forwarding {}$"),
    ),
    area=r"network {} area",
    peer="neighbor",
    edited=False,
    entry=re.compile(r"(\d+) ((?:permit|deny).*)"),
)

ZTE = Tongue(
    negate="no",
    leave="exit",
    noise=re.compile(r"!|\$"),
    views=re.compile(
        r"(interface |ipv4-access-list |class-map |policy-map |class |ip vrf \S+$|router |address-family |vlan \d+$"
        r"|area |lacp$|switchvlan-configuration|system-user|user-name )"
    ),
    always=re.compile(r"interface (?!vlan|smart|loopb|.*\.)|lacp|switchvlan|system-user|vlan 1$"),
    single=_all(
        r"(hostname|description|mtu|name|rd|police|set dscp|router-id|bgp router-id|cost|hello-interval|stub)\b",
        r"(network) [a-z]",
        r"(ip address) \S+ \S+$",
        r"(switchport (?:mode|access vlan|trunk native vlan)|smartgroup|lacp mode|lacp timeout)\b",
        r"(ip vrf forwarding)\b",
        r"(ipv4-access-group) (\S+) \S+$",
        r"(neighbor \S+ (?:remote-as|description|update-source))\b",
        r"(neighbor \S+ route-map) \S+ (\S+)",
        r"(ntp server \S+|line telnet idle-timeout|bind \S+)",
        r"(ip route (?:vrf \S+ )?\S+ \S+ (?:[a-z]\S* \d\S+|\S+))",
    ),
    bound=re.compile(r"ip vrf forwarding (\S+)"),
    vrf="ip vrf {}",
    keep=re.compile(r"description|shutdown|no shutdown|mtu|ipv4-access-group"),
    mode=re.compile(r"switchport mode"),
    moded=re.compile(r"switchport (access|trunk|hybrid)"),
    off=re.compile(r"shutdown"),
    once=_all(r"(ip vrf forwarding)", r"(service-policy) (\S+ \S+)", r"(smartgroup) \d", r"(neighbor \S+ remote-as)"),
    used=(
        (r"policy-map (\S+)", r"service-policy \S+ \S+ {}$"),
        (r"class-map (\S+)", r"class {}$"),
        (r"ipv4-access-list (\S+)", r"(ipv4-access-group .*{}$|match ipv4-access-list {}$)"),
        (r"interface smartgroup(\d+)", r"(smartgroup {} mode|interface smartgroup{}$)"),
        (r"ip vrf (\S+)", r"ip vrf forwarding {}$"),
    ),
    area=r"network {} area",
    peer="neighbor",
    edited=False,
    entry=re.compile(r"rule (\d+) ((?:permit|deny).*)"),
)

TONGUES = {"h3c_comware": H3C, "ruijie_rgos": RUIJIE, "zte_zxr10": ZTE}

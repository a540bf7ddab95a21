"""A small VRP that takes commands, written from the manuals and knowing nothing of the rulebooks.

It holds lines in views, refuses what a device refuses, and removes beside a command what a device removes.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Interface

VIEWS = re.compile(
    r"interface |acl |traffic (classifier|behavior|policy) |ip vpn-instance |ospf \d|bgp |aaa$|user-interface (con|vty)"
    r"|vlan \d|area |ipv[46]-family|route-policy |stp region|bfd$|domain |authentication-scheme "
)
# Settings of which there is one: the words before the value, and after it.
SINGLE = [
    re.compile(pattern)
    for pattern in (
        r"(sysname|description|mtu|step|eth-trunk|port link-type|port default vlan|port trunk pvid vlan) .+()",
        r"(ospf (?:cost|network-type)|bandwidth-reference|router-id|remark dscp|car|qos lr outbound|apply cost) .+()",
        r"(ip address) \S+ \S+()$",
        r"(acl|traffic-policy) \S+ (inbound|outbound)",
        r"(peer \S+ (?:as-number|description)) .+()",
        r"(peer \S+ route-policy) \S+ (import|export)",
        r"(import-route \S+).*()",
        r"(classifier \S+ behavior) .+()",
        r"(authentication-mode|protocol inbound|idle-timeout) .+()",
        r"(local-user \S+ (?:password|service-type|privilege level|level)) .+()",
        r"(snmp-agent usm-user v3 \S+ (?:group|authentication-mode|privacy-mode)) .+()",
        r"(snmp-agent group v3 \S+ privacy).*()",
        r"(snmp-agent (?:local-engineid|sys-info location)) .+()",
        r"(ntp(?:-service)? unicast-server \S+(?: vpn-instance \S+)?).*()",
        r"(info-center loghost \S+(?: vpn-instance \S+)?).*()",
        r"(header (?:login|shell)) .*()",
        r"(ip route-static (?:vpn-instance \S+ )?\S+ \S+ (?:vpn-instance \S+ \S+|[A-Z]\S*\d \S+|\S+)).*()",
        r"(route-distinguisher|vxlan vni) .+()",
        r"(stp edged-port) .+()",
    )
]
LISTS = re.compile(r"(vlan batch|port trunk allow-pass vlan|port hybrid (?:tagged|untagged) vlan) (\d.*)")
ON = ("lldp enable", "portswitch", "shutdown", "port trunk allow-pass vlan 1")
LAYER3 = ("ip address", "ipv6 ", "ospf ")


class Refused(Exception):
    """What a device answers with ``Error:``."""


class View(dict[str, "View | None"]):
    """Lines of a view in their order; a line that opens a view has one."""


def numbers(text: str) -> set[int]:
    """ "2 5 to 7" -> {2, 5, 6, 7}."""
    found = re.findall(r"(\d+)(?: to (\d+))?", text)
    return {number for first, last in found for number in range(int(first), int(last or first) + 1)}


class Vrp:
    """One device."""

    def __init__(self) -> None:
        self.top = View()
        self.stack = [self.top]
        self.lists: dict[tuple[int, str], set[int]] = {}

    def load(self, text: str) -> None:
        """A configuration as it is shown, put in without questions."""
        stack = [(-1, self.top)]
        rows = text.splitlines()
        while rows:
            row = rows.pop(0)
            line = row.strip()
            if not line or line == "#":
                continue
            while line.startswith("header ") and line.count('"') == 1:
                line += "\n" + rows.pop(0)
            indent = len(row) - len(row.lstrip())
            while stack[-1][0] >= indent:
                stack.pop()
            view = stack[-1][1]
            opened = view.get(line)
            if opened is None and VIEWS.match(line) and not re.match(r"acl \S+ (in|out)bound", line):
                opened = View()
            listed = LISTS.fullmatch(line)
            if listed:
                self._of(view, listed[1]).update(numbers(listed[2]))
            else:
                view[line] = opened
            if opened is not None:
                stack.append((indent, opened))

    def _of(self, view: View, what: str) -> set[int]:
        return self.lists.setdefault((id(view), what), set())

    def picture(self, view: View | None = None) -> object:
        """Everything it holds, in an order of its own; physical interfaces and VLANs are always there."""
        view = self.top if view is None else view
        lines: dict[str, object] = {}
        for line, inner in view.items():
            shown = self.picture(inner) if inner is not None else None
            if (
                not shown
                and inner is not None
                and re.match(r"vlan \d|interface (?!Vlanif|Eth-Trunk|.*\.)|user-int|aaa|stp", line)
            ):
                continue
            lines[line] = shown
        for (owner, what), held in self.lists.items():
            if owner == id(view) and held:
                lines[what] = sorted(held)
        return lines

    def run(self, commands: tuple[str, ...]) -> None:
        """Take the commands; Refused with the command where one is not taken."""
        for command in commands:
            try:
                self.step(command)
            except Refused as error:
                raise Refused(f"{command!r}: {error}") from None
        if len(self.stack) != 1:
            raise Refused("the patch does not leave the views it entered")

    def step(self, command: str) -> None:
        """Take one command."""
        view = self.stack[-1]
        if command == "quit":
            if len(self.stack) == 1:
                raise Refused("quit would leave the system view")
            self.stack.pop()
        elif command.startswith("undo "):
            self._undo(view, command.removeprefix("undo "))
        elif VIEWS.match(command) and not re.match(r"acl \S+ (in|out)bound", command):
            self._enter(view, command)
        else:
            self._set(view, command)

    def _enter(self, view: View, command: str) -> None:
        if command.startswith("bgp ") and any(line.startswith("bgp ") and line != command for line in view):
            raise Refused("BGP is already running")
        same = command
        for words in (r"traffic (?:classifier|policy) \S+", r"ospf \d+", r"route-policy \S+(?= \S+ node (\S+))"):
            found = re.match(words, command)
            if found:
                for line in list(view):
                    if re.match(re.escape(found[0]) + r"( |$)", line) and line.split()[4:5] == command.split()[4:5]:
                        same = line
        inner = view.pop(same) if same != command else view.get(command)
        view[command] = inner if inner is not None else View()
        self.stack.append(view[command] or self._keep(view, command))

    def _keep(self, view: View, command: str) -> View:
        inner = view[command]
        assert inner is not None
        return inner

    def _set(self, view: View, command: str) -> None:
        listed = LISTS.fullmatch(command)
        if f"undo {command}" in view:
            del view[f"undo {command}"]
            if command in ON[:2] + ON[3:]:
                return
        if listed:
            if len(re.findall(r"\d+(?: to \d+)?", listed[2])) > 10:
                raise Refused("Too many parameters")
            if "hybrid" in listed[1]:
                for other in ("tagged", "untagged"):
                    self._of(view, f"port hybrid {other} vlan").difference_update(numbers(listed[2]))
            self._of(view, listed[1]).update(numbers(listed[2]))
            return
        self._check(view, command)
        if command.startswith("rule ") and " description " not in command:
            self._rule(view, command)
            return
        for pattern in SINGLE:
            found = pattern.match(command)
            if found:
                for line in list(view):
                    other = pattern.match(line)
                    if other and other.groups() == found.groups():
                        del view[line]
        view[command] = None

    def _check(self, view: View, command: str) -> None:
        """What a device refuses, and what it removes beside."""
        words = command.split()
        starts = {line: line.split() for line in view}
        if command.startswith("ip binding"):
            if any(line.startswith("ip binding") for line in view):
                raise Refused("The interface is bound to another VPN instance")
            for line in [line for line in view if line.startswith(LAYER3)]:
                del view[line]
        if re.match(r"peer \S+ as-number", command) and any(
            other[:3] == words[:3] and other != words for other in starts.values()
        ):
            raise Refused("The peer already exists")
        known = any(other[:3] == ["peer", *words[1:2], "as-number"] for other in starts.values())
        if words[0] == "peer" and words[2:3] != ["as-number"] and self.stack[1:2] == [view] and not known:
            raise Refused("The peer does not exist")
        if command.startswith("traffic-policy") and any(
            other[0] == "traffic-policy" and other[2] == words[2] for other in starts.values()
        ):
            raise Refused("A traffic policy has been applied")
        tied = self._of(view, "port trunk allow-pass vlan") or "port default vlan" in " ".join(view)
        if command.startswith("port link-type") and tied and command not in view:
            raise Refused("Please renew the default configurations")
        if command.startswith("eth-trunk") and [line for line in view if not line.startswith("description")]:
            raise Refused("The interface has other configurations")
        if command.startswith("route-distinguisher") and any(line.startswith("route-dist") for line in view):
            raise Refused("The route distinguisher already exists")
        if re.match(r"ip address \S+ \S+", command):
            mine = IPv4Interface(f"{words[2]}/{words[3]}").network
            for name, other in self.top.items():
                for line in other or () if other is not view else ():
                    parts = line.split()
                    if parts[:2] == ["ip", "address"] and mine.overlaps(IPv4Interface("/".join(parts[2:4])).network):
                        raise Refused(f"The address conflicts with {name}")

    def _rule(self, view: View, command: str) -> None:
        """A rule given again is edited: named parts are replaced, others stay; no two rules may say the same."""
        number = command.split()[1]
        old = next((line for line in view if line.startswith(f"rule {number} ") and " description " not in line), None)
        if old is not None and old.split()[2:4] != command.split()[2:4] and "source" not in command.split()[2:4]:
            raise Refused("what becomes of the other parts is not said in the manual")
        if old is not None:
            parts = dict(re.findall(r" (source|destination|destination-port) ((?:eq )?\S+(?: \d\S*)?)", old))
            missing = [f" {key} {value}" for key, value in parts.items() if f" {key} " not in command]
            command += "".join(missing)
            del view[old]
        if any(
            line.split()[2:] == command.split()[2:] and line != command for line in view if line.startswith("rule ")
        ):
            raise Refused("The rule already exists")
        view[command] = None

    def _undo(self, view: View, what: str) -> None:
        words = what.split()
        listed = LISTS.fullmatch(what) or re.fullmatch(r"(port hybrid) vlan (\d.*)", what)
        if listed and what not in ON:
            for (owner, name), held in self.lists.items():
                if owner == id(view) and name.startswith(listed[1]):
                    held -= numbers(listed[2])
            return
        self._used(view, what)
        if words[:2] in (["ip", "route-static"], ["ip", "vpn-instance"]) or words[0] == "rule":
            gone = [line for line in view if line == what or line.startswith(f"{what} ")]
        elif words[0] == "interface":
            gone = [line for line in view if line == what]
        else:
            gone = [line for line in view if _inside(words, line.split()) and line.split()[0] != "undo"]
        if not gone and what in ON:
            view[f"undo {what}"] = None
            return
        if not gone and what == "stp disable":
            return
        if not gone:
            raise Refused("The configuration does not exist")
        for line in gone:
            del view[line]
        if words[0] == "peer" and len(words) == 2:
            for inner in (inner for inner in view.values() if inner is not None):
                if not any(line.startswith(f"{what} as-number") for line in inner):
                    for line in [line for line in inner if line.startswith(f"{what} ")]:
                        del inner[line]
        if what.startswith("ip binding"):
            for line in [line for line in view if line.startswith(LAYER3)]:
                del view[line]
        if words[0] == "route-distinguisher":
            for line in [line for line in view if line.startswith("vpn-target")]:
                del view[line]

    def _used(self, view: View, what: str) -> None:
        """A definition that something refers to cannot go."""
        everything = [line for inner in self.top.values() for line in inner or ()]
        words = what.split()
        refers = {
            "traffic policy": rf"traffic-policy {words[-1]} ",
            "traffic classifier": rf"classifier {words[-1]} ",
            "traffic behavior": rf"classifier \S+ behavior {words[-1]}( |$)",
            "acl number": rf"(if-match acl {words[-1]}$|acl {words[-1]} inbound)",
            "ip vpn-instance": rf"ip binding vpn-instance {words[-1]}$",
            "interface Eth-Trunk": rf"eth-trunk {words[-1].removeprefix('Eth-Trunk')}$",
        }
        for start, pattern in refers.items():
            if view is self.top and what.startswith(start) and any(re.match(pattern, line) for line in everything):
                raise Refused("it is in use")


def _inside(words: list[str], line: list[str]) -> bool:
    """True when the undo's words stand in the line in their order, the first at its start."""
    rest = iter(line)
    return line[0] == words[0] and all(word in rest for word in words)

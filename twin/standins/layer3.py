"""Addresses, VPN instances, routes and BGP as Huawei and H3C keep them: what one line does to the others."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import ClassVar

from twin.standins.dialect import Dialect
from twin.standins.editor import Editor, Rejected
from twin.standins.grammar import Match, Refusal
from twin.standins.kinds import Word, split
from twin.standins.tree import Node

ADDRESSED = (("ip", "address"), ("ospf",), ("vrrp",), ("dhcp", "relay"), ("dhcp", "select"), ("ipv6",))
"""What an interface loses when it moves to another VPN instance."""


class Layer3(Dialect):
    """Part of a dialect."""

    removed: ClassVar[tuple[str, ...]]
    """Said when an interface loses its addresses to a VPN instance."""
    no_vpn: ClassVar[str] = "Error: The VPN instance does not exist."
    conflict: ClassVar[str] = "Error: The specified address conflicts with another address."
    no_primary: ClassVar[str] = "Error: Please configure the primary address first."

    def routed(self, port: Node) -> bool:
        raise TypeError(self.name)

    def vpn_of(self, port: Node) -> str:
        lines = port.starting("ip", "binding", "vpn-instance")
        return lines[0].words[3] if lines else ""

    def set_bind(self, editor: Editor, match: Match) -> list[str]:
        """Into a VPN instance or out of it: the interface's addresses go."""
        port = editor.target()
        old = self.vpn_of(port)
        if match.rule.sort == "unset":
            new = ""
            if not old or (len(match.words) > 4 and match.words[4] != old):
                raise Rejected(self.no_vpn)
        else:
            new = match.words[3]
            if editor.read().get("ip", "vpn-instance", new) is None:
                raise Rejected(self.no_vpn)
            if new == old:
                return []
        port.drop("ip", "binding")
        for words in ADDRESSED:
            port.drop(*words)
        if new:
            port.put(match.key, Node(match.words, match.rule))
        return list(self.removed)

    def set_address(self, editor: Editor, match: Match) -> list[str]:
        """One primary address; a network is on one interface of a VPN instance only."""
        port = editor.target()
        if not self.routed(port):
            raise Refusal("unknown", 0)
        mine = IPv4Interface(f"{match.words[2]}/{match.words[3]}")
        if match.words[-1] == "sub" and not [line for line in port.starting("ip", "address") if len(line.words) == 4]:
            raise Rejected(self.no_primary)
        for other in editor.read().starting("interface"):
            if other.words == port.words or self.vpn_of(other) != self.vpn_of(port):
                continue
            for line in other.starting("ip", "address"):
                if len(line.words) > 3 and mine.network.overlaps(
                    IPv4Interface(f"{line.words[2]}/{line.words[3]}").network
                ):
                    raise Rejected(self.conflict)
        editor.store(match)
        return []

    def set_vpn(self, editor: Editor, match: Match) -> list[str]:
        """A VPN instance takes its interfaces' addresses, its routes and its BGP peers with it."""
        root = editor.target()
        name = match.words[-1]
        if not root.drop("ip", "vpn-instance", name):
            raise Rejected(self.no_vpn)
        for port in root.starting("interface"):
            if self.vpn_of(port) == name:
                port.drop("ip", "binding")
                for words in ADDRESSED:
                    port.drop(*words)
        root.drop("ip", "route-static", "vpn-instance", name)
        for bgp in root.starting("bgp"):
            bgp.drop("ipv4-family", "vpn-instance", name)
            bgp.drop("ip", "vpn-instance", name)
        return []

    def set_rd(self, editor: Editor, match: Match) -> list[str]:
        """A route distinguisher is not changed in place; taking it away takes the family's targets along."""
        vpn = editor.target()
        old = vpn.get("route-distinguisher")
        if match.rule.sort == "unset":
            if old is None or (len(match.words) > 2 and old.words[1] != match.words[2]):
                raise Rejected("Error: The route distinguisher does not exist.")
            vpn.drop("route-distinguisher")
            vpn.drop("vpn-target")
            return []
        if old is not None and old.words != match.words:
            raise Rejected("Error: The route distinguisher has been configured. Please undo it first.")
        editor.store(match)
        return []

    def set_vpn_target(self, editor: Editor, match: Match) -> list[str]:
        """Each target is a line of its own for import and for export."""
        vpn = editor.target()
        words = list(match.words[2:] if match.rule.sort == "unset" else match.words[1:])
        ways = [word for word in words if ":" not in word and word != "all"]
        directions = ["export-extcommunity", "import-extcommunity"] if ways in ([], ["both"]) else ways
        for way in directions:
            key = ("vpn-target", way)
            line = vpn.children.get(key)
            targets = list(line.words[1:-1]) if line is not None else []
            named = [word for word in words if ":" in word]
            if match.rule.sort == "unset":
                targets = [] if "all" in words else [target for target in targets if target not in named]
            else:
                targets += [target for target in named if target not in targets]
            vpn.children.pop(key, None)
            if targets:
                vpn.put(key, Node(("vpn-target", *targets, way), match.rule.sets or match.rule))
        return []

    def set_route(self, editor: Editor, match: Match) -> list[str]:
        """A route's VPN instance must be there."""
        words = match.words
        for at, word in enumerate(words[:-1]):
            if word == "vpn-instance" and editor.read().get("ip", "vpn-instance", words[at + 1]) is None:
                raise Rejected(self.no_vpn)
        editor.store(match)
        return []

    # --- BGP

    family: ClassVar[tuple[str, ...]] = ("ipv4-family", "unicast")
    family_given: ClassVar[bool] = True
    """Is the unicast family there, and its peers enabled, without being asked for?"""
    family_lines: ClassVar[tuple[str, ...]] = ("undo synchronization",)
    """What is in a new unicast family."""

    def set_bgp(self, editor: Editor, match: Match) -> list[str]:
        """One BGP process; its unicast family is there from the start."""
        root = editor.target()
        others = [node for node in root.starting("bgp") if node.words != match.words]
        if others:
            raise Rejected(f"Error: BGP is already running in AS {others[0].words[1]}.")
        editor.store(match)
        if not self.family_given:
            return []
        bgp = root.children[match.key]
        family = self.grammar.match(["bgp"], _words(" ".join(self.family)), 0)
        if family.key not in bgp.children:
            below = bgp.put(family.key, Node(family.words, family.rule))
            for text in self.family_lines:
                line = self.grammar.match(["bgp4"], _words(text), 0)
                below.put(line.key, Node(line.words, line.rule))
        return []

    def set_peer(self, editor: Editor, match: Match) -> list[str]:
        """A peer of BGP itself is enabled in the unicast family, unless that default is off."""
        bgp = editor.target()
        if match.rule.sort == "unset":
            peer = match.words[2]
            if not bgp.drop("peer", peer):
                raise Rejected("Error: The peer does not exist.")
            for family in bgp.children.values():
                if family.words[:2] != ("ipv4-family", "vpn-instance"):
                    family.drop("peer", peer)
            return []
        known = match.key in bgp.children
        editor.store(match)
        unicast = bgp.get(*self.family)
        if (
            self.family_given
            and not known
            and unicast is not None
            and bgp.get("undo", "default", "ipv4-unicast") is None
        ):
            enable = self.grammar.match(["bgp4"], _words(f"peer {match.words[1]} enable"), 0)
            unicast.put(enable.key, Node(enable.words, enable.rule))
        return []


def _words(text: str) -> list[Word]:
    return split(text)

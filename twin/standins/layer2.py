"""VLANs and ports as Huawei and H3C keep them: what one line does to the others."""

from __future__ import annotations

from typing import ClassVar

from twin.standins.dialect import Dialect
from twin.standins.editor import Editor, Rejected
from twin.standins.grammar import Match, Refusal
from twin.standins.kinds import numbers, split
from twin.standins.tree import Node

ALL_VLANS = frozenset(range(1, 4095))
AGGREGATED = (("eth-trunk",), ("port", "link-aggregation"))
"""A port that says so carries frames of its aggregate only."""


class Layer2(Dialect):
    """Part of a dialect."""

    allowed: ClassVar[tuple[str, ...]] = ("port", "trunk", "allow-pass", "vlan")
    """The line that lists a trunk's VLANs."""
    vlan_interface = "Vlanif"
    route_words = ("ip", "route-static")
    default_type: ClassVar[str] = "access"
    """Link type of a port that says none; not shown."""
    virtual: ClassVar[tuple[str, ...]] = ("Vlanif", "Vbdif", "LoopBack", "NULL", "Eth-Trunk", "Tunnel", "Nve")
    no_vlan: ClassVar[str] = "Error: The VLAN does not exist."
    vlan_used: ClassVar[str] = "Error: The VLAN has a VLANIF interface. Please delete it first."
    not_default: ClassVar[str] = "Error: Please renew the default configurations."
    wrong_type: ClassVar[str] = "Error: The command is not supported on a port of this link type."

    def understand(self, view: str, line: str) -> Match:
        """A line of our own, as if typed in a view."""
        return self.grammar.match([view], split(line), len(line))

    def is_physical(self, name: str) -> bool:
        return not name.startswith(self.virtual) and "." not in name

    def all_vlans(self, root: Node) -> frozenset[int]:
        return frozenset(int(node.words[1]) for node in root.starting("vlan") if node.words[1].isdecimal())

    def add_vlan(self, editor: Editor, number: int) -> None:
        match = self.understand("system", f"vlan {number}")
        root = editor.target()
        if match.key not in root.children:
            root.put(match.key, Node(match.words, match.rule))

    def delete_vlans(self, editor: Editor, values: frozenset[int]) -> None:
        """Gone VLANs take access ports back to VLAN 1; one with an interface of its own stays.  Raises Rejected."""
        root = editor.target()
        for number in sorted(values):
            if root.get("interface", f"{self.vlan_interface}{number}") is not None:
                raise Rejected(self.vlan_used)
        for number in values:
            root.drop("vlan", str(number))
            for node in root.starting("interface"):
                for line in (*node.starting("port", "default", "vlan"), *node.starting("port", "access", "vlan")):
                    if line.words[3] == str(number):
                        node.drop(*line.words)

    def set_vlan(self, editor: Editor, match: Match) -> list[str]:
        """`undo vlan N`."""
        number = match.words[-1]
        if editor.read().get("vlan", number) is None:
            raise Rejected(self.no_vlan)
        self.delete_vlans(editor, frozenset({int(number)}))
        return []

    # --- a port

    def link_type(self, port: Node) -> str:
        lines = port.starting("port", "link-type")
        return lines[0].words[2] if lines else self.default_type

    def routed(self, port: Node) -> bool:
        """Is a port outside the switching part?"""
        name = port.words[1]
        if not self.is_physical(name) or name.startswith("MEth"):
            return not name.startswith("Eth-Trunk") or "." in name or port.get("undo", "portswitch") is not None
        return port.get("undo", "portswitch") is not None

    def bridged_only(self, port: Node) -> None:
        """Commands of the switching part are unknown on a routed port."""
        if self.routed(port):
            raise Refusal("unknown", 0)

    def set_portswitch(self, editor: Editor, match: Match) -> list[str]:
        """Between bridged and routed: what belongs to the other side goes."""
        port = editor.target()
        if match.words[0] == "undo":
            port.drop("port")
            port.drop("undo", "port")
            port.put(match.words, Node(match.words, match.rule))
        else:
            port.drop("undo", "portswitch")
            port.drop("ip")
            port.drop("ospf")
        return []

    def set_negotiation(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        port.drop("undo", "negotiation")
        if match.words[0] == "undo":
            port.put(match.words, Node(match.words, match.rule))
        return []

    def set_port_stp(self, editor: Editor, match: Match) -> list[str]:
        """`stp enable` is what a port does by itself: it only takes `stp disable` away."""
        editor.target().drop("stp", "disable")
        return []

    def set_link_type(self, editor: Editor, match: Match) -> list[str]:
        """The type changes only while nothing of the old type is set."""
        port = editor.target()
        self.bridged_only(port)
        new = self.default_type if match.rule.sort == "unset" else match.words[2]
        if new == self.link_type(port):
            return []
        mine = [
            line for line in port.children.values() if line.words[0] == "port" or line.words[:2] == ("undo", "port")
        ]
        if any(line.words[1] != "link-type" and "isolate" not in line.words for line in mine):
            raise Rejected(self.not_default)
        port.drop("port", "link-type")
        if new != self.default_type:
            port.put(("port", "link-type"), Node(("port", "link-type", new), match.rule))
        return []

    def set_access_vlan(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        self.bridged_only(port)
        if self.link_type(port) not in ("access", "dot1q-tunnel"):
            raise Rejected(self.wrong_type)
        if match.words[3] != "1" and editor.read().get("vlan", match.words[3]) is None:
            raise Rejected(self.no_vlan)
        editor.store(match)
        return []

    def set_trunk_pvid(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        self.bridged_only(port)
        if self.link_type(port) != "trunk":
            raise Rejected(self.wrong_type)
        editor.store(match)
        return []

    def set_hybrid(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        self.bridged_only(port)
        if self.link_type(port) != "hybrid":
            raise Rejected(self.wrong_type)
        editor.store(match)
        return []

    def set_hybrid_vlans(self, editor: Editor, match: Match) -> list[str]:
        """A hybrid port has a VLAN tagged or untagged; `undo` takes it off either way."""
        port = editor.target()
        self.bridged_only(port)
        if self.link_type(port) != "hybrid":
            raise Rejected(self.wrong_type)
        typed = ALL_VLANS if match.words[-1] == "all" else numbers(next(w for w in match.words if w[0].isdigit()))
        way = next((word for word in match.words if word in ("tagged", "untagged")), "")
        for word in ("tagged", "untagged"):
            key = ("port", "hybrid", word)
            old = port.children.pop(key, None)
            listed = next(part for part in old.words if part[0].isdigit()) if old is not None else ""
            values = (self.vlan_set(listed) if listed else frozenset()) - typed
            values |= typed if word == way else frozenset()
            if values:
                port.put(key, Node(self.hybrid_words(word, self.vlans(values)), match.rule.sets or match.rule))
        return []

    def hybrid_words(self, way: str, vlans: str) -> tuple[str, ...]:
        return ("port", "hybrid", way, "vlan", vlans)

    def set_trunk(self, editor: Editor, match: Match) -> list[str]:
        """A trunk lets VLAN 1 through unless told otherwise; others are added and taken away one by one."""
        port = editor.target()
        self.bridged_only(port)
        if self.link_type(port) != "trunk":
            raise Rejected(self.wrong_type)
        now = self.trunk_vlans(port)
        if match.rule.sort == "unset":
            now -= ALL_VLANS if match.words[-1] == "all" else numbers(match.words[-1])
        else:
            now |= ALL_VLANS if match.words[-1] == "all" else numbers(match.words[-1])
        port.drop(*self.allowed)
        port.drop("undo", *self.allowed)
        rule = match.rule.sets or match.rule
        if 1 not in now:
            words = ("undo", *self.allowed, "1")
            port.put(words, Node(words, rule))
        others = now - {1}
        if others:
            port.put(self.allowed, Node((*self.allowed, self.vlans(others)), rule))
        return []

    def trunk_vlans(self, port: Node) -> frozenset[int]:
        """The VLANs a trunk lets through."""
        now = frozenset() if port.get("undo", *self.allowed, "1") is not None else frozenset({1})
        for line in port.starting(*self.allowed):
            now |= ALL_VLANS if line.words[4] in ("all", "2 to 4094") else self.vlan_set(line.words[4])
        return now

    def vlan_numbers(self, root: Node) -> frozenset[int]:
        return self.all_vlans(root) | {1}

    def untagged_vlan(self, root: Node, port: str) -> int | None:
        """An access port's VLAN; a trunk's or hybrid port's PVID where it is let out without a tag."""
        node = root.get("interface", port)
        if node is None or self.routed(node) or any(node.starting(*words) for words in AGGREGATED):
            return None
        kind = self.link_type(node)
        if kind not in ("trunk", "hybrid"):
            lines = [*node.starting("port", "default", "vlan"), *node.starting("port", "access", "vlan")]
            return int(lines[0].words[3]) if lines else 1
        lines = node.starting("port", kind, "pvid", "vlan")
        pvid = int(lines[0].words[4]) if lines else 1
        return pvid if pvid in (self.trunk_vlans(node) if kind == "trunk" else self.hybrid_vlans(node)) else None

    def hybrid_vlans(self, port: Node) -> frozenset[int]:
        """The VLANs that leave a hybrid port without a tag; VLAN 1 is one of them."""
        line = port.get("port", "hybrid", "untagged")
        listed = next(part for part in line.words if part[0].isdigit()) if line is not None else "1"
        return self.vlan_set(listed) | {1}

    def vlan_set(self, text: str) -> frozenset[int]:
        return numbers(text)

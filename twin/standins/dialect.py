"""What a platform says and shows, apart from any session: texts of errors, order and form of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from twin.standins.editor import Editor, Frame
from twin.standins.grammar import Grammar, Match, Refusal, load
from twin.standins.kinds import ranges
from twin.standins.tree import Key, Node

if TYPE_CHECKING:
    from twin.standins.device import Device

Handler = Callable[[Editor, Match], list[str]]
DIRECTED = frozenset(
    {"acl", "route-policy", "ip-prefix", "filter-policy", "prefix-list", "packet-filter", "access-group", "route-map",
     "access-class"}
)  # fmt: skip
"""Words before the name of what is applied in a direction."""
GRAMMARS = Path(__file__).parent / "grammars"


class Dialect:
    """One platform."""

    name: ClassVar[str]
    grammar_file: ClassVar[str]
    tags: ClassVar[frozenset[str]] = frozenset()
    comments: ClassVar[tuple[str, ...]] = ("#", "!")
    separator: ClassVar[str] = "#"
    indent: ClassVar[int] = 1
    """Columns of one level in the configuration."""
    root_indent: ClassVar[str] = ""
    """Before a global line that opens no view."""
    vlan_to: ClassVar[str] = " to "
    vlan_between: ClassVar[str] = " "
    more: ClassVar[str] = "  ---- More ----"
    more_erase: ClassVar[str] = "\x1b[16D                \x1b[16D"
    busy: ClassVar[str] = "All user interfaces are used, please try later!"
    """Said to one who logs in when every VTY is taken."""
    ports: ClassVar[str]
    """Ports of the device unless others are given, as ``GigabitEthernet0/0/1-24``."""
    factory: ClassVar[str]
    """Configuration of a device out of the box, {host} filled."""
    version: ClassVar[str]
    vlan_interface: ClassVar[str]
    """A VLAN interface's name up to the number."""
    route_words: ClassVar[tuple[str, str]] = ("ip", "route")
    """How a static route begins."""

    _grammars: ClassVar[dict[str, Grammar]] = {}

    def __init__(self, device: Device) -> None:
        self.device = device

    @property
    def grammar(self) -> Grammar:
        """Loaded once for all devices of the platform."""
        if self.name not in self._grammars:
            self._grammars[self.name] = load(GRAMMARS / self.grammar_file, self.tags)
        return self._grammars[self.name]

    def handler(self, name: str) -> Handler:
        """The platform's own code for a line of its grammar."""
        found: Handler = getattr(self, f"set_{name}")
        return found

    def refuse(self, refusal: Refusal, line: str) -> list[str]:
        """Lines under the caret line."""
        raise TypeError(self.name)

    def set_per_direction(self, editor: Editor, match: Match) -> list[str]:
        """One ACL or policy for each direction (the last word): a new one takes the old one's place."""
        unset = match.rule.sort == "unset"
        words = match.words[1:] if unset else match.words
        end = max(at for at, word in enumerate(words) if word in DIRECTED) + 1
        here = editor.target()
        for node in [node for node in here.starting(*words[:end]) if node.words[-1] == words[-1]]:
            if not unset or len(words) == end + 1 or node.words == words:
                here.drop(*node.words)
        if not unset:
            here.put(words, Node(words, match.rule))
        return []

    def set_permit_deny(self, editor: Editor, match: Match) -> list[str]:
        """A node or entry is known by its number: `deny` typed over `permit` keeps what is inside."""
        key = tuple(word for word in match.words if word not in ("permit", "deny"))
        here = editor.target()
        if match.rule.sort == "unset":
            for known in [known for known in here.children if known[: len(key) - 1] == key[1:]]:
                del here.children[known]
            return []
        old = here.children.get(key)
        if old is None or old.words != match.words:
            here.put(key, Node(match.words, match.rule, old.children if old is not None else {}))
        editor.match = Match(match.rule, match.words, key)
        return []

    # --- how a configuration is shown

    def ordered(self, node: Node) -> list[Node]:
        """Lines in the device's own order."""
        order = self.grammar.kinds.order

        def place(item: tuple[Key, Node]) -> tuple[int, tuple[tuple[int, tuple[int, ...], str], ...]]:
            key, child = item
            if child.rule is None:
                return 0, ()
            return child.rule.rank, tuple(order(word) for word in key) if "sorted" in child.rule.flags else ()

        return [child for _, child in sorted(node.children.items(), key=place)]

    def vlans(self, values: frozenset[int]) -> str:
        return ranges(values, to=self.vlan_to, between=self.vlan_between)

    def body(self, node: Node, depth: int) -> list[str]:
        """The lines inside a view."""
        lines: list[str] = []
        pad = " " * (self.indent * depth)
        for child in self.ordered(node):
            if child.rule is not None and "hash" in child.rule.flags:
                lines.append(f"{pad}{self.separator}")
            lines.extend(f"{pad}{text}" for text in self.texts(child))
            lines.extend(self.body(child, depth + 1))
        return lines

    def texts(self, node: Node) -> list[str]:
        """A line as the device shows it; some are shown as several."""
        return node.line.split("\n")

    def sections(self, root: Node) -> list[list[str]]:
        """The whole configuration, cut where the device puts its separator."""
        parts: list[list[str]] = []
        last: object = None
        batched: set[int] = set()
        for node in self.ordered(root):
            rule = node.rule
            assert rule is not None
            batch = rule.words.get("batch")
            if batch and rule.rank not in batched:
                batched.add(rule.rank)
                values = self.batch_values(root, rule.rank)
                if values:
                    parts.append([f"{self.root_indent}{batch} {self.vlans(values)}"])
                    last = None
            if batch and not node.children:
                continue
            if rule.opens:
                parts.append([*self.texts(node), *self.body(node, 1)])
                last = None
            elif last == rule.section:
                parts[-1].extend(self.indented(node))
            else:
                parts.append(self.indented(node))
                last = rule.section
        return parts

    def indented(self, node: Node) -> list[str]:
        """A global line; further lines of a text stand at the margin."""
        texts = self.texts(node)
        if node.rule is not None and "text" in node.rule.flags:
            return [self.root_indent + texts[0], *texts[1:]]
        return [self.root_indent + text for text in texts]

    def complete(self, root: Node) -> None:
        """Add the lines that are there whether or not anybody typed them."""

    def view_prompt(self, frames: list[Frame]) -> str:
        """What the views one is in add to the prompt."""
        raise TypeError(self.name)

    def batch_values(self, root: Node, rank: int) -> frozenset[int]:
        """Numbers shown together in one line."""
        return frozenset(
            int(node.words[-1]) for node in root.children.values() if node.rule is not None and node.rule.rank == rank
        )

    def render(self, root: Node) -> list[str]:
        """`display current-configuration` or `show running-config`."""
        raise TypeError(self.name)

    def text(self, root: Node) -> str:
        """The configuration as a file of the device."""
        return "\n".join(self.render(root)) + "\n"

    def is_shut(self, root: Node, port: str) -> bool:
        """Is a physical port administratively down in a configuration?"""
        node = root.get("interface", port)
        return node is not None and node.get("shutdown") is not None

    def host(self, root: Node) -> str:
        """The name the configuration gives the device."""
        for word in ("sysname", "hostname"):
            node = root.get(word)
            if node is not None:
                return node.words[1]
        return self.device.hostname

    # --- what a configuration means for the frames and packets

    def vlan_numbers(self, root: Node) -> frozenset[int]:
        """The VLANs that exist."""
        raise TypeError(self.name)

    def untagged_vlan(self, root: Node, port: str) -> int | None:
        """The VLAN whose frames go in and out of a physical port without a tag; None: there is none."""
        raise TypeError(self.name)

    def vlan_of_interface(self, name: str) -> int | None:
        """The VLAN of a VLAN interface; None for other interfaces."""
        number = name.removeprefix(self.vlan_interface)
        return int(number) if number != name and number.isdecimal() else None

    def addresses(self, root: Node) -> Iterator[tuple[str, IPv4Interface]]:
        """(interface, address) of every interface that is not shut, and of physical ports in any case."""
        for node in root.starting("interface"):
            if node.get("shutdown") is not None and self.vlan_of_interface(node.words[1]) is not None:
                continue
            for line in node.starting("ip", "address"):
                yield node.words[1], IPv4Interface(f"{line.words[2]}/{line.words[3]}")

    def next_hops(self, root: Node) -> Iterator[tuple[IPv4Network, IPv4Address]]:
        """(prefix, next hop) of every static route that names an address, in whatever VPN instance or VRF."""
        for node in root.starting(*self.route_words):
            words = node.words[4:] if node.words[2] in ("vrf", "vpn-instance") else node.words[2:]
            hop = next((address for word in words[2:5] if (address := _address(word)) is not None), None)
            if hop is not None:
                yield IPv4Network(f"{words[0]}/{words[1]}", strict=False), hop

    # --- who may log in

    def login_lists(self, root: Node) -> list[Node]:
        """The access lists that everybody's address must pass before he may log in."""
        raise TypeError(self.name)

    def admits(self, root: Node, source: IPv4Address) -> bool:
        """May somebody log in from an address? A list without rules bars nobody; what no rule names is barred."""
        return self.passes(self.login_lists(root), source)

    def passes(self, lists: Iterable[Node], source: IPv4Address) -> bool:
        """Does an address pass all of these access lists?"""
        for acl in lists:
            rules = [node.words for node in self.ordered(acl) if {"permit", "deny"} & set(node.words)]
            if rules and not next((permit for permit, mine in map(_rule, rules) if mine(source)), False):
                return False
        return True

    def passwords(self, root: Node) -> dict[str, str]:
        """Users who may log in over SSH, and their passwords as the configuration shows them."""
        raise TypeError(self.name)

    def fits(self, shown: str, plain: str) -> bool:
        """Is a password the one that a configuration shows so?"""
        raise TypeError(self.name)


def _address(word: str) -> IPv4Address | None:
    try:
        return IPv4Address(word)
    except AddressValueError:
        return None


def _rule(words: tuple[str, ...]) -> tuple[bool, Callable[[IPv4Address], bool]]:
    """What a rule of an access list says, and whether it speaks of a source address."""
    at = next(at for at, word in enumerate(words) if word in ("permit", "deny"))
    said = words[words.index("source") + 1 :] if "source" in words else words[at + 1 :]
    base = next((address for word in said[:2] if (address := _address(word)) is not None), None)
    if base is None:
        return words[at] == "permit", lambda source: True
    wild = _address(said[1]) if said[0] != "host" and len(said) > 1 else None
    mask = ~int(wild or IPv4Address(0))
    return words[at] == "permit", lambda source: int(source) & mask == int(base) & mask

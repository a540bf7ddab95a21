"""What Huawei's VRP5 and VRP8 have in common: texts, form of the configuration, rules between its lines."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import ClassVar

from twin.standins.dialect import Dialect
from twin.standins.editor import Editor, Frame, Rejected, WrongWord
from twin.standins.grammar import Match, Refusal
from twin.standins.kinds import numbers
from twin.standins.layer2 import Layer2
from twin.standins.layer3 import Layer3
from twin.standins.tree import Node

RULE_FIELDS = frozenset(
    {
        "source", "destination", "source-port", "destination-port", "dscp", "precedence", "vpn-instance",
        "fragment", "logging", "time-range", "icmp-type", "tcp-flag", "counting",
    }
)  # fmt: skip


class VrpDialect(Layer2, Layer3, Dialect):
    """Huawei."""

    grammar_file = "huawei_vrp.grammar"
    acl_word: ClassVar[str]
    version_long: ClassVar[str]
    model: ClassVar[str]
    advanced_word: ClassVar[str]
    ciphered: ClassVar[tuple[str, ...]] = ("%^%#", "$1a$", "$1c$", "$1d$")
    factory = (
        "sysname {host}\n#\nundo http server enable\n#\n"
        "aaa\n authentication-scheme default\n authorization-scheme default\n"
        " accounting-scheme default\n domain default\n  authentication-scheme default\n#\n"
        "stelnet server enable\n#\nuser-interface con 0\nuser-interface vty 0 4\n authentication-mode aaa\n"
        " user privilege level 15\n protocol inbound ssh\n#\nreturn\n"
    )

    def refuse(self, refusal: Refusal, line: str) -> list[str]:
        text = {
            "unknown": "Error: Unrecognized command found at '^' position.",
            "parameter": "Error: Wrong parameter found at '^' position.",
            "incomplete": "Error: Incomplete command found at '^' position.",
            "ambiguous": "Error: Ambiguous command found at '^' position.",
            "long": "Error: Too many parameters found at '^' position.",
        }[refusal.why]
        return ["^@", text]

    def view_prompt(self, frames: list[Frame]) -> str:
        """What the views one is in add to the name in the prompt."""
        suffix = ""
        for depth, frame in enumerate(frames[1:], 1):
            assert frame.rule is not None
            template = frame.rule.words.get("prompt", "-" + "-".join(frame.words))
            above = frames[depth - 1].words
            values = {"^": suffix, "acl": self.acl_word, "adv": self.advanced_word}
            values |= {str(index): word for index, word in enumerate(frame.words)}
            values["last"] = frame.words[-1]
            values |= {f"up{index}": word for index, word in enumerate(above)}
            for name, value in values.items():
                template = template.replace(f"{{{name}}}", value)
            suffix = template
        return suffix

    def header(self) -> list[str]:
        return [f"!Software Version {self.version}"]

    def render(self, root: Node) -> list[str]:
        lines = self.header()
        for part in self.sections(root):
            lines += [self.separator, *part]
        return [*lines, self.separator, "return"]

    def texts(self, node: Node) -> list[str]:
        """A trunk's VLANs are written ten at a time, as VRP does."""
        words = node.words
        if words[:4] == ("port", "trunk", "allow-pass", "vlan"):
            parts = words[4].replace(" to ", "-").split(" ")
            tens = [" ".join(parts[at : at + 10]).replace("-", " to ") for at in range(0, len(parts), 10)]
            return [f"{' '.join(words[:4])} {ten}" for ten in tens]
        return node.line.split("\n")

    def complete(self, root: Node) -> None:
        """Lines that are there whether or not anybody typed them."""
        editor = Editor(self, lambda: root, lambda: root)
        for port in self.device.ports:
            if root.get("interface", port) is None:
                editor.frames = editor.frames[:1]
                editor.apply(0, self.understand("system", f"interface {port}"))

    # --- passwords

    def cipher(self, plain: str, way: str, salt: str = "") -> str:
        """How the device shows a password that was typed plain."""
        salt = salt or secrets.token_hex(8)
        digest = base64.b64encode(hashlib.sha256((salt + plain).encode()).digest()).decode()
        return f"$1c${salt}${digest[:43]}$" if way == "irreversible-cipher" else f"%^%#{salt}{digest[:16]}%^%#"

    def fits(self, shown: str, plain: str) -> bool:
        way = "irreversible-cipher" if shown.startswith("$1c$") else "cipher"
        return hmac.compare_digest(self.cipher(plain, way, shown[4:20]), shown)

    def login_lists(self, root: Node) -> list[Node]:
        """Those of the VTYs, inbound."""
        numbers = {line.words[1] for ui in self.vtys(root) for line in ui.starting("acl") if line.words[2] == "inbound"}
        return [acl for acl in root.starting("acl") if acl.words[-1] in numbers]

    def vtys(self, root: Node) -> list[Node]:
        return root.starting("user-interface", "vty")

    def passwords(self, root: Node) -> dict[str, str]:
        """Of local users with service type ssh whom SSH asks for a password."""
        aaa = root.get("aaa")
        if aaa is None or root.get("stelnet", "server", "enable") is None:
            return {}
        found: dict[str, str] = {}
        for line in aaa.starting("local-user"):
            name = line.words[1]
            blocked = aaa.get("local-user", name, "state") is not None and aaa.starting(
                *line.words[:2], "state", "block"
            )
            ways = {word for node in root.starting("ssh", "user", name) for word in node.words[3:]}
            served = "ssh" in {word for node in aaa.starting("local-user", name, "service-type") for word in node.words}
            if line.words[2] == "password" and served and not blocked and ways & {"password", "all", "password-rsa"}:
                found[name] = line.words[-1]
        return found

    def set_cipher(self, editor: Editor, match: Match) -> list[str]:
        """A password typed plain is shown ciphered, differently each time; one typed ciphered stays."""
        words = list(match.words)
        ways = [at for at, word in enumerate(words) if word in ("cipher", "irreversible-cipher", "simple")]
        at = ways[-1] + 1 if ways else len(words) - 1
        if not words[at].startswith(self.ciphered):
            plain, words[at] = words[at], self.cipher(words[at], words[at - 1])
            if "usm-user" in words:
                self.device.keys[words[at]] = plain
        key = match.key if len(match.key) < len(words) else tuple(words)
        editor.store(Match(match.rule, tuple(words), key))
        return []

    def set_versions(self, editor: Editor, match: Match, prefix: tuple[str, ...], every: tuple[str, ...]) -> list[str]:
        """A line that collects words: typing adds some, `undo` takes some or all away."""
        here = editor.target()
        unset = match.rule.sort == "unset"
        typed = match.words[len(prefix) + unset :]
        typed = every if "all" in typed or not typed else typed
        old = here.children.get(prefix)
        now = set(old.words[len(prefix) :]) if old is not None else set()
        now = now - set(typed) if unset else now | set(typed)
        here.drop(*prefix)
        if now:
            here.put(prefix, Node((*prefix, *[word for word in every if word in now]), match.rule.sets or match.rule))
        return []

    def set_snmp_version(self, editor: Editor, match: Match) -> list[str]:
        return self.set_versions(editor, match, ("snmp-agent", "sys-info", "version"), ("v1", "v2c", "v3"))

    # --- names and interfaces

    def set_sysname(self, editor: Editor, match: Match) -> list[str]:
        editor.target().put(("sysname",), Node(("sysname", "HUAWEI"), match.rule.sets))
        return []

    # --- access lists

    def set_acl(self, editor: Editor, match: Match) -> list[str]:
        """An ACL, by number or by name; gone together with its rules."""
        root = editor.target()
        if match.rule.sort == "unset":
            words = match.words[2:]
            if words == ("all",):
                root.drop("acl")
                return []
            gone = root.drop("acl", *words) if words[0] in ("number", "name") else root.drop("acl", "number", *words)
            if not gone:
                raise Rejected("Error: The specified ACL does not exist.")
            return []
        editor.store(match)
        return []

    def set_acl_rule(self, editor: Editor, match: Match) -> list[str]:
        """A rule without a number gets the next one; a rule typed again is laid over the old one.

        The manuals: "If the specified rule ID already exists, the new rule overlays the old one, which is
        equivalent to modifying it", so what the new line does not say stays.
        """
        acl = editor.target()
        if match.rule.sort == "unset":
            return self._undo_rule(acl, match)
        words = match.words
        if not words[1].isdecimal():
            step = int(next((node.words[1] for node in acl.starting("step")), "5"))
            last = max((int(node.words[1]) for node in acl.starting("rule")), default=-1)
            words = ("rule", str((last // step + 1) * step if last >= 0 else step), *words[1:])
        key = words[:2]
        same = [node for node in acl.starting("rule") if node.words[2:] == words[2:] and node.words[:2] != key]
        if same:
            raise Rejected("Error: The rule already exists.")
        old = acl.children.get(key)
        if old is not None and old.rule is not None:
            words = self._overlay(old.words, words)
        acl.put(key, Node(words, match.rule))
        return []

    @staticmethod
    def fields(words: tuple[str, ...]) -> tuple[list[str], dict[str, list[str]]]:
        """A rule's head (number, action, protocol) and its fields by name."""
        head: list[str] = []
        fields: dict[str, list[str]] = {}
        for word in words:
            if word in RULE_FIELDS:
                fields[word] = [word]
            elif fields:
                fields[list(fields)[-1]].append(word)
            else:
                head.append(word)
        return head, fields

    def _overlay(self, old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
        old_head, old_fields = self.fields(old)
        head, fields = self.fields(new)
        if old_head[3:] != head[3:]:
            return new
        merged = {**old_fields, **fields}
        names = ["source", "source-port", "destination", "destination-port"]
        order = [*[name for name in names if name in merged], *[name for name in merged if name not in names]]
        return (*head, *[word for name in order for word in merged[name]])

    def _undo_rule(self, acl: Node, match: Match) -> list[str]:
        key = match.words[1:3]
        old = acl.children.get(key)
        if old is None:
            raise Rejected(self.no_rule)
        if len(match.words) == 3:
            acl.children.pop(key)
            acl.drop("rule", key[1], "description")
            return []
        head, fields = self.fields(old.words)
        fields.pop(match.words[3], None)
        acl.children[key] = Node((*head, *[word for field in fields.values() for word in field]), old.rule)
        return []

    no_rule: ClassVar[str] = "Error: The rule does not exist."

    # --- traffic policies

    def set_traffic_policy(self, editor: Editor, match: Match) -> list[str]:
        """One policy a direction; it must exist, and another one must be taken away first."""
        port = editor.target()
        if match.rule.sort == "unset":
            direction = match.words[-1]
            for node in port.starting("traffic-policy"):
                if node.words[2] == direction:
                    port.children.pop(node.words)
            return []
        _, name, direction = match.words
        if not editor.read().starting("traffic", "policy", name):
            raise Rejected("Error: The traffic policy does not exist.")
        for node in port.starting("traffic-policy"):
            if node.words[2] == direction and node.words[1] != name:
                raise Rejected("Error: A traffic policy has been applied in this direction. Please undo it first.")
        port.put(match.words, Node(match.words, match.rule))
        return []

    def set_policy_line(self, editor: Editor, match: Match) -> list[str]:
        root = editor.read()
        _, classifier, _, behavior, *_ = match.words
        if not root.starting("traffic", "classifier", classifier):
            raise Rejected("Error: The traffic classifier does not exist.")
        if not root.starting("traffic", "behavior", behavior):
            raise Rejected("Error: The traffic behavior does not exist.")
        editor.store(match)
        return []

    def set_qos_object(self, editor: Editor, match: Match) -> list[str]:
        """A policy in force, or a class or behaviour of a policy, cannot be deleted."""
        kind, name = match.words[2], match.words[3]
        for above, node in editor.read().walk():
            used = bool(above) and kind == "policy" and node.words[:2] == ("traffic-policy", name)
            used = used or (kind == "classifier" and node.words[:2] == ("classifier", name))
            used = used or (kind == "behavior" and node.words[2:4] == ("behavior", name))
            if used:
                raise Rejected(f"Error: The traffic {kind} is in use and cannot be deleted.")
        editor.target().drop(*match.words[1:])
        return []

    def set_interface(self, editor: Editor, match: Match) -> list[str]:
        """Physical ports are there or not; others are made and taken away."""
        unset = match.rule.sort == "unset"
        name = match.words[-1]
        root = editor.read()
        if self.is_physical(name):
            if unset or name not in self.device.ports:
                raise WrongWord(2 if unset else 1)
            editor.store(match)
            return []
        if unset:
            if root.get("interface", name) is None:
                raise WrongWord(2)
            editor.target().children.pop(("interface", name))
            return []
        parent = name.partition(".")[0]
        if parent != name and parent not in self.device.ports and root.get("interface", parent) is None:
            raise WrongWord(1)
        if name.startswith(self.vlan_interface):
            vlan = name.removeprefix(self.vlan_interface)
            if vlan != "1" and root.get("vlan", vlan) is None:
                raise Rejected(self.no_vlan)
        if name.startswith("NULL") and name != "NULL0":
            raise WrongWord(1)
        editor.store(match)
        return []

    def set_vlan_batch(self, editor: Editor, match: Match) -> list[str]:
        if match.rule.sort == "unset":
            kept = numbers(match.words[3]) if len(match.words) > 3 else self.all_vlans(editor.read())
            self.delete_vlans(editor, kept)
            return []
        for number in sorted(numbers(match.words[-1])):
            self.add_vlan(editor, number)
        return []

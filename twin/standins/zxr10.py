"""ZTE ZXR10 switches with ZXROS: lines take effect at once, `write` keeps them; ports are shut until told otherwise."""

from __future__ import annotations

import hmac
from typing import ClassVar

from twin.standins.editor import Editor, Rejected, WrongWord
from twin.standins.grammar import Match, Refusal
from twin.standins.ios import IosDialect, IosSession
from twin.standins.kinds import numbers
from twin.standins.tree import Node


class ZxrDialect(IosDialect):
    name = "zte_zxr10"
    grammar_file = "zte_zxr10.grammar"
    factory_host = "ZXR10"
    indent = 2
    ports = "gei-0/1/1/1-24;xgei-0/1/2/1-4;mgmt_eth"
    vlan_interface = "vlan"
    virtual = ("vlan", "loopback", "smartgroup", "null")
    model = "ZXR10 5960-28PM"
    version = "ZXR10 5960 Software, Version: V3.00.11.P10"
    more = " --More--"
    more_erase = "\r         \r"
    busy = "%Error 20210: All user lines are busy, please try later."
    no_vrf = "%Error 30021: The VRF does not exist."
    conflict = "%Error 30022: The IP address overlaps with {other}."
    factory = (
        "!<system-config>\nhostname {host}\n!</system-config>\n!<switchvlan>\nswitchvlan-configuration\n  vlan 1\n$\n"
        "!</switchvlan>\n!<ssh>\nssh server enable\n!</ssh>\n"
    )
    texts_of: ClassVar[dict[str, str]] = {
        "unknown": "%Error 20200: Invalid input detected at '^' marker.",
        "parameter": "%Error 20202: Invalid input detected at '^' marker.",
        "long": "%Error 20200: Invalid input detected at '^' marker.",
    }

    def refuse(self, refusal: Refusal, line: str) -> list[str]:
        if refusal.why == "incomplete":
            return ["%Error 20203: Incomplete command."]
        if refusal.why == "ambiguous":
            return ["%Error 20204: Ambiguous command."]
        return ["^@", self.texts_of[refusal.why]]

    def render(self, root: Node) -> list[str]:
        lines: list[str] = []
        names = self.grammar.section_names
        open_name = ""
        for node in self.ordered(root):
            assert node.rule is not None
            name = names.get(node.rule.section, "")
            if name != open_name:
                lines += [f"!</{open_name}>"] if open_name else []
                lines += [f"!<{name}>"]
                open_name = name
            lines += self.block(node, 0)
        return [*lines, f"!</{open_name}>"] if open_name else lines

    def block(self, node: Node, depth: int) -> list[str]:
        """A line, and what is in its view, closed with ``$``."""
        pad = " " * (self.indent * depth)
        lines = [f"{pad}{node.line}"]
        if node.rule is not None and node.rule.opens:
            for child in self.ordered(node):
                lines += self.block(child, depth + 1)
            lines.append(f"{pad}$")
        return lines

    def complete(self, root: Node) -> None:
        """Ports are there; on a device that was never configured they are open, as the installer leaves them."""
        editor = Editor(self, lambda: root, lambda: root)
        for port in self.device.ports:
            if root.get("interface", port) is None:
                editor.frames = editor.frames[:1]
                editor.apply(0, self.understand("system", f"interface {port}"))
                if not self.device.startup:
                    editor.apply(1, self.understand("interface", "no shutdown"))

    def is_shut(self, root: Node, port: str) -> bool:
        node = root.get("interface", port)
        return node is not None and node.get("no", "shutdown") is None

    def set_shutdown(self, editor: Editor, match: Match) -> list[str]:
        """Physical ports are shut until opened, others open until shut."""
        port = editor.target()
        physical = self.is_physical(port.words[1])
        port.drop("shutdown")
        port.drop("no", "shutdown")
        if physical == (match.words[0] == "no"):
            port.put(match.words, Node(match.words, match.rule))
        return []

    # --- VLANs

    def vlan_part(self, editor: Editor) -> Node:
        """The line under which VLANs are."""
        match = self.understand("system", "switchvlan-configuration")
        root = editor.write()
        return root.put(match.key, root.children.get(match.key) or Node(match.words, match.rule))

    def add_vlans(self, editor: Editor, values: frozenset[int]) -> None:
        part = self.vlan_part(editor)
        for number in sorted(values):
            match = self.understand("swvlan", f"vlan {number}")
            if match.key not in part.children:
                part.put(match.key, Node(match.words, match.rule))

    def set_vlan(self, editor: Editor, match: Match) -> list[str]:
        self._delete_vlans(editor, frozenset({int(match.words[-1])}))
        return []

    def set_vlan_list(self, editor: Editor, match: Match) -> list[str]:
        values = numbers(match.words[-1])
        if match.rule.sort == "unset":
            self._delete_vlans(editor, values)
        else:
            self.add_vlans(editor, values)
        return []

    def _delete_vlans(self, editor: Editor, values: frozenset[int]) -> None:
        if 1 in values:
            raise Rejected("%Error 30101: VLAN 1 cannot be deleted.")
        part = self.vlan_part(editor)
        for number in values:
            part.drop("vlan", str(number))
            for port in part.starting("interface"):
                port.drop("switchport", "access", "vlan", str(number))

    def set_swif(self, editor: Editor, match: Match) -> list[str]:
        """A port in the switching part must be a port of the device."""
        name = match.words[-1]
        unset = match.rule.sort == "unset"
        if name not in self.device.ports and not name.startswith("smartgroup"):
            raise WrongWord(2 if unset else 1)
        if unset:
            editor.target().drop("interface", name)
        else:
            editor.store(match)
        return []

    def set_mode(self, editor: Editor, match: Match) -> list[str]:
        """A port's old mode takes its VLANs with it."""
        port = editor.target()
        now = next((line.words[2] for line in port.starting("switchport", "mode")), "access")
        if match.words[-1] != now:
            port.drop("switchport")
        if match.words[-1] != "access":
            port.put(match.key, Node(match.words, match.rule))
        return []

    def set_access_vlan(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        if self.vlan_part(editor).get("vlan", match.words[3]) is None:
            raise Rejected("%Error 30102: The VLAN does not exist.")
        if port.starting("switchport", "mode"):
            raise Rejected("%Error 30103: The mode of the port is not access.")
        editor.store(match)
        return []

    def set_trunk(self, editor: Editor, match: Match) -> list[str]:
        """A trunk lets through the VLANs it is given, one line for all."""
        port = editor.target()
        if not [line for line in port.starting("switchport", "mode") if line.words[2] == "trunk"]:
            raise Rejected("%Error 30104: The mode of the port is not trunk.")
        prefix = ("switchport", "trunk", "vlan")
        now = frozenset().union(*[numbers(line.words[3]) for line in port.starting(*prefix)])
        values = numbers(match.words[-1])
        now = now - values if match.rule.sort == "unset" else now | values
        port.drop(*prefix)
        if now:
            port.put(prefix, Node((*prefix, self.vlans(now)), match.rule.sets or match.rule))
        return []

    def vlan_numbers(self, root: Node) -> frozenset[int]:
        part = root.get("switchvlan-configuration")
        return frozenset(int(node.words[1]) for node in part.starting("vlan")) | {1} if part else frozenset({1})

    def untagged_vlan(self, root: Node, port: str) -> int | None:
        """An access port's VLAN, another port's native one."""
        if port == "mgmt_eth":
            return None
        part = root.get("switchvlan-configuration")
        node = part.get("interface", port) if part is not None else None
        if node is None:
            return 1
        mode = next((line.words[2] for line in node.starting("switchport", "mode")), "access")
        key = ("switchport", "access", "vlan") if mode == "access" else ("switchport", mode, "native", "vlan")
        return next((int(line.words[-1]) for line in node.starting(*key)), 1)

    # --- passwords

    def set_password(self, editor: Editor, match: Match) -> list[str]:
        words = list(match.words)
        if "encrypted" not in words:
            at = words.index("password") + 1
            plain = words[at]
            words[at:] = ["encrypted", f"*21*{self.hidden(plain)}"]
        editor.store(Match(match.rule, tuple(words), match.key))
        return []

    def login_lists(self, root: Node) -> list[Node]:
        """Those of the SSH server."""
        names = {line.words[-1] for line in root.starting("ssh", "server", "access-class")}
        return [acl for acl in root.starting("ipv4-access-list") if acl.words[1] in names]

    def passwords(self, root: Node) -> dict[str, str]:
        """Of the users of the system."""
        part = root.get("system-user")
        if part is None or root.get("ssh", "server", "enable") is None:
            return {}
        users = part.starting("user-name")
        return {user.words[1]: line.words[-1] for user in users for line in user.starting("password")}

    def fits(self, shown: str, plain: str) -> bool:
        value = shown.removeprefix("*21*")
        return hmac.compare_digest(self.hidden(plain, value[:8]), value)


class ZxrSession(IosSession):
    dialect: ZxrDialect
    configure_said = "%Info 20272: Enter configuration commands, one per line. End with CTRL/Z."
    bad_password = "%Error 20208: Bad password"

    async def do_write(self, match: Match) -> None:
        self.say("Building configuration...")
        await self._wait("saving", "")
        self.device.save()
        self.say("..[OK]")

    async def do_running_interface(self, match: Match) -> list[str]:
        """Everything about one port, wherever it stands."""
        name = match.words[-1]
        lines: list[str] = []
        for node in self.dialect.ordered(self.device.running):
            assert node.rule is not None
            section = self.dialect.grammar.section_names.get(node.rule.section, "")
            block: list[str] = []
            if node.words == ("interface", name):
                block = self.dialect.block(node, 0)
            elif node.get("interface", name) is not None:
                block = [node.line, *self.dialect.block(node.children[("interface", name)], 1), "$"]
            if block:
                lines += [f"!<{section}>", *block, f"!</{section}>"]
        return lines

    async def do_version(self, match: Match) -> list[str]:
        days, rest = divmod(self.device.uptime_s, 86400)
        return [
            self.dialect.model,
            f"ZTE {self.dialect.version}, Release software",
            "Copyright (c) 2021 by ZTE Corporation",
            f"System uptime is {days} day(s), {rest // 3600} hour(s), {rest % 3600 // 60} minute(s)",
        ]

    async def do_interface_brief(self, match: Match) -> list[str]:
        lines = ["Interface                Attribute  Mode         BW     Admin Phy  Prot Description"]
        for port in self.interfaces():
            name = port.words[1]
            if self.dialect.is_physical(name):
                state = self.state(port)
                admin, phy = "down" if state == "administratively down" else "up", "up" if state == "up" else "down"
                attribute, speed = ("optical", 10000) if name.startswith("x") else ("electric", 1000)
                said = next((" ".join(line.words[1:]) for line in port.starting("description")), "none")
                way = f"{admin:<5} {phy:<4} {phy:<4}"
                lines.append(f"{name:<24} {attribute:<10} {'Duplex/full':<12} {speed:<6} {way} {said}")
        return lines

    async def do_vlans(self, match: Match) -> list[str]:
        part = self.device.running.get("switchvlan-configuration")
        lines = ["VLAN      Name          PvidPorts          UntagPorts          TagPorts", "-" * 76]
        for vlan in self.dialect.ordered(part) if part is not None else []:
            if vlan.words[0] == "vlan":
                name = next((line.words[1] for line in vlan.starting("name")), f"vlan{vlan.words[1]}")
                lines.append(f"{vlan.words[1]:<9} {name}")
        return lines

"""Ruijie switches with RGOS 11: lines take effect at once, `write` keeps them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from twin.standins.editor import Editor, Rejected
from twin.standins.grammar import Match, Refusal
from twin.standins.ios import MAX_LEVEL, IosDialect, IosSession
from twin.standins.kinds import numbers
from twin.standins.tree import Node

ALL_VLANS = frozenset(range(1, 4095))


class RgosDialect(IosDialect):
    name = "ruijie_rgos"
    grammar_file = "ruijie_rgos.grammar"
    factory_host = "Ruijie"
    ports = "GigabitEthernet 0/1-24;TenGigabitEthernet 0/25-28;Mgmt 0"
    vlan_interface = "VLAN "
    virtual = ("VLAN", "Loopback", "AggregatePort", "Null")
    model = "S5750C-28GT4XS-H"
    version = "version RGOS 11.4(1)B74P3"
    more = " --More-- "
    more_erase = "\b" * 10 + " " * 10 + "\b" * 10
    busy = "% All VTY lines are in use, please try later."
    no_vrf = "% The VRF does not exist"
    conflict = "% IP address overlaps with {other}"
    factory = (
        "hostname {host}\n!\nenable service ssh-server\nno enable service telnet-server\n!\nvlan range 1\n!\n"
        "line console 0\nline vty 0 4\n login local\n transport input ssh\n!\nend\n"
    )

    def refuse(self, refusal: Refusal, line: str) -> list[str]:
        if refusal.why == "incomplete":
            return ["", "% Incomplete command.", ""]
        if refusal.why == "ambiguous":
            return [f'% Ambiguous command: "{line.strip()}"', ""]
        return ["^@", "% Invalid input detected at '^' marker.", ""]

    def body_text(self, root: Node) -> list[str]:
        lines = [self.version]
        for part in self.sections(root):
            lines += [*part, self.separator]
        return [*lines, "end"]

    def render(self, root: Node) -> list[str]:
        lines = self.body_text(root)
        size = sum(len(line) + 1 for line in lines)
        return ["", "Building configuration...", f"Current configuration : {size} bytes", "", *lines]

    def text(self, root: Node) -> str:
        return "\n".join(self.body_text(root)) + "\n"

    def complete(self, root: Node) -> None:
        editor = Editor(self, lambda: root, lambda: root)
        for line in [f"interface {port}" for port in self.device.ports] + ["vlan 1"]:
            match = self.understand("system", line)
            if match.key not in root.children:
                editor.frames = editor.frames[:1]
                editor.apply(0, match)

    # --- VLANs and ports

    def add_vlan(self, editor: Editor, number: int) -> None:
        match = self.understand("system", f"vlan {number}")
        root = editor.write()
        if match.key not in root.children:
            root.put(match.key, Node(match.words, match.rule))

    def set_vlan_range(self, editor: Editor, match: Match) -> list[str]:
        values = sorted(numbers(match.words[-1]))
        if match.rule.sort == "unset":
            for number in values:
                self._delete_vlan(editor, number)
            return []
        for number in values:
            self.add_vlan(editor, number)
        editor.match = self.understand("system", f"vlan {values[0]}")
        return []

    def set_vlan(self, editor: Editor, match: Match) -> list[str]:
        self._delete_vlan(editor, int(match.words[-1]))
        return []

    def _delete_vlan(self, editor: Editor, number: int) -> None:
        if number == 1:
            raise Rejected("% Default VLAN 1 may not be deleted.")
        root = editor.target()
        root.drop("vlan", str(number))
        for port in root.starting("interface"):
            port.drop("switchport", "access", "vlan", str(number))

    def bridged_only(self, port: Node) -> None:
        """Commands of the switching part are unknown on a routed port.  Raises Refusal."""
        name = port.words[1]
        if name.startswith(("VLAN", "Loopback", "Null", "Mgmt")) or port.get("no", "switchport") is not None:
            raise Refusal("unknown", 0)

    def may_route(self, port: Node) -> None:
        name = port.words[1]
        bridged = (self.is_physical(name) and not name.startswith("Mgmt")) or name.startswith("AggregatePort")
        if bridged and port.get("no", "switchport") is None:
            raise Refusal("unknown", 0)

    def set_switchport(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        if match.words[0] == "no":
            port.drop("switchport")
            port.put(match.words, Node(match.words, match.rule))
        else:
            port.drop("no", "switchport")
            port.drop("ip")
        return []

    def set_mode(self, editor: Editor, match: Match) -> list[str]:
        """`access` is the default and not shown."""
        port = editor.target()
        self.bridged_only(port)
        port.drop("switchport", "mode")
        if match.words[-1] != "access":
            port.put(match.key, Node(match.words, match.rule))
        else:
            port.drop("switchport", "trunk")
        return []

    def set_access_vlan(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        self.bridged_only(port)
        number = int(match.words[3])
        said: list[str] = []
        if editor.read().get("vlan", str(number)) is None:
            said = [f"% Access VLAN does not exist. Creating vlan {number}"]
            self.add_vlan(editor, number)
        port.drop("switchport", "access")
        if number != 1:
            port.put(match.key, Node(match.words, match.rule))
        return said

    def set_trunk(self, editor: Editor, match: Match) -> list[str]:
        """All VLANs pass unless told otherwise; shown as `only` those that do."""
        port = editor.target()
        self.bridged_only(port)
        prefix = ("switchport", "trunk", "allowed", "vlan")
        lines = port.starting(*prefix)
        now = numbers(lines[0].words[5]) if lines else ALL_VLANS
        how = match.words[4] if len(match.words) > 4 and match.rule.sort != "unset" else "all"
        values = numbers(match.words[5]) if how != "all" else ALL_VLANS
        now = {
            "all": ALL_VLANS,
            "only": values,
            "add": now | values,
            "remove": now - values,
            "except": ALL_VLANS - values,
        }[how]
        port.drop(*prefix)
        if not now:
            raise Rejected("% Bad VLAN allowed list")
        if now != ALL_VLANS:
            port.put(prefix, Node((*prefix, "only", self.vlans(now)), match.rule.sets or match.rule))
        return []

    def vlan_numbers(self, root: Node) -> frozenset[int]:
        return frozenset(int(node.words[1]) for node in root.starting("vlan"))

    def untagged_vlan(self, root: Node, port: str) -> int | None:
        """An access port's VLAN, another port's native one; an uplink's native VLAN has its tag too."""
        node = root.get("interface", port)
        if node is None or port.startswith("Mgmt") or node.get("no", "switchport") is not None:
            return None
        mode = next((line.words[2] for line in node.starting("switchport", "mode")), "access")
        if mode == "uplink" or node.starting("port-group"):
            return None
        key = ("switchport", "access", "vlan") if mode == "access" else ("switchport", mode, "native", "vlan")
        vlan = next((int(line.words[-1]) for line in node.starting(*key)), 1)
        lines = node.starting("switchport", "trunk", "allowed", "vlan") if mode == "trunk" else []
        return vlan if not lines or vlan in numbers(lines[0].words[5]) else None

    # --- access lists

    def set_ace(self, editor: Editor, match: Match) -> list[str]:
        """An entry without a number comes ten after the last; a number is taken once."""
        acl = editor.target()
        if match.rule.sort == "unset":
            if not acl.children.pop((match.words[1],), None):
                raise Rejected("% The ACE does not exist.")
            return []
        words = match.words
        taken = {int(node.words[0]) for node in acl.children.values() if node.words[0].isdecimal()}
        if not words[0].isdecimal():
            words = (str(max(taken, default=0) // 10 * 10 + 10), *words)
        if any(node.words[1:] == words[1:] for node in acl.children.values()):
            raise Rejected("% The ACE already exists.")
        if int(words[0]) in taken:
            raise Rejected("% The sequence number is already used.")
        acl.put(words[:1], Node(words, match.rule))
        return []

    # --- passwords

    def set_password(self, editor: Editor, match: Match) -> list[str]:
        """A secret is always shown hashed, a password only under `service password-encryption`."""
        words = list(match.words)
        at = next((at for at, word in enumerate(words) if word in ("password", "secret") and at > 0), None)
        at = 0 if at is None and words[0] == "password" else at
        if at is not None:
            kind, given = words[at], words[at + 1 :]
            plain = given[-1]
            hashed = len(given) == 2 and given[0] != "0"
            if kind == "secret" and not hashed:
                given = ["5", self.secret(plain)]
            elif not hashed and editor.read().get("service", "password-encryption") is not None:
                given = ["7", self.hidden(plain)]
            elif not hashed:
                given = [plain]
            words[at + 1 :] = given
        target = editor.target()
        if words[0] == "username":
            words = self._merged(target.get("username", words[1]), words)
        target.put(match.key, Node(tuple(words), match.rule))
        return []

    def login_lists(self, root: Node) -> list[Node]:
        """Those of the VTYs, inbound."""
        lines = [line for vty in root.starting("line", "vty") for line in vty.starting("access-class")]
        names = {line.words[1] for line in lines if line.words[2] == "in"}
        return [acl for acl in root.starting("ip", "access-list") if acl.words[3] in names]

    def passwords(self, root: Node) -> dict[str, str]:
        """Of users with a password or a secret."""
        if root.get("enable", "service", "ssh-server") is None:
            return {}
        found: dict[str, str] = {}
        for line in root.starting("username"):
            at = next((at for at, word in enumerate(line.words) if at > 1 and word in ("password", "secret")), None)
            if at is not None:
                found[line.words[1]] = " ".join(line.words[at + 1 :])
        return found

    def level(self, root: Node, user: str) -> int:
        line = root.get("username", user)
        if line is None:
            return MAX_LEVEL
        return int(line.words[3]) if line.words[2] == "privilege" else 1

    def enable_password(self, root: Node) -> str | None:
        lines = root.starting("enable", "secret") or root.starting("enable", "password")
        return " ".join(lines[0].words[2:]) if lines else None

    def fits(self, shown: str, plain: str) -> bool:
        kind, _, value = shown.rpartition(" ")
        if kind == "7":
            return hmac.compare_digest(self.hidden(plain, value[:8]), value)
        if kind == "5":
            return hmac.compare_digest(self.secret(plain, value.removeprefix("$1$").partition("$")[0]), value)
        return kind in ("", "0") and hmac.compare_digest(plain.encode(), value.encode())

    @staticmethod
    def secret(plain: str, salt: str = "") -> str:
        salt = salt or secrets.token_hex(2)
        digest = base64.b64encode(hashlib.sha256((salt + plain).encode()).digest()).decode()[:22]
        return f"$1${salt}${digest}"

    @staticmethod
    def _merged(old: Node | None, new: list[str]) -> list[str]:
        """Privilege and password of a user stand in one line, however they were typed."""
        fields: dict[str, list[str]] = {}
        for words in ([*old.words] if old is not None else [], new):
            field = ""
            for word in words[2:]:
                if word in ("privilege", "password", "secret") and (not field or len(fields[field]) > 1):
                    field = word
                    fields[field] = []
                fields[field].append(word)
            for one, other in (("password", "secret"), ("secret", "password")):
                if one in words and other in fields and words is new:
                    del fields[other]
        order = [name for name in ("privilege", "password", "secret") if name in fields]
        return [*new[:2], *[word for name in order for word in fields[name]]]

    def vrf_said(self, port: Node, vrf: str, how: str) -> list[str]:
        return [
            f"% Interface {port.words[1]} IP address {line.words[2]} removed due to {how} VRF {vrf}"
            for line in port.starting("ip", "address")
        ]


class RgosSession(IosSession):
    dialect: RgosDialect
    configure_said = "Enter configuration commands, one per line.  End with CNTL/Z."
    password_prompt = "\r\nPassword:"
    bad_password = "\r\n% Access denied"

    async def do_write(self, match: Match) -> None:
        self.say("", "Building configuration...")
        await self._wait("saving", "")
        self.device.save()
        self.say("[OK]")

    async def do_copy(self, match: Match) -> None:
        source, target = (word.removeprefix("flash:") for word in match.words[1:])
        if source not in self.device.files:
            raise Rejected(f"% Open source file {source} failed")
        self.device.files[target] = self.device.files[source]
        self.device.write_state()
        self.say("Copy success.")

    async def do_delete(self, match: Match) -> None:
        name = match.words[1].removeprefix("flash:")
        if name not in self.device.files:
            raise Rejected(f"% Delete {name} failed: no such file")
        if await self.yes(f"Do you want to delete [flash:/{name}]? [Y/N]:"):
            del self.device.files[name]
            self.device.write_state()

    async def do_more(self, match: Match) -> list[str]:
        name = match.words[1].removeprefix("flash:")
        if name not in self.device.files:
            raise Rejected(f"% Open file {name} failed")
        return self.device.files[name].splitlines()

    async def do_running_interface(self, match: Match) -> list[str]:
        name = match.words[-1]
        lines = [
            line
            for part in self.dialect.sections(self.device.running)
            if part[0] == f"interface {name}"
            for line in part
        ]
        size = sum(len(line) + 1 for line in lines)
        return ["", "Building configuration...", f"Current configuration : {size} bytes", "", *lines, "end"]

    async def do_version(self, match: Match) -> list[str]:
        days, rest = divmod(self.device.uptime_s, 86400)
        return [
            f"System description      : Ruijie 10G Routing Switch({self.dialect.model}) By Ruijie Networks",
            f"System uptime           : {days}:{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}",
            "System hardware version : 1.00",
            f"System software version : {self.dialect.version.removeprefix('version RGOS ')}",
        ]

    async def do_vlans(self, match: Match) -> list[str]:
        lines = [
            "VLAN Name                             Status    Ports",
            "---- -------------------------------- --------- ---",
        ]
        for vlan in self.dialect.ordered(self.device.running):
            if vlan.words[0] == "vlan":
                name = next((line.words[1] for line in vlan.starting("name")), f"VLAN{int(vlan.words[1]):04d}")
                lines.append(f"{vlan.words[1]:>4} {name:<32} STATIC")
        return lines

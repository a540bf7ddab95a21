"""H3C switches with Comware 7: lines take effect at once; a commit delay takes them back unless they are confirmed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import ClassVar

from twin.standins.changes import changes
from twin.standins.editor import Editor, Rejected, load_text
from twin.standins.grammar import Match, Refusal
from twin.standins.kinds import numbers
from twin.standins.tree import Node
from twin.standins.vrp import VrpDialect
from twin.standins.vrp_session import VrpSession


class ComwareDialect(VrpDialect):
    """H3C.  Comware and VRP come from one stock: much of what one line does to others is the same."""

    name = "h3c_comware"
    grammar_file = "h3c_comware.grammar"
    acl_word, advanced_word = "acl-ipv4", "adv"
    root_indent = " "
    ports = "GigabitEthernet1/0/1-24;Ten-GigabitEthernet1/0/25-28;M-GigabitEthernet0/0/0"
    version = "version 7.1.070, Release 6318P01"
    version_long = "7.1.070, Release 6318P01"
    model = "S5560X-30C-EI"
    more = "---- More ----"
    more_erase = "\r              \r"
    ciphered = ("$c$3$", "$h$6$")
    vlan_interface = "Vlan-interface"
    virtual = ("Vlan-interface", "LoopBack", "NULL", "Bridge-Aggregation", "Route-Aggregation", "Tunnel")
    allowed = ("port", "trunk", "permit", "vlan")
    family = ("address-family", "ipv4", "unicast")
    family_given = False
    removed = ("Some configurations on the interface are removed.",)
    no_vpn = "The VPN instance does not exist."
    no_vlan = "The VLAN does not exist."
    vlan_used = "The VLAN has a VLAN interface. Delete the VLAN interface first."
    wrong_type = "The port link type does not support this command."
    conflict = "The IP address you entered overlaps with another interface!"
    no_primary = "Please configure the primary IP address first."
    no_rule: ClassVar[str] = "The rule does not exist."
    factory = (
        " version 7.1.070, Release 6318P01\n#\n sysname {host}\n#\nvlan 1\n#\nline vty 0 63\n"
        " authentication-mode scheme\n user-role network-operator\n#\n ssh server enable\n#\ndomain system\n#\n"
        " domain default enable system\n#\nreturn\n"
    )

    def refuse(self, refusal: Refusal, line: str) -> list[str]:
        text = {
            "unknown": " % Unrecognized command found at '^' position.",
            "parameter": " % Wrong parameter found at '^' position.",
            "incomplete": " % Incomplete command found at '^' position.",
            "ambiguous": " % Ambiguous command found at '^' position.",
            "long": " % Too many parameters found at '^' position.",
        }[refusal.why]
        return ["^@", text]

    def header(self) -> list[str]:
        return [self.separator, f" {self.version}"]

    def complete(self, root: Node) -> None:
        super().complete(root)
        for port in self.device.ports:
            node = root.children[("interface", port)]
            if not node.starting("port", "link-mode") and not port.startswith("M-"):
                match = self.understand("interface", "port link-mode bridge")
                node.put(match.key, Node(match.words, match.rule))

    def texts(self, node: Node) -> list[str]:
        return node.line.split("\n")

    def cipher(self, plain: str, way: str, salt: str = "") -> str:
        salted = bytes.fromhex(salt) or secrets.token_bytes(12)
        digest = hashlib.sha256(salted + plain.encode()).digest()
        head = "$h$6$" if way == "hash" else "$c$3$"
        return head + base64.b64encode(salted + digest).decode().rstrip("=")

    def fits(self, shown: str, plain: str) -> bool:
        try:
            salt = base64.b64decode(shown[5:] + "=" * (-len(shown[5:]) % 4))[:12]
        except ValueError:
            return False
        return hmac.compare_digest(self.cipher(plain, "hash" if shown.startswith("$h$") else "", salt.hex()), shown)

    def vtys(self, root: Node) -> list[Node]:
        return root.starting("line", "vty")

    def login_lists(self, root: Node) -> list[Node]:
        """Those of the VTYs, inbound, and of the SSH server."""
        numbers = {line.words[3] for line in root.starting("ssh", "server", "acl")}
        found = super().login_lists(root)
        return [*found, *[acl for acl in root.starting("acl") if acl.words[-1] in numbers]]

    def passwords(self, root: Node) -> dict[str, str]:
        """Of managing local users with service type ssh."""
        if root.get("ssh", "server", "enable") is None:
            return {}
        found: dict[str, str] = {}
        for user in root.starting("local-user"):
            served = "ssh" in {word for node in user.starting("service-type") for word in node.words}
            for line in user.starting("password"):
                if served and user.words[-1] == "manage" and not user.starting("state", "block"):
                    found[user.words[1]] = line.words[-1]
        return found

    def set_cipher(self, editor: Editor, match: Match) -> list[str]:
        """`simple` is what one types; the device shows `hash` for a login and `cipher` elsewhere."""
        words = list(match.words)
        at = next(at for at, word in enumerate(words) if word in ("simple", "cipher", "hash", "plain"))
        plain = words[at] in ("simple", "plain")
        shown = "hash" if match.rule.text.startswith("password !") else "cipher"
        if plain:
            words[at : at + 2] = [shown, self.cipher(words[at + 1], shown)]
        elif not words[at + 1].startswith(self.ciphered):
            raise Rejected("Invalid ciphertext password.")
        key = tuple(word for word in match.key if word not in ("simple", "cipher", "hash", "plain"))
        editor.store(Match(match.rule, tuple(words), key))
        return []

    def set_usm(self, editor: Editor, match: Match) -> list[str]:
        words = list(match.words)
        if "simple" in words:
            words[words.index("simple")] = "cipher"
            for mode in ("authentication-mode", "privacy-mode"):
                if mode in words:
                    at = words.index(mode) + 2
                    plain, words[at] = words[at], self.cipher(words[at], "cipher")
                    self.device.keys[words[at]] = plain
        editor.store(Match(match.rule, tuple(words), match.key))
        return []

    def set_service_type(self, editor: Editor, match: Match) -> list[str]:
        every = ("ftp", "http", "https", "ssh", "telnet", "terminal")
        return self.set_versions(editor, match, ("service-type",), every)

    def host(self, root: Node) -> str:
        node = root.get("sysname")
        return node.words[1] if node is not None else "H3C"

    # --- VLANs and ports

    def hybrid_words(self, way: str, vlans: str) -> tuple[str, ...]:
        return ("port", "hybrid", "vlan", vlans, way)

    def set_vlan(self, editor: Editor, match: Match) -> list[str]:
        if match.words[-1] == "1":
            raise Rejected("The default VLAN cannot be deleted.")
        return super().set_vlan(editor, match)

    def set_vlan_many(self, editor: Editor, match: Match) -> list[str]:
        values = numbers(match.words[-1])
        if match.rule.sort == "unset":
            self.delete_vlans(editor, values & self.all_vlans(editor.read()))
            return []
        for number in sorted(values):
            self.add_vlan(editor, number)
        return []

    def set_trap_target(self, editor: Editor, match: Match) -> list[str]:
        """Taken back with its words in another order than they were typed in: the VPN comes last."""
        target, (address, _, _, name, *vpn) = editor.target(), match.words[6:]
        for line in target.starting(*match.words[1:6], address):
            found = line.words[line.words.index("params") + 2] if "params" in line.words else ""
            if found == name and (line.words[6:8] if "vpn-instance" in line.words else ()) == tuple(vpn):
                target.drop(*line.words)
        return []

    def routed(self, port: Node) -> bool:
        name = port.words[1]
        if not self.is_physical(name) or name.startswith("M-"):
            return not name.startswith("Bridge-Aggregation")
        return port.get("port", "link-mode") is not None and port.children[("port", "link-mode")].words[2] == "route"

    def set_link_mode(self, editor: Editor, match: Match) -> list[str]:
        """Between bridged and routed: everything on the port goes but its being shut."""
        port = editor.target()
        mode = "bridge" if match.rule.sort == "unset" else match.words[2]
        now = next((line.words[2] for line in port.starting("port", "link-mode")), "bridge")
        if mode != now:
            for key in [key for key in port.children if key != ("shutdown",)]:
                del port.children[key]
        rule = match.rule.sets or match.rule
        port.put(("port", "link-mode"), Node(("port", "link-mode", mode), rule))
        return []

    def set_link_type(self, editor: Editor, match: Match) -> list[str]:
        """The old type's lines go with it; hybrid and trunk change through access only."""
        port = editor.target()
        self.bridged_only(port)
        new = "access" if match.rule.sort == "unset" else match.words[2]
        now = self.link_type(port)
        if new == now:
            return []
        if {new, now} == {"trunk", "hybrid"}:
            raise Rejected("Please set the link type to access first.")
        for words in (("port", "link-type"), ("port", "trunk"), ("undo", "port", "trunk"), ("port", "hybrid")):
            port.drop(*words)
        port.drop("port", "access")
        if new != "access":
            port.put(("port", "link-type"), Node(("port", "link-type", new), match.rule))
        return []

    # --- QoS

    def set_traffic_policy(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        direction = match.words[-1]
        applied = [node for node in port.starting("qos", "apply", "policy") if node.words[-1] == direction]
        if match.rule.sort == "unset":
            for node in applied:
                port.drop(*node.words)
            return []
        if editor.read().get("qos", "policy", match.words[3]) is None:
            raise Rejected("The QoS policy does not exist.")
        if applied and applied[0].words[3] != match.words[3]:
            raise Rejected("A QoS policy has already been applied in this direction.")
        port.put(match.words, Node(match.words, match.rule))
        return []

    def set_qos_object(self, editor: Editor, match: Match) -> list[str]:
        if match.words[1] == "qos":
            name = match.words[3]
            if any(node.words[:4] == ("qos", "apply", "policy", name) for _, node in editor.read().walk()):
                raise Rejected("The QoS policy is in use.")
            editor.target().drop("qos", "policy", name)
            return []
        return super().set_qos_object(editor, match)

    # --- access lists

    def set_acl(self, editor: Editor, match: Match) -> list[str]:
        """`acl number 3000` is the older way to write `acl advanced 3000`."""
        number = match.words[-1]
        if match.rule.sort == "unset":
            editor.target().drop("acl", "basic" if int(number) < 3000 else "advanced", number)
            return []
        if match.words[1] == "number":
            kind = "basic" if int(number) < 3000 else "advanced"
            match = editor.match = self.understand("system", f"acl {kind} {number}")
        if match.key not in editor.read().children:
            editor.store(match)
        return []


class ComwareSession(VrpSession):
    dialect: ComwareDialect
    system_view_said = "System View: return to User View with Ctrl+Z."
    asks_to_save = ""
    asks_to_plan = "Reboot system at {when:%H:%M:%S %m/%d/%Y} (in {hours} hours and {minutes} minutes). confirm? [Y/N]:"
    plan_shown = "System will reboot at {when:%H:%M:%S %m/%d/%Y} (in {hours} hours and {minutes} minutes)."

    async def greet(self) -> None:
        rule = "*" * 78
        owner = "* Copyright (c) 2004-2021 New H3C Technologies Co., Ltd. All rights reserved. *"
        said = (
            "* Without the owner's prior written consent,",
            "* no decompiling or reverse-engineering shall be allowed.",
        )
        self.say("", rule, owner, *[f"{line:<77}*" for line in said], rule, "")

    async def do_screen_length(self, match: Match) -> None:
        self.terminal.length = 0

    async def do_undo_screen_length(self, match: Match) -> None:
        self.terminal.length = 24

    # --- saving

    async def do_save(self, match: Match) -> None:
        if not await self.yes("The current configuration will be written to the device. Are you sure? [Y/N]:"):
            return
        self.say("Please input the file name(*.cfg)[flash:/startup.cfg]")
        name = await self.terminal.ask("(To leave the existing filename unchanged, press the enter key):")
        name = name.strip().removeprefix("flash:/") or (match.words[1] if len(match.words) > 1 else "startup.cfg")
        if not name.endswith(".cfg"):
            raise Rejected("The file name is invalid.")
        if name in self.device.files and not await self.yes(f"flash:/{name} exists, overwrite? [Y/N]:"):
            return
        await self.write(name)

    async def do_save_force(self, match: Match) -> None:
        await self.write("startup.cfg")

    async def write(self, name: str) -> None:
        self.say("Validating file. Please wait...")
        await self._wait("saving", "")
        self.device.files[name] = self.dialect.text(self.device.running)
        self.device.save()
        self.say("Saved the current configuration to mainboard device successfully.")

    async def do_copy(self, match: Match) -> None:
        source, target = (word.removeprefix("flash:/") for word in match.words[1:])
        if source not in self.device.files:
            raise Rejected(f"File {source} does not exist.")
        if target in self.device.files and not await self.yes(f"flash:/{target} already exists. Overwrite it? [Y/N]:"):
            return
        self.device.files[target] = self.device.files[source]
        self.device.write_state()
        self.say("Start to copy...Done.")

    async def do_delete(self, match: Match) -> None:
        name = match.words[-1].removeprefix("flash:/")
        if name not in self.device.files:
            raise Rejected(f"File {name} does not exist.")
        if await self.yes(f"Delete flash:/{name}? [Y/N]:"):
            del self.device.files[name]
            self.device.write_state()
            self.say(f"Deleting file flash:/{name}... Done.")

    async def do_more(self, match: Match) -> list[str]:
        name = match.words[1].removeprefix("flash:/")
        if name not in self.device.files:
            raise Rejected(f"File {name} does not exist.")
        return self.device.files[name].splitlines()

    # --- going back

    async def do_commit_delay(self, match: Match) -> None:
        """What is configured from now on stays only if it is committed in time (minutes)."""
        minutes = int(match.words[3])
        before = self.device.running.copy()
        self.device.arm(minutes * 60, self.ident, before, self._expired)

    def _expired(self) -> None:
        self.device.roll_back(self.user, f"VTY {self.vty}")

    async def do_commit(self, match: Match) -> None:
        if self.device.disarm() is None:
            raise Rejected("The configuration commit delay timer has not been started.")

    async def do_replace(self, match: Match) -> None:
        """Become exactly what a saved file says."""
        name = match.words[3].removeprefix("flash:/")
        if name not in self.device.files:
            raise Rejected(f"The file {name} does not exist.")
        if not await self.yes("Current configuration will be lost, save current configuration? [Y/N]:"):
            self.say("Info: Now replacing the current configuration. Please wait...")
        else:
            self.device.save()
            self.say("Info: Now replacing the current configuration. Please wait...")
        root, refused = load_text(self.dialect, self.device.files[name])
        self.dialect.complete(root)
        before = self.device.running
        self.device.running = root
        self.device.commit_point(before, self.user, f"VTY {self.vty}")
        self.device.changed(self.user)
        if refused:
            self.say(*[f"Failed to replace: {line}" for line in refused])
        self.say("Info: Succeeded in replacing current configuration with the file " + name + ".")

    # --- displays

    async def do_diff(self, match: Match) -> list[str]:
        saved, _ = load_text(self.dialect, self.device.startup)
        self.dialect.complete(saved)
        return changes(self.dialect, saved, self.device.running)

    async def do_version(self, match: Match) -> list[str]:
        days, rest = divmod(self.device.uptime_s, 86400)
        weeks, days = divmod(days, 7)
        hours, minutes = rest // 3600, rest % 3600 // 60
        return [
            f"H3C Comware Software, Version {self.dialect.version_long}",
            "Copyright (c) 2004-2021 New H3C Technologies Co., Ltd. All rights reserved.",
            f"H3C {self.dialect.model} uptime is {weeks} weeks, {days} days, {hours} hours, {minutes} minutes",
            "Last reboot reason : Power on",
        ]

    async def do_clock(self, match: Match) -> list[str]:
        return [datetime.now().strftime("%H:%M:%S UTC %a %m/%d/%Y")]

    async def do_device(self, match: Match) -> list[str]:
        return ["Slot 1 CPU 0:", f"DEVICE_NAME          : {self.dialect.model}", "VENDOR_NAME          : H3C"]

    async def do_startup(self, match: Match) -> list[str]:
        name = "flash:/startup.cfg" if self.device.startup else "NULL"
        return ["MainBoard:", f" Current startup saved-configuration file: {name}",
                f" Next main startup saved-configuration file: {name}"]  # fmt: skip

    async def do_interface_brief(self, match: Match) -> list[str]:
        routed = [
            "Brief information on interfaces in route mode:", "Link: ADM - administratively down; Stby - standby",
            "Protocol: (s) - spoofing", "Interface            Link Protocol Primary IP      Description",
        ]  # fmt: skip
        bridged = [
            "", "Brief information on interfaces in bridge mode:", "Link: ADM - administratively down; Stby - standby",
            "Interface            Link Speed   Duplex Type PVID Description",
        ]  # fmt: skip
        for port in self.dialect.ordered(self.device.running):
            if port.words[0] != "interface":
                continue
            physical, _ = self.states(port)
            link = {"*down": "ADM", "down": "DOWN", "up": "UP"}[physical]
            said = next((line.words[1] for line in port.starting("description")), "")
            if self.dialect.routed(port):
                address = next((line.words[2] for line in port.starting("ip", "address")), "--")
                protocol = "UP" if link == "UP" else "DOWN"
                routed.append(f"{port.words[1]:<20} {link:<4} {protocol:<8} {address:<15} {said}".rstrip())
            else:
                kind = {"access": "A", "trunk": "T", "hybrid": "H"}[self.dialect.link_type(port)]
                pvid = next((line.words[-1] for line in port.starting("port") if "vlan" in line.words[2:3]), "1")
                bridged.append(f"{port.words[1]:<20} {link:<4} auto    A      {kind:<4} {pvid:<4} {said}".rstrip())
        return [*routed, *bridged]

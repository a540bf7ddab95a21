"""What Ruijie's RGOS and ZTE's ZXROS have in common, both being of the school of Cisco's IOS."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from ipaddress import IPv4Interface
from typing import ClassVar

from twin.standins.dialect import Dialect
from twin.standins.editor import Editor, Frame, Rejected, WrongWord
from twin.standins.grammar import Match
from twin.standins.kinds import numbers, split
from twin.standins.restarts import delay_s, hours_minutes, until_s
from twin.standins.session import Session
from twin.standins.tree import Node

MAX_LEVEL = 15


class IosDialect(Dialect):
    """`no` takes back, `exit` goes up, `end` goes out."""

    vlan_to = "-"
    vlan_between = ","
    separator = "!"
    comments = ("!", "$")
    factory_host: ClassVar[str]
    virtual: ClassVar[tuple[str, ...]]
    model: ClassVar[str]
    no_vrf: ClassVar[str]
    conflict: ClassVar[str]

    def understand(self, view: str, line: str) -> Match:
        """A line of our own, as if typed in a view."""
        return self.grammar.match([view], split(line), len(line))

    def view_prompt(self, frames: list[Frame]) -> str:
        """What stands after ``config`` in the prompt."""
        suffix = ""
        for depth, frame in enumerate(frames[1:], 1):
            assert frame.rule is not None
            template = frame.rule.words.get("prompt", "")
            values = {"^": suffix}
            values |= {str(index): word for index, word in enumerate(frame.words)}
            values |= {f"up{index}": word for index, word in enumerate(frames[depth - 1].words)}
            for name, value in values.items():
                template = template.replace(f"{{{name}}}", value)
            suffix = template
        return suffix

    def host(self, root: Node) -> str:
        node = root.get("hostname")
        return node.words[1] if node is not None else self.factory_host

    def is_physical(self, name: str) -> bool:
        return not name.startswith(self.virtual) and "." not in name

    def set_hostname(self, editor: Editor, match: Match) -> list[str]:
        editor.target().drop("hostname")
        return []

    # --- interfaces

    def set_interface(self, editor: Editor, match: Match) -> list[str]:
        """Physical ports are there or not; others are made and taken away."""
        unset = match.rule.sort == "unset"
        name = match.words[-1]
        if self.is_physical(name):
            if unset or name not in self.device.ports:
                raise WrongWord(2 if unset else 1)
            editor.store(match)
        elif not unset:
            parent = name.partition(".")[0]
            if parent != name and parent not in self.device.ports and editor.read().get("interface", parent) is None:
                raise WrongWord(1)
            editor.store(match)
        elif not editor.target().drop("interface", name):
            raise WrongWord(2)
        return []

    def vrf_of(self, port: Node) -> str:
        lines = port.starting("ip", "vrf", "forwarding") + port.starting("vrf", "forwarding")
        return lines[0].words[-1] if lines else ""

    def has_vrf(self, root: Node, name: str) -> bool:
        return root.get("ip", "vrf", name) is not None or root.get("vrf", "definition", name) is not None

    def vrf_said(self, port: Node, vrf: str, how: str) -> list[str]:
        """What the device says when a VRF takes an interface's addresses."""
        return []

    def set_vrf_bind(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        old = self.vrf_of(port)
        new = "" if match.rule.sort == "unset" else match.words[-1]
        if new and not self.has_vrf(editor.read(), new):
            raise Rejected(self.no_vrf)
        if new == old:
            return []
        said = self.vrf_said(port, new or old, "enabling" if new else "disabling")
        port.drop("ip", "vrf")
        port.drop("vrf")
        port.drop("ip", "address")
        if new:
            port.put(match.key, Node(match.words, match.rule))
        return said

    def set_vrf(self, editor: Editor, match: Match) -> list[str]:
        """A VRF takes its interfaces' addresses and its routes with it."""
        root = editor.target()
        name = match.words[-1]
        if not root.drop(*match.words[1:]):
            raise Rejected(self.no_vrf)
        for port in root.starting("interface"):
            if self.vrf_of(port) == name:
                port.drop("ip", "vrf")
                port.drop("vrf")
                port.drop("ip", "address")
        root.drop("ip", "route", "vrf", name)
        for bgp in root.starting("router", "bgp"):
            bgp.drop("address-family", "ipv4", "vrf", name)
        return []

    def may_route(self, port: Node) -> None:
        """Raises Refusal where a port takes no address."""

    def set_address(self, editor: Editor, match: Match) -> list[str]:
        port = editor.target()
        self.may_route(port)
        mine = IPv4Interface(f"{match.words[2]}/{match.words[3]}").network
        for other in editor.read().starting("interface"):
            if other.words == port.words or self.vrf_of(other) != self.vrf_of(port):
                continue
            for line in other.starting("ip", "address"):
                if mine.overlaps(IPv4Interface(f"{line.words[2]}/{line.words[3]}").network):
                    raise Rejected(self.conflict.format(other=other.words[1]))
        editor.store(match)
        return []

    def set_route(self, editor: Editor, match: Match) -> list[str]:
        if match.words[2] == "vrf" and not self.has_vrf(editor.read(), match.words[3]):
            raise Rejected(self.no_vrf)
        editor.store(match)
        return []

    def set_route_target(self, editor: Editor, match: Match) -> list[str]:
        """`both`, or neither word, is one line for import and one for export."""
        vrf = editor.target()
        words = [word for word in match.words if word not in (self.grammar.negation, "route-target")]
        ways = [word for word in words if word in ("import", "export")] or ["export", "import"]
        for way in ways:
            line = ("route-target", way, words[-1])
            if match.rule.sort == "unset":
                vrf.children.pop(line, None)
            else:
                vrf.put(line, Node(line, match.rule))
        return []

    # --- BGP

    def set_bgp(self, editor: Editor, match: Match) -> list[str]:
        others = [node for node in editor.read().starting("router", "bgp") if node.words != match.words]
        if others:
            raise Rejected(f"% BGP is already running; AS is {others[0].words[2]}")
        editor.store(match)
        return []

    def set_neighbor(self, editor: Editor, match: Match) -> list[str]:
        """A neighbour goes with all its lines, in all families but those of VRFs, whose neighbours are their own."""
        here = editor.target()
        peer = match.words[2]
        for node in (here, *here.children.values()):
            if "vrf" not in node.words:
                node.drop("neighbor", peer)
        here.drop("neighbor", peer)
        return []

    # --- QoS

    def set_qos_object(self, editor: Editor, match: Match) -> list[str]:
        _, kind, name = match.words[:3]
        for _, node in editor.read().walk():
            in_policy = kind == "class-map" and node.words == ("class", name)
            applied = kind == "policy-map" and node.words[0] == "service-policy" and node.words[-1] == name
            if in_policy or applied:
                raise Rejected(f"% {kind} {name} is in use")
        editor.target().drop(kind, name)
        return []

    def set_policy_class(self, editor: Editor, match: Match) -> list[str]:
        if not editor.read().starting("class-map", match.words[1]):
            raise Rejected(f"% class-map {match.words[1]} does not exist")
        editor.store(match)
        return []

    def set_service_policy(self, editor: Editor, match: Match) -> list[str]:
        if editor.read().get("policy-map", match.words[-1]) is None:
            raise Rejected(f"% policy-map {match.words[-1]} does not exist")
        old = editor.target().children.get(match.key)
        if old is not None and old.words != match.words:
            raise Rejected("% A service-policy is already applied in this direction")
        editor.store(match)
        return []

    # --- passwords

    def level(self, root: Node, user: str) -> int:
        """A user's privilege level; one that the configuration does not know is the installer."""
        return MAX_LEVEL

    def enable_password(self, root: Node) -> str | None:
        """What `enable` asks for, as the configuration shows it."""
        return None

    def hidden(self, plain: str, salt: str = "") -> str:
        """A password as it is shown afterwards."""
        salt = salt or secrets.token_hex(4)
        return salt + hashlib.sha256((salt + plain).encode()).hexdigest()[:24]

    def set_snmp_user(self, editor: Editor, match: Match) -> list[str]:
        words = list(match.words)
        if "encrypted" not in words:
            for mode in ("auth", "priv"):
                if mode in words[5:]:
                    at = words.index(mode, 5) + 2
                    plain, words[at] = words[at], self.hidden(words[at])
                    self.device.keys[words[at]] = plain
            words.insert(5, "encrypted")
        editor.store(Match(match.rule, tuple(words), match.key))
        return []

    def vlan_values(self, text: str) -> frozenset[int]:
        return numbers(text)


class IosSession(Session):
    dialect: IosDialect
    show_words = ("show",)
    configure_said: ClassVar[str]
    password_prompt: ClassVar[str] = "Password:"
    bad_password: ClassVar[str]
    no_password: ClassVar[str] = "% No password set"

    async def greet(self) -> None:
        privileged = self.dialect.level(self.device.running, self.user) == MAX_LEVEL
        self.base = "enable" if privileged and not self.device.settings.enable_password else "user"
        self.say("")

    def prompt(self) -> str:
        host = self.dialect.host(self.device.running)
        if self.editor is not None:
            self.editor.here()
            return f"{host}(config{self.dialect.view_prompt(self.editor.frames)})#"
        return f"{host}>" if self.base == "user" else f"{host}#"

    async def do_enable(self, match: Match) -> None:
        fixed, shown = self.device.settings.enable_password, self.dialect.enable_password(self.device.running)
        if fixed is None and shown is None:
            raise Rejected(self.no_password)
        for _ in range(3):
            said = await self.terminal.ask(self.password_prompt, echo=False)
            if said == fixed or (shown is not None and self.dialect.fits(shown, said)):
                self.base = "enable"
                return
            self.say(self.bad_password)

    async def do_disable(self, match: Match) -> None:
        self.base = "user"

    async def do_configure(self, match: Match) -> None:
        self.say(self.configure_said)
        self.enter()

    async def do_exit(self, match: Match) -> None:
        if self.editor is None:
            self.open = False
        elif len(self.editor.frames) > 1:
            self.editor.frames.pop()
        else:
            self.leave()

    async def do_end(self, match: Match) -> None:
        self.leave()

    async def do_nothing(self, match: Match) -> None:
        """Accepted, without anything to see."""

    async def do_length(self, match: Match) -> None:
        self.terminal.length = int(match.words[2])

    async def do_width(self, match: Match) -> None:
        """Lines are never folded here."""

    async def do_reload(self, match: Match) -> None:
        if await self.yes("Proceed with reload? [yes/no]:"):
            self.device.reboot()

    async def do_reload_later(self, match: Match) -> None:
        """`in [hh:]mm` or `at hh:mm`; a new plan takes the old one's place."""
        at = next(at for at, word in enumerate(match.words) if word in ("in", "at"))
        time = match.words[at + 1]
        seconds = delay_s(time) if match.words[at] == "in" else until_s(time, "", datetime.now())
        if seconds is None:
            raise WrongWord(at + 1)
        self.say(self.planned(datetime.now() + timedelta(seconds=seconds), seconds))
        if await self.yes("Proceed with reload? [yes/no]:"):
            self.device.schedule_restart(seconds)

    async def do_reload_cancel(self, match: Match) -> None:
        if not self.device.cancel_restart():
            raise Rejected("% No reload is scheduled.")
        self.say("Reload is cancelled.")

    async def do_planned_reload(self, match: Match) -> list[str]:
        restart = self.device.restart
        if restart is None:
            return ["No reload is scheduled."]
        return [self.planned(restart.at, restart.left_s(self.device.settings.second_s))]

    @staticmethod
    def planned(when: datetime, seconds: float) -> str:
        hours, minutes = hours_minutes(seconds)
        return f"Reload scheduled for {when:%Y-%m-%d %H:%M:%S} UTC (in {hours} hours {minutes} minutes)"

    # --- displays

    async def do_running(self, match: Match) -> list[str]:
        return self.dialect.render(self.device.running)

    async def do_startup(self, match: Match) -> list[str]:
        return self.device.startup.splitlines()

    async def do_clock(self, match: Match) -> list[str]:
        return [datetime.now().strftime("%H:%M:%S UTC %a, %b %d, %Y")]

    async def do_users(self, match: Match) -> list[str]:
        lines = ["    Line            User            Host(s)              Idle       Location"]
        for number, session in sorted(self.device.sessions.items()):
            mine = "*" if session is self else " "
            lines.append(
                f"{mine}  {number + 1} vty {number}         {session.user:<15} idle                 00:00:00   -"
            )
        return lines

    def interfaces(self) -> list[Node]:
        return [node for node in self.dialect.ordered(self.device.running) if node.words[0] == "interface"]

    def state(self, port: Node) -> str:
        name = port.words[1]
        if self.dialect.is_physical(name):
            if self.dialect.is_shut(self.device.running, name):
                return "administratively down"
            return "up" if self.device.driver.carrier(name) else "down"
        return "administratively down" if port.get("shutdown") is not None else "up"

    async def do_ip_brief(self, match: Match) -> list[str]:
        lines = ["Interface                        IP-Address(Pri)      Status                 Protocol"]
        for port in self.interfaces():
            for line in port.starting("ip", "address"):
                state = self.state(port)
                address = str(IPv4Interface(f"{line.words[2]}/{line.words[3]}"))
                lines.append(f"{port.words[1]:<32} {address:<20} {state:<22} {'up' if state == 'up' else 'down'}")
        return lines

    async def do_status(self, match: Match) -> list[str]:
        lines = ["Interface                                Status    Vlan   Duplex   Speed     Type"]
        for port in self.interfaces():
            if self.dialect.is_physical(port.words[1]):
                state = {"administratively down": "disabled"}.get(self.state(port), self.state(port))
                trunk = port.get("switchport", "mode", "trunk") is not None
                vlan = "trunk" if trunk else self.dialect.untagged_vlan(self.device.running, port.words[1]) or "routed"
                lines.append(f"{port.words[1]:<40} {state:<9} {vlan:<6} Full     1000M     copper")
        return lines

    async def do_vrfs(self, match: Match) -> list[str]:
        lines = ["  Name                             Default RD          Interfaces"]
        for vrf in self.device.running.starting("ip", "vrf"):
            rd = next((line.words[1] for line in vrf.starting("rd")), "<not set>")
            ports = [port.words[1] for port in self.interfaces() if self.dialect.vrf_of(port) == vrf.words[2]]
            lines.append(f"  {vrf.words[2]:<32} {rd:<19} {' '.join(ports)}".rstrip())
        return lines

    async def do_access_lists(self, match: Match) -> list[str]:
        root = self.device.running
        lines: list[str] = []
        for node in (*root.starting("ip", "access-list"), *root.starting("ipv4-access-list")):
            lines += [node.line, *self.dialect.body(node, 1)]
        return lines

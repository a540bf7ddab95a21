"""A login to a Huawei switch: views and displays that VRP5 and VRP8 share."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from twin.standins.editor import WrongWord
from twin.standins.grammar import Match
from twin.standins.restarts import delay_s, hours_minutes, until_s
from twin.standins.session import Session
from twin.standins.tree import Node
from twin.standins.vrp import VrpDialect


class VrpSession(Session):
    dialect: VrpDialect
    system_view_said: ClassVar[str]
    save_question: ClassVar[tuple[str, str]]
    """Lines before the question, and the question."""
    save_said: ClassVar[tuple[str, ...]]

    async def greet(self) -> None:
        online = len(self.device.sessions)
        self.say(
            "",
            f"Info: The max number of VTY users is {self.device.settings.vtys}, the number of current VTY users online "
            f"is {online}, and total number of terminal users online is {online}.",
            f"      The current login time is {self.now()}.",
        )

    def mark(self) -> str:
        """Before the name in the prompt of a configuration view."""
        return ""

    def prompt(self) -> str:
        if self.editor is None:
            return f"<{self.dialect.host(self.device.running)}>"
        self.editor.here()
        return f"[{self.mark()}{self.dialect.host(self.root())}{self.dialect.view_prompt(self.editor.frames)}]"

    # --- moving about

    async def do_system_view(self, match: Match) -> None:
        self.say(self.system_view_said)
        self.enter()

    async def do_quit(self, match: Match) -> None:
        if self.editor is None:
            self.open = False
        elif len(self.editor.frames) > 1:
            self.editor.frames.pop()
        else:
            await self.leave_politely()

    async def do_return(self, match: Match) -> None:
        await self.leave_politely()

    async def control_z(self) -> None:
        if self.editor is not None:
            await self.leave_politely()

    async def leave_politely(self) -> None:
        """Out to the user view."""
        self.leave()

    # --- the terminal

    async def do_screen_length(self, match: Match) -> None:
        self.terminal.length = int(match.words[1])
        self.say("Info: The configuration takes effect on the current user terminal interface only.")

    async def do_undo_screen_length(self, match: Match) -> None:
        self.terminal.length = 24
        self.say("Info: The configuration takes effect on the current user terminal interface only.")

    async def do_nothing(self, match: Match) -> None:
        """Accepted, without anything to see."""

    # --- configuration files

    async def do_save(self, match: Match) -> None:
        before, question = self.save_question
        if before:
            self.say(before)
        if not await self.yes(question):
            return
        await self._wait("saving", "")
        self.device.save()
        self.say(*self.save_said)

    async def do_reboot(self, match: Match) -> None:
        if await self.yes("Warning: The system will reboot. Continue? [Y/N]:"):
            self.device.reboot()

    # --- a restart that is planned

    asks_to_save: ClassVar[str] = (
        "Warning: All the configuration will be saved to the next startup configuration. Continue ? [Y/N]:"
    )
    """Before a restart is planned while something is not saved; "" asks nothing."""
    asks_to_plan: ClassVar[str] = (
        "Info: Reboot system at {when:%H:%M:%S UTC %Y/%m/%d} (in {hours} hours and {minutes} minutes) confirm?[Y/N]:"
    )
    plan_shown: ClassVar[str] = (
        "System will reboot at {when:%H:%M:%S UTC %Y/%m/%d} (in {hours} hours and {minutes} minutes)."
    )

    async def do_schedule_reboot(self, match: Match) -> None:
        """`schedule reboot delay [hh:]mm` or `at hh:mm [yyyy/mm/dd]`; a new plan takes the old one's place."""
        _, _, way, time, *rest = match.words
        date = rest[0] if way == "at" and rest else ""
        seconds = delay_s(time) if way == "delay" else until_s(time, date, datetime.now())
        if seconds is None:
            raise WrongWord(3)
        if self.asks_to_save and "force" not in rest:
            self.say("Info: The system is now comparing the configuration, please wait.")
            if self.device.unsaved and await self.yes(self.asks_to_save):
                self.device.save()
        hours, minutes = hours_minutes(seconds)
        when = datetime.now() + timedelta(seconds=seconds)
        if "force" in rest or await self.yes(self.asks_to_plan.format(when=when, hours=hours, minutes=minutes)):
            self.device.schedule_restart(seconds)

    async def do_undo_schedule_reboot(self, match: Match) -> None:
        self.device.cancel_restart()

    async def do_planned_reboot(self, match: Match) -> list[str]:
        restart = self.device.restart
        if restart is None:
            return []
        hours, minutes = hours_minutes(restart.left_s(self.device.settings.second_s))
        return [self.plan_shown.format(when=restart.at, hours=hours, minutes=minutes)]

    async def do_compare(self, match: Match) -> list[str]:
        if not self.device.unsaved:
            return ["The current configuration is the same as the next startup configuration file."]
        return ["The current configuration is not the same as the next startup configuration file."]

    async def do_ask_usm(self, match: Match) -> None:
        """An SNMPv3 password that is not on the line is asked for twice."""
        assert self.editor is not None
        what = match.words[4].partition("-")[0]
        self.say(f"Please configure the {what} password (8-255)")
        first = await self.terminal.ask("Enter Password:", echo=False)
        again = await self.terminal.ask("Confirm Password:", echo=False)
        if first != again:
            self.say("Error: The two passwords are inconsistent.")
        elif not 8 <= len(first) <= 255 or " " in first:
            self.say("Error: The password is invalid.")
        else:
            line = f"{' '.join(match.words)} cipher {first}"
            await self.configure(0, self.dialect.understand("system", line))

    # --- displays

    async def do_current(self, match: Match) -> list[str]:
        return self.dialect.render(self.device.running)

    async def do_saved(self, match: Match) -> list[str]:
        return self.device.startup.splitlines() or ["There is no correct configuration file in the device."]

    def parts(self, root: Node, *words: str) -> list[list[str]]:
        return [
            part for part in self.dialect.sections(root) if part[0].lstrip().split(" ")[: len(words)] == list(words)
        ]

    def cut(self, parts: list[list[str]]) -> list[str]:
        """Sections as they are shown on their own."""
        lines: list[str] = []
        for part in parts:
            lines += ["#", *part]
        return [*lines, "#", "return"] if lines else []

    async def do_current_interface(self, match: Match) -> list[str]:
        return self.cut(self.parts(self.device.running, "interface", *match.words[3:]))

    async def do_current_part(self, match: Match) -> list[str]:
        return self.cut(self.parts(self.device.running, *match.words[3:]))

    async def do_this(self, match: Match) -> list[str]:
        assert self.editor is not None
        here = self.editor.here()
        if not here.words:
            single = [part for part in self.dialect.sections(here) if part[0].startswith(("sysname", " sysname"))]
            return self.cut(single)
        lines = ["#"]
        depth = len(self.editor.frames) - 2
        pad = " " * self.dialect.indent * depth
        lines += [pad + text for text in self.dialect.texts(here)]
        return [*lines, *self.dialect.body(here, depth + 1), "#", "return"]

    async def do_version(self, match: Match) -> list[str]:
        days, rest = divmod(self.device.uptime_s, 86400)
        hours, minutes = rest // 3600, rest % 3600 // 60
        return [
            "Huawei Versatile Routing Platform Software",
            f"VRP (R) software, Version {self.dialect.version_long}",
            "Copyright (C) 2000-2021 HUAWEI TECH Co., Ltd.",
            f"HUAWEI {self.dialect.model} uptime is {days} days, {hours} hours, {minutes} minutes",
        ]

    async def do_clock(self, match: Match) -> list[str]:
        now = datetime.now()
        return [now.strftime("%Y-%m-%d %H:%M:%S"), now.strftime("%A"), "Time Zone(DefaultZoneName) : UTC"]

    async def do_users(self, match: Match) -> list[str]:
        lines = ["  User-Intf    Delay    Type   Network Address     AuthenStatus    AuthorcmdFlag"]
        for number, session in sorted(self.device.sessions.items()):
            mine = "+" if session is self else " "
            lines.append(f"{mine} {34 + number:<3d} VTY {number}   00:00:00  SSH    {'-':<20}pass            yes")
            lines.append(f"  Username : {session.user}")
        return lines

    async def do_device(self, match: Match) -> list[str]:
        return [
            f"{self.dialect.model}'s Device status:",
            "Slot  Card   Type                   Online   Power      Register     Alarm     Primary",
            "-" * 87,
            f"0     -      {self.dialect.model:<22} Present  PowerOn    Registered   Normal    Master",
        ]

    async def do_startup(self, match: Match) -> list[str]:
        return ["MainBoard:", "  Startup saved-configuration file:          flash:/vrpcfg.zip",
                "  Next startup saved-configuration file:     flash:/vrpcfg.zip"]  # fmt: skip

    def states(self, port: Node) -> tuple[str, str]:
        """Physical and protocol state as `display interface brief` writes them."""
        name = port.words[1]
        if port.get("shutdown") is not None:
            return "*down", "down"
        up = self.device.driver.carrier(name) if self.dialect.is_physical(name) else True
        protocol = "up(s)" if name.startswith("NULL") else "up"
        return ("up", protocol) if up else ("down", "down")

    async def do_interface_brief(self, match: Match) -> list[str]:
        lines = ["PHY: Physical", "*down: administratively down", "^down: standby", "(l): loopback", "(s): spoofing",
                 "InUti/OutUti: input utility/output utility",
                 "Interface                   PHY   Protocol  InUti OutUti   inErrors  outErrors"]  # fmt: skip
        for port in self.dialect.ordered(self.device.running):
            if port.words[0] == "interface":
                physical, protocol = self.states(port)
                lines.append(f"{port.words[1]:<27} {physical:<5} {protocol:<8}     0%     0%          0          0")
        return lines

    async def do_interface_description(self, match: Match) -> list[str]:
        lines = [
            "PHY: Physical",
            "*down: administratively down",
            "Interface                     PHY     Protocol Description",
        ]
        for port in self.dialect.ordered(self.device.running):
            if port.words[0] == "interface":
                physical, protocol = self.states(port)
                said = next((line.words[1] for line in port.starting("description")), "")
                lines.append(f"{port.words[1]:<29} {physical:<7} {protocol:<8} {said}".rstrip())
        return lines

    async def do_vpns(self, match: Match) -> list[str]:
        names = [node.words[2] for node in self.device.running.starting("ip", "vpn-instance")]
        lines = [f" Total VPN-Instances configured      : {len(names)}"]
        return [*lines, "", "  VPN-Instance Name               RD                    Address-family",
                *[f"  {name:<31}                       IPv4" for name in names]]  # fmt: skip

    async def do_vlan_list(self, match: Match) -> list[str]:
        numbers = sorted(self.dialect.all_vlans(self.device.running) | {1})
        return [f"The total number of VLANs is : {len(numbers)}", "-" * 80, "VID  Type    Ports", "-" * 80,
                *[f"{number:<4} common" for number in numbers]]  # fmt: skip

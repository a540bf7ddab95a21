"""A small device that takes commands: lines in views, refusals, and what goes beside a command.

It knows a vendor by its ``Tongue`` only, and nothing of the rulebooks.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Interface

from tests.provision.tongues import Tongue

VLAN_LISTS = {
    "h3c_comware": re.compile(r"(port trunk permit vlan|port hybrid vlan) ([\d to]+)(?: (tagged|untagged))?"),
    "ruijie_rgos": re.compile(r"(switchport trunk allowed vlan) ?(?:(?:only|add|remove) )?([\d,-]*)"),
    "zte_zxr10": re.compile(r"(switchport trunk vlan|switchport hybrid vlan) ([\d,-]+)(?: (tag|untag))?"),
}
VLANS = re.compile(r"vlan (?:range |list )?(\d+(?: to |[,-]).*)")


class Refused(Exception):
    """What a device answers instead of taking a command."""


class View(dict[str, "View | None"]):
    """Lines in their order; a line that opens a view has one."""


def numbers(text: str) -> set[int]:
    """ "2 5 to 7" and "2,5-7" -> {2, 5, 6, 7}."""
    found = re.findall(r"(\d+)(?:(?: to |-)(\d+))?", text)
    return {number for first, last in found for number in range(int(first), int(last or first) + 1)}


class Box:
    """One device of a vendor."""

    def __init__(self, name: str, tongue: Tongue) -> None:
        self.name, self.tongue = name, tongue
        self.loose = False  # take a VRF that is not there: the text shows a part of a configuration
        self.top = View()
        self.stack = [self.top]
        self.lists: dict[tuple[int, str], set[int]] = {}

    # --- what it holds

    def load(self, text: str) -> None:
        """A configuration as it is shown, put in without questions."""
        stack = [(-1, self.top)]
        rows = text.splitlines()
        while rows:
            row = rows.pop(0)
            line = row.strip()
            if not line or self.tongue.noise.match(line):
                continue
            while line.startswith("header ") and line.count("%") == 1:
                line += "\n" + rows.pop(0)
            indent = len(row) - len(row.lstrip())
            while stack[-1][0] >= indent:
                stack.pop()
            view = stack[-1][1]
            several = VLANS.fullmatch(line)
            if several:
                for number in numbers(several[1]):
                    view.setdefault(f"vlan {number}", View())
            elif not self._listed(view, line):
                inner = view.get(line) or View()
                view[line] = inner if self.tongue.views.match(line) else None
                stack.append((indent, inner))
                self._begin(view, line)

    def picture(self, view: View | None = None) -> dict[str, object]:
        """Everything it holds, order aside."""
        view = self.top if view is None else view
        lines: dict[str, object] = {}
        for line, inner in view.items():
            shown = self.picture(inner) if inner is not None else None
            if shown and line in ("lacp", "switchvlan-configuration"):  # a port without a line says nothing there
                shown = {one: its for one, its in shown.items() if its or not one.startswith("interface ")}
            if shown or inner is None or not self.tongue.always.match(line):
                lines[line] = shown
        for (owner, what), held in self.lists.items():
            if owner == id(view) and (held or what.startswith("switchport trunk allowed")):
                lines[what] = sorted(held)
        return lines

    # --- what it is told

    def run(self, commands: tuple[str, ...]) -> None:
        """Take the commands; Refused, with the command, where one is not taken."""
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
        plain = command.removeprefix(f"{self.tongue.negate} ")
        if command == self.tongue.leave:
            if len(self.stack) == 1:
                raise Refused("it would leave the configuration mode")
            self.stack.pop()
        elif not self._listed(view, command) and (plain == command or not self._takes_away(view, plain)):
            self._set(view, command)

    def _takes_away(self, view: View, plain: str) -> bool:
        """False for a setting that is written with the negation, and is not there to be taken away."""
        tongue = self.tongue
        if tongue.off.fullmatch(plain):
            view.pop(plain, None)
            return False  # it is shown with the negation
        for what, reference in tongue.used:
            found = re.fullmatch(what, plain)
            if found and view is self.top and self._anywhere(reference.replace("{}", re.escape(found[1]))):
                raise Refused("it is in use")
        words = plain.split()
        exact = [line for line in view if line == plain]
        gone = exact or [line for line in view if _inside(words, line.split())]
        if words[0] == "rule":
            gone = [line for line in view if line.split()[:2] == words[:2]]
        if words[0] == tongue.peer and (len(words) == 2 or words[2] == "remote-as"):
            gone = [line for line in view if line.split()[:2] == words[:2]]
            for inner in (one for one in view.values() if one is not None):
                own = re.compile(rf"{tongue.peer} {re.escape(words[1])} (as-number|remote-as)")
                if not any(map(own.match, inner)):
                    for line in [line for line in inner if line.split()[:2] == words[:2]]:
                        del inner[line]
        if not gone:
            raise Refused("there is nothing of that kind")
        for line in gone:
            del view[line]
        if tongue.bound.match(gone[0]):
            self._strip(view)
        if tongue.mode.match(gone[0]) or plain == "port link-type":
            self._drop(view, tongue.moded if tongue.mode.match(gone[0]) else re.compile(r"port (access|trunk|hybrid)"))
        return True

    def _set(self, view: View, command: str) -> None:
        tongue = self.tongue
        self._refuse(view, command)
        negated = f"{tongue.negate} {command}"
        if negated in view:
            del view[negated]
            if tongue.mode.match(command):
                self._drop(view, tongue.moded)
            if command == "switchport":
                return
        if tongue.views.match(command):
            same = next((line for line in view if self._one(line, command)), command)
            inner = (view.pop(same) if same != command else view.get(command)) or View()
            view[command] = inner
            self.stack.append(inner)
            return
        entry = tongue.entry.match(command)
        for line in list(view):
            old = tongue.entry.match(line)
            if self._one(line, command) or (entry and old and old[1] == entry[1]):
                del view[line]
        if tongue.bound.match(command):
            self._strip(view)
        if (tongue.mode.match(command) or command.startswith("port link-type")) and command not in view:
            self._drop(view, tongue.moded if tongue.mode.match(command) else re.compile(r"port (access|trunk|hybrid)"))
        if command.removeprefix(f"{tongue.negate} ") in view:
            del view[command.removeprefix(f"{tongue.negate} ")]
        view[command] = None
        self._begin(view, command)

    def _refuse(self, view: View, command: str) -> None:
        """What this vendor's device does not take."""
        tongue = self.tongue
        for pattern in tongue.once:
            found = pattern.match(command)
            if found and any((other := pattern.match(line)) and other.groups() == found.groups() for line in view):
                raise Refused("there is one already")
        bound = tongue.bound.match(command)
        made = tongue.vrf.format(re.escape(bound[1])) if bound else ""
        if bound and not self.loose and not any(re.fullmatch(made, line) for line in self.top):
            raise Refused("there is no such VRF")
        entry = tongue.entry.match(command)
        for old in filter(None, map(tongue.entry.match, view) if entry else ()):
            assert entry is not None
            if old[1] == entry[1] and (not tongue.edited or old[2].split()[:2] != entry[2].split()[:2]):
                raise Refused("the number is taken")
            if old[1] != entry[1] and old[2] == entry[2]:
                raise Refused("a rule says the same")
        if re.match(r"network \d\S+ \S+", command) and not command.startswith("network point"):
            owner = tongue.area.format(re.escape(" ".join(command.split()[1:3])))
            if any(re.match(owner, line) for line in self._process() if line != command) and "mask" not in command:
                raise Refused("another area has the network")
        if re.match(r"ip address \S+ \S+", command):
            mine = IPv4Interface("/".join(command.split()[2:4])).network
            for other in self.top.values():
                for line in other or () if other is not view else ():
                    parts = line.split()
                    if parts[:2] == ["ip", "address"] and mine.overlaps(IPv4Interface("/".join(parts[2:4])).network):
                        raise Refused("another interface has the address")
            if self.name == "ruijie_rgos" and "no switchport" not in view and self._is_port():
                raise Refused("a switched port has no address")
        if self.name == "ruijie_rgos" and command.startswith("switchport ") and "no switchport" in view:
            raise Refused("a routed port has no VLANs")

    def _is_port(self) -> bool:
        name = next((line for line, inner in self.top.items() if inner is self.stack[-1]), "")
        return bool(self.tongue.always.match(name))

    def _process(self) -> list[str]:
        """The lines of the routing process that is being told, areas and all."""
        process = self.stack[1] if len(self.stack) > 1 else self.top
        return [*process, *(line for inner in process.values() for line in inner or ())]

    def _one(self, line: str, command: str) -> bool:
        """Whether the command takes the line's place."""
        if line == command:
            return False
        for pattern in self.tongue.single:
            found, other = pattern.match(command), pattern.match(line)
            if found and other and found.groups() == other.groups():
                return True
        return False

    def _begin(self, view: View, command: str) -> None:
        """What comes with a setting: a trunk of Comware carries VLAN 1, a hybrid port has it untagged."""
        if self.name == "h3c_comware" and command == "port link-type trunk":
            self.lists[(id(view), "port trunk permit vlan")] = {1}
        if self.name == "h3c_comware" and command == "port link-type hybrid":
            self.lists[(id(view), "port hybrid vlan untagged")] = {1}

    def _listed(self, view: View, command: str) -> bool:
        """Take a command about a list of VLANs; False for another command."""
        plain = command.removeprefix(f"{self.tongue.negate} ")
        found = VLAN_LISTS[self.name].fullmatch(plain)
        if not found or "native" in plain:
            return False
        what, given = found[1], numbers(found[2])
        kind = found[3] if found.re.groups > 2 and found[3] else ""
        key = (id(view), f"{what} {kind}".strip())
        if what == "switchport trunk allowed vlan":
            if plain != command:
                self.lists.pop(key, None)
                return True
            held = self.lists.get(key, set(range(1, 4095)))
            words = plain.split()[4]
            self.lists[key] = {"only": given, "add": held | given, "remove": held - given}[words]
            return True
        same = [one for one in self.lists if one[0] == id(view) and one[1].startswith(what)]
        if plain != command:
            if not any(self.lists[one] & given for one in same) and given != {1}:
                raise Refused("the list has none of them")
            for one in same:
                self.lists[one] -= given
            return True
        if kind and any(self.lists[one] & given for one in same if one != key) and given != {1}:
            raise Refused("it is there otherwise")
        self.lists.setdefault(key, set()).update(given)
        return True

    def _strip(self, view: View) -> None:
        self._drop(view, re.compile(rf"(?!{self.tongue.keep.pattern}|{self.tongue.bound.pattern})"))

    def _drop(self, view: View, pattern: re.Pattern[str]) -> None:
        for line in [line for line in view if pattern.match(line) and not self.tongue.mode.match(line)]:
            del view[line]
        for owner, what in [one for one in self.lists if one[0] == id(view) and pattern.match(one[1])]:
            del self.lists[(owner, what)]

    def _anywhere(self, pattern: str, view: View | None = None) -> bool:
        for line, inner in (self.top if view is None else view).items():
            if (view is not None or not line.startswith("interface ")) and re.match(pattern, line):
                return True
            if inner is not None and self._anywhere(pattern, inner):
                return True
        return False


def _inside(words: list[str], line: list[str]) -> bool:
    """Whether the words stand in the line in their order, the first at its start."""
    rest = iter(line)
    return line[0] == words[0] and all(word in rest for word in words)

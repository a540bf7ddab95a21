"""Huawei CloudEngine switches with VRP8: lines change a candidate, `commit` makes it run, a trial may undo itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.standins.changes import changes
from twin.standins.device import Point
from twin.standins.editor import Editor, Frame, Rejected, WrongWord
from twin.standins.grammar import Match, Refusal
from twin.standins.tree import Node
from twin.standins.vrp import VrpDialect
from twin.standins.vrp_session import VrpSession

DEFAULT_TRIAL_S = 600
UNCOMMITTED = (
    "Warning: Uncommitted configurations found. Are you sure to commit them before exiting? [Y(yes)/N(no)/C(cancel)]:"
)
CHOOSE = "Error: Please choose 'YES', 'NO' or 'CANCEL' first before pressing 'Enter'. [Y/N/C]:"


class Vrp8Dialect(VrpDialect):
    name = "huawei_vrp8"
    tags = frozenset({"vrp8"})
    acl_word, advanced_word = "acl4", "advance"
    ports = "GE1/0/1-24;10GE1/0/1-4;MEth0/0/0"
    version = "V200R021C00SPC600"
    version_long = "8.210 (CE6820 V200R021C00SPC600)"
    model = "CE6820-48S6CQ"
    removed = ("Info: All IPv4 and IPv6 related configurations on this interface are removed.",)

    def header(self) -> list[str]:
        changed, saved = self.device.changed_at, self.device.saved_at
        return [
            *super().header(),
            f"!Last configuration was updated at {changed:%Y-%m-%d %H:%M:%S}+00:00 by {self.device.changed_by or '-'}",
            f"!Last configuration was saved at {saved:%Y-%m-%d %H:%M:%S}+00:00",
        ]


@dataclass(slots=True)
class Candidate:
    """Lines typed and not committed: the configuration as it would be, and how to get there from any other."""

    root: Node
    steps: list[tuple[list[Frame], Match]] = field(default_factory=list)


class Vrp8Session(VrpSession):
    system_view_said = "Enter system view, return user view with return command."
    save_question = ("", "Warning: The current configuration will be written to the device. Continue? [Y/N]:")
    save_said = ("Now saving the current configuration ........", "Info: Save the configuration successfully.")

    candidate: Candidate | None = None
    immediate = False

    # --- the candidate

    def root(self) -> Node:
        return self.device.running if self.candidate is None else self.candidate.root

    def changing(self) -> Node:
        if self.immediate:
            return self.device.running
        if self.candidate is None:
            self.candidate = Candidate(self.device.running.copy())
        return self.candidate.root

    def mark(self) -> str:
        if self.immediate:
            return ""
        return "~" if self.candidate is None else "*"

    def prompt(self) -> str:
        if self.editor is None:
            return super().prompt()
        self.editor.here()
        # Until it is committed, a new name is not the device's name.
        return f"[{self.mark()}{self.dialect.host(self.device.running)}{self.dialect.view_prompt(self.editor.frames)}]"

    async def do_system_view(self, match: Match) -> None:
        self.immediate = match.words[-1] == "immediately"
        await super().do_system_view(match)

    async def configure(self, depth: int, match: Match) -> None:
        assert self.editor is not None
        question = match.rule.words.get("confirm") if match.rule.sort == "unset" else None
        if question and not await self.yes(question):
            return
        fresh = self.candidate is None
        frames = self.editor.frames[: depth + 1]
        try:
            self.say(*self.editor.apply(depth, match))
        except (Rejected, WrongWord, Refusal):
            if fresh:
                self.candidate = None
            raise
        if self.immediate:
            self.device.changed(self.user)
        elif self.candidate is not None:
            self.candidate.steps.append((frames, match))
            if self.candidate.root.same(self.device.running):
                self.candidate = None

    def merged(self) -> Node:
        """What would run after a commit: our lines on top of whatever others committed meanwhile.  Raises Rejected."""
        root = self.device.running.copy()
        if self.candidate is None:
            return root
        editor = Editor(self.dialect, lambda: root, lambda: root)
        for frames, match in self.candidate.steps:
            try:
                editor.replay(frames, match)
            except (WrongWord, Refusal) as error:
                raise Rejected(f"Error: Failed to commit: {' '.join(match.words)}") from error
        return root

    async def do_clear_candidate(self, match: Match) -> None:
        self.candidate = None

    async def leave_politely(self) -> None:
        if self.candidate is not None:
            question = UNCOMMITTED
            while True:
                answer = (await self.terminal.ask(question)).strip().lower()
                if answer in ("y", "yes"):
                    self.commit()
                    break
                if answer in ("n", "no"):
                    self.candidate = None
                    break
                if answer in ("c", "cancel"):
                    return
                question = CHOOSE
        self.leave()

    # --- commit

    async def do_commit(self, match: Match) -> None:
        words = list(match.words)
        label = _after(words, "label")
        said = _after(words, "description") or _after(words, "comment")
        if "trial" in words:
            time_s = next((int(word) for word in words[2:3] if word.isdecimal()), DEFAULT_TRIAL_S)
            self.start_trial(time_s, _after(words, "persist"), label, said)
        else:
            self.commit(persist=_after(words, "persist"), label=label, description=said)

    def only_owner(self, persist: str) -> None:
        """While another session's change is on trial nobody else commits.  Raises Rejected."""
        pending = self.device.pending
        if pending is not None and pending.owner != self.ident and (not persist or persist != pending.persist):
            raise Rejected("Error: The system is in trial configuration mode. The configuration cannot be committed.")

    def commit(self, persist: str = "", label: str = "", description: str = "") -> None:
        """Make the candidate run; confirm the trial, if one is on.  Raises Rejected."""
        self.only_owner(persist)
        self.take_over(label, description)
        self.device.disarm()

    def take_over(self, label: str, description: str) -> None:
        if label and any(point.label == label for point in self.device.points):
            raise Rejected("Error: The label already exists.")
        if self.candidate is None:
            return
        before = self.device.running
        self.device.running = self.merged()
        self.candidate = None
        self.device.commit_point(before, self.user, f"VTY {self.vty}", label, description)
        self.device.changed(self.user)

    def start_trial(self, time_s: int, persist: str, label: str, description: str) -> None:
        self.only_owner(persist)
        if self.candidate is None and self.device.pending is None:
            raise Rejected("Error: There is no configuration to be committed.")
        before = self.device.running
        self.take_over(label, description)
        self.device.arm(time_s, self.ident, before, lambda: self._expired(), persist)
        self.say(
            "Info: The system enters the trial configuration mode.",
            "The system will revert to previous configuration if the trial configuration is not confirmed in "
            f"{time_s} seconds.",
        )

    def _expired(self) -> None:
        self.device.roll_back(self.user, f"VTY {self.vty}")

    async def do_abort_trial(self, match: Match) -> None:
        pending = self.device.pending
        if pending is None:
            raise Rejected("Error: The system is not in trial configuration mode.")
        persist, session = _after(list(match.words), "persist"), _after(list(match.words), "session")
        if pending.owner != self.ident and persist != (pending.persist or None) and session != str(pending.owner):
            raise Rejected("Error: The trial configuration was not started by this session.")
        if await self.yes("Warning: The trial configuration will be rolled back. Continue? [Y/N]:"):
            if self.device.roll_back(self.user, f"VTY {self.vty}"):
                self.say("Info: The trial configuration rollback succeeded.")
            else:
                self.say("Error: The system is not in trial configuration mode.")

    def ended(self) -> None:
        """Uncommitted lines are lost with the session; its trial goes on, or ends too, as the device is set."""
        self.candidate = None
        pending = self.device.pending
        ends = self.device.settings.trial_ends_with_session
        if ends and pending is not None and pending.owner == self.ident and not pending.persist:
            self.device.roll_back(self.user, f"VTY {self.vty}")

    async def do_rollback(self, match: Match) -> None:
        pending = self.device.pending
        if pending is not None:
            raise Rejected("Error: The system is in trial configuration mode. The configuration cannot be rolled back.")
        points = self.device.points
        number = int(match.words[-1])
        if "last" in match.words:
            target = points[number - 1].before if 0 < number <= len(points) else None
        else:
            target = next((point.after for point in points if point.number == number), None)
        if target is None:
            raise Rejected("Error: The specified commit ID does not exist.")
        if not await self.yes(
            "Warning: This operation will revert configuration changes to the previous status. Continue? [Y/N]:"
        ):
            return
        before = self.device.running
        self.device.running = target.copy()
        self.device.commit_point(before, self.user, f"VTY {self.vty}")
        self.device.changed(self.user)
        self.say("Loading rollback changes", "Committing", "Check rollback result", "Configuration rollback succeeded.")

    # --- displays

    def _points(self, match: Match) -> list[Point]:
        wanted = int(match.words[-1]) if match.words[-1].isdecimal() else len(self.device.points)
        return self.device.points[:wanted]

    async def do_commit_list(self, match: Match) -> list[str]:
        rule = "-" * 75
        lines = [rule, f"{'No.':<5}{'CommitId':<14}{'Label':<21}{'User':<16}TimeStamp", rule]
        for number, point in enumerate(self._points(match), 1):
            when = f"{point.when:%Y-%m-%d %H:%M:%S}+00:00"
            lines.append(f"{number:<5}{point.number:<14}{point.label or '-':<21}{point.user:<16}{when}")
        return [*lines, rule]

    async def do_commit_list_verbose(self, match: Match) -> list[str]:
        lines: list[str] = []
        for number, point in enumerate(self.device.points, 1):
            lines += [f"{number}) CommitId: {point.number}", f"        Label: {point.label or '-'}",
                      f"        User: {point.user}", f"        User-Intf: {point.terminal}", "        Type: CLI",
                      f"        TimeStamp: {point.when:%Y-%m-%d %H:%M:%S}",
                      f"        Description: {point.description}", ""]  # fmt: skip
        return lines

    async def do_commit_changes(self, match: Match) -> list[str]:
        lines = ["Building configuration"]
        for point in self._points(match):
            lines.append(f"Commit changes of commitId {point.number} {point.when:%Y-%m-%d %H:%M:%S}+00:00")
            lines += changes(self.dialect, point.before, point.after)
        return lines

    async def do_trial_status(self, match: Match) -> list[str]:
        pending = self.device.pending
        lines = [f"Trial status: {'ACTIVE' if pending else 'INACTIVE'}"]
        if pending is not None and pending.persist:
            lines.append(f"Persist id: {pending.persist}")
        return [*lines, f"Trial time left (sec): {pending.left_s if pending else 0}"]

    async def do_candidate(self, match: Match) -> list[str]:
        if match.words[-1] == "changes":
            return ["Building configuration", *changes(self.dialect, self.device.running, self.root())]
        return self.dialect.render(self.root())


def _after(words: list[str], word: str) -> str:
    """What follows a word of a line; "" without it."""
    return words[words.index(word) + 1] if word in words[:-1] else ""

"""Running a playbook from a program: ansible-runner in a folder of its own, progress as events, a summary at the end.

Ansible itself runs in a child process.  ansible-runner's event handler only puts events into a queue, because a slow
handler stalls the child's terminal; this thread takes them out, counts and tells.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import ansible_runner

from inventory.load import load_model
from inventory.places import CHECKOUT, Places, current_instance
from provision.broker.client import operator
from provision.broker.groups import groups
from provision.change import applied
from provision.tally import Stage, stages

PLAYBOOKS = CHECKOUT / "playbooks"
Progress = Callable[[str, int, int], None]
"""Called with (stage, finished host-tasks, expected host-tasks) of the whole run."""

_FINISHED = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"}


class PlayError(Exception):
    """The run cannot begin: unknown playbook, ``--limit`` without a host, a county that is not up (exit code 2)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One finished host-task."""

    stage: str
    task: str
    host: str
    outcome: str  # "ok", "changed", "failed", "unreachable" or "skipped"
    message: str
    diff: tuple[dict[str, str], ...]
    done: int
    expected: int


@dataclass(slots=True)
class HostResult:
    """Host-tasks of one host by outcome."""

    ok: int = 0  # unchanged
    changed: int = 0
    failed: int = 0  # unreachable included


@dataclass(slots=True)
class Result:
    """How a run ended."""

    playbook: str
    status: str = "failed"  # "successful", "failed" or "canceled"
    hosts: dict[str, HostResult] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)  # a line per failed host, or what Ansible said
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True when the run came to its end and nothing failed."""
        return self.status == "successful" and not self.failures

    @property
    def changed(self) -> list[str]:
        """Hosts on which something was changed (or, in check mode, would be)."""
        return [name for name, host in self.hosts.items() if host.changed]

    def as_json(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        return {
            "playbook": self.playbook,
            "status": self.status,
            "changed": self.changed,
            "hosts": {
                name: {"ok": host.ok, "changed": host.changed, "failed": host.failed}
                for name, host in self.hosts.items()
            },
            "failures": self.failures,
            "seconds": round(self.seconds, 1),
            "stage_seconds": {name: round(seconds, 1) for name, seconds in self.stage_seconds.items()},
        }


def find(playbook: str) -> Path:
    """A playbook's file, by path or by its name under ``playbooks/``; PlayError when there is none."""
    for candidate in (Path(playbook), PLAYBOOKS / playbook, PLAYBOOKS / f"{playbook}.yml"):
        if candidate.is_file():
            return candidate.resolve()
    known = ", ".join(sorted(path.name for path in PLAYBOOKS.glob("*.yml")))
    raise PlayError(f"no playbook {playbook!r}: expected one of {known}")


def run(
    playbook: str,
    *,
    places: Places | None = None,
    limit: str = "",
    tags: Sequence[str] = (),
    check: bool = False,
    diff: bool = False,
    progress: Progress | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Result:
    """Run a playbook on a running instance and return its summary; a failed host is a value, not an exception.

    Ctrl-C ends Ansible (the broker still finishes what it has begun on a device) and is raised again.
    """
    places = places or Places(current_instance())
    path = find(playbook)
    record = places.lib / "county"
    if not record.is_file():
        raise PlayError(
            f"instance {places.instance!r} is not up ({record} is missing): `make up` or `sanwang up` first"
        )
    folder = Path(record.read_text().strip())
    model = load_model(folder)
    try:
        plan = stages(path, groups(model), [host.name for host in model.appliances()], limit=limit, tags=tags)
    except ValueError as error:
        raise PlayError(str(error)) from None
    places.run.mkdir(parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix="play-", dir=places.run))
    try:
        source = private / f"{places.instance}.sanwang.yml"
        source.write_text(f"plugin: sanwang\ncounty: {folder}\ninstance: {places.instance}\n")
        result = _Run(path, private, source, plan, progress, on_event).follow(limit, tags, check, diff)
        if result.good and path == PLAYBOOKS / "site.yml" and not (limit or tags or check):
            applied.keep(places, folder)
        return result
    finally:
        shutil.rmtree(private, ignore_errors=True)


class _Run:
    """One run: starts ansible-runner's thread and follows its events."""

    def __init__(
        self,
        path: Path,
        private: Path,
        source: Path,
        plan: tuple[Stage, ...],
        progress: Progress | None,
        on_event: Callable[[Event], None] | None,
    ) -> None:
        self.path, self.private, self.source = path, private, source
        self.expected = sum(stage.host_tasks for stage in plan)
        self.progress, self.on_event = progress, on_event
        self.result = Result(path.name)
        self.done = 0
        self.stage = ""
        self.stage_began_s = monotonic()

    def follow(self, limit: str, tags: Sequence[str], check: bool, diff: bool) -> Result:
        events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        cancel = threading.Event()
        began_s = monotonic()
        options = ["--check"] * check + ["--diff"] * diff
        thread, runner = ansible_runner.run_async(
            private_data_dir=str(self.private),
            project_dir=str(CHECKOUT),
            playbook=str(self.path),
            inventory=str(self.source),
            limit=limit or None,
            tags=",".join(tags) or None,
            cmdline=" ".join(options) or None,
            envvars=self._environment(),
            event_handler=lambda event: events.put(event) or False,  # type: ignore[func-returns-value]
            cancel_callback=cancel.is_set,
            suppress_env_files=True,
            quiet=True,
            rotate_artifacts=1,
        )
        try:
            while thread.is_alive():
                self._take(events, wait_s=0.1)
        except BaseException:
            cancel.set()
            thread.join(timeout=20)
            raise
        self._take(events, wait_s=0)
        self._leave_stage()
        self.result.seconds = monotonic() - began_s
        self.result.status = str(runner.status)
        if runner.status != "successful" and not self.result.failures:
            self.result.failures.append(f"{self.path.name}: {_last_words(runner)}")
        if self.progress is not None and self.result.good:
            self.progress(self.stage, self.expected, self.expected)
        return self.result

    def _environment(self) -> dict[str, str]:
        tools = Path(sys.executable).parent  # ansible-playbook lies beside the interpreter of the venv
        return {
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.private / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self.private / "ansible" / "tmp"),
            "PATH": f"{tools}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "SANWANG_WHO": operator(),
            "LC_ALL": "C.UTF-8",
        }

    def _take(self, events: queue.SimpleQueue[dict[str, Any]], wait_s: float) -> None:
        """Handle what is queued, waiting at most ``wait_s`` for the first."""
        try:
            event = events.get(timeout=wait_s) if wait_s else events.get_nowait()
            while True:
                self._handle(event)
                event = events.get_nowait()
        except queue.Empty:
            return

    def _handle(self, event: dict[str, Any]) -> None:
        kind, data = str(event.get("event", "")), event.get("event_data") or {}
        if kind == "playbook_on_play_start":
            self._leave_stage()
            self.stage = str(data.get("name") or data.get("play") or "")
        elif kind in _FINISHED:
            self._finished(kind, data)
        else:
            return
        if self.progress is not None:
            self.progress(self.stage, min(self.done, self.expected), self.expected)

    def _leave_stage(self) -> None:
        now = monotonic()
        if self.stage:
            spent = self.result.stage_seconds
            spent[self.stage] = spent.get(self.stage, 0.0) + now - self.stage_began_s
        self.stage_began_s = now

    def _finished(self, kind: str, data: dict[str, Any]) -> None:
        outcome = kind.removeprefix("runner_on_")
        answer = data.get("res") or {}
        host = str(data.get("host", ""))
        if outcome == "ok" and answer.get("changed"):
            outcome = "changed"
        self.done += 1
        tally = self.result.hosts.setdefault(host, HostResult())
        message = str(answer.get("msg", ""))
        if outcome in ("failed", "unreachable"):
            tally.failed += 1
            self.result.failures.append(f"{host}: {message or outcome}")
        elif outcome == "changed":
            tally.changed += 1
        elif outcome == "ok":
            tally.ok += 1
        if self.on_event is not None:
            diff = tuple(each for each in answer.get("diff", ()) if isinstance(each, dict))
            self.on_event(
                Event(self.stage, str(data.get("task", "")), host, outcome, message, diff, self.done, self.expected)
            )


def _last_words(runner: Any) -> str:
    """The last lines that Ansible printed, for a run that ended before any host was touched."""
    try:
        lines = [line.rstrip() for line in runner.stdout.read().splitlines() if line.strip()]
    except (OSError, ansible_runner.AnsibleRunnerException):
        lines = []
    return " ".join(lines[-6:]) or f"ended as {runner.status!r}"

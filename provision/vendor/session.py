"""A session to one vendor's device: look, change, confirm or undo, save.

A change is whole or it is told: on a device with a candidate (VRP8) a refused line discards the candidate; on one that
has a timer of its own (``confirm_s`` given) it is undone at once; without one VendorError carries the lines that were
taken, and ``undo()`` sends their inverse.  Configuration mode is never left with lines that are not committed, and
nothing but ``save()`` writes what a device starts from.

    session = VendorSession.open(where, "huawei_vrp8", Credentials(password=...), log, pinned="ssh-ed25519 AAAA...")
    session.configure(["interface GE1/0/1", " description uplink", "quit"], confirm_s=120, label="p-1f3a")
    session.confirm()
    session.save()

Everything blocks; one thread at a time uses a session.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Protocol

import paramiko

from provision.broker.session import CONNECT_TIMEOUT_S, KEYS_TIMEOUT_S, Address
from provision.platforms import base as platforms
from provision.vendor.dialogue import BROKEN, Dialogue
from provision.vendor.drivers import DRIVERS
from provision.vendor.errors import VendorError
from provision.vendor.lines import body_of, check_label, one_line
from provision.vendor.login import log_in, why_not
from provision.vendor.transcript import Sink, Transcript
from provision.vendor.words import Restart, Words, words_of

COMMIT_TIMEOUT_S = 180.0
SHORTEST_TRIAL_S, LONGEST_TRIAL_S = 60, 65535  # commit trial

Patch = Callable[[str, str], Sequence[str]]
"""(configuration now, configuration wanted) -> the lines between."""


def _minutes(seconds: int) -> int:
    return max(1, -(-seconds // 60))


_NOISE = re.compile(
    r"(?m)^(?:!.*|#?\s*Building configuration.*|Current configuration ?:.*|Using \d+ .*|"
    r".*Last configuration (?:change|was).*|.*NVRAM config last updated.*)\n?"
)


class Named(Protocol):
    """What is needed of ``provision.platforms.base.Platform``."""

    @property
    def name(self) -> str:
        """huawei_vrp8, ..."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in: a password, a key, or both; ``enable`` for the privileged mode where there is one."""

    password: str = field(default="", repr=False)
    key: paramiko.PKey | None = field(default=None, repr=False)
    enable: str = field(default="", repr=False)


class VendorSession:
    """An open session; ``close()`` it, or use it in a ``with``."""

    def __init__(self, where: Address, dialogue: Dialogue, transcript: Transcript, patch: Patch | None) -> None:
        self.where = where
        self._dialogue = dialogue
        self._transcript = transcript
        self._patch = patch
        self._label = ""
        self._before: str | None = None
        self._armed = False
        self._unchanged = False  # the last change was there already

    @classmethod
    def open(
        cls,
        where: Address,
        platform: Named | str,
        credentials: Credentials,
        log: Sink,
        *,
        pinned: str = "",
        patch: Patch | None = None,
    ) -> VendorSession:
        """Connect and log in.

        ``pinned`` is the expected host key (``ssh-ed25519 AAAA...``); "" takes the one shown (enrolment only).
        ``patch`` makes the inverse of a change for devices that cannot undo (default: the platform's own).
        Raises VendorError of kind ``unreachable`` or ``busy``.
        """
        name = platform if isinstance(platform, str) else platform.name
        words = words_of(name)
        driver, device_type = DRIVERS[name]
        secrets = tuple(value for value in (credentials.password, credentials.enable) if value)
        transcript = Transcript(log, secrets)
        try:
            sock = socket.create_connection((where.address, where.port), CONNECT_TIMEOUT_S)
        except OSError as error:
            raise why_not(error, where) from None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a login is many small questions
        connection = driver(
            sock=sock,
            ip=where.address,
            port=where.port,
            username=where.user,
            password=credentials.password or None,
            device_type=device_type,
            use_keys=False,
            pkey=credentials.key,
            allow_agent=False,
            conn_timeout=KEYS_TIMEOUT_S,
            auth_timeout=CONNECT_TIMEOUT_S * 2,
            banner_timeout=CONNECT_TIMEOUT_S * 2,
            session_log=transcript,
            auto_connect=False,
        )
        connection.pinned = pinned
        dialogue = Dialogue(connection, words, where.host, secrets)
        session = cls(where, dialogue, transcript, patch)
        try:
            connection._open()  # what auto_connect does, once the pin is set
            log_in(dialogue, credentials.enable)
        except (*BROKEN, ValueError) as error:
            session.close()
            raise why_not(error, where) from None
        except VendorError:
            session.close()
            raise
        return session

    @property
    def words(self) -> Words:
        """The command line spoken here; ``words.confirm`` tells whether the device undoes itself."""
        return self._dialogue.words

    @property
    def host_key(self) -> str:
        """The host key that the device showed, as ``type base64``."""
        transport = self._transport()
        if transport is None:
            raise VendorError("unreachable", f"{self.where.host}: the session is closed")
        key = transport.get_remote_server_key()
        return f"{key.get_name()} {key.get_base64()}"

    @property
    def alive(self) -> bool:
        """Whether the transport still stands (no packet is sent)."""
        transport = self._transport()
        return transport is not None and transport.is_active()

    def show(self, command: str, *, timeout_s: float = 60.0) -> str:
        """What the device answers, pages joined; VendorError when it refuses the command."""
        one_line(self.where.host, command)
        try:
            answer = self._dialogue.ask(command, timeout_s=timeout_s)
        finally:
            self._transcript.flush_now()
        self._good(command, answer if len(answer) < 2000 else "")
        return answer

    def command(self, line: str, *, timeout_s: float = 60.0) -> str:
        """``show`` for a line that a person wrote: never left in configuration mode, nothing uncommitted is kept."""
        try:
            return self.show(line, timeout_s=timeout_s)
        finally:
            if self.alive and self._dialogue.configuring:
                self._discard() if self._dialogue.pending else self._leave()

    def running(self) -> str:
        """The running configuration, without the lines that differ between two looks (dates, sizes)."""
        return _NOISE.sub("", self.show(self.words.running)).strip() + "\n"

    def saved(self) -> str:
        """What the device would start from, as ``running`` gives it."""
        return _NOISE.sub("", self.show(self.words.saved)).strip() + "\n"

    def configure(self, lines: Sequence[str], *, confirm_s: int = 0, label: str = "") -> None:
        """Send a change; with ``confirm_s`` the device undoes it (``words.confirm``) unless it is confirmed in time.

        Devices round ``confirm_s`` up (``armed_s``).  One that can only restart does so from what it has saved: that
        must be what ran before.  ``label`` (a letter, then letters, digits, ``.-_``) names the change on the device, so
        that another session can ``confirm(label)`` or ``undo(label)`` it.  Raises VendorError.
        """
        check_label(label)
        body = body_of(self.words, self.where.host, lines)
        self._label = label or "sanwang"
        self._armed, self._unchanged = False, False
        try:
            if self.words.two_phase:
                self._two_phase(body, confirm_s, label)
            else:
                self._immediate(body, confirm_s)
        finally:
            self._transcript.flush_now()

    def armed_s(self, confirm_s: int) -> int:
        """After how many seconds the device really undoes a change: VRP8 60 at least, others whole minutes."""
        if self.words.confirm == "trial":
            return min(max(confirm_s, SHORTEST_TRIAL_S), LONGEST_TRIAL_S)
        return 60 * _minutes(confirm_s)

    def confirm(self, label: str = "") -> None:
        """The change stays (it is not saved yet).

        Raises VendorError of kind ``device`` or ``refused`` when the device has already gone back by itself.
        """
        if self.words.confirm == "trial" and (label or self._armed):
            status = self.show("display configuration trial status")
            if not re.search(r"\bACTIVE\b", status):
                raise VendorError(
                    "device",
                    f"{self.where.host}: nothing is on trial any more: the device has gone back to before by itself",
                    words=self._dialogue.shown(status.strip().partition("\n")[0]),
                )
            self._in_configuration(f"commit persist {label or self._label}")
        elif label or self._armed:
            self._disarm(must=True)
        self._armed, self._before = False, None

    def undo(self, label: str = "", *, before: str | None = None) -> None:
        """Back to before: VRP8 by itself, elsewhere by the inverse of what was done; the timer runs on until that is
        in place, so that a failure here leaves it to the device.

        ``before`` is the running configuration to go back to, when another session made the change.
        """
        if self._unchanged and before is None and not label:
            return
        if before is None and self.words.confirm == "trial" and (label or self._armed):
            self._in_configuration(f"abort trial persist {label or self._label}")
        else:
            self._inverse(self._before if before is None else before)
            if self.words.confirm != "trial" and (self._armed or label):
                self._disarm(must=False)
        self._armed, self._before = False, None

    def save(self) -> None:
        """Make the running configuration the one to start from."""
        try:
            answer = self._dialogue.ask(self.words.save, timeout_s=COMMIT_TIMEOUT_S)
        finally:
            self._transcript.flush_now()
        self._good(self.words.save, answer)
        if not re.search(self.words.saved_words, answer):
            words = self._dialogue.shown(answer.strip()[-200:])
            raise VendorError("device", f"{self.where.host}: not saved, it says: {words or 'nothing'}", words=words)

    def hide(self, *secrets: str) -> None:
        """More secrets that neither its transcript nor its errors may show."""
        self._dialogue.secrets = (*self._dialogue.secrets, *secrets)
        self._transcript.hide(*secrets)

    def close(self) -> None:
        """Close the transport; never waits for the device."""
        connection: Any = self._dialogue.connection
        transport = self._transport()
        if transport is not None:
            try:
                if self._dialogue.last_prompt and not self._dialogue.configuring:
                    connection.say("quit" if not self.words.enable else "exit")
                transport.sock.shutdown(socket.SHUT_RD)  # paramiko's reader wakes at once, not at its next look
            except BROKEN:
                pass
        connection.disconnect()
        self._transcript.flush_now()

    def __enter__(self) -> VendorSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # How a change is made.

    def _two_phase(self, body: list[str], confirm_s: int, label: str) -> None:
        self._enter()
        try:
            for number, (line, answer) in enumerate(self._dialogue.ahead(body), 1):
                self._good(line, answer, number=number, of=len(body))
            if not self._dialogue.pending:  # the device had every line already: there is nothing to commit
                self._leave()
                self._unchanged = True
                return
            # A description, not a label: a label must be new, and a change may be tried again after it was undone.
            commit = f"commit description {label}" if label else "commit"
            if confirm_s:
                commit = f"commit trial {self.armed_s(confirm_s)} persist {self._label} description {self._label}"
            answer = self._dialogue.ask(commit, timeout_s=COMMIT_TIMEOUT_S)
            self._good(commit, answer)
            self._armed = bool(confirm_s)
        except VendorError as error:
            if error.kind != "unreachable":
                self._discard()
            raise
        self._leave()

    def _immediate(self, body: list[str], confirm_s: int) -> None:
        self._before = self.running()
        sent: list[str] = []
        if confirm_s and self.words.restart is not None:
            minutes = _minutes(confirm_s)
            self._say(self.words.restart.arm.format(minutes=minutes, hours=minutes // 60, rest=minutes % 60))
            self._armed = True
        self._enter()
        try:
            if confirm_s and self.words.restart is None:
                self._say(f"configuration commit delay {_minutes(confirm_s)}")
                self._armed = True
            for number, (line, answer) in enumerate(self._dialogue.one_by_one(body), 1):
                self._good(line, answer, number=number, of=len(body), sent=tuple(sent))
                sent.append(line)
        except VendorError as error:
            if error.kind != "unreachable":
                self._leave()
                if self._armed:
                    self.undo()
                    error.sent = ()
            raise
        self._leave()

    def _inverse(self, before: str | None) -> None:
        if before is None:
            raise VendorError("request", f"{self.where.host}: nothing to undo: no change was made in this session")
        patch = self._patch or partial(platforms.patch, platforms.load(self.words.name))
        lines = body_of(self.words, self.where.host, patch(self.running(), before))
        if not lines:
            return
        if self.words.two_phase:
            self.configure(lines)
            return
        self._enter()
        for number, (line, answer) in enumerate(self._dialogue.one_by_one(lines), 1):
            try:
                self._good(line, answer, number=number, of=len(lines))
            except VendorError:
                self._leave()
                raise
        self._leave()
        self._transcript.flush_now()

    def _disarm(self, *, must: bool) -> None:
        """Stop the timer; ``must``: an error when none runs any more, as the device has gone back to before."""
        restart = self.words.restart
        if restart is None:
            self._enter()
            line = "configuration commit"
            answer = self._dialogue.ask(line)
            self._leave()
            self._transcript.flush_now()
            if must:
                self._good(line, answer)
            return
        if not self._restarts(restart):
            if must:
                raise VendorError("device", f"{self.where.host}: no restart is scheduled any more: it has restarted")
            return
        self._say(restart.cancel)
        if self._restarts(restart):
            raise VendorError("device", f"{self.where.host}: its restart is still scheduled")

    def _restarts(self, restart: Restart) -> bool:
        return re.search(restart.armed, self.show(restart.shown)) is not None

    def _say(self, line: str) -> None:
        self._good(line, self._dialogue.ask(line))

    def _in_configuration(self, *commands: str) -> None:
        self._enter()
        try:
            for command in commands:
                self._good(command, self._dialogue.ask(command, timeout_s=COMMIT_TIMEOUT_S))
        finally:
            if self.alive:
                self._leave()
            self._transcript.flush_now()

    def _enter(self) -> None:
        if not self._dialogue.configuring:
            self._good(self.words.enter, self._dialogue.ask(self.words.enter))
        if not self._dialogue.configuring:
            raise VendorError("busy", f"{self.where.host}: {self.words.enter} did not open configuration mode")
        if self._dialogue.pending:
            self._dialogue.ask("clear configuration candidate")

    def _leave(self) -> None:
        """Back to where nothing is changed; called only when nothing is pending."""
        if self._dialogue.configuring:
            self._dialogue.ask(self.words.leave)

    def _discard(self) -> None:
        """The candidate is emptied before configuration mode is left; a session that cannot is closed (which also
        empties it)."""
        try:
            self._dialogue.ask("clear configuration candidate")
            self._dialogue.ask(self.words.leave)
        except VendorError:
            self.close()

    def _good(self, line: str, answer: str, *, number: int = 0, of: int = 0, sent: tuple[str, ...] = ()) -> None:
        words = self._dialogue.refusal(answer)
        if not words:
            return
        shown = self._dialogue.shown(line.strip())
        place = f"line {number} of {of}, " if number else ""
        raise VendorError(
            "refused",
            f"{self.where.host} refuses {place}{shown!r}: {words}",
            number=number,
            line=shown,
            words=words,
            sent=tuple(self._dialogue.shown(one) for one in sent),
        )

    def _transport(self) -> paramiko.Transport | None:
        client = self._dialogue.connection.remote_conn_pre
        transport: paramiko.Transport | None = client.get_transport() if client is not None else None
        return transport

"""Questions to devices over one UDP socket: at most two outstanding a device, sent again with backoff.

A session asks and waits; whatever arrives instead of an answer (nonsense, a forgery, an answer too late) is counted
and otherwise ignored.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from collectors.snmp import ber
from collectors.snmp.envelope import Envelope, Opened, envelope
from collectors.snmp.plan import ROOM, Learned, Mismatch, Packet, packets
from collectors.snmp.usm import Community, User

_OUTSTANDING = 2
_TRIES = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.8, 4.0
_BUFFER = 8 << 20
_AT_ONCE = 256  # datagrams read before the loop gets its turn
_REPETITIONS = 25
_MAX_ROWS = 4096
_SMALLEST_ROOM = 60
_RESYNCS = 2
_SO_RCVBUFFORCE = 33  # Linux; the socket module has no name for it

TOO_BIG, NO_SUCH_NAME, GEN_ERR = 1, 2, 5
NOT_IN_TIME_WINDOW, UNKNOWN_ENGINE = "1.3.6.1.6.3.15.1.1.2.0", "1.3.6.1.6.3.15.1.1.4.0"
_REPORTS = {  # RFC 3414 section 5, usmStats
    "1.3.6.1.6.3.15.1.1.1.0": "the device does not offer authentication with privacy to this user",
    "1.3.6.1.6.3.15.1.1.3.0": "the device does not know the user",
    "1.3.6.1.6.3.15.1.1.5.0": "the device finds the MAC wrong: another authentication pass phrase or hash",
    "1.3.6.1.6.3.15.1.1.6.0": "the device cannot decrypt: another privacy pass phrase or cipher",
}


class SnmpError(Exception):
    """The device did not answer, or with an error."""


class ErrorStatus(SnmpError):
    """A PDU came back with an error (RFC 3416 section 3)."""

    def __init__(self, status: int, index: int, question: Question) -> None:
        super().__init__(f"error status {status} at {index}")
        self.status, self.index, self.question = status, index, question


class EngineChanged(SnmpError):
    """Another engine answers at that address (RFC 3414 section 3.2, 3)."""


class Question(Protocol):
    """What is asked by one PDU, and how its answer is read."""

    learned: Learned | None

    def pdu(self, request_id: int) -> bytes: ...
    def read(self, rows: bytes) -> Sequence[Any]: ...
    def take(self, rows: Sequence[tuple[str, ber.Value]]) -> Sequence[Any]: ...


class Bulk:
    """GETBULK of what follows one OID; the answer is (OID, value) pairs."""

    def __init__(self, oid: str, repetitions: int) -> None:
        self.learned: Learned | None = None
        self._name, self._repetitions = ber.oid(oid), repetitions

    def pdu(self, request_id: int) -> bytes:
        """The question."""
        return ber.pdu(ber.GET_BULK, request_id, (self._name,), 0, self._repetitions)

    def read(self, rows: bytes) -> Sequence[tuple[str, ber.Value]]:
        """Rows of a plain answer."""
        return ber.read_rows(rows, 0, len(rows))

    def take(self, rows: Sequence[tuple[str, ber.Value]]) -> Sequence[tuple[str, ber.Value]]:
        """Rows that are decoded already."""
        return rows


class _Who:
    """The question who is there: its answer is a report without keys."""

    learned: Learned | None = None

    def pdu(self, request_id: int) -> bytes:
        return ber.pdu(ber.GET, request_id, ())

    def read(self, rows: bytes) -> Sequence[Any]:
        return ()

    def take(self, rows: Sequence[tuple[str, ber.Value]]) -> Sequence[Any]:
        return ()


@dataclass(slots=True)
class Costs:
    """What a session asked and got."""

    sent: int = 0
    repeated: int = 0
    ignored: int = 0  # datagrams that were no answer of ours
    varbind_s: float = 0.0  # the device's time per variable binding, last exchange


@dataclass(slots=True)
class _Asked:
    number: int
    data: bytes
    due: float
    tries: int = 1


class Port:
    """The one UDP socket."""

    def __init__(self) -> None:
        self.ignored = 0
        self._sessions: dict[tuple[str, int], Session] = {}
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Four octets with any sign bit clear and none to spare: the same length in every message.
        self._numbers = itertools.cycle(range(0x40000000, 0x7FFFFFFF))
        for _ in range(random.SystemRandom().randrange(1 << 12)):
            next(self._numbers)

    def session(self, address: str, who: Community | User, port: int = 161) -> Session:
        """A session to one device; a second one to the same address takes the first one's place."""
        session = self._sessions[address, port] = Session(self, (address, port), envelope(who))
        return session

    def number(self) -> int:
        """A request id nobody else has."""
        return next(self._numbers)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """A datagram; what the system refuses (no route, a full buffer) is as if it were lost."""
        if self._socket is None:
            self._open()
        assert self._socket is not None
        try:
            self._socket.sendto(data, address)
        except OSError:
            self.ignored += 1

    def _open(self) -> None:
        self._socket = sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except OSError:  # not root: as much as the system allows
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        sock.bind(("", 0))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)

    def _readable(self) -> None:
        sock = self._socket
        for _ in range(_AT_ONCE):
            try:
                data, source = sock.recvfrom(65535)  # type: ignore[union-attr]
            except (BlockingIOError, AttributeError):
                return
            except OSError:
                continue  # an ICMP error of an earlier datagram
            session = self._sessions.get(source)
            if session is None:
                self.ignored += 1
            else:
                session.hear(data)

    def close(self) -> None:
        """Close the socket; what is outstanding runs into its time limit."""
        if self._socket is not None and self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None


@dataclass(eq=False, slots=True)
class Session:
    """One device; one call at a time."""

    _port: Port
    _address: tuple[str, int]
    _envelope: Envelope
    room: int = ROOM  # octets of rows that an answer may have
    costs: Costs = field(default_factory=Costs)
    _smoothed_s: float = 0.1
    _questions: Sequence[Question] = ()
    _answers: list[Sequence[Any]] = field(default_factory=list)
    _next: int = 0
    _left: int = 0
    _resyncs: int = 0
    _waiting: dict[int, _Asked] = field(default_factory=dict)
    _done: asyncio.Future[None] | None = None
    _timer: asyncio.TimerHandle | None = None
    _gate: asyncio.Lock = field(default_factory=asyncio.Lock)

    def forget(self) -> None:
        """Drop what was learned of the device's engine."""
        self._envelope.forget()

    async def get(self, oids: Iterable[str]) -> dict[str, ber.Value]:
        """Values by OID; objects the device does not have are left out.

        Raises:
            SnmpError: no answer, or an error.
        """
        wanted = list(oids)
        while True:
            questions = packets(wanted, self.room)
            try:
                answers = await self.ask(questions)
            except ErrorStatus as problem:
                bad = self.smaller(problem)
                if bad is not None:
                    wanted.remove(bad)
                continue
            except (Mismatch, ber.BerError) as problem:
                raise SnmpError(str(problem)) from None
            values = zip(wanted, itertools.chain.from_iterable(answers), strict=True)
            return {oid: value for oid, value in values if value is not None and not isinstance(value, ber.Absent)}

    def smaller(self, problem: ErrorStatus) -> str | None:
        """What to do about an error of a GET: ask in smaller packets (None), or leave out the object that is given.

        Raises:
            ErrorStatus: neither helps.
        """
        question = problem.question
        if not isinstance(question, Packet):
            raise problem
        if problem.status == TOO_BIG and len(question.oids) > 1:
            self.room = max(_SMALLEST_ROOM, self.room // 2)
            return None
        if problem.status in (TOO_BIG, NO_SUCH_NAME, GEN_ERR):
            if 1 <= problem.index <= len(question.oids):
                return question.oids[problem.index - 1]
            if len(question.oids) == 1:
                return question.oids[0]
            self.room = max(_SMALLEST_ROOM, self.room // 2)  # it does not say which: alone it will be told
            if self.room > _SMALLEST_ROOM:
                return None
        raise problem

    async def walk(self, column: str) -> dict[str, ber.Value]:
        """A column's values by index.

        Raises:
            SnmpError: no answer, an error, or a device that does not go forward.
        """
        found: dict[str, ber.Value] = {}
        at, repetitions, head = column, _REPETITIONS, f"{column}."
        while len(found) < _MAX_ROWS:
            try:
                (rows,) = await self.ask([Bulk(at, repetitions)])
            except ErrorStatus as problem:
                if problem.status != TOO_BIG or repetitions == 1:
                    raise
                repetitions = max(1, repetitions // 2)
                continue
            except ber.BerError as problem:
                raise SnmpError(str(problem)) from None
            if not rows:
                return found
            for name, value in rows:
                if not name.startswith(head) or isinstance(value, ber.Absent):
                    return found
                if _parts(name) <= _parts(at):
                    raise SnmpError(f"walk of {column} does not go forward at {name}")
                found[name[len(head) :]] = value
                at = name
        raise SnmpError(f"walk of {column}: more than {_MAX_ROWS} rows")

    async def ask(self, questions: Sequence[Question]) -> list[Sequence[Any]]:
        """The answers, in the order of the questions.

        Raises:
            SnmpError: no answer, or an error.
            Mismatch, ber.BerError: an answer of something else.
        """
        async with self._gate:
            for again in (True, False):
                try:
                    if not self._envelope.ready:
                        await self._exchange([_Who()])
                    return await self._exchange(questions)
                except EngineChanged:
                    self.forget()
                    if not again:
                        raise
        raise AssertionError("unreachable")

    async def _exchange(self, questions: Sequence[Question]) -> list[Sequence[Any]]:
        if not questions:
            return []
        loop = asyncio.get_running_loop()
        self._questions, self._answers = questions, [()] * len(questions)
        self._next, self._left, self._resyncs = 0, len(questions), 0
        self._done = loop.create_future()
        began = loop.time()
        self._pump(began)
        self._timer = loop.call_later(self._wait_s(1), self._late)
        try:
            await self._done
        finally:
            self._timer.cancel()
            self._waiting.clear()
            self._done = None
        took_s = loop.time() - began
        self._smoothed_s += (took_s * min(_OUTSTANDING, len(questions)) / len(questions) - self._smoothed_s) / 4
        count = sum(map(len, self._answers))
        if count:
            self.costs.varbind_s = took_s / count
        return self._answers

    def _wait_s(self, tries: int) -> float:
        return min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, 4 * self._smoothed_s) * (1 << tries - 1))

    def _pump(self, now: float) -> None:
        while self._next < len(self._questions) and len(self._waiting) < _OUTSTANDING:
            number = self._next
            self._next += 1
            self._send(number, now)

    def _send(self, number: int, now: float) -> None:
        question, about = self._questions[number], self._envelope
        request_id = self._port.number()
        learned = question.learned
        if learned is None or learned[0] != about.head:
            learned = question.learned = _learn(about.head, question)
        text = learned[1] + request_id.to_bytes(4) + learned[2]
        data = about.wrap(text, request_id)
        self._waiting[request_id] = _Asked(number, data, now + self._wait_s(1))
        self.costs.sent += 1
        self._port.send(data, self._address)

    def _late(self) -> None:
        """Send again what was not answered in its time; give up after some tries."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for asked in self._waiting.values():
            if asked.due <= now:
                if asked.tries == _TRIES:
                    self._fail(SnmpError(f"no answer to {_TRIES} tries"))
                    return
                asked.tries += 1
                asked.due = now + self._wait_s(asked.tries)
                self.costs.repeated += 1
                self._port.send(asked.data, self._address)
        if self._waiting:
            self._timer = loop.call_at(min(asked.due for asked in self._waiting.values()) + 0.001, self._late)

    def _fail(self, problem: Exception) -> None:
        self._waiting.clear()
        if self._done is not None and not self._done.done():
            self._done.set_exception(problem)

    def hear(self, data: bytes) -> None:
        """A datagram from this address, whatever it is."""
        try:
            plain = self._envelope.rows(data)
            if plain is None:
                self._hear_odd(data)
                return
            request_id, rows = plain
            asked = self._waiting.get(request_id)
            if asked is None:
                self.costs.ignored += 1
                return
            answer = self._questions[asked.number].read(rows)
        except ber.BerError:
            self.costs.ignored += 1
            return
        except Mismatch as problem:
            self._fail(problem)
            return
        self._answered(request_id, asked, answer)

    def _answered(self, request_id: int, asked: _Asked, answer: Sequence[Any]) -> None:
        del self._waiting[request_id]
        self._answers[asked.number] = answer
        self._left -= 1
        if self._left:
            self._pump(time.monotonic())
        elif self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _hear_odd(self, data: bytes) -> None:
        """A report, an error, or an answer in another form than most."""
        about = self._envelope
        opened = about.open(data)
        asked = self._waiting.get(opened.request_id)
        pdu = opened.pdu
        if asked is None:
            self.costs.ignored += 1
        elif not about.ready:
            if pdu.kind != ber.REPORT:
                raise ber.BerError("no report")
            about.meet(data)  # type: ignore[union-attr]
            self._answered(opened.request_id, asked, ())
        elif pdu.kind == ber.REPORT:
            self._hear_report(opened, asked)
        elif pdu.kind != ber.RESPONSE or not opened.authentic:
            raise ber.BerError("no response")
        elif pdu.error_status:
            self._fail(ErrorStatus(pdu.error_status, pdu.error_index, self._questions[asked.number]))
        else:
            self._answered(opened.request_id, asked, self._questions[asked.number].take(pdu.rows))

    def _hear_report(self, opened: Opened, asked: _Asked) -> None:
        what = opened.pdu.rows[0][0] if opened.pdu.rows else ""
        if what == NOT_IN_TIME_WINDOW and opened.authentic:
            self._resyncs += 1
            if self._resyncs > _RESYNCS:
                self._fail(SnmpError("the device's clock and its answers do not agree"))
                return
            waiting = list(self._waiting.values())
            self._waiting.clear()
            for each in waiting:
                self._send(each.number, time.monotonic())
        elif what == UNKNOWN_ENGINE:
            self._fail(EngineChanged("the device has another engine now"))
        elif what in _REPORTS:
            self._fail(SnmpError(_REPORTS[what]))
        else:
            raise ber.BerError(f"report {what}")


def _learn(head: bytes, question: Question) -> Learned:
    pdu = question.pdu(0x40000000)
    message = ber.tlv(ber.SEQUENCE, head + pdu)
    _, start, _ = ber.header(pdu, 0, len(pdu))
    at = len(message) - len(pdu) + start + 2
    return head, message[:at], message[at + 4 :]


def _parts(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))

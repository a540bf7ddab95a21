"""The agent: one datagram in, one out or none (RFC 3412, 3414, 3416).  Only SNMPv3 with authentication and privacy."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twin.standins.snmp import ber
from twin.standins.snmp.usm import AUTH, PRIV, REPORTABLE, WINDOW_S, Keys, User, wrapped

LARGEST_ANSWER = 1460  # as most switches, these do not send fragments
_HEADERS = 160  # of an answer beside its rows
_TOO_BIG, _NOT_WRITABLE = 1, 17
_MOST_REPETITIONS = 100
_STATS = (  # in the order of usmStats
    "unsupportedSecLevels", "notInTimeWindows", "unknownUserNames", "unknownEngineIDs", "wrongDigests",
    "decryptionErrors",
)  # fmt: skip
_USM_STATS: ber.Name = (1, 3, 6, 1, 6, 3, 15, 1, 1)
_UPTIME: ber.Name = (1, 3, 6, 1, 2, 1, 1, 3, 0)
_TRAP_OID: ber.Name = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)

Plain = int | bytes | ber.Name


@dataclass(frozen=True, slots=True)
class Column:
    """One object of a table, or a scalar: ``rows`` by the end of the name (a scalar's is (0,)), ``order`` the same ends
    in order.  ``read`` makes a row its value; None: this row has none."""

    prefix: ber.Name
    tag: int
    rows: Mapping[ber.Name, Any]
    order: Sequence[ber.Name]
    read: Callable[[Any], Plain | None]


class Table:
    """Everything that can be read.  Values are made when they are asked for: nothing is kept for a row."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._columns = sorted(columns, key=lambda column: column.prefix)
        self._prefixes = [column.prefix for column in self._columns]

    def read(self, name: ber.Name) -> bytes | None:
        """A value with its header; None where there is none."""
        at = bisect_right(self._prefixes, name) - 1
        if at < 0:
            return None
        column = self._columns[at]
        size = len(column.prefix)
        if name[:size] != column.prefix or name[size:] not in column.rows:
            return None
        return _value(column, name[size:])

    def after(self, name: ber.Name) -> tuple[ber.Name, bytes] | None:
        """The first name behind one that has a value, with it."""
        at = max(bisect_right(self._prefixes, name) - 1, 0)
        while at < len(self._columns):
            column = self._columns[at]
            size = len(column.prefix)
            inside = name[:size] == column.prefix
            first = bisect_right(column.order, name[size:]) if inside else 0 if column.prefix > name else None
            for end in column.order[first:] if first is not None else ():
                found = _value(column, end)
                if found is not None:
                    return column.prefix + end, found
            at += 1
        return None


def _value(column: Column, end: ber.Name) -> bytes | None:
    plain = column.read(column.rows[end])
    return None if plain is None else ber.value(column.tag, plain)


class Engine(Protocol):
    """What the agent asks of the device it is part of."""

    @property
    def boots(self) -> int: ...
    @property
    def uptime_s(self) -> float: ...
    def users(self) -> Mapping[bytes, User]: ...
    def admits(self, source: str, user: bytes) -> bool: ...
    def table(self) -> Table: ...


class Agent:
    """Answers for a device."""

    def __init__(self, engine: Engine, engine_id: bytes) -> None:
        self.engine, self.engine_id = engine, engine_id
        self.stats: Counter[str] = Counter()  # usmStats (RFC 3414 section 5), and what was no message at all
        self._keys: dict[User, Keys] = {}
        self._number = 0

    def answer(self, datagram: bytes, source: str) -> bytes | None:
        """What goes back to the sender; None: nothing does."""
        try:
            return self._answer(datagram, source)
        except ber.Malformed:
            self.stats["malformed"] += 1
            return None

    def trap(self, user: User, identity: ber.Name, rows: Iterable[tuple[ber.Name, int, Plain]]) -> bytes:
        """A notification that asks for no answer (RFC 3416 section 4.2.6), by the sender's own engine."""
        self._number = self._number % 0x7FFFFFFF + 1
        every: list[tuple[ber.Name, int, Plain]] = [
            (_UPTIME, ber.TICKS, int(self.engine.uptime_s * 100)),
            (_TRAP_OID, ber.OID, identity),
            *rows,
        ]
        bound = [ber.row(ber.name(name), ber.value(tag, plain)) for name, tag, plain in every]
        pdu = ber.pdu(ber.TRAP, self._number, bound)
        return self._wrapped(self._number, AUTH | PRIV, user.name.encode(), self._keys_of(user), b"", pdu)

    def _answer(self, datagram: bytes, source: str) -> bytes | None:
        question = ber.question(datagram)
        if not self.engine.admits(source, question.user):
            self.stats["refused"] += 1
            return None
        if question.engine != self.engine_id:
            return self._report(question, "unknownEngineIDs")
        user = self.engine.users().get(question.user)
        if user is None:
            return self._report(question, "unknownUserNames")
        if question.flags & (AUTH | PRIV) != AUTH | PRIV:
            return self._report(question, "unsupportedSecLevels")
        keys = self._keys_of(user)
        if not keys.authentic(datagram, question):
            return self._report(question, "wrongDigests")
        late = abs(question.time_s - int(self.engine.uptime_s)) > WINDOW_S
        if question.boots != self.engine.boots or late:
            return self._report(question, "notInTimeWindows", keys)
        if len(question.salt) != 8:
            return self._report(question, "decryptionErrors")
        text = keys.decrypt(question.body, question.boots, question.time_s, question.salt)
        try:
            context, pdu = ber.scoped(text)
        except ber.Malformed:
            return self._report(question, "decryptionErrors")
        room = min(question.largest, LARGEST_ANSWER) - _HEADERS
        answer = self._response(pdu, room)
        if answer is None:
            return None
        return self._wrapped(question.message_id, AUTH | PRIV, question.user, keys, context, answer)

    def _response(self, pdu: ber.Pdu, room: int) -> bytes | None:
        """The PDU that answers; None for one that is no question."""
        if pdu.kind == ber.GET:
            table = self.engine.table()
            rows = [ber.row(content, table.read(ber.arcs(content)) or ber.NO_INSTANCE) for content in pdu.names]
        elif pdu.kind == ber.NEXT:
            rows = [self._following(ber.arcs(content), content)[1] for content in pdu.names]
        elif pdu.kind == ber.BULK:
            return ber.pdu(ber.RESPONSE, pdu.request_id, self._bulk(pdu, room))
        elif pdu.kind == ber.SET:
            asked = [ber.row(content, ber.tlv(ber.NULL, b"")) for content in pdu.names]
            return ber.pdu(ber.RESPONSE, pdu.request_id, asked, _NOT_WRITABLE, 1)
        else:
            return None
        if sum(map(len, rows)) > room:
            return ber.pdu(ber.RESPONSE, pdu.request_id, (), _TOO_BIG)
        return ber.pdu(ber.RESPONSE, pdu.request_id, rows)

    def _following(self, name: ber.Name, content: bytes) -> tuple[ber.Name | None, bytes]:
        """What comes after a name: its name, and its variable binding."""
        found = self.engine.table().after(name)
        if found is None:
            return None, ber.row(content, ber.END_OF_VIEW)
        return found[0], ber.row(ber.name(found[0]), found[1])

    def _bulk(self, pdu: ber.Pdu, room: int) -> list[bytes]:
        """RFC 3416 section 4.2.3: as many rows as fit."""
        rows: list[bytes] = []
        once = max(0, pdu.first)
        for content in pdu.names[:once]:
            rows.append(self._following(ber.arcs(content), content)[1])
        at = [(ber.arcs(content), content) for content in pdu.names[once:]]
        used = sum(map(len, rows))
        for _ in range(min(max(0, pdu.second), _MOST_REPETITIONS) if at else 0):
            alive = False
            for place, (name, content) in enumerate(at):
                found, row = self._following(name, content)
                used += len(row)
                if used > room:
                    return rows
                rows.append(row)
                if found is not None:
                    at[place], alive = (found, ber.name(found)), True
            if not alive:
                break
        return rows

    def _report(self, question: ber.Question, stat: str, keys: Keys | None = None) -> bytes | None:
        """Why there is no answer (RFC 3414 section 3.2), signed where the sender's key was right."""
        self.stats[stat] += 1
        if not question.flags & REPORTABLE:
            return None
        name = (*_USM_STATS, _STATS.index(stat) + 1, 0)
        row = ber.row(ber.name(name), ber.number(self.stats[stat], ber.COUNTER))
        pdu = ber.pdu(ber.REPORT, 0, [row])
        return self._wrapped(question.message_id, AUTH if keys else 0, question.user, keys, b"", pdu)

    def _wrapped(
        self, message_id: int, flags: int, user: bytes, keys: Keys | None, context: bytes, pdu: bytes
    ) -> bytes:
        scope = ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, self.engine_id) + ber.tlv(ber.OCTETS, context) + pdu)
        boots, time_s = self.engine.boots, int(self.engine.uptime_s)
        return wrapped(message_id, flags, self.engine_id, boots, time_s, user, keys, scope)

    def _keys_of(self, user: User) -> Keys:
        if user not in self._keys:
            if len(self._keys) > 8:
                self._keys.clear()
            self._keys[user] = Keys(user, self.engine_id)
        return self._keys[user]

"""Fast responders: many 48-port switches in one process, SNMPv2c and v3; their CPU is nobody's figure.

``python -m bench.snmp_devices COUNT``: device n listens on 127.1.x.y (n = 256 x + y), port 16100; the line "ready"
says so.  A line on standard input with a number is the epoch: every counter of every port moves from one to the next,
and stands still within one, so that two pollers read the same values.  Answers are made once an epoch and question.
"""

from __future__ import annotations

import hashlib
import selectors
import socket
import sys
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache

from collectors.snmp import ber
from collectors.snmp.usm import Auth, Keys, Priv, User

PORT = 16100
PORTS = 48
USER = User("bench", "authentication-key", "privacy-key-1234", Auth.SHA256, Priv.AES128)
COMMUNITY = "public"
BOOTS, TIME_S = 7, 1_000_000

_IF, _IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
_SENSOR, _ENTITY = "1.3.6.1.2.1.99.1.1.1", "1.3.6.1.2.1.47.1.1.1.1"
_FASTEST = {6: 9_973_117, 10: 7_654_321}  # octets an epoch, by column of ifXTable
_NARROW = (10, 11, 16, 17)  # octets and packets of ifTable
_OPTICS = 4
_IF_NAMES = {
    3: "ifType", 4: "ifMtu", 5: "ifSpeed", 7: "ifAdminStatus", 8: "ifOperStatus", 9: "ifLastChange", 10: "ifInOctets",
    11: "ifInUcastPkts", 13: "ifInDiscards", 14: "ifInErrors", 15: "ifInUnknownProtos", 16: "ifOutOctets",
    17: "ifOutUcastPkts", 19: "ifOutDiscards", 20: "ifOutErrors",
}  # fmt: skip
_IFX_NAMES = {
    2: "ifInMulticastPkts", 3: "ifInBroadcastPkts", 4: "ifOutMulticastPkts", 5: "ifOutBroadcastPkts", 6: "ifHCInOctets",
    7: "ifHCInUcastPkts", 8: "ifHCInMulticastPkts", 9: "ifHCInBroadcastPkts", 10: "ifHCOutOctets",
    11: "ifHCOutUcastPkts", 12: "ifHCOutMulticastPkts", 13: "ifHCOutBroadcastPkts", 14: "ifLinkUpDownTrapEnable",
    15: "ifHighSpeed", 16: "ifPromiscuousMode", 17: "ifConnectorPresent", 19: "ifCounterDiscontinuityTime",
}  # fmt: skip
WHOLE = {
    **{f"{_IF}.{column}": name for column, name in _IF_NAMES.items()},
    **{f"{_IFX}.{column}": name for column, name in _IFX_NAMES.items()},
}
"""Every numeric column of ifTable and ifXTable (RFC 2863) that is not deprecated, by OID: 1,536 values of 48 ports."""
NAMES = {**WHOLE, "1.3.6.1.2.1.25.3.3.1.2": "hrProcessorLoad", "1.3.6.1.2.1.99.1.1.1.4": "entPhySensorValue"}


def address(number: int) -> str:
    """Of device ``number``."""
    return f"127.1.{number >> 8}.{number & 255}"


def value(oid: str, device: int, epoch: int) -> tuple[int, int | bytes | str] | None:
    """(tag, value) of an instance in this epoch; None where there is none."""
    return _constants().get(oid) or _moving(oid, device, epoch)


@cache
def _constants() -> dict[str, tuple[int, int | bytes | str]]:
    found: dict[str, tuple[int, int | bytes | str]] = {
        "1.3.6.1.2.1.1.1.0": (ber.OCTETS, b"48-port switch of the bench"),
        "1.3.6.1.2.1.1.2.0": (ber.OID, "1.3.6.1.4.1.99999.1"),
        "1.3.6.1.2.1.1.5.0": (ber.OCTETS, b"switch"),
        "1.3.6.1.2.1.31.1.5.0": (ber.TICKS, 4711),
    }
    for port in range(1, PORTS + 1):
        name = f"GigabitEthernet0/0/{port}".encode()
        found |= {
            f"{_IF}.1.{port}": (ber.INTEGER, port),
            f"{_IF}.2.{port}": (ber.OCTETS, name),
            f"{_IF}.3.{port}": (ber.INTEGER, 6),
            f"{_IF}.4.{port}": (ber.INTEGER, 9216),
            f"{_IF}.9.{port}": (ber.TICKS, 1000 * port),
            f"{_IFX}.14.{port}": (ber.INTEGER, 1),
            f"{_IFX}.16.{port}": (ber.INTEGER, 2),
            f"{_IFX}.17.{port}": (ber.INTEGER, 1),
            f"{_IFX}.19.{port}": (ber.TICKS, 0),
            f"{_IF}.5.{port}": (ber.GAUGE32, 1_000_000_000),
            f"{_IF}.7.{port}": (ber.INTEGER, 1),
            f"{_IF}.8.{port}": (ber.INTEGER, 1 if port % 3 else 2),
            f"{_IFX}.1.{port}": (ber.OCTETS, name),
            f"{_IFX}.15.{port}": (ber.GAUGE32, 1000),
            f"{_IFX}.18.{port}": (ber.OCTETS, f"room {port}".encode()),
        }
    for number in range(_OPTICS):
        for offset, what in enumerate(("Rx", "Tx")):
            entity, port = 100 + 2 * number + offset, PORTS - number
            found |= {
                f"{_ENTITY}.2.{entity}": (ber.OCTETS, f"{what} power".encode()),
                f"{_ENTITY}.5.{entity}": (ber.INTEGER, 8),
                f"{_ENTITY}.7.{entity}": (ber.OCTETS, f"GigabitEthernet0/0/{port} {what} Power Sensor".encode()),
                f"{_SENSOR}.1.{entity}": (ber.INTEGER, 14),
                f"{_SENSOR}.2.{entity}": (ber.INTEGER, 9),
                f"{_SENSOR}.3.{entity}": (ber.INTEGER, 2),
                f"{_SENSOR}.5.{entity}": (ber.INTEGER, 1),
            }
    return found


def _moving(oid: str, device: int, epoch: int) -> tuple[int, int] | None:
    table, _, rest = oid.rpartition(".")
    table, _, column_text = table.rpartition(".")
    if oid == "1.3.6.1.2.1.1.3.0":
        return ber.TICKS, 1_000_000 + 3000 * epoch
    if not rest.isdigit() or not column_text.isdigit():
        return None
    index, column = int(rest), int(column_text)
    seed = device * 1009 + index * 31 + column
    if table == _IFX and column in (6, 7, 8, 9, 10, 11, 12, 13) and 1 <= index <= PORTS:
        return ber.COUNTER64, (seed << 22) + epoch * (_FASTEST.get(column, 12_345) + seed)
    if 1 <= index <= PORTS and column in {_IF: _NARROW, _IFX: (2, 3, 4, 5)}.get(table, ()):
        return ber.COUNTER32, ((seed << 16) + epoch * (7_654_321 + seed)) & 0xFFFFFFFF
    if table == _IF and column in (13, 14, 15, 19, 20) and 1 <= index <= PORTS:  # a port in eight has errors
        return ber.COUNTER32, seed % 1000 + (epoch * (seed % 7) if index % 8 == 0 else 0)
    if table == "1.3.6.1.2.1.25.3.3.1" and column == 2 and index in (1, 2):
        return ber.INTEGER, (seed + 13 * epoch) % 100
    if table == _SENSOR and column == 4 and 100 <= index < 100 + 2 * _OPTICS:
        return ber.INTEGER, -200 - (seed + 3 * epoch) % 700
    return None


@cache
def instances() -> list[tuple[tuple[int, ...], str]]:
    """Every instance in the order of a walk."""
    found = [*_constants(), "1.3.6.1.2.1.1.3.0", *(f"1.3.6.1.2.1.25.3.3.1.2.{index}" for index in (1, 2))]
    for port in range(1, PORTS + 1):
        found += [f"{_IFX}.{column}.{port}" for column in range(2, 14)]
        found += [f"{_IF}.{column}.{port}" for column in (*_NARROW, 13, 14, 15, 19, 20)]
    found += [f"{_SENSOR}.4.{100 + number}" for number in range(2 * _OPTICS)]
    return sorted((tuple(map(int, oid.split("."))), oid) for oid in found)


def _tlv(found: tuple[int, int | bytes | str] | None) -> bytes:
    if found is None:
        return bytes((ber.Absent.INSTANCE.value, 0))
    tag, plain = found
    if isinstance(plain, int):
        return bytes((tag,)) + ber.integer(plain)[1:]
    return ber.oid(plain) if isinstance(plain, str) else ber.tlv(tag, plain)


@dataclass(slots=True)
class Device:
    """One switch."""

    number: int
    answers: dict[bytes, bytes] = field(default_factory=dict)  # rows of this epoch by question without its id
    asked: dict[bytes, bytes] = field(default_factory=dict)  # PDU of each question of this epoch
    keys: Keys = field(init=False)
    engine_id: bytes = field(init=False)
    salt: int = 0

    def __post_init__(self) -> None:
        name = hashlib.sha256(bytes((self.number >> 8, self.number & 255))).digest()
        self.engine_id = b"\x80\x00\x1f\x88\x04" + name[:8]
        self.keys = Keys(USER, self.engine_id)

    def answer(self, data: bytes, epoch: int) -> bytes:
        """The datagram that answers this one.

        Raises:
            ber.BerError: it is no question.
        """
        if data.startswith(b"\x02\x01\x01", ber.header(data, 0, len(data))[1]):
            _, start, stop = ber.header(data, 0, len(data))
            _, _, at = ber.header(data, start + 3, stop)
            return ber.tlv(ber.SEQUENCE, data[start:at] + self._response(data, at, epoch))
        return self._secured(data, epoch)

    def _response(self, data: bytes, at: int, epoch: int) -> bytes:
        kind, start, stop = ber.header(data, at, len(data))
        _, _, rest = ber.header(data, start, stop)
        question = bytes((kind,)) + data[rest:stop]
        rows = self.answers.get(question)
        if rows is None:
            rows = self.answers[question] = self._rows(ber.read_pdu(data, at, len(data)), epoch)
        if question not in self.asked:
            self.asked[question] = data[at:]
        return ber.tlv(ber.RESPONSE, data[start:rest] + b"\x02\x01\x00\x02\x01\x00" + rows)

    def prepare(self, epoch: int) -> None:
        """Answer again what was asked in the epoch before, so that the device is quick."""
        asked, self.asked = self.asked, {}
        self.answers = {question: self._rows(ber.read_pdu(pdu, 0, len(pdu)), epoch) for question, pdu in asked.items()}

    def _rows(self, pdu: ber.Pdu, epoch: int) -> bytes:
        kind = pdu.kind
        names = [oid for oid, _ in pdu.rows]
        if kind != ber.GET:
            names = self._following(names, pdu.error_status, pdu.error_index if kind == ber.GET_BULK else 1)
        rows = (
            ber.tlv(ber.SEQUENCE, ber.oid(name) + (_tlv(value(name, self.number, epoch)) if good else b"\x82\x00"))
            for name, good in ((name.removesuffix("!"), not name.endswith("!")) for name in names)
        )
        return ber.tlv(ber.SEQUENCE, b"".join(rows))

    @staticmethod
    def _following(names: list[str], single: int, repetitions: int) -> list[str]:
        """GETBULK's names (RFC 3416 section 4.2.3); "!" marks the end of the view."""
        every = instances()
        found, columns = [], []
        for number, name in enumerate(names):
            at = bisect_right(every, (tuple(map(int, name.split("."))), "~"))
            columns.append([oid for _, oid in every[at : at + (1 if number < single else repetitions)]] or [f"{name}!"])
        for column in columns[:single]:
            found += column
        for row in range(max(map(len, columns[single:]), default=0)):
            found += [column[row] for column in columns[single:] if row < len(column)]
        size = 0
        for count, name in enumerate(found):
            size += len(name) // 2 + 20
            if size > 60_000:
                return found[:count]
        return found

    def _secured(self, data: bytes, epoch: int) -> bytes:
        message = ber.decode(data)
        security = message.security
        if security is None:
            raise ber.BerError("neither v2c nor v3")
        number = message.message_id.to_bytes(4)
        if security.engine_id != self.engine_id:  # who is there?
            counter = ber.tlv(ber.SEQUENCE, ber.oid("1.3.6.1.6.3.15.1.1.4.0") + b"\x41\x01\x01")
            report = ber.tlv(ber.REPORT, b"\x02\x04" + number + b"\x02\x01\x00\x02\x01\x00" + ber.tlv(0x30, counter))
            scoped = ber.tlv(0x30, ber.tlv(4, self.engine_id) + b"\x04\x00" + report)
            return self._message(number, 0, b"", b"", b"", scoped)
        if not self.keys.authentic(data, security.mac_at, security.mac):
            raise ber.BerError("the MAC is wrong")
        text = self.keys.decrypt(message.encrypted, security.boots, security.time_s, security.salt)
        _, start, stop = ber.header(text, 0, len(text))
        for _ in range(2):
            _, _, start = ber.header(text, start, stop)
        response = self._response(text[:stop], start, epoch)
        scoped = ber.tlv(0x30, ber.tlv(4, self.engine_id) + b"\x04\x00" + response)
        self.salt += 1
        salt = self.salt.to_bytes(8)
        encrypted = ber.tlv(4, self.keys.encrypt(scoped, BOOTS, TIME_S, salt))
        whole = self._message(number, 3, security.user, bytes(self.keys.mac_octets), salt, encrypted)
        end = len(whole) - len(encrypted) - 10
        return whole[: end - self.keys.mac_octets] + self.keys.mac(whole) + whole[end:]

    def _message(self, number: bytes, flags: int, user: bytes, mac: bytes, salt: bytes, data: bytes) -> bytes:
        security = ber.tlv(4, self.engine_id) + ber.integer(BOOTS) + ber.integer(TIME_S)
        security = ber.tlv(0x30, security + ber.tlv(4, user) + ber.tlv(4, mac) + ber.tlv(4, salt))
        about = ber.tlv(0x30, b"\x02\x04" + number + ber.integer(65507) + bytes((4, 1, flags)) + b"\x02\x01\x03")
        return ber.tlv(0x30, b"\x02\x01\x03" + about + ber.tlv(4, security) + data)


def serve(count: int) -> None:
    """Until standard input ends."""
    selector = selectors.DefaultSelector()
    for number in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind((address(number), PORT))
        selector.register(sock, selectors.EVENT_READ, Device(number))
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    devices = [key.data for key in selector.get_map().values() if key.data is not None]
    epoch = 0
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                line = sys.stdin.readline()
                if not line:
                    return
                epoch = int(line)
                for device in devices:
                    device.prepare(epoch)
                print(epoch, flush=True)
                continue
            try:
                while True:
                    data, source = key.fileobj.recvfrom(65535)  # type: ignore[union-attr]
                    key.fileobj.sendto(key.data.answer(data, epoch), source)  # type: ignore[union-attr]
            except BlockingIOError:
                continue
            except ber.BerError as problem:
                print(f"device {key.data.number}: {problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))

"""Syslog over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425): RFC 5424, and RFC 3164 as devices really send it.

Warnings and worse become events.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address

from collectors import vendor_log
from collectors.county import County
from collectors.damper import Damper

WARNING = 4  # severities up to this one are events (RFC 5424 section 6.2.1)
_MAX_TEXT = 1000
_LONGEST = 64 * 1024  # octets of one message on a stream
_IDLE_S = 3600.0
_CONNECTIONS = 512
_HEAD = re.compile(r"<(\d{1,3})>(.*)", re.DOTALL)
_RFC5424 = re.compile(r"1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: (.*))?", re.DOTALL)
_RFC3164 = re.compile(
    r"(?:\w{3} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\dT\S+ )?(?:(\S+) )?([\w./-]+)(?:\[\d+\])?: (.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where syslog is listened for."""

    udp: int = 514
    tcp: int = 514
    tls: int = 6514


class BadMessage(ValueError):
    """Not syslog."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``host`` as it calls itself, "" when it does not."""

    facility: int
    severity: int  # 0 emergency ... 7 debug
    host: str
    program: str
    text: str
    port: str = ""  # that the text speaks of, as the device calls it


def parse(data: bytes) -> Message:
    """One datagram.

    Raises:
        BadMessage: no priority, or one above 191.
    """
    head = _HEAD.fullmatch(data.decode("utf-8", "replace").strip("\x00\r\n "))
    if head is None or int(head[1]) > 191:
        raise BadMessage("no priority <0> to <191> at the start")
    facility, severity = divmod(int(head[1]), 8)
    rest = head[2]
    if found := _RFC5424.fullmatch(rest):
        _time, host, program, _process, _kind, _data, text = found.groups()
        return Message(facility, severity, _dash(host), _dash(program), (text or "").lstrip("\ufeff")[:_MAX_TEXT])
    if (told := vendor_log.read(rest)) is not None:
        host, program, text = told
        return Message(facility, severity, host, program, text[:_MAX_TEXT], vendor_log.port_of(text))
    if found := _RFC3164.fullmatch(rest):
        return Message(facility, severity, found[1] or "", found[2], found[3][:_MAX_TEXT])
    return Message(facility, severity, "", "", rest[:_MAX_TEXT])


def _dash(value: str) -> str:
    return "" if value == "-" else value


class Intake:
    """What every transport hands its messages to; the host is told by the sender's address, not by what it claims."""

    def __init__(self, county: County, damper: Damper) -> None:
        self._damper = damper
        self.hosts = {str(host.management): host.name for host in county.model.appliances()}
        self.received = 0
        self.refused = 0

    def knows(self, address: str) -> bool:
        """True for an appliance of the county."""
        return address in self.hosts

    def take(self, data: bytes, address: str) -> None:
        """One message."""
        host = self.hosts.get(address)
        try:
            message = parse(data)
        except BadMessage:
            self.refused += 1
            return
        if host is None:
            self.refused += 1
            return
        self.received += 1
        if message.severity <= WARNING:
            self._damper.tell(
                "syslog",
                host,
                message.text,
                severity=message.severity,
                facility=message.facility,
                program=message.program,
                **({"port": message.port} if message.port else {}),
            )


class _Datagrams(asyncio.DatagramProtocol):
    """RFC 5426: one message a datagram."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        """One message."""
        self._intake.take(data, str(addr[0]))


class Syslog:
    """The three listeners of one county.

    Args:
        intake: Where messages go.
        address: The management host's own.
        tls: Context for RFC 5425; None without TLS.
        ports: UDP, TCP and TLS.
    """

    def __init__(
        self, intake: Intake, address: IPv4Address, tls: ssl.SSLContext | None, ports: Ports | None = None
    ) -> None:
        self._intake, self._address, self._tls, self._ports = intake, str(address), tls, ports or Ports()
        self._open: set[asyncio.Task[None]] = set()
        self._datagrams: asyncio.BaseTransport | None = None
        self._servers: list[asyncio.Server] = []

    async def start(self) -> Ports:
        """Listen; returns the ports, which the machine chose where 0 was asked for."""
        loop = asyncio.get_running_loop()
        self._datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._intake), local_addr=(self._address, self._ports.udp)
        )
        wanted: list[tuple[int, ssl.SSLContext | None]] = [(self._ports.tcp, None)]
        if self._tls is not None:
            wanted.append((self._ports.tls, self._tls))
        for port, context in wanted:
            self._servers.append(
                await asyncio.start_server(self._connection, self._address, port, limit=_LONGEST, ssl=context)
            )
        chosen = [server.sockets[0].getsockname()[1] for server in self._servers]
        return Ports(self._datagrams.get_extra_info("sockname")[1], chosen[0], chosen[1] if self._tls else 0)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("peername")[0])
        task = asyncio.current_task()
        if task is None or not self._intake.knows(address) or len(self._open) >= _CONNECTIONS:
            self._intake.refused += 1
            writer.close()
            return
        self._open.add(task)
        try:
            while True:
                async with asyncio.timeout(_IDLE_S):
                    message = await read_frame(reader)
                self._intake.take(message, address)
        except BadFrame:
            self._intake.refused += 1
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # gone, silent for long, or a line without end
        finally:
            self._open.discard(task)
            writer.close()

    def close(self) -> None:
        """Stop listening and end the connections."""
        if self._datagrams is not None:
            self._datagrams.close()
        for server in self._servers:
            server.close()
        for task in self._open:
            task.cancel()


class BadFrame(ValueError):
    """A stream that is neither octet-counted nor made of lines."""


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next message of a TCP stream (RFC 6587): octet-counted when it starts with a digit, else up to a line feed.

    Raises:
        BadFrame: A count that is no number or is over the limit.
        asyncio.IncompleteReadError: The stream ended.
        asyncio.LimitOverrunError: A line over the limit.
    """
    first = await reader.readexactly(1)
    while first in b"\n\r\x00 ":
        first = await reader.readexactly(1)
    if not first.isdigit():
        try:
            return first + (await reader.readuntil(b"\n"))[:-1]
        except asyncio.IncompleteReadError as end:
            if end.partial:
                return first + end.partial  # the last line needs no end
            raise
    digits = first
    while (byte := await reader.readexactly(1)) != b" ":
        digits += byte
        if not byte.isdigit() or len(digits) > 6:
            raise BadFrame(f"octet count {digits!r}")
    count = int(digits)
    if not 1 <= count <= _LONGEST:
        raise BadFrame(f"octet count {count}")
    return await reader.readexactly(count)

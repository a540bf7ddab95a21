"""Syslog over UDP 514: RFC 5424, and RFC 3164 as devices really send it.  Warnings and worse become events."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from collectors.county import County

PORT = 514
WARNING = 4  # severities up to this one are events (RFC 5424 section 6.2.1)
_MAX_TEXT = 1000
_RATE_PER_S = 50  # events of one host; what is more is counted
_HEAD = re.compile(r"<(\d{1,3})>(.*)", re.DOTALL)
_RFC5424 = re.compile(r"1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: (.*))?", re.DOTALL)
_RFC3164 = re.compile(
    r"(?:\w{3} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\dT\S+ )?(?:(\S+) )?([\w./-]+)(?:\[\d+\])?: (.*)", re.DOTALL
)


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
    if found := _RFC3164.fullmatch(rest):
        return Message(facility, severity, found[1] or "", found[2], found[3][:_MAX_TEXT])
    return Message(facility, severity, "", "", rest[:_MAX_TEXT])


def _dash(value: str) -> str:
    return "" if value == "-" else value


class Syslog(asyncio.DatagramProtocol):
    """Receives for one county; the host is told by the sender's address, not by what it claims."""

    def __init__(self, county: County) -> None:
        self._county = county
        self._hosts = {str(host.management): host.name for host in county.model.appliances()}
        self._second = 0
        self._this_second: dict[str, int] = {}
        self.received = 0
        self.refused = 0
        self.dropped = 0

    @classmethod
    async def start(
        cls, county: County, address: IPv4Address, port: int = PORT
    ) -> tuple[asyncio.BaseTransport, Syslog]:
        """Listen; the caller closes the transport."""
        loop = asyncio.get_running_loop()
        return await loop.create_datagram_endpoint(lambda: cls(county), local_addr=(str(address), port))

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        """One message."""
        host = self._hosts.get(str(addr[0]))
        try:
            message = parse(data)
        except BadMessage:
            self.refused += 1
            return
        if host is None:
            self.refused += 1
            return
        self.received += 1
        if message.severity > WARNING:
            return
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._this_second = second, {}
        count = self._this_second[host] = self._this_second.get(host, 0) + 1
        if count > _RATE_PER_S:
            self.dropped += 1
            return
        self._county.events.emit(
            "syslog", host, message.text, severity=message.severity, facility=message.facility, program=message.program
        )

"""Syslog as RFC 5424 and as devices send it, over a real socket, and any bytes at all."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.syslog import BadMessage, Message, Syslog, parse

from .county import all_well


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed",
            Message(4, 2, "mymachine.example.com", "su", "'su root' failed"),
        ),
        (
            b'<165>1 2003-10-11T22:14:15.003Z host app - ID47 [a@1 iut="3" x="a\\]b"][b@2 y="z"] BOM',
            Message(20, 5, "host", "app", "BOM"),
        ),
        (b"<13>1 - - - - - -", Message(1, 5, "", "", "")),
        (b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", Message(4, 2, "mymachine", "su", "'su root' failed")),
        (b"<28>Nov 22 01:00:00 ospfd[312]: neighbour lost\n", Message(3, 4, "", "ospfd", "neighbour lost")),
        (b"<187>something a switch said", Message(23, 3, "", "", "something a switch said")),
    ],
)
def test_messages(data: bytes, message: Message) -> None:
    assert parse(data) == message


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: b"<28>1 " + text.encode("utf-8", "replace")))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        message = parse(data)
    except BadMessage:
        return
    assert 0 <= message.severity <= 7
    assert 0 <= message.facility <= 23


async def test_warnings_become_events_of_the_host_that_sent_them() -> None:
    county = all_well()
    transport, receiver = await Syslog.start(county, IPv4Address("127.0.0.1"), 0)
    receiver._hosts = {"127.0.0.1": "c1-core"}
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(transport.get_extra_info("sockname"))
            sender.send(b"<28>Nov 22 01:00:00 t01-rt ospfd: neighbour lost")  # claims to be another
            sender.send(b"<30>Nov 22 01:00:00 ospfd: chatter")
            sender.send(b"no syslog")
            for number in range(60):
                sender.send(f"<28>ospfd: storm {number}".encode())
        for _ in range(500):
            if receiver.received == 62:
                break
            await asyncio.sleep(0.01)
    finally:
        transport.close()
    assert receiver.received == 62
    events = [event for event in county.events.recent if event.kind == "syslog"]
    assert (events[0].subject, events[0].state) == ("c1-core", "neighbour lost")
    assert not any("chatter" in event.state for event in events)
    assert receiver.refused == 1
    assert receiver.dropped > 0

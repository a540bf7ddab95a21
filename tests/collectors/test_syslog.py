"""Syslog as RFC 5424 and as devices send it, over a real socket, and any bytes at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.county import County
from collectors.damper import Damper
from collectors.syslog import BadFrame, BadMessage, Intake, Message, Ports, Syslog, parse, read_frame
from identity.ca import CountyCA
from identity.secrets import Secrets
from identity.tls import server_context

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


@pytest.fixture
async def heard() -> AsyncIterator[tuple[County, Intake, Ports, CountyCA]]:
    """A county that listens on loopback, where a switch's address is said to be 127.0.0.1."""
    county = all_well()
    damper = Damper(county.events, lambda: 7.0)
    intake = Intake(county, damper)
    intake.hosts = {"127.0.0.1": "c1-core"}
    with tempfile.TemporaryDirectory() as folder:
        secrets = Secrets(Path(folder))
        tls = server_context(secrets, "collect", ips=["127.0.0.1"])
        syslog = Syslog(intake, IPv4Address("127.0.0.1"), tls, Ports(0, 0, 0))
        try:
            yield county, intake, await syslog.start(), secrets.ca
        finally:
            syslog.close()
            damper.flush(everything=True)


def words(county: County) -> list[str]:
    return [event.state for event in county.events.recent if event.kind == "syslog"]


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(500):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within five seconds")


Heard = tuple[County, Intake, Ports, CountyCA]


async def test_warnings_become_events_of_the_host_that_sent_them(heard: Heard) -> None:
    county, intake, ports, _ = heard
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", ports.udp))
        sender.send(b"<28>Nov 22 01:00:00 t01-rt ospfd: neighbour lost")  # claims to be another
        sender.send(b"<30>Nov 22 01:00:00 ospfd: chatter")
        sender.send(b"no syslog")
        await until(lambda: intake.received == 2 and intake.refused == 1)
    events = [event for event in county.events.recent if event.kind == "syslog"]
    assert [(event.subject, event.state) for event in events] == [("c1-core", "neighbour lost")]


async def test_a_stream_is_counted_or_made_of_lines(heard: Heard) -> None:
    county, intake, ports, _ = heard
    _, writer = await asyncio.open_connection("127.0.0.1", ports.tcp)
    second = "<28>1 - - app - - - two\nlines, 两行".encode()
    writer.write(b"<28>1 - - app - - - one line\n" + b"%d " % len(second) + second + b"<28>app: last without end")
    await writer.drain()
    writer.close()
    await until(lambda: intake.received == 3)
    assert words(county) == ["one line", "two\nlines, 两行", "last without end"]


@pytest.mark.parametrize("data", [b"0 <28>x: y", b"9999999 <28>", b"12x<28>", b"<28>" + b"x" * 70_000])
async def test_a_stream_that_is_no_syslog_ends_and_the_next_one_is_heard(heard: Heard, data: bytes) -> None:
    county, _, ports, _ = heard
    reader, writer = await asyncio.open_connection("127.0.0.1", ports.tcp)
    writer.write(data)
    assert await reader.read() == b""
    writer.close()
    _, writer = await asyncio.open_connection("127.0.0.1", ports.tcp)
    writer.write(b"<28>app: still there\n")
    await until(lambda: bool(words(county)))
    writer.close()
    assert words(county) == ["still there"]


async def test_tls_with_the_county_s_authority(heard: Heard) -> None:
    county, _, ports, authority = heard
    trust = ssl.create_default_context(cadata=authority.certificate_pem)
    _, writer = await asyncio.open_connection("127.0.0.1", ports.tls, ssl=trust)
    writer.write(b"26 <28>1 - - app - - - sealed")
    await until(lambda: bool(words(county)))
    writer.close()
    await writer.wait_closed()
    assert words(county) == ["sealed"]


async def test_a_stranger_s_stream_is_refused(heard: Heard) -> None:
    county, intake, ports, _ = heard
    intake.hosts = {"10.32.1.1": "c1-core"}
    reader, writer = await asyncio.open_connection("127.0.0.1", ports.tcp)
    assert await reader.read() == b""
    writer.close()
    assert (words(county), intake.refused) == ([], 1)


@given(st.binary(max_size=300))
def test_any_stream_ends(data: bytes) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader(limit=1000)
        reader.feed_data(data)
        reader.feed_eof()
        with contextlib.suppress(BadFrame, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            for _ in range(len(data) + 1):
                await read_frame(reader)
            raise AssertionError("frames without end")

    asyncio.run(read())

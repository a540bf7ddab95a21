"""The UDP port: runs of one receiver leave in one system call, marked; queues are bounded and count."""

from __future__ import annotations

import asyncio
import socket

from vconf.media.port import AF41, EF, MediaPort


def _receiver() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(2)
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    return receiver


def test_runs_leave_in_few_calls_and_arrive_whole_and_marked() -> None:
    sizes = [1100, 1100, 1099, 1100, 1100, 1100, 40, 1200, 7]
    receiver = _receiver()

    async def send() -> tuple[int, int]:
        port = MediaPort(("127.0.0.1", 0), lambda data, address: None)
        for number, size in enumerate(sizes):
            port.send(bytes((number,)) * size, receiver.getsockname(), AF41)
        port.send(b"voice", receiver.getsockname(), EF)
        await asyncio.sleep(0.05)
        counters = port.counters
        port.close()
        return counters.sends, counters.packets_out

    calls, packets = asyncio.run(send())
    assert packets == len(sizes) + 1
    assert calls == 4  # (1100 1100 1099) (1100 1100 1100 40) (1200 7) and the voice
    got = [receiver.recvmsg(2048, 64) for _ in range(packets)]
    assert [len(data) for data, *_ in got] == [*sizes, 5]
    assert [data[0] for data, *_ in got[:-1]] == list(range(len(sizes)))
    marks = [ancillary[0][2][0] for _, ancillary, *_ in got]
    assert marks == [AF41] * len(sizes) + [EF]
    receiver.close()


def test_a_full_queue_drops_and_counts() -> None:
    receiver = _receiver()

    async def send() -> tuple[int, int]:
        port = MediaPort(("127.0.0.1", 0), lambda data, address: None, queue_packets=10)
        kept = sum(port.send(b"x", receiver.getsockname(), EF) for _ in range(25))
        other = port.send(b"y", ("127.0.0.1", 9), EF)  # another receiver is not held up
        assert other
        await asyncio.sleep(0.05)
        dropped = port.counters.dropped_full
        port.close()
        return kept, dropped

    assert asyncio.run(send()) == (10, 15)
    receiver.close()


def test_what_the_kernel_refuses_is_counted_and_nothing_stops() -> None:
    receiver = _receiver()

    async def send() -> tuple[int, int]:
        port = MediaPort(("127.0.0.1", 0), lambda data, address: None)
        port.send(b"lost", ("255.255.255.255", 1), EF)  # broadcast without permission
        port.send(b"kept", receiver.getsockname(), EF)
        await asyncio.sleep(0.05)
        counters = port.counters
        port.close()
        return counters.dropped_error, counters.packets_out

    assert asyncio.run(send()) == (1, 1)
    assert receiver.recv(10) == b"kept"
    receiver.close()

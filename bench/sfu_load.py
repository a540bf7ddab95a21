"""The halls of ``bench.sfu``, in one process: join, then drive the SFU at several loads and read its CPU time.

Runs in the clients' namespace, pinned to the clients' core; prints one JSON document.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.sfu_janus import Janus
from bench.sfu_ours import Ours
from vconf.load.receiver import Receiver
from vconf.load.sender import Sender

LOW_SHARE = 0.25  # the low layer's packets for one of the high layer's
NACK_SHARE = 0.01
_FRAME_HEAD = 14 + 20 + 8  # Ethernet, IPv4, UDP: what the interface counts beside the datagram
_SLICE_S = 0.02
_SWITCH_S = 0.25
_BUSY = 0.97
_STEP = 1.1  # a camera that suddenly sends much more is taken for a path that cannot carry it
_JOINING = 8  # halls that join at the same time


def tasks(pid: int) -> dict[str, tuple[float, float]]:
    """Of each thread: seconds on a core (what the kernel did in its name included), and seconds it waited for one."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            ran, waited, _ = (task / "schedstat").read_text().split()
        except FileNotFoundError:  # the thread ended
            continue
        found[task.name] = int(ran) / 1e9, int(waited) / 1e9
    return found


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    return sum(ran for ran, _ in tasks(pid).values())


def resident_kb(pid: int) -> int:
    """Memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


class Load:
    """Senders, receivers and the features they use, against one SFU."""

    def __init__(self, side: Janus | Ours, pid: int, interface: str) -> None:
        self.senders: list[Sender] = []
        self.receivers: list[Receiver] = []
        self.switches = 0
        self._side = side
        self._pid = pid
        self._statistics = Path("/sys/class/net") / interface / "statistics"
        self._chance = random.Random(5)
        self._low: list[Receiver] = []
        self._switch_s = 0.0
        self._at = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, rooms: int, receivers: int) -> float:
        """Everybody is in; seconds of the SFU's CPU time for a hall."""
        before = cpu_s(self._pid)
        self.senders = [await self._side.publish(1000 + room, LOW_SHARE) for room in range(rooms)]
        waiting = [self._side.subscribe(1000 + number % rooms, NACK_SHARE) for number in range(rooms * receivers)]
        for start in range(0, len(waiting), _JOINING):
            self.receivers += await asyncio.gather(*waiting[start : start + _JOINING])
        for receiver in self.receivers:
            receiver.take_over()
        for sender in self.senders:
            sender.peer.detach()
        return (cpu_s(self._pid) - before) / len(self.receivers)

    async def drive(self, seconds: float, *, switching: bool = True) -> None:
        """Send, read, answer and switch for so long."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            if switching and now - self._switch_s >= _SWITCH_S:
                self._switch_s = now
                self._switch_some()
            self._turn(min(end, now + _SLICE_S))
            await asyncio.sleep(0)  # signalling has its turn

    def _turn(self, until_s: float) -> None:
        receivers, count = self.receivers, len(self.receivers)
        while (now := time.monotonic()) < until_s:
            for sender in self.senders:
                sender.due(now)
            for _ in range(12):
                receivers[self._at].sweep(now)
                self._at = (self._at + 1) % count
            sender = self.senders[self._at % len(self.senders)]
            sender.peer._readable()

    def _switch_some(self) -> None:
        """Some go down to the low layer, those that are there come back."""
        for receiver in self._low:
            self._spawn(self._side.switch(receiver, 1))
        self._low = self._chance.sample(self.receivers, max(1, len(self.receivers) // 100))
        for receiver in self._low:
            self._spawn(self._side.switch(receiver, 0))
        self.switches += 2 * len(self._low)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Every switch asked for is answered."""
        if self._tasks:
            await asyncio.gather(*self._tasks)

    def rate(self, outgoing: float, now_s: float) -> None:
        """Let the senders send so that the SFU has this many packets a second to send."""
        each = outgoing / len(self.receivers)
        for sender in self.senders:
            sender.start(each, now_s)

    async def measure(self, outgoing: float, seconds: float) -> dict[str, float]:
        """Drive at a load that is reached already; what it took."""
        for receiver in self.receivers:
            receiver.delays_ms.clear()
        before, wire, read, began = tasks(self._pid), self._wire(), self._read(), time.monotonic()
        await self.drive(seconds)
        took = time.monotonic() - began
        after = {name: found for name, found in tasks(self._pid).items() if name in before}
        used = sum(ran - before[name][0] for name, (ran, _) in after.items())
        busy = max(sum(found) - sum(before[name]) for name, found in after.items()) / took
        frames, octets = (now - then for now, then in zip(self._wire(), wire, strict=True))
        some, size = (now - then for now, then in zip(self._read(), read, strict=True))
        packets = (octets - _FRAME_HEAD * frames) * some / max(1, size)
        delays = sorted(delay for receiver in self.receivers for delay in receiver.delays_ms)
        return {
            "offered_s": round(outgoing),
            "packets_s": round(packets / took),
            "runs_s": round(frames / took),
            "cpu_share": round(used / took, 3),
            "busy": round(busy, 3),
            "us_per_packet": round(1e6 * used / packets, 3) if packets else 0.0,
            "packets_per_core_s": round(packets / used) if used else 0,
            "delay_ms": round(median(delays), 2) if delays else 0.0,
            "delay_p95_ms": round(quantiles(delays, n=20)[-1], 2) if len(delays) > 20 else 0.0,
        }

    async def saturate(self, start: float, seconds: float) -> dict[str, float]:
        """Raise the load until the SFU's core is full or no more comes through; what was measured at the most."""
        offered = start
        best: dict[str, float] = {"packets_s": 0.0}
        for _ in range(48):
            self.rate(offered, time.monotonic())
            await self.drive(0.5)
            found = await self.measure(offered, seconds / 2)
            print(f"    offered {offered:.0f}/s: {found}", file=sys.stderr, flush=True)
            if found["packets_s"] > best["packets_s"]:
                best = found
            if found["busy"] >= _BUSY or found["packets_s"] < 0.85 * offered:
                break
            offered *= _STEP
        return best

    def _read(self) -> tuple[int, int]:
        """(datagrams, octets) of media that the receivers read so far."""
        counters = [receiver.counters for receiver in self.receivers]
        return sum(each.packets for each in counters), sum(each.octets for each in counters)

    def _wire(self) -> tuple[int, int]:
        """(frames, octets) that came from the SFU; a frame is a run where it sends runs."""
        return tuple(int((self._statistics / name).read_text()) for name in ("rx_packets", "rx_bytes"))  # type: ignore[return-value]

    def features(self) -> dict[str, int]:
        """What both sides asked for and did."""
        sums: dict[str, int] = {"switches": self.switches}
        for receiver in self.receivers:
            for name, value in asdict(receiver.counters).items():
                sums[f"receivers_{name}"] = sums.get(f"receivers_{name}", 0) + value
        for sender in self.senders:
            for name, value in asdict(sender.counters).items():
                sums[f"senders_{name}"] = sums.get(f"senders_{name}", 0) + value
        return sums


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Join, measure, leave."""
    side: Janus | Ours
    if options.side == "janus":
        side = Janus(options.address, options.bind, options.sizes)
    else:
        side = Ours(options.control, options.bind, options.sizes)
    for attempt in range(100):
        try:
            await side.open()
            break
        except OSError:
            if attempt == 99:
                raise
            await asyncio.sleep(0.1)
    before_kb = resident_kb(options.pid)
    load = Load(side, options.pid, options.interface)
    join_s = await load.join(options.rooms, options.receivers)
    result: dict[str, Any] = {"join_cpu_ms": round(1000 * join_s, 2)}
    result["kb_per_hall"] = round((resident_kb(options.pid) - before_kb) / len(load.receivers), 1)
    load.rate(4000, time.monotonic())
    await load.drive(1.5, switching=False)  # keyframes have passed, everybody gets something
    result["joined"] = sum(receiver.counters.packets > 0 for receiver in load.receivers)
    result["full"] = await load.saturate(options.start, options.seconds)
    full = result["full"]["packets_s"]
    for name, share in (("half", 0.5), ("tenth", 0.1)) if options.shares else ():
        load.rate(share * full, time.monotonic())
        await load.drive(0.5)
        result[name] = await load.measure(share * full, options.seconds)
    load.rate(0, time.monotonic())
    await load.settle()
    result["features"] = load.features()
    if isinstance(side, Ours):
        result["status"] = await side.status()
    await side.close()
    return result


def main() -> None:
    """One JSON document."""
    parser = argparse.ArgumentParser(description="the halls of bench.sfu")
    parser.add_argument("--side", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--bind", required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--rooms", type=int, required=True)
    parser.add_argument("--receivers", type=int, required=True)
    parser.add_argument("--start", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--sizes", default="frames")
    parser.add_argument("--shares", action="store_true")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()

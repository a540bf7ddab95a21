"""Path probes: 200 targets, 10 packets a second each, by our STAMP sender and by fping, in the same namespaces.

make bench-probe                      a table of both, JSON as the last line; exit code 1 when fping is better
python -m bench.probe --targets 20    smaller

Both measure the same veth pair in turn.  What is compared is the spread of the round trips, 99th percentile less
median: on one machine the path's own is nothing, so all of it is what the prober adds.  Ours are between the kernel's
own stamps and without the reflector's time (RFC 8762); fping asks the far kernel itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from statistics import median, quantiles

from bench.table import Row, printed
from collectors.probe import stamp
from collectors.probe.reflector import Reflector
from collectors.probe.sender import WINDOW_S, Sender

FIRST = IPv4Address("10.255.1.1")
_SOURCE = "10.255.0.1"
TARGETS = 200
_PER_SECOND = 10
_GROUPS = 10  # of senders, that tick one after the other: fping spreads its packets too
_ROUNDS = 2
_LEAD_S = 2.0  # until neighbours are known and caches warm


@dataclass(frozen=True)
class Side:
    """What one prober measured."""

    probes: int
    lost: int
    median_us: float
    p99_us: float
    core_share: float  # CPU seconds per second, the prober's own process

    @property
    def spread_us(self) -> float:
        """99th percentile less median."""
        return self.p99_us - self.median_us


def _addresses(targets: int) -> list[str]:
    return [str(FIRST + number) for number in range(targets)]


@contextmanager
def _namespaces(targets: int) -> Iterator[tuple[str, str]]:
    near, far = (f"bench{os.getpid()}{side}" for side in "ab")
    lines = [
        f"netns add {near}",
        f"netns add {far}",
        f"link add p0 netns {near} type veth peer name p0 netns {far}",
        f"-n {near} addr add {_SOURCE}/16 dev p0",
        f"-n {near} link set p0 up",
        f"-n {far} link set p0 up",
        *(f"-n {far} addr add {address}/16 dev p0" for address in _addresses(targets)),
    ]
    try:
        for line in lines:
            subprocess.run(["ip", *line.split()], check=True)
        yield near, far
    finally:
        for name in (near, far):
            subprocess.run(["ip", "netns", "del", name], check=False)


def _socket(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind((address, port))
    return made


async def _reflect(targets: int) -> None:
    """The far side, until its standard input ends; then its CPU time."""
    reflectors = [Reflector(_socket(address, stamp.PORT)) for address in _addresses(targets)]
    print("ready", flush=True)
    begin = time.process_time(), time.monotonic()
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps((time.process_time() - begin[0]) / (time.monotonic() - begin[1])))
    for each in reflectors:
        each.close()


async def _send(targets: int) -> None:
    """The near side: one timer for all senders, as the agent has it."""
    senders = [Sender(_socket(_SOURCE, 0), address) for address in _addresses(targets)]
    loop = asyncio.get_running_loop()
    end = loop.time() + _LEAD_S + WINDOW_S
    due, begin = loop.time(), (time.process_time(), time.monotonic())
    turn = 0
    while due < end:
        for each in senders[turn::_GROUPS]:
            each.tick()
        turn = (turn + 1) % _GROUPS
        due += 1 / _PER_SECOND / _GROUPS
        await asyncio.sleep(max(0.0, due - loop.time()))
    share = (time.process_time() - begin[0]) / (time.monotonic() - begin[1])
    await asyncio.sleep(0.5)
    trips, probes = [], 0
    for each in senders:
        each.read()
        figures = each.figures()
        probes += figures.sent
        trips += each.round_trips_ns()
    print(json.dumps(asdict(_side([trip / 1e3 for trip in trips], probes, share))))


def _side(trips_us: list[float], probes: int, share: float) -> Side:
    p99 = quantiles(trips_us, n=100)[98]
    return Side(probes, probes - len(trips_us), round(median(trips_us), 1), round(p99, 1), round(share, 4))


def ours(near: str, far: str, targets: int) -> tuple[Side, float]:
    """Our sender's figures, and the reflector's share of a core."""
    command = [sys.executable, "-m", "bench.probe", "--targets", str(targets)]
    with subprocess.Popen(
        ["ip", "netns", "exec", far, *command, "--side", "far"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reflector:
        assert reflector.stdout is not None
        reflector.stdout.readline()
        done = subprocess.run(
            ["ip", "netns", "exec", near, *command, "--side", "near"], stdout=subprocess.PIPE, text=True, check=True
        )
        share, _ = reflector.communicate(timeout=10)
    return Side(**json.loads(done.stdout)), json.loads(share)


def fping(near: str, targets: int) -> Side:
    """fping's figures of the same number of probes at the same pace."""
    count = int((_LEAD_S + WINDOW_S) * _PER_SECOND)
    period_ms = 1000 / _PER_SECOND
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    words = f"-q -C {count} -p {period_ms:g} -i {period_ms / targets / 2:g} -t 1000"
    done = subprocess.run(
        ["ip", "netns", "exec", near, "fping", *words.split(), *_addresses(targets)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    took, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    skip = int(_LEAD_S * _PER_SECOND)
    found = [word for line in done.stderr.splitlines() if " : " in line for word in line.split(" : ")[1].split()[skip:]]
    if not found:
        raise SystemExit(f"fping said nothing we understand: {done.stderr[:200]!r}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _side([float(word) * 1e3 for word in found if word != "-"], len(found), cpu / took)


def measure(targets: int) -> tuple[dict[str, Side], float]:
    """Both sides' best round of some taken in turn (a neighbour's burst hurts nobody), and the reflector's share."""
    best: dict[str, Side] = {}
    reflector = 1.0
    with _namespaces(targets) as (near, far):
        for _ in range(_ROUNDS):
            mine, share = ours(near, far, targets)
            reflector = min(reflector, share)
            for name, side in (("sanwang", mine), ("fping", fping(near, targets))):
                if name not in best or side.spread_us < best[name].spread_us:
                    best[name] = side
    return best, reflector


def _rows(best: dict[str, Side], reflector: float) -> list[Row]:
    found = []
    for name, side in best.items():
        found += [
            Row("round trip, median", name, side.median_us, "us"),
            Row("round trip, 99th percentile less median", name, side.spread_us, "us"),
            Row("share of a core, sender", name, side.core_share * 100, "%"),
            Row("lost", name, side.lost, "probes"),
        ]
    return [*found, Row("share of a core, reflector", "sanwang", reflector * 100, "%")]


def _able() -> bool:
    return shutil.which("fping") is not None and os.geteuid() == 0


def rows() -> list[Row]:
    """For ``make bench``; nothing without fping."""
    return _rows(*measure(TARGETS)) if _able() else []


def main(argv: list[str] | None = None) -> int:
    """0 when ours is as good or better, 1 when fping is better, 3 without fping or the right to make namespaces."""
    parser = argparse.ArgumentParser(prog="python -m bench.probe", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", type=int, default=TARGETS)
    parser.add_argument("--side", choices=["near", "far"], help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.side:
        asyncio.run((_send if options.side == "near" else _reflect)(options.targets))
        return 0
    if not _able():
        print("needs fping and root. Next: sudo make bench-probe", file=sys.stderr)
        return 3
    best, reflector = measure(options.targets)
    print(printed(f"{options.targets} targets, {_PER_SECOND} probes/s each", _rows(best, reflector)))
    ratio = best["fping"].spread_us / max(best["sanwang"].spread_us, 0.1)
    document = {
        "ratio": round(ratio, 2),
        "targets": options.targets,
        "probes_per_s": options.targets * _PER_SECOND,
        "core_share": best["sanwang"].core_share,
        "reflector_core_share": round(reflector, 4),
        **{name: {**asdict(side), "spread_us": round(side.spread_us, 1)} for name, side in best.items()},
    }
    print(json.dumps(document))
    return 0 if ratio >= 1 and best["sanwang"].lost <= best["fping"].lost else 1


if __name__ == "__main__":
    sys.exit(main())

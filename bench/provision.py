"""Provisioning: 100 lines, commit and save on VRP8 stand-ins, ours beside nornir with netmiko.

make bench-provision                     120 devices, 10 threads; JSON as the last line
python -m bench.provision --devices 20   smaller
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench import provision_plan as plan
from bench.provision_fleet import LINES, Fleet, fleet, wrong
from bench.provision_sides import PEER_OPTIONS, PeerMissing, ours, peer_by_hand, peer_library
from bench.table import Row, printed

Side = Callable[[Fleet, str, int], list[str]]

DELAYS: dict[str, Any] = json.loads((Path(__file__).parent / "provision_delays.json").read_text(encoding="utf-8"))
THREADS = 10
WARM_UP, SAMPLE = 2, 20
SCALES = (60, 120, 240, 480)
PLAN_WITHIN_S = 10.0


class Failed(RuntimeError):
    """A side did not do the work it was timed for."""


def timed(side: Side, devices: Fleet, tag: str, threads: int = THREADS) -> tuple[float, float]:
    """Seconds of wall clock and of our process's CPU; every device must have run and saved every line afterwards."""
    wall, cpu = time.perf_counter(), time.process_time()
    problems = side(devices, tag, threads)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    problems += wrong(devices, tag, threads)
    if problems:
        raise Failed(f"{tag}: {len(problems)} problems, the first: {problems[0]}")
    return wall, cpu


def side_by_side(devices: int, delays: str, repeats: int) -> dict[str, list[float]]:
    """Both sides in turns, each time in the other order, after a warm-up on devices of their own."""
    sides: dict[str, Side] = {"ours": ours, "peer": peer_by_hand}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    with fleet(WARM_UP, {}) as few:
        for name, side in sides.items():
            timed(side, few, f"warm-{name}")
    with fleet(devices, DELAYS[delays]) as all_of_them:
        for turn in range(repeats):
            order = list(sides) if turn % 2 == 0 else list(reversed(sides))
            for name in order:
                wall, _ = timed(sides[name], all_of_them, f"{name}-{delays}-{turn}")
                taken[name].append(wall)
                print(f"  {delays} delays, {devices} devices, turn {turn + 1}: {name} {wall:.2f} s", flush=True)
    return taken


def by_library(devices: int, delays: str) -> float:
    """What netmiko's own commit() costs, on fewer devices: seconds."""
    with fleet(devices, DELAYS[delays]) as few:
        return timed(peer_library, few, f"library-{delays}")[0]


def cpu_per_device(scales: tuple[int, ...]) -> dict[int, float]:
    """Our CPU milliseconds per device at each size of the fleet."""
    found = {}
    with fleet(WARM_UP, {}) as few:
        timed(ours, few, "warm")
    for count in scales:
        with fleet(count, {}) as devices:  # the smaller of two: what others do on the machine only adds
            cpu = min(timed(ours, devices, f"scale-{count}-{turn}")[1] for turn in range(2))
        found[count] = 1000 * cpu / count
        print(f"  {count} devices: {found[count]:.1f} ms of our CPU each", flush=True)
    return found


def measure(devices: int, repeats: int, scales: tuple[int, ...]) -> dict[str, Any]:
    """Everything, as the JSON document."""
    load = os.getloadavg()[0]
    print(f"load before the start: {load:.1f} on {os.cpu_count()} cores; ours waits for a core, the peer for a clock")
    print(f"stand-ins' delays (s), the same for both: {json.dumps(DELAYS['quick'])}; and none")
    print(f"peer: nornir, netmiko with {json.dumps(PEER_OPTIONS)}", flush=True)
    quick = side_by_side(devices, "quick", repeats)
    none = side_by_side(devices, "none", repeats)
    slow = side_by_side(min(devices, SAMPLE), "slow", 1)
    library = by_library(min(devices, THREADS), "quick")
    print(f"  netmiko's own commit(), {min(devices, THREADS)} devices, {THREADS} threads: {library:.2f} s", flush=True)
    planned = plan.measure(max(2, devices * 3 // 2))
    cpu = cpu_per_device(scales)
    middle = {name: median(taken) for name, taken in quick.items()}
    bare = {name: median(taken) for name, taken in none.items()}
    return {
        "devices": devices,
        "load_1m": round(load, 1),
        "lines": LINES,
        "threads": THREADS,
        "delays": DELAYS["quick"],
        "ratio": round(middle["peer"] / middle["ours"], 2),
        "ratio_zero_delay": round(bare["peer"] / bare["ours"], 2),
        "ours_s": round(middle["ours"], 2),
        "peer_s": round(middle["peer"], 2),
        "ours_zero_delay_s": round(bare["ours"], 2),
        "peer_zero_delay_s": round(bare["peer"], 2),
        "raw_s": {"quick": quick, "none": none, "slow": slow},
        "ratio_slow_device": round(slow["peer"][0] / slow["ours"][0], 2),
        "peer_library_s_per_ten": round(library, 2),
        **planned,
        "cpu_ms_per_device": {str(count): round(value, 2) for count, value in cpu.items()},
        "cpu_spread": round(max(cpu.values()) / min(cpu.values()) - 1, 3) if cpu else None,
    }


def rows() -> list[Row]:
    """A small slice, for the table of all measurements."""
    on = f"{SAMPLE} VRP8 stand-ins, {LINES} lines, {THREADS} threads"
    try:
        taken = side_by_side(SAMPLE, "quick", 1)
    except PeerMissing:
        with fleet(SAMPLE, DELAYS["quick"]) as devices:
            return [Row("configure, commit, save: ours", on, timed(ours, devices, "alone")[0], "s")]
    return [
        Row("configure, commit, save: ours", on, taken["ours"][0], "s"),
        Row("configure, commit, save: nornir with netmiko", on, taken["peer"][0], "s"),
    ]


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 1 when the ratio, the plan or the spread of CPU is not what is promised; 3 without the peer."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.provision",
        description="100 lines, commit and save on VRP8 stand-ins: ours beside nornir with netmiko.",
        epilog="example: python -m bench.provision --devices 20 --repeats 1 --scales 20,40",
    )
    parser.add_argument("--devices", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=2, help="turns of both sides, in alternate order")
    parser.add_argument("--scales", default=",".join(map(str, SCALES)), help="sizes of fleet for our CPU per device")
    options = parser.parse_args(argv)
    scales = tuple(int(text) for text in options.scales.split(",") if text)
    try:
        document = measure(options.devices, options.repeats, scales)
    except PeerMissing as missing:
        print(f"bench: {missing}", file=sys.stderr)
        return 3
    except (Failed, plan.NotPlanned) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    table = [Row(name, "s, median", document[name], "s") for name in ("ours_s", "peer_s")]
    table.append(Row("plan", f"{document['plan_devices']} devices of five vendors", document["plan_s"], "s"))
    table += [
        Row(name, "peer / ours", document[name], "x") for name in ("ratio", "ratio_zero_delay", "ratio_slow_device")
    ]
    print(printed("Provisioning", table))
    print(json.dumps(document))
    good = document["ratio"] >= 5 and (document["cpu_spread"] or 0) <= 0.2 and document["plan_s"] <= PLAN_WITHIN_S
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

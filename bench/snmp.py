"""SNMP: CPU of our poller for one device's whole cycle, HTTP exposition included, beside snmp_exporter.

make bench-snmp                                both pollers, the same devices and OIDs; JSON as the last line
python -m bench.snmp --exporter PATH --quick   fewer rounds, without the minute of 500 devices
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench import snmp_devices, snmp_theirs
from bench.snmp_ours import LEARNERS
from bench.snmp_pysnmp import cpu_ms as pysnmp_cpu_ms
from bench.table import Row, printed
from collectors.snmp.objects import SYS_UPTIME
from collectors.snmp.poller import Poller, Target
from collectors.snmp.readings import TABLE, Reading
from collectors.snmp.usm import Community

LAYER = "learned engine: BER, USM, HTTP exposition"
DEVICES, ROUNDS, WARM_UP, TRIAL_DEVICES, TRIAL_ROUNDS = 20, 20, 3, 10, 3
AT_ONCE, MANY, MINUTE_S = 200, 500, 60.0
BOUNDS = {"ratio": 5.0, "ratio_v3": 3.0}
P95_S = 3.0
PLAIN = (
    "Host: 127.0.0.1\r\nUser-Agent: Prometheus/2.42.0\r\n"
    "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n"
)
"""What Prometheus 2.42 says, without its offer to take the page compressed."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROGRAM = "prometheus-snmp-exporter"


class Failed(RuntimeError):
    """A side did not do the work it was timed for."""


def cpu_s(pid: int) -> float:
    """User and system time of a process and its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


class Devices:
    """The responders' process."""

    def __init__(self, count: int) -> None:
        self.epoch = 0
        command = [sys.executable, "-m", "bench.snmp_devices", str(count)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._line() != "ready":
            raise Failed("the responders did not start")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def next(self) -> None:
        """Every counter moves."""
        assert self._process.stdin is not None
        self.epoch += 1
        self._process.stdin.write(f"{self.epoch}\n")
        self._process.stdin.flush()
        if self._line() != str(self.epoch):
            raise Failed("the responders died")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def ours(count: int, version: str, what: str, mode: str) -> Iterator[tuple[int, int]]:
    """Our poller runs: (process, port)."""
    command = [sys.executable, "-OO", "-m", "bench.snmp_ours", str(count), version, what, mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def scrape(port: int, paths: Sequence[str], at_once: int, *, plain: bool = False) -> list[tuple[str, float]]:
    """(body, seconds since the start) of every page, over connections that are kept, as Prometheus does.

    ``plain``: do not offer to take the page compressed (Prometheus always does).
    """
    headers = PLAIN if plain else PLAIN + "Accept-Encoding: gzip\r\n"
    began = time.perf_counter()
    found: list[tuple[str, float]] = [("", 0.0)] * len(paths)
    left = iter(enumerate(paths))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for number, path in left:
            writer.write(f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body, took_s = await _body(reader, head), time.perf_counter() - began
            found[number] = (gzip.decompress(body) if b"content-encoding: gzip" in head else body).decode(), took_s
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(at_once)))
    return found


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    if b" 200 " not in lines[0] + b" ":
        raise Failed(f"HTTP: {lines[0].decode()}")
    for line in lines:
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    chunks = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(chunks)


def samples(page: str) -> dict[str, float]:
    """Value by name and labels."""
    lines = (line.rpartition(" ") for line in page.splitlines() if line and line[0] != "#")
    return {name: float(text) for name, _, text in lines}


def differences(readings: Sequence[Reading], device: int, epoch: int, mine: str, its: str) -> list[str]:
    """Where a page of ours, a page of theirs and the device itself do not say the same."""
    found = []
    our_page, their_page = samples(mine), samples(its)
    for reading in readings:
        if reading.metric == TABLE:
            continue
        truth = snmp_devices.value(reading.oid, device, epoch)
        labels = ",".join(f'{name}="{text}"' for name, text in (("host", f"d{device}"), *_linked(reading)))
        ours_is = our_page.get(f"{reading.metric}{{{labels}}}")
        theirs_is = their_page.get(snmp_theirs.name_of(reading.oid))
        if truth is None or not isinstance(truth[1], int) or theirs_is != float(truth[1]):
            found.append(f"d{device} {reading.oid}: the device says {truth}, snmp_exporter {theirs_is}")
        elif ours_is is None or ours_is != (truth[1] if reading.read is None else reading.read(truth[1])):
            found.append(f"d{device} {reading.oid}: the device says {truth}, we {ours_is}")
    uptime = snmp_devices.value(SYS_UPTIME, device, epoch)
    if uptime is None or our_page.get(f'sanwang_uptime_seconds{{host="d{device}"}}') != int(uptime[1]) / 100:
        found.append(f"d{device}: uptime")
    return found


def _linked(reading: Reading) -> Iterator[tuple[str, str]]:
    for name, text in reading.labels:
        yield name, text
        if name == "port":
            yield "link", ""


def learned(what: str) -> list[Reading]:
    """What our poller reads of such a device."""
    target = Target("d0", snmp_devices.address(0), LEARNERS[what], Community(snmp_devices.COMMUNITY), snmp_devices.PORT)

    async def learn() -> None:
        poller = Poller([target], {}, lambda answering: None)
        await poller.poll(target)
        poller.close()

    asyncio.run(learn())
    return target.readings


def _paths(count: int, *, theirs: bool) -> list[str]:
    if theirs:
        return [f"/snmp?module=bench&target={snmp_devices.address(n)}:{snmp_devices.PORT}" for n in range(count)]
    return [f"/snmp?target=d{number}" for number in range(count)]


def best_way(program: Path, folder: Path, oids: Sequence[str], version: str, devices: Devices) -> snmp_theirs.Way:
    """The configuration in which snmp_exporter costs least."""
    found = []
    for way in snmp_theirs.WAYS:
        with snmp_theirs.exporter(program, folder, oids, version, way) as (pid, port):
            paths = _paths(TRIAL_DEVICES, theirs=True)
            asyncio.run(scrape(port, paths, 4))
            before = cpu_s(pid)
            for _ in range(TRIAL_ROUNDS):
                devices.next()
                asyncio.run(scrape(port, paths, 4))
            found.append(((cpu_s(pid) - before) / TRIAL_ROUNDS / TRIAL_DEVICES, way))
        print(f"  {version}: snmp_exporter {way[0]} {way[1]} {dict(way[2])}: {1000 * found[-1][0]:.2f} ms", flush=True)
    return min(found)[1]


def side_by_side(
    program: Path, folder: Path, what: str, version: str, way: snmp_theirs.Way, devices: Devices, rounds: int
) -> dict[str, Any]:
    """CPU of both for a device's cycle: rounds in alternate order, every page of both compared."""
    readings = learned(what)
    oids = [reading.oid for reading in readings]
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    wrong: list[str] = []
    with (
        ours(DEVICES, version, what, "demand") as (our_pid, our_port),
        snmp_theirs.exporter(program, folder, oids, version, way) as (their_pid, their_port),
    ):
        sides = {"ours": (our_pid, our_port), "theirs": (their_pid, their_port)}
        for turn in range(rounds + WARM_UP):
            devices.next()
            pages: dict[str, list[tuple[str, float]]] = {}
            for name in ("ours", "theirs") if turn % 2 else ("theirs", "ours"):
                pid, port = sides[name]
                before = cpu_s(pid)
                pages[name] = asyncio.run(scrape(port, _paths(DEVICES, theirs=name == "theirs"), 4))
                if turn >= WARM_UP:  # the first ones learn and warm up
                    taken[name].append(1000 * (cpu_s(pid) - before) / DEVICES)
            for number, (mine, its) in enumerate(zip(pages["ours"], pages["theirs"], strict=True)):
                wrong += differences(readings, number, devices.epoch, mine[0], its[0])
    for line in wrong[:10]:
        print(f"  {line}", file=sys.stderr)
    mean = {name: sum(values) / len(values) for name, values in taken.items()}  # ticks are too coarse for one round
    print(
        f"  {what}, {version}: ours {mean['ours']:.3f} ms, snmp_exporter {mean['theirs']:.3f} ms a device and cycle",
        flush=True,
    )
    return {
        "way": f"{way[0]} {way[1]} {dict(way[2])}",
        "varbinds": len(readings),
        "ours_ms": round(mean["ours"], 3),
        "theirs_ms": round(mean["theirs"], 3),
        "ratio": round(mean["theirs"] / mean["ours"], 2),
        "equal": not wrong,
        "compared": DEVICES * (rounds + WARM_UP) * len(readings),
        "raw_ms": {name: [round(value, 3) for value in values] for name, values in taken.items()},
    }


def at_once(devices: Devices, port: int, *, theirs: bool) -> float:
    """Seconds within which 95 % of 200 devices are polled and shown, all asked for at the same moment."""
    paths = _paths(AT_ONCE, theirs=theirs)
    asyncio.run(scrape(port, paths, 8))
    found = []
    for _ in range(3):
        devices.next()
        found.append(quantiles([took for _, took in asyncio.run(scrape(port, paths, AT_ONCE))], n=20)[-1])
    return median(found)


def share_of_a_core(version: str) -> float:
    """Of 500 devices polled every minute in their slots and scraped as often; a minute after they are learned."""
    with ours(MANY, version, "needed", "schedule") as (pid, port):
        paths = _paths(MANY, theirs=False)
        for _ in range(120):
            time.sleep(1)
            if all(
                "sanwang_snmp_up" in page and "} 1\n" in page for page, _ in asyncio.run(scrape(port, paths[-5:], 1))
            ):
                break
        else:
            raise Failed("500 devices were not learned in two minutes")
        time.sleep(15)
        before, began, number = cpu_s(pid), time.monotonic(), 0
        while (passed := time.monotonic() - began) < MINUTE_S:
            due = int(MANY * passed / MINUTE_S)
            asyncio.run(scrape(port, paths[number:due], 1))
            number = due
            time.sleep(0.5)
        return (cpu_s(pid) - before) / (time.monotonic() - began)


def measure(program: Path, *, quick: bool) -> dict[str, Any]:
    """Everything, as the JSON document."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    devices = Devices(DEVICES if quick else MANY)
    rounds = 5 if quick else ROUNDS
    load = os.getloadavg()[0]
    print(f"load before the start: {load:.1f} on {os.cpu_count()} cores; the layer: {LAYER}", flush=True)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    document: dict[str, Any] = {"layer": LAYER, "load_1m": round(load, 1), "devices": DEVICES}
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            oids = [reading.oid for reading in learned("whole")]
            ways = {version: best_way(program, folder, oids, version, devices) for version in ("v2c", "v3")}
            for what in ("whole", "needed"):
                for version, way in ways.items():
                    found[what, version] = side_by_side(program, folder, what, version, way, devices, rounds)
            document |= _figures(found)
            document["pysnmp_ms"], document["pysnmp_v3_ms"] = pysnmp_cpu_ms(oids, "v2c"), pysnmp_cpu_ms(oids, "v3")
            if not quick:
                with ours(AT_ONCE, "v3", "needed", "demand") as (_, port):
                    document["p95_200_s"] = round(at_once(devices, port, theirs=False), 3)
                needed = [reading.oid for reading in learned("needed")]
                with snmp_theirs.exporter(program, folder, needed, "v3", ways["v3"]) as (_, port):
                    document["theirs_p95_200_s"] = round(at_once(devices, port, theirs=True), 3)
                document["core_share_500"] = round(share_of_a_core("v3"), 4)
    finally:
        devices.close()
    return document


def _figures(found: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    whole, whole_v3 = found["whole", "v2c"], found["whole", "v3"]
    needed, needed_v3 = found["needed", "v2c"], found["needed", "v3"]
    return {
        "varbinds": whole["varbinds"],
        "ratio": whole["ratio"],
        "ratio_v3": whole_v3["ratio"],
        "ours_ms": whole["ours_ms"],
        "theirs_ms": whole["theirs_ms"],
        "ours_v3_ms": whole_v3["ours_ms"],
        "theirs_v3_ms": whole_v3["theirs_ms"],
        "needed": {
            "varbinds": needed["varbinds"],
            "ratio": needed["ratio"],
            "ratio_v3": needed_v3["ratio"],
            "ours_ms": needed["ours_ms"],
            "theirs_ms": needed["theirs_ms"],
            "ours_v3_ms": needed_v3["ours_ms"],
            "theirs_v3_ms": needed_v3["theirs_ms"],
        },
        "values_equal": all(each["equal"] for each in found.values()),
        "values_compared": sum(each["compared"] for each in found.values()),
        "theirs_way": {f"{what} {version}": each["way"] for (what, version), each in found.items()},
        "raw_ms": {f"{what} {version}": each["raw_ms"] for (what, version), each in found.items()},
    }


def good(document: dict[str, Any]) -> bool:
    """True when every bound is kept."""
    kept = all(document[name] >= bound for name, bound in BOUNDS.items())
    return kept and document["values_equal"] is True and document.get("p95_200_s", 0.0) <= P95_S


def table(document: dict[str, Any]) -> list[Row]:
    """For people."""
    on = f"{document['varbinds']} varbinds of a 48-port switch"
    rows: list[Row] = []
    kinds: tuple[tuple[str, Callable[[str], str]], ...] = (("v2c", lambda name: name), ("v3 SHA-256, AES-128", _v3))
    for kind, key in kinds:
        rows.append(Row(f"our poller, {kind}", on, document[key("ours_ms")], "ms CPU"))
        rows.append(Row(f"snmp_exporter, {kind}", on, document[key("theirs_ms")], "ms CPU"))
        rows.append(Row(f"pysnmp, {kind}, without exposition", on, document[key("pysnmp_ms")], "ms CPU"))
    if "p95_200_s" in document:
        on = f"{document['needed']['varbinds']} varbinds of a 48-port switch"
        rows.append(Row("200 devices at once, v3: 95 % are shown within", on, document["p95_200_s"], "s"))
        rows.append(Row("500 devices a minute, v3", on, document["core_share_500"], "of a core"))
    return rows


def _v3(name: str) -> str:
    return name.replace("_ms", "_v3_ms")


def rows() -> list[Row]:
    """A small slice, for the table of all measurements; none without snmp_exporter (make bench-snmp brings it)."""
    program = _program(None)
    return [] if program is None else table(measure(program, quick=True))


def _program(path: str | None) -> Path | None:
    found = path or shutil.which(_PROGRAM)
    return Path(found) if found and Path(found).exists() else None


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 1 when a bound is missed or a value differs; 3 without snmp_exporter."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.snmp",
        description="CPU of our poller for one device's whole cycle, beside snmp_exporter.",
        epilog="example: python -m bench.snmp --exporter build/bench/usr/bin/prometheus-snmp-exporter --quick",
    )
    parser.add_argument("--exporter", help=f"the program; default: {_PROGRAM} in the path")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, not 200 and 500 devices")
    options = parser.parse_args(argv)
    program = _program(options.exporter)
    if program is None:
        print(f"bench: no {options.exporter or _PROGRAM}; make bench-snmp brings it", file=sys.stderr)
        return 3
    try:
        document = measure(program, quick=options.quick)
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    print(printed("SNMP", table(document)))
    print(json.dumps(document))
    return 0 if good(document) else 1


if __name__ == "__main__":
    sys.exit(main())

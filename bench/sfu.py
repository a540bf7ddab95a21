"""Forwarding: packets a second and core of our relay, both engines, beside Janus's videoroom at its best.

make bench-sfu                       every shape, contenders in turn, medians; JSON as the last line
make bench-sfu ARGS=--quick          1 -> 60 once

The SFU has one core, the halls another, in two namespaces joined by a veth.  Halls do ICE and DTLS once, ask for
packets again (NACK), send transport-cc feedback and reports, switch layers, and open every 997th packet.  Packets are
the veth's octets by the mean datagram.  CPU time is all that the SFU's threads ran, what the kernel did in their name
included: in a veth that is the receivers' side too, where runs are cut into datagrams again, as a network card without
segmentation offload would have it cut before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import sfu_janus, sfu_ours
from bench.table import Row, printed

_SFU, _HALLS = "10.254.0.1", "10.254.0.2"
_SFU_CORE, _HALLS_CORE = 0, 1
_UNPACKED = Path("build/bench/janus").resolve()
_BOUNDS = {"python": 1.5, "c": 2.5}
_ENGINES = ("python", "c")
_START_EACH = 200.0  # packets a second and receiver
_ROUNDS, _SECONDS = 3, 2.0
SHAPES = {"1x300": (1, 300), "1x60": (1, 60), "20x20": (20, 20)}
"""Rooms with one camera each, and receivers in each."""


@contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """(SFU's, halls') namespaces with ``v0`` and ``v1``."""
    near, far = (f"sfu{os.getpid()}{side}" for side in "ab")
    lines = [
        f"netns add {near}",
        f"netns add {far}",
        f"link add v0 netns {near} type veth peer name v1 netns {far}",
        f"-n {near} addr add {_SFU}/24 dev v0",
        f"-n {far} addr add {_HALLS}/24 dev v1",
        *(f"-n {name} link set {device} up" for name, device in ((near, "lo"), (far, "lo"), (near, "v0"), (far, "v1"))),
    ]
    try:
        for line in lines:
            subprocess.run(["ip", *line.split()], check=True)
        yield near, far
    finally:
        for name in (near, far):
            subprocess.run(["ip", "netns", "del", name], check=False)


def one(side: str, shape: tuple[int, int], options: argparse.Namespace, *, coalesce_ms: float, shares: bool) -> Any:
    """Start an SFU, let the halls measure it, stop it."""
    with namespaces() as (near, far), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        control = folder / "relay.sock"
        extra: dict[str, str] = {}
        if side == "janus":
            command, extra = sfu_janus.command(_UNPACKED, folder, _SFU, "v0")
        else:
            command = sfu_ours.command(side, _SFU, control, coalesce_ms)
        with (folder / "sfu.log").open("wb") as log:
            sfu = subprocess.Popen(
                ["ip", "netns", "exec", near, "taskset", "-c", str(_SFU_CORE), *command],
                stdout=log,
                stderr=log,
                env=os.environ | extra,
            )
        try:
            halls = [
                *(
                    "ip",
                    "netns",
                    "exec",
                    far,
                    "taskset",
                    "-c",
                    str(_HALLS_CORE),
                    sys.executable,
                    "-m",
                    "bench.sfu_load",
                ),
                *("--side", side, "--address", _SFU, "--bind", _HALLS, "--control", str(control)),
                *("--pid", str(sfu.pid), "--interface", "v1"),
                *("--rooms", str(shape[0]), "--receivers", str(shape[1])),
                *(
                    "--start",
                    str(_START_EACH * shape[0] * shape[1]),
                    "--seconds",
                    str(options.seconds),
                    "--sizes",
                    options.sizes,
                ),
                *(["--shares"] if shares else []),
            ]
            done = subprocess.run(halls, stdout=subprocess.PIPE, text=True, timeout=240, check=False)
            if done.returncode or options.verbose:
                print((folder / "sfu.log").read_text()[-3000:], file=sys.stderr)
            if done.returncode:
                raise SystemExit(f"bench: {side}: the halls ended with exit code {done.returncode}")
            return json.loads(done.stdout.splitlines()[-1])
        finally:
            sfu.terminate()
            try:
                sfu.wait(5)
            except subprocess.TimeoutExpired:
                sfu.kill()
                sfu.wait()


def run(options: argparse.Namespace) -> dict[str, dict[str, list[Any]]]:
    """Shape -> side -> what each round found.  Contenders take turns, so that a busy neighbour meets all of them."""
    found: dict[str, dict[str, list[Any]]] = {}
    shapes = {"1x60": SHAPES["1x60"]} if options.quick else SHAPES
    for name, shape in shapes.items():
        rounds = options.rounds if name == "1x300" else max(1, options.rounds - 1)
        for turn in range(rounds):
            for side in ("janus", *_ENGINES):
                result = one(side, shape, options, coalesce_ms=1.0, shares=turn == 0 and name != "20x20")
                found.setdefault(name, {}).setdefault(side, []).append(result)
                _say(name, side, result)
    if not options.quick:
        for side in _ENGINES:
            result = one(side, SHAPES["1x300"], options, coalesce_ms=5.0, shares=False)
            found.setdefault("1x300 5 ms", {}).setdefault(side, []).append(result)
            _say("1x300, 5 ms", side, result)
    return found


def _say(shape: str, side: str, result: Any) -> None:
    full = result["full"]
    print(
        f"  {shape}, {side}: {full['packets_per_core_s']} packets/s/core at {100 * full['busy']:.0f} % "
        f"({full['packets_s']}/s, {full['us_per_packet']} us each), delay {full['delay_ms']} ms, "
        f"opened {result['features']['receivers_opened']}, wrong {result['features']['receivers_wrong']}",
        flush=True,
    )


def figure(rounds: list[Any], name: str = "packets_per_core_s") -> float:
    """Median over the rounds."""
    return float(median(each["full"][name] for each in rounds))


def document(found: dict[str, dict[str, list[Any]]]) -> dict[str, Any]:
    """The JSON document: ratios at the largest audience, everything else beside."""
    main_shape = next(iter(found))
    janus = found[main_shape]["janus"]
    made: dict[str, Any] = {"shape": main_shape}
    for engine in _ENGINES:
        mine = found[main_shape][engine]
        made[engine] = {
            "ratio": round(figure(mine) / figure(janus), 2),
            "packets_per_core_s": round(figure(mine)),
            "janus_packets_per_core_s": round(figure(janus)),
            **_features(mine),
        }
        if slow := found.get("1x300 5 ms", {}).get(engine):
            made[engine]["one_way_5_ms"] = {
                "ratio": round(figure(slow) / figure(janus), 2),
                "packets_per_core_s": round(figure(slow)),
            }
    made["shapes"] = {
        shape: {
            side: {"packets_per_core_s": round(figure(rounds)), "delay_p95_ms": figure(rounds, "delay_p95_ms")}
            for side, rounds in sides.items()
        }
        for shape, sides in found.items()
    }
    made["us_per_packet_at_load"] = {
        side: {name: rounds[0][name]["us_per_packet"] for name in ("tenth", "half", "full") if name in rounds[0]}
        for side, rounds in found[main_shape].items()
    }
    made["kb_per_hall"] = {side: rounds[0]["kb_per_hall"] for side, rounds in found[main_shape].items()}
    made["join_cpu_ms"] = {side: rounds[0]["join_cpu_ms"] for side, rounds in found[main_shape].items()}
    made["janus_features"] = _features(janus)
    made["raw"] = found
    return made


def _features(rounds: list[Any]) -> dict[str, Any]:
    """What was asked for and done, and whether the packets were right."""
    sums: dict[str, int] = {}
    for each in rounds:
        for name, value in each["features"].items():
            sums[name] = sums.get(name, 0) + value
    return {
        "opened": sums["receivers_opened"],
        "wrong": sums["receivers_wrong"],
        "nack": sums["receivers_asked"],
        "resent": sums["receivers_rtx"] + sums["receivers_repeated"],
        "transport_cc": sums["senders_transport_cc"] + sums["receivers_feedback"],
        "switches": sums["switches"],
        "reports": sums["receivers_reports"] + sums["receivers_sender_reports"],
        "keyframe_requests": sums["senders_keyframe_requests"],
        "joined": min(each["joined"] for each in rounds),
    }


def _rows(made: dict[str, Any]) -> list[Row]:
    return [
        Row(f"{shape}: packets a second and core", side, figures["packets_per_core_s"], "1/s")
        for shape, sides in made["shapes"].items()
        for side, figures in sides.items()
    ]


def _able() -> bool:
    return (_UNPACKED / "ready").exists() and os.geteuid() == 0 and (os.cpu_count() or 1) > 1


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sfu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one room of 60, once")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of each measurement")
    parser.add_argument("--sizes", choices=["frames", "random", "equal"], default="frames", help="of packets")
    parser.add_argument("--verbose", action="store_true", help="show what the SFUs say")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds, options.seconds = 1, min(options.seconds, 2.0)
    return options


def rows() -> list[Row]:
    """For ``make bench``; nothing without Janus, root and two cores."""
    return _rows(document(run(_options(["--quick"])))) if _able() else []


def main(argv: list[str] | None = None) -> int:
    """0 when both engines keep their bounds, 1 when not, 3 without Janus, root or a second core."""
    options = _options(argv)
    if not _able():
        print("needs Janus, root and two cores. Next: sudo make bench-sfu", file=sys.stderr)
        return 3
    made = document(run(options))
    print(printed("forwarding", _rows(made)))
    print(json.dumps(made))
    right = all(
        made[engine]["ratio"] >= bound
        and not made[engine]["wrong"]
        and all(made[engine][name] for name in ("opened", "nack", "resent", "transport_cc", "switches"))
        for engine, bound in _BOUNDS.items()
    )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())

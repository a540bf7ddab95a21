"""``make fuzz``: the C media engine under the address and undefined-behaviour sanitizers.

    python -m tests.vconf.sanitised --datagrams 1000000 --seed 7

Mutated RTP and RTCP reach the engine as an attacker with good keys would send them (protected after they were mutated),
without keys, and past the SRTP layer; between them the stories of test_planes.py are played.  The last line is JSON;
exit code 1 when a sanitizer spoke or the process died, 3 without a compiler that has sanitizers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from pylibsrtp import Error

from tests.vconf.test_planes import Story, World, packet, vp8
from vconf.media import compile, plane, rtcp, rtp
from vconf.media.cplane import CPlane

FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_STORY_EVERY = 5_000


def seeds() -> list[bytes]:
    """What venues and receivers send."""
    found = [
        packet(1000, 96, 7, 900, b"\x67" + bytes(400), marker=1, cc=3, orientation=b"\x01"),
        packet(1000, 96, 8, 900, b"\x78\0\x05\x67abcd\0\x02\x65x", cc=4),
        packet(1000, 96, 9, 900, b"\x7c\x85" + bytes(1100)),
        packet(1001, 96, 7, 900, vp8(9, 3, keyframe=True, size=300), cc=5),
        packet(1002, 111, 7, 900, bytes(80), level=b"\x85", cc=6),
        packet(2000, 97, 7, 900, b"\0\x07\x41again", cc=7),
        b"\x90\x60\0\x09\0\0\0\0" + (1000).to_bytes(4) + b"\x10\0\0\x02\x07\x01\x01\x04\x02ab\0" + bytes(30),
        b"\xb5\x60\0\x0a\0\0\0\0" + (1000).to_bytes(4) + bytes(20) + b"\xbe\xde\0\x01\x71\1\2\0" + bytes(20) + b"\x04",
    ]
    reports = rtcp.pack_receiver_report(1, [rtcp.ReportBlock(1000, 0, 0, 9, 0, 0, 0)])
    return [*found, reports, reports + rtcp.pack_nack(1, 1000, range(0, 90, 3)), rtcp.pack_pli(1, 1000)]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Bits, octets, lengths and slices changed."""
    made = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(made)) if made else 0
        kind = chance.randrange(5)
        if not made or kind == 0:
            made[at:at] = chance.randbytes(chance.choice([1, 3, 16, 600]))
        elif kind == 1:
            made[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            made[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF])
        elif kind == 3:
            del made[at : at + chance.choice([1, 2, 40])]
        else:
            del made[max(12, at) :]
    return bytes(made[:2000])


def play(datagrams: int, seed: int) -> dict[str, int]:
    """Everything; a fault ends the process."""
    chance, mine = random.Random(seed), seeds()
    counts = {"datagrams": 0, "stories": 0, "heard": 0}
    while counts["datagrams"] < datagrams:
        story = Story(CPlane, chance.randrange(1 << 32))
        story.play()
        story.told()
        story.world.close()
        counts["stories"] += 1
        counts["heard"] += _flood(chance, mine, min(_STORY_EVERY, datagrams - counts["datagrams"]))
        counts["datagrams"] += _STORY_EVERY
    return counts


def _flood(chance: random.Random, mine: list[bytes], count: int) -> int:
    world = World(CPlane, chance)
    try:
        for leg in world.legs:
            world.plane.want(leg, chance.choice(world.streams))
            world.plane.set_paused(leg, False)
        for number in range(count):
            data, sender = chance.choice(mine), number % 2
            if not rtp.is_rtcp(data):  # most come in order, so that they are kept and go on
                data = data[:2] + (number & 0xFFFF).to_bytes(2) + data[4:]
            data = mutated(data, chance)
            way = chance.random()
            if way < 0.6:
                world.plane.inject(world.senders[sender], data, world.now_us)
            elif way < 0.8:
                try:
                    world.send(sender, data)
                except (Error, ValueError):  # libsrtp does not send it either
                    continue
            else:
                world.send(sender, data, protect=False)
            if number % 7 == 0:
                world.now_us += 3_000
                world.plane.flush(world.now_us)
            if number % 50 == 0:
                world.arrived()
                world.plane.resend(chance.choice(world.legs), [chance.randrange(1 << 16) for _ in range(20)], 1)
        heard = [world.plane.stream_state(stream).packets for stream in world.streams]
        assert all(heard), heard
        assert not any(isinstance(event, plane.Gap) and event.missing < 1 for event in world.events)
        return sum(heard)
    finally:
        world.close()


def main(argv: list[str] | None = None) -> int:
    """Build, then run this module again with the sanitizers' library loaded first."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.vconf.sanitised", description="the C media engine, sanitised"
    )
    parser.add_argument("--datagrams", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    if "LD_PRELOAD" in os.environ:
        print(json.dumps(play(options.datagrams, options.seed)))
        return 0
    program = compile.compiler()
    if program is None:
        print("no C compiler: there is no C engine to fuzz", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "plane.so"
        try:
            compile.build(library, *FLAGS)
        except subprocess.CalledProcessError as error:
            print(f"no sanitizers: {error.stderr.splitlines()[-1]}", file=sys.stderr)
            return 3
        asan = subprocess.check_output([program, "-print-file-name=libasan.so"], text=True).strip()
        environment = os.environ | {
            "LD_PRELOAD": asan,
            "SANWANG_PLANE": str(library),
            "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself keeps what it made
        }
        command = [sys.executable, "-m", "tests.vconf.sanitised", "--datagrams", str(options.datagrams)]
        return min(1, abs(subprocess.run([*command, "--seed", str(options.seed)], env=environment).returncode))


if __name__ == "__main__":
    sys.exit(main())

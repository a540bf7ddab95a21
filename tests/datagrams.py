"""``make fuzz``: a million mutated datagrams of SNMP, syslog, STAMP and media against the parsers that outsiders reach.

    python -m tests.datagrams --datagrams 1000000 --seed 7
    python -m tests.datagrams --datagrams 1000000 --only stun rtcp
    python -m tests.datagrams --datagrams 1000000 --each stun dtls rtp rtcp signalling      so many each

Seeds are real messages: answers, requests and notifications made of recorded walks, the examples of RFC 5424, RFC 3164
and of vendors, STAMP packets with and without TLVs.  Each datagram is a seed mutated one to four times: bits, octets,
lengths (of ASN.1 and of TLVs), numbers, slices cut, repeated, moved and spliced with another seed's.  A parser may
answer or refuse by its own error; anything else, and anything that takes a second, is a crash.  Memory is measured
after a fifth and at the end.  The last line is JSON; exit code 1 when anything crashed or grew.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from collectors import syslog
from collectors.probe import stamp
from collectors.snmp import ber
from collectors.snmp.envelope import Plain
from collectors.snmp.plan import Mismatch, Packet
from collectors.snmp.read import read_facts
from collectors.snmp.usm import Community
from collectors.snmp.walk import Value, Walk, parts, read_walk
from tests.datagrams_media import media_targets
from tests.datagrams_pages import REFUSALS, signalling, signalling_seeds

SAMPLES = Path(__file__).parent / "data" / "snmp"
SLOW_S = 1.0
GROWTH_KB = 1024  # what the allocator's own pages come to; a leak of 2 octets a datagram is more
_COMMUNITY = Community("county-traps")
_V3 = bytes.fromhex("80001f8805") + bytes(range(12))


@dataclass(frozen=True, slots=True)
class Target:
    """What hears datagrams: its seeds, and how it refuses."""

    name: str
    seeds: tuple[bytes, ...]
    hear: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    share: float


@dataclass(slots=True)
class Outcome:
    """What happened."""

    datagrams: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    rss_kb: list[int] = field(default_factory=list)

    @property
    def growth_kb(self) -> int:
        """Memory at the end over that after a fifth; 0 for less than the allocator's own."""
        grown = self.rss_kb[-1] - self.rss_kb[0]
        return grown if grown > GROWTH_KB else 0


def _value(value: Value, kind: str) -> bytes:
    if isinstance(value, bytes):
        return ber.tlv(0x04, value)
    if isinstance(value, str):
        return ber.oid(value)
    if value < 0 or kind == "2":
        return ber.integer(value)
    content = value.to_bytes(value.bit_length() // 8 + 1)
    return ber.tlv({0: 0x41, 1: 0x42, 2: 0x43}.get(value % 4, 0x46), content)


def _pdu(kind: int, rows: Sequence[tuple[str, Value]], request: int) -> bytes:
    listed = b"".join(ber.tlv(0x30, ber.oid(oid) + _value(value, "")) for oid, value in rows)
    numbers = ber.tlv(0x02, request.to_bytes(4)) + ber.integer(0) + ber.integer(0)
    return ber.tlv(kind, numbers + ber.tlv(0x30, listed))


def snmp_seeds() -> Iterator[bytes]:
    """Answers, requests, traps and informs, in every version, of the samples' own rows."""
    community = ber.tlv(0x04, _COMMUNITY.name.encode())
    for path in sorted(SAMPLES.glob("*.snmprec")):
        walk = read_walk(path)
        oids = [point.oid for point in read_facts(walk).points] + ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"]
        rows = [(oid, value) for oid in oids[-60:] if (value := walk.get(oid)) is not None]
        for kind in (0xA0, 0xA2, 0xA5, 0xA6, 0xA7, 0xA8):
            pdu = _pdu(kind, rows[: 12 if kind == 0xA2 else 4], 0x40000001)
            yield ber.tlv(0x30, ber.integer(1) + community + pdu)
            security = ber.tlv(0x30, ber.tlv(4, _V3) + ber.integer(3) + ber.integer(77) + ber.tlv(4, b"sanwang")
                               + ber.tlv(4, bytes(24)) + ber.tlv(4, bytes(8)))  # fmt: skip
            scoped = ber.tlv(0x30, ber.tlv(4, _V3) + ber.tlv(4, b"") + pdu)
            for flags, body in ((b"\x00", scoped), (b"\x03", ber.tlv(4, scoped))):
                head = ber.tlv(0x30, ber.integer(9) + ber.integer(65507) + ber.tlv(4, flags) + ber.integer(3))
                yield ber.tlv(0x30, ber.integer(3) + head + ber.tlv(4, security) + body)


def old_trap() -> bytes:
    """SNMPv1's trap, which has a shape of its own (RFC 1157 section 4.1.6): only pysnmp reads it."""
    trap = ber.oid("1.3.6.1.4.1.8072.3.2.10") + ber.tlv(0x40, bytes((10, 9, 9, 9))) + ber.integer(2)
    trap += ber.integer(0) + ber.tlv(0x43, b"\x12\x34") + ber.tlv(0x30, b"")
    community = ber.tlv(0x04, _COMMUNITY.name.encode())
    return ber.tlv(0x30, ber.integer(0) + community + ber.tlv(0xA4, trap))


SYSLOG_SEEDS = (
    # RFC 5424 section 6.5
    b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - "
    b"\xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8",
    b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    b'<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" '
    b'eventSource="Application" eventID="1011"] \xef\xbb\xbfAn application event log entry...',
    b'<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 [a@1 b="\\"\\]\\\\"][examplePriority@32473 class="high"]',
    # RFC 3164 section 5.4
    b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    b"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
    b"<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
    # as boxes write it
    b"<188>Nov 22 2026 10:14:53 b01-sw %%01IFNET/4/LINK_STATE(l)[12]:The line protocol IP on the interface "
    b"GigabitEthernet0/0/3 has entered the DOWN state.",
    b"<187>Nov 22 10:14:53 2026 b02-sw %%10IFNET/3/PHY_UPDOWN: GE1/0/3 changed to down.",
    "<28>1 2026-11-22T10:14:53+08:00 c1-core ospfd 77 - - 邻居 172.16.0.2 状态 Full -> Down".encode(),
    b"<190>Nov 22 10:14:53 b03-sw *Nov 22 10:14:53: %LINK-5-CHANGED: Interface TFGigabitEthernet 0/1, down.",
)  # fmt: skip


def stamp_seeds() -> Iterator[bytes]:
    """Both directions, with and without padding and TLVs."""
    for sequence in (0, 1, 0xFFFFFFFF):
        packet = stamp.build_sender(stamp.SenderPacket(sequence, 1_760_000_000_123_456_789, 7))
        for more in (b"", stamp.tlvs(64), stamp.tlvs(1200), bytes(20)):
            request = packet + more
            yield request
            parsed = stamp.parse_sender(request)
            reflected = stamp.ReflectorPacket(
                5, parsed.sent_ns + 90_000, 7, parsed.sent_ns + 50_000, sequence, parsed.sent_ns, 255
            )
            yield stamp.build_reflector(reflected, request)


def _snmp(data: bytes) -> object:
    message = ber.decode(data)
    return message.pdu.rows if message.pdu is not None else message.encrypted


def _learned() -> tuple[Callable[[bytes], object], tuple[bytes, ...]]:
    """A learned packet, and answers of its very objects: what the fast loop hears every few seconds."""
    walk = read_walk(SAMPLES / "net-snmp.snmprec")
    rows = [(point.oid, walk.get(point.oid)) for point in read_facts(walk).points][:30]
    packet = Packet([oid for oid, _ in rows])
    envelope = Plain(_COMMUNITY)
    community = ber.tlv(0x04, _COMMUNITY.name.encode())
    answers = tuple(
        ber.tlv(
            0x30, ber.integer(1) + community + _pdu(0xA2, [(o, v) for o, v in rows if v is not None], 0x40000000 + n)
        )
        for n in range(8)
    )

    def hear(data: bytes) -> object:
        plain = envelope.rows(data)
        return envelope.open(data) if plain is None else packet.read(plain[1])

    for answer in answers:
        hear(answer)
    return hear, answers


def _stamp(data: bytes) -> object:
    packet = stamp.parse_sender(data)
    answer = stamp.ReflectorPacket(
        1, packet.sent_ns, packet.session, packet.sent_ns, packet.sequence, packet.sent_ns, 255
    )
    stamp.build_reflector(answer, data)
    return stamp.parse_reflector(data)


def targets() -> list[Target]:
    """The parsers, without what needs a county."""
    hear, answers = _learned()
    return [
        Target("snmp", tuple(snmp_seeds()), _snmp, (ber.BerError,), 0.4),
        Target("snmp-learned", answers, hear, (ber.BerError, Mismatch), 0.15),
        Target("syslog", SYSLOG_SEEDS, syslog.parse, (syslog.BadMessage,), 0.25),
        Target("stamp", tuple(stamp_seeds()), _stamp, (stamp.BadPacket,), 0.18),
        Target("facts", tuple(_rows_seeds()), _facts, (ber.BerError,), 0.02),
        *(Target(*each) for each in media_targets()),
        Target("signalling", tuple(signalling_seeds()), signalling(), REFUSALS, 0.1),
    ]


def _rows_seeds() -> Iterator[bytes]:
    yield from (seed for seed in snmp_seeds() if seed[2:8].find(b"\xa2") >= 0 or b"\xa2\x82" in seed[:60])


def _facts(data: bytes) -> object:
    pdu = ber.decode(data).pdu
    rows = {oid: value for oid, value in pdu.rows if isinstance(value, int | bytes | str)} if pdu is not None else {}
    for oid in rows:
        parts(oid)
    return read_facts(Walk(rows)).document()


_INTERESTING = (
    *(b"\x00", b"\x7f", b"\x80", b"\x81", b"\x82", b"\x84", b"\xff", b"\x30", b"\xa2", b"\x02", b"\x06"),
    *(b"<", b">", b"[", b"]", b'"', b"\\", b"1 ", b"\xf0\x9f", b"\n", b"\x84\xff\xff\xff\xff", b"\x30\x80"),
)


def mutate(seed: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to four changes."""
    data = bytearray(seed)
    for _ in range(dice.randint(1, 4)):
        if not data:
            return bytes(data)
        at = dice.randrange(len(data))
        match dice.randrange(11):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at] = dice.randrange(256)
            case 2:
                piece = dice.choice(_INTERESTING)
                data[at : at + len(piece)] = piece
            case 3:
                del data[at:]
            case 4:
                del data[at : at + dice.randint(1, 16)]
            case 5:
                data[at:at] = data[at : at + dice.randint(1, 40)] * dice.choice((1, 1, 2, 30))
            case 6:
                other = dice.choice(seeds)
                start = dice.randrange(len(other)) if other else 0
                data[at:] = other[start:]
            case 7:
                data[at:at] = dice.randbytes(dice.randint(1, 8))
            case 8:  # a length, or a count, one too many or too few
                data[at] = (data[at] + dice.choice((-1, 1, 2, 127, -128))) % 256
            case 9:
                data += data[: dice.randint(1, len(data))]
            case _:
                end = dice.randrange(len(data))
                data[at], data[end] = data[end], data[at]
    return bytes(data[:65507])


def rss_kb() -> int:
    """This process's memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4


def run(number: int, seed: int, heard: Sequence[Target], progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """That many datagrams, the same for the same seed."""
    dice = random.Random(seed)
    outcome = Outcome()
    weights = [target.share for target in heard]
    fifth = max(number // 5, 1)
    for count in range(number):
        if count % fifth == 0 and count:
            outcome.rss_kb.append(rss_kb())
            progress(count)
        target = dice.choices(heard, weights)[0]
        data = mutate(dice.choice(target.seeds), dice, target.seeds)
        began = time.perf_counter()
        try:
            target.hear(data)
            outcome.answered[target.name] += 1
        except target.refusals:
            outcome.refused[target.name] += 1
        except Exception as problem:  # the very thing that is looked for
            outcome.crashes.append(f"{target.name}: {type(problem).__name__}: {problem}: {data.hex()}")
        if time.perf_counter() - began > SLOW_S:
            outcome.crashes.append(f"{target.name}: took over {SLOW_S:g} s: {data.hex()}")
        outcome.datagrams += 1
    outcome.rss_kb.append(rss_kb())
    return outcome


async def notifications(number: int, seed: int) -> Outcome:
    """The same through the whole receiver of traps, pysnmp included, which is a thousand times slower."""
    from collectors.damper import Damper
    from collectors.events import Events
    from collectors.snmp.traps import Traps, Who
    from collectors.snmp.usm import User

    events = Events()
    who = Who(User("sanwang", "authphrase-of-county", "privphrase-of-county"), _COMMUNITY.name)
    traps = Traps({"127.0.0.1": "b01-sw"}, who, Damper(events, time.monotonic), _V3, 3, rate_per_s=number)
    await traps.start(IPv4Address("127.0.0.1"), 0)
    dice, outcome = random.Random(seed), Outcome()
    seeds = (*snmp_seeds(), *(old_trap(),) * 8)
    try:
        for count in range(number):
            if count in (number // 5, number // 2):
                outcome.rss_kb.append(rss_kb())
            data = mutate(dice.choice(seeds), dice, seeds)
            try:
                traps.hear(data, ("127.0.0.1", 40000))
            except Exception as problem:  # as above
                outcome.crashes.append(f"traps: {type(problem).__name__}: {problem}: {data.hex()}")
            outcome.datagrams += 1
            if count % 200 == 0:
                await asyncio.sleep(0)
    finally:
        traps.close()
    outcome.answered["traps"] = traps.received
    outcome.refused["traps"] = sum(traps.refused.values())
    outcome.rss_kb.append(rss_kb())
    return outcome


def each_alone(names: Sequence[str], number: int, seed: int) -> int:
    """Each target by itself; the last line is JSON with one entry a target."""
    known = {target.name: target for target in targets()}
    found: dict[str, dict[str, object]] = {}
    print(f"seed {seed}: {number} datagrams to each of {', '.join(names)}", flush=True)
    for name in names:
        began = time.monotonic()
        outcome = run(number, seed, [known[name]])
        for line in outcome.crashes[:10]:
            print(f"  CRASH {line[:400]}")
        found[name] = {
            "datagrams": outcome.datagrams,
            "crashes": len(outcome.crashes),
            "growth_kb": outcome.growth_kb,
            "answered": outcome.answered[name],
            "refused": outcome.refused[name],
            "seconds": round(time.monotonic() - began, 1),
        }
        print(f"  {name}: {found[name]}", flush=True)
    print(json.dumps({"each": found, "seed": seed}))
    return int(any(each["crashes"] or each["growth_kb"] for each in found.values()))


def main(argv: list[str] | None = None) -> int:
    """Command line; 0 when nothing crashed and nothing grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--datagrams", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", nargs="+", help="names of targets, as the last line's seeds have them")
    parser.add_argument("--each", nargs="+", help="as --only, and so many datagrams to each of them")
    asked = parser.parse_args(argv)
    if asked.each:
        return each_alone(asked.each, asked.datagrams, asked.seed)
    print(f"seed {asked.seed}: {asked.datagrams} datagrams", flush=True)
    began = time.monotonic()
    heard = [target for target in targets() if not asked.only or target.name in asked.only]
    if not heard:
        parser.error(f"--only {' '.join(asked.only)}: no such target")
    slow = max(asked.datagrams // 100, 1) if not asked.only else 0

    def progress(count: int) -> None:
        print(f"  {count} datagrams, {time.monotonic() - began:.0f} s", flush=True)

    fast = run(asked.datagrams - slow, asked.seed, heard, progress)
    whole = asyncio.run(notifications(slow, asked.seed)) if slow else Outcome(rss_kb=[rss_kb()])
    crashes = fast.crashes + whole.crashes
    for line in crashes[:10]:
        print(f"  CRASH {line[:400]}")
    growth = max(fast.growth_kb, whole.growth_kb)
    answered = fast.answered + whole.answered
    document = {
        "datagrams": fast.datagrams + whole.datagrams,
        "crashes": len(crashes),
        "growth_kb": growth,
        "rss_kb": [*fast.rss_kb, *whole.rss_kb],
        "answered": dict(answered),
        "refused": dict(fast.refused + whole.refused),
        "seeds": {target.name: len(target.seeds) for target in heard},
        "seed": asked.seed,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(document))
    return int(bool(crashes or growth))


if __name__ == "__main__":
    sys.exit(main())

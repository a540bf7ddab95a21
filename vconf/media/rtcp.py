"""RTCP: the reports and feedback a forwarding unit reads and writes.

RFC 3550 section 6 (SR, RR, SDES, BYE, APP), RFC 4585 (NACK, PLI), RFC 5104 (FIR), REMB
(draft-alvestrand-rmcat-remb).  Unknown packets in a compound are skipped; malformed ones raise
:class:`RtcpError` and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

SR, RR, SDES, BYE, APP, RTPFB, PSFB = 200, 201, 202, 203, 204, 205, 206
NACK, TRANSPORT_CC = 1, 15  # RTPFB formats
PLI, FIR, AFB = 1, 4, 15  # PSFB formats


class RtcpError(ValueError):
    """The bytes are not a compound of RTCP packets."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """Reception of one stream (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: int  # 0..255
    lost: int  # cumulative, may be negative
    highest: int  # extended sequence number
    jitter: int  # timestamp units
    lsr: int  # middle 32 bits of the last SR's NTP time
    dlsr: int  # 1/65536 s since that SR


@dataclass(frozen=True, slots=True)
class SenderReport:
    """A sender's clock: ``ntp`` (64-bit NTP) and ``timestamp`` name the same instant."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """Reports of one receiver."""

    ssrc: int
    reports: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """These sequence numbers of ``media`` are missing."""

    media: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyframeRequest:
    """PLI or FIR: the receiver of ``media`` needs a keyframe."""

    media: int


@dataclass(frozen=True, slots=True)
class Remb:
    """The receiver's estimate of what its downlink carries, bits per second."""

    bps: int
    media: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """These sources end."""

    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransportCc:
    """Transport-wide feedback as it came, head included; ``twcc.summary`` reads it."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class App:
    """An application's own packet (RFC 3550 section 6.7), with pairs of 32-bit numbers."""

    name: bytes  # four octets
    pairs: tuple[tuple[int, int], ...]


Report = App | TransportCc | SenderReport | ReceiverReport | Nack | KeyframeRequest | Remb | Bye


def parse(data: bytes) -> list[Report]:
    """Every packet of a compound that we understand, in order."""
    found: list[Report] = []
    offset = 0
    while offset < len(data):
        if offset + 4 > len(data):
            raise RtcpError("half a header at the end")
        first, kind, words = struct.unpack_from("!BBH", data, offset)
        if first >> 6 != 2:
            raise RtcpError(f"version {first >> 6}")
        end = offset + 4 * (words + 1)
        if end > len(data):
            raise RtcpError(f"packet type {kind} runs over the end")
        body = data[offset + 4 : end]
        if first & 0x20:
            if not body or body[-1] == 0 or body[-1] > len(body):
                raise RtcpError("bad padding")
            body = body[: -body[-1]]
        if kind == RTPFB and first & 0x1F == TRANSPORT_CC:
            found.append(TransportCc(data[offset:end]))
        try:
            found.extend(_one(kind, first & 0x1F, body))
        except struct.error as error:
            raise RtcpError(f"packet type {kind} is too short") from error
        offset = end
    return found


def _one(kind: int, count: int, body: bytes) -> Iterable[Report]:
    if kind == SR:
        ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!IQIII", body)
        yield SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, 24, count))
    elif kind == RR:
        yield ReceiverReport(struct.unpack_from("!I", body)[0], _blocks(body, 4, count))
    elif kind == BYE:
        yield Bye(struct.unpack_from(f"!{count}I", body))
    elif kind == APP:
        name = struct.unpack_from("!4s", body, 4)[0]
        yield App(name, tuple(struct.unpack_from("!II", body, at) for at in range(8, len(body) - 7, 8)))
    elif kind == RTPFB and count == NACK:
        media = struct.unpack_from("!I", body, 4)[0]
        sequences: list[int] = []
        for offset in range(8, len(body) - 3, 4):
            pid, mask = struct.unpack_from("!HH", body, offset)
            sequences.append(pid)
            sequences.extend((pid + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
        yield Nack(media, tuple(sequences))
    elif kind == PSFB and count == PLI:
        yield KeyframeRequest(struct.unpack_from("!I", body, 4)[0])
    elif kind == PSFB and count == FIR:
        for offset in range(8, len(body) - 7, 8):
            yield KeyframeRequest(struct.unpack_from("!I", body, offset)[0])
    elif kind == PSFB and count == AFB and body[8:12] == b"REMB":
        streams, coded = struct.unpack_from("!B", body, 12)[0], int.from_bytes(body[13:16])
        yield Remb((coded & 0x3FFFF) << (coded >> 18), struct.unpack_from(f"!{streams}I", body, 16))


def _blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for at in range(offset, offset + 24 * count, 24):
        ssrc, lost, highest, jitter, lsr, dlsr = struct.unpack_from("!IIIIII", body, at)
        cumulative = lost & 0xFFFFFF
        if cumulative & 0x800000:
            cumulative -= 0x1000000
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, highest, jitter, lsr, dlsr))
    return tuple(blocks)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) >> 2) + body


def _pack_block(block: ReportBlock) -> bytes:
    lost = max(-0x800000, min(0x7FFFFF, block.lost)) & 0xFFFFFF
    return struct.pack(
        "!IIIIII", block.ssrc, block.fraction_lost << 24 | lost, block.highest, block.jitter, block.lsr, block.dlsr
    )


def pack_receiver_report(ssrc: int, reports: Iterable[ReportBlock]) -> bytes:
    """RR packets, 31 blocks in each; one empty RR when there is no block."""
    blocks = list(reports)
    packets = []
    for start in range(0, max(1, len(blocks)), 31):
        some = blocks[start : start + 31]
        packets.append(_packet(RR, len(some), struct.pack("!I", ssrc) + b"".join(map(_pack_block, some))))
    return b"".join(packets)


def pack_sender_report(report: SenderReport) -> bytes:
    """An SR without report blocks."""
    return _packet(
        SR,
        0,
        struct.pack("!IQIII", report.ssrc, report.ntp, report.timestamp, report.packets, report.octets),
    )


def pack_sdes(ssrc: int, cname: str) -> bytes:
    """SDES with one chunk: the CNAME that ties a venue's streams together."""
    text = cname.encode()[:255]
    chunk = struct.pack("!IBB", ssrc, 1, len(text)) + text + b"\0"
    return _packet(SDES, 1, chunk + b"\0" * (-len(chunk) & 3))


def pack_nack(sender: int, media: int, sequences: Iterable[int]) -> bytes:
    """A generic NACK; sequences in any order, packed into (PID, BLP) pairs."""
    pairs: list[tuple[int, int]] = []
    for sequence in sequences:
        if pairs and 1 <= (distance := (sequence - pairs[-1][0]) & 0xFFFF) <= 16:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] | 1 << (distance - 1))
        else:
            pairs.append((sequence, 0))
    return _packet(
        RTPFB, NACK, struct.pack("!II", sender, media) + b"".join(struct.pack("!HH", *pair) for pair in pairs)
    )


def pack_app(sender: int, name: bytes, pairs: Iterable[tuple[int, int]]) -> bytes:
    """An APP packet with pairs of 32-bit numbers, at most 128 of them."""
    return _packet(APP, 0, struct.pack("!I4s", sender, name) + b"".join(struct.pack("!II", *pair) for pair in pairs))


def pack_pli(sender: int, media: int) -> bytes:
    """A picture loss indication."""
    return _packet(PSFB, PLI, struct.pack("!II", sender, media))

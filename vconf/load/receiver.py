"""A hall's screen without a picture: counts what comes, opens a share of it, and reports as a browser does.

Reading is what costs here, so a receiver looks at the clear RTP header alone and opens every ``OPENED``-th packet with
the session that the handshake made: enough to follow the roll-over counter, and to prove that the bytes are right.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass

from vconf.client.peer import Peer
from vconf.load import frames
from vconf.media import rtcp, rtp

OPENED = 997
_FEEDBACK_S, _REPORT_S = 0.1, 1.0
_AT_ONCE = 24  # datagrams read in one visit
_STAMP = 35  # SO_TIMESTAMPNS_OLD
_TIMESPEC = struct.Struct("@qq")
_MOST_STATUSES = 1200
_TICK_S, _REFERENCE_TICKS = 0.00025, 256


@dataclass(slots=True)
class ReceiverCounters:
    """What arrived, and what was asked for."""

    packets: int = 0  # read by us; the kernel drops what a busy bench does not read
    octets: int = 0
    rtx: int = 0
    repeated: int = 0  # asked for and resent as the packet itself
    asked: int = 0  # sequence numbers in NACKs
    opened: int = 0
    wrong: int = 0  # not authentic, or not what the sender made
    probes: int = 0  # opened ones that held nothing but padding
    feedback: int = 0  # transport-cc packets sent
    reports: int = 0
    sender_reports: int = 0


class Receiver:
    """One receiving transport with one video stream."""

    def __init__(
        self,
        peer: Peer,
        payload_type: int,
        *,
        rtx_payload_type: int = 0,
        transport_cc: int = 0,
        nack_share: float = 0.01,
        opened: int = OPENED,
    ) -> None:
        self.peer = peer
        self.counters = ReceiverCounters()
        self.delays_ms: deque[float] = deque(maxlen=4096)
        self.ssrc = 0
        self._payload_type = payload_type
        self._rtx_payload_type = rtx_payload_type
        self._transport_cc = transport_cc  # header extension id, 0: the server numbers nothing
        self._nack_every = int(1 / nack_share) if nack_share else 0
        self._opened = opened
        self._own_ssrc = secrets.randbits(31) | 1
        self._highest = -1
        self._clock = (0, 0.0)  # middle of the last sender report's NTP time, and when it came
        self._received = 0
        self._open_at = -1
        self._open_rtx_at = 0
        self._first: tuple[int, int] | None = None  # (transport-wide number, arrival in ticks) since the last feedback
        self._newest: tuple[int, int] | None = None
        self._feedback_count = 0
        self._asked: set[int] = set()
        self._asking: list[int] = []
        self._feedback_s = self._report_s = self._consent_s = 0.0
        self._buffer = bytearray(2048)
        self._view = memoryview(self._buffer)
        peer.on_packet = lambda data: self.packet(data, time.monotonic_ns())

    def take_over(self) -> None:
        """From now on ``sweep`` reads the socket, not the event loop."""
        self.peer.detach().setsockopt(socket.SOL_SOCKET, _STAMP, 1)

    def sweep(self, now_s: float) -> int:
        """Read some of what waits, and report when it is time; how many datagrams were read."""
        sock, buffer = self.peer.socket, self._buffer
        count = 0
        try:
            while count < _AT_ONCE:
                due = now_s - self._feedback_s >= _FEEDBACK_S
                if due or (self._transport_cc and self._first is None) or self._highest >= self._open_at:
                    data, ancillary, _, _ = sock.recvmsg(2048, 64)
                    count += 1
                    arrived = next(
                        (_TIMESPEC.unpack(value[:16]) for _, kind, value in ancillary if kind == _STAMP), None
                    )
                    ago_ns = 0 if arrived is None else time.time_ns() - arrived[0] * 10**9 - arrived[1]
                    arrived_ns = time.monotonic_ns() - ago_ns
                    self._any(data, arrived_ns)
                    if due:
                        self.tick(now_s)
                    continue
                size = sock.recv_into(buffer)
                count += 1
                if size > 20 and buffer[1] & 0x7F == self._payload_type and buffer[0] >> 6 == 2:
                    self._media(buffer, size)
                else:
                    self._any(bytes(self._view[:size]), None)
        except OSError:  # nothing more, or an ICMP error of an earlier send
            pass
        if not count:
            self.tick(now_s)
        return count

    def tick(self, now_s: float) -> None:
        """NACK and transport-cc feedback ten times a second, a report every second, consent as browsers do."""
        if now_s - self._feedback_s < _FEEDBACK_S:
            return
        self._feedback_s = now_s
        compound = b""
        if now_s - self._report_s >= _REPORT_S:
            self._report_s = now_s
            lsr, heard_s = self._clock
            dlsr = int((now_s - heard_s) * 65536) & 0xFFFFFFFF if lsr else 0
            block = rtcp.ReportBlock(self.ssrc, 0, 0, max(0, self._highest), 0, lsr, max(0, dlsr))
            compound = rtcp.pack_receiver_report(self._own_ssrc, [block] if self.ssrc else [])
            self.counters.reports += 1
        if self._asking and self.ssrc:
            compound += rtcp.pack_nack(self._own_ssrc, self.ssrc, self._asking)
            self.counters.asked += len(self._asking)
            self._asking = []
        if compound:
            self.peer.send_rtcp(compound)
        if self._newest is not None and self.ssrc:  # alone, as browsers send it
            self.peer.send_rtcp(self._all_arrived())
            self.counters.feedback += 1
        if now_s - self._consent_s > 2.66:
            self._consent_s = now_s
            self.peer.check()

    def packet(self, data: bytes, arrived_ns: int | None) -> None:
        """One protected packet, media or RTCP."""
        if rtp.is_rtcp(data):
            plain = self.peer.open_rtcp(data)
            if plain is None:
                self.counters.wrong += 1
            else:
                for report in rtcp.parse(plain):
                    if isinstance(report, rtcp.SenderReport):
                        self.counters.sender_reports += 1
                        self._clock = report.ntp >> 16 & 0xFFFFFFFF, time.monotonic()
            return
        kind = data[1] & 0x7F
        if kind == self._rtx_payload_type:
            self.counters.rtx += 1
            self._open_rtx(data)
        elif kind == self._payload_type and len(data) > 20:
            self._media(data, len(data))
            if self._transport_cc and arrived_ns is not None:
                self._note_arrival(data, arrived_ns)
            if self._highest > self._open_at:
                self._open(data, arrived_ns)

    def _any(self, data: bytes, arrived_ns: int | None) -> None:
        if data and data[0] >> 6 == 2:
            self.packet(data, arrived_ns)
        else:
            self.peer.datagram(data)

    def _media(self, data: bytes | bytearray, size: int) -> None:
        sequence = data[2] << 8 | data[3]
        if self._highest < 0:
            self.ssrc = int.from_bytes(data[8:12])
            self._highest = 0x10000 + sequence - 1
        ahead = (sequence - self._highest) & 0xFFFF
        counters = self.counters
        counters.packets += 1
        counters.octets += size
        if ahead >= 0x8000 or ahead == 0:
            counters.repeated += sequence in self._asked
            self._asked.discard(sequence)
            return
        self._highest += ahead
        self._received += 1
        if self._nack_every and self._received % self._nack_every == 0:
            self._asking.append(sequence)
            if len(self._asked) > 256:
                self._asked.clear()
            self._asked.add(sequence)

    def _note_arrival(self, data: bytes, arrived_ns: int) -> None:
        at = _find(data, self._transport_cc)
        if not at:
            return
        stamped = data[at] << 8 | data[at + 1], int(arrived_ns / 1e9 / _TICK_S)
        if self._first is None:
            self._first = stamped
        if self._newest is None or (stamped[0] - self._newest[0]) & 0xFFFF < 0x8000:
            self._newest = stamped

    def _open(self, data: bytes, arrived_ns: int | None) -> None:
        self._open_at = self._highest + self._opened
        plain = self.peer.open_rtp(data)
        made = None
        if plain is not None:
            made = frames.made_ns(rtp.parse(plain).payload)
        self.counters.opened += 1
        if made is None:
            self.counters.wrong += 1
        elif arrived_ns is not None:
            self.delays_ms.append((arrived_ns - made) / 1e6)

    def _open_rtx(self, data: bytes) -> None:
        if self.counters.rtx < self._open_rtx_at:
            return
        self._open_rtx_at = self.counters.rtx + 31
        plain = self.peer.open_rtp(data)
        payload = rtp.parse(plain).payload if plain is not None else b""
        self.counters.opened += 1
        if plain is not None and not payload:
            self.counters.probes += 1  # padding alone: the server asks what the path carries
        elif frames.made_ns(payload[2:]) is None:
            self.counters.wrong += 1

    def _all_arrived(self) -> bytes:
        """Feedback of a path without loss: from the first packet after the last feedback to the newest, both with the
        kernel's stamp of their arrival, those between them evenly spread."""
        assert self._first is not None
        assert self._newest is not None
        (first, began), (last, ended) = self._first, self._newest
        count = ((last - first) & 0xFFFF) + 1
        span = max(0, ended - began)
        if count > _MOST_STATUSES or (count > 1 and span // (count - 1) >= 255):
            first, began, count, span = last, ended, 1, 0
        reference, offset = divmod(began, _REFERENCE_TICKS)
        delta, longer = divmod(span, count - 1) if count > 1 else (0, 0)
        body = struct.pack(
            "!IIHHIH",
            self._own_ssrc,
            self.ssrc,
            first,
            count,
            (reference & 0xFFFFFF) << 8 | self._feedback_count,
            1 << 13 | count,
        )
        body += bytes((offset,)) + bytes((delta + 1,)) * longer + bytes((delta,)) * (count - 1 - longer)
        pad = -len(body) & 3
        body += b"\0" * (pad - 1) + bytes((pad,)) if pad else b""
        self._feedback_count = (self._feedback_count + 1) & 0xFF
        self._first = self._newest = None
        return struct.pack("!BBH", 0x80 | bool(pad) << 5 | rtcp.TRANSPORT_CC, rtcp.RTPFB, len(body) >> 2) + body


def _find(data: bytes | bytearray, identifier: int) -> int:
    """Where the value of a one-byte header extension begins, 0 when it is not there (RFC 8285 section 4.2)."""
    if not data[0] & 0x10:
        return 0
    at = 16 + 4 * (data[0] & 0x0F)
    end = min(len(data), at + 4 * (data[at - 2] << 8 | data[at - 1]))
    while at < end:
        head = data[at]
        if head == 0:
            at += 1
        elif head >> 4 == identifier:
            return at + 1 if at + 2 < end else 0
        else:
            at += (head & 0x0F) + 2
    return 0

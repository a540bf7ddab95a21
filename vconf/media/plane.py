"""The data plane: everything that happens to each packet, behind one interface with two engines.

The control side (rooms, ICE, DTLS, RTCP, layer choice, bandwidth estimate) is Python and decides some hundred times a
second; the plane moves packets and asks nobody.  ``vconf.media.pyplane`` needs no compiler.  Handles (transports,
streams, legs) are positive integers that are never used again; a handle that is gone is ignored.

Every outgoing packet has this layout, whatever the receiver, so that a packet is laid out once and then patched::

     0  V=2 P X=1 CC=0 | M PT | sequence      12  0xBEDE | words
     4  timestamp                             16  MID_ID<<4|3 | mid, four octets
     8  SSRC                                  21  TRANSPORT_CC_ID<<4|1 | transport-wide sequence
                                              24  passed extensions, padded to a word; payload; padding

Packets of one stream that leave together form runs for UDP_SEGMENT, which takes equal sizes, the last one excepted.
In order: a packet joins the run while the longest and the shortest of it differ by at most ``PAD_MOST`` octets, and is
then given RTP padding (RFC 3550 section 5.1) up to the longest; a shorter one joins as it is and ends the run; any
other begins the next.  Padding is the packet's, not the receiver's: all see the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Address = tuple[str, int]

MID_ID, TRANSPORT_CC_ID, LEVEL_ID, ORIENTATION_ID = 1, 5, 10, 11
"""Header extension ids towards receivers (RFC 8285), the same for all: the router's own."""

MID_BYTES = 4
RING = 1024
"""Packets kept of each incoming stream."""

QUEUE_PACKETS, QUEUE_US = 512, 1_000_000
"""The most that waits for a slow receiver (packets, and time at its rate); beyond it video is dropped until the next
keyframe."""

PAD_MOST = 16
"""Browsers cut a frame into parts that differ by an octet or two."""

RUN_PACKETS, RUN_BYTES = 48, 65_000
"""The most of one run: the kernel takes 64 segments and 65,507 octets."""

SILENT_LEVEL = 127
"""RFC 6464: -127 dBov, digital silence."""

EF, AF41, CS3 = 46 << 2, 34 << 2, 24 << 2
"""IP_TOS values: voice, interactive video, and our own answers (RFC 4594)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """SRTP of one direction: libsrtp's profile number (``srtp_profile_t``) and master key with salt."""

    profile: int
    key: bytes


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """An incoming stream: one SSRC, one simulcast layer."""

    kind: str  # "audio" or "video"
    codec: str  # "opus", "h264", "vp8"
    clock_hz: int
    payload_type: int  # as it arrives
    rtx_payload_type: int  # 0: none
    out_payload_type: int  # as it leaves
    out_rtx_payload_type: int
    passed: tuple[tuple[int, int], ...] = ()  # header extensions that travel on: (their id, ours)
    level_extension: int = 0  # id of the audio level as it arrives (RFC 6464), 0: none


@dataclass(frozen=True, slots=True)
class LegFormat:
    """A receiver's share: its own SSRCs and starting numbers.

    Without RTX a retransmission is the very packet again, because anything else would be a second message under one
    nonce: such a leg's packets are not padded, take no transport-wide number and are not noted as sent.  The element's
    three octets are zero, which is padding (RFC 8285 section 4.2): a receiver that read a number there would take every
    voice for packet 0 come again, and report all before it as lost.
    """

    ssrc: int
    mid: bytes  # MID_BYTES octets
    tos: int
    rtx_ssrc: int = 0  # 0: no RTX
    sequence: int = 0  # number before the first; below 0x8000, so that roll-over cannot be misread
    timestamp: int = 0
    rtx_sequence: int = 0
    types: bytes = b""  # 128 octets: what this receiver calls each of our payload types; empty: as we do


@dataclass(frozen=True, slots=True)
class StreamState:
    """Reception of a stream since its first packet; ``base`` and ``highest`` are extended sequence numbers."""

    packets: int = 0
    octets: int = 0  # payload
    duplicates: int = 0
    keyframes: int = 0
    base: int = 0
    highest: int = -1  # -1: nothing yet
    jitter: int = 0  # timestamp units (RFC 3550 section A.8)
    arrival_us: int = 0  # of the newest packet
    level: int = SILENT_LEVEL  # of the last audio packet, -dBov


@dataclass(frozen=True, slots=True)
class LegState:
    """What a leg sent.  ``timestamp`` is what is added to the stream's timestamps, for sender reports."""

    stream: int = 0  # what feeds it now, 0 before the first
    timestamp: int = 0
    packets: int = 0
    octets: int = 0  # payload
    resent: int = 0
    not_held: int = 0  # asked for, no longer in the ring
    dropped: int = 0  # the queue of its transport was full
    switches: int = 0


@dataclass(slots=True)
class Counters:
    """What went through since the start."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    sends: int = 0  # datagram runs given to the kernel
    padded_bytes: int = 0  # what equal runs cost
    resent: int = 0
    probes: int = 0
    paced: int = 0  # packets that waited for their receiver
    stranger: int = 0  # media from an address that no transport has
    rejected: int = 0  # not authentic, or malformed
    unannounced: int = 0  # SSRC or payload type that nobody announced
    stale: int = 0  # duplicates and packets too old
    queue_full: int = 0
    send_error: int = 0  # the kernel refused (no route, too big)


class Datagram(NamedTuple):
    """STUN from anywhere, or DTLS from a transport's address; ``transport`` 0: of none."""

    transport: int
    data: bytes
    address: Address


class Rtcp(NamedTuple):
    """An authentic RTCP compound, in plain."""

    transport: int
    data: bytes


class Unbound(NamedTuple):
    """An authentic RTP packet, in plain, of an SSRC that nothing is bound to: bind it and ``inject`` the packet."""

    transport: int
    packet: bytes


class Started(NamedTuple):
    """The first packet of a stream came."""

    stream: int


class Gap(NamedTuple):
    """``missing`` extended sequence numbers from ``first`` on did not come."""

    stream: int
    first: int
    missing: int


class Keyframe(NamedTuple):
    """A keyframe begins."""

    stream: int


class Switched(NamedTuple):
    """A leg is fed by this stream from now on."""

    leg: int
    stream: int


class Starved(NamedTuple):
    """A leg lost a part of this stream in its transport's queue, and waits for a keyframe."""

    leg: int
    stream: int


Event = Datagram | Rtcp | Unbound | Started | Gap | Keyframe | Switched | Starved


class Plane(Protocol):
    """One UDP port on one core.

    It has no loop, clock or dice of its own: the control side calls ``readable`` when the socket is, then takes the
    events, then calls ``flush`` at once or when the time of coalescing is over.  ``now_us`` is monotonic.
    """

    name: str  # "python" or "c"
    address: Address

    @property
    def counters(self) -> Counters:
        """What went through since the start."""

    def fileno(self) -> int:
        """The socket's."""

    def readable(self, now_us: int) -> None:
        """Read until nothing waits (or 256 datagrams), keep and queue what is media, note events."""

    def take(self) -> list[Event]:
        """Events since the last call, in order."""

    def flush(self, now_us: int) -> int:
        """Send what is due; returns after how many microseconds to call again (pacing, a full socket), 0: no need."""

    def close(self) -> None:
        """Close the socket; what waits is lost."""

    def send(self, data: bytes, address: Address, tos: int) -> None:
        """Send one datagram (STUN, DTLS) as it is, at once."""

    def send_rtcp(self, transport: int, data: bytes) -> None:
        """Protect and send one RTCP compound at once, marked AF41; nothing before keys and address are there."""

    # -- transports: one remote address with SRTP both ways -----------------------------------

    def add_transport(self) -> int:
        """A transport without address and keys."""

    def remove_transport(self, transport: int) -> None:
        """With its bindings and legs."""

    def set_address(self, transport: int, address: Address) -> None:
        """Where it is; a former address is forgotten, another transport's too when it is the same."""

    def set_keys(self, transport: int, inbound: Keys, outbound: Keys) -> None:
        """SRTP and SRTCP of both directions."""

    def set_transport_cc(self, transport: int, extension: int) -> None:
        """Note arrivals by this header extension id; 0 stops."""

    def set_rate(self, transport: int, bps: int) -> None:
        """Pace video that leaves to this rate, in bursts of at most 40 ms of it; voice passes at once.  0: no pace."""

    def arrivals(self, transport: int) -> list[tuple[int, int]]:
        """(transport-wide sequence, microseconds) since the last call, as they came."""

    def sent(self, transport: int, sequence: int) -> tuple[int, int] | None:
        """(microseconds, octets of datagrams sent before it) of an outgoing transport-wide sequence number (16 bits).

        Packets of a run count alike.  None when it is no more known (the newest 512 runs are), or was never sent.
        """

    def heard_us(self, transport: int) -> int:
        """When the last authentic packet came (RTP or RTCP), 0 before the first."""

    # -- streams that come in -----------------------------------------------------------------

    def add_stream(self, form: StreamFormat) -> int:
        """A stream that no SSRC is bound to yet; open."""

    def remove_stream(self, stream: int) -> None:
        """With its bindings; legs that it feeds fall silent."""

    def bind(self, transport: int, ssrc: int, stream: int, *, rtx: bool = False) -> None:
        """Packets of this SSRC are the stream's (``rtx``: its retransmissions, RFC 4588)."""

    def inject(self, transport: int, packet: bytes, now_us: int) -> None:
        """Take in an authentic packet that was unbound; nothing when it still is."""

    def set_open(self, stream: int, is_open: bool) -> None:
        """A closed stream is received and not forwarded; its legs see no gap when it opens again."""

    def stream_state(self, stream: int) -> StreamState:
        """Figures."""

    def holds(self, stream: int, extended: int) -> bool:
        """Whether the ring has this packet."""

    # -- legs that go out ---------------------------------------------------------------------

    def add_leg(self, transport: int, form: LegFormat) -> int:
        """A receiver's share, paused and fed by nothing."""

    def remove_leg(self, leg: int) -> None:
        """Send no more."""

    def want(self, leg: int, stream: int) -> None:
        """Feed it from this stream: audio at once, video from its next keyframe on (the old one goes on until then).

        0: from none, at once.  Numbers go on: the first packet of the new stream has the sequence after the last one's,
        its timestamp is later by the time that went by (at least 1), VP8's picture id and TL0PICIDX are one more.
        Packets of the new stream from before the switch are left out.
        """

    def set_paused(self, leg: int, paused: bool) -> None:
        """Going on begins at a keyframe, without a gap in the numbers."""

    def leg_state(self, leg: int) -> LegState:
        """Figures."""

    def resend(self, leg: int, sequences: Sequence[int], now_us: int) -> int:
        """Queue retransmissions of outgoing sequence numbers (16 bits); returns how many the ring still had."""

    def probe(self, leg: int, packets: int, now_us: int) -> int:
        """Send so many packets of nothing but 255 octets of padding as RTX, to see what the path carries; how many.

        None from a leg without RTX, or that wants nothing.  The timestamp is that of its newest packet, else the start.
        """

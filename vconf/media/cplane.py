"""The data plane in C (``native/``) behind the same interface: a thin hand over the border, no rule of its own.

No link-time dependency: libsrtp is the pylibsrtp wheel's, its functions and contexts are handed over as addresses.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cffi import FFI
from pylibsrtp import Session
from pylibsrtp import _binding as srtp_binding

from vconf.media import compile, plane
from vconf.media.plane import Address, Counters, Event, Keys, LegFormat, LegState, StreamFormat, StreamState
from vconf.media.srtp import session, tag_bytes
from vconf.media.udp import bound_socket

_CODECS = {"opus": 0, "h264": 1, "vp8": 2}
_PASSED = 2

_INTERFACE = """
typedef struct pl_plane pl_plane;
typedef struct { uint64_t field[15]; } pl_counters;
typedef struct {
    int32_t kind, handle, leg; uint32_t ip, port; int64_t first, missing; uint64_t data; uint32_t size;
} pl_event;
typedef struct {
    int32_t codec, is_video, clock_hz, payload_type, rtx_payload_type, out_payload_type, out_rtx_payload_type;
    int32_t passed, theirs[2], ours[2], level_extension;
} pl_stream_format;
typedef struct {
    uint32_t ssrc, rtx_ssrc, timestamp; int32_t tos, sequence, rtx_sequence; uint8_t mid[4];
    uint8_t typed, types[128];
} pl_leg_format;
typedef struct { int64_t field[9]; } pl_stream_state;
typedef struct { int64_t field[8]; } pl_leg_state;
const char *pl_source(void);
pl_plane *pl_open(int fd, uintptr_t protect, uintptr_t unprotect, uintptr_t protect_rtcp, uintptr_t unprotect_rtcp);
void pl_close(pl_plane *);
pl_counters *pl_get_counters(pl_plane *);
int pl_event_count(pl_plane *);
pl_event *pl_events(pl_plane *);
uint8_t *pl_octets(pl_plane *);
void pl_events_taken(pl_plane *);
void pl_readable(pl_plane *, int64_t now_us);
int64_t pl_flush(pl_plane *, int64_t now_us);
void pl_inject(pl_plane *, int32_t transport, const uint8_t *data, int size, int64_t now_us);
void pl_send(pl_plane *, const uint8_t *data, int size, uint32_t ip, uint32_t port, int tos);
void pl_send_rtcp(pl_plane *, int32_t transport, const uint8_t *data, int size);
int32_t pl_add_transport(pl_plane *);
void pl_remove_transport(pl_plane *, int32_t transport);
void pl_set_address(pl_plane *, int32_t transport, uint32_t ip, uint32_t port);
void pl_set_keys(pl_plane *, int32_t transport, uintptr_t inbound, uintptr_t outbound, int tag);
void pl_set_transport_cc(pl_plane *, int32_t transport, int extension);
void pl_set_rate(pl_plane *, int32_t transport, int64_t bps);
int pl_arrivals(pl_plane *, int32_t transport, int64_t **into);
int pl_sent(pl_plane *, int32_t transport, int sequence, int64_t *at_us, int64_t *octets);
int64_t pl_heard_us(pl_plane *, int32_t transport);
int32_t pl_add_stream(pl_plane *, const pl_stream_format *);
void pl_remove_stream(pl_plane *, int32_t stream);
void pl_bind(pl_plane *, int32_t transport, uint32_t ssrc, int32_t stream, int rtx);
void pl_set_open(pl_plane *, int32_t stream, int is_open);
void pl_stream_state_of(pl_plane *, int32_t stream, pl_stream_state *);
int pl_holds(pl_plane *, int32_t stream, int64_t extended);
int32_t pl_add_leg(pl_plane *, int32_t transport, const pl_leg_format *);
void pl_remove_leg(pl_plane *, int32_t leg);
void pl_want(pl_plane *, int32_t leg, int32_t stream);
void pl_set_paused(pl_plane *, int32_t leg, int paused);
void pl_leg_state_of(pl_plane *, int32_t leg, pl_leg_state *);
int pl_resend(pl_plane *, int32_t leg, const int32_t *sequences, int count, int64_t now_us);
int pl_probe(pl_plane *, int32_t leg, int packets, int64_t now_us);
"""

ffi = FFI()
ffi.cdef(_INTERFACE)
_NAMES = tuple(field.name for field in fields(Counters))


def library() -> Path:
    """Where the library is; a fuzzing run names a build of its own in ``SANWANG_PLANE``."""
    return Path(os.environ.get("SANWANG_PLANE", compile.LIBRARY))


@cache
def _load() -> Any:
    return ffi.dlopen(str(library()))


def forget() -> None:
    """Look for the library anew: it was built."""
    _load.cache_clear()


def available() -> bool:
    """Whether there is a library, made from the sources as they are."""
    if not library().exists():
        return False
    try:
        return bool(ffi.string(_load().pl_source()).decode() == compile.checksum())
    except OSError:  # of another machine
        return False


def _function(name: str) -> int:
    return int(srtp_binding.ffi.cast("uintptr_t", srtp_binding.ffi.addressof(srtp_binding.lib, name)))


def _context(of: Session) -> int:
    return int(srtp_binding.ffi.cast("uintptr_t", of._srtp[0]))


class CPlane:
    """``plane.Plane`` in C; method docstrings are the interface's."""

    name = "c"

    def __init__(self, bind: Address) -> None:
        self._lib = _load()
        self._socket: socket.socket = bound_socket(bind)
        self.address: Address = self._socket.getsockname()
        names = ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp")
        self._plane = self._lib.pl_open(self._socket.fileno(), *map(_function, names))
        if self._plane == ffi.NULL:
            raise MemoryError("the C media engine")
        self._sessions: dict[int, tuple[Session, Session]] = {}  # keeps the contexts alive

    @property
    def counters(self) -> Counters:
        """A copy of what was counted so far."""
        return Counters(*self._lib.pl_get_counters(self._plane).field)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        if self._plane != ffi.NULL:
            self._lib.pl_close(self._plane)
            self._plane = ffi.NULL
            self._lib = _Closed()
        self._socket.close()
        self._sessions.clear()

    def readable(self, now_us: int) -> None:
        self._lib.pl_readable(self._plane, now_us)

    def flush(self, now_us: int) -> int:
        return int(self._lib.pl_flush(self._plane, now_us))

    def take(self) -> list[Event]:
        lib, events = self._lib, self._plane
        count = lib.pl_event_count(events)
        if not count:
            return []
        found, octets = lib.pl_events(events), lib.pl_octets(events)
        made = [_event(found[number], octets) for number in range(count)]
        lib.pl_events_taken(events)
        return made

    def send(self, data: bytes, address: Address, tos: int) -> None:
        self._lib.pl_send(self._plane, data, len(data), int(IPv4Address(address[0])), address[1], tos)

    def send_rtcp(self, transport: int, data: bytes) -> None:
        self._lib.pl_send_rtcp(self._plane, transport, data, len(data))

    # -- transports ---------------------------------------------------------------------------

    def add_transport(self) -> int:
        return _made(self._lib.pl_add_transport(self._plane))

    def remove_transport(self, transport: int) -> None:
        self._lib.pl_remove_transport(self._plane, transport)
        self._sessions.pop(transport, None)

    def set_address(self, transport: int, address: Address) -> None:
        self._lib.pl_set_address(self._plane, transport, int(IPv4Address(address[0])), address[1])

    def set_keys(self, transport: int, inbound: Keys, outbound: Keys) -> None:
        made = session(inbound, inbound=True), session(outbound, inbound=False)
        self._lib.pl_set_keys(self._plane, transport, _context(made[0]), _context(made[1]), tag_bytes(outbound))
        self._sessions[transport] = made  # the former ones go only now

    def set_transport_cc(self, transport: int, extension: int) -> None:
        self._lib.pl_set_transport_cc(self._plane, transport, extension)

    def set_rate(self, transport: int, bps: int) -> None:
        self._lib.pl_set_rate(self._plane, transport, bps)

    def arrivals(self, transport: int) -> list[tuple[int, int]]:
        into = ffi.new("int64_t **")
        count = self._lib.pl_arrivals(self._plane, transport, into)
        if not count:
            return []
        numbers = ffi.unpack(into[0], 2 * count)
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def sent(self, transport: int, sequence: int) -> tuple[int, int] | None:
        at_us, octets = ffi.new("int64_t *"), ffi.new("int64_t *")
        if not self._lib.pl_sent(self._plane, transport, sequence, at_us, octets):
            return None
        return at_us[0], octets[0]

    def heard_us(self, transport: int) -> int:
        return int(self._lib.pl_heard_us(self._plane, transport))

    # -- streams ------------------------------------------------------------------------------

    def add_stream(self, form: StreamFormat) -> int:
        if len(form.passed) > _PASSED:
            raise ValueError(f"{len(form.passed)} extensions that travel on, at most {_PASSED}")
        made = ffi.new("pl_stream_format *")
        made.codec, made.is_video, made.clock_hz = _CODECS[form.codec], form.kind == "video", form.clock_hz
        made.payload_type, made.rtx_payload_type = form.payload_type, form.rtx_payload_type
        made.out_payload_type, made.out_rtx_payload_type = form.out_payload_type, form.out_rtx_payload_type
        made.passed, made.level_extension = len(form.passed), form.level_extension
        for number, (theirs, ours) in enumerate(form.passed):
            made.theirs[number], made.ours[number] = theirs, ours
        return _made(self._lib.pl_add_stream(self._plane, made))

    def remove_stream(self, stream: int) -> None:
        self._lib.pl_remove_stream(self._plane, stream)

    def bind(self, transport: int, ssrc: int, stream: int, *, rtx: bool = False) -> None:
        self._lib.pl_bind(self._plane, transport, ssrc, stream, rtx)

    def inject(self, transport: int, packet: bytes, now_us: int) -> None:
        self._lib.pl_inject(self._plane, transport, packet, len(packet), now_us)

    def set_open(self, stream: int, is_open: bool) -> None:
        self._lib.pl_set_open(self._plane, stream, is_open)

    def stream_state(self, stream: int) -> StreamState:
        into = ffi.new("pl_stream_state *")
        self._lib.pl_stream_state_of(self._plane, stream, into)
        return StreamState(*into.field)

    def holds(self, stream: int, extended: int) -> bool:
        return bool(self._lib.pl_holds(self._plane, stream, extended))

    # -- legs ---------------------------------------------------------------------------------

    def add_leg(self, transport: int, form: LegFormat) -> int:
        if len(form.mid) != plane.MID_BYTES:
            raise ValueError(f"mid {form.mid!r}: expected {plane.MID_BYTES} octets")
        made = ffi.new("pl_leg_format *")
        made.ssrc, made.rtx_ssrc, made.timestamp, made.tos = form.ssrc, form.rtx_ssrc, form.timestamp, form.tos
        made.sequence, made.rtx_sequence = form.sequence, form.rtx_sequence
        ffi.memmove(made.mid, form.mid, plane.MID_BYTES)
        if form.types:
            made.typed = 1
            ffi.memmove(made.types, form.types, 128)
        return int(self._lib.pl_add_leg(self._plane, transport, made))

    def remove_leg(self, leg: int) -> None:
        self._lib.pl_remove_leg(self._plane, leg)

    def want(self, leg: int, stream: int) -> None:
        self._lib.pl_want(self._plane, leg, stream)

    def set_paused(self, leg: int, paused: bool) -> None:
        self._lib.pl_set_paused(self._plane, leg, paused)

    def leg_state(self, leg: int) -> LegState:
        into = ffi.new("pl_leg_state *")
        self._lib.pl_leg_state_of(self._plane, leg, into)
        return LegState(*into.field)

    def resend(self, leg: int, sequences: Sequence[int], now_us: int) -> int:
        return int(self._lib.pl_resend(self._plane, leg, list(sequences), len(sequences), now_us))

    def probe(self, leg: int, packets: int, now_us: int) -> int:
        return int(self._lib.pl_probe(self._plane, leg, packets, now_us))


class _Closed:
    """What a closed plane calls: a late timer must not reach memory that is gone."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: 0


def _made(handle: int) -> int:
    if handle == 0:
        raise MemoryError("the C media engine")
    return int(handle)


def _address(event: Any) -> Address:
    return str(IPv4Address(event.ip)), event.port


def _event(event: Any, octets: Any) -> Event:
    kind = event.kind
    if kind <= 2:
        data = bytes(ffi.buffer(octets + event.data, event.size))
        if kind == 0:
            return plane.Datagram(event.handle, data, _address(event))
        return plane.Rtcp(event.handle, data) if kind == 1 else plane.Unbound(event.handle, data)
    if kind == 4:
        return plane.Gap(event.handle, event.first, event.missing)
    if kind == 3 or kind == 5:
        return plane.Started(event.handle) if kind == 3 else plane.Keyframe(event.handle)
    return plane.Switched(event.leg, event.handle) if kind == 6 else plane.Starved(event.leg, event.handle)

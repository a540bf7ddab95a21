"""Which cables a hall's packets ride, seen where they cannot lie: on the cables.

Marked packets leave the hall's computer with the address and port of its meeting's media; each cable's middle in the
plant is watched for the mark, bare or inside an overlay.  Neither the model's routing nor any router is asked: this is
what ``inventory/impact.py`` and ``sanwang path`` are judged by.  What a VPN tunnel has encrypted is not recognised.
"""

from __future__ import annotations

import contextlib
import ctypes
import secrets
import select
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from collectors.path import Ask, RunningCounty
from drills.lab import Lab, inside
from inventory.relays import above, media
from inventory.walk import Flow
from twin import names, namespaces
from twin.errors import TwinError

COPIES = 3
_APART_S = 0.05
_WAIT_S = 0.5
_MARK = struct.Struct("!4s8sHH")  # word, run, hall, copy
_WORD = b"swpt"
_BARE, _OVERLAY = (
    14 + 20 + 8,
    14 + 20 + 8 + 8 + 14 + 20 + 8,
)  # Ethernet, IPv4, UDP; and the same inside VXLAN (RFC 7348)
_ETH_P_ALL, _PACKET_OUTGOING, _SO_ATTACH_FILTER = 3, 4, 26
_BUFFER = 4 << 20
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06  # classic BPF, see linux/bpf_common.h


def traced(lab: Lab, halls: Iterable[str] | None = None) -> dict[str, tuple[str, ...]]:
    """Links that each hall's packets to its relay cross now, the hall's own cable first; () when none arrives.

    Takes about a second for all of them.  A packet lost on the way (or routed anew meanwhile) does not count: the
    newest of the copies that arrived tells.
    """
    codes = list(halls if halls is not None else lab.model.halls)
    run = secrets.token_bytes(8)
    with contextlib.closing(_ear(namespaces.NETNS_DIR / names.plant(lab.places.instance))) as ear:
        senders = {}
        with contextlib.ExitStack() as stack:
            for number, code in enumerate(codes):
                with contextlib.suppress(OSError, TwinError):  # no power, or no way out at all
                    senders[number] = stack.enter_context(contextlib.closing(_mouth(lab, code)))
            for copy in range(COPIES):
                for number, mouth in senders.items():
                    with contextlib.suppress(OSError):
                        mouth.send(_MARK.pack(_WORD, run, number, copy))
                time.sleep(_APART_S)
            seen = _listen(ear, run)
    by_middle = {names.middle(link, side): link.name for link in lab.model.links.values() for side in "ab"}
    found: dict[str, tuple[str, ...]] = {}
    for number, code in enumerate(codes):
        last = {port.link for port in above(lab.model, lab.model.halls[code]).ports}
        found[code] = ()
        for copy in reversed(range(COPIES)):
            path = tuple(by_middle[device] for device in seen.get((number, copy), ()) if device in by_middle)
            if path and path[-1] in last:
                found[code] = path
                break
    return found


def asker(lab: Lab) -> Ask:
    """Asks one running host for its own route, by the county's collector."""

    def ask(host: str, fields: dict[str, str]) -> dict[str, Any]:
        answer = lab.collected(f"/route?{urlencode({'host': host, **fields})}")
        return answer if isinstance(answer, dict) else {}

    return ask


def differences(lab: Lab) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Halls whose packets ride other cables than the hosts say that they would: (seen, said)."""
    found = {}
    for code, seen in traced(lab).items():
        hall = lab.model.halls[code]
        relay, port = _media(lab, code)
        said = RunningCounty(lab.model, asker(lab)).walk(Flow(hall.host, "", hall.address, relay, "udp", port)).links
        if said != seen:
            found[code] = (seen, said)
    return found


def _media(lab: Lab, code: str) -> tuple[IPv4Address, int]:
    """Address and port of the county's relay for a hall: what its township has for itself rides no line."""
    return media(lab.model, above(lab.model, lab.model.halls[code]))


def _mouth(lab: Lab, code: str) -> socket.socket:
    """A socket in the hall's computer, towards the media port of its relay."""
    hall = lab.model.halls[code]
    relay, port = _media(lab, code)
    made = lab.socket(hall.host, "", socket.SOCK_DGRAM)
    try:
        made.bind((str(hall.address), 0))
        made.connect((str(relay), port))
    except OSError:
        made.close()
        raise
    return made


def _ear(plant: Path) -> socket.socket:
    """Hears every frame of the plant that carries the mark, as the kernel hands it to a device."""
    with inside(plant):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    word = int.from_bytes(_WORD)
    program = (
        (_LOAD_WORD, 0, 0, _BARE),
        (_JUMP_EQUAL, 2, 0, word),
        (_LOAD_WORD, 0, 0, _OVERLAY),  # a frame that is too short is dropped
        (_JUMP_EQUAL, 0, 1, word),
        (_RETURN, 0, 0, 0xFFFF),
        (_RETURN, 0, 0, 0),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    made.setblocking(False)
    return made


def _listen(ear: socket.socket, run: bytes) -> dict[tuple[int, int], list[str]]:
    """(hall's number, copy) -> the devices that its packet left by, in order; returns when no more come."""
    seen: dict[tuple[int, int], list[str]] = defaultdict(list)
    poller = select.poll()
    poller.register(ear, select.POLLIN)
    quiet_at = time.monotonic() + _WAIT_S
    while (left := quiet_at - time.monotonic()) > 0:
        if not poller.poll(left * 1000):
            break
        frame, (device, _protocol, kind, *_) = ear.recvfrom(2048)
        if kind != _PACKET_OUTGOING:  # one for each cable: the frame leaves its middle, no fault has dropped it
            continue
        place = _BARE if frame[_BARE : _BARE + len(_WORD)] == _WORD else _OVERLAY
        if len(frame) >= place + _MARK.size:
            _word, mark, number, copy = _MARK.unpack_from(frame, place)
            if mark == run and device not in seen[number, copy]:
                seen[number, copy].append(device)
                quiet_at = time.monotonic() + _WAIT_S
    return seen

"""A camera's packets as a browser sizes them, without a camera.

WebRTC's packetisers split a frame into parts that differ by one octet at most, the longer ones last
(``RtpPacketizer::SplitAboutEqually``), so sizes change from frame to frame.
"""

from __future__ import annotations

import math
import random
import struct

MOST_BYTES = 1160  # payload of one packet, as browsers leave room for headers
_MEDIAN_BYTES, _SIGMA = 3600, 0.35
_NONIDR, _SPS = 0x41, 0x67
_MARK = struct.Struct("!BQI")  # NAL head, CLOCK_MONOTONIC in nanoseconds, check
_FILLER = random.Random(997).randbytes(4096)


def frame(chance: random.Random, sizes: str = "frames") -> list[int]:
    """Payload sizes of one frame's packets, about four: like a browser's, all ``equal``, or ``random``."""
    total = int(min(9000.0, max(1500.0, chance.lognormvariate(math.log(_MEDIAN_BYTES), _SIGMA))))
    count = -(-total // MOST_BYTES)
    if sizes == "equal":
        return [1060] * count
    if sizes == "random":
        return [chance.randint(200, MOST_BYTES) for _ in range(count)]
    part, longer = divmod(total, count)
    return [part + (number >= count - longer) for number in range(count)]


def payload(size: int, now_ns: int, *, keyframe: bool) -> bytes:
    """An H.264 NAL unit of this size (13 octets and more) that says when it was made and proves itself whole."""
    check = (now_ns * 2654435761 + size) & 0xFFFFFFFF
    start = check % 1024
    return _MARK.pack(_SPS if keyframe else _NONIDR, now_ns, check) + _FILLER[start : start + size - _MARK.size]


def made_ns(data: bytes) -> int | None:
    """When a payload was made; None when it is not, octet for octet, what ``payload`` made."""
    if len(data) < _MARK.size:
        return None
    head, now_ns, _ = _MARK.unpack_from(data)
    return now_ns if data == payload(len(data), now_ns, keyframe=head == _SPS) else None

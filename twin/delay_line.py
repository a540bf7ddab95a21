"""A delay line between two devices of the plant: every frame leaves the other side some milliseconds later.

Runs alone (``python -I delay_line.py LEFT RIGHT MILLISECONDS``) inside the plant's namespace, stdlib only. Frames
travel with their virtio-net header, so checksums and large segments left to the devices stay as they were.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import deque

_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_ETH_P_ALL = 3
_FRAME_BYTES = 10 + 65536 + 64  # virtio-net header, the largest segment, link-layer header
_QUEUE_FRAMES = 20_000


def _open(device: str) -> socket.socket:
    """A non-blocking packet socket that hears what arrives on ``device`` and not what leaves it."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.bind((device, _ETH_P_ALL))
    made.setblocking(False)
    return made


def main(left: str, right: str, delay_ms: float) -> None:
    """Carry frames for ever; a full queue drops, as a full buffer does."""
    ends = (_open(left), _open(right))
    peer = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting: deque[tuple[float, socket.socket, bytes]] = deque()
    print("ready", flush=True)
    while True:
        wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select(ends, (), (), wait)
        for end in readable:
            for _ in range(64):
                try:
                    frame = end.recv(_FRAME_BYTES)
                except OSError:  # nothing more, or the device is down for now
                    break
                if len(waiting) < _QUEUE_FRAMES:
                    waiting.append((time.monotonic() + delay_ms / 1000, peer[end], frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, end, frame = waiting.popleft()
            try:
                end.send(frame)
            except OSError:  # the device is down or its queue is full: the frame is lost
                continue


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))

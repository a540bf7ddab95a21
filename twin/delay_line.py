"""A delay line between two devices of the plant: every frame leaves the other side some milliseconds later.

Runs alone (``python -I delay_line.py LEFT RIGHT MILLISECONDS [JITTER]``) inside the plant's namespace, stdlib only.
Each frame waits up to JITTER milliseconds more, as in a queue: none overtakes another. Frames travel with their
virtio-net header, so checksums and large segments left to the devices stay as they were.
"""

from __future__ import annotations

import random
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


def main(left: str, right: str, delay_ms: float, jitter_ms: float = 0.0) -> None:
    """Carry frames for ever; a full queue drops, as a full buffer does."""
    ends = (_open(left), _open(right))
    peer = {ends[0]: ends[1], ends[1]: ends[0]}
    queues: dict[socket.socket, deque[tuple[float, bytes]]] = {end: deque() for end in ends}  # by where they leave
    print("ready", flush=True)
    while True:
        due = min((queue[0][0] for queue in queues.values() if queue), default=None)
        wait = None if due is None else max(0.0, due - time.monotonic())
        readable, _, _ = select.select(ends, (), (), wait)
        for end in readable:
            for _ in range(64):
                try:
                    frame = end.recv(_FRAME_BYTES)
                except OSError:  # nothing more, or the device is down for now
                    break
                queue = queues[peer[end]]
                if len(queue) < _QUEUE_FRAMES:
                    leaves = time.monotonic() + (delay_ms + random.random() * jitter_ms) / 1000
                    queue.append((max(leaves, queue[-1][0]) if queue else leaves, frame))
        now = time.monotonic()
        for end, queue in queues.items():
            while queue and queue[0][0] <= now:
                try:
                    end.send(queue.popleft()[1])
                except OSError:  # the device is down or its queue is full: the frame is lost
                    continue


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:]))

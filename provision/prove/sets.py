"""Sets of packets as products of interval sets.

A *span* is a set of whole numbers: sorted, disjoint, non-adjacent inclusive intervals.  A *box* is a product of five
spans (source, destination, protocol, source port, destination port); of ICMP the destination port is the type.  A
region is a list of boxes.  Every operation is exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

Span = tuple[tuple[int, int], ...]

ADDRESSES: Span = ((0, (1 << 32) - 1),)
PROTOCOLS: Span = ((0, 255),)
PORTS: Span = ((0, 65535),)
ICMP, TCP, UDP = 1, 6, 17
PROTOCOL_NUMBERS = {"icmp": ICMP, "igmp": 2, "tcp": TCP, "udp": UDP, "gre": 47, "esp": 50, "ah": 51, "ospf": 89,
                    "vrrp": 112, "sctp": 132}  # fmt: skip
PROTOCOL_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}


def span(*items: int | tuple[int, int]) -> Span:
    """A span of numbers and inclusive intervals in any order."""
    return normal((item, item) if isinstance(item, int) else item for item in items)


def normal(intervals: Iterable[tuple[int, int]]) -> Span:
    """Sorted, disjoint, adjacent intervals joined."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1] + 1:
            if high > found[-1][1]:
                found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return tuple(found)


def of_network(network: IPv4Network) -> Span:
    """The addresses of a prefix."""
    return ((int(network.network_address), int(network.broadcast_address)),)


def of_address(address: IPv4Address) -> Span:
    """One address."""
    return ((int(address), int(address)),)


def meet(a: Span, b: Span) -> Span:
    """What both hold."""
    if a is b or not a:
        return a
    if not b or a[-1][1] < b[0][0] or b[-1][1] < a[0][0]:
        return ()
    if len(b) == 1 and b[0][0] <= a[0][0] and a[-1][1] <= b[0][1]:
        return a
    if len(a) == 1 and a[0][0] <= b[0][0] and b[-1][1] <= a[0][1]:
        return b
    # Begin where they can first touch: one address is often looked for among hundreds of intervals.
    i = max(0, bisect_right(a, b[0]) - 1)
    j = max(0, bisect_right(b, a[0]) - 1)
    found = []
    while i < len(a) and j < len(b):
        (al, ah), (bl, bh) = a[i], b[j]
        low = al if al > bl else bl  # noqa: FURB136 - the hottest line there is
        high = ah if ah < bh else bh  # noqa: FURB136
        if low <= high:
            found.append((low, high))
        elif al > bh and j + 8 < len(b):
            j = max(j, bisect_right(b, a[i]) - 2)
        if ah < bh:
            i += 1
        else:
            j += 1
    return tuple(found)


def minus(a: Span, b: Span) -> Span:
    """What ``a`` holds and ``b`` does not."""
    if not a or not b or a[-1][1] < b[0][0] or b[-1][1] < a[0][0]:
        return a
    if b[0][0] <= a[0][0] and a[-1][1] <= b[0][1]:
        return ()
    found = []
    j = max(0, bisect_right(b, a[0]) - 1)
    for low, high in a:
        while j < len(b) and b[j][1] < low:
            j += 1
        at, k = low, j
        while k < len(b) and b[k][0] <= high:
            if b[k][0] > at:
                found.append((at, b[k][0] - 1))
            at = max(at, b[k][1] + 1)
            k += 1
        if at <= high:
            found.append((at, high))
    return tuple(found)


def join(a: Span, b: Span) -> Span:
    """What either holds."""
    return normal((*a, *b))


def size(a: Span) -> int:
    """How many numbers it holds."""
    return sum(high - low + 1 for low, high in a)


def within(number: int, a: Span) -> bool:
    """True when it holds the number."""
    return any(low <= number <= high for low, high in a)


class Box(NamedTuple):
    """A product of five spans, none of them empty."""

    src: Span = ADDRESSES
    dst: Span = ADDRESSES
    proto: Span = PROTOCOLS
    sport: Span = PORTS
    dport: Span = PORTS


ALL = Box()


def cut(a: Box, b: Box) -> Box | None:
    """What both hold, None when nothing."""
    src = meet(a[0], b[0])
    if not src:
        return None
    dst = meet(a[1], b[1])
    if not dst:
        return None
    proto = meet(a[2], b[2])
    if not proto:
        return None
    sport = meet(a[3], b[3])
    if not sport:
        return None
    dport = meet(a[4], b[4])
    return Box(src, dst, proto, sport, dport) if dport else None


def take(a: Box, b: Box) -> list[Box]:
    """What ``a`` holds and ``b`` does not: at most one box for each dimension, disjoint."""
    both = cut(a, b)
    if both is None:
        return [a]
    found = []
    rest = list(a)
    for place in range(5):
        left = minus(rest[place], both[place])
        if left:
            piece = rest.copy()
            piece[place] = left
            found.append(Box(*piece))
        rest[place] = both[place]
    return found


def subtract(boxes: Iterable[Box], others: Iterable[Box]) -> list[Box]:
    """What the boxes hold and none of the others does."""
    rest = list(boxes)
    for other in others:
        if not rest:
            break
        rest = [piece for box in rest for piece in take(box, other)]
    return rest


def overlap(boxes: Iterable[Box], others: Iterable[Box]) -> list[Box]:
    """What some box and some other hold."""
    listed = list(others)
    return [both for box in boxes for other in listed if (both := cut(box, other))]


def compact(boxes: Iterable[Box]) -> list[Box]:
    """Fewer boxes with the same packets: those that differ in one span only become one."""
    found = list(boxes)
    for place in range(5):
        groups: dict[tuple[Span, ...], Span] = {}
        for box in found:
            key = box[:place] + box[place + 1 :]
            groups[key] = join(groups[key], box[place]) if key in groups else box[place]
        found = [Box._make((*key[:place], value, *key[place:])) for key, value in groups.items()]
    return found


def disjoint(boxes: Iterable[Box]) -> list[Box]:
    """The same packets in boxes that do not overlap."""
    found: list[Box] = []
    for box in boxes:
        found += subtract([box], found)
    return found


def volume(boxes: Iterable[Box]) -> int:
    """How many packets; boxes must not overlap."""
    total = 0
    for box in boxes:
        product = 1
        for dimension in box:
            product *= size(dimension)
        total += product
    return total


class Packet(NamedTuple):
    """One packet, as an engineer names it."""

    src: int
    dst: int
    proto: int
    sport: int
    dport: int

    def box(self) -> Box:
        """The region that holds this packet alone."""
        one = [((number, number),) for number in self]
        return Box(one[0], one[1], one[2], one[3], one[4])

    def __str__(self) -> str:
        source, target = IPv4Address(self.src), IPv4Address(self.dst)
        name = PROTOCOL_NAMES.get(self.proto, str(self.proto))
        if self.proto in (TCP, UDP):
            return f"{source}:{self.sport} -> {target} {name}/{self.dport}"
        return f"{source} -> {target} {name}" + (f" type {self.dport}" if self.proto == ICMP else "")


_LIKELY_PROTOCOLS = (TCP, UDP, ICMP)
_LIKELY_PORTS = {TCP: (443, 80, 7077, 22), UDP: (123, 7077, 53), ICMP: (8,)}
_FREE_PORT = 40000


def sample(box: Box) -> Packet:
    """A packet of the box that a person would have chosen: TCP to a known port from a free one, where it can be."""
    proto = next((each for each in _LIKELY_PROTOCOLS if within(each, box.proto)), box.proto[0][0])
    likely = _LIKELY_PORTS.get(proto, ())
    dport = next((each for each in likely if within(each, box.dport)), box.dport[0][0])
    sport = _FREE_PORT if within(_FREE_PORT, box.sport) else box.sport[0][0]
    return Packet(box.src[0][0], box.dst[0][0], proto, sport, dport)

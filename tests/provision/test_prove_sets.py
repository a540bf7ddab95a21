"""Spans and boxes: every operation against plain sets of numbers."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from provision.prove import sets
from provision.prove.sets import Box, Packet, Span

NUMBERS = st.integers(0, 40)
spans = st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))), max_size=5).map(sets.normal)
some = spans.filter(bool)
boxes = st.builds(Box, some, some, some, some, some)


def numbers(span: Span) -> set[int]:
    return {number for low, high in span for number in range(low, high + 1)}


@given(spans, spans)
def test_spans_are_sets_of_numbers(a: Span, b: Span) -> None:
    assert numbers(sets.meet(a, b)) == numbers(a) & numbers(b)
    assert numbers(sets.minus(a, b)) == numbers(a) - numbers(b)
    assert numbers(sets.join(a, b)) == numbers(a) | numbers(b)
    assert sets.size(a) == len(numbers(a))


@given(spans, spans)
def test_spans_stay_normal(a: Span, b: Span) -> None:
    for found in (sets.meet(a, b), sets.minus(a, b), sets.join(a, b)):
        assert found == sets.normal(found)


@given(st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))), min_size=12, max_size=40), spans)
def test_long_spans_are_searched_from_where_they_touch(intervals: list[tuple[int, int]], b: Span) -> None:
    long = sets.normal((low * 7, low * 7 + 1) for low, _ in intervals)
    assert numbers(sets.meet(long, b)) == numbers(long) & numbers(b)
    assert numbers(sets.meet(b, long)) == numbers(long) & numbers(b)


def holds(box: Box, packet: tuple[int, ...]) -> bool:
    return all(sets.within(number, span) for number, span in zip(packet, box, strict=True))


@given(st.lists(boxes, max_size=3), st.lists(boxes, max_size=3), st.lists(st.tuples(*[NUMBERS] * 5), max_size=30))
def test_boxes_are_sets_of_packets(a: list[Box], b: list[Box], packets: list[tuple[int, ...]]) -> None:
    edges = [tuple(span[0][0] for span in box) for box in (*a, *b)] + [tuple(s[-1][1] for s in box) for box in (*a, *b)]
    left, both = sets.subtract(a, b), sets.overlap(a, b)
    fewer, apart = sets.compact(a), sets.disjoint(a)
    for packet in (*packets, *edges):
        in_a, in_b = any(holds(box, packet) for box in a), any(holds(box, packet) for box in b)
        assert any(holds(box, packet) for box in left) == (in_a and not in_b)
        assert any(holds(box, packet) for box in both) == (in_a and in_b)
        assert any(holds(box, packet) for box in fewer) == in_a
        assert sum(holds(box, packet) for box in apart) == int(in_a)


@given(boxes, boxes)
def test_pieces_of_a_cut_box_are_apart_and_whole(a: Box, b: Box) -> None:
    pieces = sets.take(a, b)
    both = sets.cut(a, b)
    assert sets.volume(pieces) + (sets.volume([both]) if both else 0) == sets.volume([a])
    assert not any(sets.cut(one, other) for one, other in product(pieces, pieces) if one is not other)


@given(boxes)
def test_a_sample_is_of_its_box(box: Box) -> None:
    packet = sets.sample(box)
    assert holds(box, packet)
    assert sets.cut(packet.box(), box) == packet.box()


def test_packets_read_as_an_engineer_writes_them() -> None:
    assert str(Packet(0x0A080001, 0x0A080002, sets.TCP, 40000, 443)) == "10.8.0.1:40000 -> 10.8.0.2 tcp/443"
    assert str(Packet(1, 2, sets.ICMP, 0, 8)) == "0.0.0.1 -> 0.0.0.2 icmp type 8"
    assert str(Packet(1, 2, 89, 0, 0)) == "0.0.0.1 -> 0.0.0.2 ospf"

"""STAMP packets and the figures made of them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.probe import stamp
from collectors.probe.figures import Answer, Probe, summarise

times = st.integers(min_value=0, max_value=(2**32 - stamp.NTP_OFFSET_S) * 10**9 - 1)
u32 = st.integers(min_value=0, max_value=2**32 - 1)
u16 = st.integers(min_value=0, max_value=2**16 - 1)


def test_ntp_format_is_rfc_5905s() -> None:
    assert stamp.to_ntp(0) == 2208988800 << 32
    assert stamp.to_ntp(500_000_000) == (2208988800 << 32) | 0x80000000


@given(times)
def test_time_survives_the_wire(at_ns: int) -> None:
    assert stamp.from_ntp(stamp.to_ntp(at_ns)) == at_ns


def test_era_1_after_2036() -> None:
    at_ns = 2_100_000_000 * 10**9  # 2036-07-18
    assert stamp.from_ntp(stamp.to_ntp(at_ns)) == at_ns


@given(u32, times, u16)
def test_sender_packet(sequence: int, at_ns: int, session: int) -> None:
    packet = stamp.SenderPacket(sequence, at_ns, session)
    data = stamp.build_sender(packet)
    assert len(data) == 44
    assert data[16:] == bytes(28)  # MBZ
    assert stamp.parse_sender(data) == packet


@given(u32, times, u16, times, u32, times, st.integers(0, 255))
def test_reflector_packet(
    sequence: int, sent: int, session: int, received: int, sender_sequence: int, sender_sent: int, ttl: int
) -> None:
    request = stamp.build_sender(stamp.SenderPacket(sender_sequence, sender_sent, session))
    packet = stamp.ReflectorPacket(sequence, sent, session, received, sender_sequence, sender_sent, ttl)
    data = stamp.build_reflector(packet, request)
    assert len(data) == 44
    assert data[28:38] == request[4:14]  # time and error estimate copied octet by octet
    assert stamp.parse_reflector(data) == packet


def test_padding_makes_a_packet_of_that_size() -> None:
    data = stamp.build_sender(stamp.SenderPacket(1, 0, 2), stamp.tlvs(1472))
    assert len(data) == 1472
    assert data[44:64] == bytes([0x80, 7, 0, 16]) + bytes(16)  # U set, Follow-Up Telemetry (RFC 8972, 4.7)
    assert data[64:68] == bytes([0x80, 1]) + (1472 - 68).to_bytes(2)  # U set, Extra Padding (RFC 8972, 4.1)
    assert len(stamp.tlvs()) == 20


@given(u32, times)
def test_the_answer_before_left_when_the_kernel_says(sequence: int, at_ns: int) -> None:
    told = stamp.FollowUp(sequence, at_ns)
    request = stamp.build_sender(stamp.SenderPacket(1, 0, 2), stamp.tlvs(100))
    data = stamp.build_reflector(stamp.ReflectorPacket(0, 0, 0, 0, 0, 0, 255, told), request)
    assert data[44] == data[64] == 0  # both recognised
    assert stamp.parse_reflector(data).follow_up == told
    first = stamp.build_reflector(stamp.ReflectorPacket(0, 0, 0, 0, 0, 0, 255), request)
    assert stamp.parse_reflector(first).follow_up is None


def test_what_a_reflector_does_not_know_goes_back_marked() -> None:
    packet = stamp.ReflectorPacket(0, 0, 0, 0, 0, 0, 255)
    unknown = stamp.build_sender(stamp.SenderPacket(1, 0, 2), bytes([0x00, 250, 0, 1, 7]))
    assert stamp.build_reflector(packet, unknown)[44:] == bytes([0x80, 250, 0, 1, 7])
    malformed = stamp.build_sender(stamp.SenderPacket(1, 0, 2), bytes([0x80, 1, 0, 9, 7]))
    assert stamp.build_reflector(packet, malformed)[44] == 0xC0


@given(st.binary(min_size=44, max_size=1500))
def test_an_answer_is_as_long_as_its_question(data: bytes) -> None:
    assert len(stamp.build_reflector(stamp.ReflectorPacket(0, 0, 0, 0, 0, 0, 255), data)) == len(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_refused(data: bytes) -> None:
    for parse in (stamp.parse_sender, stamp.parse_reflector):
        if len(data) < stamp.SIZE:
            with pytest.raises(stamp.BadPacket, match="octets"):
                parse(data)
        else:
            assert parse(data)[0] == struct.unpack_from("!I", data)[0]


def probes(answered: str, lost_back: frozenset[int] = frozenset()) -> list[Probe]:
    """A window: "+" answered, "-" lost; ``lost_back`` are those lost after the reflector had counted them."""
    found, count = [], 0
    for number, sign in enumerate(answered):
        sent = number * 1_000_000_000
        if sign == "+":
            found.append(Probe(number, sent, Answer(sent + 2_000_000, sent + 2_100_000, sent + 5_100_000, count)))
            count += 1
        else:
            found.append(Probe(number, sent, None))
            count += number in lost_back
    return found


def test_delay_of_each_way() -> None:
    figures = summarise(probes("++++"))
    assert (figures.forward_ms, figures.backward_ms, figures.rtt_ms) == (2.0, 3.0, 5.0)
    assert (figures.forward_jitter_ms, figures.backward_jitter_ms) == (0.0, 0.0)
    assert figures.loss_ratio == 0


def test_loss_is_given_to_the_right_way() -> None:
    there = summarise(probes("++--++"))
    assert (there.loss_forward_ratio, there.loss_backward_ratio) == (0.3333, 0.0)
    back = summarise(probes("++--++", frozenset({2, 3})))
    assert (back.loss_forward_ratio, back.loss_backward_ratio) == (0.0, 0.3333)
    assert there.loss_ratio == back.loss_ratio == 0.3333


def test_nothing_came_back() -> None:
    figures = summarise(probes("----"))
    assert figures.loss_ratio == 1
    assert figures.loss_forward_ratio is None
    assert figures.rtt_ms is None


@given(st.text("+-", max_size=60), st.frozensets(st.integers(0, 60)))
def test_figures_are_consistent(answered: str, lost_back: frozenset[int]) -> None:
    figures = summarise(probes(answered, lost_back))
    assert figures.sent == len(answered)
    assert figures.lost == answered.count("-")
    if figures.loss_forward_ratio is not None and figures.loss_backward_ratio is not None:
        assert 0 <= figures.loss_forward_ratio <= 1
        assert 0 <= figures.loss_backward_ratio <= 1
    assert figures.lost_forward + figures.lost_backward <= figures.lost
    assert figures.lossy_trains <= figures.lost

"""RTP and RTCP: round trips, agreement with aiortc's own code, and garbage that raises our errors alone."""

from __future__ import annotations

import pytest
from aiortc import rtp as reference
from hypothesis import given
from hypothesis import strategies as st

from vconf.media import rtcp, rtp

PACKETS = st.builds(
    rtp.Packet,
    st.integers(0, 127),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=300),
    marker=st.integers(0, 1),
    extensions=st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=6),
)


def _fields(packet: rtp.Packet) -> tuple[object, ...]:
    return (
        packet.payload_type,
        packet.sequence,
        packet.timestamp,
        packet.ssrc,
        packet.payload,
        packet.marker,
        packet.extensions,
    )


@given(PACKETS)
def test_a_packet_comes_back(packet: rtp.Packet) -> None:
    assert _fields(rtp.parse(rtp.serialise(packet))) == _fields(packet)


@given(PACKETS)
def test_another_implementation_reads_the_same(packet: rtp.Packet) -> None:
    other = reference.RtpPacket.parse(rtp.serialise(packet))
    assert (other.payload_type, other.sequence_number, other.timestamp, other.ssrc, other.payload, other.marker) == (
        *_fields(packet)[:5],
        packet.marker,
    )


@given(st.binary(max_size=120), st.binary(max_size=60))
def test_garbage_raises_our_errors_alone(head: bytes, tail: bytes) -> None:
    for data in (
        head,
        b"\x90" + head,
        b"\xb2" + head + tail,
        b"\x80\xc8\x00\x06" + head,
        b"\x8f\xcd" + head,
        b"\x80\xcc\x00\x05" + head,
    ):
        try:
            rtp.parse(data)
        except rtp.RtpError:
            pass
        try:
            rtcp.parse(data)
        except rtcp.RtcpError:
            pass


def test_padding_is_taken_off_and_checked() -> None:
    plain = rtp.serialise(rtp.Packet(96, 1, 2, 3, b"abc"))
    padded = bytes((plain[0] | 0x20,)) + plain[1:] + b"\0\0\0\4"
    assert rtp.parse(padded).payload == b"abc"
    with pytest.raises(rtp.RtpError):
        rtp.parse(padded[:-1] + b"\xff")


def test_two_byte_extensions_are_read() -> None:
    assert rtp.parse_extensions(0x1000, b"\x05\x03abc\x00\x10\x00") == {5: b"abc", 16: b""}


@given(st.integers(0, 0xFFFF), st.integers(0, 0x7FFF))
def test_newer_goes_round_the_circle(sequence: int, ahead: int) -> None:
    later = (sequence + ahead) & 0xFFFF
    assert rtp.newer(later, sequence) == (ahead != 0)


def test_rtx_gives_the_original_back_and_probes_nothing() -> None:
    packet = rtp.Packet(97, 500, 9000, 7, b"\x12\x34payload", marker=1, extensions={1: b"0"})
    original = rtp.unwrap_rtx(packet, 96, 6)
    assert original is not None
    assert (original.sequence, original.ssrc, original.payload_type, original.payload) == (0x1234, 6, 96, b"payload")
    assert rtp.unwrap_rtx(rtp.Packet(97, 501, 9000, 7, b""), 96, 6) is None


BLOCKS = st.builds(
    rtcp.ReportBlock,
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 255),
    st.integers(-0x800000, 0x7FFFFF),
    *[st.integers(0, 0xFFFFFFFF)] * 4,
)


@given(st.lists(BLOCKS, max_size=70))
def test_receiver_reports_come_back(blocks: list[rtcp.ReportBlock]) -> None:
    found = rtcp.parse(rtcp.pack_receiver_report(9, blocks))
    assert [block for report in found if isinstance(report, rtcp.ReceiverReport) for block in report.reports] == blocks
    assert all(isinstance(report, rtcp.ReceiverReport) and report.ssrc == 9 for report in found)


@given(st.sets(st.integers(0, 0xFFFF), max_size=80))
def test_nacks_come_back_and_another_implementation_reads_them(sequences: set[int]) -> None:
    data = rtcp.pack_nack(1, 2, sorted(sequences))
    (found,) = rtcp.parse(data)
    assert isinstance(found, rtcp.Nack)
    assert set(found.sequences) == sequences
    (other,) = reference.RtcpPacket.parse(data)
    assert isinstance(other, reference.RtcpRtpfbPacket)
    assert set(other.lost) == sequences


def test_other_packets_are_read_by_another_implementation() -> None:
    report = rtcp.SenderReport(11, 0x0123456789ABCDEF, 90_000, 5, 600)
    data = rtcp.pack_sender_report(report) + rtcp.pack_sdes(11, "t01") + rtcp.pack_pli(1, 11)
    sr, sdes, pli = reference.RtcpPacket.parse(data)
    assert isinstance(sr, reference.RtcpSrPacket)
    assert isinstance(sdes, reference.RtcpSdesPacket)
    assert isinstance(pli, reference.RtcpPsfbPacket)
    assert (sr.ssrc, sr.sender_info.ntp_timestamp, sr.sender_info.rtp_timestamp) == (11, report.ntp, 90_000)
    assert sdes.chunks[0].ssrc == 11
    assert (pli.fmt, pli.media_ssrc) == (reference.RTCP_PSFB_PLI, 11)
    assert rtcp.parse(data) == [report, rtcp.KeyframeRequest(11)]


@given(
    st.binary(min_size=4, max_size=4),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=128),
)
def test_an_applications_pairs_come_back(name: bytes, pairs: list[tuple[int, int]]) -> None:
    assert rtcp.parse(rtcp.pack_app(7, name, pairs)) == [rtcp.App(name, tuple(pairs))]


def test_remb_of_another_implementation_is_read() -> None:
    fci = reference.pack_remb_fci(2_500_000, [1, 2])
    data = bytes(reference.RtcpPsfbPacket(fmt=reference.RTCP_PSFB_APP, ssrc=3, media_ssrc=0, fci=fci))
    (found,) = rtcp.parse(data)
    assert isinstance(found, rtcp.Remb)
    assert found.media == (1, 2)
    assert abs(found.bps - 2_500_000) < 2_500_000 / 100_000

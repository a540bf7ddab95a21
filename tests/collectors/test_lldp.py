"""LLDP frames, and what they say against the model."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.agent import lldp
from collectors.strangers import wrong_neighbour
from inventory.load import load_model

words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=40)


@given(words, words, st.binary(min_size=6, max_size=6))
def test_what_is_sent_is_read(host: str, port: str, mac: bytes) -> None:
    frame = lldp.build(host, port, mac)
    assert frame[:6] == lldp.NEAREST_BRIDGE
    found = lldp.parse(frame)
    assert (found.chassis, found.port, found.name, found.ttl_s) == (host, port, host, lldp.TTL_S)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(tail: bytes) -> None:
    try:
        found = lldp.parse(lldp.NEAREST_BRIDGE + bytes(6) + struct.pack("!H", lldp.ETHERTYPE) + tail)
    except lldp.BadFrame:
        return
    assert 0 <= found.ttl_s < 65536
    assert found.name.isprintable()


MANDATORY = len("..Tc1-core..Tp1..SS")  # chassis, port and time to live with their heads; what follows may be missing


@pytest.mark.parametrize("kept", range(MANDATORY))
def test_a_cut_off_frame_is_refused(kept: int) -> None:
    frame = lldp.build("c1-core", "p1", bytes(6))
    with pytest.raises(lldp.BadFrame):
        lldp.parse(frame[: 14 + kept])
    assert lldp.parse(frame[: 14 + MANDATORY]).port == "p1"


def test_another_vendors_frame_is_read() -> None:
    """Chassis and port by MAC (subtypes 4 and 3), more TLVs between, as switches send them."""

    def tlv(kind: int, value: bytes) -> bytes:
        return struct.pack("!H", kind << 9 | len(value)) + value

    mac = bytes.fromhex("00e0fc123456")
    body = tlv(1, b"\x04" + mac) + tlv(2, b"\x03" + mac) + tlv(3, b"\x00\x78") + tlv(4, b"GE0/0/1") + tlv(5, b"S5720")
    found = lldp.parse(lldp.NEAREST_BRIDGE + mac + b"\x88\xcc" + body + tlv(127, b"\x00\x80\xc2\x01") + tlv(0, b""))
    assert found == lldp.Neighbour("00:e0:fc:12:34:56", "00:e0:fc:12:34:56", 120, "S5720")


def test_crossed_cables_and_strangers_are_told() -> None:
    model = load_model("xiao")
    port = model.hosts["c1-core"].port("p101")
    right = {"name": port.peer_host, "chassis": port.peer_host, "port": port.peer_port, "mac": "02:00:00:00:00:01"}
    assert wrong_neighbour(model, "c1-core", "p101", right) is None
    crossed = wrong_neighbour(model, "c1-core", "p101", {**right, "name": "t02-rt", "port": "p104"})
    assert crossed is not None
    assert crossed.words == "c1-core p101: found t02-rt p104, expected t01-rt p101"
    stranger = wrong_neighbour(model, "c1-core", "p9999", right)
    assert stranger is not None
    assert stranger.detail["expected"] == "nothing"

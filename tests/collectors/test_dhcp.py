"""DHCP: our question as a whole frame, and whatever answers to it."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.agent import dhcp
from collectors.agent.frames import device_mac, packet_socket

MAC = bytes([2, 0x53, 1, 0, 11, 1])


def offer(options: bytes, message: int = 2) -> bytes:
    """A server's frame with these options."""
    bootp = bytes([message, 1, 6, 0]) + bytes(12) + bytes([10, 8, 11, 50]) + bytes(216)
    payload = bootp + bytes.fromhex("63825363") + options
    udp = struct.pack("!4H", 67, 68, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([10, 8, 11, 9]), b"\xff" * 4)
    return b"\xff" * 6 + MAC + b"\x08\x00" + head + udp


def test_an_offer_names_its_server() -> None:
    found = dhcp.parse(offer(bytes([53, 1, 2, 54, 4, 10, 8, 11, 7, 255])))
    assert found == dhcp.Offer("02:53:01:00:0b:01", "10.8.11.7", "10.8.11.50")
    assert dhcp.parse(offer(bytes([0, 0, 53, 1, 5, 255]))).server == "10.8.11.9"  # its packet's source


@pytest.mark.parametrize("options", [b"", b"\xff", bytes([53, 1, 1, 255]), bytes([53, 9, 2]), bytes([53])])
def test_what_is_no_offer_is_refused(options: bytes) -> None:
    with pytest.raises(dhcp.BadOffer):
        dhcp.parse(offer(options))


@given(st.binary(max_size=300))
def test_any_options_are_an_offer_or_refused(options: bytes) -> None:
    try:
        found = dhcp.parse(offer(options))
    except dhcp.BadOffer:
        return
    assert found.offered == "10.8.11.50"


@given(st.binary(max_size=700))
def test_any_frame_is_an_offer_or_refused(frame: bytes) -> None:
    try:
        dhcp.parse(frame)
    except dhcp.BadOffer:
        return


@given(st.binary(min_size=6, max_size=6), st.integers(0, 2**32 - 1))
def test_our_question_has_a_right_checksum(mac: bytes, transaction: int) -> None:
    frame = dhcp.discover(mac, transaction)
    total = sum(struct.unpack("!10H", frame[14:34]))
    assert (total & 0xFFFF) + (total >> 16) in (0xFFFF, 0x1FFFE)  # RFC 1071
    with pytest.raises(dhcp.BadOffer):
        dhcp.parse(frame)  # a question is no answer


@pytest.fixture
def rogue() -> Iterator[str]:
    """Debian's dnsmasq behind a cable of ours; gives our end's name."""
    if shutil.which("dnsmasq") is None:
        pytest.fail("dnsmasq is not installed: scripts/setup installs dnsmasq-base")
    lines = [
        "ip netns add rogue-test",
        "ip link add rogue0 type veth peer name eth0 netns rogue-test",
        "ip link set rogue0 up",
        "ip -n rogue-test addr add 10.99.0.1/24 dev eth0",
        "ip -n rogue-test link set eth0 up",
        "ip -n rogue-test link set lo up",
    ]
    server: subprocess.Popen[bytes] | None = None
    try:
        for line in lines:
            subprocess.run(line.split(), check=True)
        words = (
            "ip netns exec rogue-test dnsmasq --no-daemon --conf-file=/dev/null --port=0 --interface=eth0 --no-ping"
            " --dhcp-range=10.99.0.50,10.99.0.60,1h --leasefile-ro --user=root"
        )
        server = subprocess.Popen(words.split(), stderr=subprocess.DEVNULL)
        yield "rogue0"
    finally:
        if server is not None:
            server.terminate()
            server.wait(60)
        subprocess.run(["ip", "netns", "del", "rogue-test"], check=False)


@pytest.mark.twin
def test_a_real_server_answers_our_question(rogue: str) -> None:
    link = packet_socket("", 0, dhcp.FILTER)
    link.bind((rogue, 0x0800))
    with link:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            link.send(dhcp.discover(device_mac(link, rogue), 7))
            time.sleep(0.5)
            try:
                found = dhcp.parse(link.recv(2048))
            except BlockingIOError:
                continue
            assert found.server == "10.99.0.1"
            assert found.offered.startswith("10.99.0.")
            return
    pytest.fail("no offer was heard in 15 s")

"""STUN: what we build is what RFC 5769 and an independent parser expect; garbage raises StunError alone."""

from __future__ import annotations

from aioice import stun as reference
from hypothesis import given
from hypothesis import strategies as st

from vconf.media import stun

TRANSACTION = b"abcdefghijkl"


def test_a_request_is_read_back_and_verified() -> None:
    data = stun.request(TRANSACTION, "server:client", b"secret", nominate=True)
    message = stun.parse(data)
    assert message.username == "server:client"
    assert stun.USE_CANDIDATE in message.attributes
    assert stun.verify(data, message, b"secret")
    assert not stun.verify(data, message, b"Secret")


def test_the_published_request_is_verified() -> None:
    """RFC 5769 section 2.1."""
    data = bytes.fromhex(
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
        "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
    )
    message = stun.parse(data)
    assert message.username == "evtj:h6vY"
    assert stun.verify(data, message, b"VOkJxbRl1RmTxUk/WvJxBt")


def test_an_answer_is_understood_by_another_implementation() -> None:
    asked = stun.parse(stun.request(TRANSACTION, "a:b", b"secret"))
    answer = reference.parse_message(stun.success(asked, ("10.8.11.10", 50123), b"secret"))
    answer.check_message_integrity(b"secret")
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == ("10.8.11.10", 50123)
    assert answer.transaction_id == TRANSACTION
    conflict = reference.parse_message(stun.role_conflict(asked, b"secret"))
    conflict.check_message_integrity(b"secret")
    assert conflict.attributes["ERROR-CODE"][0] == 487


@given(st.integers(min_value=0, max_value=2**20), st.binary(min_size=1, max_size=1))
def test_one_changed_byte_is_noticed(place: int, value: bytes) -> None:
    data = stun.request(TRANSACTION, "server:client", b"secret")
    at = place % (len(data) - 8)  # what follows MESSAGE-INTEGRITY is only a checksum
    if data[at : at + 1] == value:
        return
    changed = data[:at] + value + data[at + 1 :]
    try:
        message = stun.parse(changed)
    except stun.StunError:
        return
    assert not stun.verify(changed, message, b"secret")


@given(st.binary(max_size=200))
def test_garbage_raises_stun_error_alone(data: bytes) -> None:
    header = b"\0\1" + (max(0, len(data)) & ~3).to_bytes(2) + stun.COOKIE.to_bytes(4) + TRANSACTION
    for candidate in (data, header + data[: len(data) & ~3]):
        try:
            message = stun.parse(candidate)
            stun.verify(candidate, message, b"x")
            _ = message.username
        except stun.StunError:
            pass

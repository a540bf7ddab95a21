"""The private names of aiortc that the media room leans on: a new version that moves one fails here."""

from __future__ import annotations

import inspect

import aiortc
from aiortc.rtcdtlstransport import RTCDtlsTransport, State

from vconf.media import srtp


def test_the_version_is_the_pinned_one() -> None:
    assert aiortc.__version__ == "1.16.0"


def test_the_names_are_where_they_were() -> None:
    assert not inspect.iscoroutinefunction(RTCDtlsTransport._setup_srtp)
    assert inspect.iscoroutinefunction(RTCDtlsTransport.start)
    assert list(inspect.signature(RTCDtlsTransport._set_role).parameters) == ["self", "role"]
    assert list(inspect.signature(RTCDtlsTransport._set_state).parameters) == ["self", "state"]
    source = inspect.getsource(RTCDtlsTransport)
    for name in ("self._srtp_profiles", "self._ssl", "self._task", "self._rx_srtp"):
        assert name in source
    assert "self._rx_srtp:" in inspect.getsource(RTCDtlsTransport._recv_next)  # none: media never enters aiortc
    assert {"FAILED", "CONNECTED"} <= set(State.__members__)


def test_gcm_is_offered_first() -> None:
    assert [profile.openssl_profile for profile in srtp.PROFILES] == [
        b"SRTP_AEAD_AES_128_GCM",
        b"SRTP_AEAD_AES_256_GCM",
        b"SRTP_AES128_CM_SHA1_80",
    ]


def test_both_ends_make_the_same_keys() -> None:
    for profile in srtp.PROFILES:
        material = bytes(range(256))[: srtp.keying_bytes(profile)]
        server, client = (srtp.pair(srtp.keys(profile, material, server=side)) for side in (True, False))
        data = b"\x80\x60\0\1" + b"\0" * 20
        assert client.inbound.unprotect(server.outbound.protect(data)) == data
        assert server.inbound.unprotect(client.outbound.protect(data)) == data
        assert server.profile == profile.openssl_profile.decode()

"""SRTP contexts of one transport, made from DTLS keying material (RFC 5764 section 4.2, RFC 3711)."""

from __future__ import annotations

from dataclasses import dataclass

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    SRTPProtectionProfile,
)
from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

PROFILES: tuple[SRTPProtectionProfile, ...] = (
    SRTP_AEAD_AES_128_GCM,  # the cheapest a packet, and as strong as the county's certificates
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,  # RFC 8827 asks every browser for this one
)
"""What the server offers to choose, its own order first."""

LABEL = b"EXTRACTOR-dtls_srtp"
_REPLAY_WINDOW = 1024
_BUFFER_BYTES = 2048
_MOST_BYTES = _BUFFER_BYTES - 144  # SRTP_MAX_TRAILER_LEN: tag and key identifier


class Outbound:
    """Protects what we send: pylibsrtp's session with buffers made once, because this runs for every packet sent.

    ``Session.protect`` makes a new C object for every packet; leaning on ``Session._srtp`` halves the cost
    (tests/vconf/test_dtls.py holds that name).
    """

    def __init__(self, session: Session) -> None:
        self._session = session  # keeps the C session alive
        self._context = session._srtp[0]
        self._buffer = ffi.new("char[]", _BUFFER_BYTES)
        self._view = ffi.buffer(self._buffer)
        self._length = ffi.new("int *")

    def protect(self, packet: bytes) -> bytes:
        """SRTP of one RTP packet; raises ``pylibsrtp.Error`` or, when it is too long, ValueError."""
        size = len(packet)
        if size > _MOST_BYTES:
            raise ValueError(f"a packet of {size} bytes, at most {_MOST_BYTES}")
        self._view[0:size] = packet
        self._length[0] = size
        failure = lib.srtp_protect(self._context, self._buffer, self._length)
        if failure:
            raise Error(f"libsrtp error {failure}")
        return bytes(self._view[0 : self._length[0]])

    def protect_rtcp(self, packet: bytes) -> bytes:
        """SRTCP of one compound; errors as in pylibsrtp."""
        return self._session.protect_rtcp(packet)


@dataclass(frozen=True, slots=True)
class SrtpPair:
    """Both directions of one transport.  Methods raise ``pylibsrtp.Error`` on a bad packet."""

    inbound: Session
    outbound: Outbound
    profile: str  # RFC 5764 name


def keying_bytes(profile: SRTPProtectionProfile) -> int:
    """How much keying material the profile needs for both directions."""
    return 2 * (profile.key_length + profile.salt_length)


def pair(profile: SRTPProtectionProfile, material: bytes, *, server: bool) -> SrtpPair:
    """Both sessions; the server sends with the second key (RFC 5764 section 4.2)."""
    return SrtpPair(
        inbound=_session(profile, profile.get_key_and_salt(material, 0 if server else 1), Policy.SSRC_ANY_INBOUND),
        outbound=Outbound(
            _session(profile, profile.get_key_and_salt(material, 1 if server else 0), Policy.SSRC_ANY_OUTBOUND)
        ),
        profile=profile.openssl_profile.decode(),
    )


def _session(profile: SRTPProtectionProfile, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile.libsrtp_profile)
    policy.allow_repeat_tx = True  # a receiver without RTX gets the same packet again
    policy.window_size = _REPLAY_WINDOW
    return Session(policy)

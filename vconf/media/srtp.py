"""SRTP contexts of one transport, made from DTLS keying material (RFC 5764 section 4.2, RFC 3711)."""

from __future__ import annotations

from dataclasses import dataclass

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    SRTPProtectionProfile,
)
from pylibsrtp import Policy, Session

PROFILES: tuple[SRTPProtectionProfile, ...] = (
    SRTP_AEAD_AES_128_GCM,  # the cheapest a packet, and as strong as the county's certificates
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,  # RFC 8827 asks every browser for this one
)
"""What the server offers to choose, its own order first."""

LABEL = b"EXTRACTOR-dtls_srtp"
_REPLAY_WINDOW = 1024


@dataclass(frozen=True, slots=True)
class SrtpPair:
    """Both directions of one transport.  ``Session`` methods raise ``pylibsrtp.Error`` on a bad packet."""

    inbound: Session
    outbound: Session
    profile: str  # RFC 5764 name


def keying_bytes(profile: SRTPProtectionProfile) -> int:
    """How much keying material the profile needs for both directions."""
    return 2 * (profile.key_length + profile.salt_length)


def pair(profile: SRTPProtectionProfile, material: bytes, *, server: bool) -> SrtpPair:
    """Both sessions; the server sends with the second key (RFC 5764 section 4.2)."""
    return SrtpPair(
        inbound=_session(profile, profile.get_key_and_salt(material, 0 if server else 1), Policy.SSRC_ANY_INBOUND),
        outbound=_session(profile, profile.get_key_and_salt(material, 1 if server else 0), Policy.SSRC_ANY_OUTBOUND),
        profile=profile.openssl_profile.decode(),
    )


def _session(profile: SRTPProtectionProfile, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile.libsrtp_profile)
    policy.allow_repeat_tx = True  # a receiver without RTX gets the same packet again
    policy.window_size = _REPLAY_WINDOW
    return Session(policy)

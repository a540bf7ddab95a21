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

from vconf.media.plane import Keys

PROFILES: tuple[SRTPProtectionProfile, ...] = (
    SRTP_AEAD_AES_128_GCM,  # the cheapest a packet, and as strong as the county's certificates
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,  # RFC 8827 asks every browser for this one
)
"""What the server offers to choose, its own order first."""

LABEL = b"EXTRACTOR-dtls_srtp"
_REPLAY_WINDOW = 1024
_SENT_WINDOW = 128  # libsrtp moves all of it along with every packet; only packets without RTX are sent twice
_TAG_BYTES = {p.libsrtp_profile: 10 if p is SRTP_AES128_CM_SHA1_80 else 16 for p in PROFILES}


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Both directions of one transport, and the profile's name (RFC 5764)."""

    inbound: Keys
    outbound: Keys
    profile: str


@dataclass(frozen=True, slots=True)
class SrtpPair:
    """Sessions of both directions.  Methods raise ``pylibsrtp.Error`` on a bad packet."""

    inbound: Session
    outbound: Session
    profile: str


def keying_bytes(profile: SRTPProtectionProfile) -> int:
    """How much keying material the profile needs for both directions."""
    return 2 * (profile.key_length + profile.salt_length)


def keys(profile: SRTPProtectionProfile, material: bytes, *, server: bool) -> SrtpKeys:
    """Both directions; the server sends with the second key (RFC 5764 section 4.2)."""
    first, second = (Keys(profile.libsrtp_profile, profile.get_key_and_salt(material, side)) for side in (0, 1))
    name = profile.openssl_profile.decode()
    return SrtpKeys(first, second, name) if server else SrtpKeys(second, first, name)


def pair(made: SrtpKeys) -> SrtpPair:
    """Sessions of both directions, for an end that sends and receives a few packets."""
    return SrtpPair(session(made.inbound, inbound=True), session(made.outbound, inbound=False), made.profile)


def session(made: Keys, *, inbound: bool) -> Session:
    """One direction."""
    direction = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    policy = Policy(key=made.key, ssrc_type=direction, srtp_profile=made.profile)
    policy.allow_repeat_tx = True  # a receiver without RTX gets the same packet again
    policy.window_size = _REPLAY_WINDOW if inbound else _SENT_WINDOW
    return Session(policy)


def tag_bytes(made: Keys) -> int:
    """What protecting an RTP packet adds."""
    return _TAG_BYTES[made.profile]

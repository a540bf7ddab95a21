"""Offers of WHIP publishers and WHEP viewers as ORTC parameters, and our answers (RFC 8866, RFC 9725 section 4.4).

An offer comes from outside: whatever it says, ``SdpError`` is the one thing raised.  The answer keeps the offer's
payload types and extension ids, because the offerer alone may give them (RFC 8829 section 5.3.1).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceParameters
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters
from aiortc.sdp import GroupDescription, MediaDescription, SessionDescription, SsrcDescription

from vconf.media.capabilities import AUDIO_LEVEL, MID, ORIENTATION, TRANSPORT_CC
from vconf.media.ortc import router_codec
from vconf.whip.wire import MOST_CHARACTERS, SdpError

MOST_SECTIONS = 16
_MEDIA = ("audio", "video")
_TAKEN = {"audio": (MID, TRANSPORT_CC, AUDIO_LEVEL), "video": (MID, TRANSPORT_CC, ORIENTATION)}
_FEEDBACK_IN = {("nack", None), ("nack", "pli"), ("ccm", "fir"), ("transport-cc", None)}
_FEEDBACK_OUT = {("nack", None), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", None)}


@dataclass(frozen=True, slots=True)
class Section:
    """One m-section of the offer; ``codecs``: of ours, in the offer's order, RTX behind each."""

    kind: str
    mid: str
    media: MediaDescription
    codecs: tuple[RTCRtpCodecParameters, ...] = ()  # none: the section is refused

    @property
    def types(self) -> dict[str, int]:
        """Our payload type (as JSON keys are) -> the offerer's own."""
        found, ours = {}, 0
        for codec in self.codecs:
            ours = ours + 1 if codec.name == "rtx" else int(router_codec(codec.name.lower())["preferredPayloadType"])
            found[str(ours)] = int(codec.payloadType or 0)
        return found

    @property
    def capabilities(self) -> dict[str, Any]:
        """rtpCapabilities of a receiver, in our payload types."""
        return {
            "codecs": [
                {"mimeType": codec.mimeType.lower(), "preferredPayloadType": int(ours)}
                for ours, codec in zip(self.types, self.codecs, strict=True)
            ]
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """rtpParameters of a sender: its first codec, its SSRCs."""
        repaired = {int(g.items[0]): int(g.items[1]) for g in self.media.ssrc_group if _is_pair(g)}
        first = next((each.ssrc for each in self.media.ssrc if each.ssrc not in repaired.values()), None)
        if first is None:
            raise SdpError(f"mid {self.mid}: no a=ssrc, expected the SSRC of what is sent (RFC 5576)")
        chosen = self.codecs[:2] if len(self.codecs) > 1 and self.codecs[1].name == "rtx" else self.codecs[:1]
        return {
            "mid": self.mid,
            "codecs": [
                {
                    "mimeType": codec.mimeType,
                    "payloadType": codec.payloadType,
                    "clockRate": codec.clockRate,
                    "parameters": dict(codec.parameters),
                }
                for codec in chosen
            ],
            "headerExtensions": [{"uri": each.uri, "id": each.id} for each in self._extensions()],
            "encodings": [{"ssrc": first} | ({"rtx": {"ssrc": repaired[first]}} if first in repaired else {})],
        }

    def _extensions(self) -> list[Any]:
        return [each for each in self.media.rtp.headerExtensions if each.uri in _TAKEN[self.kind]]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the other side wants."""

    fingerprints: list[dict[str, str]]
    sections: tuple[Section, ...]

    @property
    def wanted(self) -> list[Section]:
        """The sections that are answered with media."""
        return [section for section in self.sections if section.codecs]


def read(text: str, *, sends: bool) -> Offer:
    """Read an offer.

    Args:
        text: The request's body.
        sends: True for a publisher, whose sections send; False for a viewer, whose sections receive.

    Raises:
        SdpError: It is no SDP, or nothing of it can be served; the text says what was expected.
    """
    if len(text) > MOST_CHARACTERS:
        raise SdpError(f"{len(text)} characters, expected at most {MOST_CHARACTERS}", malformed=True)
    try:
        session = SessionDescription.parse(text)
    except Exception as error:  # the parser stumbles in its own ways over broken lines
        raise SdpError(f"no SDP: {type(error).__name__}: {str(error)[:80]}", malformed=True) from None
    if not 1 <= len(session.media) <= MOST_SECTIONS:
        raise SdpError(f"{len(session.media)} m-sections, expected 1 to {MOST_SECTIONS}", malformed=True)
    bundled = {str(mid) for group in session.group if group.semantic == "BUNDLE" for mid in group.items}
    directions = ("sendonly", "sendrecv", None) if sends else ("recvonly", "sendrecv", None)
    sections: list[Section] = []
    for media in session.media:
        mid = media.rtp.muxId
        codecs: tuple[RTCRtpCodecParameters, ...] = ()
        if any(section.mid == mid for section in sections):
            raise SdpError(f"mid {mid!r} twice, expected one of its own for each m-section", malformed=True)
        if len(session.media) > 1 and media.port and mid not in bundled:
            raise SdpError(f"mid {mid}: not in a=group:BUNDLE, expected one transport for all (RFC 9725 section 4.4.1)")
        if media.kind in _MEDIA and media.direction in directions and media.port:
            codecs = _codecs(media)
        sections.append(Section(media.kind, mid, media, codecs))
    offer = Offer(_fingerprints(session), tuple(sections))
    if not offer.wanted:
        raise SdpError(
            f"nothing to {'take' if sends else 'give'}: expected Opus, and H.264 constrained baseline with "
            f"packetization-mode 1 or VP8, {'sendonly' if sends else 'recvonly'}"
        )
    return offer


@dataclass(frozen=True, slots=True)
class Given:
    """What a viewer gets in a section."""

    ssrc: int
    rtx_ssrc: int  # 0: none
    cname: str


def answer(offer: Offer, transport: dict[str, Any], given: dict[str, Given] | None = None) -> str:
    """Our answer: ICE-lite, DTLS server, one candidate.

    Args:
        offer: What was read.
        transport: As ``createTransport`` answers.
        given: For a viewer, by mid; None for a publisher.
    """
    session = SessionDescription()
    session.origin = f"- {secrets.randbits(62)} 1 IN IP4 0.0.0.0"
    session.group = [GroupDescription("BUNDLE", [s.mid for s in offer.sections if _accepted(s, given)])]
    session.msid_semantic = [GroupDescription("WMS", ["*"])]
    session.media = [_answered(section, transport, given) for section in offer.sections]
    return str(session)


def restarted(offer: Offer, transport: dict[str, Any], given: dict[str, Given] | None = None) -> str:
    """New ICE credentials as a fragment (RFC 9725 section 4.3.3)."""
    first = next(section for section in offer.sections if _accepted(section, given))
    ice, lines = (
        transport["iceParameters"],
        ["a=ice-lite", f"m={first.kind} 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{first.mid}"],
    )
    lines += [f"a=ice-ufrag:{ice['usernameFragment']}", f"a=ice-pwd:{ice['password']}"]
    media = MediaDescription(first.kind, 9, "", [0])
    media.ice, media.ice_candidates = RTCIceParameters(), _candidates(transport)
    lines += [line for line in str(media).splitlines() if line.startswith("a=candidate")]
    return "\r\n".join([*lines, "a=end-of-candidates"]) + "\r\n"


def _accepted(section: Section, given: dict[str, Given] | None) -> bool:
    return bool(section.codecs) and (given is None or section.mid in given)


def _answered(section: Section, transport: dict[str, Any], given: dict[str, Given] | None) -> MediaDescription:
    theirs, ice = section.media, transport["iceParameters"]
    accepted = _accepted(section, given)
    media = MediaDescription(section.kind, 9 if accepted else 0, theirs.profile, theirs.fmt)
    media.host, media.direction, media.rtp.muxId = "0.0.0.0", "inactive", section.mid  # as JSEP writes
    media.ice = RTCIceParameters(ice["usernameFragment"], ice["password"], iceLite=True)
    if not accepted:
        return media
    codecs = section.codecs if given is not None else section.codecs[: len(section.parameters["codecs"])]
    media.fmt = [codec.payloadType for codec in codecs]
    offered = _FEEDBACK_IN if given is None else _FEEDBACK_OUT
    media.rtp.codecs = [
        RTCRtpCodecParameters(
            codec.mimeType,
            codec.clockRate,
            codec.channels,
            codec.payloadType,
            [RTCRtcpFeedback(f.type, f.parameter) for f in codec.rtcpFeedback if (f.type, f.parameter) in offered],
            codec.parameters,
        )
        for codec in codecs
    ]
    media.rtcp_port, media.rtcp_host, media.rtcp_mux = 9, "0.0.0.0", True
    media.ice_candidates, media.ice_candidates_complete = _candidates(transport), True
    media.dtls = RTCDtlsParameters(
        [RTCDtlsFingerprint(f["algorithm"], f["value"]) for f in transport["dtlsParameters"]["fingerprints"]], "server"
    )
    if given is None:
        media.direction = "recvonly"
        media.rtp.headerExtensions = section._extensions()
        return media
    mine = given[section.mid]
    media.direction, media.msid = "sendonly", f"{mine.cname} {mine.cname}-{section.mid}"
    media.ssrc = [SsrcDescription(ssrc, mine.cname, media.msid) for ssrc in (mine.ssrc, mine.rtx_ssrc) if ssrc]
    if mine.rtx_ssrc:
        media.ssrc_group = [GroupDescription("FID", [mine.ssrc, mine.rtx_ssrc])]
    return media


def _candidates(transport: dict[str, Any]) -> list[RTCIceCandidate]:
    return [
        RTCIceCandidate(1, each["foundation"], each["ip"], each["port"], each["priority"], "udp", each["type"])
        for each in transport["iceCandidates"]
    ]


def _fingerprints(session: SessionDescription) -> list[dict[str, str]]:
    """Of the bundle's one DTLS connection."""
    for media in session.media:
        if media.dtls is None or not media.port:
            continue
        if media.dtls.role == "server":
            raise SdpError("a=setup:passive: expected actpass or active, for the relay is the DTLS server")
        if media.dtls.fingerprints:
            return [{"algorithm": each.algorithm, "value": each.value} for each in media.dtls.fingerprints]
    raise SdpError("no a=setup with a=fingerprint: expected DTLS-SRTP (RFC 5763)")


def _codecs(media: MediaDescription) -> tuple[RTCRtpCodecParameters, ...]:
    """Those we carry, each once, in the offer's order of preference."""
    known = {codec.payloadType: codec for codec in media.rtp.codecs}
    found: dict[str, RTCRtpCodecParameters] = {}
    for number in media.fmt:
        codec = known.get(number)
        if codec is not None and _carried(media.kind, codec):
            found.setdefault(codec.name.lower(), codec)
    repairs = {codec.parameters.get("apt"): codec for codec in media.rtp.codecs if codec.name.lower() == "rtx"}
    pairs = [(codec, repairs.get(codec.payloadType)) for codec in found.values()]
    return tuple(codec for pair in pairs for codec in pair if codec is not None)


def _carried(kind: str, codec: RTCRtpCodecParameters) -> bool:
    name, given = codec.name.lower(), codec.parameters
    if kind == "audio":
        return name == "opus" and codec.clockRate == 48000 and codec.channels == 2
    if codec.clockRate != 90000:
        return False
    baseline = str(given.get("profile-level-id", "42e01f")).lower().startswith("42")
    return name == "vp8" or (name == "h264" and baseline and str(given.get("packetization-mode")) == "1")


def _is_pair(group: GroupDescription) -> bool:
    return group.semantic == "FID" and len(group.items) == 2

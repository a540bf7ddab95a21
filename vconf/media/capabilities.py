"""What the relay can carry, as mediasoup-client expects to be told (ORTC RTCRtpCapabilities).

House codecs: H.264 constrained baseline and Opus, so that recording, cable and SIP terminals need no decoding;
VP8 is the fallback.  Payload type 127 stays free: the browser's bandwidth prober takes it.
"""

from __future__ import annotations

from typing import Any

from vconf.media.plane import LEVEL_ID, MID_ID, ORIENTATION_ID, TRANSPORT_CC_ID

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ORIENTATION = "urn:3gpp:video-orientation"

PASSED = {"audio": (AUDIO_LEVEL,), "video": (ORIENTATION,)}
"""Header extensions that travel from the sender to every receiver."""

_VIDEO_FEEDBACK = [
    {"type": "nack"},
    {"type": "nack", "parameter": "pli"},
    {"type": "ccm", "parameter": "fir"},
    {"type": "transport-cc"},
]
_EXTENSIONS = [
    (MID, MID_ID, ("audio", "video"), "sendrecv"),
    (RID, 2, ("video",), "recvonly"),
    (REPAIRED_RID, 3, ("video",), "recvonly"),
    (TRANSPORT_CC, TRANSPORT_CC_ID, ("audio", "video"), "sendrecv"),
    (AUDIO_LEVEL, LEVEL_ID, ("audio",), "sendrecv"),
    (ORIENTATION, ORIENTATION_ID, ("video",), "sendrecv"),
]


def router_capabilities() -> dict[str, Any]:
    """Codecs in order of preference, and header extensions with the ids used towards receivers."""
    return {
        "codecs": [
            {
                "kind": "audio",
                "mimeType": "audio/opus",
                "preferredPayloadType": 100,
                "clockRate": 48000,
                "channels": 2,
                "parameters": {"minptime": 10, "useinbandfec": 1},
                "rtcpFeedback": [{"type": "nack"}, {"type": "transport-cc"}],
            },
            *_video(
                "video/H264", 102, {"packetization-mode": 1, "profile-level-id": "42e01f", "level-asymmetry-allowed": 1}
            ),
            *_video("video/VP8", 104, {}),
        ],
        "headerExtensions": [
            {"kind": kind, "uri": uri, "preferredId": identifier, "preferredEncrypt": False, "direction": direction}
            for uri, identifier, kinds, direction in _EXTENSIONS
            for kind in kinds
        ],
    }


def _video(mime: str, payload_type: int, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "kind": "video",
            "mimeType": mime,
            "preferredPayloadType": payload_type,
            "clockRate": 90000,
            "parameters": parameters,
            "rtcpFeedback": _VIDEO_FEEDBACK,
        },
        {
            "kind": "video",
            "mimeType": "video/rtx",
            "preferredPayloadType": payload_type + 1,
            "clockRate": 90000,
            "parameters": {"apt": payload_type},
            "rtcpFeedback": [],
        },
    ]

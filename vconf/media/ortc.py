"""ORTC parameters: read what a sender announces, write what a receiver must expect.

Parameters come from browsers through the signalling: everything is checked, and what does not fit raises
:class:`OrtcError` with a sentence for the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vconf.media import capabilities

_KNOWN = {"audio/opus": "opus", "video/h264": "h264", "video/vp8": "vp8"}


class OrtcError(ValueError):
    """The parameters cannot be used."""


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Codec(_Lenient):
    mimeType: str = Field(max_length=64)
    payloadType: int = Field(ge=0, le=127)
    clockRate: int = Field(gt=0, le=192_000)
    parameters: dict[str, Any] = {}


class _Extension(_Lenient):
    uri: str = Field(max_length=256)
    id: int = Field(ge=1, le=255)


class _Rtx(_Lenient):
    ssrc: int = Field(ge=0, le=0xFFFFFFFF)


class _Encoding(_Lenient):
    ssrc: int | None = Field(default=None, ge=0, le=0xFFFFFFFF)
    rid: str | None = Field(default=None, max_length=16)
    rtx: _Rtx | None = None


class _Parameters(_Lenient):
    mid: str | None = Field(default=None, max_length=32)
    codecs: list[_Codec] = Field(min_length=1, max_length=32)
    headerExtensions: list[_Extension] = Field(default=[], max_length=64)
    encodings: list[_Encoding] = Field(min_length=1, max_length=4)


@dataclass(frozen=True, slots=True)
class Encoding:
    """One layer: known by its SSRC, or by its rid when the SSRC is not announced."""

    ssrc: int
    rid: str
    rtx_ssrc: int


@dataclass(frozen=True, slots=True)
class Announced:
    """What a sender will send."""

    kind: str
    codec: str  # "opus", "h264", "vp8"
    payload_type: int
    rtx_payload_type: int  # 0: none
    clock_hz: int
    mid: str
    extensions: dict[str, int]  # URI -> id
    encodings: tuple[Encoding, ...]  # lowest layer first


def read(kind: str, parameters: Any) -> Announced:
    """Check a producer's rtpParameters."""
    try:
        given = _Parameters.model_validate(parameters)
    except ValidationError as error:
        first = error.errors()[0]
        raise OrtcError(f"rtpParameters.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if kind not in ("audio", "video"):
        raise OrtcError(f"kind {kind!r}: expected audio or video")
    codec = given.codecs[0]
    name = _KNOWN.get(codec.mimeType.lower())
    if name is None or not codec.mimeType.lower().startswith(kind):
        raise OrtcError(f"codec {codec.mimeType!r}: expected one of {', '.join(_KNOWN)}")
    rtx = [
        c.payloadType
        for c in given.codecs
        if c.mimeType.lower() == "video/rtx" and c.parameters.get("apt") == codec.payloadType
    ]
    encodings = tuple(
        Encoding(e.ssrc or 0, e.rid or "", e.rtx.ssrc if e.rtx is not None else 0) for e in given.encodings
    )
    if any(not e.ssrc and not e.rid for e in encodings):
        raise OrtcError("rtpParameters.encodings: expected ssrc or rid in each")
    return Announced(
        kind,
        name,
        codec.payloadType,
        rtx[0] if rtx else 0,
        codec.clockRate,
        given.mid or "",
        {extension.uri: extension.id for extension in given.headerExtensions},
        encodings,
    )


def router_codecs() -> list[dict[str, Any]]:
    """All our entries."""
    codecs: list[dict[str, Any]] = capabilities.router_capabilities()["codecs"]
    return codecs


def router_codec(codec: str) -> dict[str, Any]:
    """Our own entry for a codec."""
    for entry in router_codecs():
        if _KNOWN.get(entry["mimeType"].lower()) == codec:
            return dict(entry)
    raise OrtcError(f"codec {codec!r} is not carried")


def decodes(receiver: Any) -> frozenset[str]:
    """The codecs of ours that a receiver with these rtpCapabilities decodes."""
    able = _able(receiver)
    return frozenset(
        name for mime, name in _KNOWN.items() if able.get(int(router_codec(name)["preferredPayloadType"])) == mime
    )


def _able(receiver: Any) -> dict[int, str]:
    """Payload type -> MIME type in small letters."""
    codecs = receiver.get("codecs") if isinstance(receiver, dict) else None
    if not isinstance(codecs, list) or not all(isinstance(c, dict) for c in codecs):
        raise OrtcError("rtpCapabilities.codecs: expected a list of objects")
    return {
        c["preferredPayloadType"]: str(c.get("mimeType")).lower()
        for c in codecs
        if isinstance(c.get("preferredPayloadType"), int)
    }


def payload_types(theirs: Any) -> bytes:
    """{our payload type: the receiver's own} as ``plane.LegFormat.types``; OrtcError when it is something else."""
    if not theirs:
        return b""
    pairs = theirs.items() if isinstance(theirs, dict) else [("", None)]
    table = bytearray(range(128))
    for ours, own in pairs:
        if not str(ours).isdecimal() or int(ours) > 127 or not isinstance(own, int) or not 0 <= own <= 127:
            raise OrtcError("types: expected {our payload type: the receiver's, 0 to 127}")
        table[int(ours)] = own
    return bytes(table)


@dataclass(frozen=True, slots=True)
class Offer:
    """A consumer's numbers."""

    payload_type: int
    rtx_payload_type: int
    parameters: dict[str, Any]  # rtpParameters for mediasoup-client


def offer(codec_name: str, receiver: Any, *, mid: str, ssrc: int, rtx_ssrc: int, cname: str) -> Offer:
    """rtpParameters for a receiver with these rtpCapabilities; OrtcError when it cannot decode the codec."""
    entry = router_codec(codec_name)
    kind = str(entry["kind"])
    is_counted = kind == "video"  # voice has no RTX, and so no transport-wide numbers of its own
    payload_type = int(entry["preferredPayloadType"])
    able = _able(receiver)
    if able.get(payload_type) != str(entry["mimeType"]).lower():
        raise OrtcError(f"the receiver cannot decode {entry['mimeType']}")
    rtx_payload_type = payload_type + 1 if able.get(payload_type + 1) == "video/rtx" else 0
    codec = {
        "mimeType": entry["mimeType"],
        "payloadType": payload_type,
        "clockRate": entry["clockRate"],
        "parameters": entry["parameters"],
        "rtcpFeedback": [f for f in entry["rtcpFeedback"] if is_counted or f["type"] != "transport-cc"],
    }
    if "channels" in entry:
        codec["channels"] = entry["channels"]
    answer: list[dict[str, Any]] = [codec]
    encoding: dict[str, Any] = {"ssrc": ssrc}
    if rtx_payload_type:
        answer.append(
            {
                "mimeType": "video/rtx",
                "payloadType": rtx_payload_type,
                "clockRate": 90000,
                "parameters": {"apt": payload_type},
                "rtcpFeedback": [],
            }
        )
        encoding["rtx"] = {"ssrc": rtx_ssrc}
    ids = {
        e["uri"]: e["preferredId"]
        for e in capabilities.router_capabilities()["headerExtensions"]
        if e["kind"] == kind and e["direction"] == "sendrecv" and (is_counted or e["uri"] != capabilities.TRANSPORT_CC)
    }
    return Offer(
        payload_type,
        rtx_payload_type,
        {
            "mid": mid,
            "codecs": answer,
            "headerExtensions": [
                {"uri": uri, "id": number, "encrypt": False, "parameters": {}} for uri, number in ids.items()
            ],
            "encodings": [encoding],
            "rtcp": {"cname": cname, "reducedSize": True, "mux": True},
        },
    )

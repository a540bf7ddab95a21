"""Target ``signalling`` of ``tests.datagrams``: what a page says over its WebSocket, text to rules.

A page may be anybody's who has a seat.  Its text is parsed, actions go through the rules with their arguments, the
parameters of streams and the capabilities of receivers through the reader of the relay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from vconf import conversation
from vconf.chair.act import ACTIONS, SYSTEM, act
from vconf.chair.refusal import Refused
from vconf.chair.state import opened
from vconf.media import ortc
from vconf.media.capabilities import AUDIO_LEVEL, MID, RID, router_capabilities

Hear = Callable[[bytes], object]
_HALLS = ("t01", "t02", "t03")
_ARGUMENTS: dict[str, Any] = {
    "venue": "t02",
    "venues": ["t02", "t03"],
    "on": True,
    "to": "t02",
    "heads": 12,
    "text": "散会",
    "name": "李",
    "ticker": True,
    "scope": "all",
    "intervalS": 20,
    "minutes": 30,
    "mode": "pip",
}


def _requests() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "hello", {"token": "eyJhbGciOiJFZERTQSJ9.e30.AAAA"}
    yield "hello", {"peer": "9f3c00112233", "resumeKey": "k" * 32}
    for name, action in ACTIONS.items():
        if action.may == "system":  # no page's
            continue
        yield "act", {"action": name, **{key: _ARGUMENTS[key] for key in action.args if key in _ARGUMENTS}}
    extensions = [{"uri": uri, "id": number} for number, uri in enumerate((MID, RID, AUDIO_LEVEL), 1)]
    codec = {"mimeType": "video/H264", "payloadType": 109, "clockRate": 90000, "parameters": {"packetization-mode": 1}}
    rtx = {"mimeType": "video/rtx", "payloadType": 110, "clockRate": 90000, "parameters": {"apt": 109}}
    for encodings in ([{"ssrc": 7, "rtx": {"ssrc": 8}}], [{"rid": "r0"}, {"rid": "r1"}, {"rid": "r2"}]):
        parameters = {"mid": "0", "codecs": [codec, rtx], "headerExtensions": extensions, "encodings": encodings}
        yield "produce", {"transport": "t", "kind": "video", "source": "camera", "rtpParameters": parameters}
    yield "consume", {"transport": "t", "producer": "p", "rtpCapabilities": router_capabilities()}
    yield "prefer", {"consumer": "c", "maxLayer": 1}
    yield "report", {"firstFrameMs": 420.5}


def signalling_seeds() -> Iterator[bytes]:
    """Every request, as pages write it."""
    for number, (kind, data) in enumerate(_requests()):
        yield json.dumps({"id": number, "type": kind, "data": data}, ensure_ascii=False).encode()


def signalling() -> Hear:
    """The parsers behind one another, as the server has them."""
    state = opened(
        meeting=7,
        venues={code: (code, code) for code in _HALLS},
        main="t01",
        owner="t01",
        starts_at=0,
        ends_at=3600,
    )
    for code in _HALLS:
        state = act(state, SYSTEM, "arrive", {"venue": code}, 1.0).state
    state = act(state, "t01", "broadcast", {"venue": "t02"}, 1.5).state  # which can be undone
    recorded = act(state, "t01", "startRecording", {}, 1.6).state

    def hear(datagram: bytes) -> object:
        message = conversation.parse(datagram.decode("utf-8", "replace"))
        if message is None:
            return None
        _, kind, data = message
        if kind == "act":
            args = {key: value for key, value in data.items() if key != "action"}
            before = recorded if data.get("action") == "stopRecording" else state
            return act(before, "t01", str(data.get("action")), args, 2.0)
        if kind == "produce":
            return ortc.read(data.get("kind"), data.get("rtpParameters"))
        if kind == "consume":
            capabilities = data.get("rtpCapabilities")
            return ortc.offer("h264", capabilities, mid="0", ssrc=1, rtx_ssrc=2, cname="t01")
        return kind

    return hear


REFUSALS = (Refused, ortc.OrtcError)

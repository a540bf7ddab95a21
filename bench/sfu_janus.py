"""Janus's videoroom in its best configuration, and halls that join it: WebSocket signalling and SDP by hand.

Best found: one event loop, ICE lite on one interface, libsrtp built with OpenSSL, AES-GCM, nothing loaded but the
videoroom and WebSockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from pathlib import Path
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from vconf.client.peer import Peer, Server
from vconf.load.receiver import Receiver
from vconf.load.sender import Layer, Sender, SenderFormat

TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_PORT = 8188
_PAYLOAD, _RTX, _EXTENSION = 96, 97, 3
_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


def command(unpacked: Path, folder: Path, address: str, interface: str) -> tuple[list[str], dict[str, str]]:
    """Write the configuration below ``folder``; the command and the environment to start it with."""
    lib = unpacked / "usr/lib/x86_64-linux-gnu/janus"
    for kind, name in (("plugins", "libjanus_videoroom.so"), ("transports", "libjanus_websockets.so")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (folder / kind / name).symlink_to(lib / kind / name)
    for kind in ("events", "loggers"):
        (folder / kind).mkdir(exist_ok=True)
    (folder / "janus.jcfg").write_text(
        f"""general: {{
  configs_folder = "{folder}"
  plugins_folder = "{folder}/plugins"
  transports_folder = "{folder}/transports"
  events_folder = "{folder}/events"
  loggers_folder = "{folder}/loggers"
  debug_level = 3
  event_loops = 1
  session_timeout = 0
}}
nat: {{
  ice_lite = true
  ice_enforce_list = "{interface}"
}}
media: {{
  slowlink_threshold = 0
}}
"""
    )
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{\n  json = "compact"\n  ws = true\n  ws_port = {_PORT}\n  ws_ip = "{address}"\n}}\n'
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: {\n}\n")
    return (
        [str(unpacked / "usr/bin/janus"), "-F", str(folder), "-C", str(folder / "janus.jcfg")],
        {"LD_LIBRARY_PATH": str(unpacked / "srtp/lib")},
    )


class Janus:
    """Signalling of all halls over one WebSocket."""

    def __init__(self, address: str, bind: str, sizes: str) -> None:
        self._address = address
        self._bind = bind
        self._sizes = sizes
        self._certificate = RTCCertificate.generateCertificate()
        self._socket: ClientConnection | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._session = 0
        self._feeds: dict[int, int] = {}  # room -> publisher
        self._handles: dict[Receiver, int] = {}
        self._rooms: set[int] = set()

    async def open(self) -> None:
        """Connect; raises OSError while Janus does not listen yet."""
        self._socket = await connect(
            f"ws://{self._address}:{_PORT}", subprotocols=[Subprotocol("janus-protocol")], max_size=1 << 20
        )
        self._reader = asyncio.create_task(self._read())
        self._session = (await self._ask({"janus": "create"}))["data"]["id"]

    async def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            await self._socket.close()

    async def publish(self, room: int, low_share: float) -> Sender:
        """A room with one camera in two layers."""
        handle = await self._attach()
        body: dict[str, Any] = {"request": "create", "room": room, "publishers": 1, "bitrate": 0, "videocodec": "h264"}
        body |= {"transport_wide_cc_ext": True, "fir_freq": 0, "notify_joining": False, "is_private": True}
        await self._message(handle, body)
        joined = await self._message(handle, {"request": "join", "ptype": "publisher", "room": room})
        self._feeds[room] = joined["plugindata"]["data"]["id"]
        peer = Peer(self._bind, self._certificate)
        ssrcs = [secrets.randbits(31) | 1 for _ in range(4)]
        lines = [
            *_media(peer, "0", [_PAYLOAD, _RTX], "sendonly"),
            f"a=extmap:{_EXTENSION} {TRANSPORT_CC}",
            *_codec(_PAYLOAD, _RTX),
            f"a=ssrc-group:SIM {ssrcs[0]} {ssrcs[1]}",
            f"a=ssrc-group:FID {ssrcs[0]} {ssrcs[2]}",
            f"a=ssrc-group:FID {ssrcs[1]} {ssrcs[3]}",
            *(f"a=ssrc:{ssrc} cname:load" for ssrc in ssrcs),
        ]
        answer = await self._message(
            handle, {"request": "publish", "bitrate": 0}, {"type": "offer", "sdp": _sdp(lines)}
        )
        await peer.connect(_server(answer["jsep"]["sdp"]))
        return Sender(
            peer,
            SenderFormat(_PAYLOAD, _RTX, transport_cc_extension=_EXTENSION),
            [Layer(ssrcs[0], ssrcs[2], share=low_share), Layer(ssrcs[1], ssrcs[3])],
            sizes=self._sizes,
        )

    async def subscribe(self, room: int, nack_share: float) -> Receiver:
        """A receiver of the room's camera."""
        handle = await self._attach()
        join = {"request": "join", "ptype": "subscriber", "room": room, "streams": [{"feed": self._feeds[room]}]}
        sdp = (await self._message(handle, join))["jsep"]["sdp"]
        kinds = next(line.split()[3:] for line in sdp.splitlines() if line.startswith("m=video"))
        extension = next((line[9:].split()[0] for line in sdp.splitlines() if _names(line, TRANSPORT_CC)), "0")
        payload = int(kinds[0])
        rtx = int(kinds[1]) if len(kinds) > 1 else 0
        mid = next(line[6:] for line in sdp.splitlines() if line.startswith("a=mid:"))
        peer = Peer(self._bind, self._certificate)
        lines = _media(peer, mid, [int(kind) for kind in kinds], "recvonly")
        if extension != "0":
            lines.append(f"a=extmap:{extension} {TRANSPORT_CC}")
        lines += _codec(payload, rtx)
        await self._message(handle, {"request": "start"}, {"type": "answer", "sdp": _sdp(lines)})
        await peer.connect(_server(sdp))
        receiver = Receiver(peer, payload, rtx_payload_type=rtx, transport_cc=int(extension), nack_share=nack_share)
        self._handles[receiver] = handle
        await self.switch(receiver, 1)
        return receiver

    async def switch(self, receiver: Receiver, layer: int) -> None:
        """Let it have this layer, 0 or 1."""
        body = {"request": "configure", "streams": [{"mid": "0", "substream": layer}]}
        await self._message(self._handles[receiver], body)

    async def _attach(self) -> int:
        made = await self._ask({"janus": "attach", "session_id": self._session, "plugin": "janus.plugin.videoroom"})
        return int(made["data"]["id"])

    async def _message(self, handle: int, body: dict[str, Any], jsep: dict[str, str] | None = None) -> dict[str, Any]:
        message: dict[str, Any] = {"janus": "message", "session_id": self._session, "handle_id": handle, "body": body}
        if jsep is not None:
            message["jsep"] = jsep | {"trickle": False}
        answer = await self._ask(message)
        data = answer.get("plugindata", {}).get("data", {})
        if "error" in data:
            raise RuntimeError(f"Janus: {body['request']}: {data['error']}")
        return answer

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._socket is not None
        transaction = secrets.token_hex(6)
        self._waiting[transaction] = future = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps(message | {"transaction": transaction}))
            async with asyncio.timeout(15):
                answer: dict[str, Any] = await future
                return answer
        finally:
            self._waiting.pop(transaction, None)

    async def _read(self) -> None:
        assert self._socket is not None
        async for text in self._socket:
            message = json.loads(text)
            future = self._waiting.get(message.get("transaction", ""))
            if future is None or future.done() or message["janus"] == "ack":
                continue
            if message["janus"] == "error":
                future.set_exception(RuntimeError(f"Janus: {message['error']}"))
            else:
                future.set_result(message)


def _names(line: str, uri: str) -> bool:
    return line.startswith("a=extmap:") and line.split()[1] == uri


def _sdp(media: list[str]) -> str:
    head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0"]
    return "\r\n".join([*head, *media, ""])


def _media(peer: Peer, mid: str, payload_types: list[int], direction: str) -> list[str]:
    algorithm, value = next(pair for pair in peer.fingerprints if pair[0] == "sha-256")
    host, port = peer.address
    return [
        f"m=video 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, payload_types))}",
        f"c=IN IP4 {host}",
        f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=end-of-candidates",
        f"a=ice-ufrag:{peer.fragment}",
        f"a=ice-pwd:{peer.password}",
        f"a=fingerprint:{algorithm} {value}",
        "a=setup:active",
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
    ]


def _codec(payload: int, rtx: int) -> list[str]:
    lines = [f"a=rtpmap:{payload} H264/90000", f"a=fmtp:{payload} {_H264}"]
    lines += [f"a=rtcp-fb:{payload} {kind}" for kind in ("nack", "nack pli", "ccm fir", "transport-cc")]
    return lines + ([f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={payload}"] if rtx else [])


def _server(sdp: str) -> Server:
    """The server's end as its SDP says."""
    found = dict(line[2:].split(":", 1) for line in sdp.splitlines() if line.startswith("a=") and ":" in line)
    candidate = next(line.split() for line in sdp.splitlines() if line.startswith("a=candidate:"))
    algorithm, value = found["fingerprint"].split()
    return Server((candidate[4], int(candidate[5])), found["ice-ufrag"], found["ice-pwd"], ((algorithm, value),))

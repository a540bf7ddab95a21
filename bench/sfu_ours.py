"""Our relay, and halls that join it through its control channel."""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from vconf.client.peer import Peer, Server
from vconf.load.receiver import Receiver
from vconf.load.sender import Layer, Sender, SenderFormat
from vconf.media.capabilities import MID, TRANSPORT_CC, router_capabilities
from vconf.relay_client import RelayClient

_PAYLOAD, _RTX, _MID, _EXTENSION = 96, 97, 4, 3


def command(engine: str, address: str, control: Path, coalesce_ms: float) -> list[str]:
    """How the relay is started, as on its appliance."""
    return [
        *(sys.executable, "-OO", "-m", "sanwang.relay", "--media", f"{address}:3478", "--unix", str(control)),
        *("--coalesce-ms", str(coalesce_ms), "--engine", engine),
    ]


class Ours:
    """Signalling of all halls over the control channel."""

    def __init__(self, control: Path, bind: str, sizes: str) -> None:
        self._client = RelayClient.over_unix("relay", control)
        self._bind = bind
        self._sizes = sizes
        self._certificate = RTCCertificate.generateCertificate()
        self._producers: dict[int, str] = {}
        self._consumers: dict[Receiver, str] = {}
        self._number = 0

    async def open(self) -> None:
        """Connect; raises OSError while the relay does not listen yet."""
        self._client.start()
        for _ in range(100):
            if self._client.up:
                return
            await asyncio.sleep(0.1)
        raise ConnectionRefusedError("the relay does not answer")

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()

    async def status(self) -> dict[str, Any]:
        """The relay's own figures."""
        found = await self._client.request("status")
        assert isinstance(found, dict)
        return found

    async def publish(self, room: int, low_share: float) -> Sender:
        """A room with one camera in two layers."""
        peer, transport = await self._join(room)
        ssrcs = [secrets.randbits(31) | 1 for _ in range(4)]
        codec = {"mimeType": "video/H264", "payloadType": _PAYLOAD, "clockRate": 90000}
        rtx = {"mimeType": "video/rtx", "payloadType": _RTX, "clockRate": 90000, "parameters": {"apt": _PAYLOAD}}
        parameters = {
            "mid": "0",
            "codecs": [codec | {"parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}, rtx],
            "headerExtensions": [{"uri": MID, "id": _MID}, {"uri": TRANSPORT_CC, "id": _EXTENSION}],
            "encodings": [
                {"ssrc": ssrcs[0], "rtx": {"ssrc": ssrcs[2]}},
                {"ssrc": ssrcs[1], "rtx": {"ssrc": ssrcs[3]}},
            ],
        }
        made = await self._client.request("produce", transport=transport, kind="video", rtpParameters=parameters)
        self._producers[room] = made["id"]
        form = SenderFormat(_PAYLOAD, _RTX, mid=b"0", mid_extension=_MID, transport_cc_extension=_EXTENSION)
        layers = [Layer(ssrcs[0], ssrcs[2], share=low_share), Layer(ssrcs[1], ssrcs[3])]
        return Sender(peer, form, layers, sizes=self._sizes)

    async def subscribe(self, room: int, nack_share: float) -> Receiver:
        """A receiver of the room's camera."""
        peer, transport = await self._join(room)
        made = await self._client.request(
            "consume",
            transport=transport,
            producer=self._producers[room],
            rtpCapabilities=router_capabilities(),
            cname="load",
        )
        parameters = made["rtpParameters"]
        extension = next((e["id"] for e in parameters["headerExtensions"] if e["uri"] == TRANSPORT_CC), 0)
        codec, rtx = (each["payloadType"] for each in parameters["codecs"])
        receiver = Receiver(peer, codec, rtx_payload_type=rtx, transport_cc=extension, nack_share=nack_share)
        self._consumers[receiver] = made["id"]
        await self._client.request("pauseConsumer", consumer=made["id"], paused=False)
        return receiver

    async def switch(self, receiver: Receiver, layer: int) -> None:
        """Let it have this layer, 0 or 1."""
        await self._client.request("prefer", consumer=self._consumers[receiver], priority=1, maxLayer=layer)

    async def _join(self, room: int) -> tuple[Peer, str]:
        self._number += 1
        made = await self._client.request("createTransport", room=f"room{room}", peer=f"hall{self._number}")
        peer = Peer(self._bind, self._certificate)
        ours = [{"algorithm": algorithm, "value": value} for algorithm, value in peer.fingerprints]
        await self._client.request("connectTransport", transport=made["id"], dtlsParameters={"fingerprints": ours})
        candidate, ice = made["iceCandidates"][0], made["iceParameters"]
        theirs = tuple((f["algorithm"], f["value"]) for f in made["dtlsParameters"]["fingerprints"])
        await peer.connect(
            Server((candidate["ip"], candidate["port"]), ice["usernameFragment"], ice["password"], theirs)
        )
        return peer, made["id"]

"""The requests of the control channel, as an engine answers them (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vconf.media.engine import Engine, EngineError

Method = Callable[[dict[str, Any]], Any]


def requests(engine: Engine) -> dict[str, Method]:
    """By name; parameters are checked here or in the engine, and what is wrong is an EngineError, KeyError or such."""

    def produce(params: dict[str, Any]) -> dict[str, Any]:
        made = engine.produce(
            text(params, "transport"),
            text(params, "kind"),
            params.get("rtpParameters"),
            paused=params.get("paused") is True,
            rates=params.get("rates"),
            **{key: text(params, key) for key in ("source", "peer", "room") if params.get(key)},
        )
        return {"id": made}

    return {
        "quality": lambda p: engine.quality(),
        "peerQuality": lambda p: engine.peer_quality(text(p, "room")),
        "createTransport": lambda p: engine.create_transport(text(p, "room"), text(p, "peer")),
        "connectTransport": lambda p: engine.connect_transport(
            text(p, "transport"), p["dtlsParameters"]["fingerprints"]
        ),
        "restartIce": lambda p: engine.restart_ice(text(p, "transport")),
        "closePeer": lambda p: engine.close_peer(text(p, "room"), text(p, "peer")),
        "closeTransport": lambda p: engine.close_transport(text(p, "transport")),
        "produce": produce,
        "pauseProducer": lambda p: engine.pause_producer(text(p, "producer"), p.get("paused") is True),
        "closeProducer": lambda p: engine.close_producer(text(p, "producer")),
        "consume": lambda p: engine.consume(
            text(p, "transport"), text(p, "producer"), p.get("rtpCapabilities"), text(p, "cname")
        ),
        "consumeAudio": lambda p: engine.consume_audio(
            *(text(p, "transport"), int(p.get("slots", 3)), p.get("rtpCapabilities"), text(p, "cname")), p.get("types")
        ),
        "consumePicture": lambda p: engine.consume_picture(
            text(p, "transport"), p.get("rtpCapabilities"), text(p, "cname"), p.get("types")
        ),
        "show": lambda p: engine.show(text(p, "consumer"), text(p, "producer")),
        "feed": lambda p: engine.feed(text(p, "consumer"), text(p, "producer")),
        "roomAudio": lambda p: engine.room_audio(text(p, "room"), int(p["loudest"])),
        "prefer": lambda p: engine.prefer(text(p, "consumer"), p.get("priority"), p.get("maxLayer")),
        "pauseConsumer": lambda p: engine.pause_consumer(text(p, "consumer"), p.get("paused") is True),
        "closeConsumer": lambda p: engine.close_consumer(text(p, "consumer")),
        "openPipe": lambda p: engine.open_pipe(text(p, "room"), text(p, "peer")),
        "joinPipe": lambda p: engine.join_pipe(text(p, "transport"), text(p, "ip"), int(p["port"]), text(p, "key")),
        "pipeProducer": lambda p: engine.pipe_producer(text(p, "transport"), text(p, "producer")),
    }


def text(params: dict[str, Any], key: str) -> str:
    """A parameter that is a text; EngineError."""
    value = params.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 256:
        raise EngineError(f"{key}: expected a text of at most 256 characters")
    return value

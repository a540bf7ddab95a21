"""Figures of an engine for the operator: counters since the start, and the quality of each share."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vconf.media.control import Control


def status(control: Control) -> dict[str, Any]:
    """Counters only grow, but for those of what is there now (rooms to consumers, ``estimate_bps``)."""
    plane, reports = control.plane, control.reports
    counters = asdict(plane.counters)
    drops = {name: counters.pop(name) for name in ("stranger", "rejected", "unannounced", "stale", "queue_full")}
    drops["rejected"] += control.rejected
    drops["unannounced"] += control.unannounced
    receivers = reports.receivers.values()
    peers = {(t.room, t.peer) for t in control.transports.values() if not t.is_pipe}
    sampled = sorted(r.estimator.bps for r in receivers if r.estimator.sampled)
    return {
        "engine": plane.name,
        "rooms": len({room for room, _ in peers}),
        "peers": len(peers),
        "transports": len(control.transports),
        "producers": len(control.producers),
        "consumers": len(control.consumers),
        **{name: counters.pop(name) for name in ("packets_in", "packets_out", "bytes_in", "bytes_out", "sends")},
        "drops": {"stun": control.stun_drops, **drops, "send_error": counters.pop("send_error")},
        "features": {
            **counters,
            **asdict(reports.figures),
            "switches": control.switches,
            "voices_switched": control.voices.switches,
            "estimated": len(sampled),
            "estimate_bps": sampled[len(sampled) // 2] if sampled else 0,
            "overuses": sum(r.estimator.overuses for r in receivers),
            "layers_raised": sum(r.raised for r in receivers),
            "layers_lowered": sum(r.lowered for r in receivers),
            "probings": sum(r.probes for r in receivers),
        },
        "pipes": _pipes(control),
    }


def _pipes(control: Control) -> dict[str, dict[str, Any]]:
    """By neighbour; a layer that is not wanted at the other end is no stream, ``lost`` counts packets for ever."""
    found: dict[str, dict[str, Any]] = {}
    for pipe in (transport for transport in control.transports.values() if transport.is_pipe):
        receiver = control.reports.receivers.get(pipe.handle)
        legs = list(receiver.consumers.values()) if receiver is not None else []
        sources = [
            s for producer in control.producers.values() if producer.transport is pipe for s in producer.sources()
        ]
        states = [control.plane.stream_state(source.stream) for source in sources]
        flowing = [
            leg.producer.layers[leg.fixed]
            for leg in legs
            if leg.wanted and leg.producer is not None and leg.fixed is not None
        ]
        found[pipe.peer] = {
            "state": pipe.state,
            "streams_in": sum(bool(source.bps) for source in sources),
            "streams_out": len(flowing),
            "packets_in": sum(state.packets for state in states),
            "packets_out": sum(control.plane.leg_state(leg.leg).packets for leg in legs),
            "lost_in": sum(s.highest + 1 - s.base - s.packets for s in states if s.highest >= 0),
            "lost_out_percent": max((round(leg.fraction_lost / 2.56, 1) for leg in legs), default=0.0),
            "bps_in": sum(source.bps for source in sources),
            "bps_out": sum(source.bps for source in flowing if source is not None),
        }
    return found


def quality(control: Control) -> list[dict[str, Any]]:
    """One entry a consumer that is fed by somebody, but for those of pipes."""
    rows = []
    for consumer in control.consumers.values():
        producer = consumer.producer
        if producer is None or consumer.transport.is_pipe:
            continue
        leg = control.plane.leg_state(consumer.leg)
        receiver = control.reports.receivers.get(consumer.transport.handle)
        states = [control.plane.stream_state(source.stream) for source in producer.sources()]
        rows.append(
            {
                "room": consumer.transport.room,
                "from": producer.peer,
                "to": consumer.transport.peer,
                "kind": consumer.kind,
                "source": producer.source,
                "codec": producer.announced.codec,
                "packets": leg.packets,
                "octets": leg.octets,
                "retransmitted": leg.resent,
                "dropped": leg.dropped,
                "lost_percent": round(consumer.fraction_lost / 2.56, 1),
                "keyframe_requests": consumer.keyframe_requests,
                "layer": -1 if consumer.withheld else consumer.layer,
                "switches": leg.switches,
                "estimate_bps": receiver.estimator.bps if receiver is not None and receiver.estimator.sampled else 0,
                "upstream_lost": sum(s.highest + 1 - s.base - s.packets for s in states if s.highest >= 0),
            }
        )
    return rows


def peer_quality(control: Control, room: str) -> dict[str, dict[str, Any]]:
    """What one room's peers send and get, the worst of their streams each.

    Returns:
        ``{peer: {up_lost_percent, up_jitter_ms, up_bps, down_lost_percent, down_bps, layer}}``: ``up_`` of the last
        receiver report to it (RFC 3550 section 6.4), None while it sends nothing; ``down_lost_percent`` of its own
        last reports, ``down_bps`` what its path was found to carry (0: not known yet), ``layer`` the highest that it
        gets (-1: its path carries none), None while it gets nothing.
    """
    found: dict[str, dict[str, Any]] = {}
    for producer in control.producers.values():
        if producer.room != room or producer.paused or producer.transport.is_pipe:
            continue  # what comes through a pipe is judged where it comes in
        clock_hz = 48_000 if producer.kind == "audio" else 90_000
        for source in producer.sources():
            state = control.plane.stream_state(source.stream)
            if state.highest < 0:
                continue
            row = _row(found, producer.peer)
            row["up_lost_percent"] = max(row["up_lost_percent"] or 0.0, round(source.fraction_lost / 2.56, 1))
            row["up_jitter_ms"] = max(row["up_jitter_ms"] or 0.0, round(1000 * state.jitter / clock_hz, 1))
            row["up_bps"] = (row["up_bps"] or 0) + source.bps
    for consumer in control.consumers.values():
        if consumer.transport.room != room or consumer.paused or consumer.producer is None:
            continue
        receiver = control.reports.receivers.get(consumer.transport.handle)
        row = _row(found, consumer.transport.peer)
        row["down_lost_percent"] = max(row["down_lost_percent"] or 0.0, round(consumer.fraction_lost / 2.56, 1))
        row["down_bps"] = receiver.estimator.bps if receiver is not None and receiver.estimator.sampled else 0
        if consumer.kind == "video":
            layer = -1 if consumer.withheld else consumer.layer
            row["layer"] = layer if row["layer"] is None else max(row["layer"], layer)
    return found


def _row(found: dict[str, dict[str, Any]], peer: str) -> dict[str, Any]:
    names = ("up_lost_percent", "up_jitter_ms", "up_bps", "down_lost_percent", "down_bps", "layer")
    return found.setdefault(peer, dict.fromkeys(names))

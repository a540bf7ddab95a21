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
    receivers = reports.receivers.values()
    sampled = sorted(r.estimator.bps for r in receivers if r.estimator.sampled)
    return {
        "engine": plane.name,
        "rooms": len({t.room for t in control.transports.values()}),
        "peers": len({(t.room, t.peer) for t in control.transports.values()}),
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
    }


def quality(control: Control) -> list[dict[str, Any]]:
    """One entry a consumer that is fed by somebody."""
    rows = []
    for consumer in control.consumers.values():
        producer = consumer.producer
        if producer is None:
            continue
        leg = control.plane.leg_state(consumer.leg)
        receiver = control.reports.receivers.get(consumer.transport.handle)
        states = [control.plane.stream_state(source.stream) for source in producer.sources()]
        rows.append(
            {
                "room": consumer.transport.room,
                "from": producer.transport.peer,
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

"""What the agent shows: its state as JSON and as Prometheus text (written by hand: the client library is larger)."""

from __future__ import annotations

import json
import time

from collectors.agent.config import AgentConfig
from collectors.agent.push import Push
from collectors.agent.state import AgentState

_PROBE_GAUGES = (
    ("loss_ratio", "sanwang_agent_probe_loss_ratio", 1.0),
    ("rtt_ms", "sanwang_agent_probe_rtt_seconds", 1e-3),
    ("forward_jitter_ms", "sanwang_agent_probe_forward_jitter_seconds", 1e-3),
    ("backward_jitter_ms", "sanwang_agent_probe_backward_jitter_seconds", 1e-3),
    ("bottleneck_bps", "sanwang_agent_probe_bottleneck_bps", 1.0),
    ("mos", "sanwang_agent_probe_mos", 1.0),
)


def label(value: str) -> str:
    """Escaped for a label value (Prometheus text format 0.0.4).

    >>> label('a"b')
    'a\\\\"b'
    """
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def state_page(config: AgentConfig, state: AgentState) -> tuple[str, bytes]:
    """``/state``."""
    document = {"host": config.host, "at": round(time.time(), 3), "state": state.sections}
    return "application/json", json.dumps(document).encode() + b"\n"


def metrics_page(state: AgentState, push: Push, route_changes: int, reflected: int) -> tuple[str, bytes]:
    """``/metrics``."""
    sections = state.sections
    lines = [
        "# TYPE sanwang_agent_cpu_seconds_total counter",
        f"sanwang_agent_cpu_seconds_total {time.process_time():.3f}",
        "# TYPE sanwang_agent_connected gauge",
        f"sanwang_agent_connected {int(push.connected)}",
        "# TYPE sanwang_agent_connections_total counter",
        f"sanwang_agent_connections_total {push.connections}",
        "# TYPE sanwang_agent_dropped_total counter",
        f"sanwang_agent_dropped_total {push.dropped}",
        "# TYPE sanwang_agent_route_changes_total counter",
        f"sanwang_agent_route_changes_total {route_changes}",
        "# TYPE sanwang_agent_stamp_reflected_total counter",
        f"sanwang_agent_stamp_reflected_total {reflected}",
        "# TYPE sanwang_agent_port_up gauge",
        *(f'sanwang_agent_port_up{{port="{label(k)}"}} {int(v["up"])}' for k, v in sections["ports"].items()),
        "# TYPE sanwang_agent_bfd_up gauge",
        *(f'sanwang_agent_bfd_up{{session="{label(k)}"}} {int(v["up"])}' for k, v in sections["bfd"].items()),
        "# TYPE sanwang_agent_ospf_full gauge",
        *(f'sanwang_agent_ospf_full{{adjacency="{label(k)}"}} {int(v["full"])}' for k, v in sections["ospf"].items()),
        "# TYPE sanwang_agent_service_up gauge",
        *(f'sanwang_agent_service_up{{service="{label(k)}"}} {int(v["up"])}' for k, v in sections["services"].items()),
    ]
    for key, name, factor in _PROBE_GAUGES:
        lines.append(f"# TYPE {name} gauge")
        for path, value in sections["probes"].items():
            if (figure := value.get(key)) is not None:
                lines.append(f'{name}{{path="{label(path)}"}} {figure * factor:g}')
    return "text/plain; version=0.0.4; charset=utf-8", ("\n".join(lines) + "\n").encode()

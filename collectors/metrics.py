"""Prometheus exposition of the county as seen.  Two parts, scraped at different paces:

- ``fast`` (every 2 s): links, hosts, services, the status counts, faults by cause: what alerts are made of.
- ``slow`` (every 15 s): probes, tunnels, port counters, optical power, CPU, memory, the collector itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from collectors.county import County
from collectors.probe.halls import hall_figures
from collectors.status import tunnel_up
from inventory.probes import link_key

_UP = {"up": 1.0, "down": 0.0}
_PROBE_FIGURES = (
    ("loss_ratio", "sanwang_probe_loss_ratio", "Lost packets of the last seconds, both ways (0 to 1)", 1.0),
    ("loss_forward_ratio", "sanwang_probe_forward_loss_ratio", "Lost on the way there", 1.0),
    ("loss_backward_ratio", "sanwang_probe_backward_loss_ratio", "Lost on the way back", 1.0),
    ("rtt_ms", "sanwang_probe_rtt_seconds", "Mean round trip", 1e-3),
    ("rtt_max_ms", "sanwang_probe_rtt_max_seconds", "Longest round trip", 1e-3),
    ("forward_ms", "sanwang_probe_forward_delay_seconds", "Mean delay there, as good as both clocks", 1e-3),
    ("backward_ms", "sanwang_probe_backward_delay_seconds", "Mean delay back, as good as both clocks", 1e-3),
    ("forward_jitter_ms", "sanwang_probe_forward_jitter_seconds", "Mean IPDV there (RFC 3393)", 1e-3),
    ("backward_jitter_ms", "sanwang_probe_backward_jitter_seconds", "Mean IPDV back (RFC 3393)", 1e-3),
    ("bottleneck_bps", "sanwang_probe_bottleneck_bps", "Capacity of the line where it is slow enough to tell", 1.0),
    ("mos", "sanwang_probe_mos", "How a voice call would sound, 1 to 4.5 (ITU-T G.107)", 1.0),
)


_SHARE = ("share", "direction")


class FastMetrics(Collector):
    """Links, hosts, services, causes."""

    def __init__(self, county: County, broken: Callable[[], tuple[frozenset[str], frozenset[str]]]) -> None:
        self._county = county
        self._broken = broken  # names of the links and hosts that are faults themselves

    def collect(self) -> Iterator[Metric]:
        """Current state; a link or host that is unknown has no up sample."""
        county = self._county
        county.evaluate()
        broken_links, broken_hosts = self._broken()
        links = GaugeMetricFamily(
            "sanwang_link_up", "1 up, 0 down, both ends merged", labels=["link", "kind", "a", "b"]
        )
        faults = GaugeMetricFamily(
            "sanwang_link_fault", "1 while the link itself is what is broken", labels=["link", "kind", "a", "b"]
        )
        for link in county.model.links.values():
            seen = county.links.get(link.name)
            if seen is None:
                continue
            labels = [link.name, link.kind.value, link.a.host, link.b.host]
            if seen.state in _UP:
                links.add_metric(labels, _UP[seen.state])
            faults.add_metric(labels, float(link.name in broken_links))
        hosts = GaugeMetricFamily("sanwang_host_up", "1 heard, 0 not", labels=["host", "site", "role"])
        dead = GaugeMetricFamily(
            "sanwang_host_fault", "1 while the host itself is what is broken", labels=["host", "site", "role"]
        )
        for name, current in county.hosts.items():
            host = county.model.hosts[name]
            labels = [name, host.site, host.role.value]
            if current.state in _UP:
                hosts.add_metric(labels, _UP[current.state])
            dead.add_metric(labels, float(name in broken_hosts))
        yield from (links, faults, hosts, dead)
        yield self._services()
        yield from self._status()

    def _services(self) -> Metric:
        family = GaugeMetricFamily("sanwang_service_up", "1 while the daemon runs", labels=["host", "service"])
        now = time.monotonic()
        for host, name in self._county.expected.services:
            view = self._county.views[host]
            if view.fresh(now):
                family.add_metric([host, name], float(view.service_up(name)))
        return family

    def _status(self) -> Iterator[Metric]:
        status = self._county.status_document()
        yield GaugeMetricFamily("sanwang_ready", "1 when nothing the model expects is missing", float(status["ready"]))
        expected = GaugeMetricFamily("sanwang_expected", "What the model expects", labels=["part"])
        good = GaugeMetricFamily("sanwang_ok", "What of it is there", labels=["part"])
        for part, counts in status.items():
            if isinstance(counts, dict):
                expected.add_metric([part], counts["expected"])
                good.add_metric([part], counts["ok"])
        yield from (expected, good)


class SlowMetrics(Collector):
    """Probes, tunnels and what the collector costs."""

    def __init__(self, county: County, own: Callable[[], Iterable[Metric]]) -> None:
        self._county = county
        self._own = own

    def collect(self) -> Iterator[Metric]:
        """Current figures; nothing of an agent that is not heard."""
        county, now, prefix = self._county, time.monotonic(), link_key("")
        families = {
            name: GaugeMetricFamily(name, text, labels=["path", "host", "vrf", "target", "link"])
            for _, name, text, _ in _PROBE_FIGURES
        }
        for view in county.views.values():
            if not view.fresh(now):
                continue
            for path, value in view.sections["probes"].items():
                line = path[len(prefix) :] if path.startswith(prefix) else ""
                labels = [path, view.host, str(value.get("vrf", "")), str(value.get("target", "")), line]
                for key, name, _, factor in _PROBE_FIGURES:
                    if isinstance(figure := value.get(key), (int, float)):
                        families[name].add_metric(labels, figure * factor)
        yield from families.values()
        tunnels = GaugeMetricFamily(
            "sanwang_tunnel_up", "1 while the gateway holds a live tunnel", labels=["tunnel", "site", "kind"]
        )
        for name, tunnel in county.expected.tunnels.items():
            view = county.views[tunnel.gateway]
            if view.fresh(now):
                tunnels.add_metric([name, county.model.tunnels[name].site, tunnel.kind], float(tunnel_up(tunnel, view)))
        yield tunnels
        yield self._certificates(now)
        yield from self._checks(now)
        yield from self._halls()
        yield from self._shares(now)
        heard = CounterMetricFamily("sanwang_agent_lines", "Lines heard of an agent", labels=["host"])
        dropped = CounterMetricFamily("sanwang_agent_dropped", "Changes an agent could not send", labels=["host"])
        for view in county.views.values():
            heard.add_metric([view.host], view.lines)
            dropped.add_metric([view.host], view.dropped)
        yield from (heard, dropped)
        rates = GaugeMetricFamily("sanwang_link_rate_bps", "Rate of the link as the model has it", labels=["link"])
        for link in county.model.links.values():
            rates.add_metric([link.name], link.rate_bps)
        yield rates
        yield from self._own()

    def _shares(self, now: float) -> Iterator[Metric]:
        octets = CounterMetricFamily(
            "sanwang_exit_octets", "Octets of a fair share of the Internet exit; up: to the Internet", labels=_SHARE
        )
        dropped = CounterMetricFamily(
            "sanwang_exit_dropped_packets", "Packets that its fair share held back for too long", labels=_SHARE
        )
        view = self._county.views.get(self._county.model.firewall)
        if view is not None and view.fresh(now):
            for key, value in view.sections["counters"].items():
                what, *labels = key.split(":")
                if what == "share" and len(labels) == len(_SHARE):
                    octets.add_metric(labels, float(value.get("octets", 0)))
                    dropped.add_metric(labels, float(value.get("dropped", 0)))
        yield from (octets, dropped)

    def _halls(self) -> Iterator[Metric]:
        county = self._county
        ways = {
            key: GaugeMetricFamily(f"sanwang_hall_{name}", text, labels=["hall", "way"])
            for key, name, text in (
                ("loss_ratio", "loss_ratio", "Lost on a hall's path to its relay's centre (up) or from it (down)"),
                ("delay_ms", "delay_seconds", "Mean delay of that way, as good as both clocks"),
                ("jitter_ms", "jitter_seconds", "Mean IPDV of that way (RFC 3393)"),
            )
        }
        score = GaugeMetricFamily("sanwang_hall_mos", "How voice would sound there, 1 to 4.5 (G.107)", labels=["hall"])
        for hall, figures in hall_figures(county.model, county.probes_document()).items():
            if not figures["fresh"]:
                continue
            if figures["mos"] is not None:
                score.add_metric([hall], figures["mos"])
            for way in ("up", "down"):
                for key, family in ways.items():
                    if (value := figures[way][key]) is not None:
                        family.add_metric([hall, way], value * (1 if key == "loss_ratio" else 1e-3))
        yield from (*ways.values(), score)

    def _checks(self, now: float) -> Iterator[Metric]:
        county = self._county
        labels = ["service", "kind", "host", "backend"]
        up = GaugeMetricFamily(
            "sanwang_service_check_up", "1 while a service answers a user's question as it should", labels=labels[:3]
        )
        took = GaugeMetricFamily("sanwang_service_check_seconds", "How long the answer took", labels=labels[:3])
        ends = GaugeMetricFamily(
            "sanwang_service_check_certificate_not_after_timestamp_seconds",
            "End of the certificate that the service showed",
            labels=labels,
        )
        for view in county.views.values():
            if not view.fresh(now):
                continue
            for service, value in view.sections["checks"].items():
                row = [service, str(value.get("kind", "")), view.host]
                up.add_metric(row, float(value.get("up") is True))
                if isinstance(seconds := value.get("seconds"), int | float):
                    took.add_metric(row, seconds)
                if isinstance(end := value.get("not_after"), int | float) and end:
                    ends.add_metric([*row, str(value.get("backend", ""))], end)
        yield from (up, took, ends)

    def _certificates(self, now: float) -> Metric:
        ends = GaugeMetricFamily(
            "sanwang_certificate_not_after_timestamp_seconds",
            "End of a certificate or revocation list that lies on a host's disk; 0 when it cannot be read",
            labels=["host", "file", "kind"],
        )
        for view in self._county.views.values():
            if view.fresh(now):
                for name, value in view.sections["certificates"].items():
                    end = value.get("not_after", 0)
                    labels = [view.host, name, str(value.get("kind", ""))]
                    ends.add_metric(labels, float(end) if isinstance(end, int | float) else 0.0)
        return ends


class Exposition:
    """Makes the two parts of ``/metrics``."""

    def __init__(self, fast: Collector, slow: Iterable[Collector], more: Callable[[], bytes] = bytes) -> None:
        """``more``: the end of the slow part, written already."""
        self._fast, self._slow = CollectorRegistry(auto_describe=False), CollectorRegistry(auto_describe=False)
        self._fast.register(fast)
        for collector in slow:
            self._slow.register(collector)
        self._more = more
        ProcessCollector(registry=self._slow)
        PlatformCollector(registry=self._slow)

    def page(self, part: str) -> bytes:
        """``part``: "fast", "slow" or "" for both."""
        body = b""
        if part != "slow":
            body += generate_latest(self._fast)
        if part != "fast":
            body += generate_latest(self._slow) + self._more()
        return body

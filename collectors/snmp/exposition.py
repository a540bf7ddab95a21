"""SNMP results as Prometheus metrics: one device for ``/snmp?target=``, all of them for ``/metrics``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from collectors.snmp.poller import Poller, Target

_PORT_LABELS = ["host", "port", "link"]


class SnmpMetrics(Collector):
    """Metrics of the last good polls of these targets; a device that does not answer has ``sanwang_snmp_up`` 0 only."""

    def __init__(self, targets: Iterable[Target], links: Mapping[tuple[str, str], str]) -> None:
        """``links``: (host, port) -> link's name."""
        self._targets = list(targets)
        self._links = links

    def collect(self) -> Iterator[Metric]:
        """Everything, from memory: no device is asked here."""
        now = time.monotonic()
        up = GaugeMetricFamily("sanwang_snmp_up", "1 while the SNMP agent answers", labels=["host"])
        took = GaugeMetricFamily("sanwang_snmp_poll_seconds", "Duration of the last poll", labels=["host"])
        uptime = GaugeMetricFamily("sanwang_uptime_seconds", "sysUpTime", labels=["host"])
        cpu = GaugeMetricFamily("sanwang_cpu_busy_ratio", "Busy share of the last interval", labels=["host"])
        total = GaugeMetricFamily("sanwang_memory_total_bytes", "Memory of the device", labels=["host"])
        free = GaugeMetricFamily("sanwang_memory_available_bytes", "Memory not in use", labels=["host"])
        port_up = GaugeMetricFamily("sanwang_port_up", "ifOperStatus is up", labels=_PORT_LABELS)
        octets = CounterMetricFamily("sanwang_port_octets", "ifHCInOctets, ifHCOutOctets", labels=_with_direction())
        errors = CounterMetricFamily("sanwang_port_errors", "ifInErrors, ifOutErrors", labels=_with_direction())
        bps = GaugeMetricFamily("sanwang_link_bps", "Load of the last interval, bit/s", labels=_with_direction())
        optical = GaugeMetricFamily("sanwang_optical_power_dbm", "Optical power", labels=_with_direction())
        for target in self._targets:
            host = target.host
            up.add_metric([host], float(target.fresh(now)))
            result = target.result
            if result is None or not target.fresh(now):
                continue
            took.add_metric([host], result.took_s)
            uptime.add_metric([host], result.uptime_s)
            for family, value in (
                (cpu, result.cpu_ratio),
                (total, result.memory_total_bytes),
                (free, result.memory_available_bytes),
            ):
                if value is not None:
                    family.add_metric([host], value)
            for port, counters in result.ports.items():
                labels = [host, port, self._links.get((host, port), "")]
                port_up.add_metric(labels, float(counters.up))
                octets.add_metric([*labels, "in"], counters.in_octets)
                octets.add_metric([*labels, "out"], counters.out_octets)
                errors.add_metric([*labels, "in"], counters.in_errors)
                errors.add_metric([*labels, "out"], counters.out_errors)
                if counters.in_bps is not None:
                    bps.add_metric([*labels, "in"], counters.in_bps)
                if counters.out_bps is not None:
                    bps.add_metric([*labels, "out"], counters.out_bps)
            for (port, direction), dbm in result.optical_dbm.items():
                if dbm is not None:
                    optical.add_metric([host, port, self._links.get((host, port), ""), direction], dbm)
        yield from (up, took, uptime, cpu, total, free, port_up, octets, errors, bps, optical)


def _with_direction() -> list[str]:
    return [*_PORT_LABELS, "direction"]


def target_page(poller: Poller, links: Mapping[tuple[str, str], str], host: str) -> bytes | None:
    """Exposition of one device, None when it is no target."""
    target = poller.targets.get(host)
    if target is None:
        return None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnmpMetrics([target], links))
    return generate_latest(registry)

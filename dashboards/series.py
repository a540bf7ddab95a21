"""Series that a page may ask for by name. Pages never send PromQL: a name and a site or link make the expression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory.model import NetworkModel

MAX_POINTS = 1_500
MAX_RANGE_S = 31 * 24 * 3600
MIN_STEP_S = 1.0


class BadQuestion(ValueError):
    """The page asked for something that is not offered; the message says what is."""


@dataclass(frozen=True, slots=True)
class Series:
    """One named series."""

    expression: str  # with {hosts}: an anchored alternation of host names, or {link}: one link's name
    unit: str
    legend: tuple[str, ...]  # labels that tell its lines apart


_PORT = ("host", "port", "link", "direction")
_OURS = 'path=~"({hosts})-.*|.*-({hosts})"'

SERIES: dict[str, Series] = {
    "traffic": Series('sanwang_link_bps{host=~"{hosts}", link!=""}', "bit/s", _PORT),
    "link_traffic": Series('sanwang_link_bps{link="{link}"}', "bit/s", _PORT),
    "rx_power": Series('sanwang_optical_power_dbm{host=~"{hosts}", direction="rx"}', "dBm", ("host", "port", "link")),
    "probe_rtt": Series(f"sanwang_probe_rtt_seconds{{{_OURS}}}", "s", ("path",)),
    "probe_loss": Series(f"sanwang_probe_loss_ratio{{{_OURS}}}", "ratio", ("path",)),
    "link_rx_power": Series('sanwang_optical_power_dbm{link="{link}", direction="rx"}', "dBm", ("host", "port")),
    "link_rtt": Series('sanwang_probe_rtt_seconds{path="link:{link}"}', "s", ("path",)),
    "link_loss": Series('sanwang_probe_loss_ratio{path="link:{link}"}', "ratio", ("path",)),
    "cpu": Series('sanwang_cpu_busy_ratio{host=~"{hosts}"}', "ratio", ("host",)),
}


def expression(model: NetworkModel, name: str, site: str = "", link: str = "") -> str:
    """PromQL of a named series for one site or one link; BadQuestion when there is none."""
    series = SERIES.get(name)
    if series is None:
        raise BadQuestion(f"series {name!r}: expected one of {', '.join(sorted(SERIES))}")
    text = series.expression
    if "{hosts}" in text:
        hosts = [host.name for host in model.site_hosts(site)] if site in model.sites else []
        if not hosts:
            raise BadQuestion(f"site {site!r}: not in the county")
        text = text.replace("{hosts}", "|".join(hosts))  # host names are [a-z0-9-]: nothing to escape
    if "{link}" in text:
        if link not in model.links:
            raise BadQuestion(f"link {link!r}: not in the county")
        text = text.replace("{link}", link)
    return text


def window(now: float, range_s: float, step_s: float | None) -> tuple[float, float, float]:
    """(start, end, step) in seconds, bounded in length and in points; BadQuestion when it cannot be."""
    if not math.isfinite(range_s) or not 0 < range_s <= MAX_RANGE_S:
        raise BadQuestion(f"range_s {range_s}: expected 1 to {MAX_RANGE_S}")
    step = range_s / 300 if step_s is None else step_s
    if not math.isfinite(step) or step <= 0:
        raise BadQuestion(f"step_s {step_s}: expected a positive number")
    step = max(step, MIN_STEP_S, range_s / MAX_POINTS)
    end = math.floor(now / step) * step  # steps aligned to the clock: the same question gives the same points
    return end - range_s, end, step


def lines(name: str, matrix: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Prometheus' matrix as the page draws it: per line its labels and its points, gaps kept out."""
    legend = SERIES[name].legend
    found = []
    for row in matrix:
        labels = {label: row["metric"].get(label, "") for label in legend}
        points = [(float(at), float(text)) for at, text in row["values"]]
        found.append({"labels": labels, "points": [(at, value) for at, value in points if math.isfinite(value)]})
    return sorted(found, key=lambda line: [line["labels"][label] for label in legend])

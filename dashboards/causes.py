"""What failed by itself, as the pages name it.  The verdict is the collector's: its open faults."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inventory.impact import Impact
from inventory.model import ROUTERS, NetworkModel


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that failed by itself."""

    kind: str  # "site": its router does not work; "host"; "link"
    name: str
    site: str  # site code; of a link, end a's
    links: tuple[str, ...] = ()  # lines that went down with it


def causes(model: NetworkModel, faults: Iterable[Mapping[str, Any]], dark: Collection[str] = ()) -> tuple[Cause, ...]:
    """Of the open faults of ``GET /faults``: sites first, then hosts and links; ``dark``: links that are down.

    A daemon that stands still and a link that is degraded are faults too, but nothing on the map is down by itself.
    """
    links: list[str] = []
    hosts: list[str] = []
    for fault in faults:
        kind = str(fault.get("key")).partition(":")[0]
        if kind in ("link", "duct") and fault.get("kind") != "link-degraded":
            links += [name for name in (fault.get("links") or [fault.get("subject")]) if name in model.links]
        elif kind in ("host", "site", "tunnel"):
            hosts += [name for name in (fault.get("hosts") or [fault.get("subject")]) if name in model.hosts]
    return named(model, links, hosts, dark)


def named(
    model: NetworkModel, links: Collection[str], hosts: Collection[str], dark: Collection[str] = ()
) -> tuple[Cause, ...]:
    """These links and hosts, a router for its whole site with everything that stands there."""
    sites = [code for code in model.sites if any(
        model.hosts[name].role in ROUTERS and model.hosts[name].site == code for name in hosts)]  # fmt: skip
    lines = {code: _lines(model, code) for code in sites}
    folded = {name for found in lines.values() for name in found}
    folded |= {port.link for name in hosts for port in model.hosts[name].ports}
    down = {*links, *dark}
    return (
        *(Cause("site", code, code, tuple(name for name in lines[code] if name in down)) for code in sites),
        *(Cause("host", name, model.hosts[name].site) for name in model.hosts
          if name in hosts and model.hosts[name].site not in sites),
        *(Cause("link", name, model.hosts[model.links[name].a.host].site) for name in model.links
          if name in links and name not in folded),
    )  # fmt: skip


def _lines(model: NetworkModel, site: str) -> list[str]:
    """Links of the site's routers."""
    return [port.link for host in model.site_hosts(site) if host.role in ROUTERS for port in host.ports]


def impact_document(impact: Impact, why: tuple[Cause, ...]) -> dict[str, object]:
    """The impact and its causes as JSON types."""
    return {"causes": [asdict(cause) for cause in why], **asdict(impact)}

"""What a network of the county's own spares it: counted in the model, priced by what ``costs.yml`` cites. Pure.

Nothing is counted twice: line rent is what leased lines cost together, so a plan's own sum of it stands beside the
computed one and is never added; a dual-homed site would have leased one line, so its second arm spares nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.model import LinkKind, NetworkModel, Site, SiteKind
from inventory.schema import CostsIntent

_PROTECTED = frozenset(SiteKind) - {SiteKind.CENTRE, SiteKind.SCHOOL, SiteKind.SUBSCRIBERS}
"""Sites that would each need a firewall of their own: on the government network, behind the shared exit."""


@dataclass(frozen=True, slots=True)
class Saving:
    """One kind of thing that the county need not buy."""

    key: str
    zh: str
    en: str
    counted: int  # how many of them there would be
    sites: tuple[Site, ...]  # which the model counts; () when the county states the number
    own: int  # of these the county has itself, so they are not spared
    each_cny: float
    per: str  # "year" or "once"
    source_zh: str
    source_en: str

    @property
    def count(self) -> int:
        """How many are spared."""
        return self.counted - self.own

    @property
    def cny(self) -> float:
        """What is spared, CNY a year or once."""
        return self.count * self.each_cny


def savings(model: NetworkModel, costs: CostsIntent | None) -> tuple[Saving, ...]:
    """Every kind of saving that the county has a price for; () when it writes none."""
    if costs is None:
        return ()
    attached = tuple(site for site in model.sites.values() if _on_access_fibre(model, site))
    line, broadband, boxes = costs.leased_line, costs.broadband_line, costs.security_boxes
    found = [
        Saving("leased_lines", "免租百兆光纤", "Leased fibres avoided", len(attached), attached, 0, line.cny, "year",
               line.source.zh, line.source.en)
    ]  # fmt: skip
    if broadband is not None:
        found.append(
            Saving("broadband", "取消单位宽带", "Broadband lines given up", broadband.lines, (), 0, broadband.cny,
                   "year", broadband.source.zh, broadband.source.en)
        )  # fmt: skip
    if boxes is not None:
        behind = tuple(site for site in model.sites.values() if _behind_exit(site))
        found.append(
            Saving("security_boxes", "少买安全设备", "Security boxes avoided", len(behind), behind, 1,
                   boxes.cny / boxes.sites, "once", boxes.source.zh, boxes.source.en)
        )  # fmt: skip
    return tuple(found)


def _on_access_fibre(model: NetworkModel, site: Site) -> bool:
    """True for a site whose own router hangs on the fibre plant."""
    ports = (port for host in model.site_hosts(site.code) for port in host.ports)
    return site.kind is not SiteKind.CENTRE and any(model.links[port.link].kind is LinkKind.ACCESS for port in ports)


def _behind_exit(site: Site) -> bool:
    return site.kind in _PROTECTED and not site.kind.outside and "gov" in site.networks

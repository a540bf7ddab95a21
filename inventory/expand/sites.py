"""Phase 3, sites: what stands where, on whose line, in which networks."""

from __future__ import annotations

from inventory.errors import Report
from inventory.expand.written import WrittenSite, written_sites
from inventory.model import Network, Site, SiteKind
from inventory.schema import (
    AccessIntent,
    CentreIntent,
    Intent,
    RemoteIntent,
    SmallIntent,
    ThirdPartyIntent,
    UplinkIntent,
)

HOMES = {
    SiteKind.TOWNSHIP: ("centres",),
    SiteKind.BODY: ("centres",),
    SiteKind.BUILDING: ("centres",),
    SiteKind.SCHOOL: ("centres", "townships", "bodies", "buildings"),
    SiteKind.CLINIC: ("centres", "townships", "bodies", "buildings"),
    SiteKind.SUBSCRIBERS: ("centres",),
}
REMOTE_HOMES = {
    "villages": ("carriers",),
    "partners": ("carriers",),
    "third_parties": ("carriers",),
    "units": ("centres",),
}
WORD = {
    "centres": "centre",
    "townships": "township",
    "bodies": "body",
    "buildings": "building",
    "carriers": "carrier",
}


def expand_sites(intent: Intent, networks: dict[str, Network], report: Report) -> dict[str, Site]:
    """Every site by code, in the county's order."""
    return {site.code: _site(site, intent, networks, report) for site in written_sites(intent)}


def box_centre(intent: Intent, box: str) -> str:
    """Code of the first centre where a box stands, or "" when the county has none."""
    return next((code for code, centre in intent.centres.items() if box in centre.boxes), "")


def _site(site: WrittenSite, intent: Intent, networks: dict[str, Network], report: Report) -> Site:
    written = site.intent
    kind = site.section.kind
    homes: tuple[str, ...] = ()
    organisations: tuple[tuple[str, str], ...] = ()
    if isinstance(written, AccessIntent):
        homes = written.homes
        organisations = tuple((name.zh, name.en) for name in written.organisations)
        if len(set(homes)) < len(homes):
            report.error((*site.key, "homes", 1), f"{homes[1]} twice", "two different centres", "choose another centre")
        elif len(homes) == 1:
            report.warning(
                (*site.key, "homes"), f"one home, {homes[0]}", "two centres", "a cut fibre leaves the site alone"
            )
    elif isinstance(written, SmallIntent | RemoteIntent | ThirdPartyIntent):
        homes = (written.home,)
    elif isinstance(written, CentreIntent):
        pass
    else:
        homes = (box_centre(intent, "firewall"),) if box_centre(intent, "firewall") else ()
        if isinstance(written, UplinkIntent):
            kind = SiteKind(written.zone)
    _check_homes(site, homes, intent, report)
    return Site(
        code=site.code,
        number=written.number,
        kind=kind,
        zh=written.zh,
        en=written.en,
        homes=homes,
        networks=_networks(site, intent, networks, report),
        organisations=organisations,
        x=written.at[0],
        y=written.at[1],
    )


def _check_homes(site: WrittenSite, homes: tuple[str, ...], intent: Intent, report: Report) -> None:
    allowed = REMOTE_HOMES.get(site.section.name) or HOMES.get(site.section.kind)
    if allowed is None:
        return
    many = isinstance(site.intent, AccessIntent)
    words = " or ".join(WORD[section] for section in allowed)
    for index, home in enumerate(homes):
        if not any(home in getattr(intent, section) for section in allowed):
            key = (*site.key, "homes", index) if many else (*site.key, "home")
            report.error(key, home, f"the code of a {words}", "correct the code or add the site")
        elif site.section.name in ("units", "subscribers") and "headend" not in intent.centres[home].boxes:
            report.error((*site.key, "home"), home, "a centre with a head-end", "choose the cable centre")


def _networks(site: WrittenSite, intent: Intent, networks: dict[str, Network], report: Report) -> tuple[str, ...]:
    written = site.intent
    if isinstance(written, CentreIntent):
        return tuple(networks)
    chosen = set(site.section.networks)
    if isinstance(written, AccessIntent | RemoteIntent) and written.networks is not None:
        chosen = set(written.networks)
        for index, name in enumerate(written.networks):
            if name not in networks:
                report.error(
                    (*site.key, "networks", index),
                    name,
                    f"one of {', '.join(networks)}",
                    "correct it or add the network",
                )
            elif networks[name].kind == "closed":
                report.error(
                    (*site.key, "networks", index),
                    f"the closed group {name}",
                    "only public networks here",
                    f"add the site to networks.{name}.members",
                )
    if isinstance(written, AccessIntent | RemoteIntent):
        chosen.add("mgmt")
    if isinstance(written, AccessIntent):
        chosen |= {name for name, network in intent.networks.items() if site.code in network.members}
    return tuple(name for name in networks if name in chosen)

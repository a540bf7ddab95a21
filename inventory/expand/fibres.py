"""Phase 4, fibres: the ring and the access fibres, ducts, and what they put on both routers' ports."""

from __future__ import annotations

from inventory.errors import Report
from inventory.expand.cable import Cable, End, bits, cable
from inventory.model import Duct, LinkKind, Role, Site, SiteKind
from inventory.plan import ACCESS_BFD_MS, ACCESS_COST, RING_BFD_MS, RING_COST, UNDERLAY_MTU, underlay_ends
from inventory.schema import FibreIntent, Intent

ROUTER_KINDS = (SiteKind.CENTRE, SiteKind.TOWNSHIP, SiteKind.BODY, SiteKind.BUILDING)


def router_name(site: Site) -> str:
    """Name of a site's own router."""
    return f"{site.code}-core" if site.kind is SiteKind.CENTRE else f"{site.code}-rt"


def router_role(site: Site) -> Role:
    """Core at a centre, access elsewhere."""
    return Role.CORE if site.kind is SiteKind.CENTRE else Role.ACCESS


def expand_ducts(intent: Intent) -> dict[str, Duct]:
    """Every duct by name."""
    return {name: Duct(name, duct.zh, duct.en) for name, duct in intent.ducts.items()}


def expand_fibres(intent: Intent, sites: dict[str, Site], report: Report) -> tuple[Cable, ...]:
    """Ring and access fibres as cables; checks that the ring is closed and that every home has its fibre."""
    cables = []
    for name, fibre in intent.fibres.items():
        if _ends_good(name, fibre, sites, report):
            cables.append(_cable(name, fibre, sites))
        for index, duct in enumerate(fibre.ducts):
            if duct not in intent.ducts:
                report.error(("fibres", name, "ducts", index), duct, "a duct's name", "add it to `ducts:`")
    _check_ring(cables, sites, report)
    _check_arms(intent, sites, report)
    return tuple(cables)


def _ends_good(name: str, fibre: FibreIntent, sites: dict[str, Site], report: Report) -> bool:
    good = True
    for index, end in enumerate(fibre.ends):
        if end not in sites or sites[end].kind not in ROUTER_KINDS:
            report.error(
                ("fibres", name, "ends", index),
                end,
                "the code of a centre, township, body or building",
                "correct the code or add the site",
            )
            good = False
    if not good:
        return False
    a, b = (sites[end] for end in fibre.ends)
    if a is b:
        report.error(("fibres", name, "ends", 1), f"{b.code} at both ends", "two sites", "correct one end")
        return False
    if SiteKind.CENTRE not in (a.kind, b.kind):
        report.error(("fibres", name, "ends"), f"{a.code} and {b.code}", "a centre at one end", "correct one end")
        return False
    site, centre = (b, a) if a.kind is SiteKind.CENTRE else (a, b)
    if SiteKind.CENTRE is not site.kind and centre.code not in site.homes:
        report.error(
            ("fibres", name, "ends"),
            f"{centre.code}, not a home of {site.code}",
            f"one of {', '.join(site.homes)}",
            "correct the end or the site's homes",
        )
        return False
    return True


def _cable(name: str, fibre: FibreIntent, sites: dict[str, Site]) -> Cable:
    a, b = (sites[end] for end in fibre.ends)
    ring = a.kind is b.kind is SiteKind.CENTRE
    cost, bfd_ms = (RING_COST, RING_BFD_MS) if ring else (ACCESS_COST, ACCESS_BFD_MS)
    ends = (
        End(router_name(site), address=address, mtu=UNDERLAY_MTU, bfd_ms=bfd_ms, cost=cost, ospf=True)
        for site, address in zip((a, b), underlay_ends(fibre.number), strict=True)
    )
    return cable(
        name,
        fibre.number,
        LinkKind.RING if ring else LinkKind.ACCESS,
        *ends,
        rate_bps=bits(fibre.rate or ("1G" if ring else "100M")),
        length_km=fibre.km,
        ducts=fibre.ducts,
    )


def _check_ring(cables: list[Cable], sites: dict[str, Site], report: Report) -> None:
    """Every centre has exactly two ring fibres to different centres, and one walk meets them all."""
    centres = [code for code, site in sites.items() if site.kind is SiteKind.CENTRE]
    near: dict[str, list[str]] = {code: [] for code in centres}
    for item in cables:
        if item.link.kind is LinkKind.RING:
            a, b = (end.host.removesuffix("-core") for end in item.link.ends)
            near[a].append(b)
            near[b].append(a)
    if len(centres) < 3:
        report.error(("centres",), f"{len(centres)} centres", "at least 3, in a ring", "add a centre")
        return
    broken = False
    for code, others in near.items():
        if len(set(others)) != 2 or len(others) != 2:
            report.error(
                ("centres", code),
                f"ring fibres to {', '.join(others) or 'nobody'}",
                "ring fibres to two different centres",
                "correct `fibres:` so that the ring is closed",
            )
            broken = True
    if broken:
        return
    walk = [centres[0]]
    while (step := next((c for c in near[walk[-1]] if c not in walk), None)) is not None:
        walk.append(step)
    if len(walk) < len(centres):
        lost = ", ".join(code for code in centres if code not in walk)
        report.error(("fibres",), f"a ring without {lost}", "one ring through every centre", "join the rings")


def _check_arms(intent: Intent, sites: dict[str, Site], report: Report) -> None:
    """One fibre for each home of a site with a router; a duct that holds both arms is a warning."""
    arms: dict[str, dict[str, str]] = {}
    for name, fibre in intent.fibres.items():
        for near, home in (fibre.ends, fibre.ends[::-1]):
            if near in sites and sites[near].kind in ROUTER_KINDS[1:] and home in sites[near].homes:
                first = arms.setdefault(near, {}).setdefault(home, name)
                if first != name:
                    report.error(
                        ("fibres", name, "ends"),
                        f"a second fibre from {near} to {home} (first: {first})",
                        "one fibre for each home",
                        "remove one",
                    )
    for code, site in sites.items():
        if site.kind not in ROUTER_KINDS[1:]:
            continue
        section = {"township": "townships", "body": "bodies", "building": "buildings"}[site.kind.value]
        found = arms.get(code, {})
        for index, home in enumerate(site.homes):
            if home in sites and home not in found:
                report.error(
                    (section, code, "homes", index),
                    f"no fibre from {code} to {home}",
                    "one fibre for each home",
                    f"add it to `fibres:` with ends [{code}, {home}]",
                )
        if len(found) == 2:
            first, second = found.values()
            for duct in sorted(set(intent.fibres[first].ducts) & set(intent.fibres[second].ducts)):
                report.warning(
                    ("fibres", second, "ducts"),
                    f"duct {duct}, which also holds {first}",
                    f"the two arms of {code} in different ducts",
                    "one digger cuts both; lay one arm another way",
                )

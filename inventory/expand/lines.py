"""Phase 9, lines: small sites' single lines, broadband, cable, and the uplinks of the exit."""

from __future__ import annotations

from inventory import plan
from inventory.errors import Report
from inventory.expand.cable import Cable, End, bits, cable
from inventory.expand.ground import Ground
from inventory.expand.written import WrittenSite, written_sites
from inventory.model import LinkKind, SiteKind
from inventory.schema import CarrierIntent, Intent, SmallIntent, UplinkIntent

BROADBAND_BPS, CABLE_BPS, SPUR_BPS = 20 * 10**6, 50 * 10**6, 100 * 10**6
SMALL = ("schools", "clinics", "subscribers")


def expand_lines(intent: Intent, ground: Ground, report: Report) -> tuple[Cable, ...]:
    """One cable for every site that hangs on a single line, its number computed from the site's."""
    cables = []
    for site in written_sites(intent):
        written = site.intent
        if isinstance(written, SmallIntent):
            for index, duct in enumerate(written.ducts):
                if duct not in intent.ducts:
                    report.error((*site.key, "ducts", index), duct, "a duct's name", "add it to `ducts:`")
            _check_network(site, ground, report)
        if site.section.name in ("schools", "clinics"):
            cables.append(_spur(site, ground))
        elif site.section.name in ("villages", "partners", "third_parties"):
            cables.append(_broadband(site, ground))
        elif site.section.name in ("units", "subscribers"):
            cables.append(_coax(site, ground))
        elif isinstance(written, CarrierIntent | UplinkIntent):
            cables.append(_uplink(site, written.rate, ground))
    return tuple(cables)


def _check_network(site: WrittenSite, ground: Ground, report: Report) -> None:
    """A small site's router must be in the small site's network."""
    home, (name,) = ground.sites[ground.sites[site.code].homes[0]], site.section.networks
    if name not in home.networks:
        report.error(
            (*site.key, "home"),
            f"{home.code}, which is not in {name}",
            f"a site in {name}",
            f"choose another home or add {name} to its networks",
        )


def _spur(site: WrittenSite, ground: Ground) -> Cable:
    assert isinstance(site.intent, SmallIntent)
    home = ground.sites[site.code].homes[0]
    network = ground.networks[site.section.networks[0]]
    number = site.intent.number
    return cable(
        f"{site.code}-{home}",
        plan.line_number(number),
        LinkKind.SPUR,
        End(ground.router(home), vrf=network.name, address=plan.site_address(network, number, plan.SLOT_ROUTER)),
        End(site.host, address=plan.site_address(network, number, plan.SLOT_USER)),
        rate_bps=SPUR_BPS,
        length_km=site.intent.km,
        ducts=site.intent.ducts,
    )


def _broadband(site: WrittenSite, ground: Ground) -> Cable:
    carrier = ground.sites[site.code].homes[0]
    number = plan.line_number(site.intent.number)
    near, far = plan.outer_ends(number)
    return cable(
        f"{site.code}-{carrier}",
        number,
        LinkKind.BROADBAND,
        End(f"{carrier}-isp", address=near),
        End(site.host, address=far),
        rate_bps=BROADBAND_BPS,
    )


def _coax(site: WrittenSite, ground: Ground) -> Cable:
    home = ground.sites[site.code].homes[0]
    number = site.intent.number
    tv = ground.networks["tv"]
    written = site.intent
    return cable(
        f"{site.code}-{home}",
        plan.line_number(number),
        LinkKind.CABLE,
        End(ground.host(home, "headend"), address=plan.site_address(tv, number, plan.SLOT_ROUTER)),
        End(site.host, address=plan.site_address(tv, number, plan.SLOT_USER)),
        rate_bps=CABLE_BPS,
        length_km=written.km if isinstance(written, SmallIntent) else 0.0,
        ducts=written.ducts if isinstance(written, SmallIntent) else (),
    )


def _uplink(site: WrittenSite, rate: str, ground: Ground) -> Cable:
    number = plan.line_number(site.intent.number)
    near, far = plan.outer_ends(number)
    assert ground.sites[site.code].kind in (SiteKind.CARRIER, SiteKind.CITY, SiteKind.PROVINCE)
    return cable(
        f"{ground.firewall}-{site.code}",
        number,
        LinkKind.UPLINK,
        End(ground.host(ground.firewall, "firewall"), address=near),
        End(site.host, address=far),
        rate_bps=bits(rate),
    )

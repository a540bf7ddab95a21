"""Phase 7, halls: meeting rooms, each a computer in its site's government LAN."""

from __future__ import annotations

from inventory import plan
from inventory.errors import Report
from inventory.expand.fibres import ROUTER_KINDS
from inventory.expand.ground import Ground
from inventory.model import Hall, SiteKind
from inventory.schema import Intent


def expand_halls(intent: Intent, ground: Ground, report: Report) -> dict[str, Hall]:
    """Every hall by code."""
    halls: dict[str, Hall] = {}
    taken: dict[str, str] = {}
    centres = [code for code in ground.relays if ground.sites[code].kind is SiteKind.CENTRE]
    for code, written in intent.halls.items():
        site = ground.sites.get(written.site)
        if site is None or site.kind not in ROUTER_KINDS or "gov" not in site.networks:
            report.error(
                ("halls", code, "site"),
                written.site,
                "the code of a centre, township, body or building in gov",
                "correct the code or add the site",
            )
            continue
        if site.code in taken:
            report.error(
                ("halls", code, "site"), f"{site.code}, which has {taken[site.code]}", "one hall a site", "remove one"
            )
        taken[site.code] = code
        centre = written.relay or (centres[0] if centres else "")
        if centre not in centres:
            report.error(
                ("halls", code, "relay" if written.relay else "site"),
                centre or "no relay in the county",
                "a centre with the box relay",
                "add relay to a centre's boxes",
            )
            continue
        own = site.code if site.code in ground.relays else centre
        others = (code for code in (centre, *centres) if code != own)
        fallback = next(others, "")
        halls[code] = Hall(
            code=code,
            site=site.code,
            host=f"{site.code}-hall",
            zh=written.zh,
            en=written.en,
            seats=written.seats,
            devices=written.devices,
            address=plan.site_address(ground.networks["gov"], site.number, plan.SLOT_USER).ip,
            relay=ground.host(own, "relay"),
            fallback=ground.host(fallback, "relay") if fallback else "",
        )
    return halls

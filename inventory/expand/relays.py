"""Which sites have a media relay of their own, and what is wrong with one that cannot have it."""

from __future__ import annotations

from inventory.errors import Report
from inventory.expand.written import ACCESS
from inventory.model import Site
from inventory.schema import AccessIntent, Intent

BOX = "relay"


def relay_sites(intent: Intent, sites: dict[str, Site], report: Report) -> tuple[str, ...]:
    """Codes of the sites with a relay, centres first, then in the county's order."""
    centres = tuple(code for code, centre in intent.centres.items() if BOX in centre.boxes)
    found = list(centres)
    for section in ACCESS:
        written: dict[str, AccessIntent] = getattr(intent, section)
        for code, site in written.items():
            if not site.boxes:
                continue
            found.append(code)
            if len(site.boxes) > 1:
                report.error((section, code, "boxes", 1), f"{BOX} again", "each box once", "remove it")
            if "gov" not in sites[code].networks:
                report.error(
                    (section, code, "boxes", 0),
                    f"{BOX} at a site that is not in gov",
                    "a site in gov, where halls and relays are",
                    f"add gov to {section}.{code}.networks, or remove the box",
                )
            if not centres:
                report.error(
                    (section, code, "boxes", 0),
                    f"{BOX}, and none at a centre",
                    "one at a centre too: it serves all other halls, and these when their own is dead",
                    "add relay to a centre's boxes",
                )
    return tuple(found)

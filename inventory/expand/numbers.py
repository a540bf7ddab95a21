"""Phase 1, numbers: every number and code is written once in the whole county."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.errors import Key, Report
from inventory.expand.written import written_sites
from inventory.plan import CENTRE_MAX
from inventory.schema import Intent


def check(intent: Intent, report: Report) -> None:
    """Numbers of sites, networks, fibres and services; codes of sites."""
    sites = list(written_sites(intent))
    _once(((site.key, "number", site.intent.number) for site in sites), "a site number used nowhere else", report)
    _once((((*site.key,), "", site.code) for site in sites), "a site code used nowhere else", report)
    _once(
        ((("networks", name), "number", network.number) for name, network in intent.networks.items()),
        "a network number used nowhere else",
        report,
    )
    _once(
        ((("fibres", name), "number", fibre.number) for name, fibre in intent.fibres.items()),
        "a fibre number used nowhere else",
        report,
    )
    _once(
        ((("services", name), "number", service.number) for name, service in intent.services.items()),
        "a service number used nowhere else",
        report,
    )
    for code, centre in intent.centres.items():
        if centre.number > CENTRE_MAX:
            report.error(
                ("centres", code, "number"),
                str(centre.number),
                f"1 to {CENTRE_MAX}: a centre's number is also its place in the service segments",
                "give the centre a small number",
            )


def _once(items: Iterable[tuple[Key, str, object]], expected: str, report: Report) -> None:
    first: dict[object, Key] = {}
    for key, leaf, value in items:
        full = (*key, leaf) if leaf else key
        if value in first:
            report.error(full, f"{value}, taken at {report.place(first[value])}", expected, "choose a free one")
        else:
            first[value] = full

"""Phase 10, the exit: carriers' lines, and the prefixes of the world outside."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from inventory import plan
from inventory.errors import Key, Report
from inventory.expand.cable import Cable
from inventory.expand.ground import Ground
from inventory.model import ExitLine
from inventory.schema import Intent


def expand_outside(intent: Intent, report: Report) -> dict[str, IPv4Network]:
    """``internet``, ``city`` and ``province`` with their prefixes; none may overlap the county's own."""
    written: list[tuple[Key, str, IPv4Network]] = []
    if intent.internet:
        written.append((("internet",), "internet", intent.internet.prefix))
        if intent.internet.answers not in intent.internet.prefix:
            report.error(
                ("internet", "answers"), str(intent.internet.answers), f"within {intent.internet.prefix}", "correct it"
            )
    if intent.carriers and not intent.internet:
        report.error(("carriers",), "carriers without `internet:`", "the Internet's prefix", "write `internet:`")
    for code, uplink in intent.uplinks.items():
        written.append((("uplinks", code), uplink.zone, uplink.prefix))
        if uplink.answers not in uplink.prefix:
            report.error(("uplinks", code, "answers"), str(uplink.answers), f"within {uplink.prefix}", "correct it")
    outside: dict[str, IPv4Network] = {}
    for key, zone, prefix in written:
        clash = _overlap(prefix, [*plan.RESERVED, *outside.values()])
        if clash:
            report.error((*key, "prefix"), str(prefix), f"nothing of {clash}, in use already", "choose another prefix")
        if zone in outside:
            report.error((*key, "zone"), f"{zone} again", "one line up to each zone", "remove one")
        outside[zone] = prefix
        if intent.vpn and not any(prefix.subnet_of(reach) for reach in intent.vpn.reaches):
            report.warning(
                ("vpn",),
                f"nothing of {zone} ({prefix}) in `reaches`",
                "every prefix that remote sites may go to",
                "villages and small units will not reach it; add it to vpn.reaches",
            )
    return outside


def expand_exits(intent: Intent, cables: Iterable[Cable], ground: Ground) -> tuple[ExitLine, ...]:
    """The carriers' lines at the firewall, preferred first."""
    by_name = {item.link.name: item for item in cables}
    lines = []
    for code, carrier in intent.carriers.items():
        line = by_name[f"{ground.firewall}-{code}"]
        assert line.a.address is not None
        assert line.b.address is not None
        lines.append(ExitLine(code, line.a.name, line.a.address, line.b.address.ip, carrier.metric, carrier.probe))
    return tuple(sorted(lines, key=lambda line: line.metric))


def _overlap(prefix: IPv4Network, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    return next((other for other in taken if other.overlaps(prefix)), None)

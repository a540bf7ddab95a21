"""Phase 2, networks: gov, edu, tv, mgmt and the closed groups."""

from __future__ import annotations

from inventory.errors import Report
from inventory.expand.written import ACCESS
from inventory.model import Network
from inventory.plan import network_prefix
from inventory.schema import Intent

FIXED = {"gov": 1, "edu": 2, "tv": 3, "mgmt": 4}
RESERVED = frozenset({"internet", "city", "province", "vpn", "service", "default"})


def expand_networks(intent: Intent, report: Report) -> dict[str, Network]:
    """Every network by name, lowest number first."""
    routers = [code for section in ACCESS for code in getattr(intent, section)]
    for name, number in FIXED.items():
        written = intent.networks.get(name)
        if written is None:
            report.error(("networks",), f"no network {name}", f"{name} with number {number}", f"add {name}")
        elif written.number != number:
            report.error(
                ("networks", name, "number"), str(written.number), f"{number}, fixed by the address plan", "correct it"
            )
    for name, written in intent.networks.items():
        if name in RESERVED:
            report.error(("networks", name), name, "a name that means nothing else in policy", "rename the network")
        wanted = "mgmt" if name == "mgmt" else "public" if name in FIXED else "closed"
        if written.kind != wanted:
            report.error(("networks", name, "kind"), written.kind, wanted, "correct it")
        if name not in FIXED and written.number < 10:
            report.error(
                ("networks", name, "number"), str(written.number), "10 to 31 for a closed group", "choose a free one"
            )
        if written.members and wanted != "closed":
            report.error(
                ("networks", name, "members"),
                "members",
                "members only on a closed group",
                "write `networks:` at the sites instead",
            )
        for index, member in enumerate(written.members):
            if member not in routers:
                report.error(
                    ("networks", name, "members", index),
                    member,
                    "the code of a township, body or building",
                    "correct the code or add the site",
                )
            elif member in written.members[:index]:
                report.error(("networks", name, "members", index), f"{member} again", "each member once", "remove it")
    return {
        name: Network(
            name=name,
            number=written.number,
            zh=written.zh,
            en=written.en,
            kind=written.kind,
            prefix=network_prefix(written.number),
            vni=1000 + written.number,
            core_vni=3000 + written.number,
            service_vni=2000 + written.number,
        )
        for name, written in sorted(intent.networks.items(), key=lambda item: item[1].number)
    }

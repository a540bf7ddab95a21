"""Adding or removing a site changes only the devices it attaches to: tried for every site of the county."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inventory.errors import Report
from inventory.expand import expand
from inventory.expand.written import SECTIONS
from inventory.load import Loaded, find, read
from inventory.model import NetworkModel, SiteKind
from inventory.schema import Intent

DATA = read(find("shili")).data
SITES = [(section.name, code) for section in SECTIONS for code in DATA.get(section.name, {})]
REMOVABLE = [(section, code) for section, code in SITES if section != "centres"]


def dependents(data: dict[str, Any], code: str) -> set[str]:
    """The site and every site that hangs on it."""
    found = {code}
    for section in SECTIONS:
        for other, written in data.get(section.name, {}).items():
            if written.get("home") in found:
                found.add(other)
    return found


def without(code: str) -> tuple[dict[str, Any], set[str]]:
    """The county as if the site (and what hangs on it) had never been written."""
    data = copy.deepcopy(DATA)
    gone = dependents(data, code)
    for section in SECTIONS:
        for other in gone & set(data.get(section.name, {})):
            del data[section.name][other]
    data["fibres"] = {name: fibre for name, fibre in data["fibres"].items() if not gone & set(fibre["ends"])}
    data["halls"] = {name: hall for name, hall in data["halls"].items() if hall["site"] not in gone}
    data["people"] = {login: who for login, who in data["people"].items() if not gone & set(who.get("units", ()))}
    contacts = data["supervision"]["contacts"]
    data["supervision"]["contacts"] = {site: contact for site, contact in contacts.items() if site not in gone}
    for network in data["networks"].values():
        if "members" in network:
            network["members"] = [member for member in network["members"] if member not in gone]
    zones = {written["zone"] for written in data["uplinks"].values()}
    for rule in data["policy"]:
        for side in ("from", "to"):
            rule[side] = [text for text in rule[side] if text.split(" ")[0] not in {"city", "province"} - zones]
    data["policy"] = [rule for rule in data["policy"] if rule["from"] and rule["to"]]
    return data, gone


def attached_hosts(model: NetworkModel, code: str) -> set[str]:
    """Hosts that a site truly attaches to, by what the kind of its line says."""
    site = model.sites[code]
    routers = {f"{home}-core" for home in site.homes if home in ("c1", "c2", "c3")}
    if site.kind is SiteKind.THIRD:
        return {"c1-vpn", "c1-core", f"{site.homes[0]}-isp"}
    if site.kind is SiteKind.CARRIER or site.kind.outside:
        return {"c1-fw"}
    if site.kind in (SiteKind.SCHOOL, SiteKind.CLINIC) and not routers:
        home = model.sites[site.homes[0]]
        return {f"{home.code}-rt", *(f"{centre}-core" for centre in home.homes)}
    if site.kind is SiteKind.SUBSCRIBERS:
        return {"c3-headend", "c3-core"}
    if site.kind in (SiteKind.VILLAGE, SiteKind.UNIT):
        line = {"c3-headend", "c3-core"} if routers else {f"{site.homes[0]}-isp"}
        return {"c1-vpn", "c1-core"} | line
    return routers


@pytest.mark.parametrize(("section", "code"), REMOVABLE, ids=[code for _, code in REMOVABLE])
def test_a_site_changes_only_what_it_attaches_to(shili: Loaded, section: str, code: str) -> None:
    data, gone = without(code)
    before = expand(Intent.model_validate(data), Report())
    after = shili.model
    allowed = set().union(*(attached_hosts(after, other) for other in gone))
    own = {host.name for host in after.hosts.values() if host.site in gone}
    assert set(after.hosts) - set(before.hosts) == own
    changed = {name for name, host in before.hosts.items() if after.hosts[name] != host}
    assert changed <= allowed
    assert changed or not allowed - own  # a site that attaches to nothing would pass everything
    moved = [link.name for link in before.links.values() if after.links[link.name] != link]
    assert not moved
    assert all(after.tunnels[name] == tunnel for name, tunnel in before.tunnels.items())
    assert set(before.endpoints) <= set(after.endpoints)
    assert before.networks == after.networks
    assert before.services == after.services
    if not {rule.name for rule in after.policy} - {rule.name for rule in before.policy}:
        named = {"gov:halls", "tv:units"}
        touched = {rule.name for rule in before.policy if rule not in after.policy}
        assert touched <= {written["name"] for written in data["policy"] if named & set(written["from"])}


def test_the_order_of_the_files_does_not_matter(shili: Loaded) -> None:
    turned = {name: DATA[name] for name in reversed(DATA)}
    assert expand(Intent.model_validate(turned), Report()).hosts == shili.model.hosts

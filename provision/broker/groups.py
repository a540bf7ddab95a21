"""How the model's appliances fall into groups: for the Ansible inventory, for ``--limit`` and for stages.

Pure, and light to import: the model in, names out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from inventory.model import Host, NetworkModel, Role, SiteKind

STAGES = ("centres", "access", "inside", "remote")
"""Order of enrolment: each stage is reached in band through the ones before it.

``centres``: the centre routers and the management host; ``access``: dual-homed routers; ``inside``: the other boxes of
the centres and sites on the plant, access switches among them; ``remote``: boxes behind somebody else's line, reached
through the VPN gateway.
"""


def stage(model: NetworkModel, host: Host) -> str:
    """The enrolment stage of one appliance."""
    if host.role in (Role.CORE, Role.NMS):
        return "centres"
    if host.role is Role.ACCESS:
        return "access"
    if any(tunnel.host == host.name for tunnel in model.tunnels.values()):
        return "remote"
    return "inside"


def groups(model: NetworkModel) -> dict[str, tuple[str, ...]]:
    """Group name -> appliances, in the county's order.

    ``<role>`` (core, access, firewall, switch ...), ``at_<site kind>`` (at_township ...), ``stage_<stage>``,
    ``platform_<name>`` (linux, huawei_vrp8 ...), ``centre_<code>`` (what stands at a centre or has it as its first
    home).
    """
    found: dict[str, list[str]] = {role.value: [] for role in Role if role not in (Role.LEAF, Role.OUTSIDE)}
    found |= {f"stage_{name}": [] for name in STAGES}
    for host in model.appliances():
        site = model.sites[host.site]
        found[host.role.value].append(host.name)
        found[f"stage_{stage(model, host)}"].append(host.name)
        found.setdefault(f"at_{site.kind.value}", []).append(host.name)
        found.setdefault(f"platform_{host.platform}", []).append(host.name)
        centre = site.code if site.kind is SiteKind.CENTRE else next(iter(site.homes), "")
        if centre in model.sites and model.sites[centre].kind is SiteKind.CENTRE:
            found.setdefault(f"centre_{centre}", []).append(host.name)
    return {name: tuple(hosts) for name, hosts in found.items()}


def match(pattern: str, members: dict[str, tuple[str, ...]], hosts: Iterable[str]) -> tuple[str, ...]:
    """Hosts of an Ansible host pattern: names, groups and wildcards joined by ``,`` or ``:``, with ``&`` and ``!``.

    ValueError with the nearest names when a part of the pattern matches nothing.
    """
    everyone = tuple(hosts)
    known = {**members, "all": everyone, **{name: (name,) for name in everyone}}
    chosen: set[str] = set()
    parts = [part.strip() for part in pattern.replace(":", ",").split(",") if part.strip()]
    if parts and all(part[0] in "!&" for part in parts):
        chosen = set(everyone)
    # As Ansible does: plain parts first, then intersections, then exclusions.
    for part in sorted(parts, key=lambda text: {"&": 1, "!": 2}.get(text[0], 0)):
        name = part.lstrip("!&")
        found = {host for key, value in known.items() if fnmatchcase(key, name) for host in value}
        if not found and name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise ValueError(f"host pattern {pattern!r}: {name!r} is neither a host nor a group of the county{hint}")
        chosen = chosen & found if part[0] == "&" else chosen - found if part[0] == "!" else chosen | found
    return tuple(host for host in everyone if host in chosen)

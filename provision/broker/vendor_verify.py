"""What a vendor's switch shows in band, against the model: its uplinks, what runs, what it starts from."""

from __future__ import annotations

import re

from inventory.model import Host, NetworkModel, Role
from provision.parsers.run import NotUnderstood, parse
from provision.platforms import base as platforms
from provision.vendor import VendorSession

_INTERFACES = {
    "huawei_vrp8": ("display interface brief", "phy"),
    "huawei_vrp5": ("display interface brief", "phy"),
    "h3c_comware": ("display interface brief", "link"),
    "ruijie_rgos": ("show interfaces status", "status"),
    "zte_zxr10": ("show interface brief", "physical"),
}
"""Platform -> (command, the column of its rows that says whether a port has light)."""

_SHORT = {"XGigabitEthernet": "XGE", "Ten-GigabitEthernet": "XGE", "GigabitEthernet": "GE", "TenGigabitEthernet": "Te"}
"""How some releases abbreviate the types of ports in a listing."""


def look(
    session: VendorSession,
    platform: platforms.Platform,
    model: NetworkModel,
    host: Host,
    wanted: str,
    *,
    pending: bool = False,
) -> tuple[int, list[str]]:
    """(how many things were looked at, what is not as it should be): uplinks, running and saved configuration.

    Clocks, log and addresses are lines of the running configuration: they are compared with it.  ``wanted`` "": it is
    not to be as the model says yet, so only uplinks that it has open are looked at.  ``pending``: a change waits to be
    confirmed, and is saved only then.
    """
    running = session.running()
    uplinks = [port for port in host.ports if port.label and model.hosts[port.peer_host].role is Role.ACCESS]
    if not wanted:
        uplinks = [port for port in uplinks if _open(platform, running, port.label)]
    problems = []
    try:
        up = _up(session, platform.name)
    except NotUnderstood as error:
        problems += [f"{host.name}: its ports cannot be told: {error}"] * len(uplinks)
    else:
        for port in uplinks:
            state = up.get(_short(port.label))
            if not state:
                is_now = "down" if state is False else "not listed"
                problems.append(f"{host.name}: {port.label} to {port.peer_host} is {is_now}")
    if not pending and platforms.patch(platform, session.saved(), running):
        problems.append(f"{host.name}: what it starts from is not what runs: save it, or find who changed it")
    differs = platforms.patch(platform, running, wanted) if wanted else ()
    if differs:
        problems.append(f"{host.name}: {len(differs)} commands away from the model: `sanwang drift {host.name}`")
    return len(uplinks) + (0 if pending else 1) + (1 if wanted else 0), problems


def _open(platform: platforms.Platform, running: str, label: str) -> bool:
    """Whether the port is not shut: ZTE's are shut unless they say otherwise."""
    views = [node for node in platforms.read(platform, running) if node.line == f"interface {label}"]
    said = {child.line for node in views for child in node.children}
    return "no shutdown" in said if platform.name == "zte_zxr10" else "shutdown" not in said


def _up(session: VendorSession, platform: str) -> dict[str, bool]:
    command, column = _INTERFACES[platform]
    rows = parse(platform, command, session.show(command))
    return {_short(row["interface"]): row[column].lower().partition("(")[0] == "up" for row in rows}


def _short(name: str) -> str:
    """A port's name as the shortest of its listings writes it, without blanks."""
    bare = name.replace(" ", "")
    kind = re.match(r"[A-Za-z-]+", bare)
    return bare.replace(kind[0], _SHORT.get(kind[0], kind[0]), 1) if kind else bare

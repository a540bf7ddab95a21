"""What a vendor's switch shows in band, against the model: its uplinks, what it starts from, what it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inventory.model import Host, NetworkModel, Role
from provision.platforms import base as platforms
from provision.vendor import VendorSession

_INTERFACES = {
    "huawei_vrp8": "display interface brief",
    "huawei_vrp5": "display interface brief",
    "h3c_comware": "display interface brief",
    "ruijie_rgos": "show interfaces status",
    "zte_zxr10": "show interface brief",
}
_SHORT = {"GigabitEthernet": "GE", "XGigabitEthernet": "XGE", "Ten-GigabitEthernet": "XGE", "TenGigabitEthernet": "Te"}
"""How listings abbreviate the types of ports."""


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

    ``wanted`` "": it is not to be as the model says yet, so only uplinks that it has open are looked at.  ``pending``:
    a change waits for its confirmation, which is saved only then.
    """
    running = session.running()
    uplinks = [port for port in host.ports if port.label and _to_router(model, port.peer_host)]
    if not wanted:
        uplinks = [port for port in uplinks if _open(platform, running, port.label)]
    up = dict(_states(session.show(_INTERFACES[platform.name])))
    problems = [
        f"{host.name}: {port.label} to {port.peer_host} is {'down' if name in up else 'not listed'}"
        for port in uplinks
        for name in [_listed(port.label, up)]
        if not up.get(name, False)
    ]
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


def _to_router(model: NetworkModel, peer: str) -> bool:
    return peer in model.hosts and model.hosts[peer].role is Role.ACCESS


def _states(answer: str) -> Iterator[tuple[str, bool]]:
    """(port as the listing names it, whether it is up) of each row."""
    for row in answer.splitlines():
        words = row.split()
        if len(words) > 2 and words[1].isdigit():  # "GigabitEthernet 0/1", never "24 ports"
            continue
        name = words[0] if words else ""
        if len(words) > 2 and re.fullmatch(r"\d[\d/]*", words[1]) and re.fullmatch(r"[A-Za-z]+", name):
            name, words = f"{name} {words[1]}", words[1:]
        if re.search(r"\d/?\d*$", name) and len(words) > 1:
            yield name, any(re.fullmatch(r"(?i)\*?up(?:\(s\))?|connected", word) for word in words[1:4])


def _listed(label: str, listed: dict[str, bool]) -> str:
    """The port's name in the listing."""
    kind = re.match(r"[A-Za-z-]+", label)
    short = label.replace(kind[0], _SHORT.get(kind[0], kind[0]), 1) if kind else label
    return next((name for name in (label, short, label.replace(" ", "")) if name in listed), label)

"""Cables plugged and unplugged while the county runs: what a technician does before a change that needs them.

The plant is compared with the model, not with what was plugged before: a cable that is missing is plugged, one that no
link asks for any longer is unplugged when that is asked for.  Hosts come and go with ``up`` and ``down`` alone.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable

from inventory.model import Host, NetworkModel, Role
from twin import cables, faults, leaf, names, namespaces, switch
from twin.county import Twin
from twin.errors import TwinError


def plug(twin: Twin, model: NetworkModel) -> tuple[str, ...]:
    """Plug every cable of the model that is not there yet, and give users' computers their new legs; the cables' names.

    ``twin.model`` and the notes on disk are the model's afterwards.  TwinError (exit code 2) where the model has other
    hosts than the twin.
    """
    if list(model.hosts) != list(twin.state.model().hosts):
        odd = ", ".join(sorted({*model.hosts} ^ {*twin.state.model().hosts})) or "their order"
        raise TwinError(f"{odd}: hosts come and go with `sanwang down` and `sanwang up` alone", 2)
    with twin.state.locked():
        old = twin.state.model()
        laid = _laid(twin)
        links = [link for link in model.links.values() if link.number not in laid]
        dead = twin.state.dead()
        lines = [line for link in links for line in cables.lay(link)]
        for link in links:
            for side, end in zip("ab", link.ends, strict=True):
                if end.host not in dead:
                    lines += cables.plug(twin.places.instance, model, link, side)
        namespaces.ip_batch(lines, names.plant(twin.places.instance))
        twin.model = model
        twin.state.keep(model)
        changed = {end.host for link in links for end in link.ends} - dead
        for host in _concerned(model, old, changed - dead):
            _settle(twin, host, old.hosts[host.name])
    for name in sorted(changed):
        faults.reinstate(twin, name)
    return tuple(link.name for link in links)


def unplug(twin: Twin) -> int:
    """Unplug every cable that ``twin.model`` has no link for; how many."""
    with twin.state.locked():
        spare = _laid(twin) - {link.number for link in twin.model.links.values()}
        lines = [f"link del dev {device}{number}{side}" for number in sorted(spare) for device, side in _PARTS]
        namespaces.ip_batch(lines, names.plant(twin.places.instance), force=True)
    return len(spare)


_PARTS = (("m", "a"), ("m", "b"), ("b", ""))


def _laid(twin: Twin) -> set[int]:
    """Numbers of the cables in the plant."""
    words = ["ip", "-n", names.plant(twin.places.instance), "-json", "link", "show", "type", "bridge"]
    shown = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout or "[]")
    return {int(found[1]) for row in shown if (found := re.fullmatch(r"b(\d+)", row.get("ifname", "")))}


def _concerned(model: NetworkModel, old: NetworkModel, changed: set[str]) -> Iterable[Host]:
    """Switches and users' computers with a cable that is new, or another way out."""
    for host in model.hosts.values():
        moved = host.name in changed or host.vrfs != old.hosts[host.name].vrfs
        if (host.role is Role.SWITCH and host.name in changed) or (host.role is Role.LEAF and moved):
            yield host


def _settle(twin: Twin, host: Host, old: Host) -> None:
    """Let a host that is no appliance of Linux know its new cables; a router's own configuration says what they are."""
    if host.role is Role.SWITCH:
        switch.plugged(twin.places, twin.model, host)
        return
    namespace = names.namespace(twin.places.instance, host.name)
    namespaces.ip_batch(leaf.bare(old), namespace, force=True)
    namespaces.ip_batch(leaf.configure(host), namespace)

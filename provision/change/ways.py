"""The controller's way into a vendor's switch, read from the configuration that the switch will have.

It is the same question on every platform: has the management VLAN its address and its uplink, is there a way back, and
do SSH and the list before it let the management host in?  The proof reads the text; this says what is missing in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from inventory.hardware import vlan
from inventory.model import Host, NetworkModel
from provision.prove.errors import ProveError
from provision.prove.switch import RUNNING, SSH, Leg, Switch, parse


def problems(model: NetworkModel, host: Host, text: str) -> tuple[str, ...]:
    """Why the controller would not get into this switch with this configuration, in words; () when it would."""
    try:
        switch = parse(f"{host.name}:{RUNNING}", host.platform, text)
    except ProveError as unreadable:
        return (str(unreadable),)
    nms = model.hosts[model.nms].management
    assert nms is not None
    number = vlan(next(each for each in model.networks.values() if each.kind == "mgmt"))
    return (*_on_its_vlan(switch, host, number, nms), *_at_its_door(switch, number, nms))


def _on_its_vlan(switch: Switch, host: Host, number: int, nms: IPv4Address) -> Iterator[str]:
    uplink = next((port.label for port in host.ports if port.bridge == f"vlan{number}" and port.label), "")
    port = switch.ports.get(uplink)
    if number not in switch.vlans:
        yield f"the management VLAN {number} is not there"
    leg = _leg(switch, number)
    address = leg.address if leg is not None else None
    if address is None or address.ip != host.management:
        yield f"VLAN {number} has {address.ip if address else 'no address'}; the controller asks for {host.management}"
    if port is None or not port.access or port.vlan != number:
        yield f"the uplink {uplink} is not in the management VLAN {number}"
    if port is not None and port.shut:
        yield f"the uplink {uplink} is shut"
    via = next((route.via for vrf in host.vrfs for route in vrf.routes if route.prefix.prefixlen == 0), None)
    near = address is not None and nms in address.network
    if via is not None and not near and all(way.via != via or way.prefix.prefixlen for way in switch.ways):
        yield f"there is no default route by {via}"


def _at_its_door(switch: Switch, number: int, nms: IPv4Address) -> Iterator[str]:
    if SSH not in switch.doors:
        yield "SSH is not enabled"
    if switch.barred:
        yield f"its login lines do not take SSH ({switch.path}:{switch.barred})"
    if SSH not in switch.guards:
        return
    _, name = switch.guards[SSH]
    leg = _leg(switch, number)
    vrf = leg.vrf if leg is not None else ""
    if not switch.permits(name, nms, vrf):
        yield f"its list {name} does not let the management host {nms} log in"


def _leg(switch: Switch, number: int) -> Leg | None:
    """The switch's interface in the VLAN, unless it is shut."""
    return next((leg for leg in switch.legs if leg.vlan == number and not leg.shut), None)

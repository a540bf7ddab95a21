"""A user's computer with a leg in each network answers on the leg that it was asked on."""

from __future__ import annotations

import json
import os
import subprocess
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from inventory.model import Host, Port, Role, StaticRoute, Vrf
from twin import leaf, namespaces

ROOM = f"zwleaf{os.getpid() % 10000}"
ANY = IPv4Network("0.0.0.0/0")


def computer() -> Host:
    """Legs in 10.8.3.0/24 and 10.16.3.0/24; what has no other way goes by the first."""
    legs = ("10.8.3", "10.16.3")
    ports = tuple(
        Port(f"p{number}", f"l{number}", "r", "p", 1500, address=IPv4Interface(f"{leg}.10/24"))
        for number, leg in enumerate(legs, 1)
    )
    routes = [StaticRoute(ANY, IPv4Address("10.8.3.1"))]
    routes += [StaticRoute(ANY, IPv4Address(f"{leg}.1"), source=IPv4Network(f"{leg}.0/24")) for leg in legs]
    return Host("s1-pc", "s1", Role.LEAF, 10, (), ports, (Vrf("", routes=tuple(routes)),))


@pytest.mark.twin
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_answers_leave_by_the_leg_of_their_source() -> None:
    host = computer()
    namespaces.create({ROOM: leaf.sysctls(host)})

    def way(target: str, *source: str) -> tuple[str, str]:
        argv = ["ip", "-n", ROOM, "-j", "route", "get", target, *source]
        row = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)[0]
        return row.get("gateway", ""), row["dev"]

    try:
        namespaces.ip_batch([f"link add p{number} type veth peer name far{number}" for number in (1, 2)], ROOM)
        namespaces.ip_batch([f"link set far{number} up" for number in (1, 2)], ROOM)
        namespaces.ip_batch(leaf.configure(host), ROOM)
        assert way("10.8.7.7", "from", "10.8.3.10") == ("10.8.3.1", "p1")
        assert way("10.8.7.7", "from", "10.16.3.10") == ("10.16.3.1", "p2")
        assert way("10.16.3.77", "from", "10.16.3.10") == ("", "p2")
        assert way("198.18.0.1") == ("10.8.3.1", "p1")
    finally:
        namespaces.delete([ROOM])

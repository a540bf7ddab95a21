"""Cables plugged and unplugged while hosts run: a switch and two users' computers get a second cable each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Interface

import asyncssh
import pytest

from inventory.hardware import HARDWARE
from inventory.model import Host, LinkEnd, NetworkModel, Port
from inventory.places import Places
from tests.twin.small import switch_model
from twin import faults, rewire
from twin.county import Twin, attach
from twin.errors import TwinError

pytestmark = pytest.mark.twin


def one_switch() -> NetworkModel:
    """s1-sw with s1-a, s1-b and s1-c."""
    model = switch_model()
    hosts = {name: host for name, host in model.hosts.items() if host.site == "s1"}
    return replace(model, hosts=hosts, links={name: link for name, link in model.links.items() if link.a.host in hosts})


def with_second_cables(model: NetworkModel) -> NetworkModel:
    """s1-a and s1-b have a leg in another subnet too, on ports 4 and 5 of the switch."""
    hosts, links = dict(model.hosts), dict(model.links)
    label = HARDWARE[hosts["s1-sw"].platform].port
    for place, user in ((4, "s1-a"), (5, "s1-b")):
        number = 200000 + place
        first = links[user]
        cable = replace(
            first,
            name=f"{user}-2",
            number=number,
            a=LinkEnd(user, f"p{number}"),
            b=LinkEnd("s1-sw", f"p{number}"),
        )
        links[cable.name] = cable
        address = IPv4Interface(f"10.9.1.{place}/24")
        hosts[user] = _and(hosts[user], Port(f"p{number}", cable.name, "s1-sw", f"p{number}", 1500, address=address))
        hosts["s1-sw"] = _and(
            hosts["s1-sw"], Port(f"p{number}", cable.name, user, f"p{number}", 1500, label=label(place))
        )
    return replace(model, hosts=hosts, links=links)


def _and(host: Host, port: Port) -> Host:
    return replace(host, ports=(*host.ports, port))


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    made = Twin(one_switch(), Places("zprewire"))
    made.up(bootstrap_key=asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode())
    try:
        yield made
    finally:
        made.down()


def reaches(twin: Twin, host: str, address: str) -> bool:
    return twin.run(host, ["ping", "-c1", "-W1", address]).returncode == 0


def eventually(what: Callable[[], bool], why: str) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.2)


def test_a_cable_is_plugged_and_unplugged_while_all_run(twin: Twin) -> None:
    before = twin.model
    eventually(lambda: reaches(twin, "s1-a", "10.8.1.2"), "the switch switches")
    pid = twin.state.host("s1-sw")
    assert rewire.plug(twin, with_second_cables(before)) == ("s1-a-2", "s1-b-2")
    eventually(lambda: reaches(twin, "s1-a", "10.9.1.5"), "the new cables carry frames")
    assert reaches(twin, "s1-a", "10.8.1.2"), "the old ones still do"
    assert twin.state.host("s1-sw") == pid, "nothing was restarted"
    assert list(attach(twin.places).model.links) == [*before.links, "s1-a-2", "s1-b-2"]
    assert rewire.plug(twin, twin.model) == ()

    fault = faults.cut(twin, "s1-a-2")
    assert not reaches(twin, "s1-a", "10.9.1.5")
    faults.heal(twin, fault)
    faults.restart_host(twin, "s1-sw")
    eventually(lambda: reaches(twin, "s1-a", "10.9.1.5"), "a power cycle finds the new cables")

    assert rewire.unplug(twin) == 0
    assert rewire.plug(twin, before) == ()
    assert rewire.unplug(twin) == 2
    assert "p200004" not in twin.run("s1-a", ["ip", "link"]).stdout
    eventually(lambda: reaches(twin, "s1-a", "10.8.1.2"), "what stays is as before")


def test_hosts_do_not_come_by_plugging(twin: Twin) -> None:
    model = twin.model
    stranger = replace(model.hosts["s1-c"], name="s1-d")
    with pytest.raises(TwinError, match="s1-d: hosts come and go with"):
        rewire.plug(twin, replace(model, hosts={**model.hosts, "s1-d": stranger}))

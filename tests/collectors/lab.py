"""Two centre routers, a management host and a PC in a real twin, provisioned by a few lines of shell, and watched.

c1-core keeps its management address in the default namespace, c2-core in a VRF of its own.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import httpx

from inventory.model import (
    Bridge,
    Host,
    Link,
    LinkEnd,
    LinkKind,
    Network,
    NetworkModel,
    Port,
    Role,
    Site,
    SiteKind,
    Vrf,
)
from inventory.places import CHECKOUT, Places
from twin import county
from twin.county import Twin

ADDRESSES = {
    "c1-core": {"p1": "172.20.0.2/31", "p2": "10.32.1.1/24", "p4": "10.8.3.1/24"},
    "c2-core": {"p1": "172.20.0.3/31", "p3": "10.32.2.1/24"},
    "c3-nms": {"p2": "10.32.1.6/24", "p3": "10.32.2.6/24"},
    "s1-pc": {"p4": "10.8.3.10/24"},
}
MANAGEMENT = {"c1-core": "10.32.1.1", "c2-core": "10.32.2.1", "c3-nms": "10.32.2.6"}
_LOOPBACKS = {"c1-core": "172.16.0.1", "c2-core": "172.16.0.2"}
_USER = 'createUser sanwang SHA-256 "authentication-key" AES "privacy-key-1234"\nrouser sanwang authPriv\n'
COLLECT = """\
import asyncio, logging, pickle, sys
from ipaddress import IPv4Address
from pathlib import Path
from collectors import expected
from collectors.collect import Collect
from collectors.snmp.usm import User
from store.engine import open_store
from inventory.model import Role
expected._BASE = ("snmpd", "agent")  # what this bench runs
expected._BY_ROLE = {Role.CORE: expected._ROUTER, Role.NMS: ("collect",)}
logging.basicConfig(level="INFO")
run, lib = Path(sys.argv[1]), Path(sys.argv[2])
model = pickle.loads((run / "model.pickle").read_bytes())
service = Collect(
    model, User("sanwang", "authentication-key", "privacy-key-1234"), open_store(f"sqlite:///{lib}/collect.db"),
    listen=IPv4Address("0.0.0.0"), unix_socket=run / "collect.sock", spool=lib / "spool",
)
asyncio.run(service.run())
"""


def watched_model() -> NetworkModel:
    """c1-core -1- c2-core; both to c3-nms; s1-pc on c1-core."""
    links = {
        link.name: link
        for link in (
            _link("ring-c1-c2", 1, "c1-core", "c2-core", LinkKind.RING),
            _link("c1-nms", 2, "c1-core", "c3-nms", LinkKind.LAN),
            _link("c2-nms", 3, "c2-core", "c3-nms", LinkKind.LAN),
            _link("s1-c1", 4, "c1-core", "s1-pc", LinkKind.SPUR),
        )
    }
    gov = Network("gov", 1, "政务", "Government", "public", IPv4Network("10.8.0.0/13"), 1001, 3001, 2001)
    sites = {
        code: Site(code, number, kind, code, code, (), ("gov",))
        for code, number, kind in (
            ("c1", 1, SiteKind.CENTRE),
            ("c2", 2, SiteKind.CENTRE),
            ("c3", 3, SiteKind.CENTRE),
            ("s1", 4, SiteKind.SCHOOL),
        )
    }
    hosts = {
        host.name: host
        for host in (
            _host("c1-core", 1, Role.CORE, 1, links),
            _host("c2-core", 2, Role.CORE, 1, links, management_vrf="mgmt"),
            _host("c3-nms", 3, Role.NMS, 6, links),
            _host("s1-pc", 4, Role.LEAF, 10, links),
        )
    }
    return NetworkModel(
        name="watched", zh="", en="", networks={"gov": gov}, sites=sites, ducts={}, links=links, hosts=hosts,
        endpoints=(), tunnels={}, services={}, policy=(), halls={}, exits=(), people={},
        firewall="c1-core", vpn="", nms="c3-nms",
    )  # fmt: skip


def _link(name: str, number: int, a: str, b: str, kind: LinkKind) -> Link:
    return Link(name, number, kind, LinkEnd(a, f"p{number}"), LinkEnd(b, f"p{number}"), 1_000_000_000, 1.0)


def _host(name: str, site: int, role: Role, slot: int, links: dict[str, Link], management_vrf: str = "") -> Host:
    ports = []
    for link in links.values():
        for near, far in (link.ends, link.ends[::-1]):
            if near.host == name:
                ring = link.kind is LinkKind.RING
                ports.append(
                    Port(
                        near.port,
                        link.name,
                        far.host,
                        far.port,
                        1600 if ring else 1500,
                        vrf=management_vrf if link.kind is LinkKind.LAN else "",
                        address=IPv4Interface(ADDRESSES[name][near.port]),
                        ospf=ring,
                        bfd_ms=100 if ring else 0,
                    )
                )
    loopback = IPv4Address(_LOOPBACKS[name]) if name in _LOOPBACKS else None
    vrfs = [Vrf("", router_id=loopback, ospf_interfaces=("p1",) if loopback else ())]
    if loopback is not None:  # the probed network: its address lies on a bridge of the VRF
        vrfs.append(Vrf("gov", bridges=(Bridge("lan-gov", IPv4Interface(f"10.8.{site}.1/24")),)))
    if management_vrf:
        vrfs.append(Vrf(management_vrf))
    appliance = role is not Role.LEAF
    return Host(
        name, name.partition("-")[0], role, slot, ("gov",), tuple(ports), tuple(vrfs), loopback=loopback,
        management=IPv4Address(MANAGEMENT[name]) if appliance else None, management_vrf=management_vrf,
        staging=IPv4Interface((int(IPv4Address("100.96.0.0")) + (site << 4) + slot, 15)) if appliance else None,
    )  # fmt: skip


def _network(name: str) -> str:
    """A run script that makes the host's network, as provision's device tool would."""
    lines = ["#!/bin/sh", "sysctl -qw net.ipv4.ip_forward=1"]
    for port, address in ADDRESSES[name].items():
        if name == "c2-core" and port == "p3":
            lines += ["ip netns add mgmt", "ip -n mgmt link set lo up", "ip link set p3 netns mgmt"]
            lines += [f"ip -n mgmt address add {address} dev p3", "ip -n mgmt link set p3 up"]
        else:
            lines += [f"ip address add {address} dev {port}", f"ip link set {port} up"]
    if name in _LOOPBACKS:
        site = name[1]
        lines += [
            f"ip address add {_LOOPBACKS[name]}/32 dev lo",
            "ip netns add gov",
            f"ip link add g0 type veth peer name lan-gov netns gov && ip address add 100.64.{site}.1/30 dev g0",
            f"ip link set g0 up; ip -n gov link set lo up; ip -n gov address add 10.8.{site}.1/24 dev lan-gov",
            f"ip -n gov address add 100.64.{site}.2/30 dev lan-gov; ip -n gov link set lan-gov up",
            f"ip -n gov route add default via 100.64.{site}.1; ip route add 10.8.{site}.0/24 via 100.64.{site}.2",
        ]
    return "\n".join([*lines, "touch /run/network.done", "exec sleep infinity", ""])


def _service(command: str) -> str:
    return f"#!/bin/sh\nexec 2>&1\nuntil [ -e /run/network.done ]; do sleep 0.1; done\n{command}\n"


def _frr(name: str) -> str:
    peer = 3 - int(name[1])
    return (
        "interface p1\n ip ospf network point-to-point\n ip ospf bfd\n ip ospf area 0\n"
        " ip ospf hello-interval 1\n ip ospf dead-interval 4\ninterface lo\n ip ospf area 0\n"
        f"router ospf\n ospf router-id {_LOOPBACKS[name]}\n redistribute kernel\n"
        f"ip route 10.8.{peer}.0/24 172.20.0.{1 + peer}\n"
    )


def _agent(name: str, collector: str) -> str:
    document: dict[str, Any] = {
        "host": name,
        "management": MANAGEMENT[name],
        "management_vrf": "mgmt" if name == "c2-core" else "",
        "nms": "10.32.2.6",
        "collector": f"{collector}:9810",
        "reflectors": [],
        "senders": [],
    }
    if name in _LOOPBACKS:
        site = int(name[1])
        document["reflectors"] = [{"vrf": "gov", "address": f"10.8.{site}.1"}]
        document["senders"] = [
            {
                "name": f"{name}-c{3 - site}-core",
                "vrf": "gov",
                "source": f"10.8.{site}.1",
                "target": f"10.8.{3 - site}.1",
                "interval_ms": 100,
            }
        ]
        line = {"vrf": "", "port": "p1"}
        if name == "c1-core":
            ends = {"source": "172.20.0.2", "target": "172.20.0.3"}
            document["senders"].append({"name": "link:ring-c1-c2", **ends, **line, "interval_ms": 1000})
        else:
            document["reflectors"].append({"address": "172.20.0.3", **line})
    return json.dumps(document)


def _files(name: str) -> dict[str, str]:
    """Path below the host's /etc -> text."""
    python = Path(sys.prefix) / "bin" / "python"
    collector = {"c1-core": "10.32.1.6", "c2-core": "10.32.2.6", "c3-nms": "10.32.2.6"}[name]
    namespace = "nsenter --net=/run/netns/mgmt -- " if name == "c2-core" else ""
    files = {
        "sanwang/agent.json": _agent(name, collector),
        "snmp/snmpd.conf": f"agentAddress udp:{MANAGEMENT[name]}:161\n{_USER}",
        "sanwang/sv/network/run": _network(name),
        "sanwang/sv/agent/run": _service(f"cd {CHECKOUT}; exec {python} -OO -m sanwang.agent"),
        "sanwang/sv/snmpd/run": _service(
            f"export MIBS= SNMP_PERSISTENT_DIR=/run/snmp; exec {namespace}snmpd -f -LOw -C -c /etc/snmp/snmpd.conf"
        ),
    }
    if name in _LOOPBACKS:
        files["frr/frr.conf"] = _frr(name)
        for daemon in ("zebra", "staticd", "bfdd", "ospfd"):
            wait = "" if daemon == "zebra" else "until [ -S /run/frr/zserv.api ]; do sleep 0.1; done; "
            files[f"sanwang/sv/{daemon}/run"] = _service(
                f"rm -f /run/frr/{daemon}.vty; {wait}exec /usr/lib/frr/{daemon} -P 0 -f /etc/frr/frr.conf"
            )
    if name == "c3-nms":
        files["sanwang/sv/collect/run"] = _service(
            f"cd {CHECKOUT}; exec {python} RUN/collect.py RUN LIB >LIB/collect.log"
        )
    return files


class Lab:
    """The running thing."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        transport = httpx.HTTPTransport(uds=str(twin.places.collect_socket))
        self.http = httpx.Client(transport=transport, base_url="http://collect", timeout=60)

    def get(self, path: str) -> Any:
        """A JSON document of the collector; OSError when nobody listens (httpx would leak the socket it tried)."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.twin.places.collect_socket))
        return self.http.get(path).raise_for_status().json()

    def sh(self, host: str, command: str) -> str:
        """Output of a shell command on a host; fails when it fails."""
        done = self.twin.run(host, ["sh", "-c", command])
        assert done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def wait(self, true: Callable[[], bool], what: str, seconds: float = 60.0) -> float:
        """Wait for something that is on its way; gives the seconds it took."""
        began = time.monotonic()
        while True:
            with contextlib.suppress(OSError, httpx.TransportError, KeyError, IndexError):
                if true():
                    return time.monotonic() - began
            assert time.monotonic() - began < seconds, f"never came: {what}\n{self._words()}"
            time.sleep(0.02)

    def _words(self) -> str:
        log = self.twin.places.lib / "collect.log"
        text = log.read_text()[-2000:] if log.exists() else ""
        with contextlib.suppress(OSError, httpx.HTTPError):
            text += json.dumps({path: self.get(path) for path in ("/status", "/links", "/hosts")}, indent=1)
        return text


@contextlib.contextmanager
def watched(instance: str) -> Iterator[Lab]:
    """The lab under that name; gone at the end, whatever happens."""
    places = Places(instance)
    county.down(places)
    places.run.mkdir(parents=True, exist_ok=True)
    places.lib.mkdir(parents=True, exist_ok=True)
    twin = Twin(watched_model(), places)
    try:
        twin.up()
        (places.run / "model.pickle").write_bytes(pickle.dumps(twin.model))
        (places.run / "collect.py").write_text(COLLECT)
        for name in MANAGEMENT:
            for path, text in _files(name).items():
                place(twin, name, path, text)
        lab = Lab(twin)
        try:
            yield lab
        finally:
            lab.http.close()
    finally:
        county.down(places)
        for name in ("collect.db", "collect.db-shm", "collect.db-wal", "collect.log", "faults.log"):
            (places.lib / name).unlink(missing_ok=True)
        for name in ("model.pickle", "collect.py", "collect.sock"):
            (places.run / name).unlink(missing_ok=True)
        for folder in (places.lib, places.run):
            with contextlib.suppress(OSError):
                folder.rmdir()


def place(twin: Twin, host: str, path: str, text: str) -> None:
    """Through a running host's own mounts, so that its /etc sees the file."""
    places, inside = twin.places, Path("/etc") / path
    mode = "755" if inside.name == "run" else "644"
    text = text.replace("RUN", str(places.run)).replace("LIB", str(places.lib))
    command = f"mkdir -p {inside.parent} && cat >{inside}.new && chmod {mode} {inside}.new && mv {inside}.new {inside}"
    done = twin.run(host, ["sh", "-c", command], input=text)
    assert done.returncode == 0, done.stderr

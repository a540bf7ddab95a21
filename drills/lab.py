"""A running county as drills hold it: its model, its twin, and sockets inside any of its namespaces."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pyroute2 import netns

from drills.errors import Missing
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places
from provision.broker.client import BrokerClient
from twin.county import Twin


@contextmanager
def inside(namespace: Path) -> Iterator[None]:
    """This thread lives in the network namespace for the length of the block; sockets made there stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        netns.setns(str(namespace), flags=0)
        yield
    finally:
        netns.setns(home)
        os.close(home)


@dataclass(frozen=True)
class Lab:
    """An instance that is up."""

    places: Places
    model: NetworkModel
    twin: Twin

    @classmethod
    def attach(cls, instance: str) -> Lab:
        """The running instance of that name; ``Missing`` when none runs."""
        places = Places(instance)
        county = places.lib / "county"
        if not county.exists() or not places.run.exists():
            raise Missing(f"county {instance!r} is not up", "start it with: make up")
        model = load_model(Path(county.read_text().strip()))
        return cls(places, model, Twin(model, places))

    def namespace(self, host: str, vrf: str = "") -> Path:
        """Path of a host's network namespace, or of one of its VRFs'."""
        return self.twin.namespace(host, vrf)

    def socket(self, host: str, vrf: str, kind: socket.SocketKind) -> socket.socket:
        """A non-blocking IPv4 socket that lives in a host's namespace."""
        with inside(self.namespace(host, vrf)):
            made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        return made

    def collected(self, path: str, timeout: float = 10.0) -> Any:
        """What the county's own collector answers to ``GET path``; ``Missing`` when it does not."""
        transport = httpx.HTTPTransport(uds=str(self.places.collect_socket))
        try:
            with httpx.Client(transport=transport, base_url="http://collect", timeout=timeout) as client:
                answer = client.get(path)
                answer.raise_for_status()
                return answer.json()
        except (httpx.HTTPError, OSError) as error:
            raise Missing(
                f"the collector does not answer on {self.places.collect_socket}: {error}",
                f"look at its log: sanwang shell {self.model.nms} -- sv status /etc/sanwang/sv/collect",
            ) from error

    def broker(self) -> BrokerClient:
        """A client of the county's device broker."""
        return BrokerClient(self.places.broker_socket)

"""A running county as drills hold it: its model, its twin, and sockets inside any of its namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

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

    def socket(self, host: str, vrf: str, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
        """A non-blocking IPv4 socket that lives in a host's namespace."""
        with inside(self.namespace(host, vrf)):
            made = socket.socket(socket.AF_INET, kind, protocol)
        made.setblocking(False)
        return made

    def collected(self, path: str, timeout_s: float = 10.0) -> Any:
        """The JSON that the county's own collector answers to ``GET path``; ``Missing`` when it does not."""
        return json.loads(self.collected_text(path, timeout_s))

    def collected_text(self, path: str, timeout_s: float = 10.0) -> str:
        """The collector's answer as it came."""
        with contextlib.closing(_UnixConnection(self.places.collect_socket, timeout_s)) as connection:
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                if answer.status == HTTPStatus.OK:
                    return answer.read().decode()
                problem = f"{answer.status} {answer.reason}"
            except (OSError, HTTPException, ValueError) as error:
                problem = str(error)
        raise Missing(
            f"the collector does not answer on {self.places.collect_socket}: {problem}",
            f"look at its log: sanwang shell {self.model.nms} -- sv status /etc/sanwang/sv/collect",
        )

    def broker(self) -> BrokerClient:
        """A client of the county's device broker."""
        return BrokerClient(self.places.broker_socket)


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket; a refused connection leaves nothing open."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("collect", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect; OSError when nobody listens."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

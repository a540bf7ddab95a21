"""``sanwang drill centre``: the information centre dies whole; its services answer from another centre."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from drills.errors import Missing
from drills.lab import Lab, inside
from drills.policy import Place
from drills.ring import settled
from inventory.model import NetworkModel, Service
from twin import faults

Progress = Callable[[str], None]
SERVICES = 3
INTERVAL_S = 0.05
LIMIT_S = 5.0


@dataclass
class Asked:
    """What one service answered to a client that asks every 50 ms."""

    service: str
    answers: list[tuple[float, str]] = field(default_factory=list)  # (monotonic time, centre that answered)

    def seconds_out(self, since: float, until: float) -> float:
        """Longest time without an answer in the window."""
        moments = [since, *(when for when, _ in self.answers if since <= when <= until), until]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def centres(self, since: float) -> set[str]:
        """Centres that answered after that moment."""
        return {centre for when, centre in self.answers if when >= since}


def choose(model: NetworkModel) -> tuple[str, list[Service], Place]:
    """The first centre, services it leads that others back up, and a client that does not hang on it."""
    web = [service for service in model.services.values() if service.kind == "web" and len(service.backends) > 1]
    centre = web[0].backends[0].centre
    led = [service for service in web if service.backends[0].centre == centre][:SERVICES]
    network = led[0].network
    led = [service for service in led if service.network == network]
    for endpoint in model.endpoints:
        site = model.sites[endpoint.site]
        if endpoint.network == network and site.dual_homed and centre not in site.homes:
            return centre, led, Place(site.code, network, endpoint.host, endpoint.vrf, endpoint.address)
    raise Missing(f"no site hangs on two centres other than {centre}", "add one to the county to run this drill")


class Client:
    """Asks every service in turn on its own thread; each attempt is a new connection of at most a second."""

    def __init__(self, lab: Lab, place: Place, services: list[Service]) -> None:
        self.asked = [Asked(service.name) for service in services]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(lab, place, service, asked), daemon=True)
            for service, asked in zip(services, self.asked, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, lab: Lab, place: Place, service: Service, asked: Asked) -> None:
        namespace = lab.namespace(place.host, place.vrf)
        due = time.monotonic()
        while not self._stop.is_set():
            centre = self._ask(namespace, service)
            if centre:
                asked.answers.append((time.monotonic(), centre))
            due = max(due + INTERVAL_S, time.monotonic())
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _ask(self, namespace: Any, service: Service) -> str:
        with inside(namespace):
            attempt = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with closing(attempt):
            attempt.settimeout(0.5)
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                attempt.connect((str(service.address), service.port))
                attempt.sendall(f"GET / HTTP/1.0\r\nHost: {service.name}\r\n\r\n".encode())
                head = b""
                while b"\r\n\r\n" not in head and (part := attempt.recv(4096)):
                    head += part
            except OSError:
                return ""
        for line in head.decode("latin-1").splitlines():
            name, _, value = line.partition(":")
            if name.lower() == "x-backend":
                return value.strip()
        return ""

    def close(self) -> None:
        """Stop asking."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2)


def centre(lab: Lab, progress: Progress, watch_s: float = 8.0) -> dict[str, Any]:
    """Kill every host of the centre, watch, read what the operations page is told, and bring all back."""
    code, services, place = choose(lab.model)
    progress(f"client {place} asks {', '.join(service.name for service in services)} every 50 ms")
    client = Client(lab, place, services)
    killed: list[faults.Fault] = []
    try:
        time.sleep(1.0)
        died = time.monotonic()
        killed = faults.kill_hosts(lab.twin, [host.name for host in lab.model.site_hosts(code) if host.appliance])
        progress(f"{code}: {len(killed)} hosts killed")
        time.sleep(watch_s)
        until = time.monotonic()
        seen = lab.collected("/hosts")
    finally:
        client.close()
        for fault in killed:
            faults.heal(lab.twin, fault)
    dead = [host.name for host in lab.model.site_hosts(code) if host.appliance]
    shown = sorted(name for name in dead if not seen[name]["up"])
    rows = [
        {
            "service": asked.service,
            "seconds_out": round(asked.seconds_out(died, until), 2),
            "answered_by": sorted(asked.centres(until - 2)),
        }
        for asked in client.asked
    ]
    moved = all(row["answered_by"] and code not in str(row["answered_by"]) for row in rows)
    progress("bringing the centre back")
    return {
        "centre": code,
        "client": str(place),
        "services": rows,
        "seconds_out": max(float(str(row["seconds_out"])) for row in rows),
        "answered_elsewhere": moved,
        "shown_dead": shown,
        "expected_dead": sorted(dead),
        "back": settled(lab, within_s=120),
    }


def misses(found: dict[str, Any]) -> list[str]:
    """What went wrong, in words."""
    wrong = []
    if found["seconds_out"] > LIMIT_S:
        wrong.append(f"services were out for {found['seconds_out']} s, limit {LIMIT_S} s")
    if not found["answered_elsewhere"]:
        wrong.append(f"not every service answered from a centre other than {found['centre']}")
    if found["shown_dead"] != found["expected_dead"]:
        wrong.append("the collector did not see every host of the centre dead")
    if not found["back"]:
        wrong.append("the centre did not come back whole")
    return wrong

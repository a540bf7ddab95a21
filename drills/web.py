"""Conversations with the Internet from inside: one that runs on, and new ones again and again, both timed."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from drills.errors import Missing
from drills.lab import Lab, inside
from drills.policy import Place
from inventory.model import NetworkModel

INTERVAL_S = 0.05
ATTEMPT_S = 0.4
_RESET = struct.pack("ii", 1, 0)  # close without waiting: SO_LINGER on, 0 s


def user(model: NetworkModel) -> tuple[Place, int]:
    """Somebody on two centres who may open TCP connections to the Internet, and the port that he may use."""
    for rule in model.policy:
        if rule.target_network != "internet" or rule.protocol not in ("tcp", "any"):
            continue
        for endpoint in model.endpoints:
            mine = endpoint.network == rule.source_network and any(endpoint.address in each for each in rule.sources)
            if mine and model.sites[endpoint.site].dual_homed:
                port = rule.ports[0][0] if rule.ports else 443
                return Place(endpoint.site, endpoint.network, endpoint.host, endpoint.vrf, endpoint.address), port
    raise Missing("no policy rule opens the Internet to a site on two centres", "this drill needs one, such as `web`")


class Internet:
    """Echoes TCP on the Internet's address at every carrier, and counts nothing."""

    def __init__(self, lab: Lab, port: int) -> None:
        prefix = lab.model.outside["internet"]
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        for line in lab.model.exits:
            for host in lab.model.site_hosts(line.carrier):
                for address in (each.ip for each in host.vrf("").loopbacks if each.ip in prefix):
                    listening = lab.socket(host.name, "", socket.SOCK_STREAM)
                    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    listening.bind((str(address), port))
                    listening.listen(64)
                    self.address = (str(address), port)
                    self._start(self._serve, listening)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, listening: socket.socket) -> None:
        talking: set[socket.socket] = {listening}
        with contextlib.ExitStack() as stack:
            stack.enter_context(closing(listening))
            while not self._stop.is_set():
                for ready in select.select(list(talking), [], [], 0.2)[0]:
                    if ready is listening:
                        made, _ = listening.accept()
                        made.setblocking(False)
                        talking.add(stack.enter_context(closing(made)))
                    elif not _echo(ready):
                        talking.discard(ready)
                        ready.close()

    def close(self) -> None:
        """Stop answering."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2)


def _echo(connection: socket.socket) -> bool:
    """Send back what came; False when the connection has ended."""
    try:
        data = connection.recv(4096)
        if data:
            connection.send(data)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return bool(data)


class Conversations:
    """From one place to one address: a running TCP connection, and a new one every 50 ms."""

    def __init__(self, lab: Lab, place: Place, target: tuple[str, int]) -> None:
        self._namespace, self._source, self._target = lab.namespace(place.host, place.vrf), str(place.address), target
        self.echoes: list[float] = []  # monotonic times at which the running connection was answered
        self.opened: list[float] = []  # and at which a new connection stood
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._run_on, self._open_again)]
        for thread in self._threads:
            thread.start()

    def _connect(self) -> socket.socket | None:
        with inside(self._namespace):
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(ATTEMPT_S)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        try:
            made.bind((self._source, 0))
            made.connect(self._target)
        except OSError:
            made.close()
            return None
        return made

    def _run_on(self) -> None:
        """One connection for good; another only when the first never stood."""
        connection = None
        while connection is None and not self._stop.is_set():
            connection = self._connect()
        if connection is None:
            return
        with closing(connection):
            connection.settimeout(0.02)
            while not self._stop.is_set():
                with contextlib.suppress(OSError):
                    connection.send(b"12345678")
                with contextlib.suppress(OSError):
                    if connection.recv(4096):
                        self.echoes.append(time.monotonic())
                self._stop.wait(0.02)

    def _open_again(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            connection = self._connect()
            if connection is not None:
                self.opened.append(time.monotonic())
                connection.close()
            due = max(due + INTERVAL_S, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def talking(self, within_s: float) -> bool:
        """Wait until both kinds are answered; False when they are not in time."""
        begin = time.monotonic()
        while time.monotonic() < begin + within_s:
            time.sleep(0.1)
            if any(when > begin for when in self.echoes) and any(when > begin for when in self.opened):
                return True
        return False

    def last(self) -> float:
        """When anything was answered last (monotonic seconds)."""
        return max([*self.echoes[-1:], *self.opened[-1:]], default=0.0)

    def opened_after(self, moment: float, within_s: float) -> float | None:
        """When the first new connection after that moment stood; None when none did in time."""
        while time.monotonic() < moment + within_s:
            later = [when for when in self.opened if when > moment]
            if later:
                return later[0]
            time.sleep(0.05)
        return None

    def seconds_out(self, since: float, until: float) -> float:
        """Longest time without a new connection in a window."""
        moments = [since, *(when for when in self.opened if since <= when <= until), until]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def close(self) -> None:
        """Stop talking."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2)

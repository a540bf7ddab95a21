"""What stands at the county's Alertmanager, looked at twenty times a second from the management host's own loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from drills.lab import Lab, inside

_LOOK_S = 0.05
_ADDRESS = ("127.0.0.1", 9093)


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert; ``at`` is when it was first seen (monotonic)."""

    id: str  # fingerprint and start: firing again is another one
    at: float
    name: str
    fault: str  # number in the fault book, "" for the rules' own
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        shown = {key: value for key, value in self.labels if key in ("link", "host", "service", "duct", "tunnel")}
        return f"{self.name} {' '.join(shown.values())}".strip()


class Alertmanager:
    """Follows the active alerts in a thread until closed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._ever: dict[str, Seen] = {}
        self._now: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def active(self) -> list[Seen]:
        """What fires now."""
        with self._news:
            return [self._ever[name] for name in self._now]

    def ever(self, since: float) -> list[Seen]:
        """Every alert that appeared since that monotonic moment."""
        with self._news:
            return [alert for alert in self._ever.values() if alert.at >= since]

    def wait(self, known: set[str], within_s: float) -> Seen | None:
        """The first alert that is not known; None when none comes in time."""
        end = time.monotonic() + within_s
        with self._news:
            while True:
                new = [self._ever[name] for name in self._now if name not in known]
                if new:
                    return min(new, key=lambda alert: alert.at)
                if not self._news.wait(max(0.0, end - time.monotonic())):
                    return None

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        connection: HTTPConnection | None = None
        while not self._stop.wait(_LOOK_S):
            try:
                connection = connection or self._connect()
                connection.request("GET", "/api/v2/alerts?active=true")
                answer = json.load(connection.getresponse())
            except (OSError, HTTPException, ValueError):
                if connection is not None:
                    connection.close()
                connection = None
                continue
            self._take(answer)
        if connection is not None:
            connection.close()

    def _connect(self) -> HTTPConnection:
        with inside(self._lab.namespace(self._lab.model.nms)):
            made = socket.create_connection(_ADDRESS, timeout=2)
        connection = HTTPConnection(*_ADDRESS, timeout=2)
        connection.sock = made
        return connection

    def _take(self, answer: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        names = []
        with self._news:
            for row in answer:
                name = f"{row['fingerprint']} {row['startsAt']}"
                names.append(name)
                if name not in self._ever:
                    labels = row["labels"]
                    self._ever[name] = Seen(
                        name, now, labels.get("alertname", ""), labels.get("fault", ""), tuple(sorted(labels.items()))
                    )
            self._now = frozenset(names)
            self._news.notify_all()

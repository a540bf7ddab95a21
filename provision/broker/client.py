"""The broker's client: standard library only, so that a forked worker pays nothing for it.

>>> BrokerClient(Path("/run/sanwang/shili/broker.sock")).call("ping")["county"]      # doctest: +SKIP
'shili'
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provision.broker.wire import LINE_LIMIT_BYTES, BrokerError, decode, encode

START_HINT = "start the county with `make up`, or run `sanwang broker` on the management host"


def operator() -> str:
    """Who asks: the person behind sudo when there is one, else the account."""
    name = os.environ.get("SANWANG_WHO") or os.environ.get("SUDO_USER")
    if name:
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class BrokerClient:
    """Asks one broker; opens a connection per request, so it may be shared by threads.

    ``timeout_s`` bounds the silence between two lines of an answer, not the whole answer.
    """

    def __init__(self, path: Path | str, *, who: str = "", timeout_s: float = 300.0) -> None:
        self.path = Path(path)
        self.who = who or operator()
        self.timeout_s = timeout_s

    def call(
        self, method: str, /, *, why: str = "", on_event: Callable[[dict[str, Any]], None] | None = None, **params: Any
    ) -> Any:
        """The result of one request; raises BrokerError.  Streamed events go to ``on_event`` as they arrive."""
        request = encode({"method": method, "params": params, "who": self.who, "why": why})
        try:
            return self._ask(request, method, on_event)
        except BrokerError as error:
            if error.kind != "moved":
                raise
        return self._ask(request, method, on_event)  # the path leads to the new broker already

    def _ask(self, request: bytes, method: str, on_event: Callable[[dict[str, Any]], None] | None) -> Any:
        with self._connect() as connection, connection.makefile("rb") as lines:
            connection.sendall(request)
            while True:
                answer = self._line(lines, method)
                if "event" in answer:
                    if on_event is not None:
                        on_event(answer["event"])
                elif "error" in answer:
                    raise BrokerError(str(answer["error"]["kind"]), str(answer["error"]["message"]))
                else:
                    return answer.get("result")

    def alive(self) -> bool:
        """Whether a broker answers."""
        try:
            self.call("ping")
        except BrokerError:
            return False
        return True

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout_s)
        try:
            connection.connect(str(self.path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            raise BrokerError("absent", f"no device broker listens on {self.path}: {START_HINT}") from None
        except PermissionError:
            connection.close()
            raise BrokerError("absent", f"{self.path} is not open to this account: run as root") from None
        except OSError as error:
            connection.close()
            raise BrokerError("absent", f"{self.path}: {error}; {START_HINT}") from None
        return connection

    def _line(self, lines: Any, method: str) -> dict[str, Any]:
        try:
            line = lines.readline(LINE_LIMIT_BYTES)
        except TimeoutError:
            raise BrokerError("broker", f"{method}: the broker was silent for {self.timeout_s:.0f} s") from None
        except OSError as error:
            raise BrokerError("broker", f"{method}: {error}") from None
        if not line.endswith(b"\n"):
            raise BrokerError(
                "broker", f"{method}: the broker went away before it answered; look at its log and ask again"
            )
        return decode(line)

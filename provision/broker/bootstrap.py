"""The first broker: a plain process on the management host, until that host's own ``broker`` service takes over.

The service asks this one to leave when it starts (see ``provision.broker.server``); nobody has to stop it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inventory.places import CHECKOUT, Places
from provision.broker.client import BrokerClient
from provision.broker.wire import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.model import NetworkModel

START_WITHIN_S = 30.0


class _Twin(Protocol):
    """What is needed of the running county: how to run a command inside one of its hosts."""

    model: NetworkModel

    def argv(self, host: str, argv: Sequence[str], vrf: str = "") -> list[str]: ...


def start_bootstrap_broker(twin: _Twin, places: Places) -> subprocess.Popen[bytes]:
    """Start a broker in the management host's namespaces and wait until it answers.

    Its log is ``<lib>/broker/bootstrap.log``.  Raises BrokerError when it does not come up.
    """
    log = places.lib / "broker" / "bootstrap.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "sanwang", "broker"]
    environment = os.environ | {"SANWANG_INSTANCE": places.instance, "PYTHONPATH": str(CHECKOUT)}
    with log.open("wb") as out:
        process = subprocess.Popen(
            twin.argv(twin.model.nms, command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            start_new_session=True,
        )
    client = BrokerClient(places.broker_socket, timeout_s=5.0)
    end = time.monotonic() + START_WITHIN_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        if client.alive():
            return process
        time.sleep(0.05)
    process.kill()
    raise BrokerError("absent", f"the device broker did not start: {_last_lines(log)} ({log})")


def _last_lines(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-4:]) or "it said nothing"

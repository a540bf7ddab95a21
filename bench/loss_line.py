"""A server, a good line and a bad one, in namespaces: loss, jitter and a narrow rate as the twin makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twin import delay_line

SERVER, GOOD, BAD = "10.254.0.1", "10.254.0.2", "10.254.0.3"
_MIDDLES = ("m1", "m2")
_BURST_OCTETS, _LATENCY_MS = 1700, 100


class Line:
    """Names of the namespaces, and the fault of the bad line."""

    def __init__(self) -> None:
        self.server, self.good, self.bad, self.plant = (f"loss{os.getpid()}{end}" for end in "sgbp")
        self._delay: subprocess.Popen[bytes] | None = None

    def inside(self, namespace: str) -> list[str]:
        """The words before a command that runs there."""
        return ["ip", "netns", "exec", namespace]

    def carry(self, *, loss_percent: float = 0.0, jitter_ms: float = 0.0, rate_bps: float = 0.0) -> None:
        """From now on the bad line does this in both directions."""
        self._stop()
        drop = f"numgen random mod 100000 <= {round(loss_percent * 1000) - 1} drop"
        script = "table netdev bad {}\ndelete table netdev bad\n"
        if loss_percent:
            chains = (
                f'chain {name} {{ type filter hook egress device "{name}" priority 0\n{drop}\n}}' for name in _MIDDLES
            )
            script += "table netdev bad {\n" + "\n".join(chains) + "\n}\n"
        self._run("nft", "-f", "-", text=script)
        for name in _MIDDLES:
            queue = ["tc", "qdisc", "del", "dev", name, "root"]
            if rate_bps:
                bucket = f"rate {round(rate_bps)}bit burst {_BURST_OCTETS}b latency {_LATENCY_MS}ms"
                queue = ["tc", "qdisc", "replace", "dev", name, "root", "tbf", *bucket.split()]
            self._run(*queue, check=bool(rate_bps))
        self._delay = subprocess.Popen(
            [
                *self.inside(self.plant),
                *(sys.executable, "-I", str(Path(delay_line.__file__)), *_MIDDLES, "0", str(jitter_ms)),
            ],
            stdout=subprocess.PIPE,
        )
        assert self._delay.stdout is not None
        self._delay.stdout.readline()

    def _stop(self) -> None:
        if self._delay is not None:
            self._delay.kill()
            self._delay.communicate()
            self._delay = None

    def _run(self, *argv: str, text: str = "", check: bool = True) -> None:
        command = [*self.inside(self.plant), *argv]
        subprocess.run(command, input=text, text=True, check=check, stderr=None if check else subprocess.DEVNULL)


@contextmanager
def line() -> Iterator[Line]:
    """Built, and taken away again."""
    made = Line()
    names = (made.server, made.good, made.bad, made.plant)
    lines = [
        *(f"netns add {name}" for name in names),
        f"-n {made.server} link add br0 type bridge",
        f"link add eth0 netns {made.good} type veth peer name to-good netns {made.server}",
        f"link add m1 netns {made.plant} type veth peer name to-bad netns {made.server}",
        f"link add m2 netns {made.plant} type veth peer name eth0 netns {made.bad}",
        *(f"-n {made.server} link set {name} master br0" for name in ("to-good", "to-bad")),
        f"-n {made.server} addr add {SERVER}/24 dev br0",
        f"-n {made.good} addr add {GOOD}/24 dev eth0",
        f"-n {made.bad} addr add {BAD}/24 dev eth0",
        *(f"-n {made.server} link set {name} up" for name in ("lo", "br0", "to-good", "to-bad")),
        *(f"-n {name} link set {device} up" for name in (made.good, made.bad) for device in ("lo", "eth0")),
        *(f"-n {made.plant} link set {name} up" for name in _MIDDLES),
    ]
    try:
        for each in lines:
            subprocess.run(["ip", *each.split()], check=True)
        made.carry()
        yield made
    finally:
        made._stop()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)

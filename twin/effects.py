"""What faults do to a cable, all of it on the cable's middle in the plant.

Effects are computed from the whole set of active faults, never undone step by step: healing one fault leaves
exactly what the others ask for, and a host that returns finds its cables as they should be.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inventory.model import Link, NetworkModel, Role
from inventory.places import Places
from inventory.plan import SITE_MAX, SWITCH_BASE, USER_BASE
from twin import cables, children, names, namespaces
from twin.errors import TwinError
from twin.state import State

_DELAY_LINE = Path(__file__).with_name("delay_line.py")
_MIRROR = Path(__file__).with_name("mirror.py")
_LATENCY_MS = 100  # longest wait in the queue of a slowed cable
_BUCKET_S = 1e-4  # what a kernel's timer may be late by
_FRAME_OCTETS = 1700  # MTU 1600 and its headers


@dataclass(frozen=True, slots=True)
class Effect:
    """What is wrong with one cable."""

    cut: bool = False  # no carrier at either end
    silent: bool = False  # carrier, but no frame passes
    loss_percent: tuple[float, ...] = ()  # each drops its own share, both directions
    rate_bps: float = 0.0  # 0 = as fast as the machine
    delay_ms: float = 0.0  # added to each direction


def set_carrier(places: Places, links: Iterable[tuple[Link, bool]]) -> None:
    """Take the light from both ends of cables (False) or give it back (True), in one go.

    An end whose host has no power has no middle in the plant, and the other end stays dark.
    """
    dead = State(places).dead()
    lines: list[str] = []
    for link, lit in links:
        powered = [side for side, end in zip("ab", link.ends, strict=True) if end.host not in dead]
        lines += cables.carrier([link], lit and len(powered) == 2, "".join(powered))
    namespaces.ip_batch(lines, names.plant(places.instance))


def set_drops(places: Places, links: Iterable[tuple[Link, Effect]]) -> None:
    """Install or remove the drop rules of cables in one nft transaction.

    The rules hang on the egress of the middles: a delay line's frames pass them too.
    """
    dead = State(places).dead()
    script: list[str] = []
    for link, effect in links:
        table = f"netdev link{link.number}"
        script += [f"table {table} {{}}", f"delete table {table}"]
        rules = ["counter drop"] if effect.silent else []
        shares = [max(1, round(percent * 1000)) for percent in effect.loss_percent]
        rules += [f"numgen random mod 100000 <= {share - 1} counter drop" for share in shares]
        if rules:
            script.append(f"table {table} {{")
            for side, end in zip("ab", link.ends, strict=True):
                if end.host not in dead:
                    hook = f'type filter hook egress device "{names.middle(link, side)}" priority 0'
                    script += [f"chain to-{side} {{", hook, *rules, "}"]
            script.append("}")
    _in_plant(places, ["nft", "-f", "-"], "\n".join(script) + "\n")


def set_rate(places: Places, links: Iterable[tuple[Link, Effect]]) -> None:
    """Slow cables down with a token bucket in each direction, or let them run free again.

    The bucket holds little more than one frame, as a line sends frame after frame.
    """
    dead = State(places).dead()
    for link, effect in links:
        for side, end in zip("ab", link.ends, strict=True):
            if end.host in dead:
                continue
            device = names.middle(link, side)
            if effect.rate_bps:
                burst = max(round(effect.rate_bps / 8 * _BUCKET_S), _FRAME_OCTETS)
                bucket = f"rate {round(effect.rate_bps)}bit burst {burst}b latency {_LATENCY_MS}ms"
                _in_plant(places, ["tc", "qdisc", "replace", "dev", device, "root", "tbf", *bucket.split()])
            else:
                _in_plant(places, ["tc", "qdisc", "del", "dev", device, "root"], check=False)


def set_delay(places: Places, links: Iterable[tuple[Link, Effect]]) -> None:
    """Put a delay line between the middles of cables instead of the bridge, or the bridge back."""
    state = State(places)
    dead = state.dead()
    for link, effect in links:
        helper = f"delay-{link.number}"
        state.stop_helper(helper)
        middles = [names.middle(link, side) for side in "ab"]
        plant = names.plant(places.instance)
        if not effect.delay_ms or any(end.host in dead for end in link.ends):
            bridge_again(places, link)  # a dead host's return asks for the delay again
            continue
        namespaces.ip_batch([f"link set dev {name} nomaster" for name in middles], plant)
        line = subprocess.Popen(
            [*enter(places), sys.executable, "-I", str(_DELAY_LINE), *middles, str(effect.delay_ms)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        state.record_helper(helper, line.pid)
        assert line.stdout is not None
        if line.stdout.readline().strip() != b"ready":
            raise TwinError(f"the delay line of {link.name} did not start")
        line.stdout.close()
        children.keep(line)


def mirror_carrier(places: Places, model: NetworkModel) -> None:
    """Let each end of the cables of switches and halls see what becomes of the other; nothing without switches."""
    if not any(model.by_role(Role.SWITCH)):
        return
    halls = [link.number for link in model.links.values() if USER_BASE < link.number <= USER_BASE + SITE_MAX]
    mirror = subprocess.Popen(
        [*enter(places), sys.executable, "-I", str(_MIRROR), str(SWITCH_BASE), *map(str, halls)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    State(places).record_helper("mirror", mirror.pid)
    assert mirror.stdout is not None
    if mirror.stdout.readline().strip() != b"ready":
        raise TwinError("the mirror of carriers did not start")
    mirror.stdout.close()
    children.keep(mirror)


def bridge_again(places: Places, link: Link) -> None:
    """Join the middles of a cable by its bridge, those that are there."""
    dead = State(places).dead()
    sides = [side for side, end in zip("ab", link.ends, strict=True) if end.host not in dead]
    lines = [f"link set dev {names.middle(link, side)} master {names.bridge(link)}" for side in sides]
    namespaces.ip_batch(lines, names.plant(places.instance))


def enter(places: Places) -> list[str]:
    """The words before a command that runs in the plant."""
    return ["nsenter", f"--net=/run/netns/{names.plant(places.instance)}", "--"]


def _in_plant(places: Places, argv: Sequence[str], text: str = "", *, check: bool = True) -> None:
    """Run a command in the plant; TwinError with its own words when it fails."""
    done = subprocess.run([*enter(places), *argv], input=text, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise TwinError(f"{' '.join(argv)}: {done.stderr.strip()}")

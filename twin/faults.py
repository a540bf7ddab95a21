"""Faults a person can set, see and heal: reversible, logged, alive after the command that set them.

Active faults are in ``Places.run/twin/faults.json``, which no watcher sees; every setting and healing is one line of
JSON appended to ``Places.lib/faults.log`` (when, who, what).
"""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inventory.model import Link
from inventory.places import Places
from twin import effects, power, targets
from twin.effects import Effect
from twin.errors import TwinError

if TYPE_CHECKING:
    from twin.county import Twin

MAX_FLAPS = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """One active fault."""

    id: int
    kind: str  # cut, silent, flap, loss, rate, delay, kill-host or stop-daemon
    target: str  # the word that was given: a link, a pair, a duct, a host
    links: tuple[str, ...] = ()
    host: str = ""
    daemon: str = ""
    amount: float = 0.0  # loss: percent; rate: bit/s; delay: ms added to each direction; flap: times
    who: str = ""
    since: str = ""  # UTC, ISO 8601

    @property
    def words(self) -> str:
        """The fault in one line, as a person reads it."""
        unit = {"loss": "%", "rate": " bit/s", "delay": " ms", "flap": " times"}.get(self.kind, "")
        amount = f" {self.amount:g}{unit}" if unit else ""
        what = f"{self.host} {self.daemon}" if self.daemon else self.target
        more = f" ({', '.join(self.links)})" if self.links and self.links != (self.target,) else ""
        return f"{self.kind} {what}{more}{amount}"


def cut(twin: Twin, target: str) -> Fault:
    """Cut the fibre: both ends lose carrier at once, no host's own configuration is touched."""
    return _on_links(twin, "cut", target)


def silent(twin: Twin, target: str) -> Fault:
    """Drop every frame in both directions while both ends keep their carrier."""
    return _on_links(twin, "silent", target)


def loss(twin: Twin, target: str, percent: float) -> Fault:
    """Lose ``percent`` (0 < percent <= 100) of the frames, at random, in each direction."""
    _between("loss in percent", percent, 0, 100)
    return _on_links(twin, "loss", target, percent)


def rate(twin: Twin, target: str, bps: float) -> Fault:
    """Slow the cable to ``bps`` bit/s in each direction (at least 8000)."""
    _between("rate in bit/s", bps, 7999, 1e12)
    return _on_links(twin, "rate", target, bps)


def delay(twin: Twin, target: str, ms: float) -> Fault:
    """Add ``ms`` milliseconds to each direction (at most 5000)."""
    _between("delay in ms", ms, 0, 5000)
    return _on_links(twin, "delay", target, ms)


def flap(
    twin: Twin, target: str, times: int, interval_s: float, tell: Callable[[int, int], None] | None = None
) -> Fault:
    """Cut and heal ``times`` times, each phase lasting ``interval_s``; returns the fault, already healed."""
    _between("times", times, 0, MAX_FLAPS)
    _between("interval in seconds", interval_s, 0, 3600)
    links = targets.links(twin.model, target)
    with twin.state.locked():
        fault = _record(twin, "flap", target, links=links, amount=times)
    try:
        for done in range(1, times + 1):
            with twin.state.locked():
                effects.set_carrier(twin.places, [(link, False) for link in links])
            time.sleep(interval_s)
            with twin.state.locked():
                _enforce(twin, links, {"cut"})
            time.sleep(interval_s)
            if tell is not None:
                tell(done, times)
    finally:
        heal(twin, fault)
    return fault


def kill_host(twin: Twin, host: str) -> Fault:
    """Take a host's power: all its processes die, its kernel state is gone, its neighbours lose carrier."""
    return kill_hosts(twin, [host])[0]


def kill_hosts(twin: Twin, hosts: Sequence[str]) -> list[Fault]:
    """Take the power of several hosts at one moment, as of a whole room; one fault each."""
    found = [targets.host(twin.model, host) for host in hosts]
    with twin.state.locked():
        for host in found:
            if host.name in twin.state.dead():
                raise TwinError(f"{host.name} has no power already. Next: `sanwang fault list`", 2)
        rows = [_record(twin, "kill-host", host.name, host=host.name) for host in found]
        power.off(twin, found)
    return rows


def stop_daemon(twin: Twin, host: str, daemon: str) -> Fault:
    """Stop one of a host's services as its supervisor does, until it is healed."""
    found = targets.host(twin.model, host)
    known = twin.run(found.name, ["ls", "/etc/sanwang/sv"]).stdout.split() if found.appliance and found.linux else []
    if daemon not in known:
        raise TwinError(f"{host} has no service {daemon!r}; it has: {', '.join(known) or 'none'}", 2)
    with twin.state.locked():
        fault = _record(twin, "stop-daemon", host, host=host, daemon=daemon)
        power.service(twin, host, daemon, run=False)
    return fault


def active(places: Places) -> list[Fault]:
    """Every fault that is set, oldest first."""
    try:
        rows = json.loads(_file(places).read_text())
    except FileNotFoundError:
        return []
    return [Fault(**{**row, "links": tuple(row["links"])}) for row in rows]


def heal(twin: Twin, fault: Fault | int) -> Fault:
    """Heal one fault, and exactly that: TwinError (exit code 2) when it is not set."""
    number = fault if isinstance(fault, int) else fault.id
    with twin.state.locked():
        rows = active(twin.places)
        found = next((row for row in rows if row.id == number), None)
        if found is None:
            raise TwinError(f"no fault {number} is set. Next: `sanwang fault list`", 2)
        if found.kind == "kill-host":
            power.on(twin, twin.model.hosts[found.host])  # first of all: a host that does not start stays on the list
        _store(twin.places, [row for row in rows if row.id != number])
        if found.kind == "kill-host":
            reinstate(twin, found.host)
        elif found.kind == "stop-daemon":
            if found.host not in twin.state.dead() and not _stopped(twin, found.host, found.daemon):
                power.service(twin, found.host, found.daemon, run=True)
        else:
            links = [twin.model.links[name] for name in found.links]
            _enforce(twin, links, {"cut" if found.kind == "flap" else found.kind})
        _log(twin.places, "heal", found)
    return found


def heal_all(twin: Twin, tell: Callable[[Fault], None] | None = None) -> list[Fault]:
    """Heal every fault, hosts first, so that cables are plugged when their own faults end."""
    healed = []
    for fault in sorted(active(twin.places), key=lambda row: (row.kind != "kill-host", row.id)):
        healed.append(heal(twin, fault))
        if tell is not None:
            tell(fault)
    return healed


def reinstate(twin: Twin, host: str) -> None:
    """After a host has its power back: what other faults still ask of its cables and services."""
    links = [twin.model.links[port.link] for port in twin.model.hosts[host].ports]
    _enforce(twin, links, {"cut"})
    for kind in ("silent", "rate", "delay"):
        concerned = [link for link in links if _effect(active(twin.places), link) != Effect()]
        _enforce(twin, concerned, {kind})
    for row in active(twin.places):
        if row.kind == "stop-daemon" and row.host == host:
            power.service(twin, host, row.daemon, run=False)


def restart_host(twin: Twin, host: str) -> None:
    """Power-cycle a host: it comes back from its own disk, and a kill-host fault on it is healed."""
    found = targets.host(twin.model, host)
    for row in active(twin.places):
        if row.kind == "kill-host" and row.host == host:
            heal(twin, row)
            return
    with twin.state.locked():
        power.off(twin, [found])
        power.on(twin, found)
        reinstate(twin, host)


def swap_host(twin: Twin, host: str, bootstrap_key: str) -> None:
    """Put a new box of the same kind where a host stood: its disk is empty but for the staging port.

    A kill-host fault on it is over. TwinError (exit code 2) for a host without a disk of its own, and for the
    management host, whose data are not a box's.
    """
    found = targets.host(twin.model, host)
    if not found.appliance or host == twin.model.nms:
        raise TwinError(f"{host} is no box that can be swapped: expected one of ours, but not {twin.model.nms}", 2)
    with twin.state.locked():
        dead = [row for row in active(twin.places) if row.kind == "kill-host" and row.host == host]
        if not dead:
            power.off(twin, [found])
        power.new_disk(twin, found, bootstrap_key)
        power.on(twin, found)
        _store(twin.places, [row for row in active(twin.places) if row not in dead])
        reinstate(twin, host)
        for row in dead:
            _log(twin.places, "heal", row)


def _on_links(twin: Twin, kind: str, target: str, amount: float = 0.0) -> Fault:
    links = targets.links(twin.model, target)
    with twin.state.locked():
        fault = _record(twin, kind, target, links=links, amount=amount)
        _enforce(twin, links, {kind})
    return fault


def _enforce(twin: Twin, links: Iterable[Link], kinds: set[str]) -> None:
    """Make cables as the active faults say, in the aspects named."""
    rows = active(twin.places)
    wanted = [(link, _effect(rows, link)) for link in links]
    if not wanted:
        return
    if "cut" in kinds:
        effects.set_carrier(twin.places, [(link, not effect.cut) for link, effect in wanted])
    if kinds & {"silent", "loss"}:
        effects.set_drops(twin.places, wanted)
    if "rate" in kinds:
        effects.set_rate(twin.places, wanted)
    if "delay" in kinds:
        effects.set_delay(twin.places, wanted)


def _effect(rows: Iterable[Fault], link: Link) -> Effect:
    """What all faults together do to a cable: drops add up, the lowest rate wins, delays add up."""
    mine = [row for row in rows if link.name in row.links]
    rates = [row.amount for row in mine if row.kind == "rate"]
    return Effect(
        cut=any(row.kind == "cut" for row in mine),
        silent=any(row.kind == "silent" for row in mine),
        loss_percent=tuple(row.amount for row in mine if row.kind == "loss"),
        rate_bps=min(rates, default=0.0),
        delay_ms=sum(row.amount for row in mine if row.kind == "delay"),
    )


def _stopped(twin: Twin, host: str, daemon: str) -> bool:
    """True while a fault keeps the service stopped."""
    return any((row.host, row.daemon) == (host, daemon) for row in active(twin.places))


def _record(
    twin: Twin,
    kind: str,
    target: str,
    *,
    links: Iterable[Link] = (),
    host: str = "",
    daemon: str = "",
    amount: float = 0.0,
) -> Fault:
    """Write the fault down before it takes effect: nothing is ever broken without a way to heal it."""
    rows = active(twin.places)
    names = tuple(link.name for link in links)
    number = _next_id(twin.places)
    who = os.environ.get("SUDO_USER") or getpass.getuser()
    fault = Fault(number, kind, target, names, host, daemon, amount, who, datetime.now(UTC).isoformat("T", "seconds"))
    _store(twin.places, [*rows, fault])
    _log(twin.places, "set", fault)
    return fault


def _next_id(places: Places) -> int:
    """Numbers are never used twice while the county is up."""
    counter = places.run / "twin" / "fault-counter"
    number = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(number))
    return number


def _file(places: Places) -> Path:
    return places.run / "twin" / "faults.json"


def _store(places: Places, rows: Iterable[Fault]) -> None:
    path = _file(places)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps([dataclasses.asdict(row) for row in rows], ensure_ascii=False))
    temporary.replace(path)


def _log(places: Places, what: str, fault: Fault) -> None:
    places.lib.mkdir(parents=True, exist_ok=True)
    row: dict[str, Any] = {"at": datetime.now(UTC).isoformat("T", "milliseconds"), "what": what}
    row |= {"by": os.environ.get("SUDO_USER") or getpass.getuser(), "fault": dataclasses.asdict(fault)}
    with (places.lib / "faults.log").open("a") as log:
        log.write(json.dumps(row, ensure_ascii=False) + "\n")


def _between(what: str, value: float, above: float, most: float) -> None:
    if not above < value <= most:
        raise TwinError(f"{what}: found {value:g}, expected more than {above:g} and at most {most:g}", 2)

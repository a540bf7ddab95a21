"""Switches: a disk each, and a stand-in in each one's network namespace, forked from one loaded parent."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading

from inventory.hardware import HARDWARE
from inventory.model import Host, NetworkModel
from inventory.optics import TX_DBM, receive_dbm
from inventory.places import CHECKOUT, Places
from twin import children, names
from twin.appliance import host_key
from twin.errors import TwinError
from twin.namespaces import NETNS_DIR
from twin.standins.host import LINKS, Box
from twin.state import Process, State

_HELPER = "switches"
_START_SECONDS = 60.0
_starting = threading.Lock()


def make_disk(places: Places, host: Host, bootstrap_key: str) -> None:
    """Create a switch's disk if it has none: as from the factory, but for the key that may enrol it."""
    disk = places.hosts / host.name
    if (disk / "ready").exists():
        return
    shutil.rmtree(disk, ignore_errors=True)
    disk.mkdir(parents=True, mode=0o700)
    (disk / "bootstrap.pub").write_text(bootstrap_key.strip() + "\n")
    host_key(disk / "host_key", host.name)
    (disk / "ready").touch()


def box(places: Places, model: NetworkModel, host: Host) -> Box:
    """What a switch of the model is made of."""
    hardware = HARDWARE[host.platform]
    ports = (*(hardware.port(number) for number in range(1, hardware.count + 1)), *hardware.uplinks, hardware.oob)
    links = {port.label: port.name for port in host.ports}
    assert host.staging is not None
    mac = names.switch_mac(host, model.sites[host.site].number)
    disk = str(places.hosts / host.name)
    links[hardware.oob] = names.STAGING_PORT
    light = {  # the 10G ports are cages with optical modules
        port.label: (TX_DBM, receive_dbm(model.links[port.link].length_km))
        for port in host.ports
        if port.label in hardware.uplinks
    }
    return Box(host.platform, host.name, ports, links, hardware.oob, str(host.staging), mac, disk, light)


def start(places: Places, model: NetworkModel, host: Host) -> None:
    """Give power to a switch and wait until it answers logins. Raises TwinError with its own words."""
    namespace = NETNS_DIR / names.namespace(places.instance, host.name)
    order = {"box": dataclasses.asdict(box(places, model, host)), "namespace": str(namespace)}
    state = State(places)
    with _door(places) as door, door.makefile() as said:
        door.sendall(json.dumps(order).encode() + b"\n")
        try:
            # The switch and its parent both write: whose line is first, nobody knows.
            lines = [line.strip() for line in said]
        except OSError:
            lines = []
    pid = next((int(line) for line in lines if line.isdecimal()), 0)
    words = "; ".join(line for line in lines if line not in ("ready", str(pid)))
    if "ready" not in lines or not pid:
        raise TwinError(
            f"{host.name} did not start: {words or f'no word from it, see {state.folder}/log/switches.log'}"
        )
    try:
        process = Process.of(pid)
    except ProcessLookupError:
        raise TwinError(f"{host.name} started and ended at once: see {places.hosts / host.name}/standin.log") from None
    state.record_host(host.name, process, process)


def plugged(places: Places, model: NetworkModel, host: Host) -> None:
    """Tell a running switch which Linux interfaces are behind its ports now."""
    running = State(places).host(host.name)
    (places.hosts / host.name / LINKS).write_text(json.dumps(dict(box(places, model, host).links)))
    if running is not None:
        running[1].kill(signal.SIGHUP)


def _door(places: Places) -> socket.socket:
    """A connection to the parent of all switches, which is started if there is none."""
    path = State(places).folder / "switches.sock"
    with _starting:
        door = socket.socket(socket.AF_UNIX)
        door.settimeout(_START_SECONDS)
        try:
            door.connect(str(path))
        except OSError:
            _start_parent(places)
            door.connect(str(path))
    return door


def _start_parent(places: Places) -> None:
    state = State(places)
    state.stop_helper(_HELPER)
    path = state.folder / "switches.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        with (state.folder / "log" / "switches.log").open("ab") as log:
            parent = subprocess.Popen(
                [sys.executable, "-m", "twin.forkserver", str(listening.fileno())],
                pass_fds=[listening.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=CHECKOUT,
                start_new_session=True,
            )
    state.record_helper(_HELPER, parent.pid)
    children.keep(parent)

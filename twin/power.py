"""Power of one host: lost as at a dead socket, back as a machine that boots from its own disk."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from inventory.model import Host
from twin import appliance, cables, children, effects, leaf, names, namespaces, switch
from twin.errors import TwinError
from twin.state import Process, wait_gone

if TYPE_CHECKING:
    from twin.county import Twin

_SERVICES = "/etc/sanwang/sv"
_SUPERVISED_WITHIN_S = 8.0  # runsvdir looks every five seconds


def off(twin: Twin, hosts: Sequence[Host]) -> None:
    """Kill every process of the hosts, take the carrier from their neighbours, drop their kernel state.

    All of them at one moment. Named VRF namespaces die with the init's mount namespace; deleting the cables' near
    halves removes the ports in them at once, so that nothing goes on forwarding.
    """
    state, instance = twin.state, twin.places.instance
    plant = names.plant(instance)
    members: list[Process] = []
    for host in hosts:
        state.set_dead(host.name, True)
        members += state.host(host.name) or ()
    for process in members:
        process.kill()
    dead = state.dead()
    links = {link.name: link for host in hosts for link in cables.links_of(twin.model, host.name)}
    far = [
        f"link set dev {names.middle(link, side)} down"
        for link in links.values()
        for side, end in zip("ab", link.ends, strict=True)
        if end.host not in dead
    ]
    namespaces.ip_batch(far, plant)
    namespaces.ip_batch(
        (f"link delete group {cables.group(twin.model, host.name)}" for host in hosts), plant, force=True
    )
    wanted = [names.namespace(instance, host.name) for host in hosts]
    for pid in namespaces.processes_in(namespaces.inodes(wanted)):
        with contextlib.suppress(ProcessLookupError):
            process = Process.of(pid)
            process.kill()
            members.append(process)
    delayed = state.helpers()
    for link in links.values():
        if f"delay-{link.number}" in delayed:
            state.stop_helper(f"delay-{link.number}")
            effects.bridge_again(twin.places, link)
    wait_gone(members)
    children.reap()
    for host in hosts:
        state.forget_host(host.name)
    namespaces.delete(wanted)


def on(twin: Twin, host: Host) -> None:
    """Give the host a fresh namespace, plug its cables, and start its init (or configure the user equipment).

    The caller then settles the carriers (:func:`twin.faults.reinstate`): a cut fibre stays cut.
    """
    instance = twin.places.instance
    plant, name = names.plant(instance), names.namespace(instance, host.name)
    if (namespaces.NETNS_DIR / name).exists():  # an earlier start that failed half way
        off(twin, [host])
    namespaces.create({name: leaf.sysctls(host)})
    lines: list[str] = []
    for link in cables.links_of(twin.model, host.name):
        lines += cables.plug(instance, twin.model, link, names.side_of(link, host.name))
    lines += cables.plug_staging(instance, twin.model, host)
    namespaces.ip_batch(lines, plant)
    twin.state.set_dead(host.name, False)
    twin.start(host)


def new_disk(twin: Twin, host: Host, bootstrap_key: str) -> None:
    """Throw a host's disk away and give it an empty one, as a box comes from the shop."""
    shutil.rmtree(twin.places.hosts / host.name, ignore_errors=True)
    (appliance if host.linux else switch).make_disk(twin.places, host, bootstrap_key)


def service(twin: Twin, host: str, daemon: str, *, run: bool) -> None:
    """Start or stop a service of a host through its supervisor; TwinError with the supervisor's words.

    A supervisor that has just begun still says "down, want up" before it starts what it was told to stop: the state
    counts only together with what is wanted.
    """
    argv = ["sv", "-w", "10", "up" if run else "down", f"{_SERVICES}/{daemon}"]
    reached, other = ("run:", "want down") if run else ("down:", "want up")
    deadline = time.monotonic() + _SUPERVISED_WITHIN_S
    while True:
        done: subprocess.CompletedProcess[str] = twin.run(host, argv)
        if done.returncode == 0:
            done = twin.run(host, ["sv", "status", argv[-1]])
            if done.stdout.startswith(reached) and other not in done.stdout:
                return
        elif "runsv not running" not in done.stdout + done.stderr:
            break  # not a host that has just got its power: its supervisor would find the service in a moment
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    raise TwinError(f"{host}: {done.stdout.strip()}{done.stderr.strip()}")

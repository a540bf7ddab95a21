"""Power of one host: lost as at a dead socket, back as a machine that boots from its own disk."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

from inventory.model import Host
from twin import appliance, cables, leaf, names, namespaces
from twin.errors import TwinError
from twin.state import Process, wait_gone

if TYPE_CHECKING:
    from twin.county import Twin

_SERVICES = "/etc/sanwang/sv"


def off(twin: Twin, host: Host) -> None:
    """Kill every process of the host, take the carrier from its neighbours, drop its kernel state.

    Named VRF namespaces die with the init's mount namespace; deleting the cables' near halves removes the ports
    in them at once, so that nothing goes on forwarding.
    """
    state, instance = twin.state, twin.places.instance
    plant, name = names.plant(instance), names.namespace(instance, host.name)
    state.set_dead(host.name, True)
    pair = state.host(host.name)
    members = list(pair or ())
    for process in members:
        process.kill()
    dead = state.dead()
    links = cables.links_of(twin.model, host.name)
    far: list[str] = []
    near: list[str] = []
    for link in links:
        side = names.side_of(link, host.name)
        other, end = ("b", link.b) if side == "a" else ("a", link.a)
        if end.host not in dead:
            far.append(f"link set dev {names.middle(link, other)} down")
        near.append(f"link delete dev {names.middle(link, side)}")
    if host.staging is not None:
        near.append(f"link delete dev {names.staging_middle(host, twin.model.sites[host.site].number)}")
    namespaces.ip_batch(far, plant)
    for pid in namespaces.processes_in(namespaces.inodes([name])):
        with contextlib.suppress(ProcessLookupError):
            process = Process.of(pid)
            process.kill()
            members.append(process)
    namespaces.ip_batch(near, plant, force=True)
    for link in links:
        state.stop_helper(f"delay-{link.number}")
    wait_gone(members)
    appliance.reap()
    state.forget_host(host.name)
    namespaces.delete([name])


def on(twin: Twin, host: Host) -> None:
    """Give the host a fresh namespace, plug its cables, and start its init (or configure the user equipment).

    The caller then settles the carriers (:func:`twin.faults.reinstate`): a cut fibre stays cut.
    """
    instance = twin.places.instance
    plant = names.plant(instance)
    namespaces.create({names.namespace(instance, host.name): leaf.sysctls(host)})
    lines: list[str] = []
    for link in cables.links_of(twin.model, host.name):
        lines += cables.plug(instance, twin.model, link, names.side_of(link, host.name))
    lines += cables.plug_staging(instance, twin.model, host)
    namespaces.ip_batch(lines, plant)
    twin.state.set_dead(host.name, False)
    twin.start(host)


def service(twin: Twin, host: str, daemon: str, *, run: bool) -> None:
    """Start or stop a service of a host through its supervisor; TwinError with the supervisor's words."""
    argv = ["sv", "-w", "10", "up" if run else "down", f"{_SERVICES}/{daemon}"]
    done: subprocess.CompletedProcess[str] = twin.run(host, argv)
    if done.returncode:
        raise TwinError(f"{host}: {done.stdout.strip()}{done.stderr.strip()}")

"""The county on one Linux machine: bring it up, run commands in it, take it down.

The twin lays cables, gives power, and configures user equipment and the outside world. It starts no service of
ours: appliances come up empty, with a staging port, and the playbooks do the rest.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from inventory.model import Host, NetworkModel
from inventory.places import Places
from twin import appliance, cables, children, effects, faults, leaf, names, namespaces, power, switch
from twin.errors import TwinError
from twin.state import Process, State, wait_gone

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) while the county comes up or goes down."""

_AT_ONCE = 8  # inits started at the same time: more only queue for the machine's cores


class Twin:
    """One running county.

    >>> twin = Twin(load_model("shili"), Places("shili"))  # doctest: +SKIP
    >>> twin.up(bootstrap_key="ssh-ed25519 AAAA... bootstrap")  # doctest: +SKIP
    >>> twin.run("t01-hall", ["ping", "-c1", "10.8.11.1"]).returncode  # doctest: +SKIP
    0
    """

    def __init__(self, model: NetworkModel, places: Places) -> None:
        self.model = model
        self.places = places
        self.state = State(places)

    def up(self, progress: Progress | None = None, *, bootstrap_key: str = "") -> None:
        """Build everything; TwinError when the instance is already up. Whatever fails leaves nothing behind.

        ``bootstrap_key``: the public key (one authorized_keys line) that may enrol fresh appliances.
        """
        tell = progress or (lambda stage, done, total: None)
        with self.state.locked():
            require_down(self.places)
            try:
                self._build(tell, bootstrap_key)
            except BaseException:
                _clean(self.places)
                raise

    def _build(self, tell: Progress, bootstrap_key: str) -> None:
        """Plant and namespaces, cables, user equipment, power for the appliances."""
        instance, hosts = self.places.instance, list(self.model.hosts.values())
        plant = names.plant(instance)
        wanted = {names.namespace(instance, host.name): leaf.sysctls(host) for host in hosts}
        clash = [name for name in (plant, *wanted) if (namespaces.NETNS_DIR / name).exists()]
        if clash:
            raise TwinError(f"network namespace {clash[0]!r} exists and is not this instance's: choose another name", 2)
        shutil.rmtree(self.places.hosts, ignore_errors=True)  # appliances start empty
        self.state.begin(self.model, [plant, *wanted])

        tell("namespaces", 0, len(wanted))
        namespaces.create({plant: namespaces.PLANT_SYSCTLS, **wanted})
        tell("namespaces", len(wanted), len(wanted))

        links = list(self.model.links.values())
        for start in range(0, len(links), 50):
            tell("cables", start, len(links))
            batch = links[start : start + 50]
            lines = [line for link in batch for line in cables.lay(link)]
            lines += [line for link in batch for side in "ab" for line in cables.plug(instance, self.model, link, side)]
            namespaces.ip_batch(lines, plant)
        staging = [line for host in hosts for line in cables.plug_staging(instance, self.model, host)]
        namespaces.ip_batch([*cables.lay_staging(), *staging], plant)
        effects.mirror_carrier(self.places, self.model)
        tell("cables", len(links), len(links))

        users = [host for host in hosts if not host.appliance]
        self._each("user equipment", users, self._configure_leaf, tell)
        appliances = [host for host in hosts if host.appliance]
        self._each("appliances", appliances, lambda host: self._first_start(host, bootstrap_key), tell)

    def _each(self, stage: str, hosts: Sequence[Host], work: Callable[[Host], None], tell: Progress) -> None:
        """Do ``work`` for every host, a few at a time; the first failure stops the rest."""
        tell(stage, 0, len(hosts))
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            jobs = [pool.submit(work, host) for host in hosts]
            try:
                for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
                    job.result()
                    tell(stage, done, len(hosts))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _configure_leaf(self, host: Host) -> None:
        lines = ["link set dev lo up", *leaf.configure(host)]
        namespaces.ip_batch(lines, names.namespace(self.places.instance, host.name))

    def _first_start(self, host: Host, bootstrap_key: str) -> None:
        power.new_disk(self, host, bootstrap_key)
        self.start(host)

    def start(self, host: Host) -> None:
        """Give power to a host whose namespace and cables are there: an appliance boots from its own disk."""
        if not host.appliance:
            self._configure_leaf(host)
            return
        if not host.linux:
            switch.start(self.places, self.model, host)
            return
        visible = []
        with contextlib.suppress(OSError):
            visible.append(Path((self.places.lib / "county").read_text().strip()))
        appliance.start(self.places, host, shared=host.name == self.model.nms, visible=visible)

    def kill_host(self, host: str) -> None:
        """Take a host's power (a recorded fault); see :func:`twin.faults.kill_host`."""
        faults.kill_host(self, host)

    def restart_host(self, host: str) -> None:
        """Power-cycle a host; see :func:`twin.faults.restart_host`."""
        faults.restart_host(self, host)

    def factory_reset(self, host: str, bootstrap_key: str) -> None:
        """Swap a host's disk for an empty one, as a box from the factory has: its staging port is open again."""
        found = self._host(host)
        fault = faults.kill_host(self, host)
        power.new_disk(self, found, bootstrap_key)
        faults.heal(self, fault)

    def down(self, progress: Progress | None = None, *, wipe: bool = True) -> None:
        """Take everything down; see :func:`down`."""
        down(self.places, progress, wipe=wipe)

    def argv(self, host: str, argv: Sequence[str], vrf: str = "") -> list[str]:
        """The command that runs ``argv`` inside a host, in its VRF's namespace when one is named.

        TwinError (exit code 2) for an unknown host, (1) for one without power.
        """
        found = self._host(host)
        if not found.appliance or not found.linux:
            return ["nsenter", f"--net=/run/netns/{names.namespace(self.places.instance, host)}", "--", *argv]
        pid = self._init(host)
        network = f"--net={self.namespace(host, vrf)}" if vrf else "--net"
        return ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--pid", network, "--", *argv]

    def namespace(self, host: str, vrf: str = "") -> Path:
        """Path of a host's network namespace, or of one of its VRFs' (made by the host itself)."""
        self._host(host)
        if not vrf:
            return namespaces.NETNS_DIR / names.namespace(self.places.instance, host)
        return Path(f"/proc/{self._init(host)}/root/run/netns/{vrf}")

    def run(
        self,
        host: str,
        argv: Sequence[str],
        *,
        vrf: str = "",
        timeout: float | None = 30.0,
        input: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside a host and wait for it (``timeout`` in seconds); a failing command is a value."""
        return subprocess.run(
            self.argv(host, argv, vrf), capture_output=True, text=True, timeout=timeout, input=input, check=False
        )

    def _init(self, host: str) -> int:
        """Pid of a running appliance's init."""
        pair = self.state.host(host)
        if pair is None or not pair[1].alive:
            raise TwinError(f"{host} has no power. Next: `sanwang fault list`, `sanwang fault heal --all`")
        return pair[1].pid

    def _host(self, host: str) -> Host:
        try:
            return self.model.hosts[host]
        except KeyError:
            raise TwinError(f"no host {host!r} in county {self.model.name!r}. Next: `sanwang county show`", 2) from None


def require_down(places: Places) -> None:
    """TwinError (exit code 2) when the instance is up: ask before touching anything that is its."""
    if State(places).up:
        text = f"instance {places.instance!r} is already up. Next: `sanwang down`, or choose another name"
        raise TwinError(text, 2)


def attach(places: Places) -> Twin:
    """The twin that is up under that name, with the model it was built from; TwinError (exit code 3) when none is."""
    return Twin(State(places).model(), places)


def down(places: Places, progress: Progress | None = None, *, wipe: bool = True) -> None:
    """Remove exactly what the instance created, from what is on disk; none running is fine.

    ``wipe`` also removes the hosts' disks; the county's own things (CA, database, measurements) always stay.
    """
    tell = progress or (lambda stage, done, total: None)
    state = State(places)
    if places.run.exists():
        with state.locked():
            _clean(places, tell)
    if wipe:
        shutil.rmtree(places.hosts, ignore_errors=True)


def _clean(places: Places, tell: Progress = lambda stage, done, total: None) -> None:
    """Stop helpers and hosts, then delete the namespaces and every note."""
    state = State(places)
    wanted = state.namespaces()
    tell("processes", 0, 1)
    members = [*state.helpers().values(), *(process for pair in state.running().values() for process in pair)]
    for process in members:
        process.kill()
    inodes = namespaces.inodes(wanted)
    for pid in namespaces.processes_in(inodes) if inodes else []:
        with contextlib.suppress(ProcessLookupError):
            process = Process.of(pid)
            process.kill()
            members.append(process)
    wait_gone(members)
    children.reap()
    tell("processes", 1, 1)
    tell("namespaces", 0, len(wanted))
    namespaces.delete(wanted)
    tell("namespaces", len(wanted), len(wanted))
    state.clear()

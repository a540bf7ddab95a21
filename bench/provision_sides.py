"""The two sides: ours, and nornir with released netmiko in its fastest settings that were found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.provision_fleet import PASSWORD, USER, Fleet, lines_of
from provision.broker.session import Address, SessionLog
from provision.vendor import Credentials, VendorSession

if TYPE_CHECKING:
    from nornir.core import Nornir

PEER_OPTIONS = {
    "fast_cli": True,
    "global_cmd_verify": False,
    "global_delay_factor": 0.01,
    "read_timeout_override": 60,
    "auto_connect": True,
}
"""netmiko's fast options, tried one by one and together: with these it is fastest."""


class PeerMissing(RuntimeError):
    """nornir is not installed; the text says how to."""


def ours(fleet: Fleet, tag: str, threads: int) -> list[str]:
    """Connect (pinned host key), a hundred lines, commit, save, leave; transcripts are kept, masked."""
    lines = lines_of(tag)
    credentials = Credentials(password=PASSWORD)

    def one(where: Address) -> None:
        log = SessionLog(Path(fleet.folder) / "ours" / f"{where.host}.log")
        with VendorSession.open(where, "huawei_vrp8", credentials, log, pinned=fleet.host_key) as session:
            session.configure(lines)
            session.save()

    with ThreadPoolExecutor(threads) as pool:
        tasks = [(where.host, pool.submit(one, where)) for where in fleet.addresses()]
    return [f"{host}: {error!r}" for host, task in tasks if (error := task.exception())]


def peer_library(fleet: Fleet, tag: str, threads: int) -> list[str]:
    """nornir tasks with netmiko's own calls: send_config_set, commit, save_config."""

    def work(connection: Any) -> None:
        connection.send_config_set(lines_of(tag))
        connection.commit()
        connection.save_config()

    return _nornir(fleet, threads, work)


def peer_by_hand(fleet: Fleet, tag: str, threads: int) -> list[str]:
    """The same, with commit and views as lines of one send_config_set, so that netmiko never looks for its mode."""

    def work(connection: Any) -> None:
        lines = ["system-view", *lines_of(tag), "commit", "return"]
        connection.send_config_set(lines, enter_config_mode=False)
        connection.save_config()

    return _nornir(fleet, threads, work)


def _nornir(fleet: Fleet, threads: int, work: Any) -> list[str]:
    try:
        from nornir.core.task import Result, Task
    except ImportError as error:
        raise PeerMissing(f"{error.name} is not installed: .venv/bin/pip install nornir nornir-netmiko") from None

    def task(task: Task) -> Result:
        work(task.host.get_connection("netmiko", task.nornir.config))
        task.host.close_connections()
        return Result(host=task.host)

    done = _inventory(fleet, threads).run(task=task)
    return [f"{name}: {result.exception!r}" for name, result in done.items() if result.failed]


def _inventory(fleet: Fleet, threads: int) -> Nornir:
    from nornir.core import Nornir
    from nornir.core.inventory import ConnectionOptions, Defaults, Groups, Host, Hosts, Inventory
    from nornir.core.plugins.connections import ConnectionPluginRegister
    from nornir.core.state import GlobalState
    from nornir.plugins.runners import ThreadedRunner

    ConnectionPluginRegister.auto_register()
    hosts = Hosts()
    for where in fleet.addresses():
        options = ConnectionOptions(
            hostname=where.address,
            port=where.port,
            username=USER,
            password=PASSWORD,
            platform="huawei_vrpv8",
            extras=PEER_OPTIONS,
        )
        hosts[where.host] = Host(where.host, connection_options={"netmiko": options})
    inventory = Inventory(hosts, Groups(), Defaults())
    return Nornir(inventory=inventory, data=GlobalState(), runner=ThreadedRunner(num_workers=threads))

"""A county comes up, keeps its secrets, and goes down from what is on disk alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.places import CHECKOUT, Places
from tests.twin.bench import county_up, reaches, wait_until
from tests.twin.small import small_model
from twin import county, faults, namespaces, portal, usage
from twin.county import Twin
from twin.errors import TwinError
from twin.state import start_time

pytestmark = pytest.mark.twin


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with county_up("twcounty", tmp_path_factory.mktemp("twcounty")) as running:
        yield running


@pytest.fixture
def spare() -> Iterator[Places]:
    """A second instance's name, clean before and after."""
    places = Places("twspare")
    county.down(places)
    yield places
    county.down(places)
    (places.lib / "faults.log").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        places.lib.rmdir()


def left_of(instance: str) -> list[str]:
    """Namespaces, files of the run folder and keepers of inits that still belong to an instance."""
    found = [path.name for path in namespaces.NETNS_DIR.iterdir() if path.name.startswith(f"{instance}.")]
    found += [str(path) for path in Places(instance).run.glob("**/*")]
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and f"/{instance}/hosts/".encode() in (process / "cmdline").read_bytes():
                found.append(f"process {process.name}")
    return found


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run."""
    return {pid for pid in pids if start_time(pid) is not None}


def test_appliances_start_with_ports_down_and_nothing_forwards(spare: Places) -> None:
    fresh = Twin(small_model(), spare)
    fresh.up()
    assert fresh.run("c1-core", ["ip", "-br", "link", "show", "p2"]).stdout.split()[1] == "DOWN"
    assert "inet" not in fresh.run("c1-core", ["ip", "address", "show", "p2"]).stdout
    assert fresh.run("c1-core", ["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "0\n"
    assert fresh.run("n1-net", ["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "1\n"
    assert not reaches(fresh, "s1-pc")


def test_the_staging_port_lets_the_bootstrap_key_in_and_nobody_else(twin: Twin) -> None:
    ssh = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    key = ["-i", str(twin.places.lib / "bootstrap-key")]
    address = str(twin.model.hosts["c1-core"].staging).partition("/")[0]

    def enters() -> bool:
        return twin.run(twin.model.nms, [*ssh, *key, address, "hostname"]).stdout == "c1-core\n"

    wait_until(enters, "the staging sshd answers")
    assert twin.run(twin.model.nms, [*ssh, address, "hostname"]).returncode != 0


def test_a_host_is_a_machine_of_its_own(twin: Twin) -> None:
    assert twin.run("c1-core", ["hostname"]).stdout == "c1-core\n"
    assert twin.run("c1-core", ["sh", "-c", "cat /etc/hostname; ls /run/netns /tmp /root"]).stdout.startswith(
        "c1-core\n"
    )
    processes = twin.run("c1-core", ["ps", "-e", "-o", "comm="]).stdout.split()
    assert processes[0] == "runsvdir"
    twin.run("c1-core", ["sh", "-c", "echo ours >/etc/nftables.conf; mkdir -p /var/log/frr; touch /var/log/frr/x"])
    assert Path("/etc/nftables.conf").read_text() != "ours\n"
    assert twin.run("c2-core", ["cat", "/etc/nftables.conf"]).stdout != "ours\n"
    assert not Path("/var/log/frr/x").exists()


def test_only_the_management_host_sees_the_countys_own_folders(twin: Twin) -> None:
    (twin.places.lib / "secret").write_text("ours")
    try:
        secret = str(twin.places.lib / "secret")
        assert twin.run(twin.model.nms, ["cat", secret]).stdout == "ours"
        assert twin.run("c1-core", ["cat", secret]).returncode != 0
        assert twin.run("c1-core", ["ls", "/run/sanwang"]).returncode != 0
        assert twin.run(
            twin.model.nms, ["ls", str(twin.places.run / "twin"), str(twin.places.hosts)]
        ).stdout.split() == [
            f"{twin.places.run}/twin:",
            f"{twin.places.hosts}:",
        ]
    finally:
        (twin.places.lib / "secret").unlink()


def test_the_checkout_and_its_interpreter_are_there_inside(twin: Twin) -> None:
    words = [sys.executable, "-c", "import inventory.places as p; print(p.CHECKOUT)"]
    done = twin.run("c1-core", ["env", f"PYTHONPATH={CHECKOUT}", *words])
    assert done.stdout == f"{CHECKOUT}\n", done.stderr


def test_an_instance_that_runs_refuses_to_start_twice(twin: Twin) -> None:
    with pytest.raises(TwinError, match="already up") as raised:
        Twin(small_model(), twin.places).up()
    assert raised.value.exit_code == 2
    assert reaches(twin, "s1-pc")


def test_two_counties_at_once_and_foreign_things_untouched(twin: Twin, spare: Places) -> None:
    foreign = ["ip", "netns", "exec", "twforeign"]
    subprocess.run(["ip", "netns", "add", "twforeign"], check=True)
    sleeper = subprocess.Popen([*foreign, "sleep", "600"])
    try:
        subprocess.run([*foreign, "nft", "add", "table", "inet", "theirs"], check=True)
        second = Twin(small_model(), spare)
        second.up()
        browser = subprocess.Popen(second.argv("s1-pc", ["sleep", "600"]))  # as a browser in a hall's namespace
        county.down(spare)
        assert browser.wait(timeout=60) == -signal.SIGKILL
        assert left_of("twspare") == []
        assert not spare.hosts.exists()
        assert reaches(twin, "s1-pc")
        assert sleeper.poll() is None
        tables = subprocess.run([*foreign, "nft", "list", "tables"], capture_output=True, text=True, check=True)
        assert tables.stdout == "table inet theirs\n"
        county.down(spare)
    finally:
        sleeper.kill()
        sleeper.wait()
        subprocess.run(["ip", "netns", "del", "twforeign"], check=True)


def test_a_namespace_that_is_not_ours_stops_the_start_and_survives(spare: Places) -> None:
    subprocess.run(["ip", "netns", "add", "twspare.c1-core"], check=True)
    try:
        with pytest.raises(TwinError, match="not this instance's"):
            Twin(small_model(), spare).up()
        assert (namespaces.NETNS_DIR / "twspare.c1-core").exists()
    finally:
        subprocess.run(["ip", "netns", "del", "twspare.c1-core"], check=True)


@pytest.mark.parametrize("stage", ["namespaces", "cables", "appliances"])
def test_a_driver_killed_in_the_middle_leaves_nothing_that_down_does_not_find(spare: Places, stage: str) -> None:
    driver = (
        "import os, signal; from inventory.places import Places; from twin.county import Twin\n"
        "from tests.twin.small import small_model\n"
        "def tell(stage, done, total):\n"
        f"    if stage == {stage!r} and done: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Twin(small_model(), Places({spare.instance!r})).up(tell)"
    )
    done = subprocess.run([sys.executable, "-c", driver], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert left_of(spare.instance) != []
    running = usage.processes(spare)
    assert (stage == "appliances") == bool(running)
    county.down(spare)
    assert left_of(spare.instance) == []
    assert alive(running) == set()
    county.down(spare)


def test_ctrl_c_while_coming_up_cleans_up(spare: Places) -> None:
    def tell(stage: str, done: int, total: int) -> None:
        if stage == "appliances" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Twin(small_model(), spare).up(tell)
    assert left_of(spare.instance) == []


def test_inits_killed_from_outside_are_no_obstacle_to_down(spare: Places) -> None:
    second = Twin(small_model(), spare)
    second.up()
    faults.delay(second, "ring-c1-c2", 5)
    for _, init in second.state.running().values():
        os.kill(init.pid, signal.SIGKILL)
    (spare.run / "twin" / "model.pickle").unlink()
    helpers = {process.pid for process in second.state.helpers().values()}
    assert alive(helpers)
    county.down(spare)
    assert left_of(spare.instance) == []
    assert alive(helpers) == set()


def test_the_portal_carries_bytes_from_the_machine_to_the_pages_socket(twin: Twin) -> None:
    with socket.socket(socket.AF_UNIX) as pages, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        with pytest.raises(TwinError, match=f"port {port}") as raised:
            portal.start(twin.places, port)
        assert raised.value.exit_code == 3
        probe.close()
        pages.bind(str(twin.places.serve_socket))
        pages.listen()

        def answer() -> None:
            with pages.accept()[0] as caller:
                caller.sendall(caller.recv(100).upper())

        thread = threading.Thread(target=answer)
        thread.start()
        portal.start(twin.places, port)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"HELLO"
            assert client.recv(100) == b""
        thread.join()
        assert portal.addresses(twin.places)["certificate"] == f"https://127.0.0.1:{port + 1}/?back={port}"
        with socket.create_connection(("127.0.0.1", port + 1), timeout=60) as client:
            assert client.recv(100) == b"", "nobody serves the door here: it is closed at once"


def test_usage_counts_what_hosts_burn(twin: Twin) -> None:
    assert usage.measure(twin.places, 0.5).cpu_cores < 0.02
    burner = subprocess.Popen(twin.argv("c1-core", ["sh", "-c", "while :; do :; done"]))
    try:
        used = usage.measure(twin.places, 1.0)
    finally:
        burner.kill()
        burner.wait()
        twin.run("c1-core", ["pkill", "-x", "sh"])
    assert used.cpu_cores > 0.02  # a whole core on an idle machine
    assert used.memory_mb > 1
    assert used.processes >= 3 * 4


def sanwang(twin: Twin, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command line against the test's instance."""
    environment = {**os.environ, "SANWANG_INSTANCE": twin.places.instance}
    command = [sys.executable, "-m", "sanwang", *argv]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


def test_the_command_line_sets_lists_and_heals(twin: Twin) -> None:
    done = sanwang(twin, "fault", "cut", "c1-c2")
    assert done.returncode == 0, done.stderr
    assert "heal it with: sanwang fault heal" in done.stdout
    listed = json.loads(sanwang(twin, "fault", "list", "--json").stdout.splitlines()[-1])
    assert [(row["kind"], row["links"]) for row in listed["faults"]] == [("cut", ["ring-c1-c2"])]
    healed = json.loads(sanwang(twin, "fault", "heal", "--all", "--json").stdout.splitlines()[-1])
    assert [row["target"] for row in healed["healed"]] == ["c1-c2"]
    assert reaches(twin, "s1-pc", count=5)
    assert sanwang(twin, "fault", "cut", "no-such").returncode == 2
    assert sanwang(twin, "fault", "heal").returncode == 2


def test_shell_runs_a_command_and_hands_back_its_exit_code(twin: Twin) -> None:
    assert sanwang(twin, "shell", "c1-core", "--", "hostname").stdout == "c1-core\n"
    assert sanwang(twin, "shell", "c1-core", "--", "sh", "-c", "exit 7").returncode == 7
    assert "has no VRF" in sanwang(twin, "shell", "c1-core", "--vrf", "gov", "--", "true").stderr


def test_capture_shows_a_links_packets(twin: Twin) -> None:
    stop = threading.Event()

    def ping() -> None:
        while not stop.is_set():
            reaches(twin, "s1-pc")
            time.sleep(0.1)

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        done = sanwang(twin, "capture", "c1-c2", "--count", "2", "--", "icmp")
    finally:
        stop.set()
        thread.join()
    assert done.returncode == 0, done.stderr
    assert "10.8.3.10 > 10.8.4.10" in done.stdout


@pytest.mark.parametrize("command", ["fault", "shell", "capture"])
def test_help_shows_an_example(twin: Twin, command: str) -> None:
    assert f"sanwang {command}" in sanwang(twin, command, "--help").stdout.partition("Usage")[2]

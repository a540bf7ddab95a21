"""A county's cables and hosts break and heal: the lab notebook of the fault commands."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.twin.bench import FAR_PC, carrier, county_up, reaches, wait_until
from twin import faults, links, names, namespaces
from twin.county import Twin
from twin.errors import TwinError

pytestmark = pytest.mark.twin


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with county_up("twfaults", tmp_path_factory.mktemp("twfaults")) as twin:
        yield twin


@pytest.fixture
def twin(running: Twin) -> Iterator[Twin]:
    yield running
    faults.heal_all(running)
    wait_until(lambda: reaches(running, "s1-pc"), "the county is whole again after the test")


def plant(twin: Twin, *argv: str) -> str:
    """Output of a command in the plant."""
    where = ["ip", "netns", "exec", names.plant(twin.places.instance)]
    return subprocess.run([*where, *argv], capture_output=True, text=True, check=True).stdout


def test_a_cut_takes_the_light_from_both_ends_and_leaves_their_configuration(twin: Twin) -> None:
    before = twin.run("c1-core", ["ip", "-4", "address", "show", "p2"]).stdout.split("inet")[1:]
    fault = faults.cut(twin, "c1-c2")
    assert not carrier(twin, "c1-core", "p2")
    assert not carrier(twin, "c2-core", "p2")
    assert carrier(twin, "c1-core", "p1")
    assert not reaches(twin, "s1-pc")
    assert twin.run("c1-core", ["ip", "-4", "address", "show", "p2"]).stdout.split("inet")[1:] == before
    faults.heal(twin, fault)
    assert carrier(twin, "c1-core", "p2")
    assert carrier(twin, "c2-core", "p2")
    assert reaches(twin, "s1-pc", count=5)


def test_a_silent_fibre_keeps_its_light(twin: Twin) -> None:
    fault = faults.silent(twin, "ring-c1-c2")
    assert carrier(twin, "c1-core", "p2")
    assert not reaches(twin, "s1-pc", count=3)
    assert not reaches(twin, "s2-pc", "10.8.3.10", count=3)
    faults.heal(twin, fault)
    assert reaches(twin, "s1-pc", count=5)
    assert "link2" not in plant(twin, "nft", "list", "tables")


def test_loss_loses_some_and_not_all(twin: Twin) -> None:
    faults.loss(twin, "c1-c2", 30)
    text = twin.run("s1-pc", ["ping", "-q", "-c", "200", "-i", "0.002", "-W", "1", FAR_PC]).stdout
    received = int(re.findall(r"(\d+) received", text)[0])
    assert 20 < received < 180, text


def test_delay_holds_every_frame_back_in_both_directions(twin: Twin) -> None:
    fault = faults.delay(twin, "c1-c2", 30)
    wait_until(lambda: reaches(twin, "s1-pc"), "packets pass the delay line")
    text = twin.run("s1-pc", ["ping", "-q", "-c", "5", "-i", "0.05", "-W", "2", FAR_PC]).stdout
    assert float(re.findall(r"= ([\d.]+)/", text)[0]) >= 60
    faults.loss(twin, "c1-c2", 100)
    assert not reaches(twin, "s1-pc", count=2), "loss acts on a delayed cable too"
    faults.heal(twin, fault)
    assert not twin.state.helpers()
    assert not reaches(twin, "s1-pc", count=2), "the loss is still there"


def test_a_slow_cable_drops_what_does_not_fit(twin: Twin) -> None:
    fault = faults.rate(twin, "c1-c2", 100_000)
    blast = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for n in range(300): s.sendto(bytes(1200), ('{FAR_PC}', 9))"
    )
    before = links.bytes(twin.places, twin.model.links["s2-c2"])[1]
    assert twin.run("s1-pc", ["python3", "-c", blast]).returncode == 0
    passed = links.bytes(twin.places, twin.model.links["s2-c2"])[1] - before
    assert passed < 100_000, "of 360 kB at once hardly anything gets through 100 kbit/s"
    faults.heal(twin, fault)
    assert "tbf" not in plant(twin, "tc", "qdisc", "show")


def test_counters_tell_the_directions_apart(twin: Twin) -> None:
    ring = twin.model.links["ring-c1-c2"]
    before = links.bytes(twin.places, ring)
    blast = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for n in range(50): s.sendto(bytes(1000), ('{FAR_PC}', 9))"
    )
    twin.run("s1-pc", ["python3", "-c", blast])
    after = links.bytes(twin.places, ring)
    assert after[0] - before[0] >= 50_000 > after[1] - before[1]
    assert links.all_bytes(twin.places, twin.model)[ring.name] == after


def test_two_faults_on_one_cable_heal_one_at_a_time(twin: Twin) -> None:
    first, second = faults.cut(twin, "ring-c1-c2"), faults.cut(twin, "c1-c2")
    faults.heal(twin, first)
    assert not carrier(twin, "c1-core", "p2")
    faults.heal(twin, second)
    assert carrier(twin, "c1-core", "p2")
    with pytest.raises(TwinError, match="no fault"):
        faults.heal(twin, second)


def test_a_duct_fails_as_one(twin: Twin) -> None:
    faults.cut(twin, "east-road")
    assert not carrier(twin, "c1-core", "p2")
    assert not carrier(twin, "n1-net", "p4")


def test_flapping_ends_healed(twin: Twin) -> None:
    seen: list[int] = []
    faults.flap(twin, "ring-c1-c2", 3, 0.05, lambda done, total: seen.append(done))
    assert seen == [1, 2, 3]
    assert carrier(twin, "c1-core", "p2")
    assert faults.active(twin.places) == []


def test_every_fault_is_in_the_log_with_who_and_when(twin: Twin) -> None:
    fault = faults.cut(twin, "s1-c1")
    faults.heal(twin, fault)
    rows = [json.loads(line) for line in (twin.places.lib / "faults.log").read_text().splitlines()]
    mine = [(row["what"], bool(row["by"]), bool(row["at"])) for row in rows if row["fault"]["id"] == fault.id]
    assert mine == [("set", True, True), ("heal", True, True)]


@pytest.mark.parametrize(("kind", "amount"), [("loss", 0), ("loss", 101), ("rate", 10), ("delay", -1)])
def test_figures_that_make_no_sense_are_refused(twin: Twin, kind: str, amount: float) -> None:
    with pytest.raises(TwinError, match="expected") as raised:
        getattr(faults, kind)(twin, "ring-c1-c2", amount)
    assert raised.value.exit_code == 2
    assert faults.active(twin.places) == []


def test_a_stopped_daemon_stays_down_until_healed_even_over_a_power_cycle(twin: Twin) -> None:
    with pytest.raises(TwinError, match="it has: network, staging-sshd"):
        faults.stop_daemon(twin, "c2-core", "ospfd")
    fault = faults.stop_daemon(twin, "c2-core", "network")
    status = ["sv", "status", "/etc/sanwang/sv/network"]
    assert twin.run("c2-core", status).stdout.startswith("down")
    twin.restart_host("c2-core")
    assert twin.run("c2-core", status).stdout.startswith("down")
    faults.heal(twin, fault)
    assert twin.run("c2-core", status).stdout.startswith("run")


def test_power_lost_means_gone_for_the_neighbours_and_back_from_its_own_disk(twin: Twin) -> None:
    twin.run("c2-core", ["sh", "-c", "echo kept >/etc/sanwang/note; echo lost >/run/note"])
    fault = faults.kill_host(twin, "c2-core")
    assert not carrier(twin, "c1-core", "p2")
    assert not carrier(twin, "s2-pc", "p3")
    assert "10.8.4.10/24" in twin.run("s2-pc", ["ip", "-br", "address"]).stdout
    assert "default via 10.8.4.1" in twin.run("s2-pc", ["ip", "route"]).stdout
    with pytest.raises(TwinError, match="no power"):
        twin.run("c2-core", ["true"])
    faults.heal(twin, fault)
    wait_until(lambda: reaches(twin, "s1-pc"), "the router boots and forwards again")
    assert twin.run("c2-core", ["cat", "/etc/sanwang/note"]).stdout == "kept\n"
    assert twin.run("c2-core", ["cat", "/run/note"]).returncode != 0


def test_a_dead_router_forwards_nothing_not_even_in_a_vrf_of_its_own(twin: Twin) -> None:
    vrf = (
        "ip netns add gov; ip link set p2 netns gov; ip link set p3 netns gov;"
        "ip -n gov address add 172.20.0.5/31 dev p2; ip -n gov address add 10.8.4.1/24 dev p3;"
        "ip -n gov link set p2 up; ip -n gov link set p3 up; ip -n gov route add default via 172.20.0.4;"
        "ip netns exec gov sysctl -qw net.ipv4.ip_forward=1"
    )
    assert twin.run("c2-core", ["sh", "-ec", vrf]).returncode == 0
    wait_until(lambda: reaches(twin, "s1-pc"), "the VRF forwards")
    assert "172.20.0.5" in twin.run("c2-core", ["ip", "-br", "address"], vrf="gov").stdout
    fault = faults.kill_host(twin, "c2-core")
    assert not reaches(twin, "s1-pc", count=3)
    faults.heal(twin, fault)
    wait_until(lambda: reaches(twin, "s1-pc"), "the router boots as its disk says, without the VRF")
    assert twin.run("c2-core", ["ip", "netns", "list"]).stdout == ""


def test_a_cut_fibre_stays_cut_when_its_host_returns(twin: Twin) -> None:
    cut = faults.cut(twin, "ring-c1-c2")
    faults.heal(twin, faults.kill_host(twin, "c1-core"))
    assert not carrier(twin, "c2-core", "p2")
    faults.heal(twin, cut)
    wait_until(lambda: carrier(twin, "c2-core", "p2"), "light again")


def test_user_equipment_loses_power_and_returns_configured(twin: Twin) -> None:
    fault = faults.kill_host(twin, "s2-pc")
    assert not carrier(twin, "c2-core", "p3")
    faults.heal(twin, fault)
    assert reaches(twin, "s2-pc", "10.8.3.10", count=5)


def test_a_room_loses_power_at_once(twin: Twin) -> None:
    killed = faults.kill_hosts(twin, ["c1-core", "c2-core"])
    assert twin.state.dead() == {"c1-core", "c2-core"}
    for fault in killed:
        faults.heal(twin, fault)
    wait_until(lambda: reaches(twin, "s1-pc"), "both routers boot")


def test_cables_carry_the_underlays_frames_and_lldp(twin: Twin) -> None:
    large = ["ping", "-q", "-c", "1", "-M", "do", "-s", "1572", "172.20.0.5"]
    assert twin.run("c1-core", large).returncode == 0
    listen = (
        "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88cc))\n"
        "s.bind(('p3', 0x88cc)); s.settimeout(10); print('listening', flush=True); print(s.recv(100)[12:18].hex())"
    )
    ear = subprocess.Popen(twin.argv("s2-pc", ["python3", "-c", listen]), stdout=subprocess.PIPE, text=True)
    assert ear.stdout is not None
    assert ear.stdout.readline() == "listening\n"
    frame = "0180c200000e" + "02540003000b" + "88cc" + "02070401" + "00" * 60
    speak = (
        "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('p3', 0));"
        f"s.send(bytes.fromhex('{frame}'))"
    )
    assert twin.run("c2-core", ["python3", "-c", speak]).returncode == 0
    assert ear.communicate(timeout=60)[0] == "88cc02070401"[:12] + "\n"


def test_a_socket_of_ours_can_live_in_any_host(twin: Twin) -> None:
    found: list[str] = []

    def connect() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.connect((FAR_PC, 9))
            found.append(made.getsockname()[0])

    namespaces.in_namespace(str(twin.namespace("s1-pc")), connect)
    assert found == ["10.8.3.10"]


def test_faults_set_and_healed_while_a_host_is_dead_count_when_it_returns(twin: Twin) -> None:
    delayed, lossy = faults.delay(twin, "c1-c2", 30), faults.loss(twin, "c1-c2", 100)
    dead = faults.kill_host(twin, "c2-core")
    faults.heal(twin, lossy)
    cut = faults.cut(twin, "s2-c2")
    faults.heal(twin, dead)
    assert not carrier(twin, "s2-pc", "p3")
    faults.heal(twin, cut)
    wait_until(lambda: reaches(twin, "s1-pc"), "the router boots and the loss is healed")
    text = twin.run("s1-pc", ["ping", "-q", "-c", "3", "-i", "0.05", "-W", "2", FAR_PC]).stdout
    assert float(re.findall(r"= ([\d.]+)/", text)[0]) >= 60, "the delay is still there"
    dead = faults.kill_host(twin, "c1-core")
    faults.heal(twin, delayed)
    faults.heal(twin, dead)
    wait_until(lambda: reaches(twin, "s1-pc"), "the cable is joined by its bridge again")
    assert not twin.state.helpers()

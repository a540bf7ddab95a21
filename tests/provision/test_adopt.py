"""``sanwang adopt``: devices that run are read, compared, and never touched."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.intake.put import put
from inventory.intake.tables import sheets_of
from inventory.intake.take_in import take_in
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import COUNTIES, Places
from provision.adopt.compare import Compared, compare
from provision.adopt.facts import port_key
from provision.adopt.look import Looking, fingerprint
from provision.adopt.taken import Unreadable, from_file, split
from provision.parsers.transcript import decode
from provision.platforms.base import PatchError
from provision.render.switch import render_switch
from provision.vendor.drivers import Blocking
from sanwang.adopt import main
from tests.provision.vendor_box import ENABLE, PASSWORD, Box, start
from twin.standins.platforms import PLATFORMS

SWITCHES = {
    "b01": "huawei_vrp8",
    "b02": "h3c_comware",
    "b03": "ruijie_rgos",
    "t01": "huawei_vrp5",
    "t02": "zte_zxr10",
}
ONLY_LOOKING = re.compile(
    r"(?:display|show) .*|screen-length (?:0 temporary|disable)|terminal (?:length|width) \d+|enable|quit|exit|"
)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small county with a switch of each platform."""
    folder = tmp_path_factory.mktemp("county") / "xiao"
    shutil.copytree(COUNTIES / "xiao", folder)
    kinds = {code: "body" if code.startswith("b") else "township" for code in SWITCHES}
    rows = "".join(f"{kinds[code]},{code},{platform}\n" for code, platform in SWITCHES.items())
    put(folder, take_in(sheets_of("switches.csv", f"kind,code,switch\n{rows}".encode()), folder).texts)
    return folder


@pytest.fixture(scope="module")
def model(county: Path) -> NetworkModel:
    return load_model(county)


@pytest.fixture
def instance() -> Iterator[str]:
    """An instance of which only the folder of adopted devices exists."""
    name = f"adopt{os.getpid() % 100000}"
    yield name
    shutil.rmtree(Places(name).lib, ignore_errors=True)


def text_of(model: NetworkModel, site: str) -> str:
    return render_switch(model, model.hosts[f"{site}-sw"])


def compared(model: NetworkModel, text: str, name: str = "") -> Compared:
    return compare(model, from_file("saved.txt", text.encode()), name)


@pytest.mark.parametrize("site", SWITCHES)
def test_a_device_as_the_model_has_it_has_nothing_to_find_out(model: NetworkModel, site: str) -> None:
    found = compared(model, text_of(model, site))
    assert (found.host, found.platform, found.same) == (f"{site}-sw", SWITCHES[site], True)


HUAWEI = "{}\n#\ninterface {}999\n ip address 192.0.2.1 255.255.255.0\n#\nip route-static 192.0.2.128 25 192.0.2.9\n"
ODD = {
    "b01": HUAWEI.format("vlan 999", "Vlanif"),
    "b02": HUAWEI.format("vlan 999", "Vlan-interface"),
    "b03": "vlan 999\n!\ninterface VLAN 999\n ip address 192.0.2.1 255.255.255.0\n!\n"
    "ip route 192.0.2.128 255.255.255.128 192.0.2.9\n",
    "t01": HUAWEI.format("vlan batch 998 to 999", "Vlanif"),
    "t02": "switchvlan-configuration\n  vlan 999\n  $\n$\ninterface vlan999\n  ip address 192.0.2.1 255.255.255.0\n$\n"
    "ip route 192.0.2.128 255.255.255.128 192.0.2.9\n",
}


@pytest.mark.parametrize("site", SWITCHES)
def test_what_the_model_does_not_know_is_found(model: NetworkModel, site: str) -> None:
    found = compared(model, f"{text_of(model, site)}{ODD[site]}")
    kinds = {(each.kind, each.where) for each in found.unknown}
    assert {("vlan", "999"), ("route", "192.0.2.128/25")} <= kinds
    assert any(each.kind == "address" and "192.0.2.1/24" in each.found for each in found.unknown)
    assert {block.kind for block in found.blocks} <= {"remove", "change"}
    assert any("192.0.2.1" in row and row.startswith("-") for block in found.blocks for row in block.rows)


def test_addresses_of_others_and_names_are_told(model: NetworkModel) -> None:
    other = model.hosts["b02-sw"].management
    text = text_of(model, "b01").replace(str(model.hosts["b01-sw"].management), str(other)).replace("b01-sw", "oldbox")
    found = compared(model, text, "b01-sw")
    said = {each.kind: str(each) for each in found.unknown}
    assert "b02-sw's address" in said["address"]
    assert "renumber this device first" in said["address"]
    assert "found oldbox; expected b01-sw" in said["name"]
    unknown = compared(model, text)
    assert (unknown.host, unknown.blocks) == ("", ())
    assert "--as HOST" in str(unknown.unknown[0])


def test_a_device_is_compared_in_its_own_words_where_the_model_wants_another_platform(model: NetworkModel) -> None:
    found = compared(model, text_of(model, "t01").replace("t01-sw", "b02-sw"), "b02-sw")
    assert found.platform == "huawei_vrp5"
    assert not any("sysname" in row for block in found.blocks for row in block.rows)


def neighbour(port: str, name: str) -> str:
    return (
        f"{port} has 1 neighbor(s):\n\nNeighbor index :1\nChassis type   :MAC address\nChassis ID     :00e0-fc12-3456\n"
        f"Port ID type   :Interface name\nPort ID        :p8225\nSystem name    :{name}\nExpired time   :102s\n\n"
    )


def test_cables_that_contradict_the_plan_are_found(model: NetworkModel) -> None:
    uplinks = [port for port in model.hosts["b01-sw"].ports if port.peer_host == "b01-rt"]
    right, wrong = uplinks[0].label, uplinks[1].label
    answers = neighbour(right, "b01-rt") + neighbour(wrong, "b02-rt") + neighbour("GE1/0/24", "somebody")
    log = (
        "<b01-sw>display current-configuration\n"
        f"{text_of(model, 'b01')}<b01-sw>display lldp neighbor\n{answers}<b01-sw>quit\n"
    )
    found = compared(model, log)
    assert [(each.where, each.found.split()[0], each.expected.split()[0]) for each in found.unknown] == [
        (wrong, "b02-rt", "b01-rt"),
        ("GE1/0/24", "somebody", "nobody"),
    ]
    assert "trace it" in found.unknown[1].advice
    assert compared(model, log.replace("Neighbor index", "Nachbar")).facts.not_read, "an answer not understood is told"


def test_secrets_are_never_shown(model: NetworkModel) -> None:
    text = text_of(model, "b01").replace(
        "aaa\n", "aaa\n local-user ghost password irreversible-cipher $1c$SECRET$\n", 1
    )
    text += (
        "snmp-agent community read cipher %^%#SECRET%^%#\nospf 1\n area 0\n  authentication-mode md5 1 cipher SECRET\n"
    )
    shown = json.dumps(compared(model, text).as_json())
    assert "ghost" in shown
    assert "SECRET" not in shown


@pytest.fixture(scope="module", params=sorted(PLATFORMS))
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made, process = start(request.param, tmp_path_factory.mktemp(request.param), 1)
    (made.folder / "wrong").write_text("no\n")
    with process:
        try:
            yield made
        finally:
            process.terminate()


def test_a_living_device_is_only_looked_at(
    box: Box, county: Path, instance: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every byte sent over the session is recorded: nothing but looking, and the configuration is what it was."""
    with box.open(box.ports[0]) as session:
        vlan = ["vlan 77", box.speech.up]
        if box.platform == "zte_zxr10":
            vlan = ["switchvlan-configuration", *vlan, box.speech.up]
        session.configure([box.speech.port, f"{box.speech.describe} old", box.speech.up, *vlan])
        before, saved = session.running(), session.saved()
    sent: list[str] = []
    real = Blocking.write_channel

    def recording(self: Blocking, out_data: str) -> None:
        sent.append(out_data)
        real(self, out_data)

    monkeypatch.setattr(Blocking, "write_channel", recording)
    site = next(code for code, platform in SWITCHES.items() if platform == box.platform)
    argv = [f"127.0.0.1:{box.ports[0]}", "--as", f"{site}-sw", "--county", str(county), "--instance", instance]
    argv += ["--password-file", str(box.folder / "password"), "--enable-file", str(box.folder / "enable"), "--json"]
    assert main(argv) == 2, "the host key was not agreed to"
    assert "--host-key SHA256:" in capsys.readouterr().err
    assert main([*argv, "--host-key", "SHA256:other"]) == 2
    assert not sent, "nobody logs in before the host key is agreed to"
    assert main([*argv, "--host-key", fingerprint(box.pin)]) == 1
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    device = document["devices"][0]
    assert device["host"] == f"{site}-sw"
    assert any("77" in each["where"] for each in device["unknown"])
    assert any(block["kind"] == "add" for block in device["configuration"])
    assert main(argv) == 1, "the key is remembered"
    typed = [line for line in "".join(sent).replace("\r", "").split("\n") if line not in (PASSWORD, ENABLE)]
    assert [line for line in typed if not ONLY_LOOKING.fullmatch(line)] == []
    assert PASSWORD not in (Places(instance).lib / "adopt" / "127.0.0.1.log").read_text()
    monkeypatch.undo()
    with box.open(box.ports[0]) as session:
        assert (session.running(), session.saved()) == (before, saved)
        for command in (
            "system-view",
            "configure terminal",
            "save",
            "display version\nsave",
            "show x | save",
            "reboot",
        ):
            with pytest.raises(ValueError, match="not sent"):
                Looking(session).ask(command)
    capsys.readouterr()
    wrong = [part if part != str(box.folder / "password") else str(box.folder / "wrong") for part in argv]
    assert main(wrong) == 3
    assert "refuses the login" in capsys.readouterr().err


def test_bad_input_is_told(county: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, odd = tmp_path / "empty.txt", tmp_path / "odd.txt"
    empty.write_text("")
    odd.write_text("hostname x\ninterface 1\n")
    cases = {
        (str(empty),): "found no configuration",
        (str(odd),): "give --platform",
        (str(odd), "--platform", "cisco"): "expected one of",
        (str(odd), "--as", "nobody"): "expected a host",
        ("192.0.2.1:x", "--platform", "huawei_vrp5"): "a port after a colon",
        ("nobody",): "give --platform, or a file",
        (str(odd), str(empty), "--as", "b01-sw"): "one by one",
    }
    for argv, words in cases.items():
        assert main([*argv, "--county", str(county)]) == 2
        assert words in capsys.readouterr().err


def test_ports_are_compared_whatever_they_are_called() -> None:
    assert (
        len({port_key(name) for name in ("GigabitEthernet0/0/1", "GE0/0/1", "Gi0/0/1", "GigabitEthernet 0/0/1")}) == 1
    )
    assert port_key("XGigabitEthernet0/0/1") == port_key("10GE0/0/1") != port_key("GE0/0/1")


@pytest.fixture(scope="module")
def rendered(model: NetworkModel) -> dict[str, str]:
    return {site: text_of(model, site) for site in SWITCHES}


def told(model: NetworkModel, raw: bytes) -> dict[str, Any]:
    """Any bytes give an answer, or one of the two errors that say what is wrong with them."""
    try:
        return compare(model, from_file("f", raw)).as_json()
    except (Unreadable, PatchError) as error:
        return {"error": str(error)}


SPOILS = (
    "drop",
    "twice",
    "cut",
    "ip address 1.2.3.4.5 99",
    "\x1b[2J",
    "vlan 9999",
    "vlan batch 5 to 3",
    "#",
    " x",
    "!<",
)


@given(
    st.sampled_from(sorted(SWITCHES)),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(SPOILS)), max_size=8),
)
def test_spoilt_configurations_are_read_or_told(
    model: NetworkModel, rendered: dict[str, str], site: str, spoils: list[tuple[int, str]]
) -> None:
    rows = rendered[site].splitlines()
    for at, how in spoils:
        place = at % max(len(rows), 1)
        match how:
            case "drop":
                del rows[place : place + 1]
            case "twice":
                rows[place:place] = rows[place : place + 1]
            case "cut":
                rows[place:] = [row[: len(row) // 2] for row in rows[place : place + 1]]
            case line:
                rows.insert(place, line)
    assert told(model, "\n".join(rows).encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_told(model: NetworkModel, raw: bytes) -> None:
    assert told(model, b"<b01-sw>display current-configuration\nsysname b01-sw\n" + raw)
    assert told(model, raw)
    assert isinstance(split(decode(raw)), dict)


@pytest.mark.skipif(not os.environ.get("SANWANG_SAMPLES"), reason="SANWANG_SAMPLES names no folder of real outputs")
def test_real_devices_answers_are_taken_apart(model: NetworkModel) -> None:
    """Every sample as one command of a session's log, beside a configuration."""
    tongues = {"huawei_vrp": "t01", "hp_comware": "b02", "zte_zxros": "t02"}
    seen = 0
    for path in sorted(Path(os.environ["SANWANG_SAMPLES"]).glob("cli/*/*.raw")):
        site = tongues.get(path.parent.name)
        if site is None:
            continue
        command = path.name.split("__")[0].replace("_", " ")
        shows = "show running-config" if site == "t02" else "display current-configuration"
        prompt = f"{site}-sw#" if site == "t02" else f"<{site}-sw>"
        log = f"{prompt}{shows}\n{text_of(model, site)}{prompt}{command}\n".encode() + path.read_bytes()
        found = compare(model, from_file("log", log))
        assert found.host == f"{site}-sw"
        if "lldp" in command:
            assert found.facts.neighbours
            assert all(each.kind == "neighbour" for each in found.unknown)
            assert len(found.unknown) == len(found.facts.neighbours)
            seen += 1
    assert seen >= 5

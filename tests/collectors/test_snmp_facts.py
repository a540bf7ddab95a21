"""Facts out of walks: every unit a vendor writes power in, ports by every name, whatever table they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.snmp.profile import profiles
from collectors.snmp.read import read_facts
from collectors.snmp.units import Reading
from collectors.snmp.walk import BadWalk, Walk, read_walk
from sanwang.main import main

SAMPLES = Path(__file__).parent.parent / "data" / "snmp"


def document(name: str) -> dict[str, Any]:
    """The facts of one of our own samples."""
    return read_facts(read_walk(SAMPLES / f"{name}.snmprec")).document()


def row(rows: list[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    """The one row with these values."""
    (found,) = [one for one in rows if wanted.items() <= one.items()]
    return found


def powers(rows: list[dict[str, Any]]) -> Mapping[str, tuple[object, object]]:
    """Received and sent power by port."""
    return {one["port"]: (one["rx_dbm"], one["tx_dbm"]) for one in rows}


def test_huawei_that_writes_microwatts() -> None:
    facts = document("huawei-microwatts")
    assert facts["system"]["profile"] == "huawei-vrp"
    assert facts["system"]["name"] == "三望中学"
    assert facts["system"]["version"] == "5.170 (S5735 V200R019C10SPC500)"
    assert powers(facts["optics"]) == {
        "XGE0/0/1": (-2.7, -2.28),  # the lane's text, hundredths of dBm, agrees with 536 uW
        "XGE0/0/2": (-2.19, -2.29),
        "XGE0/0/4": (None, -2.29),  # the third cage is empty
    }
    assert "no light" in row(facts["optics"], port="XGE0/0/4")["reason"]
    assert row(facts["optics"], port="XGE0/0/1")["bias_ma"] == 5.232
    assert facts["processors"] == [{"name": "MPU Board 0", "usage_percent": 17.0}]
    assert facts["memory"][0]["used_bytes"] == 655192228
    assert facts["power_supplies"][1] == {
        "name": "device", "state": "", "power_w": 35.12, "voltage_v": None, "current_ma": None,
    }  # fmt: skip


def test_huawei_that_writes_hundredths_of_decibels_has_strong_lasers_too() -> None:
    facts = document("huawei-decibels")
    assert powers(facts["optics"]) == {"GE0/1/0": (-8.49, -5.75), "GE0/1/1": (-12.21, 2.5)}


@pytest.mark.parametrize(
    ("name", "profile", "port", "light"),
    [
        ("comware", "h3c-comware", "XGE1/0/49", (-10.05, -5.41)),
        ("raisecom", "raisecom-ros", "tge1/1/1", (-2.72, -3.32)),
        ("smartax", "huawei-smartax", "GPON 0/0/0", (None, 7.11)),
    ],
)
def test_vendors_light(name: str, profile: str, port: str, light: tuple[float | None, float]) -> None:
    facts = document(name)
    assert facts["system"]["profile"] == profile
    assert powers(facts["optics"])[port] == light
    assert facts["processors"]


def test_an_unknown_vendor_gives_what_the_standards_have() -> None:
    facts = document("sensors")
    assert facts["system"]["vendor"] == "unknown"
    assert [(port["name"], port["speed_bps"]) for port in facts["ports"]] == [
        ("Ethernet1", 40_000_000_000), ("Ethernet2", 10_000_000_000),
    ]  # fmt: skip
    assert row(facts["optics"], port="Ethernet1", lane=1)["rx_dbm"] == -3.0  # 501.2 uW
    assert row(facts["optics"], port="Ethernet1", lane=2)["rx_dbm"] == -4.0
    assert row(facts["optics"], port="Ethernet2")["tx_dbm"] == -2.05
    assert facts["temperatures"] == [{"name": "Inlet", "celsius": 31.0}]  # the broken one is left out
    assert facts["fans"][0]["speed_rpm"] == 5400.0
    assert facts["neighbours"][0] | {"description": ""} == {
        "port": "Ethernet1", "system": "core", "remote_port": "10GE1/0/41", "remote_port_description": "",
        "chassis": "b4:fb:f9:ad:b8:81", "description": "", "management": "10.32.1.1",
    }  # fmt: skip
    assert row(facts["bgp"], address="192.0.2.1")["remote_as"] == 65001
    assert facts["ospf"] == [{"address": "172.20.0.1", "router_id": "172.16.0.2", "state": "full"}]


def test_optical_line_terminals_tell_their_subscribers() -> None:
    huawei, zte = document("smartax"), document("zxa10")
    up, down = huawei["onus"]
    assert (up["serial"], up["state"], up["rx_dbm"], up["distance_m"]) == ("HWTCA1B2C3D4", "up", -19.32, 1870.0)
    assert (down["state"], down["rx_dbm"]) == ("down", None)
    assert down["reason"]
    assert huawei["pon_ports"][0]["onus"] == 2
    assert zte["onus"] == [
        {
            "port": "OLT-1", "number": 1, "name": "farm", "serial": "ZTEG01020304", "state": "up", "rx_dbm": None,
            "tx_dbm": None, "distance_m": 1235.0, "reason": None,
        }
    ]  # fmt: skip


def test_linux_cache_is_not_memory_in_use() -> None:
    facts = document("net-snmp")
    assert facts["system"]["profile"] == "linux"
    assert [port["name"] for port in facts["ports"]] == ["lo", "ifb0", "ifb1", "eth0"]
    physical = row(facts["memory"], name="Physical memory")
    virtual = row(facts["memory"], name="Virtual memory")
    assert physical["used_bytes"] < virtual["used_bytes"]
    assert 0 < physical["used_percent"] < 10
    walk = read_walk(SAMPLES / "net-snmp.snmprec")
    points = {(point.subject, point.field): point for point in read_facts(walk).points if point.kind == "memory"}
    total = points["Physical memory", "total_bytes"]  # the fast loop reads bytes too, not units of allocation
    assert total.read(walk.get(total.oid)) == physical["total_bytes"]


def test_points_read_what_the_facts_show() -> None:
    walk = read_walk(SAMPLES / "huawei-microwatts.snmprec")
    facts = read_facts(walk)
    light = [point for point in facts.points if point.kind == "optics" and point.field == "rx_dbm"]
    assert [(point.subject, point.read(walk.get(point.oid))) for point in light[:2]] == [
        ("XGE0/0/1", -2.7), ("XGE0/0/2", -2.19),
    ]  # fmt: skip
    assert light[0].read(b"-3010.30") == -30.1
    dark = next(point for point in light if point.subject == "XGE0/0/4")
    assert (dark.read(walk.get(dark.oid)), dark.read(604)) == (None, -2.19)
    assert not [point for point in facts.points if point.kind == "optics" and point.subject == "XGE0/0/3"]  # empty cage
    octets = next(point for point in facts.points if point.field == "in_octets")
    assert (octets.subject, octets.counter, octets.oid) == ("XGE0/0/1", True, "1.3.6.1.2.1.31.1.1.1.6.1")
    assert facts.points == read_facts(walk).points


def test_the_shipped_samples_through_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snmp", "facts", "--replay", str(SAMPLES / "comware.snmprec"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["system"]["model"] == "S5560-30S"
    assert row(told["power_supplies"], name="power 2")["state"] == "absent"


def test_what_is_no_walk_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("hello\nworld\n")
    assert main(["snmp", "facts", "--replay", str(tmp_path / "text")]) == 2
    assert "none of its 2 lines" in capsys.readouterr().err
    assert main(["snmp", "facts", "--replay", str(tmp_path / "none")]) == 2
    assert main(["snmp", "facts", "--replay", str(SAMPLES / "comware.snmprec"), "--profile", "nope"]) == 2


def test_an_ambiguous_unit_stays_unread() -> None:
    reading = Reading("dBm|uW", "rx_dbm", 0.01, missing=frozenset({-1}))
    assert reading.settled([-1, 0]).number(0) is None
    assert reading.settled([-849, 250]).number(250) == 2.5
    assert reading.settled([536, 0, -1]).number(536) == -2.71
    assert "which nothing measures" in reading.settled([-849]).why(9000)


COLUMNS = sorted({column.oid for profile in profiles().values() for column in profile.columns})
VALUES = st.one_of(
    st.integers(-(2**63), 2**64),
    st.binary(max_size=24),
    st.sampled_from(["1.3.6.1.2.1.2.2.1.1.1", "0.0", "1.3.6.1.2.1.25.2.1.2"]),
)
INDEX = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=7).map(lambda numbers: ".".join(map(str, numbers)))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(COLUMNS), st.one_of(st.sampled_from(["0", "1", "2", "1.1"]), INDEX)).map(".".join),
        VALUES,
        max_size=60,
    ),
    st.sampled_from(sorted(profiles())),
)
def test_no_answer_of_an_agent_breaks_the_facts(rows: dict[str, int | bytes | str], profile: str) -> None:
    facts = read_facts(Walk(rows), profiles()[profile])
    json.dumps(facts.document(), allow_nan=False)
    for point in facts.points:
        point.read(rows.get(point.oid))
        point.read(b"\xff")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("walk") / "any.snmprec"
    path.write_bytes(data)
    try:
        read_facts(read_walk(path)).document()
    except BadWalk:
        pass

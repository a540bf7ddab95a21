"""Our facts beside another reader's, over recorded walks of real devices (the folder SANWANG_SAMPLES names)."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from collectors.snmp.facts import Facts
from collectors.snmp.read import read_facts
from collectors.snmp.walk import Walk, read_walk

FOLDER = Path(os.environ.get("SANWANG_SAMPLES", "/nonexistent")) / "walks"
WALKS = sorted(path.stem for path in FOLDER.glob("*.snmprec"))

pytestmark = pytest.mark.skipif(not WALKS, reason="SANWANG_SAMPLES names no folder with recorded walks")

NOT_OURS = {"linux_lsi": "sensors of a RAID controller's disks"}


def read(name: str) -> tuple[Walk, Facts, dict[str, Any]]:
    """The walk, our facts, and the other reader's tables by name."""
    walk = read_walk(FOLDER / f"{name}.snmprec")
    tables: dict[str, Any] = {}
    beside = FOLDER / f"{name}.json"
    if beside.exists():
        for module in json.loads(beside.read_text()).values():
            for phase in ("discovery", "poller"):
                found = module.get(phase)
                tables |= found if isinstance(found, dict) else {}
    return walk, read_facts(walk), tables


@pytest.mark.parametrize("name", WALKS)
def test_every_port_is_there_by_index_name_and_speed(name: str) -> None:
    _walk, facts, tables = read(name)
    ours = {port.index: port for port in facts.ports}
    for port in tables.get("ports", []):
        found = ours[port["ifIndex"]]
        assert {port["ifName"], port["ifDescr"]} & {found.name, found.description}, port
        assert (found.speed_bps or 0) == (port["ifSpeed"] or 0), port
        for theirs, own in ((port["ifOperStatus"], found.oper), (port["ifAdminStatus"], found.admin)):
            assert theirs in (None, own), port
    assert len(ours) >= len(tables.get("ports", []))


def decibels(sensor: dict[str, Any]) -> float | None:
    """What the other reader says of a light sensor; it shows watts where the device writes watts."""
    value = sensor["sensor_current"]
    if sensor["sensor_class"] == "dbm":
        return float(value)
    return 10 * math.log10(value * 1000) if value else None


@pytest.mark.parametrize("name", WALKS)
def test_light_is_within_a_tenth_of_a_decibel(name: str) -> None:
    walk, facts, tables = read(name)
    light = [point for point in facts.points if point.kind == "optics" and point.field in ("rx_dbm", "tx_dbm")]
    for sensor in tables.get("sensors", []):
        power = sensor["sensor_class"] == "power" and sensor["sensor_descr"].startswith("DOM")
        if not power and sensor["sensor_class"] != "dbm":
            continue
        oid, dbm = sensor["sensor_oid"].lstrip("."), decibels(sensor)
        same = [point for point in light if point.oid == oid]
        margin = 0.1
        if not same:
            # Another column of the same module.  Whole microwatts, as the other reader takes them, leave open where in
            # the next one the light is; the column of hundredths of a dBm does not.
            field = "rx_dbm" if sensor["sensor_index"].startswith("rx") else "tx_dbm"
            same = [
                point
                for point in light
                if point.oid.endswith(f".{sensor['sensor_index'][3:]}") and point.field == field
            ]
            raw = walk.get(oid)
            assert isinstance(raw, int)
            margin = max(margin, 10 * math.log10((raw + 1) / raw)) if raw > 0 else margin
        values = [point.read(walk.get(point.oid)) for point in same]
        assert values, sensor["sensor_descr"]
        if dbm is None:
            assert values == [None]
        else:
            assert any(value is not None and abs(value - dbm) <= margin for value in values), sensor["sensor_descr"]


@pytest.mark.parametrize("name", WALKS)
def test_processors_memory_and_sensors_agree(name: str) -> None:
    walk, facts, tables = read(name)
    if name in NOT_OURS:
        return
    values = {point.oid: point.read(walk.get(point.oid)) for point in facts.points}
    for processor in tables.get("processors", []):
        found = values[processor["processor_oid"].lstrip(".")]
        assert found is not None
        assert abs(found - processor["processor_usage"]) <= 1, processor
    used = [memory.used_percent for memory in facts.memory if memory.used_percent is not None]
    for memory in tables.get("mempools", []):
        assert any(abs(percent - memory["mempool_perc"]) <= 1 for percent in used), memory
    for sensor in tables.get("sensors", []):
        if sensor["sensor_class"] in ("temperature", "fanspeed") and sensor["sensor_current"]:
            found = values[sensor["sensor_oid"].lstrip(".")]
            assert found is not None
            assert abs(found - sensor["sensor_current"]) < 0.1, sensor


@pytest.mark.parametrize("name", WALKS)
def test_neighbours_and_peers_agree(name: str) -> None:
    _walk, facts, tables = read(name)
    assert len(facts.neighbours) >= len(tables.get("links", []))
    peers = {peer.address: peer for peer in facts.bgp}
    for peer in tables.get("bgpPeers", []):
        assert peers[peer["bgpPeerIdentifier"]].remote_as == peer["bgpPeerRemoteAs"]
        assert peers[peer["bgpPeerIdentifier"]].state in (peer.get("bgpPeerState"), "established", "idle")


@pytest.mark.parametrize("name", WALKS)
def test_every_walk_has_a_vendor_and_fits_json(name: str) -> None:
    _walk, facts, _tables = read(name)
    assert facts.system.profile != "generic"
    assert json.loads(json.dumps(facts.document(), allow_nan=False))["system"]["vendor"]

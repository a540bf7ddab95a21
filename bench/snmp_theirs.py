"""snmp_exporter in its best configuration: the same instances by GET or by GETBULK, whichever costs it least."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import snmp_devices
from collectors.snmp import ber
from collectors.snmp.objects import IF_TABLE_LAST_CHANGE, SYS_UPTIME

SCALARS = {SYS_UPTIME: "sysUpTime", IF_TABLE_LAST_CHANGE: "ifTableLastChange"}
_COUNTERS = frozenset({ber.COUNTER32, ber.COUNTER64})
_INDEX = "index"

Way = tuple[str, int, tuple[tuple[str, str], ...]]
"""(walk or get, repetitions or OIDs a packet, environment) of one configuration."""
WAYS: tuple[Way, ...] = tuple(
    (how, count, environment)
    for environment in ((), (("GOMAXPROCS", "1"),), (("GOMAXPROCS", "1"), ("GOGC", "400")))
    for how, count in (("walk", 25), ("walk", 50), ("get", 25), ("get", 50))
)


def name_of(oid: str) -> str:
    """An instance as snmp_exporter shows it."""
    if oid in SCALARS:
        return SCALARS[oid]
    column, _, index = oid.rpartition(".")
    return f'{_names(column)}{{{_INDEX}="{index}"}}'


def _names(column: str) -> str:
    return snmp_devices.NAMES.get(column) or "oid_" + column.replace(".", "_")


def module(oids: Sequence[str], version: str, way: Way) -> dict[str, Any]:
    """What snmp.yml says for these instances."""
    how, count, _ = way
    columns = list(dict.fromkeys(oid.rpartition(".")[0] for oid in oids if oid not in SCALARS))
    metrics: list[dict[str, Any]] = []
    for oid, name in SCALARS.items():
        metrics.append({"name": name, "oid": oid.removesuffix(".0"), "type": "gauge", "help": f"{name} - {oid}"})
    for column in columns:
        first = next(oid for oid in oids if oid.startswith(f"{column}."))
        found = snmp_devices.value(first, 0, 0)
        kind = "counter" if found is not None and found[0] in _COUNTERS else "gauge"
        name = _names(column)
        index = [{"labelname": _INDEX, "type": "gauge"}]
        metrics.append({"name": name, "oid": column, "type": kind, "help": f"{name} - {column}", "indexes": index})
    by_get = [*SCALARS, *(oid for oid in oids if how == "get" and oid not in SCALARS)]
    document: dict[str, Any] = {
        "walk": columns if how == "walk" else [],
        "get": by_get,
        "metrics": metrics,
        "max_repetitions": count,
        "retries": 1,
        "timeout": "5s",
    }
    if version == "v2c":
        return {**document, "version": 2, "auth": {"community": snmp_devices.COMMUNITY}}
    user = snmp_devices.USER
    auth = {"username": user.name, "security_level": "authPriv", "auth_protocol": "SHA256", "priv_protocol": "AES"}
    return {**document, "version": 3, "auth": {**auth, "password": user.auth_key, "priv_password": user.priv_key}}


@contextmanager
def exporter(program: Path, folder: Path, oids: Sequence[str], version: str, way: Way) -> Iterator[tuple[int, int]]:
    """It runs: (process, port)."""
    path = folder / "snmp.yml"
    path.write_text(json.dumps({"bench": module(oids, version, way)}), encoding="utf-8")
    path.chmod(0o600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(program), f"--config.file={path}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(command, env={**os.environ, **dict(way[2])}, stdin=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process.pid, port
    finally:
        process.kill()
        process.wait(10)

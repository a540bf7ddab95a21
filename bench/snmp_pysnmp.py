"""pysnmp asks for the same instances, 50 a packet, by its own high-level interface; nothing is exposed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from bench import snmp_devices
from collectors.snmp.usm import Auth, Priv

DEVICES, OIDS = 4, 50


def cpu_ms(oids: Sequence[str], version: str) -> float:
    """Our process's CPU per device, after one that is not counted."""
    return round(1000 * asyncio.run(_cpu_s(oids, version)) / DEVICES, 1)


async def _cpu_s(oids: Sequence[str], version: str) -> float:
    from pysnmp.hlapi.v3arch import asyncio as pysnmp

    user = snmp_devices.USER
    assert (user.auth, user.priv) == (Auth.SHA256, Priv.AES128)
    who: Any = pysnmp.CommunityData(snmp_devices.COMMUNITY)
    if version == "v3":
        who = pysnmp.UsmUserData(
            user.name,
            user.auth_key,
            user.priv_key,
            authProtocol=pysnmp.usmHMAC192SHA256AuthProtocol,
            privProtocol=pysnmp.usmAesCfb128Protocol,
        )
    engine = pysnmp.SnmpEngine()
    began = 0.0
    for number in range(-1, DEVICES):
        if number == 0:
            began = time.process_time()
        target = await pysnmp.UdpTransportTarget.create((snmp_devices.address(max(number, 0)), snmp_devices.PORT))
        for start in range(0, len(oids), OIDS):
            names = [pysnmp.ObjectType(pysnmp.ObjectIdentity(oid)) for oid in oids[start : start + OIDS]]
            problem, status, _, rows = await pysnmp.get_cmd(
                engine, who, target, pysnmp.ContextData(), *names, lookupMib=False
            )
            if problem or status or len(rows) != len(names):
                raise RuntimeError(f"pysnmp: {problem or status}")
    took_s = time.process_time() - began
    engine.close_dispatcher()
    return took_s

"""What senders and receiver of SNMP informs agree on beforehand."""

from __future__ import annotations

import hashlib


def engine_id(host: str) -> bytes:
    """snmpEngineID of a management host (RFC 3411 section 5): net-snmp's number, kind "octets", a hash of the name.

    An appliance knows it from the model, so that its snmpd can send before the management host has answered anything.
    """
    return bytes.fromhex("80001f8805") + hashlib.sha256(f"sanwang {host}".encode()).digest()[:12]

"""coturn's ``turnserver.conf`` for the county's edge: credentials that expire, no peers but the relays."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

from inventory.turn_schema import TurnIntent

CERTIFICATE, KEY = "turn.crt", "turn.key"


def turnserver(intent: TurnIntent, peers: Iterable[IPv4Address], realm: str, secret: str, folder: Path) -> str:
    """The file.  It holds the secret: for the server's own user to read alone.

    Args:
        intent: The section ``turn:``.
        peers: The relays' media addresses; nothing else may be reached through the server.
        realm: Told to clients; the county's name.
        secret: ``vconf.turn.SECRET``.
        folder: Where its certificate and key lie.
    """
    lines = [
        "# written by sanwang meet turn: changes belong into the county's section turn:",
        f"listening-ip={intent.listen}",
        f"relay-ip={intent.listen}",
        f"listening-port={intent.port}",
        f"tls-listening-port={intent.tls_port}",
        "min-port=49152",
        "max-port=65535",
        f"realm={realm}",
        "fingerprint",
        "use-auth-secret",
        f"static-auth-secret={secret}",
        "secure-stun",
        "stale-nonce=600",
        "user-quota=8",
        f"total-quota={intent.sessions}",
        f"max-bps={intent.most_bps // 8}",
        # every address is denied, and what is allowed afterwards is an exception to that
        "denied-peer-ip=0.0.0.0-255.255.255.255",
        "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        *(f"allowed-peer-ip={each}" for each in sorted(set(peers))),
        "no-multicast-peers",
        "no-tcp-relay",
        f"cert={folder / CERTIFICATE}",
        f"pkey={folder / KEY}",
        "no-dtls",
        "no-tlsv1",
        "no-tlsv1_1",
        "no-cli",
        "no-software-attribute",
        "no-rfc5780",
        "simple-log",
        "log-file=stdout",
        "pidfile=/dev/null",
    ]
    return "\n".join(lines) + "\n"

"""TURN credentials that expire (draft-uberti-behave-turn-rest), as coturn's ``use-auth-secret`` reads them.

The user name is the moment of expiry and who it was made for; the password is its HMAC-SHA1 by the secret that the TURN
server shares.  A guest whose address is the county's own is offered none: it reaches the relays directly.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from typing import Any

from inventory.turn_schema import TurnIntent

SECRET = "psk/turn"
"""Name of the shared secret among the county's."""

LIFE_S = 12 * 3600
COUNTY = IPv4Network("10.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Turn:
    """What is handed out; ``now``: UNIX seconds."""

    intent: TurnIntent
    secret: str
    now: Callable[[], float] = time.time

    def ice_servers(self, address: str, who: str) -> list[dict[str, Any]]:
        """RTCIceServer dictionaries for somebody outside: over UDP, TCP and TLS; [] for who is inside.

        Args:
            address: Where the request came from.
            who: Its participant: told to the TURN server's log.
        """
        if not outside(address):
            return []
        username = f"{int(self.now()) + LIFE_S}:{who}"
        host, port, tls_port = self.intent.host, self.intent.port, self.intent.tls_port
        urls = [
            f"turn:{host}:{port}?transport=udp",
            f"turn:{host}:{port}?transport=tcp",
            f"turns:{host}:{tls_port}?transport=tcp",
        ]
        return [{"urls": urls, "username": username, "credential": password(self.secret, username)}]


def password(secret: str, username: str) -> str:
    """What belongs to a user name."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def outside(address: str) -> bool:
    """Whether an address is not the county's own."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found not in COUNTY


def links(servers: list[dict[str, Any]]) -> list[str]:
    """The same as values of ``Link`` headers (RFC 9725 section 4.6)."""
    return [
        f'<{url}>; rel="ice-server"; username="{each["username"]}"; credential="{each["credential"]}"; '
        'credential-type="password"'
        for each in servers
        for url in each["urls"]
    ]

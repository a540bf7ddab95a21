"""ICE-lite for one transport (RFC 8445 section 2.5): credentials, the latched address, liveness.

A lite agent never sends checks.  It answers those that carry its own password, and takes the address that
the other side nominates.  The browser's consent checks (RFC 7675) arrive every few seconds for as long as it
lives; together with authenticated media they are the sign of life.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from vconf.media import stun
from vconf.media.plane import Address


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the browser must know to speak to us."""

    fragment: str
    password: str

    @classmethod
    def make(cls) -> Credentials:
        """Fresh ones: 96 and 192 bits of randomness (RFC 8445 section 5.3 asks for 24 and 128)."""
        return cls(secrets.token_hex(12), secrets.token_hex(24))


@dataclass(slots=True)
class IceLite:
    """The controlled side of one transport."""

    credentials: Credentials = field(default_factory=Credentials.make)
    address: Address | None = None  # where the peer is; None until its first valid check
    rejected: int = 0

    def restart(self) -> Credentials:
        """New credentials; the address stays until the first check with the new ones (RFC 8445 section 2.4)."""
        self.credentials = Credentials.make()
        return self.credentials

    def check(self, data: bytes, message: stun.Message, address: Address) -> bytes | None:
        """Answer a Binding request of ours; None (counted) when it is not valid.  May move ``address``."""
        password = self.credentials.password.encode()
        if message.kind != stun.BINDING_REQUEST or not stun.verify(data, message, password):
            self.rejected += 1
            return None
        if stun.ICE_CONTROLLED in message.attributes:
            return stun.role_conflict(message, password)
        if self.address is None or (address != self.address and stun.USE_CANDIDATE in message.attributes):
            self.address = address
        return stun.success(message, address, password)

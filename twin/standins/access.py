"""Who may log in to a device: one person for a stand-in on loopback, the users of the configuration for a switch."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

import asyncssh

from twin.standins.device import Device


@dataclass(frozen=True, slots=True)
class Way:
    """How a connection came: addresses of both its ends."""

    local: str
    remote: str


class Access(Protocol):
    """Answers the SSH server."""

    def keys(self, user: str, way: Way) -> asyncssh.SSHAuthorizedKeys | None:
        """Keys that are good for a user."""

    def password(self, user: str, plain: str, way: Way) -> bool:
        """Is it the user's password?"""

    def admitted(self, way: Way) -> bool:
        """May somebody who comes this way speak to the device at all?"""


@dataclass(frozen=True, slots=True)
class OneUser:
    """The same person from everywhere."""

    user: str
    secret: str | None
    authorized: asyncssh.SSHAuthorizedKeys | None

    def keys(self, user: str, way: Way) -> asyncssh.SSHAuthorizedKeys | None:
        return self.authorized if user == self.user else None

    def password(self, user: str, plain: str, way: Way) -> bool:
        return self.secret is not None and user == self.user and plain == self.secret

    def admitted(self, way: Way) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Configured:
    """The users of the running configuration by password; on the staging address also ``admin`` by bootstrap key."""

    device: Device
    staging: IPv4Address
    bootstrap: asyncssh.SSHAuthorizedKeys

    def keys(self, user: str, way: Way) -> asyncssh.SSHAuthorizedKeys | None:
        return self.bootstrap if user == self.device.settings.user and way.local == str(self.staging) else None

    def password(self, user: str, plain: str, way: Way) -> bool:
        dialect = self.device.dialect
        shown = dialect.passwords(self.device.running).get(user)
        return shown is not None and dialect.fits(shown, plain)

    def admitted(self, way: Way) -> bool:
        return self.device.powered and self.device.dialect.admits(self.device.running, IPv4Address(way.remote))

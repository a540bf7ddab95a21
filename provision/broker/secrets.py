"""Putting secrets into rendered files, at the last moment before a device gets them.

A device is only ever given its own secrets and the county's shared ones: a mistake in a template cannot put one
site's key on another site's box.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from identity.secrets import Secrets, UnknownSecret
from inventory.model import Host, NetworkModel
from provision.broker.masking import PLACEHOLDER, placeholders
from provision.broker.wire import BrokerError

_PUBLIC_KINDS = frozenset({"wg-pub", "ssh-pub", "token-pub", "cert", "ca", "crl"})
_OWN_KINDS = frozenset({"wg", "key", "cert", "ssh"})
"""Kinds whose name ends with a host: only that host may have them."""


class DeviceSecrets:
    """The values behind ``@secret:NAME@``, made on first use."""

    def __init__(self, folder: Path) -> None:
        self._secrets = Secrets(folder)
        self._kept: dict[str, str] = {}

    def value(self, name: str) -> str:
        """A secret that needs no addresses; BrokerError when no rule makes it."""
        return self._resolve(name, (), ())

    def ssh_public(self, name: str) -> str:
        """The public line of an SSH key."""
        return self.value(f"ssh-pub/{name.removeprefix('ssh/')}")

    def fill(self, text: str, host: Host, model: NetworkModel) -> tuple[str, dict[str, str]]:
        """The text with its values, and the private ones among them by name (for masking)."""
        values: dict[str, str] = {}
        for name in sorted(placeholders(text)):
            kind, _, rest = name.partition("/")
            owner = rest.rpartition("/")[2]
            if kind in _OWN_KINDS and owner in model.hosts and owner != host.name:
                raise BrokerError("device", f"{host.name}: its files ask for {name}, which belongs to {owner} alone")
            names, addresses = certificate_names(model, host) if kind == "cert" else ((), ())
            values[name] = self._resolve(name, names, addresses)
        filled = PLACEHOLDER.sub(lambda found: values[found[1]].rstrip("\n"), text)
        return filled, {name: value for name, value in values.items() if name.partition("/")[0] not in _PUBLIC_KINDS}

    def _resolve(self, name: str, names: tuple[str, ...], addresses: tuple[IPv4Address, ...]) -> str:
        kept = self._kept.get(name)
        if kept is not None and name.partition("/")[0] not in ("cert", "crl"):
            return kept
        try:
            value = self._secrets.resolve(name, dns=names, ips=addresses)
        except UnknownSecret as error:
            raise BrokerError("device", str(error.args[0])) from None
        self._kept[name] = value
        return value

    def forget(self) -> None:
        """Read every value from the vault again when it is next asked for (after a rotation)."""
        self._kept.clear()


def certificate_names(model: NetworkModel, host: Host) -> tuple[tuple[str, ...], tuple[IPv4Address, ...]]:
    """Further DNS names, and addresses, under which others reach the host with TLS or IKE."""
    addresses = {port.address.ip for port in host.ports if port.address is not None}
    if host.management is not None:
        addresses.add(host.management)
    names = set()
    for service in model.services.values():
        if any(backend.host == host.name for backend in service.backends):
            names.add(service.name)
            addresses.add(service.address)
    for tunnel in model.tunnels.values():
        if tunnel.gateway == host.name:
            addresses.add(tunnel.gateway_outer)
        if tunnel.host == host.name:
            addresses.add(tunnel.outer)
    return tuple(sorted(names)), tuple(sorted(addresses))

"""Putting secrets into rendered files, at the last moment before a device gets them.

A device is only ever given its own secrets and the county's shared ones: a mistake in a template cannot put one
site's key on another site's box.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate

from identity import wireguard
from identity.ca import new_key
from identity.secrets import NEXT_WIREGUARD, Secrets, UnknownSecret
from inventory.model import Host, NetworkModel
from provision.broker.masking import PLACEHOLDER, placeholders
from provision.broker.wire import BrokerError

_PUBLIC_KINDS = frozenset({"wg-pub", "ssh-pub", "token-pub", "host-key", "cert", "ca", "crl"})
_OWN_KINDS = frozenset({"wg", "key", "cert", "ssh", "switch"})
"""Kinds whose name holds a host: only that host may have them."""


class DeviceSecrets:
    """The values behind ``@secret:NAME@``, made on first use."""

    def __init__(self, folder: Path) -> None:
        self._secrets = Secrets(folder)
        self._kept: dict[str, str] = {}

    def value(self, name: str) -> str:
        """A secret that needs no addresses; BrokerError when no rule makes it."""
        return self._resolve(name, (), ())

    def pin(self, host: str, host_key: str) -> None:
        """Keep the host key that a vendor's device showed over its staging port."""
        self._secrets.vault.put(f"host-key/{host}", host_key)
        self._kept.pop(f"host-key/{host}", None)

    def fill(self, text: str, host: Host, model: NetworkModel) -> tuple[str, dict[str, str]]:
        """The text with its values, and the private ones among them by name (for masking)."""
        values: dict[str, str] = {}
        for name in sorted(placeholders(text)):
            kind, _, rest = name.partition("/")
            owner = rest.partition("/")[0] if kind == "switch" else rest.rpartition("/")[2]
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

    def gone(self, names: Iterable[str]) -> list[str]:
        """Those of the names that the vault no longer holds: asked for, they would be made anew."""
        return [name for name in names if not self._secrets.held(name)]

    def burn(self, host: str, reason: str) -> list[str]:
        """Forget every key of a host and revoke its certificates; returns their serial numbers."""
        serials = self._secrets.burn(host, reason)
        self.forget()
        return serials

    def next_wireguard(self, host: str) -> str:
        """The key that a host is to move to; the same one again after an interrupted rotation."""
        return self._secrets.vault.ensure(f"{NEXT_WIREGUARD}/{host}", wireguard.generate)

    def settle_wireguard(self, host: str, *, keep: bool) -> None:
        """End a rotation: the next key becomes the key, or is forgotten."""
        vault = self._secrets.vault
        if keep:
            vault.put(f"wg/{host}", vault.get(f"{NEXT_WIREGUARD}/{host}"))
        vault.forget(f"{NEXT_WIREGUARD}/{host}")
        self.forget()

    def renew_certificate(self, host: Host, model: NetworkModel) -> tuple[str, str]:
        """A new key and certificate for a host; returns the old pair (PEM), for ``restore_certificate``."""
        before = self._secrets.resolve(f"key/{host.name}"), self._certificate(host, model)
        vault = self._secrets.vault
        vault.forget(f"cert/{host.name}")
        vault.put(f"key/{host.name}", new_key())
        self.forget()
        self._certificate(host, model)
        return before

    def restore_certificate(self, host: str, before: tuple[str, str]) -> None:
        """Take the old pair again; the certificate made meanwhile is revoked."""
        for kind, value in zip(("key", "cert"), before, strict=True):
            self._secrets.vault.put(f"{kind}/{host}", value)
        self.forget()
        self.revoke_old(host, "renewal was given up")

    def revoke_old(self, host: str, reason: str) -> list[str]:
        """Revoke every certificate of a host but the one in use; returns their serial numbers."""
        used = f"{load_pem_x509_certificate(self._secrets.vault.get(f'cert/{host}').encode()).serial_number:x}"
        revoked = [row.serial for row in self._secrets.ca.revoke_host(host, reason, but=used)]
        self.forget()
        return revoked

    def _certificate(self, host: Host, model: NetworkModel) -> str:
        names, addresses = certificate_names(model, host)
        return self._secrets.resolve(f"cert/{host.name}", dns=names, ips=addresses)

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

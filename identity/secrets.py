"""Every secret by name, made the first time it is asked for.

=====================  =================================================================================
name                   value
=====================  =================================================================================
``wg/<host>``          WireGuard private key, base64; ``wg-pub/<host>`` its public key
``psk/<name>``         32 random bytes, base64
``ssh/<name>``         Ed25519 private key, OpenSSH format (``ssh/broker``, ``ssh/host/<host>``);
                       ``ssh-pub/<name>`` the public line
``snmp/<name>``        SNMPv3 pass phrase, 32 letters and digits (RFC 3414 asks for at least 8)
``ntp/<name>``         key for NTP, 16 letters and digits (128 bits for AES-CMAC, and what every vendor takes)
``switch/<host>/...``  a password that every vendor's rule takes: 20 letters, digits and a dash
``host-key/<host>``    the SSH host key that a vendor's device showed at its enrolment; learned, never made
``token/<name>``       Ed25519 private key, PEM, for signed tokens; ``token-pub/<name>`` its public key
``key/<host>``         ECDSA P-256 private key, PEM; ``cert/<host>`` the county's certificate for it
``ca``, ``crl``        the county's root certificate and its revocation list, PEM
=====================  =================================================================================

Public values are derived, never stored.  A certificate is signed anew, for the same key, when it has less than
30 days left, when it was revoked, when the host's addresses changed, or when the root did.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from identity import wireguard
from identity.ca import CountyCA, dns_name, new_key
from identity.vault import Vault

_RENEW_BEFORE = timedelta(days=30)
NEXT_WIREGUARD = "wg-next"
"""``wg-next/<host>``: the key that a rotation under way is moving to."""
_DERIVED = {"wg-pub": "wg", "ssh-pub": "ssh", "token-pub": "token", "cert": "key"}
"""Kinds whose value follows from a secret of another kind and the same name."""
_PHRASE_ALPHABET = string.ascii_letters + string.digits


class UnknownSecret(KeyError):
    """No rule makes a secret of this name."""


class Secrets:
    """The county's secrets in one folder: its vault and its authority."""

    def __init__(self, folder: Path) -> None:
        self.vault = Vault(folder)
        self.ca = CountyCA(folder)

    def resolve(self, name: str, *, dns: Iterable[str] = (), ips: Iterable[str | IPv4Address] = ()) -> str:
        """The value of a secret; see the module's table.

        Args:
            name: Its name.
            dns: For ``cert/<host>``: further names.
            ips: For ``cert/<host>``: the host's addresses.

        Raises:
            UnknownSecret: No rule for this name.
        """
        kind, _, rest = name.partition("/")
        if name == "ca":
            return self.ca.certificate_pem
        if name == "crl":
            return self.ca.crl_pem()
        if rest and kind == "wg-pub":
            return wireguard.public_key(self.resolve(f"wg/{rest}"))
        if rest and kind == "ssh-pub":
            return self.ssh_public(f"ssh/{rest}")
        if rest and kind == "token-pub":
            return _public_pem(self.resolve(f"token/{rest}"))
        if rest and kind == "cert":
            return self._certificate(rest, dns, ips)
        if rest and kind == "host-key":
            if name not in self.vault.names():
                raise UnknownSecret(f"{rest} has shown no host key yet: enrol it over its staging port")
            return self.vault.get(name)
        if rest and kind in _MAKERS:
            return self.vault.ensure(name, _MAKERS[kind])
        raise UnknownSecret(f"no secret is called {name!r}: expected ca, crl, cert/<host> or one of {_kinds()}")

    def held(self, name: str) -> bool:
        """Whether the value is there already, or follows from one that is: ``resolve`` would make no new secret."""
        kind, _, rest = name.partition("/")
        return name in ("ca", "crl") or f"{_DERIVED.get(kind, kind)}/{rest}" in self.vault.names()

    def burn(self, host: str, reason: str) -> list[str]:
        """Forget every key of a host and revoke its certificates: it gets new ones when it is enrolled again.

        Returns the serial numbers of the certificates revoked.
        """
        for kind in ("wg", NEXT_WIREGUARD, "key", "cert", "ssh/host", "host-key"):
            self.vault.forget(f"{kind}/{host}")
        self.vault.forget(f"switch/{host}/password")
        return [row.serial for row in self.ca.revoke_host(host, reason)]

    def ssh_public(self, name: str) -> str:
        """The public line (``ssh-ed25519 AAAA... <name>``) of the SSH key of that name, "ssh/broker" for example."""
        private = serialization.load_ssh_private_key(self.resolve(name).encode(), None)
        public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        return f"{public.decode()} {name.removeprefix('ssh/')}"

    def _certificate(self, host: str, dns: Iterable[str], ips: Iterable[str | IPv4Address]) -> str:
        key = self.resolve(f"key/{host}")
        names, addresses = list(dns), list(ips)
        name = f"cert/{host}"
        made = self.vault.ensure(name, lambda: self.ca.issue_vpn(host, names, addresses, key_pem=key)[1])
        if not self._still_good(made, key, [dns_name(host), *map(dns_name, names)], addresses):
            made = self.ca.issue_vpn(host, names, addresses, key_pem=key)[1]
            self.vault.put(name, made)
        return made

    def _still_good(self, pem: str, key: str, names: list[str], addresses: list[str | IPv4Address]) -> bool:
        """True when the certificate is the root's, for this key and these names, and has time left."""
        certificate = x509.load_pem_x509_certificate(pem.encode())
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(self.ca.certificate_pem.encode()))
        except (InvalidSignature, ValueError):
            return False
        if self.ca.revoked(f"{certificate.serial_number:x}"):
            return False
        if certificate.not_valid_after_utc - datetime.now(UTC) < _RENEW_BEFORE:
            return False
        if certificate.public_key() != serialization.load_pem_private_key(key.encode(), None).public_key():
            return False
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(names) <= set(held.get_values_for_type(x509.DNSName)) and {
            ip_address(address) for address in addresses
        } <= set(held.get_values_for_type(x509.IPAddress))


def _ssh_private() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        .decode()
    )


def _token_private() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def _public_pem(private_pem: str) -> str:
    public = serialization.load_pem_private_key(private_pem.encode(), None).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _phrase() -> str:
    return "".join(secrets.choice(_PHRASE_ALPHABET) for _ in range(32))


def _password() -> str:
    """Upper and lower case, digits and a sign that no command line means anything by; the first is a letter."""
    parts = ["".join(secrets.choice(letters) for _ in range(5)) for letters in (string.ascii_letters, _PHRASE_ALPHABET)]
    sure = (string.ascii_uppercase, string.ascii_lowercase, string.digits)
    return "".join(parts) + "-" + "".join(secrets.choice(letters) for letters in (*sure, *sure, *sure))


def _shared_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


_MAKERS: dict[str, Callable[[], str]] = {
    "wg": wireguard.generate,
    "psk": _shared_key,
    "ssh": _ssh_private,
    "snmp": _phrase,
    "ntp": lambda: _phrase()[:16],
    "switch": _password,
    "token": _token_private,
    "key": new_key,
}


def _kinds() -> str:
    return ", ".join(f"{kind}/<name>" for kind in _MAKERS)

"""The county's own certificate authority: ECDSA P-256, one root, constrained to the county's own names.

The root may sign only for ``*.internal`` and ``localhost`` and for private addresses (RFC 5280 section 4.2.1.10):
who installs it in a browser does not hand over the rest of the Internet.  Folder: ``ca.key`` (0600), ``ca.pem``,
``index.json`` (every certificate issued), ``crl.pem`` (revocation list, RFC 5280 section 5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from identity.files import create_once, locked, private_folder, write_atomic

DOMAIN = "sanwang.internal"
"""Hosts are named ``<host>.sanwang.internal`` in certificates (.internal: reserved for private use by ICANN)."""

PEOPLE_DOMAIN = f"people.{DOMAIN}"
"""People are named ``<login>.people.sanwang.internal``, so that no login is taken for a host."""

PERMITTED_NAMES = ("internal", "localhost")
PERMITTED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "::1/128",
        "fc00::/7",
    )
)

_ROOT_LIFE = timedelta(days=20 * 365)
_SERVER_LIFE = timedelta(days=397)  # what browsers accept at most from any issuer
_DEVICE_LIFE = timedelta(days=2 * 365)
_PERSON_LIFE = timedelta(days=365)
_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # id-kp-documentSigning, RFC 9336
_CRL_LIFE = timedelta(days=30)
_CRL_RENEW_BEFORE = timedelta(days=15)
_CLOCK_SLACK = timedelta(minutes=5)  # a device whose clock is a little behind accepts a fresh certificate


@dataclass(frozen=True, slots=True)
class Issued:
    """One line of the index."""

    serial: str  # hexadecimal, as openssl prints it
    name: str
    kind: str  # "server", "device", "vpn", "person" or "document"
    not_after: str  # UTC, ISO 8601
    revoked_at: str = ""
    reason: str = ""


def dns_name(host: str) -> str:
    """A host's name in certificates: as given when it has a dot or is localhost, else under the county's domain."""
    return host if "." in host or host == "localhost" else f"{host}.{DOMAIN}"


def new_key() -> str:
    """A new ECDSA P-256 private key, PEM (PKCS #8)."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


class CountyCA:
    """Create or load the authority in a folder.

    Args:
        folder: Made when missing, mode 0700.  The root is made once; several processes may open it.
        county: Name in the root's subject when it is made.
    """

    def __init__(self, folder: Path, county: str = "county") -> None:
        self._folder = private_folder(folder)
        self._index_file = self._folder / "index.json"
        self._lock = self._folder / "ca.lock"
        with locked(self._lock):
            if not (self._folder / "ca.pem").exists():
                self._create_root(county)
        key = serialization.load_pem_private_key((self._folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{self._folder / 'ca.key'}: expected an ECDSA key")
        self._key = key
        self._root = x509.load_pem_x509_certificate((self._folder / "ca.pem").read_bytes())

    @property
    def certificate_pem(self) -> str:
        """The root's certificate, for trust stores."""
        return self._root.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def not_after(self) -> datetime:
        """When the root ends."""
        return self._root.not_valid_after_utc

    def issue_server(
        self, name: str, dns: Iterable[str] = (), ips: Iterable[str | IPv4Address] = (), *, key_pem: str = ""
    ) -> tuple[str, str]:
        """A certificate for an HTTPS or TLS server: (key PEM, certificate PEM).

        Args:
            name: The host; always among the names.
            dns: Further names; a bare host name is put under the county's domain.
            ips: Addresses clients connect to.
            key_pem: Sign this key (renewal) instead of a new one.

        Raises:
            ValueError: A name or address outside what the root may sign.
        """
        return self._issue(name, "server", dns, ips, key_pem, _SERVER_LIFE, [ExtendedKeyUsageOID.SERVER_AUTH])

    def issue_device(
        self, name: str, dns: Iterable[str] = (), ips: Iterable[str | IPv4Address] = (), *, key_pem: str = ""
    ) -> tuple[str, str]:
        """An identity for one of our devices, client and server in one; else as ``issue_server``."""
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._issue(name, "device", dns, ips, key_pem, _DEVICE_LIFE, usage)

    def issue_vpn(
        self, name: str, dns: Iterable[str] = (), ips: Iterable[str | IPv4Address] = (), *, key_pem: str = ""
    ) -> tuple[str, str]:
        """A certificate for an IKEv2 peer; its IKE identity is ``dns_name(name)`` (RFC 4945 section 5.1)."""
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.IPSEC_IKE]
        return self._issue(name, "vpn", dns, ips, key_pem, _DEVICE_LIFE, usage)

    def issue_person(self, login: str) -> tuple[str, str]:
        """A certificate by which a person signs in, and a new key: (key PEM, certificate PEM)."""
        name = f"{login}.{PEOPLE_DOMAIN}"
        return self._issue(name, "person", (), (), "", _PERSON_LIFE, [ExtendedKeyUsageOID.CLIENT_AUTH])

    def issue_document(self, name: str, *, key_pem: str = "") -> tuple[str, str]:
        """A certificate that signs documents in the name of a service (RFC 9336), not connections."""
        usage = [_DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]
        return self._issue(name, "document", (), (), key_pem, _DEVICE_LIFE, usage)

    def index(self) -> list[Issued]:
        """Every certificate issued, oldest first."""
        if not self._index_file.exists():
            return []
        return [Issued(**row) for row in json.loads(self._index_file.read_text())]

    def revoke(self, serial: str, reason: str) -> Issued:
        """Revoke one certificate and write a new revocation list; revoking twice changes nothing.

        Raises:
            KeyError: No certificate with this serial number was issued here.
        """
        with locked(self._lock):
            rows = self.index()
            position = next((at for at, row in enumerate(rows) if row.serial == serial.lower()), None)
            if position is None:
                raise KeyError(f"no certificate with serial {serial} was issued by this authority")
            if not rows[position].revoked_at:
                rows[position] = replace(rows[position], revoked_at=_now().isoformat(), reason=reason)
                self._write_index(rows)
                write_atomic(self._folder / "crl.pem", self._sign_crl(rows), 0o644)
        return rows[position]

    def good(self, name: str) -> list[Issued]:
        """Certificates of a host that are neither revoked nor over, oldest first."""
        now = _now()
        return [
            row
            for row in self.index()
            if row.name == name and not row.revoked_at and datetime.fromisoformat(row.not_after) > now
        ]

    def revoked(self, serial: str) -> bool:
        """Whether the certificate with this serial number was revoked."""
        return any(row.serial == serial.lower() and row.revoked_at for row in self.index())

    def revoke_host(self, name: str, reason: str, *, but: str = "") -> list[Issued]:
        """Revoke every good certificate of a host except the one with serial ``but``."""
        return [self.revoke(row.serial, reason) for row in self.good(name) if row.serial != but.lower()]

    def crl_pem(self) -> str:
        """The revocation list: the same text until something is revoked or half of its 30 days are over.

        So a device that holds it already is not written to again.
        """
        path = self._folder / "crl.pem"
        with locked(self._lock):
            rows = self.index()
            if not self._crl_is_fresh(path, rows):
                write_atomic(path, self._sign_crl(rows), 0o644)
            return path.read_text()

    def _crl_is_fresh(self, path: Path, rows: list[Issued]) -> bool:
        if not path.exists():
            return False
        held = x509.load_pem_x509_crl(path.read_bytes())
        end = held.next_update_utc
        return (
            end is not None
            and end - _now() > _CRL_RENEW_BEFORE
            and held.is_signature_valid(self._key.public_key())
            and {entry.serial_number for entry in held} == {int(row.serial, 16) for row in rows if row.revoked_at}
        )

    def _create_root(self, county: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        create_once(self._folder / "ca.key", _pem(key).encode())
        stored = serialization.load_pem_private_key((self._folder / "ca.key").read_bytes(), None)
        assert isinstance(stored, ec.EllipticCurvePrivateKey)
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sanwang"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Sanwang {county} root"),
            ]
        )
        permitted: list[x509.GeneralName] = [x509.DNSName(text) for text in PERMITTED_NAMES]
        permitted += [x509.IPAddress(network) for network in PERMITTED_NETWORKS]
        now = _now()
        root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(stored.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SLACK)
            .not_valid_after(now + _ROOT_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(x509.NameConstraints(permitted, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(stored.public_key()), critical=False)
            .sign(stored, hashes.SHA256())
        )
        write_atomic(self._folder / "ca.pem", root.public_bytes(serialization.Encoding.PEM), 0o644)

    def _issue(
        self,
        name: str,
        kind: str,
        dns: Iterable[str],
        ips: Iterable[str | IPv4Address],
        key_pem: str,
        life: timedelta,
        usage: list[x509.ObjectIdentifier],
    ) -> tuple[str, str]:
        key_pem = key_pem or new_key()
        key = serialization.load_pem_private_key(key_pem.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{name}: expected an ECDSA key")
        names = list(dict.fromkeys([dns_name(name), *map(dns_name, dns)]))
        addresses = list(dict.fromkeys(ip_address(address) for address in ips))
        _check_constraints(name, names, addresses)
        now = _now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(
                x509.Name(
                    [
                        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sanwang"),
                        x509.NameAttribute(NameOID.COMMON_NAME, dns_name(name)),
                    ]
                )
            )
            .issuer_name(self._root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SLACK)
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        row = Issued(f"{certificate.serial_number:x}", name, kind, certificate.not_valid_after_utc.isoformat())
        with locked(self._lock):
            self._write_index([*self.index(), row])
        return key_pem, certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _write_index(self, rows: list[Issued]) -> None:
        write_atomic(self._index_file, (json.dumps([asdict(row) for row in rows], indent=1) + "\n").encode())

    def _sign_crl(self, rows: list[Issued]) -> bytes:
        now = _now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._root.subject)
            .last_update(now - _CLOCK_SLACK)
            .next_update(now + _CRL_LIFE)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        )
        for row in rows:
            if row.revoked_at:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(int(row.serial, 16))
                    .revocation_date(datetime.fromisoformat(row.revoked_at))
                    .build()
                )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _check_constraints(name: str, names: list[str], addresses: list[IPv4Address | IPv6Address]) -> None:
    outside = [
        text for text in names if not any(text == domain or text.endswith(f".{domain}") for domain in PERMITTED_NAMES)
    ]
    outside += [
        str(address)
        for address in addresses
        if not any(address.version == network.version and address in network for network in PERMITTED_NETWORKS)
    ]
    if outside:
        raise ValueError(
            f"{name}: the county's authority may not sign for {', '.join(outside)}: "
            f"expected names under {' or '.join(PERMITTED_NAMES)} and private addresses"
        )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

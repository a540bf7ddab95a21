"""People's certificates: made with their key as PKCS #12 (RFC 7292) under a pass phrase, judged when one is shown."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from identity.ca import PEOPLE_DOMAIN, CountyCA
from identity.refusal import Refusal

SHORTEST_PHRASE = 12


class CertificateRefused(Refusal):
    """The certificate lets nobody in."""


def make(authority: CountyCA, login: str, phrase: str) -> tuple[bytes, str]:
    """A new key with its certificate for one person.

    Args:
        authority: The county's.
        login: Whose it is.
        phrase: Opens the file, at least 12 characters.

    Returns:
        The PKCS #12 file (the key is kept nowhere else), and the certificate's serial number.

    Raises:
        ValueError: The pass phrase is too short.
    """
    if len(phrase) < SHORTEST_PHRASE:
        raise ValueError(f"pass phrase: found {len(phrase)} characters; expected {SHORTEST_PHRASE} or more")
    key_pem, certificate_pem = authority.issue_person(login)
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    root = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    key = load_pem_private_key(key_pem.encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    packed = pkcs12.serialize_key_and_certificates(
        login.encode(), key, certificate, [root], BestAvailableEncryption(phrase.encode())
    )
    return packed, f"{certificate.serial_number:x}"


def holder(authority: CountyCA, der: bytes | None, now: datetime | None = None) -> str:
    """The login of the person whose certificate this is.

    Args:
        authority: Whose certificates are good.
        der: As the other side of a TLS connection showed it, which proves that it holds the key; None: it showed none.
        now: Aware; the present when not given.

    Raises:
        CertificateRefused: None, another authority's, over, revoked, or not a person's.
    """
    if not der:
        raise CertificateRefused("no certificate was shown: choose yours when the browser asks", "没有出示证书")
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem.encode()))
    except (ValueError, TypeError, InvalidSignature):
        raise CertificateRefused("this is no certificate of the county's authority", "不是本县签发的证书") from None
    moment = now or datetime.now(UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise CertificateRefused("this certificate is over: ask for a new one", "证书已过期,请申请新证书")
    serial = f"{certificate.serial_number:x}"
    row = next((row for row in authority.index() if row.serial == serial), None)
    if row is None or row.kind != "person":
        raise CertificateRefused("this certificate is not a person's", "不是人员证书")
    revoked = x509.load_pem_x509_crl(authority.crl_pem().encode())
    if row.revoked_at or revoked.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
        raise CertificateRefused("this certificate was revoked", "证书已吊销")
    return row.name.removesuffix(f".{PEOPLE_DOMAIN}")

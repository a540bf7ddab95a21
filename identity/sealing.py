"""Documents signed in the county's name: a detached CMS signature (RFC 5652) beside the file.

Anybody checks it with the authority's certificate and without us:

    openssl cms -verify -binary -inform DER -in report.pdf.p7s -content report.pdf -CAfile ca.pem -no_check_time
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from identity.secrets import Secrets

SUFFIX = ".p7s"
_RENEW_BEFORE = timedelta(days=30)
_SIGNING_TIME = re.compile(rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05\x31\x0f\x17\x0d(\d{12})Z")
"""The attribute of RFC 5652 section 11.3, as UTCTime."""

_TIMEOUT_S = 30


class SealBroken(Exception):
    """The signature does not hold; the text says why."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed, and when by the signer's own clock."""

    name: str
    serial: str  # of the certificate, hexadecimal
    at: datetime


def sign(secrets: Secrets, name: str, data: bytes) -> bytes:
    """The signature, DER.

    Args:
        secrets: The county's; key and certificate of the name are made when first asked for.
        name: Which service signs: ``<name>.sanwang.internal``.
        data: The document.
    """
    key = serialization.load_pem_private_key(secrets.resolve(f"key/{name}").encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data)
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]
    signer = builder.add_signer(_certificate(secrets, name), key, hashes.SHA256())
    return signer.sign(serialization.Encoding.DER, options)


def verify(ca_pem: str, data: bytes, signature: bytes) -> Signed:
    """Who signed the document.

    A certificate that has run out since is no fault of a document signed before; one that was revoked is the caller's
    to look at (``CountyCA.revoked``).

    Raises:
        SealBroken: Document or signature were changed, or another authority stands behind it.
        OSError: openssl is not there.
    """
    with tempfile.TemporaryDirectory(prefix="sanwang-seal-") as text:
        folder = Path(text)
        for file, content in (("data", data), ("seal", signature), ("ca.pem", ca_pem.encode())):
            (folder / file).write_bytes(content)
        command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "seal", "-content", "data"]
        command += ["-CAfile", "ca.pem", "-no_check_time", "-purpose", "any", "-signer", "signer.pem"]
        ran = subprocess.run(
            [*command, "-out", "out"], cwd=folder, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
        if ran.returncode != 0:
            lines = ran.stderr.decode(errors="replace").strip().splitlines() or ["openssl says nothing"]
            raise SealBroken(lines[-1].rpartition(":")[2] if len(lines) == 1 else "; ".join(_reason(x) for x in lines))
        certificate = x509.load_pem_x509_certificate((folder / "signer.pem").read_bytes())
    moment = _SIGNING_TIME.search(signature)
    if moment is None:
        raise SealBroken("no signing time")
    at = datetime.strptime(moment[1].decode(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise SealBroken(f"signed at {at:%Y-%m-%d %H:%M}Z, when its certificate was not good")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return Signed(names.get_values_for_type(x509.DNSName)[0], f"{certificate.serial_number:x}", at)


def _reason(line: str) -> str:
    parts = line.split(":")
    return parts[5] if len(parts) > 5 else line


def _certificate(secrets: Secrets, name: str) -> x509.Certificate:
    """As it is kept; anew when it runs out soon, or was revoked."""
    key = secrets.resolve(f"key/{name}")
    entry = f"document/{name}"
    pem = secrets.vault.ensure(entry, lambda: secrets.ca.issue_document(name, key_pem=key)[1])
    certificate = x509.load_pem_x509_certificate(pem.encode())
    gone = secrets.ca.revoked(f"{certificate.serial_number:x}")
    if gone or certificate.not_valid_after_utc - datetime.now(UTC) < _RENEW_BEFORE:
        pem = secrets.ca.issue_document(name, key_pem=key)[1]
        secrets.vault.put(entry, pem)
        certificate = x509.load_pem_x509_certificate(pem.encode())
    return certificate

"""When the certificates and revocation lists on this host's disk end: read from their own bytes, a few stats a look.

A look costs nothing while no file has changed.  Only the validity is decoded (RFC 5280 section 4.1.2.5 and 5.1.2.5),
by hand: an appliance need not load a cryptographic library for two dates.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from collectors.agent.state import Value

FOLDERS = {
    "/etc/sanwang/tls": "web",
    "/etc/swanctl/x509": "vpn",
    "/etc/swanctl/x509ca": "authority",
    "/etc/swanctl/x509crl": "revocation list",
}
"""Where certificates lie, and what they are for; ``ca.crt`` is the authority's wherever it lies."""
_PEM = re.compile(rb"-----BEGIN (?:CERTIFICATE|X509 CRL)-----([A-Za-z0-9+/=\s]+)-----END ")
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x17, 0x18
_LARGEST = 1 << 20


class BadCertificate(ValueError):
    """Bytes in which no end of validity is found."""


def not_after(pem: bytes) -> float:
    """UNIX seconds at which the first certificate (or revocation list) of a PEM file ends.  Raises BadCertificate."""
    found = _PEM.search(pem)
    if not found:
        raise BadCertificate("no PEM block of a certificate or revocation list")
    try:
        der = base64.b64decode(found[1])
    except binascii.Error as error:
        raise BadCertificate(str(error)) from None
    times: list[float] = []
    (_, whole), *_ = _elements(der) or [(0, b"")]
    (_, signed), *_ = _elements(whole) or [(0, b"")]
    for tag, content in _elements(signed):
        if tag == _SEQUENCE and not times:  # a certificate's Validity holds nothing but two times
            inner = _elements(content) if content[:1] in (b"\x17", b"\x18") else []
            times += [_time(kind, text) for kind, text in inner]
        elif tag in (_UTC_TIME, _GENERALIZED_TIME):  # a list's thisUpdate and nextUpdate
            times.append(_time(tag, content))
    if len(times) < 2:
        raise BadCertificate("no two dates where a validity stands")
    return times[1]


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element (X.690 section 8.1, definite lengths).  Raises BadCertificate."""
    found = []
    at = 0
    while at < len(der):
        if at + 2 > len(der):
            raise BadCertificate("an element without a length")
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or at + size > len(der):
                raise BadCertificate("a length that cannot be")
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            raise BadCertificate("an element longer than what holds it")
        found.append((tag, der[at : at + length]))
        at += length
    return found


def _time(tag: int, text: bytes) -> float:
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    try:
        return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise BadCertificate(str(error)) from None


class Certificates:
    """The host's files, decoded again only when they change."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._seen: dict[str, tuple[tuple[int, int, int], Value]] = {}

    def look(self) -> dict[str, Value]:
        """File -> ``{"kind", "not_after"}`` (UNIX seconds), or ``{"kind", "error"}`` for one that cannot be read."""
        found: dict[str, Value] = {}
        for name, kind in self._files():
            path = self._root / name.lstrip("/")
            try:
                status = path.stat()
                mark = (status.st_mtime_ns, status.st_size, status.st_ino)
                known = self._seen.get(name)
                if known is None or known[0] != mark:
                    known = self._seen[name] = (mark, self._read(path, kind))
            except OSError:
                continue  # gone between two looks
            found[name] = known[1]
        self._seen = {name: known for name, known in self._seen.items() if name in found}
        return found

    def _files(self) -> Iterator[tuple[str, str]]:
        for folder, kind in FOLDERS.items():
            try:
                names = sorted(entry.name for entry in os.scandir(self._root / folder.lstrip("/")))
            except OSError:
                continue
            for name in names:
                if name.endswith((".crt", ".pem")):
                    yield f"{folder}/{name}", "authority" if name == "ca.crt" else kind

    @staticmethod
    def _read(path: Path, kind: str) -> Value:
        with path.open("rb") as file:
            raw = file.read(_LARGEST)
        try:
            return {"kind": kind, "not_after": not_after(raw)}
        except BadCertificate as error:
            return {"kind": kind, "error": str(error)}

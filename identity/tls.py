"""Server side TLS with a certificate of the county's authority."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path

from identity.secrets import Secrets


def server_context(secrets: Secrets, name: str, *, dns: Iterable[str] = (), ips: Iterable[str] = ()) -> ssl.SSLContext:
    """TLS 1.2 or later, with the certificate ``cert/<name>``, made or renewed when it has to be."""
    certificate = secrets.resolve(f"cert/{name}", dns=list(dns), ips=list(ips))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:  # mode 0700; OpenSSL reads the pair from one file
        pair = Path(folder, "pair.pem")
        pair.touch(0o600)
        pair.write_text(certificate + secrets.resolve(f"key/{name}"))
        context.load_cert_chain(pair)
    return context

"""WireGuard keys: X25519, base64 of 32 bytes, exactly as ``wg genkey`` and ``wg pubkey`` give them."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


def generate() -> str:
    """A new private key."""
    return base64.b64encode(X25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key(private: str) -> str:
    """The public key of a private one.

    Raises:
        ValueError: It is not base64 of 32 bytes.
    """
    try:
        raw = base64.b64decode(private.strip(), validate=True)
    except ValueError as problem:  # binascii.Error is one
        raise ValueError("a WireGuard key is base64 of 32 bytes; this is not base64") from problem
    if len(raw) != 32:
        raise ValueError(f"a WireGuard key is base64 of 32 bytes; this has {len(raw)}")
    return base64.b64encode(X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()).decode()

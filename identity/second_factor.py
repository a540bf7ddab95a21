"""The second factor: codes of the time (TOTP, RFC 6238: SHA-1, six digits, 30 seconds) and recovery codes on paper.

The shared secret lies in the store sealed with a key of the county's vault: a copy of the database alone gives it to
nobody.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S = 30
_DIGITS = 6
_SKEW = 1  # steps before and after now: a telephone's clock is a little off
_SECRET_BYTES = 20
_NONCE_BYTES = 12
_RECOVERY_CODES = 8
_ENROL_FOR = timedelta(minutes=15)


class Seal:
    """Seals what may lie in the store (AES-256-GCM, bound to its owner's login).

    Args:
        key: Base64 of 32 bytes, the county's secret ``psk/accounts``.
    """

    def __init__(self, key: str) -> None:
        self._key = AESGCM(base64.b64decode(key))

    def close(self, plain: bytes, owner: str) -> str:
        """Sealed, as text."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return base64.b64encode(nonce + self._key.encrypt(nonce, plain, owner.encode())).decode()

    def open(self, sealed: str, owner: str) -> bytes:
        """What was sealed for this owner; ValueError for anything else."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, binascii.Error, ValueError):
            raise ValueError(f"not sealed for {owner} with this county's key") from None


def matching_step(secret: bytes, code: str, now: datetime, last_step: int) -> int | None:
    """The time step whose code this is; None when it is none, or one that was used before."""
    if len(code) != _DIGITS or not (code.isascii() and code.isdigit()):
        return None
    totp = _totp(secret)
    current = int(now.timestamp()) // STEP_S
    for step in range(current - _SKEW, current + _SKEW + 1):
        if step > last_step and compare_digest(totp.generate(step * STEP_S), code.encode()):
            return step
    return None


def code_at(secret: bytes, now: datetime) -> str:
    """The code that an authenticator shows."""
    return _totp(secret).generate(int(now.timestamp())).decode()


def begin(seal: Seal, login: str, county: str, now: datetime) -> dict[str, str]:
    """A new secret that is not in force yet.

    Returns:
        ``uri`` (otpauth, for the QR code), ``secret`` (base32, to type), ``pending`` (sealed: comes back with a code).
    """
    secret = secrets.token_bytes(_SECRET_BYTES)
    until = int((now + _ENROL_FOR).timestamp())
    packed = json.dumps({"secret": secret.hex(), "until": until}).encode()
    return {
        "uri": _totp(secret).get_provisioning_uri(login, f"Sanwang {county}"),
        "secret": base64.b32encode(secret).decode(),
        "pending": seal.close(packed, f"enrol {login}"),
    }


def confirm(seal: Seal, login: str, pending: str, code: str, now: datetime) -> tuple[str, int] | None:
    """The sealed secret for the account and the step used, when the code shows that the telephone has it; else None."""
    try:
        packed = json.loads(seal.open(pending, f"enrol {login}"))
    except ValueError:
        return None
    secret = bytes.fromhex(packed["secret"])
    step = matching_step(secret, code, now, 0)
    if step is None or now.timestamp() > packed["until"]:
        return None
    return seal.close(secret, login), step


def recovery_codes() -> tuple[list[str], list[str]]:
    """Codes to write down, each good once, and what the store keeps of them."""
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(_RECOVERY_CODES)]
    shown = ["-".join((code[:4], code[4:8], code[8:12], code[12:])) for code in codes]
    return shown, [recovery_digest(code) for code in shown]


def recovery_digest(code: str) -> str:
    """What is kept of a recovery code: 80 random bits need no slow hash."""
    return sha256(code.lower().replace("-", "").replace(" ", "").encode()).hexdigest()


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, _DIGITS, SHA1(), STEP_S)  # RFC 6238's default: what every authenticator knows

"""Signed tokens: a hall's meeting link, an appliance's join, a one-time link to the operations page.

A token is a JWT (RFC 7519) signed with EdDSA (RFC 8037).  Its audience is its purpose, so that a hall's link opens
no other door; its ``jti`` makes a one-time token usable once.

>>> tokens = Tokens(Secrets(folder).resolve("token/county"))            # doctest: +SKIP
>>> link = tokens.issue("hall", "t01", lifetime_s=8 * 3600, meeting=7)  # doctest: +SKIP
>>> tokens.verify(link, "hall").claims["meeting"]                       # doctest: +SKIP
7
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

ISSUER = "sanwang"
_RESERVED = frozenset({"iss", "aud", "sub", "iat", "nbf", "exp", "jti"})
_LEEWAY_S = 5


class TokenRefused(Exception):
    """The token is not good; the message says why in words fit for the person who holds it."""


class OtherPurpose(TokenRefused):
    """A token of ours, for something else."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a good token says."""

    purpose: str
    subject: str  # login, hall or host
    expires_at: int  # seconds since 1970, UTC
    identifier: str
    claims: Mapping[str, Any]  # what the issuer added


class UsedTokens:
    """Which one-time tokens were used: bounded, and forgotten when they have expired anyway."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._used: dict[str, int] = {}

    def use(self, identifier: str, expires_at: int) -> bool:
        """Mark as used; False when it was used before.

        Raises:
            TokenRefused: So many unexpired tokens were used that the table is full (nothing is let through then).
        """
        if identifier in self._used:
            return False
        if len(self._used) >= self._capacity:
            now = time.time() - _LEEWAY_S
            self._used = {name: expiry for name, expiry in self._used.items() if expiry > now}
            if len(self._used) >= self._capacity:
                raise TokenRefused("too many links were used in a short time: try again in some minutes")
        self._used[identifier] = expires_at
        return True


class Tokens:
    """Issue and verify.

    Args:
        key_pem: Ed25519, PEM: the private key (issues and verifies) or the public one (verifies only).
    """

    def __init__(self, key_pem: str) -> None:
        if "PRIVATE" in key_pem:
            private = load_pem_private_key(key_pem.encode(), None)
            if not isinstance(private, Ed25519PrivateKey):
                raise ValueError("tokens are signed with an Ed25519 key")
            self._private: Ed25519PrivateKey | None = private
            self._public = private.public_key()
        else:
            public = load_pem_public_key(key_pem.encode())
            if not isinstance(public, Ed25519PublicKey):
                raise ValueError("tokens are signed with an Ed25519 key")
            self._private, self._public = None, public
        self._used = UsedTokens()
        self._began_at = time.time()

    def issue(self, purpose: str, subject: str, *, lifetime_s: int, **claims: Any) -> str:
        """A new token.

        Args:
            purpose: What it is for ("hall", "ops", "join"): verification asks for the same.
            subject: Whom it is for.
            lifetime_s: Seconds until it expires, at least 1.
            claims: Anything JSON can hold, readable by whoever holds the token.
        """
        if self._private is None:
            raise ValueError("only the holder of the private key can issue tokens")
        if lifetime_s < 1:
            raise ValueError(f"lifetime_s {lifetime_s}: expected at least 1")
        if reserved := _RESERVED & claims.keys():
            raise ValueError(f"claims {sorted(reserved)} are the token's own")
        self._since()
        now = time.time()
        payload = {
            **claims,
            "iss": ISSUER,
            "aud": purpose,
            "sub": subject,
            "iat": now,
            "exp": int(now) + lifetime_s,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(payload, self._private, algorithm="EdDSA")

    def verify(self, token: str, purpose: str, *, once: bool = False, lasting: bool = True) -> Token:
        """What the token says.

        Args:
            token: As it was issued.
            purpose: What it must be for.
            once: Refuse it from the second time on, as far as this process remembers.
            lasting: False: refuse also what was issued before this process began, for it may have been used then.

        Raises:
            TokenRefused: Forged, expired, for another purpose, or used before.
        """
        try:
            payload = jwt.decode(
                token,
                self._public,
                algorithms=["EdDSA"],
                audience=purpose,
                issuer=ISSUER,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "sub", "jti", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefused("this link has expired: ask for a new one") from None
        except jwt.InvalidAudienceError:
            raise OtherPurpose("this link is for something else") from None
        except (jwt.PyJWTError, ValueError):
            raise TokenRefused("this link is not valid: ask for a new one") from None
        if not lasting and payload["iat"] < self._since():
            raise TokenRefused("this link is from before the server began: ask for a new one")
        if once and not self._used.use(payload["jti"], payload["exp"]):
            raise TokenRefused("this link was used already: ask for a new one")
        own = {name: value for name, value in payload.items() if name not in _RESERVED}
        return Token(purpose, payload["sub"], payload["exp"], payload["jti"], own)

    def _since(self) -> float:
        """When this process began, by a clock that may have been set back since."""
        self._began_at = min(self._began_at, time.time())
        return self._began_at

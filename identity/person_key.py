"""A person's own key pair: the private half in a file that only its owner reads, under a pass phrase.

The file is PKCS #8 PEM, encrypted; the public key is written as base64 of its 32 bytes (RFC 8032), as in people.yml.
"""

from __future__ import annotations

import base64
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from identity.files import create_once

SHORTEST_PHRASE = 8


class KeyProblem(Exception):
    """A key file or pass phrase that cannot be used; the text names file, found, expected and the next step."""


def make_key(path: Path, phrase: str) -> str:
    """Make a key pair, write the private key (0600) and return the public one.

    Raises:
        KeyProblem: The file is there already, lies inside a git checkout, or the pass phrase is too short.
        OSError: The file cannot be written.
    """
    if len(phrase) < SHORTEST_PHRASE:
        raise KeyProblem(
            f"pass phrase: found {len(phrase)} characters; expected {SHORTEST_PHRASE} or more; choose another"
        )
    path = path.absolute()
    inside = next((folder for folder in path.resolve().parents if (folder / ".git").exists()), None)
    if inside is not None:
        raise KeyProblem(
            f"{path}: found inside the git checkout {inside}; expected a place outside; choose another file"
        )
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(phrase.encode()),
    )
    if not create_once(path, text):
        raise KeyProblem(
            f"{path}: found a file there; expected none, as a key is never overwritten; choose another file"
        )
    return public_text(key)


def load_key(path: Path, phrase: str) -> Ed25519PrivateKey:
    """The private key of a file that ``make_key`` wrote; KeyProblem with what is wrong."""
    try:
        text = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise KeyProblem(
            f"{path}: found {error.strerror}; expected a key of `sanwang approve keygen`; give its file"
        ) from None
    if mode & 0o077:
        raise KeyProblem(f"{path}: found mode {mode:04o}; expected 0600: others can read the key; run chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(text, phrase.encode())
    except TypeError:  # cryptography: a pass phrase was given, but the key is not encrypted
        raise KeyProblem(
            f"{path}: found a key without a pass phrase; expected one under it; make another key"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyProblem(
            f"{path}: found no key that this pass phrase opens; expected a key of `sanwang approve keygen`; try again"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"{path}: found another kind of key; expected ed25519; make one with `sanwang approve keygen`")
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """The public key as people.yml has it."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()

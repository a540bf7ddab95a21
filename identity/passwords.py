"""People's passwords: argon2id (RFC 9106) and the rule that a new one must meet.

Memory 19 MiB, two passes, one lane: the second choice of OWASP's password storage cheat sheet, which a small management
host can afford; one is computed at a time in a process, so that a flood of guesses costs time and not memory.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from identity.refusal import Refusal

SHORTEST, LONGEST = 12, 128
REMEMBERED = 5
"""So many earlier passwords are not taken again."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY = _HASHER.hash("the password of an account that does not exist")
_one_at_a_time = Lock()
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
_KINDS = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
_LEET = str.maketrans("013457@$!", "oieastasi")


@contextmanager
def _alone() -> Iterator[None]:
    """One hash at a time, and its memory goes back to the system: glibc would keep it for the next one."""
    with _one_at_a_time:
        try:
            yield
        finally:
            if _trim is not None:
                _trim(0)


def hashed(password: str) -> str:
    """The hash in PHC form, with its own salt and parameters."""
    with _alone():
        return _HASHER.hash(password)


def matches(hash_: str, password: str) -> bool:
    """True when it is the password; without a hash as slow as with one, so that nobody learns which logins exist."""
    with _alone():
        try:
            return _HASHER.verify(hash_ or _NOBODY, password[: LONGEST + 1]) and hash_ != ""
        except (VerificationError, InvalidHashError):
            return False


def outdated(hash_: str) -> bool:
    """True when it was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(hash_)


def problem(password: str, login: str, earlier: list[str]) -> Refusal | None:
    """Why the password is not taken; None when it is.

    Args:
        password: As typed.
        login: Whose it would be.
        earlier: Hashes of this person's passwords, the one in use first.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        return Refusal(
            f"a password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}",
            f"口令须为 {SHORTEST} 至 {LONGEST} 个字符,现为 {len(password)} 个",
        )
    if any(ord(character) < 32 for character in password):
        return Refusal("a password holds no control characters", "口令不得含控制字符")
    if len(password) < 20 and sum(bool(re.search(kind, password)) for kind in _KINDS) < 3:
        return Refusal(
            "a password of less than 20 characters has three of: small letters, capitals, digits, signs",
            "不足 20 个字符的口令须含小写字母、大写字母、数字、符号中的三种",
        )
    if len(set(password)) < 6:
        return Refusal("this password repeats too few characters", "口令中不同的字符太少")
    if len(login) >= 3 and login.lower() in password.lower():
        return Refusal("a password does not hold the login", "口令不得包含登录名")
    if _is_common(password):
        return Refusal(
            "this password is one of those that are tried first: choose another",
            "这是最先被人猜测的口令之一,请另选一个",
        )
    if any(matches(hash_, password) for hash_ in earlier[:REMEMBERED]):
        return Refusal(
            f"this was one of your last {REMEMBERED} passwords: choose another",
            f"不得使用最近 {REMEMBERED} 次用过的口令",
        )
    return None


def _is_common(password: str) -> bool:
    """Whether nothing but common words, years and signs is left, however they are written."""
    plain = password.lower()
    if any(run in plain for run in ("0123456789", "1234567890", "9876543210", "abcdefghij")):
        return True
    for text in (plain, plain.translate(_LEET)):
        letters = re.sub(r"[^a-z]", "", text)
        for word in _common():
            letters = letters.replace(word, "")
        if len(letters) < 4:
            return True
    return False


@cache
def _common() -> tuple[str, ...]:
    """Common words, longest first; the file beside this module holds one a line."""
    text = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8")
    return tuple(
        sorted({line for line in text.split("\n") if line and not line.startswith("#")}, key=len, reverse=True)
    )

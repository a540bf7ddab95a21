"""Which passwords are taken, and what is kept of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import passwords


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("Short-7pear", "12 to 128"),
        ("x" * 129, "12 to 128"),
        ("allsmallletters", "three of"),
        ("Pear-Tree\n7-Lamp", "control"),
        ("Aa1Aa1Aa1Aa1", "too few"),
        ("Zhaowei-77-Pear", "hold the login"),
        ("P@ssw0rd2026!!", "tried first"),
        ("Huawei@123456", "tried first"),
        ("Admin@2026Admin", "tried first"),
        ("Qwertyuiop123!", "tried first"),
        ("Zhongguo@2026", "tried first"),
        ("Pear0123456789!", "tried first"),
    ],
)
def test_what_is_refused(password: str, said: str) -> None:
    refusal = passwords.problem(password, "zhaowei", [])
    assert refusal is not None
    assert said in refusal.en
    assert refusal.zh


@pytest.mark.parametrize("password", ["Pear-Tree7-Lamp", "correct horse battery staple", "春雨7-Lamp+tree-ox"])
def test_what_is_taken(password: str) -> None:
    assert passwords.problem(password, "zhaowei", []) is None


def test_earlier_passwords_are_refused() -> None:
    earlier = [passwords.hashed("Pear-Tree7-Lamp")]
    assert "last 5" in str(passwords.problem("Pear-Tree7-Lamp", "zhao", earlier))
    assert passwords.problem("Pear-Tree8-Lamp", "zhao", earlier) is None


def test_the_hash_is_argon2id_with_its_own_salt() -> None:
    one, other = passwords.hashed("Pear-Tree7-Lamp"), passwords.hashed("Pear-Tree7-Lamp")
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other
    assert passwords.matches(one, "Pear-Tree7-Lamp")
    assert not passwords.matches(one, "Pear-Tree7-lamp")
    assert not passwords.matches("", "the password of an account that does not exist")
    assert not passwords.matches("$argon2id$nonsense", "x")
    assert passwords.outdated(
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21l$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ"
    )


@settings(max_examples=15)
@given(st.text(max_size=300))
def test_any_text_is_judged(text: str) -> None:
    assert passwords.problem(text, "zhao", []) or passwords.matches(passwords.hashed(text), text)

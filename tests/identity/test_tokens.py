"""Tokens: good for one purpose, for a time, once where it is asked; anything else is refused."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.people import ROLE_RIGHTS, Right, may
from identity.secrets import Secrets
from identity.tokens import TokenRefused, Tokens, UsedTokens


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    secrets = Secrets(tmp_path_factory.mktemp("identity"))
    return secrets.resolve("token/county"), secrets.resolve("token-pub/county")


@pytest.fixture(scope="module")
def tokens(pair: tuple[str, str]) -> Tokens:
    return Tokens(pair[0])


def test_a_token_says_what_was_issued_also_to_who_holds_only_the_public_key(pair: tuple[str, str]) -> None:
    token = Tokens(pair[0]).issue("hall", "t01", lifetime_s=60, meeting=7, 名="一号会场")
    read = Tokens(pair[1]).verify(token, "hall")
    assert (read.purpose, read.subject, read.claims) == ("hall", "t01", {"meeting": 7, "名": "一号会场"})
    assert 50 < read.expires_at - time.time() <= 60


def test_it_opens_no_other_door(tokens: Tokens) -> None:
    with pytest.raises(TokenRefused, match="something else"):
        tokens.verify(tokens.issue("hall", "t01", lifetime_s=60), "ops")


def test_it_expires(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("identity.tokens.time.time", lambda: now - 120)
    token = tokens.issue("hall", "t01", lifetime_s=60)
    monkeypatch.undo()
    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(token, "hall")


def test_a_one_time_token_is_good_once(tokens: Tokens) -> None:
    token = tokens.issue("ops", "li", lifetime_s=60)
    assert tokens.verify(token, "ops", once=True).subject == "li"
    with pytest.raises(TokenRefused, match="used already"):
        tokens.verify(token, "ops", once=True)


def test_a_refused_token_is_not_used_up(tokens: Tokens) -> None:
    token = tokens.issue("ops", "li", lifetime_s=60)
    with pytest.raises(TokenRefused):
        tokens.verify(token, "hall", once=True)
    assert tokens.verify(token, "ops", once=True)


def test_the_public_key_issues_nothing(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="private key"):
        Tokens(pair[1]).issue("hall", "t01", lifetime_s=60)


@pytest.mark.parametrize("claims", [{"exp": 0}, {"aud": "ops"}, {"jti": "x"}])
def test_an_issuer_cannot_overwrite_the_tokens_own_claims(tokens: Tokens, claims: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="the token's own"):
        tokens.issue("hall", "t01", lifetime_s=60, **claims)


def _forged(payload: dict[str, object], header: dict[str, object], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_the_signers_algorithm_is_ours_to_choose(pair: tuple[str, str], algorithm: str) -> None:
    """The classic attacks: no signature, and a MAC keyed with the public key."""
    import hashlib
    import hmac

    now = int(time.time())
    payload = {"iss": "sanwang", "aud": "ops", "sub": "x", "iat": now, "exp": now + 60, "jti": "y"}
    header = {"alg": algorithm, "typ": "JWT"}
    unsigned = _forged(payload, header)
    mac = hmac.new(pair[1].encode(), unsigned.rpartition(".")[0].encode(), hashlib.sha256).digest()
    with pytest.raises(TokenRefused, match="not valid"):
        Tokens(pair[1]).verify(_forged(payload, header, mac if algorithm == "HS256" else b""), "ops")


def test_another_countys_token_is_refused(tokens: Tokens, tmp_path: Path) -> None:
    other = Tokens(Secrets(tmp_path).resolve("token/county"))
    with pytest.raises(TokenRefused, match="not valid"):
        tokens.verify(other.issue("hall", "t01", lifetime_s=60), "hall")


def test_a_signed_token_without_our_claims_is_refused(pair: tuple[str, str], tokens: Tokens) -> None:
    bare = jwt.encode({"aud": "hall", "iss": "sanwang"}, pair[0], algorithm="EdDSA")
    with pytest.raises(TokenRefused, match="not valid"):
        tokens.verify(bare, "hall")


@given(text=st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}", fullmatch=True))
def test_whatever_arrives_is_refused_in_words(tokens: Tokens, text: str) -> None:
    with pytest.raises(TokenRefused):
        tokens.verify(text, "hall")


@pytest.fixture(scope="module")
def token(tokens: Tokens) -> str:
    return tokens.issue("hall", "t01", lifetime_s=24 * 3600)


@given(data=st.data())
def test_any_changed_character_is_refused(tokens: Tokens, token: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(token) - 2))  # the last character holds unused bits
    other = data.draw(st.sampled_from("ABCDabcd0123-_").filter(lambda letter: letter != token[place]))
    with pytest.raises(TokenRefused):
        tokens.verify(token[:place] + other + token[place + 1 :], "hall")


def test_the_table_of_used_tokens_is_bounded_and_fails_closed() -> None:
    used = UsedTokens(capacity=3)
    soon = int(time.time()) + 60
    assert [used.use(name, soon) for name in ("a", "b", "a")] == [True, True, False]
    assert used.use("old", 1)
    assert used.use("c", soon)  # makes room by forgetting what has expired
    with pytest.raises(TokenRefused, match="too many"):
        used.use("d", soon)


def test_roles_carry_rights_and_unknown_roles_none() -> None:
    assert may(["leader", "chair"], Right.MEET)
    assert not may(["leader", "nobody"], Right.MEET)
    assert {right for rights in ROLE_RIGHTS.values() for right in rights} == set(Right)

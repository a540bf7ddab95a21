"""No secret leaves the broker: known values become placeholders, unknown key material is hidden by its shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.broker.masking import HIDDEN, mask, placeholders, unified

KEY = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIJ3v\n-----END EC PRIVATE KEY-----\n"


def test_a_known_value_becomes_its_placeholder() -> None:
    shown = mask(f"[Interface]\nPrivateKey = {KEY}\nListenPort = 51820\n", {"wg/c1-vpn": KEY + "\n"})
    assert shown == "[Interface]\nPrivateKey = @secret:wg/c1-vpn@\nListenPort = 51820\n"


def test_of_two_known_values_the_longer_goes_first() -> None:
    assert mask("abcdef-more", {"short": "abcdef", "long": "abcdef-more"}) == "@secret:long@"


@pytest.mark.parametrize(
    "line",
    [
        f"PrivateKey = {KEY}",
        f"private_key={KEY}",
        "  password: hunter2-hunter2",
        "  auth_pass abcdefgh",
        'createUser sanwang SHA-256 "abcdefgh" AES "ijklmnop"',
        PEM,
        PEM.removesuffix("-----END EC PRIVATE KEY-----\n"),
    ],
)
def test_an_unknown_value_is_hidden_by_its_shape(line: str) -> None:
    shown = mask(line, {})
    assert HIDDEN in shown
    for word in (KEY, "hunter2", "abcdefgh", "ijklmnop", "MHcCAQEEIJ3v"):
        assert word not in shown


@pytest.mark.parametrize(
    "text",
    [
        "secrets {\n  ecdsa {\n    file = /etc/swanctl/ecdsa/key.pem\n  }\n}\n",
        "ssl_certificate_key /etc/nginx/key.pem;\n",
        "PublicKey = " + KEY,
        "router ospf\n ospf router-id 172.16.0.1\n",
        "PrivateKey = @secret:wg/c1-vpn@\n",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert mask(text, {}) == text


def test_placeholders_are_found() -> None:
    assert placeholders("a @secret:wg/v01-cpe@ b @secret:ca@ c@secret:@") == {"wg/v01-cpe", "ca"}


def test_a_change_hidden_by_the_mask_is_still_told() -> None:
    assert "differs" in unified("/etc/key", "PrivateKey = <secret>\n", "PrivateKey = <secret>\n")
    assert "+b" in unified("/etc/x", "a\n", "b\n")


@given(st.text(), st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789+/=", min_size=12), st.text())
def test_a_known_value_never_survives(before: str, value: str, after: str) -> None:
    shown = mask(before + value + after, {"psk/a": value})
    assert value not in shown

"""Pydantic's errors in an engineer's words."""

from __future__ import annotations

from typing import Any

from inventory.alerting_schema import NUMBER, SERVER, URL
from inventory.schema import IDENTITY, KEY, PEM, RATE, WIREGUARD_KEY
from inventory.supervision_schema import HOURS, LIMIT, MAIL, PHONE, YEAR
from inventory.written import CODE, NAME

PATTERNS = {
    CODE: "1-8 small letters and digits, a letter first",
    NAME: "1-32 small letters, digits and dashes, a letter first",
    RATE: "a rate like 100M or 1G",
    IDENTITY: "an IKE identity: letters, digits, dots, dashes and @",
    PEM: "a certificate in PEM, written as a block (`authority: |`)",
    WIREGUARD_KEY: "a WireGuard key (44 characters of base64)",
    LIMIT: "a time limit like 30m, 4h, 2d (around the clock), 90wm, 4wh (working time) or 5wd (working days)",
    HOURS: "working hours like 08:30-12:00",
    YEAR: "a year like 2026, in quotes or not",
    PHONE: "a telephone number",
    MAIL: "a mail address",
    NUMBER: "a mobile number: digits, + in front if need be",
    SERVER: "a host, or host:port",
    URL: "an address that begins with http:// or https://",
    KEY: "an ed25519 public key in base64 (44 characters)",
}
TYPES = {
    "ip_v4_network": "an IPv4 prefix without host bits, like 172.28.0.0/16",
    "ip_v4_address": "an IPv4 address, like 172.28.0.10",
    "int_type": "a whole number without quotes",
    "int_parsing": "a whole number without quotes",
    "float_parsing": "a number",
    "tuple_type": "a list, like [a, b]",
    "dict_type": "keys and values",
}


def explain(error: Any) -> tuple[str, str, str]:
    """(found, expected, next step) of a pydantic error, in an engineer's words."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    shown = repr(value) if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"
    match kind:
        case "missing":
            return "nothing", "a value", "write it"
        case "extra_forbidden":
            return "a key nobody reads", "only known keys", "check its spelling or remove it"
        case "string_pattern_mismatch":
            return shown, PATTERNS.get(context["pattern"], f"text like {context['pattern']}"), "write it so"
        case (
            "ip_v4_network"
            | "ip_v4_address"
            | "int_type"
            | "int_parsing"
            | "float_parsing"
            | "tuple_type"
            | "dict_type"
        ):
            return shown, TYPES[kind], "correct the value"
        case "literal_error":
            return shown, f"one of {context['expected']}", "choose one of them"
        case "greater_than_equal" | "less_than_equal":
            word = "at least" if kind == "greater_than_equal" else "at most"
            return shown, f"{word} {context.get('ge', context.get('le'))}", "choose another number"
        case "too_short" | "too_long":
            word, limit = ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
            return f"{context['actual_length']} items", f"{word} {context[limit]}", "add or remove some"
        case "string_too_short":
            return "empty text", "some text", "write it"
    expected = str(error["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    return shown, expected, "correct the value"

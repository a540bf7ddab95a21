"""What can be known without a device: prompts, questions, refusals, secrets in transcripts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.broker.masking import HIDDEN
from provision.platforms import base as platforms
from provision.vendor.dialogue import Dialogue, _without_echo
from provision.vendor.drivers import DRIVERS
from provision.vendor.transcript import Transcript, hidden
from provision.vendor.words import MORE, QUESTION, names, words_of


class Silent:
    """A connection that nobody speaks on."""

    base_prompt = ""
    configuring = ""


def dialogue(platform: str, name: str = "b01-sw") -> Dialogue:
    made = Dialogue(Silent(), words_of(platform), "b01-sw", ("Hunter-2222",))
    made.know(name)
    return made


def test_every_platform_of_the_county_can_be_spoken_to() -> None:
    assert set(names()) == set(DRIVERS) == set(platforms.names())


@pytest.mark.parametrize(
    ("platform", "prompt", "configuring"),
    [
        ("huawei_vrp8", "<b01-sw>", False),
        ("huawei_vrp8", "[~b01-sw]", True),
        ("huawei_vrp8", "[*b01-sw-GE1/0/1]", True),
        ("huawei_vrp5", "[b01-sw-acl-adv-3000]", True),
        ("huawei_vrp5", "HRP_M<b01-sw>", None),
        ("huawei_vrp5", "<HRP_Mb01-sw>", False),
        ("h3c_comware", "[b01-sw-bgp-default-vpn1]", True),
        ("ruijie_rgos", "b01-sw(config-if-GigabitEthernet 0/1)#", True),
        ("ruijie_rgos", "b01-sw>", False),
        ("zte_zxr10", "b01-sw(config)#", True),
        ("zte_zxr10", "b01-sw#", False),
        ("zte_zxr10", "c02-sw#", None),
    ],
)
def test_prompts_tell_the_mode_and_other_names_are_none(platform: str, prompt: str, configuring: bool | None) -> None:
    made = dialogue(platform)
    found = made._end.search(f"said\n{prompt}")
    if configuring is None:
        assert found is None or found["prompt"] != prompt
        return
    assert found is not None
    made.last_prompt = found["prompt"]
    assert made.last_prompt == prompt
    assert made.configuring is configuring


def test_a_line_of_text_that_looks_like_a_prompt_ends_nothing() -> None:
    made = dialogue("huawei_vrp5")
    assert made._end.search("description see\n<b01-sw> for more\n") is None
    assert made._end.search("interface b01-sw\n [b01-sw] is up\n#\n") is None


@pytest.mark.parametrize(
    "text",
    [
        "Are you sure to continue?[Y/N]",
        "Continue? [Y/N]:",
        "overwrite? [Y/N]: ",
        "before exiting? [Y(yes)/N(no)/C(cancel)]:",
        "(y/n)",
        "Proceed with reload? [yes/no]:",
        "[Y/N/C]:",
    ],
)
def test_questions_are_seen_and_text_about_them_is_not(text: str) -> None:
    assert QUESTION.search(f"Warning\n{text}")
    assert not QUESTION.search(f"{text}\nand more")


@pytest.mark.parametrize("text", ["---- More ----", "  --More-- ", "--More--"])
def test_pagers_are_seen(text: str) -> None:
    assert MORE.search(f"line\n{text}")


@pytest.mark.parametrize(
    ("platform", "answer", "refused"),
    [
        ("huawei_vrp8", "      ^\nError: Unrecognized command found at '^' position.", True),
        ("huawei_vrp8", "Info: All IPv4 related configurations on this interface are removed.", False),
        ("huawei_vrp5", "Error: The VLAN does not exist.", True),
        ("h3c_comware", "     ^\n % Wrong parameter found at '^' position.", True),
        ("h3c_comware", "The VLAN does not exist.", True),
        ("h3c_comware", "Some configurations on the interface are removed.", False),
        ("ruijie_rgos", "% Invalid input detected at '^' marker.", True),
        ("ruijie_rgos", "%Warning: the port is shut", False),
        ("zte_zxr10", "%Error 20200: Invalid input detected at '^' marker.", True),
        ("zte_zxr10", "%Info 20211: done", False),
        ("zte_zxr10", "", False),
    ],
)
def test_refusals_are_told_from_remarks(platform: str, answer: str, refused: bool) -> None:
    words = dialogue(platform).refusal(answer)
    assert bool(words) is refused
    assert not refused or words.replace("% ", "%") in re.sub(r"\s+", " ", answer).replace("% ", "%")


SECRETS = st.from_regex(r"[A-Za-z0-9$./+]{12,40}", fullmatch=True)
FORMS = [
    "local-user x password irreversible-cipher {}",
    "local-user x password cipher {}",
    " set authentication password cipher {}",
    "snmp-agent community read {}",
    "snmp-agent community write cipher {}",
    "snmp-agent usm-user v3 u authentication-mode sha cipher {}",
    "snmp-server community {} ro",
    "ospf authentication-mode md5 1 cipher {}",
    "enable secret 5 {}",
    "enable password 7 {}",
    "username x password 0 {}",
    "ntp-service authentication-keyid 1 authentication-mode md5 cipher {}",
    " ip ospf message-digest-key 1 md5 {}",
    "radius-server key 7 {}",
]


@given(SECRETS, st.sampled_from(FORMS), st.integers(1, 40))
def test_no_secret_of_a_vendors_line_reaches_a_log(secret: str, form: str, cut: int) -> None:
    line = form.format(secret)
    assert secret not in hidden(line)
    kept: list[bytes] = []

    class Sink:
        def write(self, data: bytes) -> int:
            kept.append(data)
            return len(data)

    transcript = Transcript(Sink(), ())
    whole = f"[b01-sw]{line}\n[b01-sw]".encode()
    transcript.write(whole[:cut])
    transcript.write(whole[cut:])
    transcript.flush_now()
    text = b"".join(kept).decode()
    assert secret not in text
    assert HIDDEN in text


@pytest.mark.parametrize(
    "line", ["description the cipher room", "undo snmp-agent community", "interface GE1/0/1", " ip address 10.0.0.1 24"]
)
def test_ordinary_lines_stay_readable(line: str) -> None:
    assert hidden(line).split()[:2] == line.split()[:2]


@given(st.text(st.characters(codec="ascii", exclude_characters="\r\n"), min_size=1, max_size=60).filter(str.strip))
def test_the_echo_is_taken_away_and_nothing_else(line: str) -> None:
    assert _without_echo(f"{line}\nError: no\n", line) == "Error: no"
    assert _without_echo(f"{line}\n", line) == ""


@given(st.text(max_size=400))
def test_any_bytes_of_a_device_give_an_answer_in_time(text: str) -> None:
    for platform in names():
        made = dialogue(platform)
        made.refusal(text)
        made._end.search(text)
        made._next.search(text)
        hidden(text)

"""Discovery and live facts against net-snmp's own agent on a loopback address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from collectors.snmp.credentials import read_credentials
from collectors.snmp.discover import Asker, identify
from collectors.snmp.usm import Auth, Community, Priv, User
from inventory.errors import CountyErrors
from sanwang.main import main

WHERE = "127.0.161.77"
USER = "user: sanwang\nauth: authphrase-of-county\npriv: privphrase-of-county\n"

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("snmpd") is None, reason="an agent on port 161 needs root and snmpd"
)


def private(path: Path, text: str) -> Path:
    """A file for its owner alone."""
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """snmpd with the county's kind of user and a community."""
    folder = tmp_path_factory.mktemp("snmpd")
    config = private(
        folder / "snmpd.conf",
        f"agentAddress udp:{WHERE}:161\nsysName loop\nsysDescr Linux loop 6.1.0 #1\n"
        'createUser sanwang SHA-256 "authphrase-of-county" AES "privphrase-of-county"\n'
        "rouser sanwang authPriv\nrocommunity readers\n"
        'createUser nobody SHA-256 "authphrase-of-county" AES "privphrase-of-county"\n',
    )
    process = subprocess.Popen(
        ["snmpd", "-f", "-LOw", "-p", str(folder / "listening"), "-C", "-c", str(config)],
        env={"MIBS": "", "SNMP_PERSISTENT_DIR": str(folder), "PATH": "/usr/sbin:/usr/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while not (folder / "listening").exists():  # written once it listens
            assert time.monotonic() < end, "snmpd does not start"
            time.sleep(0.02)
        yield WHERE
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No county of this machine is meant."""
    monkeypatch.setenv("SANWANG_INSTANCE", "nocounty")


@needs_root
def test_facts_of_a_living_agent(
    agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANWANG_SNMP_CREDENTIALS", str(private(tmp_path / "keys", USER)))
    assert main(["snmp", "facts", agent, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["system"]["name"] == "loop"
    assert told["system"]["profile"] == "linux"
    assert "lo" in [port["name"] for port in told["ports"]]
    assert told["memory"][0]["total_bytes"] > 1 << 20


@needs_root
async def test_a_community_is_believed_too(agent: str) -> None:
    asker = Asker()
    try:
        found = await identify(asker, IPv4Address(agent), [Community("strangers"), Community("readers")])
    finally:
        asker.close()
    assert found is not None
    assert (found.name, found.credential) == ("loop", Community("readers"))


@needs_root
def test_discovery_names_who_answers_and_who_refuses(
    agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = private(tmp_path / "keys", USER)
    assert main(["snmp", "discover", "127.0.161.76/30", "--credentials", str(keys), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(row["address"], row["vendor"], row["name"]) for row in told["agents"]] == [(agent, "Linux", "loop")]
    assert told["asked"] == 2
    wrong = private(tmp_path / "wrong", USER.replace("authphrase", "otherphrase"))
    assert main(["snmp", "discover", agent, "--credentials", str(wrong), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out.splitlines()[-1])["agents"]
    assert row["refused"]
    blind = private(tmp_path / "blind", USER.replace("sanwang", "nobody"))
    assert main(["snmp", "facts", agent, "--credentials", str(blind)]) == 1
    assert "lets us read nothing" in capsys.readouterr().err
    assert main(["snmp", "facts", agent, "--credentials", str(wrong)]) == 1
    assert "are these its keys?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["snmp", "discover", "10.0.0.0/8"], "at most 4096"),
        (["snmp", "discover", "nobody"], "or a host of the county"),
        (["snmp", "facts"], "either a HOST, or --replay"),
    ],
)
def test_wrong_arguments(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_credentials_of_a_file(tmp_path: Path) -> None:
    assert read_credentials(private(tmp_path / "a", f"# ours\n{USER}community: readers\n")) == [
        User("sanwang", "authphrase-of-county", "privphrase-of-county"), Community("readers"),
    ]  # fmt: skip
    text = f"{USER}auth-protocol: SHA1\npriv-protocol: AES256\n"
    (user,) = read_credentials(private(tmp_path / "b", text))
    assert isinstance(user, User)
    assert (user.auth, user.priv) == (Auth.SHA1, Priv.AES256)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither user nor community"),
        ("user: a\nauth: short\npriv: alsoshort\n", "RFC 3414"),
        ("community: x\ncolour: blue\n", "c:2: colour: found a key nobody reads"),
        ("community: x\nauth-protocol: MD5\n", "one of SHA1"),
        ("nothing\n", "c:1: line"),
    ],
)
def test_a_bad_file_is_told_without_what_is_in_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CountyErrors) as caught:
        read_credentials(private(tmp_path / "c", text))
    assert said in str(caught.value)
    assert "alsoshort" not in str(caught.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "keys", USER)
    path.chmod(0o644)
    with pytest.raises(CountyErrors, match="chmod 600"):
        read_credentials(path)

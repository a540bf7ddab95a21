"""Guests from outside: credentials that expire, coturn as we configure it, a browser whose network lets no UDP out."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml

from drills.browser import Halls
from identity.tokens import Tokens
from inventory.load import load
from inventory.places import Places
from inventory.turn_schema import TurnIntent
from provision.render import turn as rendered
from sanwang import meet
from store.engine import open_store
from tests.vconf.lab import CENTRE, ROOT, Lab
from tests.vconf.test_signalling import Door, relay
from tests.vconf.test_whip_door import OFFER, post
from vconf import links, meetings
from vconf.turn import LIFE_S, SECRET, Turn, outside, password
from vconf.turn import links as link_headers
from vconf.whip import tickets

INTENT = TurnIntent(host=CENTRE, listen=IPv4Address(CENTRE))
OUTSIDE = "192.168.77"


def test_credentials_name_their_end_and_are_for_people_outside_alone() -> None:
    turn = Turn(INTENT, "north", now=lambda: 1_000_000.0)
    (server,) = turn.ice_servers("203.0.113.9", "g-12")
    assert server["username"] == f"{1_000_000 + LIFE_S}:g-12"
    # by hand: base64 of HMAC-SHA1, as draft-uberti-behave-turn-rest section 2.2 has it
    command = ["openssl", "dgst", "-sha1", "-hmac", "north", "-binary"]
    said = subprocess.run(command, input=server["username"].encode(), capture_output=True)
    assert server["credential"] == base64.b64encode(said.stdout).decode()
    assert server["urls"][-1] == f"turns:{CENTRE}:5349?transport=tcp"
    assert turn.ice_servers("10.8.1.9", "g-12") == []
    assert [outside(each) for each in ("192.168.1.1", "2001:db8::1", "10.255.0.1", "testclient")] == [
        True,
        True,
        False,
        False,
    ]
    assert link_headers([server])[0].startswith(f'<turn:{CENTRE}:3479?transport=udp>; rel="ice-server"; username="')


def test_a_guest_from_outside_is_handed_the_way_with_each_transport_and_nobody_else(tmp_path: Path) -> None:
    with relay(tmp_path / "relay.sock"):
        door = Door(tmp_path, Turn(INTENT, "north"))
        with door.client_of():
            meeting = door.book("t01", "t02")
            with door.store.session() as session:
                meeting = meetings.ask_guests(session, meeting.id, "test", on=True)
            for number, (address, handed) in enumerate([("203.0.113.9", True), ("10.8.1.9", False)]):
                door.client._transport.client = (address, 4000)
                link = links.guest_seat(door.tokens, meeting, "李工", datetime.now(UTC))
                with door.hall(meeting, "t01") as (hall, _):
                    assert "iceServers" not in hall.ask("createTransport")
                    join = door.client.post("/meet/link", json={"link": link}).json()["join"]
                    with door.page({"token": join}) as (guest, welcome):
                        hall.ask("act", action="admit", venue=welcome["hall"])
                        guest.hear_until(lambda told: told["you"]["role"] == "venue")
                        made = guest.ask("createTransport")
                assert [server["username"].partition(":")[2] for server in made.get("iceServers", [])] == (
                    [welcome["hall"]] if handed else []
                )
                now = datetime.now(UTC)
                with door.store.session() as session:
                    _, token = tickets.issue(
                        session, meeting.id, "whip", f"{number}", "li", now, now + timedelta(hours=1)
                    )
                assert ("link" in post(door, "whip", token, OFFER).headers) is handed
        door.store.close()


def test_the_command_writes_what_coturn_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    county = tmp_path / "county"
    subprocess.run(["cp", "-r", str(ROOT / "inventory" / "counties" / "xiao"), str(county)], check=True)
    (tmp_path / "lib").mkdir()
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path / "lib"))
    (tmp_path / "lib" / "county").write_text(f"{county}\n")
    assert meet.main(["turn", str(tmp_path / "out")]) == 2
    assert "no section turn:" in capsys.readouterr().err
    section = {"turn": {"host": "turn.county.example", "listen": "10.8.1.20"}}
    (county / "turn.yml").write_text(yaml.safe_dump(section))
    assert meet.main(["turn", str(tmp_path / "out"), "--at", "/etc/turnserver", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["certified"] is False  # not a name that the county's own authority signs
    text = (tmp_path / "out" / "turnserver.conf").read_text()
    lines = text.splitlines()
    assert {"no-cli", "use-auth-secret", "listening-ip=10.8.1.20", "cert=/etc/turnserver/turn.crt"} <= set(lines)
    assert [line for line in lines if line.startswith("allowed-peer-ip=")] == [
        f"allowed-peer-ip={address}" for address in sorted(said["relays"])
    ]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}
    assert load(str(county)).intent.turn is not None


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    built = subprocess.run([sys.executable, str(ROOT / "web" / "build.py")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    folder = tmp_path_factory.mktemp("turn")
    (folder / "turn.json").write_text(INTENT.model_dump_json())
    with Lab(folder, f"vtu{os.getpid() % 10_000}", ("t01", "out")) as made, coturn(made):
        _ip("-n", made.centre, "address", "add", f"{OUTSIDE}.1/24", "dev", "br0")
        _ip("-n", made.netns("out"), "address", "flush", "dev", "eth0")
        _ip("-n", made.netns("out"), "address", "add", f"{OUTSIDE}.2/24", "dev", "eth0")
        _ip("-n", made.netns("out"), "route", "add", "10.99.0.0/24", "via", f"{OUTSIDE}.1")
        yield made


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def coturn(lab: Lab) -> Iterator[None]:
    """The server at the centre's edge, with the configuration that we write."""
    folder = lab.folder / "coturn"
    folder.mkdir()
    key, certificate = lab.secrets.ca.issue_server("turn", ips=[CENTRE])
    (folder / rendered.KEY).write_text(key)
    (folder / rendered.CERTIFICATE).write_text(certificate)
    text = rendered.turnserver(INTENT, [IPv4Address(CENTRE)], "shili", lab.secrets.resolve(SECRET), folder)
    (folder / "turnserver.conf").write_text(text)
    command = ["ip", "netns", "exec", lab.centre, "turnserver", "-c", str(folder / "turnserver.conf")]
    with (lab.folder / "coturn.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def refused(lab: Lab, *rules: str) -> Iterator[None]:
    """What the guest's network lets out no more, while the block runs."""
    lines = ["table inet hotel {", "chain out {", "type filter hook output priority 0", *rules, "}", "}", ""]
    text = "\n".join(lines)
    subprocess.run([*lab.argv("out"), "nft", "-f", "-"], input=text, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run([*lab.argv("out"), "nft", "delete", "table", "inet", "hotel"], check=True)


@pytest.mark.twin
def test_the_server_takes_good_credentials_and_reaches_nothing_but_the_relays(lab: Lab) -> None:
    secret, now = lab.secrets.resolve(SECRET), int(time.time())
    good, old = f"{now + 600}:g-1", f"{now - 600}:g-1"
    tries = [
        (good, password(secret, good), CENTRE),
        (good, password(secret, good), "10.99.0.11"),  # a hall's own screen
        (good, password(secret, good), "127.0.0.1"),
        (old, password(secret, old), CENTRE),
        (good, password("another", good), CENTRE),
        ("g-1", "x", CENTRE),
    ]
    for tls, port in ((False, INTENT.port), (True, INTENT.tls_port)):
        with refused(lab, "meta l4proto udp drop"):
            said = subprocess.run(
                [*lab.argv("out"), sys.executable, "-m", "tests.vconf.outsider"],
                cwd=ROOT,
                input=json.dumps({"server": [CENTRE, port], "tls": tls, "tries": tries}),
                env={**os.environ, "SSL_CERT_FILE": str(lab.folder / "ca.pem")},
                capture_output=True,
                text=True,
            )
        assert said.stdout, said.stderr
        found: list[str] = json.loads(said.stdout)
        assert found[0] == "relayed", found
        assert found[1:3] == ["peer refused 403"] * 2, found
        assert [each.split()[0] for each in found[3:]] == ["refused"] * 3, found


@pytest.mark.twin
@pytest.mark.browser
def test_a_guest_whose_network_lets_no_udp_out_sees_the_meeting(lab: Lab, tmp_path: Path) -> None:
    with Halls(tmp_path / "browsers", lab.secrets.ca.certificate_pem) as halls:
        urls = lab.book("t01")
        main = halls.open_hall(lab.argv("t01"), urls["t01"], name="t01")
        main.join()
        main.wait_phase("in")
        for name, port, rules in (
            ("tcp", INTENT.port, ["meta l4proto udp drop"]),
            ("tls", INTENT.tls_port, ["meta l4proto udp drop", f"tcp dport {INTENT.port} drop"]),
        ):
            with refused(lab, *rules):
                guest = halls.open_hall(lab.argv("out"), seat(lab), name=f"out-{name}")
                guest.join()
                guest.wait_phase("waiting")
                main.page.evaluate("window.sanwang.act('admitAll', {})")
                guest.wait_picture(timeout_s=40)
                main.wait_picture(timeout_s=40)  # and the meeting sees the guest
                assert held(lab, port), f"media goes through {name}"
                guest.leave()


def held(lab: Lab, port: int) -> int:
    """How many connections the guest has to that port of the TURN server."""
    command = [*lab.argv("out"), "ss", "-Htn", "state", "established", "dst", f"{CENTRE}:{port}"]
    return len(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def seat(lab: Lab) -> str:
    """A guest's own link to the meeting that was booked last."""
    store = open_store(f"sqlite:///{lab.folder}/store.db")
    with store.session() as session:
        number = max(each.id for each in meetings.upcoming(session, datetime.now(UTC)))
        meeting = meetings.ask_guests(session, number, "test", on=True)
    store.close()
    token = links.guest_seat(Tokens(lab.secrets.resolve(links.KEY)), meeting, "李工", datetime.now(UTC))
    return f"https://{CENTRE}/hall/#token={token}"

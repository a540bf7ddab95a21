"""Guests of the VPN gateway: other agencies' gateways and people's notebooks, in the model and on the gateway."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from drills import traveller
from drills.guests import guest_place, played
from identity import wireguard
from identity.ca import CountyCA
from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import COUNTIES
from provision.environment import load_environment
from provision.render import render
from provision.travellers import configuration, overdue

THIRD = {"number": 451, "zh": "县支行", "en": "Bank branch", "home": "n1", "identity": "gw.bank.example"}
THIRD |= {"prefixes": ["192.168.40.0/24"], "reaches": ["exchange"]}
TRAVELLERS = {"number": 450, "reaches": {"engineer": ["gov"], "leader": ["portal", "exchange"]}}


def notebook(slot: int, days: int = 30) -> dict[str, object]:
    until = datetime.now(UTC) + timedelta(days=days)
    key = wireguard.public_key(wireguard.generate())
    made = {"who": "li", "why": "flood watch", "at": "2026-11-22T07:00:00+00:00"}
    return {**made, "key": key, "slot": slot, "until": until.isoformat("T", "seconds")}


def county(folder: Path, **sections: object) -> Path:
    """The small county with these sections beside its own."""
    shutil.copytree(COUNTIES / "xiao", folder)
    with (folder / "guests.yml").open("w", encoding="utf-8") as file:
        YAML().dump(sections, file)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> NetworkModel:
    switches = {"travellers": {"wang": notebook(2), "chen": notebook(3, days=-1)}}
    return load_model(county(tmp_path / "c", third_parties={"x01": THIRD}, travellers=TRAVELLERS, switches=switches))


def texts(model: NetworkModel) -> dict[tuple[str, str], str]:
    environment = load_environment("twin")
    return {
        (host.name, file.path): file.text
        for host in model.linux_appliances()
        for file in render(model, host.name, environment)
    }


def test_a_guest_reaches_what_is_written_and_nothing_else(model: NetworkModel) -> None:
    rules = texts(model)["c1-vpn", "/etc/nftables.conf"]
    exchange = model.services["exchange"].address
    passed = [line.strip() for line in rules.splitlines() if "192.168.40.0/24" in line]
    assert re.fullmatch(
        rf'iifname .* oifname "p\d+" ip saddr 192.168.40.0/24 ip daddr {exchange}/32 tcp dport 443 counter accept '
        'comment "x01"',
        passed[0],
    )
    assert [line.split()[-1] for line in passed[1:]] == ["accept", "drop", "drop"]
    assert "ct state established" in passed[1]
    chen = [line for line in rules.splitlines() if "10.9.194.3/32" in line and "dport" in line]
    assert len(chen) == 2, "a leader: the two services and no more"
    pool = rules.index("ip saddr 10.9.194.0/24 counter name deny-guests drop")
    assert pool < rules.index("# Each network keeps"), "an address that nobody has stops before the network's own rule"
    subprocess.run(["nft", "-c", "-f", "-"], input=rules, text=True, check=True, capture_output=True)


def test_the_gateway_knows_a_third_party_by_its_secret_or_by_its_root(model: NetworkModel, tmp_path: Path) -> None:
    text = texts(model)["c1-vpn", "/etc/swanctl/conf.d/county.conf"]
    assert "id = gw.bank.example" in text
    assert 'secret = "@secret:psk/x01@"' in text
    assert "remote_ts = 192.168.40.0/24" in text
    assert "local_ts = 10.8.0.0/13" in text, "the network that it visits, not the county"
    root = CountyCA(tmp_path / "theirs").certificate_pem
    third = {**THIRD, "authority": root, "address": "198.51.100.7"}
    other = texts(load_model(county(tmp_path / "d", third_parties={"x01": third})))
    text = other["c1-vpn", "/etc/swanctl/conf.d/county.conf"]
    assert "cacerts = x01.pem" in text
    assert "remote_addrs = 198.51.100.7" in text
    assert "@secret:psk" not in text
    assert other["c1-vpn", "/etc/swanctl/x509ca/x01.pem"] == root
    assert ("x01-gw", "/etc/swanctl/conf.d/county.conf") not in other, "not ours to configure"


def test_a_new_traveller_changes_the_gateway_s_peers_and_ruleset_alone(model: NetworkModel, tmp_path: Path) -> None:
    before = texts(load_model(county(tmp_path / "d", third_parties={"x01": THIRD}, travellers=TRAVELLERS)))
    after = texts(model)
    assert {key for key in after if before.get(key) != after[key]} == {
        ("c1-vpn", "/etc/wireguard/wg0.conf"),
        ("c1-vpn", "/etc/nftables.conf"),
    }
    peers = after["c1-vpn", "/etc/wireguard/wg0.conf"]
    for login in ("wang", "chen"):
        guest = model.guests[login]
        assert f"# {login}\n[Peer]\nPublicKey = {guest.key}\nAllowedIPs = {guest.prefixes[0]}\n" in peers


def test_the_notebook_s_file_says_what_the_gateway_expects(model: NetworkModel) -> None:
    private = wireguard.generate()
    text = configuration(model, "chen", private, "GATEWAY=")
    assert f"PrivateKey = {private}\nAddress = 10.9.194.3/32\n" in text
    services = ", ".join(f"{model.services[name].address}/32" for name in ("portal", "exchange"))
    assert f"AllowedIPs = {services}\nEndpoint = {model.exits[0].address.ip}:51820\n" in text


def test_whose_day_is_over(model: NetworkModel) -> None:
    assert overdue(model, datetime.now(UTC)) == ["chen"]
    assert overdue(model, datetime.now(UTC) + timedelta(days=31)) == ["wang", "chen"]


def test_who_is_played_and_who_may_travel(model: NetworkModel, tmp_path: Path) -> None:
    (guest,) = played(model)
    assert str(guest_place(guest).address) == "192.168.40.1"
    assert traveller.chosen(model) == "", "wang and chen have their notebooks"
    assert traveller.chosen(load_model(county(tmp_path / "d", travellers=TRAVELLERS))) == "chen"


@pytest.mark.parametrize(
    ("sections", "key", "expected"),
    [
        ({"third_parties": {"x01": {**THIRD, "prefixes": ["10.8.0.0/24"]}}}, "prefixes[0]", "in use already"),
        ({"third_parties": {"x01": {**THIRD, "prefixes": ["203.0.113.0/25"]}}}, "prefixes[0]", "internet"),
        ({"third_parties": {"x01": {**THIRD, "reaches": ["lessons"]}}}, "reaches[0]", "a service of gov"),
        ({"third_parties": {"x01": {**THIRD, "network": "tv"}}}, "network", "one of the gateway's"),
        ({"third_parties": {"x01": {**THIRD, "home": "c1"}}}, "home", "the code of a carrier"),
        ({"third_parties": {"x01": {**THIRD, "identity": "a b"}}}, "identity", "an IKE identity"),
        ({"third_parties": {"x01": {**THIRD, "authority": "no"}}}, "authority", "a certificate in PEM"),
        ({"travellers": {**TRAVELLERS, "number": 11}}, "travellers.number", "used nowhere else (t01)"),
        ({"travellers": {**TRAVELLERS, "network": "mgmt"}}, "travellers.network", "one of the gateway's"),
        ({"travellers": {**TRAVELLERS, "reaches": {"leader": ["nothing"]}}}, "reaches.leader[0]", "a service of gov"),
        (
            {"travellers": TRAVELLERS, "switches": {"travellers": {"ghost": notebook(2)}}},
            "switches.travellers.ghost",
            "one of the roles",
        ),
        (
            {"travellers": TRAVELLERS, "switches": {"travellers": {"wang": notebook(2), "chen": notebook(2)}}},
            "slot",
            "one of its own (wang)",
        ),
        (
            {"switches": {"travellers": {"wang": notebook(2)}}},
            "switches.travellers.wang",
            "a county with `travellers:`",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, sections: dict[str, object], key: str, expected: str) -> None:
    with pytest.raises(CountyErrors) as caught:
        load_model(county(tmp_path / "c", **sections))
    (problem,) = [each for each in caught.value.problems if key in each.key]
    assert expected in problem.expected
    assert problem.place.file == "guests.yml"

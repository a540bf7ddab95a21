"""A remote site's VPN access: what revoking changes and where, whose keys burn, and what the gateway's answer says."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from identity import wireguard
from identity.ca import CountyCA
from identity.secrets import NEXT_WIREGUARD, Secrets
from inventory.load import load_model
from inventory.model import NetworkModel, Switch
from provision.broker.expect import expected
from provision.broker.secrets import DeviceSecrets
from provision.broker.wire import BrokerError
from provision.environment import load_environment
from provision.render import render
from provision.rotation import _CHANGE_OVER, _TAKE_OVER
from provision.vpn import seen, tunnel_of
from sanwang.vpn import expiring
from tests.drills.counties import with_two_carriers

MARK = Switch("wang", "stolen", "2026-11-22T04:00:00+00:00")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> NetworkModel:
    return load_model(with_two_carriers(tmp_path_factory.mktemp("vpn") / "county"))


def texts(model: NetworkModel, hosts: list[str]) -> dict[tuple[str, str], str]:
    environment = load_environment("production")
    return {(host, file.path): file.text for host in hosts for file in render(model, host, environment)}


@pytest.mark.parametrize(
    ("site", "box", "path"),
    [("v01", "v01-cpe", "/etc/wireguard/wg0.conf"), ("ip01", "ip01-box", "/etc/swanctl/conf.d/county.conf")],
)
def test_revoking_a_site_takes_it_from_the_gateway_and_changes_nothing_else(
    model: NetworkModel, site: str, box: str, path: str
) -> None:
    hosts = [host.name for host in model.appliances()]
    less = replace(model, revoked={site: MARK})
    before, after = texts(model, hosts), texts(less, hosts)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {
        (model.vpn, path),
        (model.nms, "/etc/prometheus/county.rules.yml"),
    }  # nobody waits for its figures
    assert box in before[model.vpn, path]
    assert box not in after[model.vpn, path]
    others = {tunnel.host for tunnel in model.tunnels.values() if tunnel.kind == model.tunnels[site].kind} - {box}
    assert all(other in after[model.vpn, path] for other in others)


def test_a_revoked_box_is_neither_provisioned_nor_expected(model: NetworkModel) -> None:
    less = replace(model, revoked={"v01": MARK})
    assert {host.name for host in model.appliances()} - {host.name for host in less.appliances()} == {"v01-cpe"}
    gateway = less.hosts[less.vpn]
    assert {tunnel.site for tunnel in expected(less, gateway, ()).wireguard} == {"v02"}


def test_burning_a_host_s_keys_leaves_nothing_of_the_old_ones_good(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    old_key, kept_key = secrets.resolve("wg/v01-cpe"), secrets.resolve("wg/v02-cpe")
    old = x509.load_pem_x509_certificate(secrets.resolve("cert/v01-cpe").encode())
    serial = f"{old.serial_number:x}"
    assert secrets.burn("v01-cpe", "stolen") == [serial]
    assert secrets.ca.revoked(serial)
    revoked = x509.load_pem_x509_crl(secrets.resolve("crl").encode())
    assert revoked.get_revoked_certificate_by_serial_number(old.serial_number) is not None
    assert secrets.resolve("wg/v01-cpe") != old_key
    assert secrets.resolve("wg/v02-cpe") == kept_key
    new = x509.load_pem_x509_certificate(secrets.resolve("cert/v01-cpe").encode())
    assert new.public_key() != old.public_key()
    assert secrets.burn("v01-cpe", "again") == [f"{new.serial_number:x}"]


def test_a_certificate_revoked_by_its_number_is_not_handed_out_again(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    first = secrets.resolve("cert/ip01-box")
    assert secrets.resolve("cert/ip01-box") == first
    secrets.ca.revoke(secrets.ca.good("ip01-box")[0].serial, "by hand")
    assert secrets.resolve("cert/ip01-box") != first


def test_an_interrupted_rotation_goes_on_with_the_same_key(tmp_path: Path) -> None:
    device = DeviceSecrets(tmp_path)
    old = device.value("wg/v01-cpe")
    new = device.next_wireguard("v01-cpe")
    assert new != old
    assert DeviceSecrets(tmp_path).next_wireguard("v01-cpe") == new
    device.settle_wireguard("v01-cpe", keep=False)
    assert device.value("wg/v01-cpe") == old
    again = device.next_wireguard("v01-cpe")
    device.settle_wireguard("v01-cpe", keep=True)
    assert device.value("wg/v01-cpe") == again != new
    assert device.value("wg-pub/v01-cpe") == wireguard.public_key(again)
    assert not any(name.startswith(NEXT_WIREGUARD) for name in Secrets(tmp_path).vault.names())


def test_a_renewed_certificate_is_for_a_new_key_and_can_be_given_up(tmp_path: Path, model: NetworkModel) -> None:
    device, box = DeviceSecrets(tmp_path), model.hosts["ip01-box"]
    before = device.renew_certificate(box, model)
    secrets = Secrets(tmp_path)
    made = x509.load_pem_x509_certificate(secrets.vault.get("cert/ip01-box").encode())
    assert secrets.vault.get("key/ip01-box") != before[0]
    device.restore_certificate("ip01-box", before)
    assert (secrets.vault.get("key/ip01-box"), secrets.vault.get("cert/ip01-box")) == before
    assert secrets.ca.revoked(f"{made.serial_number:x}")
    assert [row.serial for row in secrets.ca.good("ip01-box")] == [
        f"{x509.load_pem_x509_certificate(before[1].encode()).serial_number:x}"
    ]


def test_scripts_of_a_rotation_are_shell_and_hold_no_private_key() -> None:
    scripts = [_CHANGE_OVER.format(turns=3), _TAKE_OVER.format(old="o", new="n", prefixes="10.0.0.0/8", turns=3)]
    for script in scripts:
        done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
        assert done.stderr == ""


def test_the_gateway_s_answer_tells_who_is_connected() -> None:
    ipsec = (
        "ip01: #1, ESTABLISHED, IKEv2, 5b\n  ip01: #2, reqid 1, INSTALLED, TUNNEL-in-UDP\n"
        "    local  0.0.0.0/0\n    remote 10.9.175.0/24 10.33.175.1/32\n"
    )
    text = f"K1\t1000\nK2\t0\n=====\nK1\t10.9.145.0/24 10.33.145.1/32\nK2\t10.9.146.0/24\n=====\n{ipsec}=====\n1060\n"
    assert seen(text) == {
        "10.9.145.0/24": 60,
        "10.33.145.1/32": 60,
        "10.9.175.0/24": 0,
        "10.33.175.1/32": 0,
    }
    with pytest.raises(BrokerError, match="four parts"):
        seen("sh: not found")


def test_a_site_without_a_tunnel_is_answered_with_those_that_have_one(model: NetworkModel) -> None:
    assert tunnel_of(model, "v01").host == "v01-cpe"
    with pytest.raises(BrokerError, match=r"'t01' is no site with a tunnel; expected one of: .*v01"):
        tunnel_of(model, "t01")


def test_expiry_counts_the_newest_good_certificate_of_each_host(tmp_path: Path) -> None:
    authority = CountyCA(tmp_path)
    authority.issue_server("pages")
    authority.issue_vpn("ip01-box")
    authority.issue_vpn("ip01-box")
    gone = authority.issue_vpn("ip02-box")[1]
    authority.revoke(f"{x509.load_pem_x509_certificate(gone.encode()).serial_number:x}", "stolen")
    now = datetime.now(UTC)
    rows = expiring(authority, now)
    assert [row["name"] for row in rows] == ["pages", "ip01-box", "county"]
    assert rows[0]["days_left"] == pytest.approx(396, abs=1)
    later = expiring(authority, now + timedelta(days=380))
    assert later[0]["days_left"] == pytest.approx(16, abs=1)

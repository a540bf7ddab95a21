"""H3C Comware 7: commit delay, configuration replace, and its own ways."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.twin.user import User, device, eventually
from twin.standins.editor import load_text


async def lines(user: User, command: str) -> list[str]:
    return (await user.type("screen-length disable", command)).split("\n")


async def test_settings_after_commit_delay_go_unless_committed() -> None:
    on = device("h3c_comware", second_s=0.005)
    user = User(on)
    await user.type("system-view", "vlan 10", "configuration commit delay 1", "vlan 20", "undo vlan 10")
    assert on.running.get("vlan", "20") is not None
    await eventually(lambda: on.running.get("vlan", "20") is None)
    assert on.running.get("vlan", "10") is not None
    await user.type("configuration commit delay 1", "vlan 20", "configuration commit")
    await asyncio.sleep(0.4)
    assert on.running.get("vlan", "20") is not None
    assert "has not been started" in await user.type("configuration commit")


async def test_the_timer_may_be_prolonged_but_the_rollback_point_stays() -> None:
    on = device("h3c_comware", second_s=0.005)
    user = User(on)
    await user.type(
        "system-view", "configuration commit delay 60", "vlan 10", "configuration commit delay 1", "vlan 20"
    )
    await eventually(lambda: on.running.get("vlan", "10") is None)
    assert on.running.get("vlan", "20") is None


async def test_the_timer_outlives_the_session() -> None:
    on = device("h3c_comware", second_s=0.005)
    user = User(on)
    await user.type("system-view", "configuration commit delay 1", "vlan 10")
    await user.leave()
    assert on.running.get("vlan", "10") is not None
    await eventually(lambda: on.running.get("vlan", "10") is None)


async def test_configuration_replace_becomes_the_file(tmp_path: Path) -> None:
    on = device("h3c_comware", state=tmp_path / "sw.json")
    user = User(on)
    said = await user.type("system-view", "vlan 10", "save checkpoint.cfg", "y")
    assert said.endswith("(To leave the existing filename unchanged, press the enter key):")
    assert "successfully" in await user.type("")
    await user.type("undo vlan 10", "vlan 20", "interface GigabitEthernet1/0/1", "shutdown")
    asked = await user.type("configuration replace file checkpoint.cfg")
    assert asked.endswith("Current configuration will be lost, save current configuration? [Y/N]:")
    assert "Succeeded in replacing" in await user.type("n")
    assert on.running.get("vlan", "10") is not None
    assert on.running.get("vlan", "20") is None
    assert not on.dialect.is_shut(on.running, "GigabitEthernet1/0/1")
    assert "checkpoint.cfg" in device("h3c_comware", state=tmp_path / "sw.json").files
    assert "does not exist" in await user.type("configuration replace file nowhere.cfg")


async def test_save_force_asks_nothing() -> None:
    on = device("h3c_comware")
    user = User(on)
    said = await user.type("save force")
    assert "Validating file. Please wait..." in said
    assert said.endswith("<sw>")
    assert " sysname sw\n" in on.startup


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("vlna 10", " % Unrecognized command found at '^' position."),
        ("vlan 5000", " % Wrong parameter found at '^' position."),
        ("interface", " % Incomplete command found at '^' position."),
        ("lldp global enable x", " % Too many parameters found at '^' position."),
    ],
)
async def test_errors(line: str, text: str) -> None:
    user = User(device("h3c_comware"))
    await user.type("system-view")
    said = (await user.type(line)).split("\n")
    assert said[1].endswith("^")
    assert said[2] == text


async def test_link_type_takes_the_old_lines_along_but_not_from_trunk_to_hybrid() -> None:
    user = User(device("h3c_comware"))
    await user.type(
        "system-view", "vlan 10 20", "interface g1/0/1", "port link-type trunk", "port trunk permit vlan 10"
    )
    assert "access first" in await user.type("port link-type hybrid")
    await user.type("undo port trunk permit vlan 1")
    shown = await lines(user, "display this")
    assert " port trunk permit vlan 10" in shown
    assert " undo port trunk permit vlan 1" in shown
    await user.type("port link-type access", "port access vlan 20")
    shown = await lines(user, "display this")
    assert [line for line in shown if "trunk" in line] == []
    assert " port access vlan 20" in shown


async def test_vpn_binding_and_link_mode_drop_addresses() -> None:
    user = User(device("h3c_comware"))
    await user.type("system-view", "ip vpn-instance A", "route-distinguisher 1:1", "interface g1/0/1")
    assert "Unrecognized" in await user.type("ip address 10.0.0.1 24")
    await user.type("port link-mode route", "ip address 10.0.0.1 24")
    assert "Some configurations on the interface are removed." in await user.type("ip binding vpn-instance A")
    assert " ip address 10.0.0.1 255.255.255.0" not in await lines(user, "display this")
    await user.type("ip address 10.0.0.1 24")
    assert " ip address 10.0.0.1 255.255.255.0" in await lines(user, "display this")
    await user.type("port link-mode bridge")
    shown = await lines(user, "display this")
    assert [line for line in shown if "ip" in line.split()] == []


async def test_passwords_are_hashed_for_logins_and_ciphered_elsewhere() -> None:
    user = User(device("h3c_comware"))
    assert (await user.type("system-view", "local-user bob")).endswith("[sw-luser-manage-bob]")
    await user.type("password simple Secret-123", "ospf 1", "area 0", "authentication-mode md5 1 plain Secret-123")
    text = user.device.dialect.text(user.device.running)
    assert "Secret" not in text
    assert " password hash $h$6$" in text
    assert "authentication-mode md5 1 cipher $c$3$" in text


async def test_a_configuration_reads_back_as_itself() -> None:
    user = User(device("h3c_comware"))
    await user.type("system-view", "vlan 10 20", "ip vpn-instance A", "route-distinguisher 1:1", "vpn-target 1:1")
    await user.type("interface Vlan-interface10", "ip binding vpn-instance A", "ip address 10.1.1.1 24", "bgp 65001")
    await user.type("peer 10.9.9.9 as-number 65002", "address-family ipv4", "peer 10.9.9.9 enable", "ip vpn-instance A")
    await user.type("peer 10.8.8.8 as-number 65003", "address-family ipv4", "peer 10.8.8.8 enable", "acl advanced 3000")
    await user.type(
        "rule permit tcp destination-port eq 443", "qos policy p", "traffic classifier c", "if-match acl 3000"
    )
    await user.type(
        "traffic behavior b", "remark dscp ef", "qos policy p", "classifier c behavior b", "interface g1/0/2"
    )
    await user.type(
        "qos apply policy p inbound", "ip route-static 0.0.0.0 0 10.1.1.254", "snmp-agent sys-info version v3"
    )
    await user.type("ntp-service enable", "ntp-service unicast-server 10.3.3.3", "info-center loghost 10.4.4.4")
    dialect = user.device.dialect
    shown = dialect.render(user.device.running)
    root, refused = load_text(dialect, "\n".join(shown))
    assert refused == []
    assert dialect.render(root) == shown
    assert shown.count(" address-family ipv4 unicast") == 1
    assert "  address-family ipv4 unicast" in shown
    assert " qos apply policy p inbound" in shown


async def test_routes_are_shown_with_the_length_of_the_mask() -> None:
    user = User(device("h3c_comware"))
    await user.type(
        "system-view", "ip route-static 10.1.0.0 255.255.0.0 10.0.0.1", "ip route-static 0.0.0.0 0 10.0.0.2"
    )
    shown = await lines(user, "display current-configuration")
    assert " ip route-static 10.1.0.0 16 10.0.0.1" in shown
    assert " ip route-static 0.0.0.0 0 10.0.0.2" in shown
    await user.type("undo ip route-static 10.1.0.0 16")
    assert len(user.device.running.starting("ip", "route-static")) == 1


async def test_service_types_collect() -> None:
    user = User(device("h3c_comware"))
    await user.type("system-view", "local-user bob", "service-type terminal", "service-type ssh telnet")
    assert " service-type ssh telnet terminal" in await lines(user, "display this")
    await user.type("undo service-type ssh telnet")
    assert " service-type terminal" in await lines(user, "display this")


async def test_a_trap_target_is_taken_back_with_its_vpn_named_last() -> None:
    on = device("h3c_comware")
    user, target = User(on), "snmp-agent target-host trap address udp-domain"
    await user.type("system-view", "ip vpn-instance mgmt", "quit")
    for address in ("10.0.0.1", "10.0.0.2"):
        await user.type(f"{target} {address} vpn-instance mgmt params securityname sanwang v3 privacy")
    await user.type(f"undo {target} 10.0.0.2 params securityname sanwang")  # the one without a VPN: there is none
    assert len(on.running.starting("snmp-agent", "target-host")) == 2
    await user.type(f"undo {target} 10.0.0.2 params securityname sanwang vpn-instance mgmt")
    assert [line.words[5] for line in on.running.starting("snmp-agent", "target-host")] == ["10.0.0.1"]

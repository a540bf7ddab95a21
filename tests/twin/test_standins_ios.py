"""Ruijie RGOS and ZTE ZXR10."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.twin.user import User, device
from twin.standins.editor import load_text


async def configuring(platform: str) -> User:
    user = User(device(platform))
    await user.type("terminal length 0", "configure terminal")
    return user


async def section(user: User, head: str) -> list[str]:
    """One block of the configuration, without its head."""
    said = (await user.type("show running-config")).split("\n")
    start = next(at for at, line in enumerate(said) if line.strip() == head)
    depth = len(said[start]) - len(said[start].lstrip())
    block = []
    for line in said[start + 1 :]:
        if len(line) - len(line.lstrip()) <= depth:
            break
        block.append(line.strip())
    return block


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        ("ruijie_rgos", "Enter configuration commands, one per line.  End with CNTL/Z."),
        ("zte_zxr10", "%Info 20272: Enter configuration commands, one per line. End with CTRL/Z."),
    ],
)
async def test_modes(platform: str, said: str) -> None:
    user = User(device(platform))
    assert (await user.greeting()).endswith("sw#")
    assert said in await user.type("conf t")
    assert (await user.type("router bgp 65001")).endswith(
        "sw(config-router)#" if "rgos" in platform else "sw(config-bgp)#"
    )
    assert (await user.type("hostname other")).endswith("other(config)#")
    assert (await user.type("exit")).endswith("other#")
    assert (await user.type("conf t", "hostname sw", "end")).endswith("sw#")


@pytest.mark.parametrize("platform", ["ruijie_rgos", "zte_zxr10"])
async def test_enable_asks_for_the_password(platform: str) -> None:
    user = User(device(platform, enable_password="let me in"))
    assert (await user.greeting()).endswith("sw>")
    assert "Invalid input" in await user.type("configure terminal")
    assert (await user.type("enable")).endswith("Password:")
    assert (await user.type("wrong")).endswith("Password:")
    said = await user.type("let me in")
    assert said.endswith("sw#")
    assert "let me in" not in said
    assert (await user.type("disable")).endswith("sw>")


@pytest.mark.parametrize(
    ("platform", "line", "expected"),
    [
        ("ruijie_rgos", "hostnaem x", ["           ^", "% Invalid input detected at '^' marker."]),
        ("ruijie_rgos", "hostname", ["", "% Incomplete command."]),
        ("ruijie_rgos", "s", ['% Ambiguous command: "s"']),
        ("zte_zxr10", "hostnaem x", ["           ^", "%Error 20200: Invalid input detected at '^' marker."]),
        ("zte_zxr10", "hostname", ["%Error 20203: Incomplete command."]),
        ("zte_zxr10", "s", ["%Error 20204: Ambiguous command."]),
        ("zte_zxr10", "router ospf x", [" " * 23 + "^", "%Error 20202: Invalid input detected at '^' marker."]),
    ],
)
async def test_errors(platform: str, line: str, expected: list[str]) -> None:
    user = await configuring(platform)
    said = (await user.type(line)).split("\n")[1:]
    assert [text.rstrip() for text in said[: len(expected)]] == expected


@pytest.mark.parametrize(("platform", "ok"), [("ruijie_rgos", "[OK]"), ("zte_zxr10", "..[OK]")])
async def test_write_survives_a_power_cut(platform: str, ok: str, tmp_path: Path) -> None:
    state = tmp_path / "sw.json"
    user = User(device(platform, state=state))
    said = await user.type("conf t", "hostname kept", "end", "write", "conf t", "hostname lost", "end")
    assert ok in said.split("\n")
    assert (await User(device(platform, state=state)).greeting()).endswith("kept#")


async def test_rgos_trunks_are_shown_as_only_what_passes() -> None:
    user = await configuring("ruijie_rgos")
    await user.type("vlan range 10,20-22", "interface gi 0/1", "switchport mode trunk")
    assert await section(user, "interface GigabitEthernet 0/1") == ["switchport mode trunk"]
    await user.type("switchport trunk allowed vlan remove 1,30-4094")
    only = "switchport trunk allowed vlan only 2-29"
    assert await section(user, "interface GigabitEthernet 0/1") == ["switchport mode trunk", only]
    await user.type("switchport trunk allowed vlan only 10,20", "switchport trunk allowed vlan add 22")
    assert (await section(user, "interface GigabitEthernet 0/1"))[1] == "switchport trunk allowed vlan only 10,20,22"
    await user.type("switchport trunk allowed vlan all")
    assert await section(user, "interface GigabitEthernet 0/1") == ["switchport mode trunk"]
    assert "Creating vlan 99" in await user.type("switchport mode access", "switchport access vlan 99")
    assert await section(user, "interface GigabitEthernet 0/1") == ["switchport access vlan 99"]
    await user.type("no vlan 99")
    assert await section(user, "interface GigabitEthernet 0/1") == []


async def test_rgos_vlan_range_is_one_line_and_names_are_blocks() -> None:
    user = await configuring("ruijie_rgos")
    assert (await user.type("vlan range 10,20-22")).endswith("sw(config-vlan)#")
    await user.type("exit", "vlan 20", "name lan")
    said = await user.type("show running-config")
    assert "\nvlan range 1,10,20-22\n!\nvlan 20\n name lan\n!\n" in said
    assert "may not be deleted" in await user.type("no vlan 1")


async def test_rgos_access_entries() -> None:
    user = await configuring("ruijie_rgos")
    await user.type("ip access-list extended 100", "permit tcp any host 10.0.0.1 eq www", "deny ip any any")
    await user.type("15 permit udp any any eq 53")
    assert await section(user, "ip access-list extended 100") == [
        "10 permit tcp any host 10.0.0.1 eq www",
        "15 permit udp any any eq 53",
        "20 deny ip any any",
    ]
    assert "already used" in await user.type("15 permit ip any any")
    assert "already exists" in await user.type("deny ip any any")
    await user.type("no 15")
    assert len(await section(user, "ip access-list extended 100")) == 2
    assert "does not exist" in await user.type("no 15")


@pytest.mark.parametrize(
    ("platform", "port", "routed"),
    [("ruijie_rgos", "GigabitEthernet 0/1", "no switchport"), ("zte_zxr10", "gei-0/1/1/1", "speed 1000")],
)
async def test_a_vrf_takes_the_address(platform: str, port: str, routed: str) -> None:
    user = await configuring(platform)
    await user.type("ip vrf A", "rd 1:1", f"interface {port}", routed, "ip address 10.0.0.1 255.255.255.0")
    said = await user.type("ip vrf forwarding A")
    assert ("removed due to enabling VRF A" in said) is (platform == "ruijie_rgos")
    assert not [line for line in await section(user, f"interface {port}") if "address" in line]
    await user.type("ip address 10.0.0.1 255.255.255.0", "no ip vrf A")
    assert not [line for line in await section(user, f"interface {port}") if line.startswith("ip")]
    assert "does not exist" in await user.type(f"interface {port}", "ip vrf forwarding A")


async def test_rgos_passwords() -> None:
    user = await configuring("ruijie_rgos")
    await user.type("username bob privilege 15", "username bob password plain1", "username al secret hidden1")
    shown = (await user.type("show running-config | include username")).split("\n")
    assert "username bob privilege 15 password plain1" in shown
    assert any(line.startswith("username al secret 5 $1$") for line in shown)
    await user.type("service password-encryption", "username bob password plain2")
    assert "privilege 15 password 7 " in await user.type("show running-config | include username bob")


async def test_zxr10_ports_are_shut_until_opened() -> None:
    user = await configuring("zte_zxr10")
    on = user.device
    assert not on.dialect.is_shut(on.running, "gei-0/1/1/1")
    assert "no shutdown" in await section(user, "interface gei-0/1/1/1")
    await user.type("interface gei-0/1/1/1", "shutdown")
    assert on.dialect.is_shut(on.running, "gei-0/1/1/1")
    assert await section(user, "interface gei-0/1/1/1") == []
    await user.type("end", "write")
    said = await user.type("show running-config-interface gei-0/1/1/1")
    assert "!<if-intf>\ninterface gei-0/1/1/1\n$\n!</if-intf>" in said


async def test_zxr10_vlans_stand_in_the_switching_part() -> None:
    user = await configuring("zte_zxr10")
    await user.type("switchvlan-configuration", "vlan list 10,20-22", "interface gei-0/1/1/1")
    assert "not trunk" in await user.type("switchport trunk vlan 10")
    await user.type("switchport mode trunk", "switchport trunk vlan 10,20", "switchport trunk vlan 21-22")
    said = await user.type("show running-config")
    assert "  interface gei-0/1/1/1\n    switchport mode trunk\n    switchport trunk vlan 10,20-22\n  $\n$" in said
    await user.type("no switchport trunk vlan 20")
    assert "switchport trunk vlan 10,21-22" in await user.type("show running-config")
    await user.type("switchport mode access")
    assert "switchport" not in (await user.type("show running-config | include switchport")).split("\n", 1)[1]


@pytest.mark.parametrize(
    ("platform", "lines"),
    [
        (
            "ruijie_rgos",
            "vlan range 10,20|ip vrf A|rd 1:1|route-target both 1:1|interface vlan 10|ip vrf forwarding A|"
            "ip address 10.1.1.1 24|interface gi 0/2|shutdown|description to t01|router ospf 1|"
            "network 10.1.1.0 0.0.0.255 area 0|router bgp 65001|neighbor 10.9.9.9 remote-as 65002|"
            "address-family ipv4 vrf A|redistribute connected|ip route vrf A 0.0.0.0 0.0.0.0 10.1.1.254|"
            "class-map voice|match ip dscp 46|policy-map in|class voice|set ip dscp 46|interface gi 0/3|"
            "service-policy input in|mls qos trust dscp|snmp-server group g v3 priv|"
            "snmp-server user ops g v3 auth sha Secret123 priv aes128 Secret456|ntp server 10.3.3.3|"
            "logging server 10.4.4.4|"
            "ip access-list standard 10|permit host 10.3.3.1|line vty 0 4|access-class 10 in|exec-timeout 5",
        ),
        (
            "zte_zxr10",
            "switchvlan-configuration|vlan list 10,20|ip vrf A|rd 1:1|address-family ipv4|route-target both 1:1|"
            "interface vlan10|ip vrf forwarding A|ip address 10.1.1.1 255.255.255.0|interface gei-0/1/1/2|shutdown|"
            "description to t01|router ospf 1|area 0|network 10.1.1.0 0.0.0.255|interface vlan10|cost 5|"
            "router bgp 65001|neighbor 10.9.9.9 remote-as 65002|address-family ipv4 vrf A|redistribute connected|"
            "ip route vrf A 0.0.0.0 0.0.0.0 10.1.1.254|class-map voice match-any|match dscp 46|"
            "policy-map in|class voice|"
            "set ip dscp 46|service-policy gei-0/1/1/3 input in|snmp-server group g v3 priv|"
            "snmp-server user ops g v3 auth sha Secret123 priv aes128 Secret456|ntp server 10.3.3.3|"
            "syslog-server host 10.4.4.4|ipv4-access-list mgmt|rule 10 permit tcp 10.3.3.0 0.0.0.255 any eq 22|lldp|"
            "interface gei-0/1/1/1|lldp enable",
        ),
    ],
)
async def test_a_configuration_reads_back_as_itself(platform: str, lines: str) -> None:
    user = await configuring(platform)
    for line in lines.split("|"):
        said = await user.type(line)
        assert "%" not in said, said
    dialect = user.device.dialect
    text = dialect.text(user.device.running)
    assert "Secret" not in text
    root, refused = load_text(dialect, text)
    assert refused == []
    assert dialect.text(root) == text


@pytest.mark.parametrize("platform", ["ruijie_rgos", "zte_zxr10"])
async def test_a_neighbour_goes_from_its_own_families_alone(platform: str) -> None:
    user = await configuring(platform)
    await user.type("ip vrf A", "rd 1:1", "router bgp 65001", "neighbor 10.0.0.2 remote-as 65002")
    await user.type("neighbor 10.0.0.2 route-map IN in", "neighbor 10.0.0.2 route-map OTHER in")
    assert "neighbor 10.0.0.2 route-map OTHER in" in await section(user, "router bgp 65001")
    assert "neighbor 10.0.0.2 route-map IN in" not in await section(user, "router bgp 65001")
    await user.type("address-family ipv4 vrf A", "neighbor 10.0.0.2 remote-as 65009", "exit", "no neighbor 10.0.0.2")
    left = [line for line in await section(user, "router bgp 65001") if "neighbor" in line]
    assert left == ["neighbor 10.0.0.2 remote-as 65009"]


async def test_rgos_banners_go_on_over_lines() -> None:
    user = await configuring("ruijie_rgos")
    assert (await user.type("banner login %", "Keep out.", "!", "Really. %")).endswith("sw(config)#")
    said = await user.type("show running-config")
    assert "banner login %\nKeep out.\n!\nReally. %\n" in said
    root, refused = load_text(user.device.dialect, user.device.dialect.text(user.device.running))
    assert refused == []
    assert root.same(user.device.running)


async def test_rgos_has_both_ways_to_write_a_vrf() -> None:
    user = await configuring("ruijie_rgos")
    await user.type("vrf definition A", "rd 1:1", "address-family ipv4", "route-target both 1:1", "exit-address-family")
    await user.type("interface vlan 10", "ip address 10.0.0.1 24", "vrf forwarding A")
    assert await section(user, "interface VLAN 10") == ["vrf forwarding A"]
    assert "disabling VRF A" in await user.type("ip address 10.0.0.1 24", "no vrf forwarding")
    await user.type("vrf forwarding A", "no vrf definition A")
    assert await section(user, "interface VLAN 10") == []

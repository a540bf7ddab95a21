"""Huawei VRP5, and what both VRPs do between the lines of a configuration."""

from __future__ import annotations

import pytest

from tests.twin.user import User, device
from twin.standins.editor import load_text

PORT = "interface GigabitEthernet0/0/1"


async def at_port() -> User:
    user = User(device("huawei_vrp5"))
    await user.type("screen-length 0 temporary", "system-view", PORT)
    return user


async def this(user: User) -> list[str]:
    """The lines of `display this` between the separators."""
    said = (await user.type("display this")).split("\n")
    return said[said.index("#") + 1 : said.index("return") - 1]


async def shown(user: User, part: str) -> list[str]:
    """The lines of one part of the configuration."""
    said = (await user.type(f"display current-configuration configuration {part}")).split("\n")
    return said[said.index("#") + 1 : said.index("return") - 1]


async def test_lines_run_at_once_and_save_asks() -> None:
    on = device("huawei_vrp5")
    user = User(on)
    said = await user.type("system-view", "vlan batch 10 20 to 22", "quit", "save")
    assert "Enter system view, return user view with Ctrl+Z." in said
    assert said.endswith("Are you sure to continue?[Y/N]")
    assert on.running.get("vlan", "21") is not None
    assert on.startup == ""
    assert "Save the configuration successfully." in await user.type("y")
    assert "vlan batch 10 20 to 22\n" in on.startup


@pytest.mark.parametrize(
    ("line", "caret_under", "text"),
    [
        ("displya version", "displya", "Error: Unrecognized command found at '^' position."),
        ("interface", "", "Error: Incomplete command found at '^' position."),
        ("vlan 5000", "5000", "Error: Wrong parameter found at '^' position."),
        ("interface GigabitEthernet0/0/99", "GigabitEthernet0/0/99", "Error: Wrong parameter found at '^' position."),
        ("undo interface GigabitEthernet0/0/1", "GigabitEthernet", "Error: Wrong parameter found at '^' position."),
        ("snmp-agent trap enable now", "now", "Error: Too many parameters found at '^' position."),
        ("s", "s", "Error: Ambiguous command found at '^' position."),
    ],
)
async def test_errors_have_the_caret_under_the_word(line: str, caret_under: str, text: str) -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view")
    said = (await user.type(line)).split("\n")
    assert said[2] == text
    assert said[0] == line
    column = len("[sw]") + (line.index(caret_under) if caret_under else len(line))
    assert said[1] == " " * column + "^"


async def test_words_may_be_short_and_views_switch_without_quit() -> None:
    user = User(device("huawei_vrp5"))
    assert (await user.type("sys", "int g0/0/1")).endswith("[sw-GigabitEthernet0/0/1]")
    assert (await user.type("acl 3000")).endswith("[sw-acl-adv-3000]")
    assert (await user.type("int g 0/0/2")).endswith("[sw-GigabitEthernet0/0/2]")
    assert (await user.type("quit")).endswith("[sw]")
    assert (await user.press(b"\x1a")).endswith("<sw>")


async def test_moving_a_port_to_a_vpn_instance_drops_its_address() -> None:
    user = await at_port()
    await user.type("quit", "ip vpn-instance A", "ipv4-family", "route-distinguisher 1:1", "quit", "quit")
    await user.type("vlan batch 10", "interface Vlanif10", "ip address 10.1.1.1 24", "ospf cost 5")
    said = await user.type("ip binding vpn-instance A")
    assert "Info: All IPv4 related configurations on this interface are removed!" in said
    assert await this(user) == ["interface Vlanif10", " ip binding vpn-instance A"]
    await user.type("ip address 10.1.1.1 255.255.255.0")
    await user.type("undo ip binding vpn-instance A")
    assert await this(user) == ["interface Vlanif10"]
    assert "does not exist" in await user.type("ip binding vpn-instance B")


async def test_an_address_is_unknown_on_a_bridged_port_and_overlaps_are_refused() -> None:
    user = await at_port()
    assert "Unrecognized command" in await user.type("ip address 10.1.1.1 24")
    await user.type("undo portswitch", "ip address 10.1.1.1 24", "interface LoopBack0")
    assert "conflicts with another address" in await user.type("ip address 10.1.1.9 32")
    await user.type("ip address 10.2.2.2 32")
    assert await this(user) == ["interface LoopBack0", " ip address 10.2.2.2 255.255.255.255"]


async def test_a_trunk_lists_its_vlans_and_vlan_one_goes_apart() -> None:
    user = await at_port()
    assert "not supported" in await user.type("port trunk allow-pass vlan 10")
    await user.type("port link-type trunk", "port trunk allow-pass vlan 10 20 to 22", "port trunk allow-pass vlan 30")
    await user.type("undo port trunk allow-pass vlan 21", "undo port trunk allow-pass vlan 1")
    trunk = [" port link-type trunk", " undo port trunk allow-pass vlan 1", " port trunk allow-pass vlan 10 20 22 30"]
    assert sorted((await this(user))[1:]) == sorted(trunk)
    assert "Please renew the default configurations" in await user.type("port link-type access")
    await user.type("undo port trunk allow-pass vlan all", "port trunk allow-pass vlan 1", "port link-type access")
    assert await this(user) == ["interface GigabitEthernet0/0/1", " port link-type access"]


async def test_long_trunks_are_shown_ten_at_a_time() -> None:
    user = await at_port()
    await user.type("port link-type trunk", "port trunk allow-pass vlan " + " ".join(str(n) for n in range(2, 26, 2)))
    lines = [line for line in await this(user) if "allow-pass" in line]
    assert [len(line.split()) - 4 for line in lines] == [10, 2]
    shown = "\n".join(await this(user))
    root, refused = load_text(user.device.dialect, shown)
    assert refused == []
    assert root.children[("interface", "GigabitEthernet0/0/1")].same(
        user.device.running.children[("interface", "GigabitEthernet0/0/1")]
    )


async def test_a_deleted_vlan_takes_ports_back_to_vlan_one_but_not_from_under_its_interface() -> None:
    user = await at_port()
    await user.type("vlan batch 10 20", PORT, "port link-type access", "port default vlan 10", "interface Vlanif20")
    assert "VLANIF" in await user.type("undo vlan 20")
    await user.type("undo vlan 10", PORT)
    assert await this(user) == ["interface GigabitEthernet0/0/1", " port link-type access"]
    assert "Error: The VLAN does not exist." in await user.type("port default vlan 10")


async def test_acl_rules_are_numbered_shown_by_name_and_overlaid() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "acl 3000", "rule permit tcp source 10.0.0.1 0 destination-port eq 80")
    await user.type(
        "rule deny ip source any", "rule 7 permit udp destination 10.1.0.0 0.0.255.255 destination-port eq 53"
    )
    assert await this(user) == [
        "acl number 3000",
        " rule 5 permit tcp source 10.0.0.1 0 destination-port eq www",
        " rule 7 permit udp destination 10.1.0.0 0.0.255.255 destination-port eq dns",
        " rule 10 deny ip",
    ]
    await user.type("rule 5 deny tcp destination 10.9.9.9 0")
    assert " rule 5 deny tcp source 10.0.0.1 0 destination 10.9.9.9 0 destination-port eq www" in await this(user)
    await user.type("undo rule 5 source", "undo rule 7")
    assert await this(user) == [
        "acl number 3000",
        " rule 5 deny tcp destination 10.9.9.9 0 destination-port eq www",
        " rule 10 deny ip",
    ]
    assert "Error: The rule does not exist." in await user.type("undo rule 7")


async def test_a_traffic_policy_is_swapped_only_after_undo() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "traffic classifier c1", "if-match dscp ef", "traffic behavior b1", "remark dscp 46")
    for policy in ("p1", "p2"):
        await user.type(f"traffic policy {policy}", "classifier c1 behavior b1")
    await user.type(PORT, "traffic-policy p1 inbound")
    assert "Error" in await user.type("traffic-policy p2 inbound")
    assert "in use" in await user.type("quit", "undo traffic policy p1")
    await user.type(PORT, "undo traffic-policy inbound", "traffic-policy p2 inbound")
    assert (await this(user))[1:] == [" traffic-policy p2 inbound"]
    assert "remark dscp ef" in await user.type("display current-configuration | include remark")


async def test_bgp_peers_are_enabled_by_themselves_and_undo_asks() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "bgp 65001", "router-id 1.1.1.1", "peer 10.0.0.2 as-number 65002")
    assert await shown(user, "bgp") == [
        "bgp 65001",
        " router-id 1.1.1.1",
        " peer 10.0.0.2 as-number 65002",
        " #",
        " ipv4-family unicast",
        "  undo synchronization",
        "  peer 10.0.0.2 enable",
    ]
    await user.type("undo peer 10.0.0.2")
    assert "10.0.0.2" not in await user.type("display current-configuration configuration bgp")
    assert (await user.type("quit", "undo bgp 65001")).endswith("Continue? [Y/N]:")
    await user.type("n")
    assert user.device.running.get("bgp", "65001") is not None
    await user.type("undo bgp 65001", "y")
    assert user.device.running.get("bgp", "65001") is None


async def test_passwords_are_shown_ciphered_and_never_twice_the_same() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "aaa", "local-user bob password irreversible-cipher Secret-123")
    first = await user.type("display this | include bob")
    assert "Secret" not in first.partition("\n")[2]
    assert "$1c$" in first
    await user.type("local-user bob password irreversible-cipher Secret-123")
    assert await user.type("display this | include bob") != first
    kept = next(word for word in first.split() if word.startswith("$1c$"))
    await user.type(f"local-user bob password irreversible-cipher {kept}")
    assert kept in await user.type("display this | include bob")


async def test_an_snmp_password_is_asked_for_twice_without_echo() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "snmp-agent usm-user v3 ops group admins")
    asked = await user.type("snmp-agent usm-user v3 ops authentication-mode sha2-256")
    assert asked.endswith("Enter Password:")
    assert (await user.type("Secret-123")).endswith("Confirm Password:")
    assert "inconsistent" in await user.type("Secret-124")
    said = await user.type("snmp-agent usm-user v3 ops authentication-mode sha2-256", "Secret-123", "Secret-123")
    assert "Secret" not in said
    assert "authentication-mode sha2-256 cipher %^%#" in await user.type("display current-configuration | include usm")


async def test_the_whole_configuration_reads_back_as_itself() -> None:
    user = User(device("huawei_vrp5"))
    await user.type(
        "system-view", "vlan batch 10 20", "vlan 10", "description users", "ip vpn-instance A", "ipv4-family"
    )
    await user.type("route-distinguisher 1:1", "vpn-target 1:1", "interface Vlanif10", "ip binding vpn-instance A")
    await user.type(
        "ip address 10.1.1.1 24", PORT, "port link-type trunk", "port trunk allow-pass vlan 10 20", "shutdown"
    )
    await user.type("ospf 1 router-id 1.1.1.1", "area 0", "network 10.0.0.0 0.255.255.255", "bgp 65001")
    await user.type("peer 10.0.0.2 as-number 65002", "ipv4-family vpn-instance A", "import-route direct", "acl 3001")
    await user.type("rule permit ip", "ip route-static vpn-instance A 0.0.0.0 0 10.1.1.254", "ntp-service enable")
    await user.type("ntp-service unicast-server 10.3.3.3", "lldp enable", "info-center loghost 10.4.4.4")
    shown = user.device.dialect.render(user.device.running)
    root, refused = load_text(user.device.dialect, "\n".join(shown))
    assert refused == []
    assert user.device.dialect.render(root) == shown
    assert shown.index("vlan batch 10 20") < shown.index("ip vpn-instance A") < shown.index("interface Vlanif10")
    assert " area 0.0.0.0" in shown


async def test_one_acl_or_policy_for_each_direction() -> None:
    user = User(device("huawei_vrp5"))
    await user.type(
        "system-view", "user-interface vty 0 4", "acl 2000 inbound", "acl 3000 inbound", "acl 2001 outbound"
    )
    shown = await this(user)
    assert " acl 3000 inbound" in shown
    assert " acl 2000 inbound" not in shown
    assert " acl 2001 outbound" in shown
    await user.type("undo acl inbound")
    assert [line for line in await this(user) if "acl" in line] == [" acl 2001 outbound"]


async def test_lines_that_collect_words() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "snmp-agent sys-info version v3", "snmp-agent sys-info version v2c v1")
    assert "snmp-agent sys-info version v1 v2c v3\n" in await user.type("display current-configuration | include snmp")
    await user.type("undo snmp-agent sys-info version v2c v1")
    assert "snmp-agent sys-info version v3\n" in await user.type("display current-configuration | include snmp")


async def test_a_banner_goes_on_until_its_quotation_mark() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("screen-length 0 temporary")
    assert (await user.type("system-view", 'header login information "Keep out.', "#", 'Really."')).endswith("[sw]")
    said = await user.type("display current-configuration")
    assert 'header login information "Keep out.\n#\nReally."\n' in said
    root, refused = load_text(user.device.dialect, "\n".join(user.device.dialect.render(user.device.running)))
    assert refused == []
    assert root.same(user.device.running)
    await user.type("undo header login")
    assert user.device.running.starting("header") == []


async def test_a_hybrid_port_has_each_vlan_tagged_or_untagged() -> None:
    user = await at_port()
    await user.type("port hybrid untagged vlan 10 20", "port hybrid tagged vlan 20 30")
    assert [line for line in await this(user) if "hybrid" in line] == [
        " port hybrid tagged vlan 20 30",
        " port hybrid untagged vlan 10",
    ]
    await user.type("undo port hybrid vlan 20")
    assert " port hybrid tagged vlan 30" in await this(user)


async def test_a_route_distinguisher_is_not_changed_in_place() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "ip vpn-instance A", "ipv4-family", "route-distinguisher 1:1", "vpn-target 1:1")
    assert "undo it first" in await user.type("route-distinguisher 1:2")
    await user.type("undo route-distinguisher 1:1", "route-distinguisher 1:2")
    assert [line.strip() for line in await this(user)] == ["ipv4-family", "route-distinguisher 1:2"]


async def test_a_policy_node_turned_to_deny_keeps_what_is_inside() -> None:
    user = User(device("huawei_vrp5"))
    await user.type("system-view", "route-policy out permit node 10", "apply cost 10", "apply cost 20")
    await user.type("route-policy out deny node 10")
    assert await this(user) == ["route-policy out deny node 10", " apply cost 20"]
    await user.type("undo apply cost", "route-policy out permit node 20", "quit", "undo route-policy out node 10")
    assert [node.words for node in user.device.running.starting("route-policy")] == [
        ("route-policy", "out", "permit", "node", "20")
    ]
    await user.type("undo route-policy out")
    assert user.device.running.starting("route-policy") == []

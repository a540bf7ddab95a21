"""A small county comes up for real, is changed, broken and healed, and leaves nothing behind.

One lab notebook: the tests run in their order against one instance of their own.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from dashboards.access import ops_token
from drills import centre, meeting, paths, replace, restore, ring, status, succession, watchers
from drills import fault as fault_drill
from drills.browser import Halls, visit
from drills.lab import Lab
from identity import person_certificate
from identity.people import rights_of
from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.impact import Faults, ImpactMap, NetworkCut
from inventory.model import LinkKind, Role
from inventory.places import Places
from provision import play
from provision.change.plan import Plan
from tests.dashboards.queries import NAME, queries
from tests.drills import switch_watch
from tests.drills.by_hand import type_in
from tests.drills.chairs_desk import the_chairs_desk_is_one_press_away
from tests.drills.notebook import INSTANCE, active_alerts, chain_of, eventually, proof, sanwang, works
from twin import faults, portal, rewire
from twin.state import State

pytestmark = [pytest.mark.twin, pytest.mark.browser]


def test_status_counts_what_the_model_expects(lab: Lab) -> None:
    shown = sanwang("status", "--json")
    document = json.loads(shown.stdout.splitlines()[-1])
    assert shown.returncode == 0
    for key in ("hosts", "ospf", "bfd", "tunnels", "targets", "relay"):
        assert document[key]["ok"] == document[key]["expected"] > 0
    assert document["memory_mb"] > 0


def test_policy_holds_with_real_packets(lab: Lab) -> None:
    verdict = proof(lab)
    assert verdict.failures == []
    assert verdict.good
    assert verdict.denied_expected > 50
    assert verdict.sites
    assert all(verdict.sites.values())


def test_a_second_run_changes_nothing(lab: Lab) -> None:
    result = play.run("site.yml", places=lab.places)
    assert result.good, result.failures
    assert result.changed == []


def test_a_deny_rule_removed_by_hand_is_named_and_repaired_on_that_device_alone(lab: Lab) -> None:
    firewall = lab.model.firewall
    listing = lab.twin.run(firewall, ["nft", "-a", "list", "ruleset"]).stdout
    line = next(line for line in listing.splitlines() if 'counter name "deny-edu-gov"' in line)
    chain = chain_of(listing, line)
    handle = line.rsplit("handle", 1)[1].strip()
    removed = lab.twin.run(firewall, ["nft", "delete", "rule", *chain, "handle", handle])
    assert removed.returncode == 0, removed.stderr
    verdict = proof(lab)
    assert not verdict.good
    assert {failure["pair"].split()[0].split(":")[0] for failure in verdict.failures} == {"edu"}
    assert all("gov:" in failure["pair"].split(" -> ")[1] for failure in verdict.failures)
    result = play.run("site.yml", places=lab.places)
    assert result.good, result.failures
    assert result.changed == [firewall]
    assert proof(lab).good


def test_an_allow_rule_removed_by_hand_is_named(lab: Lab) -> None:
    firewall = lab.model.firewall
    rule = next(rule for rule in lab.model.policy if rule.source_network == "gov" and rule.target_network == "mgmt")
    listing = lab.twin.run(firewall, ["nft", "-a", "list", "ruleset"]).stdout
    line = next(line for line in listing.splitlines() if f'"{rule.name}"' in line and "accept" in line)
    handle = line.rsplit("handle", 1)[1].strip()
    removed = lab.twin.run(firewall, ["nft", "delete", "rule", *chain_of(listing, line), "handle", handle])
    assert removed.returncode == 0, removed.stderr
    shown = sanwang("verify", "--json")
    document = json.loads(shown.stdout.splitlines()[-1])
    assert shown.returncode == 1
    assert {failure["rule"] for failure in document["failures"]} == {rule.name}
    assert play.run("firewall.yml", places=lab.places).changed == [firewall]


def test_a_line_of_frr_changed_by_hand_is_repaired_on_it_alone(lab: Lab) -> None:
    router = next(host.name for host in lab.model.by_role(Role.ACCESS))
    port = next(port.name for port in lab.model.hosts[router].ports if port.ospf)
    words = ["vtysh", "-c", "configure", "-c", f"interface {port}", "-c", "ip ospf cost 77"]
    assert lab.twin.run(router, words).returncode == 0
    result = play.run("site.yml", places=lab.places)
    assert result.good, result.failures
    assert result.changed == [router]
    assert "cost 77" not in lab.twin.run(router, ["vtysh", "-c", "show running-config"]).stdout


def test_check_mode_names_exactly_the_devices_of_a_change(lab: Lab, folder: Path) -> None:
    policy = folder / "services.yml"
    written = policy.read_text()
    try:
        policy.write_text(written.replace("tcp/80,443", "tcp/80,443,8443", 1))
        assert policy.read_text() != written
        result = play.run("site.yml", places=lab.places, check=True, diff=True)
        assert result.good, result.failures
        assert result.changed == [lab.model.firewall]
    finally:
        policy.write_text(written)
    assert play.run("site.yml", places=lab.places, check=True).changed == []


def test_a_change_is_planned_rehearsed_signed_applied_and_taken_back(lab: Lab, folder: Path, tmp_path: Path) -> None:
    phrase = {"SANWANG_KEY_PASSPHRASE": "a phrase of four words"}
    key, file = str(tmp_path / "wang.key"), str(tmp_path / "change.plan")
    made = sanwang("approve", "keygen", "--out", key, **phrase)
    public = re.search(r'public_key: "[^"]+"', made.stdout)
    assert public, made.stdout + made.stderr
    county, policy = folder / "county.yml", folder / "services.yml"
    county.write_text(county.read_text().replace("roles: [engineer, operator]}", f"roles: [engineer], {public[0]}}}"))
    written = {path: path.read_text() for path in (county, policy)}
    policy.write_text(written[policy].replace("tcp/80,443", "tcp/80,443,8443", 1))
    county.write_text(written[county].replace("members: [b01, b03]", "members: [b02]"))  # a VRF moves: three vendors
    assert all(path.read_text() != text for path, text in written.items())
    planned = sanwang("plan", "--out", file, "--why", "a new portal", SANWANG_WHO="chen")
    assert planned.returncode == 0, planned.stderr
    unsigned = sanwang("apply", file)
    assert unsigned.returncode == 1
    assert "sanwang approve" in unsigned.stderr
    rehearsed = sanwang("rehearse", file, "--as", "zttestr", "--json")
    evidence = json.loads(rehearsed.stdout.splitlines()[-1])
    assert rehearsed.returncode == (0 if evidence["good"] else 1)
    plan = Plan.load(file)
    platforms = {device.host: device.platform for device in plan.devices}
    assert {"c1-fw", "c1-core", "c2-core", "c3-core", "b01-rt", "b02-rt", "b03-rt"} <= platforms.keys()
    assert {platforms[f"{site}-sw"] for site in ("b01", "b02", "b03")} == {"huawei_vrp8", "h3c_comware", "ruijie_rgos"}
    count = len(platforms)
    assert evidence["figures"]["devices"] == {"planned": count, "rehearsed": count, "other_bytes": 0}
    assert evidence["figures"]["apply"]["outcome"] == "applied"
    assert evidence["figures"]["verify"]["denied"]["ok"] == evidence["figures"]["verify"]["denied"]["expected"]
    assert not Places("zttestr").lib.exists()
    signed = sanwang("approve", file, "--as", "wang", "--key", key, **phrase)
    assert signed.returncode == 0, signed.stderr
    applied = sanwang("apply", file, "--json")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert play.run("site.yml", places=lab.places, check=True).changed == []
    moved = Lab.attach(INSTANCE)
    assert proof(moved).failures == [], "the new group speaks, the old one does not any more"
    proved = sanwang("prove", "--all", "--json")
    assert proved.returncode == 0, proved.stdout[-2000:]
    back = sanwang("rollback")
    assert back.returncode == 0, back.stdout + back.stderr
    for path, text in written.items():
        path.write_text(text)
    rewire.plug(lab.twin, lab.model)
    assert play.run("site.yml", places=lab.places, check=True).changed == []
    assert proof(lab).good


def test_a_cut_fibre_raises_one_alert_that_names_the_link(lab: Lab) -> None:
    link = next(link for link in lab.model.links.values() if link.kind is LinkKind.RING)
    fault = faults.cut(lab.twin, link.name)
    try:
        down = eventually(
            lambda: [name for name, state in lab.collected("/links").items() if state["state"] == "down"],
            "the collector never saw the cut",
        )
        assert down == [link.name]
        eventually(lambda: active_alerts(lab), "no alert was raised")
        time.sleep(3)
        assert [(alert["alertname"], alert.get("link")) for alert in active_alerts(lab)] == [("LinkDown", link.name)]
        assert paths.differences(lab) == {}, "halls' packets ride where the hosts say they do"
    finally:
        faults.heal(lab.twin, fault)
    eventually(lambda: not active_alerts(lab), "the alert stayed after the fibre was healed", within_s=60)
    assert ring.settled(lab)


def test_every_switch_is_polled_by_its_vendor_s_profile_and_counts_what_it_carries(lab: Lab) -> None:
    switch_watch.every_switch_is_polled(lab)
    switch_watch.a_port_counts_what_it_carries(lab, "b01-sw", "gov")
    switch_watch.a_cut_cable_is_told(lab, "b02-sw", "gov")


def test_a_port_shut_by_hand_on_a_switch_cuts_its_users_off_and_is_seen_and_repaired_alone(lab: Lab) -> None:
    uplink = lab.model.links["b01-sw-gov"]
    label = lab.model.hosts["b01-sw"].port(uplink.b.port).label
    assert set(works(lab, "b01").values()) == {True}
    type_in(lab, "b01-sw", ["system-view", f"interface {label}", "shutdown", "commit", "return", "quit"])
    try:
        eventually(lambda: _down(lab, "/links") == [uplink.name], "the shut port was not seen")
        assert _down(lab, "/hosts") == [], "the switch itself lives"
        assert works(lab, "b01") == {"gov": False, "audit": True}
        impact = ImpactMap(lab.model).of(Faults(links=frozenset(_down(lab, "/links"))))
        assert (impact.sites_cut, impact.networks_cut) == ((), (NetworkCut("b01", "gov"),))
        alerts = eventually(lambda: active_alerts(lab), "no alert was raised")
        assert [(alert["alertname"], alert.get("link")) for alert in alerts] == [("LinkDown", uplink.name)]
        switch_watch.its_own_words_are_heard(lab, "b01-sw", label)
    finally:
        result = play.run("site.yml", places=lab.places)
    assert result.good, result.failures
    assert result.changed == ["b01-sw"]
    eventually(lambda: _down(lab, "/links") == [], "the port stayed down")
    assert set(works(lab, "b01").values()) == {True}
    eventually(lambda: not active_alerts(lab), "the alert stayed after the port was opened", within_s=60)


def test_a_dead_switch_takes_its_own_site_alone_and_comes_back_from_its_disk(lab: Lab) -> None:
    fault = faults.kill_host(lab.twin, "b02-sw")
    try:
        eventually(lambda: _down(lab, "/hosts") == ["b02-sw"], "the dead switch was not seen")
        assert works(lab, "b02") == {"gov": False, "edu": False}
        assert works(lab, "t01")["edu"]
        assert ImpactMap(lab.model).of(Faults(hosts=frozenset({"b02-sw"}))).sites_cut == ("b02",)
        alerts = eventually(lambda: active_alerts(lab), "no alert was raised")
        assert [(alert["alertname"], alert.get("host")) for alert in alerts] == [("HostDown", "b02-sw")]
    finally:
        faults.heal(lab.twin, fault)
    eventually(lambda: set(works(lab, "b02").values()) == {True}, "its users did not come back")
    assert ring.settled(lab)
    eventually(lambda: not active_alerts(lab), "the alert stayed after the switch came back", within_s=60)


def test_random_faults_are_each_told_once_by_their_name_and_meaning(lab: Lab) -> None:
    found = fault_drill.fault(lab, print, count=3)
    right = {name: found[name] for name in ("root_right", "alerts", "halls_cut_right", "halls_rerouted_right")}
    assert right == dict.fromkeys(right, 3), found["rows"]


def _down(lab: Lab, what: str) -> list[str]:
    """Names that the collector has down."""
    return [name for name, state in lab.collected(what).items() if state["state"] == "down"]


@pytest.mark.parametrize("daemon", ["ospfd", "agent"])
def test_one_stopped_daemon_makes_the_county_not_ready(lab: Lab, daemon: str) -> None:
    router = next(host.name for host in lab.model.by_role(Role.ACCESS))
    fault = faults.stop_daemon(lab.twin, router, daemon)
    try:
        eventually(
            lambda: [problem for problem in _unready(lab) if router in problem and daemon in problem],
            f"nobody missed {daemon} on {router}",
        )
    finally:
        faults.heal(lab.twin, fault)
    assert ring.settled(lab)


def _unready(lab: Lab) -> list[str]:
    """The collector's problems while the county is not ready."""
    status: dict[str, Any] = lab.collected("/status")
    problems: list[str] = status["problems"]
    return [] if status["ready"] else problems


def test_every_ring_fibre_and_centre_router_may_fail(lab: Lab) -> None:
    found = ring.ring(lab, lambda _: None)
    assert {row["kind"] for row in found["links"]} == {"carrier", "silent", "heal", "node"}
    assert all(row["recovered"] for row in found["links"])


def test_a_dead_centre_is_replaced(lab: Lab) -> None:
    found = centre.centre(lab, lambda _: None)
    assert found["answered_elsewhere"], found
    assert found["shown_dead"] == found["expected_dead"]
    assert found["back"], found


def test_a_dead_router_is_replaced_by_an_empty_box(lab: Lab) -> None:
    host = replace.choose(lab.model)
    answering = sanwang("replace", host)
    assert answering.returncode == 2
    assert "there is no new box" in answering.stderr
    found = replace.drill(lab, lambda _: None)
    assert replace.misses(found) == []
    assert all(each["changed"] and each["verify"] == "green" for each in found["replaced"])
    assert play.run("site.yml", places=lab.places, limit=host).changed == []


def test_devices_come_back_from_git(lab: Lab) -> None:
    found = restore.drill(lab, lambda _: None, seed=7)
    assert restore.misses(found) == []
    assert {each["platform"] == "linux" for each in found["devices"]} == {True, False}


def test_halls_meet_while_a_fibre_a_relay_and_a_township_are_lost(lab: Lab) -> None:
    said: list[str] = []
    found = meeting.meeting(lab, said.append, halls=6, browsers=2, joins=1)
    assert found["both_go_on"], said
    assert found["missing"] == []
    assert found["wrong"] == {}
    assert found["latency_pictures"] > 50
    assert found["relay_killed_back_s"] is not None, said
    assert found["not_measured"].keys() >= {"alone_s", "merge_s"} or found["merge_s"] is not None, said


def test_pages_refuse_strangers_and_welcome_the_operator(lab: Lab) -> None:
    trust = ssl.create_default_context(cafile=str(lab.places.lib / "identity" / "ca.pem"))
    transport = httpx.HTTPTransport(uds=str(lab.places.serve_socket), verify=trust)
    with httpx.Client(transport=transport, base_url="https://localhost") as client:
        assert client.get("/api/state").status_code == 401
        assert client.get("/ops/").status_code in (200, 401, 403)


def test_a_persons_certificate_opens_the_pages_on_this_machine(lab: Lab, tmp_path: Path) -> None:
    ca, login = Secrets(lab.places.lib / "identity").ca, next(iter(lab.model.people))
    file, _ = person_certificate.make(ca, login, "phrase of a test")
    key, certificate, _ = pkcs12.load_key_and_certificates(file, b"phrase of a test")
    assert key is not None
    assert certificate is not None
    own = tmp_path / "own.pem"
    own.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    portal.start(lab.places, port)
    try:
        doors = status.status(lab, 0.1)["doors"]
        trust = ssl.create_default_context(cadata=ca.certificate_pem)
        with httpx.Client(verify=trust, trust_env=False) as client:
            assert client.get(doors["certificate"]).status_code == 403
            offered = client.get(f"https://127.0.0.1:{port}/api/sign").json()["certificate"]
            assert doors["certificate"] == f"https://127.0.0.1:{offered}/?back={port}"
        trust.load_cert_chain(own)
        base = f"https://127.0.0.1:{port}"
        with httpx.Client(verify=trust, trust_env=False, headers={"origin": base}) as client:
            back = client.get(doors["certificate"]).headers["location"]
            assert back.startswith(f"{base}/ops/#token=")
            entered = client.post(f"{base}/api/session", json={"token": back.partition("token=")[2]})
            assert (entered.status_code, entered.json()["login"]) == (200, login)
    finally:
        State(lab.places).stop_helper("portal")


def _prometheus(lab: Lab, path: str, **parameters: str) -> Any:
    encoded = [part for name, value in parameters.items() for part in ("--data-urlencode", f"{name}={value}")]
    answer = lab.twin.run(lab.model.nms, ["curl", "-s", "-G", f"http://127.0.0.1:9090/api/v1/{path}", *encoded])
    document = json.loads(answer.stdout)
    assert document["status"] == "success", f"{parameters}: {document.get('error')}"
    return document["data"]


# What a quiet small county has none of: an exit under load, a line slower than the probes' pairs, a folded message.
_SOMETIMES = re.compile(
    r"sanwang_(exit_\w+|probe_bottleneck_bps|port_errors_total|port_discards_total|messages_folded_total)"
)


def test_the_county_s_own_prometheus_answers_every_query_of_ours(lab: Lab) -> None:
    ring_link = next(link.name for link in lab.model.links.values() if link.kind is LinkKind.RING)
    asked = {where: text.replace("ring-c1-c2", ring_link) for where, text in queries()}
    known = set(_prometheus(lab, "label/__name__/values"))
    named = {name for text in asked.values() for name in NAME.findall(text)}
    assert {name for name in named - known if not _SOMETIMES.fullmatch(name)} == set()
    for where, text in asked.items():
        if where.startswith(("sanwang-", "series/", "rules/")):
            _prometheus(lab, "query", query=text)


def test_the_network_pages_show_the_running_county(lab: Lab, tmp_path: Path) -> None:
    tokens = Tokens(Secrets(lab.places.lib / "identity").resolve("token/ops"))
    operator = next(
        person for person in lab.model.people.values() if "watch" in {r.value for r in rights_of(person.roles)}
    )
    link = next(link.name for link in lab.model.links.values() if link.kind is LinkKind.RING)
    base = f"https://{lab.model.hosts[lab.model.nms].management}"
    authority = (lab.places.lib / "identity" / "ca.pem").read_text()
    fault = faults.cut(lab.twin, link)
    try:
        with Halls(tmp_path, authority) as halls:
            network = ["nsenter", f"--net={lab.namespace(lab.model.nms)}", "--"]
            opened = halls.open_hall(
                network, f"{base}/ops/#token={ops_token(tokens, operator.login)}", name="ops", probe=False
            )
            page = opened.page
            page.set_default_timeout(60_000)
            page.wait_for_selector(".banner")
            for address, wanted in (
                (f"/link/{link}", ".pill.down"),
                ("/meetings", ".page-head"),
                ("/capacity", "table.data tbody tr"),
                ("/light", "table.data tbody tr"),
                ("/changes", "table.data tbody tr"),
                ("/alerts", "[data-fault], [data-row]"),
                ("/tickets", ".page-head"),
                ("/screen", ".banner"),
            ):
                visit(page, address)
                page.wait_for_selector(f"main {wanted}", state="attached")
            assert [message for message in opened.messages if message.startswith(("error", "warning"))] == []
            the_chairs_desk_is_one_press_away(lab, opened, f"{base}/ops/#token={ops_token(tokens, 'chen')}")
    finally:
        faults.heal(lab.twin, fault)
    assert ring.settled(lab)


def test_what_watches_may_die_and_lose_its_database(lab: Lab) -> None:
    rounds = ("collect killed", "alertmanager gone", "database gone")
    found = watchers.watchers(lab, print, away_s=15.0, only=rounds)
    assert [row["round"] for row in found["rounds"]] == list(rounds)
    assert watchers.misses(found) == []


def test_the_standby_takes_over_and_the_dead_one_cannot_act(lab: Lab) -> None:
    found = succession.drill(lab, lambda _: None)  # the county stays in the standby's hands: nothing comes after it
    assert succession.misses(found) == []


def test_nothing_of_ours_is_left(lab: Lab, foreign: tuple[str, int], machine_network: str) -> None:
    assert sanwang("down").returncode == 0
    assert sanwang("down").returncode == 0
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert INSTANCE not in names
    name, pid = foreign
    assert Path(f"/proc/{pid}").exists()
    tables = subprocess.run(
        ["ip", "netns", "exec", name, "nft", "list", "tables"], capture_output=True, text=True, check=True
    )
    assert "mine" in tables.stdout
    shown = [
        subprocess.run(["ip", *what], capture_output=True, text=True, check=True).stdout
        for what in (("-br", "address"), ("route",), ("rule",))
    ]
    assert "".join(shown) == machine_network
    assert not Places(INSTANCE).run.exists()
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if f"/{INSTANCE}" in line]

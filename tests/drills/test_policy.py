"""The plan of verify: it covers what the county promises, and never expects a drop that policy allows."""

from __future__ import annotations

import pytest

from drills.policy import allowed_checks, allows, denied_checks
from drills.ring import pairs_across
from drills.verify import rounds
from inventory.load import load_model
from inventory.model import NetworkModel, Role


@pytest.fixture(scope="module")
def shili() -> NetworkModel:
    return load_model("shili")


def test_every_site_has_something_it_may_reach(shili: NetworkModel) -> None:
    sources = {check.source.site for check in allowed_checks(shili)}
    inhabited = {endpoint.site for endpoint in shili.endpoints}
    assert inhabited <= sources
    assert len(inhabited) >= 159


def test_the_controller_is_tried_to_every_switch_and_strangers_to_none(shili: NetworkModel) -> None:
    boxes = {host.name for host in shili.by_role(Role.SWITCH)}
    tried = {check.target.host: check.source.host for check in allowed_checks(shili) if check.target.host in boxes}
    assert tried == dict.fromkeys(boxes, shili.nms)
    denied = {check.source.network for check in denied_checks(shili) if check.target.host in boxes}
    assert denied == {check.source.network for check in denied_checks(shili) if check.target.network == "mgmt"}
    assert {"gov", "edu", "tv", "internet"} <= denied


def test_denied_pairs_cross_every_pair_of_networks(shili: NetworkModel) -> None:
    checks = denied_checks(shili)
    crossed = {(check.source.network, check.target.network) for check in checks}
    inside = set(shili.networks)
    assert {(a, b) for a in inside for b in inside if a != b} <= crossed
    assert len(checks) >= 300
    assert len(set(checks)) == len(checks)


def test_no_denied_pair_is_allowed_by_a_rule(shili: NetworkModel) -> None:
    for check in denied_checks(shili):
        assert not any(
            allows(rule, check.source, check.target.address, check.target.network, check.protocol, check.port)
            for rule in shili.policy
        )


def test_a_round_holds_each_crossing_once(shili: NetworkModel) -> None:
    checks = denied_checks(shili)
    groups = rounds(checks)
    assert sorted(map(str, checks)) == sorted(str(check) for group in groups for check in group)
    for group in groups:
        crossings = [(check.source.network, check.target.network) for check in group]
        assert len(crossings) == len(set(crossings))


def test_every_policy_rule_between_our_networks_is_tried(shili: NetworkModel) -> None:
    tried = {check.rule for check in allowed_checks(shili)}
    gateways = {tunnel.gateway_outer for tunnel in shili.tunnels.values()}
    proven_by_tunnels = {
        rule.name for rule in shili.policy if any(outer in prefix for outer in gateways for prefix in rule.targets)
    }
    media = {service.address for service in shili.services.values() if service.kind == "media"}
    silent = {
        rule.name for rule in shili.policy if any(address in prefix for address in media for prefix in rule.targets)
    }
    inside = {rule.name for rule in shili.policy if rule.source_network in shili.networks}
    assert inside - tried <= proven_by_tunnels | silent, "a relay answers invited halls alone"


def test_probe_pairs_join_every_pair_of_centres(shili: NetworkModel) -> None:
    homes = {
        frozenset((shili.sites[near.site].homes[0], shili.sites[far.site].homes[0]))
        for near, far in pairs_across(shili)
    }
    assert homes == {frozenset(("c1", "c2")), frozenset(("c1", "c3")), frozenset(("c2", "c3"))}

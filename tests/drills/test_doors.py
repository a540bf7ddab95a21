"""The doors that a township's node brings: whom verify lets through each, and whom it keeps out."""

from __future__ import annotations

from drills.doors import doors, paths
from tests.inventory.relays import with_relays


def test_every_door_of_a_node_has_somebody_it_is_for_and_a_neighbour_it_is_not_for() -> None:
    model = with_relays("xiao", "t01")
    found = {(door.open.target.host, door.open.port): door for door in doors(model)}
    assert set(found) == {("t01-relay", 443), ("t01-relay", 9820), (model.nms, 7422), (model.nms, 9830)}
    assert {door.open.source.host for door in found.values()} == {"t01-hall", model.nms, "t01-relay"}
    for door in found.values():
        assert door.shut is not None
        assert door.shut.control == door.open.source
        assert door.shut.source.site != door.open.source.site
        assert door.shut.source.network == door.open.target.network  # no firewall lies between


def test_streams_of_a_node_reach_the_centre_and_come_back() -> None:
    assert [(check.source.host, check.target.host) for check in paths(with_relays("xiao", "t01"))] == [
        ("t01-relay", "c1-relay"),
        ("c1-relay", "t01-relay"),
    ]


def test_a_county_without_nodes_has_no_such_door() -> None:
    model = with_relays("xiao")
    assert (list(doors(model)), list(paths(model))) == ([], [])

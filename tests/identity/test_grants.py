"""Roles handed out: who may hand out what to whom, three administrators apart, for a time."""

from __future__ import annotations

import pytest

from identity import accounts, grants, sessions
from identity.directory import Duty, Identity
from identity.grants import GrantRefused
from identity.people import ADMINISTRATORS, OF_UNITS, ROLE_RIGHTS, Right, conflict
from inventory import people as written
from store.engine import Store
from tests.identity.people import HERE, Desk


@pytest.fixture
def desk(store: Store) -> Desk:
    """Signing in; li of t01 and ma of t02 have accounts and no role."""
    desk = Desk(store)
    with store.session() as session:
        for login, unit in (("li", "t01"), ("ma", "t02")):
            accounts.add(session, login, "wu", desk.clock(), zh="某", en="Some", unit=unit, why="test")
    return desk


def give(desk: Desk, giver: str, login: str, role: str, units: list[str], days: int = 30, why: str = "test") -> int:
    """Hand out a role; its number."""
    with desk.store.session() as session:
        by = desk.directory.find(session, giver, desk.clock()) if giver else None
        return grants.give(session, desk.directory, by, login, role, units, days, why, desk.clock()).id


def found(desk: Desk, login: str) -> Identity:
    """Who that is now."""
    with desk.store.reading() as session:
        person = desk.directory.find(session, login, desk.clock())
    assert person is not None
    return person


def test_the_roles_of_the_files_and_those_of_the_program_are_the_same() -> None:
    assert set(written.Duty.__args__) == set(ROLE_RIGHTS)  # type: ignore[attr-defined]
    assert written.ADMINISTRATORS == ADMINISTRATORS
    assert written.OF_UNITS == OF_UNITS


def test_the_three_administrators_share_no_right_and_change_nothing_together() -> None:
    system, security, audit = (ROLE_RIGHTS[role] for role in ADMINISTRATORS)
    assert not system & security
    assert not system & audit
    assert not security & audit
    for role in ADMINISTRATORS:
        assert all(conflict([role, other]) == role for other in ROLE_RIGHTS if other not in ADMINISTRATORS)
        assert conflict([role]) == ""


def test_a_role_is_handed_out_for_a_time_and_ends_by_itself(desk: Desk) -> None:
    give(desk, "zheng", "li", "operator", [], days=10)
    assert found(desk, "li").duties == (Duty("operator", (), 1),)
    desk.clock.pass_(days=11)
    assert found(desk, "li").rights == frozenset()


def test_a_head_hands_out_within_the_own_unit_only(desk: Desk) -> None:
    give(desk, "he", "li", "clerk", ["t01"])
    give(desk, "he", "qian", "hall", ["t01"])
    for login, role, units, said in (
        ("li", "operator", ["t01"], "clerk"),
        ("li", "head", ["t01"], "hands out"),
        ("li", "clerk", ["t02"], "your units are t01"),
        ("li", "clerk", ["t01", "t02"], "your units are t01"),
        ("li", "clerk", [], "named units"),
        ("li", "chair", [], "your units are t01"),
        ("ma", "clerk", ["t01"], "not of your unit"),
        ("zhao", "clerk", ["t01"], "not of your unit"),
        ("he", "hall", ["t01"], "himself"),
        ("li", "secadmin", [], "beside clerk"),
    ):
        with pytest.raises(GrantRefused, match=said):
            give(desk, "he", login, role, units)


def test_what_a_grant_opens_holds_for_its_units_alone(desk: Desk) -> None:
    give(desk, "zheng", "zhao", "clerk", ["t01"])
    zhao = found(desk, "zhao")
    assert zhao.units(Right.REPORT) == ()
    give(desk, "zheng", "li", "clerk", ["t01"])
    give(desk, "zheng", "li", "chair", [])
    li = found(desk, "li")
    assert li.units(Right.REPORT) == ("t01",), "the chair's whole county must not widen the clerk's unit"
    assert li.units(Right.MEET) == ()


@pytest.mark.parametrize("giver", ["wu", "sun", "wang", "zhao", "qian"])
def test_nobody_else_hands_out_roles(desk: Desk, giver: str) -> None:
    with pytest.raises(GrantRefused, match="hands out no roles"):
        give(desk, giver, "li", "clerk", ["t01"])


def test_the_security_administrator_makes_no_two_in_one(desk: Desk) -> None:
    for login, role in (("wu", "secadmin"), ("wu", "clerk"), ("sun", "engineer"), ("zhao", "auditor")):
        with pytest.raises(GrantRefused, match="三员"):
            give(desk, "zheng", login, role, ["t01"] if role == "clerk" else [])
    with pytest.raises(GrantRefused):
        give(desk, "zheng", "zheng", "engineer", [])
    give(desk, "zheng", "li", "auditor", [])
    with pytest.raises(GrantRefused, match="三员"):
        give(desk, "zheng", "li", "operator", [])


def test_two_in_one_that_the_files_made_later_have_no_right_at_all() -> None:
    person = Identity("x", "某", "X", (), (Duty("auditor", ()), Duty("engineer", ())))
    assert person.rights == frozenset()


@pytest.mark.parametrize(
    ("role", "units", "days", "why", "said"),
    [
        ("king", [], 10, "x", "expected one of"),
        ("operator", [], 0, "x", "1 to 366"),
        ("operator", [], 367, "x", "1 to 366"),
        ("operator", [], 10, " ", "why"),
        ("sysadmin", ["t01"], 10, "x", "whole county"),
    ],
)
def test_what_is_refused_to_everybody(desk: Desk, role: str, units: list[str], days: int, why: str, said: str) -> None:
    for giver in ("", "zheng"):
        with pytest.raises(GrantRefused, match=said):
            give(desk, giver, "li", role, units, days, why)
    with pytest.raises(GrantRefused, match="are fixed"):
        give(desk, "", "operator", "auditor", [])
    with pytest.raises(GrantRefused, match="nobody has this login"):
        give(desk, "", "ghost", "operator", [])


def test_sessions_end_when_a_role_comes_or_goes(desk: Desk) -> None:
    opened = desk.join("zhao")
    number = give(desk, "zheng", "zhao", "supervisor", [])
    with desk.store.session() as session:
        assert sessions.find(session, opened.cookie, desk.clock()) is None
    again = desk.on.enter("zhao", "link", HERE)
    with desk.store.session() as session:
        head = desk.directory.find(session, "he", desk.clock())
        with pytest.raises(GrantRefused, match="beyond your unit"):
            grants.end(session, head, number, "x", desk.clock())
        grants.end(session, desk.directory.find(session, "zheng", desk.clock()), number, "over", desk.clock())
        assert sessions.find(session, again.cookie, desk.clock()) is None
        with pytest.raises(GrantRefused, match="not in force"):
            grants.end(session, None, number, "x", desk.clock())


def test_who_vouches_for_a_privileged_account(desk: Desk) -> None:
    desk.invite("wang", released=False)
    desk.invite("zheng", released=False)
    with desk.store.session() as session:
        zheng = desk.directory.find(session, "zheng", desk.clock())
        head = desk.directory.find(session, "he", desk.clock())
        for giver, login in ((zheng, "zheng"), (head, "wang")):
            with pytest.raises(GrantRefused, match="another security administrator"):
                grants.release(session, desk.directory, giver, login, desk.clock())
        grants.release(session, desk.directory, zheng, "wang", desk.clock())
        with pytest.raises(GrantRefused, match="already"):
            grants.release(session, desk.directory, zheng, "wang", desk.clock())

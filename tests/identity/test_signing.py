"""Signing in on both databases: passwords, waits, second factors, sessions, one-time links."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import accounts, second_factor, sessions
from identity.accounts import AccountRefused
from identity.signing import Caller, SignRefused
from identity.tables import Account
from store.audit import AuditEntry
from store.engine import Store
from tests.identity.people import BETTER, GOOD, HERE, Clock, Desk


@pytest.fixture
def desk(store: Store) -> Desk:
    """Signing in, nobody has an account yet."""
    return Desk(store)


def deeds(desk: Desk) -> list[str]:
    """What the audit log says was done."""
    with desk.store.reading() as session:
        return [entry.what for entry in session.query(AuditEntry).order_by(AuditEntry.number)]


def test_an_operator_signs_in_with_a_password(desk: Desk) -> None:
    assert desk.join("zhao").stage == "in"
    opened = desk.sign_in("zhao")
    assert opened.stage == "in"
    with desk.store.reading() as session:
        assert sessions.find(session, opened.cookie, desk.clock()) is not None
        assert all(opened.cookie not in row.id for row in sessions.of(session, "zhao", desk.clock()))
    assert deeds(desk) == ["account.add", "account.release", "account.password", "sign.in", "sign.in"]


def test_a_wrong_login_and_a_wrong_password_sound_the_same(desk: Desk) -> None:
    desk.join("zhao")
    said = set()
    for login, password in (("zhao", "Wrong-Tree7-Lamp"), ("nobody", GOOD), ("zhao' OR 1=1", GOOD), ("qian", GOOD)):
        with pytest.raises(SignRefused) as refusal:
            desk.on.password(login, password, HERE)
        said.add(str(refusal.value))
    assert len(said) == 1


def test_guessing_waits_longer_and_longer_also_after_a_restart(desk: Desk) -> None:
    desk.join("zhao")
    for _ in range(5):
        with pytest.raises(SignRefused, match="wrong"):
            desk.on.password("zhao", "Wrong-Tree7-Lamp", HERE)
    restarted = Desk(desk.store, desk.clock)
    with pytest.raises(SignRefused, match="about 1 min"):
        restarted.on.password("zhao", GOOD, HERE)
    elsewhere = Caller("198.51.100.8")
    with pytest.raises(SignRefused, match="about 1 min"):
        restarted.on.password("zhao", GOOD, elsewhere)
    desk.clock.pass_(seconds=61)
    with pytest.raises(SignRefused, match="wrong"):
        desk.on.password("zhao", "Wrong-Tree7-Lamp", HERE)
    with pytest.raises(SignRefused, match="about 2 min"):
        desk.on.password("zhao", GOOD, HERE)
    desk.clock.pass_(seconds=121)
    assert desk.on.password("zhao", GOOD, HERE).stage == "in"
    assert deeds(desk).count("sign.wait") == 2


def test_an_address_that_guesses_many_logins_waits_and_others_do_not(desk: Desk) -> None:
    desk.join("zhao")
    for number in range(100):
        with pytest.raises(SignRefused, match="wrong"):
            desk.on.password(f"guess{number}", GOOD, HERE)
    with pytest.raises(SignRefused, match="too many"):
        desk.on.password("zhao", GOOD, HERE)
    assert desk.on.password("zhao", GOOD, Caller("198.51.100.8")).stage == "in"


def test_who_is_known_in_a_browser_waits_for_nobody_elses_guesses(desk: Desk) -> None:
    desk.join("zhao")
    own = Caller(HERE.address, known="zhao", device="browser-1")
    for _ in range(5):
        with pytest.raises(SignRefused, match="wrong"):
            desk.on.password("zhao", "Wrong-Tree7-Lamp", HERE)  # somebody else behind the same address
    with pytest.raises(SignRefused, match="too many"):
        desk.on.password("zhao", GOOD, HERE)
    assert desk.on.password("zhao", GOOD, own).stage == "in"
    with pytest.raises(SignRefused, match="too many"):
        desk.on.password("zhao", GOOD, Caller(HERE.address, known="qian", device="browser-2"))
    for _ in range(5):  # and a stolen browser gives no more guesses than any
        with pytest.raises(SignRefused, match="wrong"):
            desk.on.password("zhao", "Wrong-Tree7-Lamp", own)
    with pytest.raises(SignRefused, match="too many"):
        desk.on.password("zhao", GOOD, own)


def test_a_walls_session_only_looks_and_is_never_idle(desk: Desk) -> None:
    opened = desk.join("zhao")
    wall = desk.on.screen(opened.cookie, HERE)
    assert wall.stage == "screen"
    desk.clock.pass_(days=29)
    with desk.on.store.reading() as session:
        assert sessions.find(session, wall.cookie, desk.on.now()) is not None
        assert sessions.find(session, opened.cookie, desk.on.now()) is None
    with pytest.raises(SignRefused, match="too long"):
        desk.on.begin_enrolment(wall.cookie, "", HERE)
    desk.clock.pass_(days=2)
    with desk.on.store.reading() as session:
        assert sessions.find(session, wall.cookie, desk.on.now()) is None
    assert "sign.screen" in deeds(desk)


def test_an_engineer_enrols_a_telephone_and_no_code_is_taken_twice(desk: Desk) -> None:
    opened = desk.on.accept(desk.invite("wang"), GOOD, HERE)
    assert opened.stage == "enrol"
    opened = desk.enrol(opened)
    assert opened.stage == "in"
    assert len(opened.recovery) == 8
    first = desk.on.password("wang", GOOD, HERE)
    assert first.stage == "code"
    code = desk.code("wang")
    assert desk.on.code(first.cookie, code, HERE).stage == "in"
    second = desk.on.password("wang", GOOD, HERE)
    with pytest.raises(SignRefused, match="was used"):
        desk.on.code(second.cookie, code, HERE)
    assert desk.on.code(second.cookie, desk.code("wang"), HERE).stage == "in"


def test_a_recovery_code_is_good_once(desk: Desk) -> None:
    written = desk.join("wang").recovery[3]
    first = desk.on.password("wang", GOOD, HERE)
    assert desk.on.code(first.cookie, written.upper(), HERE).stage == "in"
    second = desk.on.password("wang", GOOD, HERE)
    with pytest.raises(SignRefused, match="wrong"):
        desk.on.code(second.cookie, written, HERE)
    with desk.store.reading() as session:
        assert len(accounts.existing(session, "wang").recovery) == 7


def test_another_telephone_needs_a_code_of_the_old_one(desk: Desk) -> None:
    opened = desk.join("wang")
    with pytest.raises(SignRefused, match="wrong"):
        desk.on.begin_enrolment(opened.cookie, "000000", HERE)
    begun = desk.on.begin_enrolment(opened.cookie, desk.code("wang"), HERE)
    assert begun["uri"].startswith("otpauth://totp/")


def test_half_a_sign_in_opens_nothing_and_is_over_soon(desk: Desk) -> None:
    desk.join("wang")
    half = desk.on.password("wang", GOOD, HERE)
    with pytest.raises(SignRefused):
        desk.on.new_password(half.cookie, BETTER, HERE)
    with pytest.raises(SignRefused):
        desk.on.begin_enrolment(half.cookie, "", HERE)
    desk.clock.pass_(minutes=11)
    with pytest.raises(SignRefused, match="took too long"):
        desk.on.code(half.cookie, desk.code("wang"), HERE)


def test_a_privileged_account_waits_until_somebody_vouches_for_it(desk: Desk) -> None:
    assert desk.join("wang", released=False).stage == "release"
    assert desk.sign_in("wang").stage == "release"
    assert desk.join("zhao", released=False).stage == "in"


def test_an_old_password_is_good_for_choosing_another_only(desk: Desk) -> None:
    desk.join("zhao")
    desk.clock.pass_(days=91)
    opened = desk.sign_in("zhao")
    assert opened.stage == "password"
    with pytest.raises(AccountRefused, match="last 5"):
        desk.on.new_password(opened.cookie, GOOD, HERE)
    assert desk.on.new_password(opened.cookie, BETTER, HERE).stage == "in"
    with pytest.raises(SignRefused):
        desk.on.password("zhao", GOOD, HERE)


def test_the_owner_changes_the_password_and_other_sessions_end(desk: Desk) -> None:
    elsewhere, here = desk.join("zhao"), desk.sign_in("zhao")
    with pytest.raises(SignRefused):
        desk.on.change_password("zhao", BETTER, BETTER, sessions.identifier(here.cookie), HERE)
    desk.on.change_password("zhao", GOOD, BETTER, sessions.identifier(here.cookie), HERE)
    with desk.store.reading() as session:
        assert sessions.find(session, here.cookie, desk.clock()) is not None
        assert sessions.find(session, elsewhere.cookie, desk.clock()) is None


def test_a_one_time_link_is_good_once_and_for_two_days(desk: Desk) -> None:
    token = desk.invite("zhao")
    with pytest.raises(AccountRefused, match="12 to 128"):
        desk.on.accept(token, "short", HERE)
    desk.on.accept(token, GOOD, HERE)
    with pytest.raises(AccountRefused, match="used or has expired"):
        desk.on.accept(token, BETTER, HERE)
    late = desk.invite("qian")
    desk.clock.pass_(hours=49)
    with pytest.raises(AccountRefused, match="used or has expired"):
        desk.on.accept(late, GOOD, HERE)
    with pytest.raises(AccountRefused):
        desk.on.accept("", GOOD, HERE)


def test_who_is_locked_is_out_at_once_and_stays_out(desk: Desk) -> None:
    opened = desk.join("zhao")
    with desk.store.session() as session:
        accounts.lock(session, "zhao", "wu", desk.clock(), "left the county")
        assert sessions.find(session, opened.cookie, desk.clock()) is None
    with pytest.raises(SignRefused, match="locked"):
        desk.on.password("zhao", GOOD, HERE)
    with pytest.raises(SignRefused, match="locked"):
        desk.on.enter("zhao", "link", HERE)
    with desk.store.session() as session:
        accounts.unlock(session, "zhao", "wu", "was mistaken")
    assert desk.sign_in("zhao").stage == "in"


def test_a_reset_leaves_the_second_factor(desk: Desk) -> None:
    desk.join("wang")
    with desk.store.session() as session:
        token = accounts.reset(session, "wang", "wu", desk.clock(), "forgot it")
    with pytest.raises(SignRefused):
        desk.on.password("wang", GOOD, HERE)
    with pytest.raises(AccountRefused, match="last 5"):
        desk.on.accept(token, GOOD, HERE)
    opened = desk.on.accept(token, BETTER, HERE)
    assert opened.stage == "code", "whoever makes links must not be able to play another person"
    assert desk.on.code(opened.cookie, desk.code("wang"), HERE).stage == "in"


def test_sessions_end_by_themselves(desk: Desk) -> None:
    opened = desk.join("zhao")
    for _ in range(30):
        desk.clock.pass_(minutes=29)
        with desk.store.session() as session:
            row = sessions.find(session, opened.cookie, desk.clock())
            if row is None:
                break
            sessions.note(session, row.id, desk.clock())
    assert (desk.clock() - Clock()()).total_seconds() / 3600 == pytest.approx(12, abs=0.5)
    idle = desk.sign_in("zhao")
    desk.clock.pass_(minutes=31)
    with desk.store.reading() as session:
        assert sessions.find(session, idle.cookie, desk.clock()) is None


def test_a_provider_lets_in_whom_the_county_gave_an_account(desk: Desk) -> None:
    with pytest.raises(SignRefused, match="no account"):
        desk.on.enter("zhao", "oidc", HERE)
    desk.join("zhao")
    desk.join("wang")
    assert desk.on.enter("zhao", "oidc", HERE).stage == "in"
    assert desk.on.enter("wang", "oidc", HERE).stage == "code"
    assert desk.on.enter("wang", "certificate", HERE).stage == "in"
    with pytest.raises(SignRefused, match="nobody"):
        desk.on.enter("stranger", "link", HERE)


def test_the_store_gives_no_secret_away(desk: Desk) -> None:
    desk.join("wang")
    with desk.store.reading() as session:
        account = session.get(Account, "wang")
        assert account is not None
        kept = " ".join([account.password, account.totp, account.invite, *account.recovery])
    secret = desk.secrets["wang"]
    assert GOOD not in kept
    assert secret.hex() not in kept
    with pytest.raises(ValueError, match="not sealed"):
        desk.seal.open(account.totp, "zhao")
    assert desk.seal.open(account.totp, "wang") == secret


@given(st.text(max_size=40))
def test_any_text_as_a_code_is_refused(text: str) -> None:
    clock = Clock()
    secret = b"12345678901234567890"
    right = second_factor.code_at(secret, clock())
    assert second_factor.matching_step(secret, text, clock(), 0) is None or text == right


def test_codes_are_those_of_rfc_6238() -> None:
    secret = b"12345678901234567890"  # appendix B, the last six of eight digits
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert second_factor.code_at(secret, datetime.fromtimestamp(seconds, UTC)) == code

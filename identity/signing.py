"""Signing in, step by step: password, then a code of the time, a new password, or a telephone to enrol, as needed.

Each step answers with the value of a new cookie and the stage it opens: "in", or what is still asked for ("code",
"password", "enrol"). Only "in" opens anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import NoReturn

from sqlalchemy.orm import Session

from identity import accounts, passwords, second_factor, sessions, throttle
from identity.directory import Directory, Identity
from identity.people import Right
from identity.refusal import Refusal
from identity.second_factor import Seal
from identity.tables import Account, SignSession
from store.audit import record
from store.base import utc_now
from store.engine import Store

WRONG = ("login or password is wrong", "登录名或口令不正确")
_WRONG_CODE = ("this code is wrong, or was used: wait for the next one", "验证码不正确或已用过,请等下一个")
_LOCKED = ("this account is locked: ask the system administrator", "此账户已锁定,请联系系统管理员")
_MOST_CHARACTERS = 256


class SignRefused(Refusal):
    """Not signed in."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from."""

    address: str
    agent: str = ""
    known: str = ""  # who has signed in with this browser before
    device: str = ""  # and the number that it got then

    def tries(self, login: str) -> throttle.Attempt:
        """As an attempt to be this person."""
        return throttle.Attempt(login, self.address, self.device if self.known == login else "")


@dataclass(frozen=True, slots=True)
class Opened:
    """A step that was good: the cookie's new value, and what comes next."""

    cookie: str
    stage: str
    login: str
    recovery: tuple[str, ...] = ()  # codes to write down, shown once


class SignOn:
    """The steps.

    Args:
        store: Accounts and sessions.
        directory: Who is who.
        seal: Opens second factors.
        county: Its name, as an authenticator shows it.
        now: The clock: aware, UTC.
    """

    def __init__(
        self, store: Store, directory: Directory, seal: Seal, county: str, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.store, self.directory, self.now = store, directory, now
        self._seal, self._county = seal, county

    def password(self, login: str, password: str, caller: Caller) -> Opened:
        """First step. SignRefused says the same whether the login or the password is wrong."""
        known = accounts.LOGIN.fullmatch(login) is not None and len(password) <= _MOST_CHARACTERS
        name = login if known else "?"
        self._count(name, caller)
        with self.store.reading() as session:
            account = session.get(Account, name)
            hash_ = account.password if account else ""
        if not (passwords.matches(hash_, password) and known):
            self._failed(name, caller, "password")
        with self.store.session() as session:
            account = session.get(Account, name)
            if account is None or account.password != hash_:
                raise SignRefused(*WRONG)
            throttle.succeeded(session, caller.tries(name))
            if passwords.outdated(hash_):
                account.password = passwords.hashed(password)
            return self._next(session, account, "password", caller, "")

    def code(self, cookie: str, code: str, caller: Caller) -> Opened:
        """A code of the time, or a recovery code."""
        login = self._half_way(cookie, "code").login
        self._count(login, caller)
        with self.store.session() as session:
            waiting = self._stage(session, cookie, "code")
            account = accounts.existing(session, login)
            if self._good_code(session, account, code):
                throttle.succeeded(session, caller.tries(login))
                sessions.end(session, waiting.id)
                return self._next(session, account, waiting.how, caller, "code")
        self._failed(login, caller, "code")

    def new_password(self, cookie: str, password: str, caller: Caller) -> Opened:
        """A password that replaces one which is too old or must be changed."""
        with self.store.session() as session:
            waiting = self._stage(session, cookie, "password")
            account = accounts.existing(session, waiting.login)
            accounts.set_password(session, account, password, self.now(), "at sign-in")
            sessions.end_all(session, account.login)
            return self._next(session, account, waiting.how, caller, "password")

    def accept(self, token: str, password: str, caller: Caller) -> Opened:
        """A one-time link's owner chooses the first password; a second factor that is there is still asked for."""
        with self.store.session() as session:
            account = accounts.invited(session, token, self.now())
            accounts.set_password(session, account, password, self.now(), "by one-time link")
            sessions.end_all(session, account.login)
            return self._next(session, account, "password", caller, "")

    def change_password(self, login: str, old: str, new: str, session_id: str, caller: Caller) -> None:
        """Somebody signed in chooses another password and shows the old one; all other sessions end."""
        self._count(login, caller)
        with self.store.reading() as session:
            hash_ = accounts.existing(session, login).password
        if not passwords.matches(hash_, old[:_MOST_CHARACTERS]):
            self._failed(login, caller, "password")
        with self.store.session() as session:
            throttle.succeeded(session, caller.tries(login))
            accounts.set_password(session, accounts.existing(session, login), new, self.now(), "by its owner")
            sessions.end_all(session, login, but=session_id)

    def begin_enrolment(self, cookie: str, code: str, caller: Caller) -> dict[str, str]:
        """A new shared secret, for somebody who is asked for one, or is signed in and shows a code of the old one."""
        waiting = self._half_way(cookie, "enrol", "in")
        self._count(waiting.login, caller)
        with self.store.session() as session:
            account = accounts.existing(session, waiting.login)
            good = not account.totp or self._good_code(session, account, code)
            if good:
                throttle.succeeded(session, caller.tries(account.login))
        if not good:
            self._failed(waiting.login, caller, "code")
        return second_factor.begin(self._seal, waiting.login, self._county, self.now())

    def confirm_enrolment(self, cookie: str, pending: str, code: str, caller: Caller) -> Opened:
        """The telephone shows the right code: it is the second factor from now on."""
        login = self._half_way(cookie, "enrol", "in").login
        self._count(login, caller)
        found = second_factor.confirm(self._seal, login, pending, code, self.now())
        if found is None:
            self._failed(login, caller, "enrolment code")
        with self.store.session() as session:
            waiting = self._stage(session, cookie, "enrol", "in")
            account = accounts.existing(session, login)
            shown, account.recovery = second_factor.recovery_codes()
            account.totp, account.totp_step = found
            throttle.succeeded(session, caller.tries(login))
            record(session, login, "account.second-factor", "enrolled", {"address": caller.address})
            sessions.end_all(session, login)
            opened = self._next(session, account, waiting.how, caller, "enrol")
            return Opened(opened.cookie, opened.stage, login, tuple(shown))

    def screen(self, cookie: str, caller: Caller) -> Opened:
        """Turn a session into a wall's, which can only look, and may therefore stay alone."""
        with self.store.session() as session:
            own = self._stage(session, cookie, "in")
            person = self.directory.find(session, own.login, self.now())
            if person is None or Right.WATCH not in person.rights:
                raise SignRefused("this needs the right watch", "您没有查看权限")
            record(session, person.login, "sign.screen", own.how, {"address": caller.address})
            sessions.end(session, own.id)
            return self._open(session, person, own.how, "screen", caller)

    def enter(self, login: str, how: str, caller: Caller) -> Opened:
        """Somebody whom a one-time link, a certificate or another provider names.

        Whom a provider names is asked for the second factor too, where the roles want one; a link of root's is enough
        by itself, and so is a certificate, whose key its owner alone can use.
        """
        with self.store.session() as session:
            person = self.directory.find(session, login, self.now())
            account = session.get(Account, login)
            if person is None or (account is not None and account.locked_at is not None):
                record(session, login, "sign.refused", "locked" if person else "unknown", {"how": how})
                refused = _LOCKED if person else (f"nobody has the login {login!r}", f"没有登录名为 {login} 的人员")
            elif how == "oidc" and account is None:
                refused = (
                    "there is no account for you yet: ask the system administrator",
                    "您还没有账户,请联系系统管理员",
                )
            else:
                if account is not None and how == "oidc":
                    return self._next(session, account, how, caller, "")
                return self._in(session, person, account, how, caller)
        raise SignRefused(*refused)

    def _next(self, session: Session, account: Account, how: str, caller: Caller, done: str) -> Opened:
        """What is asked for after a step."""
        person = self.directory.find(session, account.login, self.now())
        if person is None or account.locked_at is not None:
            raise SignRefused(*_LOCKED)
        if account.totp and done == "":
            return self._open(session, person, how, "code", caller)
        if how == "password" and done in ("", "code") and accounts.must_choose(account, self.now()):
            return self._open(session, person, how, "password", caller)
        if person.strong and not account.totp:
            return self._open(session, person, how, "enrol", caller)
        if person.strong and not account.released_by:
            return self._open(session, person, how, "release", caller)
        return self._in(session, person, account, how, caller)

    def _in(self, session: Session, person: Identity, account: Account | None, how: str, caller: Caller) -> Opened:
        if account is not None:
            account.seen_at = self.now()
        record(session, person.login, "sign.in", how, {"address": caller.address})
        return self._open(session, person, how, "in", caller)

    def _open(self, session: Session, person: Identity, how: str, stage: str, caller: Caller) -> Opened:
        value = sessions.begin(
            session, person.login, how, stage, person.standing, caller.address, caller.agent, self.now()
        )
        return Opened(value, stage, person.login)

    def _good_code(self, session: Session, account: Account, code: str) -> bool:
        step = second_factor.matching_step(
            self._seal.open(account.totp, account.login), code.replace(" ", ""), self.now(), account.totp_step
        )
        if step is not None:
            account.totp_step = step
            return True
        digest = second_factor.recovery_digest(code)
        left = [kept for kept in account.recovery if not compare_digest(kept, digest)]
        if len(left) == len(account.recovery):
            return False
        account.recovery = left
        record(session, account.login, "sign.recovery-code", "used", {"left": len(left)})
        return True

    def _half_way(self, cookie: str, *stages: str) -> SignSession:
        with self.store.reading() as session:
            return self._stage(session, cookie, *stages)

    def _stage(self, session: Session, cookie: str, *stages: str) -> SignSession:
        found = sessions.find(session, cookie, self.now())
        if found is None or found.stage not in stages:
            raise SignRefused("this took too long: sign in again", "操作超时,请重新登录")
        return found

    def _count(self, login: str, caller: Caller) -> None:
        try:
            with self.store.session() as session:
                throttle.count(session, caller.tries(login), self.now())
        except throttle.TooMany as many:
            minutes = max(1, round((many.until - self.now()).total_seconds() / 60))
            raise SignRefused(
                f"{many} (about {minutes} min)",
                f"失败次数过多,请约 {minutes} 分钟后再试,或请系统管理员解锁",
            ) from None

    def _failed(self, login: str, caller: Caller, what: str) -> NoReturn:
        with self.store.session() as session:
            record(session, login, "sign.failed", what, {"address": caller.address})
            if throttle.must_wait(session, caller.tries(login), self.now()):
                record(session, login, "sign.wait", "too many failures", {"address": caller.address})
        raise SignRefused(*(WRONG if what == "password" else _WRONG_CODE))

"""Accounts: made and locked by the system administrator, who hands over a one-time link and never learns a password."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from identity import passwords, sessions, throttle
from identity.directory import CONSOLE
from identity.refusal import Refusal
from identity.tables import Account
from store.audit import record

INVITED_FOR = timedelta(hours=48)
PASSWORD_LIFE = timedelta(days=90)
LOGIN = re.compile(r"[a-z][a-z0-9-]{0,31}")


class AccountRefused(Refusal):
    """An account is not made or changed."""


def add(session: Session, login: str, who: str, now: datetime, *, zh: str, en: str, unit: str, why: str) -> str:
    """Make an account that has no password yet; returns the token of its one-time link.

    Raises:
        AccountRefused: The login is not one, or has an account.
    """
    if not LOGIN.fullmatch(login):
        raise AccountRefused(
            f"login {login!r}: expected 1 to 32 small letters, digits and dashes, a letter first",
            "登录名须为 1 至 32 个小写字母、数字或连字符,以字母开头",
        )
    if login == CONSOLE:
        raise AccountRefused(
            f"{CONSOLE} is the name of root's own one-time links: choose another login",
            f"{CONSOLE} 为保留登录名,请另取",
        )
    if session.get(Account, login) is not None:
        raise AccountRefused(
            f"{login} has an account already: reset it, or choose another login",
            f"{login} 已有账户:请重置,或另取登录名",
        )
    account = Account(
        login=login,
        zh=zh or login,
        en=en or login,
        unit=unit,
        password="",
        password_at=None,
        history=[],
        must_change=False,
        invite="",
        invite_until=None,
        totp="",
        totp_step=0,
        recovery=[],
        released_by="",
        locked_at=None,
        locked_why="",
        created_at=now,
        created_by=who,
        seen_at=None,
    )
    session.add(account)
    record(session, who, "account.add", why, {"login": login, "unit": unit})
    return _invite(account, now)


def reset(session: Session, login: str, who: str, now: datetime, why: str) -> str:
    """Forget the password, end the sessions, and return the token of a new one-time link. The second factor stays."""
    account = existing(session, login)
    _reason(why)
    if account.password:
        account.history = [account.password, *account.history][: passwords.REMEMBERED]
    account.password, account.password_at = "", None
    sessions.end_all(session, login)
    record(session, who, "account.reset", why, {"login": login})
    return _invite(account, now)


def lock(session: Session, login: str, who: str, now: datetime, why: str) -> None:
    """Let this person in no more, and out at once."""
    account = existing(session, login)
    _reason(why)
    if account.locked_at is not None:
        raise AccountRefused(
            f"{login} is locked already: {account.locked_why}", f"{login} 已被锁定:{account.locked_why}"
        )
    account.locked_at, account.locked_why = now, why
    sessions.end_all(session, login)
    record(session, who, "account.lock", why, {"login": login})


def unlock(session: Session, login: str, who: str, why: str) -> None:
    """Let this person in again; waits after failed attempts end too."""
    account = existing(session, login)
    _reason(why)
    account.locked_at, account.locked_why = None, ""
    throttle.clear(session, login)
    record(session, who, "account.unlock", why, {"login": login})


def must_change(session: Session, login: str, who: str, why: str) -> None:
    """The next sign-in asks for a new password."""
    account = existing(session, login)
    _reason(why)
    account.must_change = True
    record(session, who, "account.must-change", why, {"login": login})


def forget_second_factor(session: Session, login: str, who: str, why: str) -> None:
    """A telephone was lost: the next sign-in enrols another. For the security administrator, who learns no password."""
    account = existing(session, login)
    _reason(why)
    account.totp, account.totp_step, account.recovery = "", 0, []
    sessions.end_all(session, login)
    record(session, who, "account.second-factor-reset", why, {"login": login})


def invited(session: Session, token: str, now: datetime) -> Account:
    """Whose one-time link this is; AccountRefused when it is nobody's any more."""
    found = session.scalars(select(Account).where(Account.invite == _digest(token))).first() if token else None
    if found is None or found.invite_until is None or found.invite_until <= now or found.locked_at is not None:
        raise AccountRefused(
            "this link was used or has expired: ask the system administrator for a new one",
            "此链接已用过或已过期,请向系统管理员索取新链接",
        )
    return found


def set_password(session: Session, account: Account, password: str, now: datetime, how: str) -> None:
    """Take a new password from its owner; AccountRefused with the rule that it does not meet."""
    earlier = [*([account.password] if account.password else []), *account.history]
    if refusal := passwords.problem(password, account.login, earlier):
        raise AccountRefused(refusal.en, refusal.zh)
    account.history = earlier[: passwords.REMEMBERED]
    account.password, account.password_at = passwords.hashed(password), now
    account.must_change, account.invite, account.invite_until = False, "", None
    record(session, account.login, "account.password", how)


def must_choose(account: Account, now: datetime) -> bool:
    """True when the password may be used for nothing but choosing another."""
    return account.must_change or account.password_at is None or now - account.password_at > PASSWORD_LIFE


def everyone(session: Session) -> Sequence[Account]:
    """All accounts, by login."""
    return session.scalars(select(Account).order_by(Account.login)).all()


def existing(session: Session, login: str) -> Account:
    """The account; AccountRefused when there is none."""
    account = session.get(Account, login)
    if account is None:
        raise AccountRefused(
            f"{login!r} has no account: look at the list of accounts", f"{login} 没有账户,请查看账户列表"
        )
    return account


def _invite(account: Account, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    account.invite, account.invite_until = _digest(token), now + INVITED_FOR
    return token


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _reason(why: str) -> None:
    if not why.strip():
        raise AccountRefused("write why: it is kept in the audit log", "请写明原因,审计日志将予记录")

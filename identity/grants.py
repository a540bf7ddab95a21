"""Handing out roles: by the security administrator to anybody, by a unit's head within the own unit; for a time.

Nobody hands anything to himself, nobody more than he may, and no administrator's role ever stands beside another
role (三员). A grant that ends, or is ended, ends the person's sessions: they were made for somebody who could more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from identity import sessions
from identity.directory import CONSOLE, Directory, Identity
from identity.people import ADMINISTRATORS, OF_UNITS, ROLE_RIGHTS, Right, conflict
from identity.refusal import Refusal
from identity.tables import Account, Grant
from store.audit import record

LONGEST_DAYS = 366
ROOT = "root"
"""Who acts on the command line of the management host, when sudo names nobody."""

_WHY = ("write why: it is kept in the audit log", "请写明原因,审计日志将予记录")
_HEAD_HANDS_OUT = frozenset({Right.REPORT, Right.MEET})


class GrantRefused(Refusal):
    """A role is not handed out or taken back."""


def give(
    session: Session,
    directory: Directory,
    giver: Identity | None,
    login: str,
    role: str,
    units: Sequence[str],
    days: int,
    why: str,
    now: datetime,
    who: str = ROOT,
) -> Grant:
    """Hand a role to somebody.

    Args:
        session: A writing session.
        directory: Who is who.
        giver: Who hands it out; None: root at the console.
        login: Who gets it.
        role: One of ``ROLE_RIGHTS``.
        units: Site codes it holds for; none: the whole county.
        days: For how long, 1 to 366.
        why: The reason, for the audit.
        now: Aware.
        who: Name of root's person in the audit.

    Raises:
        GrantRefused: In plain words.
    """
    receiver = directory.find(session, login, now)
    if receiver is None:
        raise GrantRefused(
            f"{login!r}: nobody has this login; let the system administrator make the account first",
            f"没有登录名为 {login} 的人员,请系统管理员先建账户",
        )
    if login == CONSOLE:
        raise GrantRefused(f"{CONSOLE} is root's own one-time link: its roles are fixed", f"{CONSOLE} 的角色固定不变")
    refusal = _refusal(giver, receiver, role, units, days, why)
    if refusal:
        raise refusal
    name = giver.login if giver else who
    grant = Grant(
        login=login,
        role=role,
        units=sorted(set(units)),
        why=why,
        given_by=name,
        given_at=now,
        expires_at=now + timedelta(days=days),
        ended_at=None,
        ended_by="",
    )
    session.add(grant)
    session.flush()
    sessions.end_all(session, login)
    detail = {"login": login, "role": role, "units": grant.units, "until": grant.expires_at.isoformat(), "id": grant.id}
    record(session, name, "role.grant", why, detail)
    return grant


def end(session: Session, giver: Identity | None, grant_id: int, why: str, now: datetime, who: str = ROOT) -> Grant:
    """Take a role back. A head ends what holds for the own units only; GrantRefused when there is nothing to end."""
    grant = session.get(Grant, grant_id)
    if grant is None or grant.ended_at is not None or grant.expires_at <= now:
        raise GrantRefused(f"grant {grant_id}: not in force; look at the list again", "此授权已失效,请刷新列表")
    if giver is not None and _limits(giver) is not None and not _within(grant.units, giver.units(Right.GRANT)):
        raise GrantRefused(
            f"grant {grant_id} holds beyond your unit: ask the security administrator",
            "此授权超出本单位范围,请联系安全管理员",
        )
    if not why.strip():
        raise GrantRefused(*_WHY)
    name = giver.login if giver else who
    grant.ended_at, grant.ended_by = now, name
    sessions.end_all(session, grant.login)
    record(session, name, "role.revoke", why, {"login": grant.login, "role": grant.role, "id": grant.id})
    return grant


def release(
    session: Session,
    directory: Directory,
    giver: Identity | None,
    login: str,
    now: datetime,
    who: str = ROOT,
    why: str = "the person was seen",
) -> None:
    """Vouch for the person behind a privileged account: whoever makes accounts must not be able to play one alone.

    Raises:
        GrantRefused: No such account, already released, the own one, or no right over the whole county.
    """
    account, person = session.get(Account, login), directory.find(session, login, now)
    if account is None or person is None:
        raise GrantRefused(
            f"{login!r}: has no account; let the system administrator make it first",
            f"{login} 没有账户,请系统管理员先建账户",
        )
    if account.released_by:
        raise GrantRefused(
            f"{login}: {account.released_by} has released this account already",
            f"{account.released_by} 已放行 {login} 的账户",
        )
    if giver is not None and (giver.login == login or _limits(giver) is not None):
        raise GrantRefused(
            "another security administrator, or root at the console, releases this account",
            "此账户须由另一名安全管理员或控制台放行",
        )
    name = giver.login if giver else who
    account.released_by = name
    record(session, name, "account.release", why, {"login": login})


def may_give(giver: Identity) -> list[str]:
    """Roles that this person can hand out."""
    limits = _limits(giver)
    return [role for role, rights in ROLE_RIGHTS.items() if limits is None or rights <= limits]


def _limits(giver: Identity) -> frozenset[Right] | None:
    """Rights that the giver may hand out within the own units; None: any, anywhere (the security administrator)."""
    return None if "secadmin" in giver.roles else _HEAD_HANDS_OUT & giver.rights


def _refusal(
    giver: Identity | None, receiver: Identity, role: str, units: Sequence[str], days: int, why: str
) -> GrantRefused | None:
    if role not in ROLE_RIGHTS:
        return GrantRefused(f"role {role!r}: expected one of {', '.join(ROLE_RIGHTS)}", f"没有角色 {role}")
    if not 1 <= days <= LONGEST_DAYS:
        return GrantRefused(f"days {days}: expected 1 to {LONGEST_DAYS}", f"期限须为 1 至 {LONGEST_DAYS} 天")
    if not why.strip():
        return GrantRefused(*_WHY)
    if role in OF_UNITS and not units:
        return GrantRefused(f"the role {role} holds for named units: name them", "此角色须指定单位")
    if role in ADMINISTRATORS and units:
        return GrantRefused(
            f"the role {role} holds for the whole county: name no units", "此角色适用于全县,不得指定单位"
        )
    if other := conflict([*receiver.roles, role]):
        return GrantRefused(
            f"{receiver.login} would be {other} beside {', '.join(sorted({*receiver.roles, role} - {other}))}:"
            " an administrator of system, security or audit (三员) does nothing else",
            "三员(系统、安全、审计管理员)不得兼任任何其他角色",
        )
    if giver is None:
        return None
    if Right.GRANT not in giver.rights:
        return GrantRefused(f"{giver.login} hands out no roles", "您无权授予角色")
    if giver.login == receiver.login:
        return GrantRefused("nobody hands a role to himself", "不得给自己授权")
    limits = _limits(giver)
    if limits is None:
        return None
    own = giver.units(Right.GRANT)
    if not ROLE_RIGHTS[role] <= limits:
        return GrantRefused(
            f"a unit's head hands out {', '.join(may_give(giver))} only: ask the security administrator",
            "单位负责人只能授予本单位的文书和会场管理员角色",
        )
    if not _within(units, own):
        return GrantRefused(f"your units are {', '.join(own)}: name none but these", "只能授予本单位范围内的角色")
    if not _within(receiver.home, own):
        return GrantRefused(
            f"{receiver.login} is not of your unit: ask the security administrator", "此人不属于本单位,请联系安全管理员"
        )
    return None


def _within(units: Sequence[str], own: Sequence[str]) -> bool:
    return bool(units) and set(units) <= set(own)

"""Handing out roles: by the security administrator to anybody, by a unit's head within the own unit; for a time.

Nobody hands anything to himself, nobody more than he may, and no administrator's role ever stands beside another
role (三员). A grant that ends, or is ended, ends the person's sessions: they were made for somebody who could more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from identity import sessions
from identity.directory import Directory, Identity
from identity.people import ADMINISTRATORS, OF_UNITS, ROLE_RIGHTS, Right, conflict
from identity.tables import Account, Grant
from store.audit import record

LONGEST_DAYS = 366
ROOT = "root"
"""Who acts on the command line of the management host, when sudo names nobody."""

_HEAD_HANDS_OUT = frozenset({Right.REPORT, Right.MEET})


class GrantRefused(Exception):
    """The role is not handed out; the text says why and what can be done."""


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
        raise GrantRefused(f"{login!r}: nobody has this login; let the system administrator make the account first")
    refusal = _refusal(giver, receiver, role, units, days, why)
    if refusal:
        raise GrantRefused(refusal)
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
        raise GrantRefused(f"grant {grant_id}: not in force; look at the list again")
    if giver is not None and _limits(giver) is not None and not _within(grant.units, giver.units(Right.GRANT)):
        raise GrantRefused(f"grant {grant_id} holds beyond your unit: ask the security administrator")
    if not why.strip():
        raise GrantRefused("write why: it is kept in the audit log")
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
        raise GrantRefused(f"{login!r}: has no account; let the system administrator make it first")
    if account.released_by:
        raise GrantRefused(f"{login}: {account.released_by} has released this account already")
    if giver is not None and (giver.login == login or _limits(giver) is not None):
        raise GrantRefused("another security administrator, or root at the console, releases this account")
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


def _refusal(giver: Identity | None, receiver: Identity, role: str, units: Sequence[str], days: int, why: str) -> str:
    if role not in ROLE_RIGHTS:
        return f"role {role!r}: expected one of {', '.join(ROLE_RIGHTS)}"
    if not 1 <= days <= LONGEST_DAYS:
        return f"days {days}: expected 1 to {LONGEST_DAYS}"
    if not why.strip():
        return "write why: it is kept in the audit log"
    if role in OF_UNITS and not units:
        return f"the role {role} holds for named units: name them"
    if role in ADMINISTRATORS and units:
        return f"the role {role} holds for the whole county: name no units"
    if other := conflict([*receiver.roles, role]):
        return (
            f"{receiver.login} would be {other} beside {', '.join(sorted({*receiver.roles, role} - {other}))}:"
            " an administrator of system, security or audit (三员) does nothing else"
        )
    if giver is None:
        return ""
    if Right.GRANT not in giver.rights:
        return f"{giver.login} hands out no roles"
    if giver.login == receiver.login:
        return "nobody hands a role to himself"
    limits = _limits(giver)
    if limits is None:
        return ""
    own = giver.units(Right.GRANT)
    if not ROLE_RIGHTS[role] <= limits:
        return f"a unit's head hands out {', '.join(may_give(giver))} only: ask the security administrator"
    if not _within(units, own):
        return f"your units are {', '.join(own)}: name none but these"
    if not _within(receiver.home, own):
        return f"{receiver.login} is not of your unit: ask the security administrator"
    return ""


def _within(units: Sequence[str], own: Sequence[str]) -> bool:
    return bool(units) and set(units) <= set(own)

"""Who somebody is: names and roles from the county's ``people.yml``, from the account, and from grants, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from identity.people import Right, conflict, rights_of
from identity.tables import Account, Grant

CONSOLE = "operator"
"""Subject of a link that root printed for nobody in particular: the duty desk of a county that has no accounts yet."""

STRONG = frozenset({"sysadmin", "secadmin", "auditor", "engineer", "approver"})
"""Roles that sign in with two factors."""


class Written(Protocol):
    """A person of ``people.yml``."""

    @property
    def zh(self) -> str:
        """Chinese name."""

    @property
    def en(self) -> str:
        """English name."""

    @property
    def roles(self) -> Sequence[str]:
        """Written roles."""

    @property
    def units(self) -> Sequence[str]:
        """Site codes they hold for; none: the whole county."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A role and where it holds."""

    role: str
    units: tuple[str, ...]  # site codes; none: the whole county
    grant: int = 0  # number of the grant; 0: from people.yml

    def __str__(self) -> str:
        return f"{self.role}@{','.join(sorted(self.units)) or '*'}"


@dataclass(frozen=True, slots=True)
class Identity:
    """One person with all roles that are in force."""

    login: str
    zh: str
    en: str
    home: tuple[str, ...]  # the person's own units; none: the county's own staff
    duties: tuple[Duty, ...]
    only: frozenset[Right] = frozenset(Right)  # what the session lets through: a wall's can only look

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles, each once."""
        return tuple(dict.fromkeys(duty.role for duty in self.duties))

    @property
    def rights(self) -> frozenset[Right]:
        """Rights of all roles; none at all when an administrator's role stands beside another (三员)."""
        return frozenset() if conflict(self.roles) else rights_of(self.roles) & self.only

    @property
    def strong(self) -> bool:
        """True when this person needs a second factor."""
        return bool(STRONG & set(self.roles))

    @property
    def standing(self) -> str:
        """All duties as one text: a session ends when it is no longer the same."""
        return ";".join(sorted(map(str, self.duties)))

    def units(self, right: Right) -> tuple[str, ...]:
        """Where the right holds: site codes, or () for the whole county. Ask only for a right that is held."""
        return _together([duty for duty in self.duties if right in rights_of([duty.role])])

    @property
    def all_units(self) -> tuple[str, ...]:
        """Where any right holds."""
        return _together(self.duties)


class Directory:
    """Everybody who may be somebody.

    Args:
        people: The people of the county's files, by login.
    """

    def __init__(self, people: Mapping[str, Written]) -> None:
        self._people = people

    def find(self, session: Session, login: str, now: datetime) -> Identity | None:
        """The person with the roles in force at that moment; None when nobody has this login."""
        written = self._people.get(login)
        account = session.get(Account, login)
        if written is None and account is None:
            if login != CONSOLE:
                return None
            return Identity(login, "值班台", "Duty desk", (), (Duty("operator", ()), Duty("engineer", ())))
        return self._identity(login, written, account, grants_of(session, now, login))

    def everybody(self, session: Session, now: datetime) -> list[Identity]:
        """All people of the files and all accounts, by login."""
        accounts = {account.login: account for account in session.scalars(select(Account))}
        grants: dict[str, list[Grant]] = {}
        for grant in grants_of(session, now):
            grants.setdefault(grant.login, []).append(grant)
        return [
            self._identity(login, self._people.get(login), accounts.get(login), grants.get(login, []))
            for login in sorted({*self._people, *accounts})
        ]

    def _identity(
        self, login: str, written: Written | None, account: Account | None, grants: Sequence[Grant]
    ) -> Identity:
        handed = tuple(Duty(grant.role, tuple(grant.units), grant.id) for grant in grants)
        if written is not None:
            units = tuple(written.units)
            return Identity(
                login, written.zh, written.en, units, (*(Duty(role, units) for role in written.roles), *handed)
            )
        assert account is not None
        return Identity(login, account.zh, account.en, (account.unit,) if account.unit else (), handed)


def grants_of(session: Session, now: datetime, login: str = "") -> Sequence[Grant]:
    """Grants in force, of one person or of all."""
    query = select(Grant).where(Grant.ended_at.is_(None), Grant.expires_at > now).order_by(Grant.id)
    return session.scalars(query.where(Grant.login == login) if login else query).all()


def _together(duties: Sequence[Duty]) -> tuple[str, ...]:
    if any(not duty.units for duty in duties):
        return ()
    return tuple(sorted({unit for duty in duties for unit in duty.units}))

"""Accounts, roles and the audit log under ``/api``: three administrators (三员), three sets of routes.

=======================================  ==========================  =========================================
``GET /api/accounts``                    accounts, grant or audit    everybody, with roles and account
``POST /api/accounts``                   accounts                    make one; answers with a one-time token
``POST /api/accounts/LOGIN/lock``        accounts                    also ``unlock``, ``reset``, ``must-change``
``POST /api/accounts/LOGIN/release``     grant                       vouch for a privileged account's person
``POST /api/accounts/LOGIN/factor``      grant                       forget a lost telephone
``GET /api/grants``                      grant or audit              grants in force, or all
``POST /api/grants``                     grant                       hand out a role
``POST /api/grants/ID/end``              grant                       take it back
``GET /api/audit``                       audit                       search the audit log
``GET /api/audit/verify``                audit                       does the chain hold?
=======================================  ==========================  =========================================

A unit's head has the right "grant" for the own units: such a person sees and hands out no more than that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboards.access import Access, Person, said
from identity import accounts, grants, throttle
from identity.directory import Identity
from identity.grants import GrantRefused
from identity.people import Right
from identity.refusal import Refusal
from identity.tables import Account, Grant
from inventory.model import NetworkModel
from store.audit import AuditEntry, verify_chain

Document = dict[str, Any]
_Why = Annotated[str, Field(min_length=1, max_length=500)]


class NewAccount(BaseModel):
    """An account to make; names and unit only for somebody who is not in people.yml."""

    login: Annotated[str, Field(max_length=32)]
    zh: Annotated[str, Field(max_length=64)] = ""
    en: Annotated[str, Field(max_length=64)] = ""
    unit: Annotated[str, Field(max_length=8)] = ""
    why: _Why


class Reason(BaseModel):
    """Why something is done."""

    why: _Why


class NewGrant(BaseModel):
    """A role to hand out."""

    login: Annotated[str, Field(max_length=32)]
    role: Annotated[str, Field(max_length=16)]
    units: Annotated[list[Annotated[str, Field(max_length=8)]], Field(max_length=64)] = []
    days: int = 365
    why: _Why


def build_people(model: NetworkModel, access: Access) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/api")
    store, directory, now = access.sign_on.store, access.sign_on.directory, access.sign_on.now
    may_see = Depends(access.needs(Right.ACCOUNTS, Right.GRANT, Right.AUDIT))
    may_administer = Depends(access.needs(Right.ACCOUNTS))
    may_grant = Depends(access.needs(Right.GRANT))
    may_see_grants = Depends(access.needs(Right.GRANT, Right.AUDIT))
    may_audit = Depends(access.needs(Right.AUDIT))

    def changed(change: Callable[[Session], Any]) -> Any:
        try:
            with store.session() as session:
                return change(session)
        except Refusal as refusal:
            raise said(422, refusal) from None

    def known(units: list[str]) -> None:
        if unknown := sorted(set(units) - set(model.sites)):
            raise HTTPException(422, f"units {', '.join(unknown)}: not in the county")

    @router.get("/accounts")
    def everybody(person: Person = may_see) -> Document:
        with store.reading() as session:
            people = directory.everybody(session, now())
            held = {account.login: account for account in accounts.everyone(session)}
            waits = throttle.waits(session, now())
        bound = set(person.units) if not person.rights & {Right.ACCOUNTS, Right.AUDIT} else set()
        return {
            "people": [
                _person(each, held.get(each.login), waits.get(each.login))
                for each in people
                if not bound or set(each.home) & bound
            ]
        }

    @router.post("/accounts")
    def add(new: NewAccount, person: Person = may_administer) -> Document:
        if new.unit:
            known([new.unit])
        token = changed(
            lambda session: accounts.add(
                session, new.login, person.login, now(), zh=new.zh, en=new.en, unit=new.unit, why=new.why
            )
        )
        return {"login": new.login, "invite": token}

    @router.post("/accounts/{login}/lock")
    def lock(login: str, reason: Reason, person: Person = may_administer) -> Document:
        if login == person.login:
            raise said(
                422, Refusal("nobody locks the own account: another system administrator does", "不得锁定自己的账户")
            )
        changed(lambda session: accounts.lock(session, login, person.login, now(), reason.why))
        return {}

    @router.post("/accounts/{login}/unlock")
    def unlock(login: str, reason: Reason, person: Person = may_administer) -> Document:
        changed(lambda session: accounts.unlock(session, login, person.login, reason.why))
        return {}

    @router.post("/accounts/{login}/reset")
    def reset(login: str, reason: Reason, person: Person = may_administer) -> Document:
        token = changed(lambda session: accounts.reset(session, login, person.login, now(), reason.why))
        return {"login": login, "invite": token}

    @router.post("/accounts/{login}/must-change")
    def must_change(login: str, reason: Reason, person: Person = may_administer) -> Document:
        changed(lambda session: accounts.must_change(session, login, person.login, reason.why))
        return {}

    def giver(session: Session, person: Person) -> Identity:
        found = directory.find(session, person.login, now())
        if found is None:
            raise GrantRefused("your account is gone", "您的账户已不存在")
        return found

    @router.post("/accounts/{login}/release")
    def release(login: str, reason: Reason, person: Person = may_grant) -> Document:
        changed(
            lambda session: grants.release(
                session, directory, giver(session, person), login, now(), person.login, reason.why
            )
        )
        return {}

    @router.post("/accounts/{login}/factor")
    def factor(login: str, reason: Reason, person: Person = may_grant) -> Document:
        if person.units or login == person.login:
            raise said(
                422,
                Refusal("another security administrator does this, or root at the console", "须由另一名安全管理员办理"),
            )
        changed(lambda session: accounts.forget_second_factor(session, login, person.login, reason.why))
        return {}

    @router.get("/grants")
    def list_(ended: bool = False, person: Person = may_see_grants) -> Document:
        query = select(Grant).order_by(Grant.id.desc()).limit(1000)
        if not ended:
            query = query.where(Grant.ended_at.is_(None), Grant.expires_at > now())
        with store.reading() as session:
            rows = session.scalars(query).all()
            own = directory.find(session, person.login, now())
        bound = set(person.units) if Right.AUDIT not in person.rights else set()
        return {
            "roles": grants.may_give(own) if own and Right.GRANT in person.rights else [],
            "units": person.units,
            "grants": [_grant(row) for row in rows if not bound or set(row.units) & bound],
        }

    @router.post("/grants")
    def give(new: NewGrant, person: Person = may_grant) -> Document:
        known(new.units)
        grant = changed(
            lambda session: grants.give(
                session, directory, giver(session, person), new.login, new.role, new.units, new.days, new.why, now()
            )
        )
        return _grant(grant)

    @router.post("/grants/{number}/end")
    def end(number: int, reason: Reason, person: Person = may_grant) -> Document:
        grant = changed(lambda session: grants.end(session, giver(session, person), number, reason.why, now()))
        return _grant(grant)

    @router.get("/audit", dependencies=[may_audit])
    def audit(
        who: Annotated[str, Query(max_length=64)] = "",
        what: Annotated[str, Query(max_length=64)] = "",
        text: Annotated[str, Query(max_length=200)] = "",
        before: int | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Document:
        query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit + 1)
        if who:
            query = query.where(AuditEntry.who == who)
        if what:
            query = query.where(AuditEntry.what.startswith(what, autoescape=True))
        if text:
            query = query.where(
                AuditEntry.why.contains(text, autoescape=True) | AuditEntry.detail.contains(text, autoescape=True)
            )
        if before is not None:
            query = query.where(AuditEntry.number < before)
        with store.reading() as session:
            rows = session.scalars(query).all()
        return {"entries": [_entry(row) for row in rows[:limit]], "more": len(rows) > limit}

    @router.get("/audit/verify", dependencies=[may_audit])
    def verify() -> Document:
        with store.reading() as session:
            chain = verify_chain(session)
        return {
            "ok": chain.ok,
            "entries": chain.entries,
            "head": "{}:{}".format(*chain.head),
            "problems": chain.problems,
        }

    return router


def _person(person: Identity, account: Account | None, waits_until: float | None) -> Document:
    return {
        "login": person.login,
        "zh": person.zh,
        "en": person.en,
        "home": person.home,
        "strong": person.strong,
        "conflict": bool(person.roles) and not person.rights,
        "duties": [{"role": duty.role, "units": duty.units, "grant": duty.grant} for duty in person.duties],
        "account": account
        and {
            "password": bool(account.password),
            "invited": account.invite_until.timestamp() if account.invite_until else None,
            "second_factor": bool(account.totp),
            "released_by": account.released_by,
            "locked_at": account.locked_at.timestamp() if account.locked_at else None,
            "locked_why": account.locked_why,
            "waits_until": waits_until,
            "created_by": account.created_by,
            "seen_at": account.seen_at.timestamp() if account.seen_at else None,
        },
    }


def _grant(grant: Grant) -> Document:
    return {
        "id": grant.id,
        "login": grant.login,
        "role": grant.role,
        "units": grant.units,
        "why": grant.why,
        "given_by": grant.given_by,
        "given_at": grant.given_at.timestamp(),
        "expires_at": grant.expires_at.timestamp(),
        "ended_at": grant.ended_at.timestamp() if grant.ended_at else None,
        "ended_by": grant.ended_by,
    }


def _entry(entry: AuditEntry) -> Document:
    return {
        "number": entry.number,
        "at": entry.at,
        "who": entry.who,
        "what": entry.what,
        "why": entry.why,
        "detail": json.loads(entry.detail),
    }

"""8.1.4 安全计算环境: who works with the system, with which roles, and how they show who they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from identity.directory import STRONG
from identity.people import ADMINISTRATORS, conflict
from provision.comply.findings import Found, check, judged, unknown
from provision.comply.subject import Account, Subject

UNUSED = timedelta(days=90)
_NO_INSTANCE = "no instance of this county runs here: start one, or name it with --instance"


def _roles(subject: Subject) -> dict[str, tuple[str, ...]]:
    """Roles in force by login: from people.yml, and granted."""
    found = {person.login: tuple(person.roles) for person in subject.model.people.values()}
    for account in subject.facts.accounts or ():
        found[account.login] = (*found.get(account.login, ()), *account.granted)
    return found


def _in_use(subject: Subject) -> Iterator[Account]:
    return (account for account in subject.facts.accounts or () if not account.locked)


@check("separated-roles", "8.1.4.2 d)", "管理权限分离（系统、安全、审计三员）", "three administrators, apart")
def separated_roles(subject: Subject) -> Iterator[Found]:
    """System, security and audit administrators exist, and each does nothing else (三员); engineers are others."""
    roles = _roles(subject)
    for login, held in roles.items():
        other = conflict(held)
        yield judged(not other, "", f"{login}: {', '.join(held) or 'no role'}")
    for role in ("engineer", *ADMINISTRATORS):
        names = [login for login, held in roles.items() if role in held]
        yield judged(bool(names), "", f"{role}: {', '.join(names) or 'nobody'}")


@check("two-factors", "8.1.4.1 d)", "管理员两种鉴别技术组合", "administrators sign in with two factors")
def two_factors(subject: Subject) -> Iterator[Found]:
    """Every account whose roles change or oversee something has a telephone enrolled beside its password."""
    if subject.facts.accounts is None:
        yield unknown(subject.model.nms, _NO_INSTANCE)
        return
    roles = _roles(subject)
    strong = [account for account in _in_use(subject) if STRONG & set(roles[account.login])]
    for account in strong:
        factor = "telephone (TOTP)" if account.second_factor else "none: it signs in nowhere before one is enrolled"
        yield judged(account.second_factor, "", f"account {account.login}: second factor: {factor}")
    if not strong:
        yield unknown("", "no administrator has an account yet: sanwang account add LOGIN")


@check("unused-accounts", "8.1.4.2 c)", "停用多余、过期的账户", "accounts that nobody uses are locked")
def unused_accounts(subject: Subject) -> Iterator[Found]:
    """An account that is open has a role, and was used within 90 days."""
    if subject.facts.accounts is None:
        yield unknown(subject.model.nms, _NO_INSTANCE)
        return
    roles = _roles(subject)
    for account in _in_use(subject):
        age = subject.now - account.used_at
        held = ", ".join(roles[account.login]) or "no role"
        evidence = f"account {account.login}: {held}, last used {account.used_at.date()}"
        yield judged(bool(roles[account.login]) and age <= UNUSED, "", evidence)
    if not list(_in_use(subject)):
        yield unknown("", "nobody has an account yet: sanwang account add LOGIN")

"""Two people stand behind every plan: its author, and another who signed exactly these bytes.

An approval is an ed25519 signature (RFC 8032) over the canonical JSON of the plan's digest, who signs, when, and the
digests of the evidence there was.  It is verified from the plan's file and the county's people alone.  Where the author
is no person of the county (root at a console), two approvals make the two people.
"""

from __future__ import annotations

import base64
import binascii
import difflib
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from identity.people import ROLE_RIGHTS, Right, may
from identity.person_key import public_text
from inventory.model import NetworkModel
from inventory.people import Person
from provision.change.plan import Approval, Plan, PlanError, canonical

CONTEXT = "sanwang approval 1"
"""First field of what is signed, so that no signature made for another purpose fits."""


class NotApproved(PlanError):
    """The plan is whole, but too few people stand behind it (exit code 1 of a check)."""

    exit_code = 1


def approve(
    plan: Plan,
    model: NetworkModel,
    login: str,
    key: Ed25519PrivateKey,
    *,
    fingerprint: str,
    account: str,
    now: datetime,
) -> Plan:
    """The plan with this person's approval.

    Args:
        plan: As loaded, that is: whole.
        model: The county, whose people hold the public keys.
        login: Who approves.
        key: That person's private key.
        fingerprint: ``county_fingerprint`` of the county's files now.
        account: Whose account runs this (``operator()``); an author may not approve as somebody else.
        now: Aware.

    Raises:
        PlanError: For a person who may not, a key that is not that person's, or a plan that is stale; all reasons.
    """
    problems = [*_stale(plan, model, fingerprint, now), *_person(plan, model, login)]
    if account == plan.author and account in model.people and account != login:
        problems.append(
            f"approval: found the author {account} signing as {login}; expected {login}, from an account of his own;"
            f" ask {login}"
        )
    written = model.people[login].public_key if login in model.people else ""
    if written and public_text(key) != written:
        problems.append(
            f"--key: found the public key {public_text(key)}; expected {written}, which people.yml has for {login};"
            " give the key file of that person"
        )
    if problems:
        raise PlanError(*problems)
    at = now.isoformat(timespec="seconds")
    unsigned = Approval(login, written, at, tuple(each.digest for each in plan.evidence), "")
    return plan.with_approval(
        Approval(login, written, at, unsigned.evidence, base64.b64encode(key.sign(message(plan, unsigned))).decode())
    )


def check(plan: Plan, model: NetworkModel, *, fingerprint: str, now: datetime) -> tuple[Approval, ...]:
    """The approvals, every one of them verified, and enough of them.

    Raises:
        PlanError: The plan is stale, or an approval in it is forged or no longer holds; all reasons.
        NotApproved: All is well but for the number of people.
    """
    problems = [*_stale(plan, model, fingerprint, now)]
    for approval in plan.approvals:
        wrong = _person(plan, model, approval.login) or _signature(plan, model, approval)
        problems += wrong
    if problems:
        raise PlanError(*problems)
    missing = needed(plan, model) - len(plan.approvals)
    if missing > 0:
        expected = f"{needed(plan, model)}{_because(plan, model)}"
        raise NotApproved(
            f"plan {plan.id}: approvals: found {len(plan.approvals)}; expected {expected};"
            " next: sanwang approve FILE --as LOGIN --key KEY"
        )
    return plan.approvals


def needed(plan: Plan, model: NetworkModel) -> int:
    """How many approvals make two people: one beside an author whom the county knows, else two."""
    return 1 if plan.author in model.people else 2


def message(plan: Plan, approval: Approval) -> bytes:
    """What is signed."""
    signed = [CONTEXT, plan.digest, approval.login, approval.key, approval.at, list(approval.evidence)]
    return canonical(signed)


def _because(plan: Plan, model: NetworkModel) -> str:
    return "" if plan.author in model.people else f", as the author {plan.author!r} is no person of the county"


def _stale(plan: Plan, model: NetworkModel, fingerprint: str, now: datetime) -> list[str]:
    """Why the plan no longer fits the county or the clock."""
    again = "make the plan again with `sanwang plan --out FILE`"
    if plan.county != model.name:
        return [f"county: found a plan of {plan.county}; expected one of {model.name}; give the county's own plan"]
    problems = []
    if plan.fingerprint != fingerprint:
        problems.append(
            f"fingerprint: found a plan of the county's files {plan.fingerprint[:12]}; expected {fingerprint[:12]}, as"
            f" they are now: the plan is stale; {again}"
        )
    if datetime.fromisoformat(plan.window_end) <= now:
        problems.append(
            f"window: found its end {plan.window_end} past; expected one to come: the plan is stale; {again}"
        )
    return problems


def _person(plan: Plan, model: NetworkModel, login: str) -> list[str]:
    """Why this person's approval does not count."""
    person = model.people.get(login)
    if person is None:
        near = difflib.get_close_matches(login, model.people, n=1)
        hint = f"did you mean {near[0]}?" if near else "correct it, or add the person to people.yml"
        return [f"approval: found {login!r}; expected one of {', '.join(model.people)}; {hint}"]
    problems = []
    if not may(person.roles, Right.APPROVE):
        carriers = ", ".join(role for role, rights in ROLE_RIGHTS.items() if Right.APPROVE in rights)
        problems.append(
            f"approval: found {login} with the roles {', '.join(person.roles)}; expected one that may approve"
            f" ({carriers}); ask such a person"
        )
    if not person.public_key:
        problems.append(
            f"approval: found no public_key of {login} in people.yml; expected one; make it with"
            " `sanwang approve keygen`"
        )
    if login == plan.author:
        problems.append(f"approval: found {login}, the plan's author; expected another person; ask one")
    elif _same_key(person, model.people.get(plan.author)):
        problems.append(f"approval: found {login} with the key of the author {plan.author}; expected a key of his own")
    return problems


def _same_key(one: Person, other: Person | None) -> bool:
    return other is not None and one.public_key != "" and one.public_key == other.public_key


def _signature(plan: Plan, model: NetworkModel, approval: Approval) -> list[str]:
    """Why the signature does not hold."""
    written = model.people[approval.login].public_key
    if approval.key != written:
        return [
            f"approval of {approval.login}: found the key {approval.key}; expected {written}, as in people.yml;"
            " approve again"
        ]
    held = {each.digest for each in plan.evidence}
    if not held.issuperset(approval.evidence):
        return [
            f"approval of {approval.login}: found other evidence than was signed; expected it unedited; approve again"
        ]
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(approval.key, validate=True))
        public.verify(base64.b64decode(approval.signature, validate=True), message(plan, approval))
    except (InvalidSignature, ValueError, binascii.Error):
        return [
            f"approval of {approval.login}: found a signature that does not fit plan {plan.id}; expected one made by"
            f" {approval.login}'s key over it: forged, or the plan was edited; approve again"
        ]
    return []

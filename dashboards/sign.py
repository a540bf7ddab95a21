"""Signing in and out, and a person's own account, under ``/api``.

==================================  ========================================================================
``POST /api/session``               a one-time link's token for a session cookie
``GET /api/session``                who is signed in, or 401
``POST /api/session/screen``         turn the session into a wall's, which can only look and may stay alone
``DELETE /api/session``             sign out
``GET /api/sign``                   which step is next, and which other ways in there are
``POST /api/sign/password``         login and password; answers with the next step, as all of these do
``POST /api/sign/code``             a code of the time, or a recovery code
``POST /api/sign/new-password``     where the old one is too old
``POST /api/sign/invite``           whose one-time link this is; with a password: set it
``POST /api/sign/enrol``            a shared secret for a telephone, as a QR code
``POST /api/sign/enrol/confirm``    the telephone shows the right code; answers with recovery codes
``GET /api/own``                    one's own account, roles and sessions
``POST /api/own/password``          another password
``DELETE /api/own/sessions/ID``     end one of one's own sessions
==================================  ========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Request, Response

from dashboards.access import COOKIE, LOCAL, Access, forget, own_page, said
from identity import accounts, sessions
from identity.accounts import AccountRefused
from identity.directory import Identity
from identity.people import Right
from identity.refusal import Refusal
from identity.signing import Opened, SignRefused
from identity.tables import Account, Grant, SignSession
from identity.tokens import TokenRefused
from store.audit import record

Document = dict[str, Any]
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_Text = Annotated[str, Body(embed=True, max_length=4096)]
_Short = Annotated[str, Body(embed=True, max_length=256)]
_SHOWN = 12
"""Characters of a session's identifier that the page gets: enough to name it, too few to find the cookie from."""


def build_sign(access: Access, ways: Document) -> APIRouter:
    """The router.

    Args:
        access: Who is let in.
        ways: Other ways in, as the sign-in page is told them: ``oidc`` (names of the provider) and ``certificate``
            (a port of the management address).
    """
    router = APIRouter(prefix="/api")
    sign_on = access.sign_on
    ours = [Depends(own_page)]
    anybody = Depends(access.signed_in)

    def answer(response: Response, step: Callable[[], Opened]) -> Document:
        try:
            opened = step()
        except TokenRefused as refusal:
            raise HTTPException(401, str(refusal)) from None
        except SignRefused as refusal:
            raise said(401, refusal) from None
        except AccountRefused as refusal:
            raise said(422, refusal) from None
        access.keep(response, opened)
        return {"login": opened.login, "stage": opened.stage, "recovery": opened.recovery}

    @router.post("/session", dependencies=ours)
    def enter(request: Request, response: Response, token: _Text) -> Document:
        return answer(response, lambda: access.enter(token, access.caller(request)))

    @router.get("/session")
    def session(signed_in: tuple[Identity, SignSession] = anybody) -> Document:
        person, row = signed_in
        return {
            "login": person.login,
            "zh": person.zh,
            "en": person.en,
            "roles": person.roles,
            "rights": sorted(person.rights),
            "units": person.all_units,
            "expires_at": row.expires_at.timestamp(),
            "screen": row.stage == "screen",
        }

    @router.post("/session/screen", dependencies=[Depends(access.needs(Right.WATCH))])
    def screen(request: Request, response: Response) -> Document:
        return answer(response, lambda: sign_on.screen(request.cookies.get(COOKIE, ""), access.caller(request)))

    @router.delete("/session", dependencies=ours)
    def leave(request: Request, response: Response) -> Document:
        with sign_on.store.session() as writing:
            row = sessions.find(writing, request.cookies.get(COOKIE, ""), sign_on.now())
            if row is not None:
                sessions.end(writing, row.id)
                record(writing, row.login, "sign.out", "", {"address": access.caller(request).address})
        forget(response)
        return {}

    @router.get("/sign")
    def where(request: Request) -> Document:
        with sign_on.store.reading() as reading:
            row = sessions.find(reading, request.cookies.get(COOKIE, ""), sign_on.now())
        port = ways["certificate"]
        if access.caller(request).address == LOCAL:  # the forwarded port has the other door beside it
            own = request.headers.get("host", "").rpartition(":")[2]
            port = int(own) + 1 if _PORT.fullmatch(own) else port
        stage, login = (row.stage, row.login) if row else ("", "")
        return {"stage": stage, "login": login, **ways, "certificate": port}

    @router.post("/sign/password", dependencies=ours)
    def password(request: Request, response: Response, login: _Short, password: _Text) -> Document:
        return answer(response, lambda: sign_on.password(login.strip().lower(), password, access.caller(request)))

    @router.post("/sign/code", dependencies=ours)
    def code(request: Request, response: Response, code: _Short) -> Document:
        return answer(
            response, lambda: sign_on.code(request.cookies.get(COOKIE, ""), code.strip(), access.caller(request))
        )

    @router.post("/sign/new-password", dependencies=ours)
    def new_password(request: Request, response: Response, password: _Text) -> Document:
        cookie = request.cookies.get(COOKIE, "")
        return answer(response, lambda: sign_on.new_password(cookie, password, access.caller(request)))

    @router.post("/sign/invite", dependencies=ours)
    def invite(
        request: Request, response: Response, token: _Short, password: Annotated[str, Body(max_length=4096)] = ""
    ) -> Document:
        if password:
            return answer(response, lambda: sign_on.accept(token, password, access.caller(request)))
        try:
            with sign_on.store.reading() as reading:
                return {"login": accounts.invited(reading, token, sign_on.now()).login, "stage": ""}
        except AccountRefused as refusal:
            raise said(401, refusal) from None

    @router.post("/sign/enrol", dependencies=ours)
    def enrol(request: Request, code: Annotated[str, Body(embed=True, max_length=64)] = "") -> Document:
        import segno  # seldom needed

        try:
            begun = sign_on.begin_enrolment(request.cookies.get(COOKIE, ""), code.strip(), access.caller(request))
        except Refusal as refusal:
            raise said(422, refusal) from None
        return {**begun, "qr": segno.make(begun["uri"], error="m").svg_data_uri(scale=5, border=2)}

    @router.post("/sign/enrol/confirm", dependencies=ours)
    def confirm(request: Request, response: Response, pending: _Text, code: _Short) -> Document:
        cookie = request.cookies.get(COOKIE, "")
        return answer(
            response, lambda: sign_on.confirm_enrolment(cookie, pending, code.strip(), access.caller(request))
        )

    @router.get("/own")
    def own(signed_in: tuple[Identity, SignSession] = anybody) -> Document:
        person, row = signed_in
        with sign_on.store.reading() as reading:
            account = reading.get(Account, person.login)
            grants = {duty.grant: reading.get(Grant, duty.grant) for duty in person.duties if duty.grant}
            open_ = sessions.of(reading, person.login, sign_on.now())
        return {
            "login": person.login,
            "strong": person.strong,
            "account": _account(account),
            "duties": [
                {"role": duty.role, "units": duty.units, **_grant(grants.get(duty.grant))} for duty in person.duties
            ],
            "sessions": [
                {
                    "id": each.id[:_SHOWN],
                    "how": "screen" if each.stage == "screen" else each.how,
                    "address": each.address,
                    "agent": each.agent,
                    "created_at": each.created_at.timestamp(),
                    "seen_at": each.seen_at.timestamp(),
                    "this": each.id == row.id,
                }
                for each in open_
                if each.stage in ("in", "screen")
            ],
        }

    @router.post("/own/password")
    def another_password(
        request: Request, old: _Text, new: _Text, signed_in: tuple[Identity, SignSession] = anybody
    ) -> Document:
        person, row = signed_in
        try:
            sign_on.change_password(person.login, old, new, row.id, access.caller(request))
        except Refusal as refusal:
            raise said(422, refusal) from None
        return {}

    @router.delete("/own/sessions/{shown}")
    def end(shown: str, signed_in: tuple[Identity, SignSession] = anybody) -> Document:
        person, _ = signed_in
        with sign_on.store.session() as writing:
            for each in sessions.of(writing, person.login, sign_on.now()):
                if each.id[:_SHOWN] == shown:
                    sessions.end(writing, each.id, person.login)
                    record(writing, person.login, "sign.end", "own session", {"address": each.address})
                    return {}
        raise HTTPException(404, f"session {shown!r}: not open any more; reload the page")

    return router


def _account(account: Account | None) -> Document | None:
    if account is None:
        return None
    until = account.password_at + accounts.PASSWORD_LIFE if account.password_at else None
    return {
        "password_at": account.password_at.timestamp() if account.password_at else None,
        "password_until": until.timestamp() if until else None,
        "second_factor": bool(account.totp),
        "recovery_left": len(account.recovery),
    }


def _grant(grant: Grant | None) -> Document:
    if grant is None:
        return {"given_by": "", "until": None}
    return {"given_by": grant.given_by, "until": grant.expires_at.timestamp()}

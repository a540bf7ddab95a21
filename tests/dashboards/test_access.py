"""Who is let in: what a one-time link is worth, also after the pages started again."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import HTTPException, Request, WebSocket

from dashboards.access import COOKIE, UNATTENDED, Access, ops_token
from identity.directory import Directory
from identity.people import Right
from identity.second_factor import Seal
from identity.secrets import Secrets
from identity.signing import Caller, SignOn, SignRefused
from identity.tokens import TokenRefused, Tokens
from inventory.people import Person
from sanwang import ops_link
from store.base import utc_now
from store.engine import open_store

PEOPLE = {"zhao": Person("zhao", "赵值班", "Operator Zhao", ("operator",))}
HERE = Caller("198.51.100.7", "a browser")


def test_a_link_from_before_a_restart_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = Secrets(tmp_path)
    key = secrets.resolve(ops_link.KEY)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    sign_on = SignOn(store, Directory(PEOPLE), Seal(secrets.resolve("psk/accounts")), "shili")
    link = ops_token(Tokens(key))
    assert Access(sign_on, Tokens(key)).enter(link, HERE).stage == "in"
    later = time.time() + 2
    monkeypatch.setattr(time, "time", lambda: later)
    restarted = Access(sign_on, Tokens(key))
    with pytest.raises(TokenRefused, match="print a new one"):
        restarted.enter(link, HERE)
    fresh = restarted.enter(ops_token(Tokens(key), "zhao"), HERE)
    assert (fresh.stage, fresh.login) == ("in", "zhao")
    with pytest.raises(SignRefused, match="nobody has the login"):
        restarted.enter(ops_token(Tokens(key), "somebody"), HERE)
    store.close()


def test_a_session_ends_when_the_countys_files_give_other_roles(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    tokens, seal = Tokens(secrets.resolve(ops_link.KEY)), Seal(secrets.resolve("psk/accounts"))

    def pages(*roles: str) -> Access:
        people = {"zhao": Person("zhao", "赵值班", "Operator Zhao", roles)}
        return Access(SignOn(store, Directory(people), seal, "shili"), tokens)

    cookie = pages("operator").sign_on.enter("zhao", "link", HERE).cookie
    request = Request({"type": "http", "method": "GET", "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())]})
    assert pages("operator").needs(Right.HANDLE)(request).login == "zhao"
    with pytest.raises(HTTPException, match="your roles have changed"):
        pages("operator", "supervisor").signed_in(request)
    with pytest.raises(HTTPException, match="your session has ended"):
        pages("operator").signed_in(request)
    store.close()


def test_what_a_page_asks_by_itself_keeps_no_session_alive(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    clock = [utc_now()]
    seal = Seal(secrets.resolve("psk/accounts"))
    sign_on = SignOn(store, Directory(PEOPLE), seal, "shili", lambda: clock[0])
    access = Access(sign_on, Tokens(secrets.resolve(ops_link.KEY)))
    own = (b"cookie", f"{COOKIE}={sign_on.enter('zhao', 'link', HERE).cookie}".encode())

    def asks(*headers: tuple[bytes, bytes]) -> str:
        return access.signed_in(Request({"type": "http", "method": "GET", "headers": [own, *headers]}))[0].login

    page = [own, (b"origin", b"https://county"), (b"host", b"county")]
    feed = WebSocket({"type": "websocket", "headers": page}, _never, _never)
    for _ in range(3):  # somebody is there: every twenty minutes is enough
        clock[0] += timedelta(minutes=20)
        assert asks() == "zhao"
    for _ in range(29):
        clock[0] += timedelta(minutes=1)
        assert asks((UNATTENDED.encode(), b"1")) == "zhao"
        assert access.admits(feed, Right.WATCH) is not None
    clock[0] += timedelta(minutes=1)
    assert access.admits(feed, Right.WATCH) is None
    with pytest.raises(HTTPException, match="your session has ended"):
        asks()
    store.close()


async def _never(*_: object) -> dict[str, object]:
    raise AssertionError("nothing is sent or received")

"""Who is let in: what a one-time link is worth, also after the pages started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards import access
from dashboards.access import Access, ops_token
from identity.secrets import Secrets
from identity.tokens import TokenRefused, Tokens
from inventory.people import Person
from sanwang import ops_link

PEOPLE = {"zhao": Person("zhao", "赵值班", "Operator Zhao", ("operator",))}


def test_a_link_from_before_a_restart_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Secrets(tmp_path).resolve(ops_link.KEY)
    link = ops_token(Tokens(key))
    session, _ = Access(Tokens(key), PEOPLE).enter(link)
    assert session
    later = access.time.time() + 2
    monkeypatch.setattr(access.time, "time", lambda: later)
    restarted = Access(Tokens(key), PEOPLE)
    with pytest.raises(TokenRefused, match="print a new one"):
        restarted.enter(link)
    fresh, said = restarted.enter(ops_token(Tokens(key), "zhao"))
    assert fresh
    assert said.login == "zhao"

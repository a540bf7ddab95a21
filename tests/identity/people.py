"""A county's people and a clock that tests move, for the tests of accounts."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from identity import accounts, grants
from identity.directory import Directory
from identity.second_factor import Seal, code_at
from identity.signing import Caller, Opened, SignOn
from store.engine import Store

HERE = Caller("198.51.100.7", "a browser")
GOOD = "Pear-Tree7-Lamp"
BETTER = "River9-Cloud+Ox"


@dataclass(frozen=True)
class Person:
    """A person of the files."""

    login: str
    roles: tuple[str, ...]
    units: tuple[str, ...] = ()
    zh: str = "某"
    en: str = "Somebody"


PEOPLE = {
    person.login: person
    for person in (
        Person("wang", ("engineer",)),
        Person("zhao", ("operator",)),
        Person("he", ("head",), ("t01",)),
        Person("qian", ("clerk",), ("t01",)),
        Person("wu", ("sysadmin",)),
        Person("zheng", ("secadmin",)),
        Person("sun", ("auditor",)),
    )
}


@dataclass
class Clock:
    """The time of day, which only the test moves."""

    at: datetime = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> None:
        """Some time goes by."""
        self.at += timedelta(**span)


@dataclass
class Desk:
    """Signing in to a store, step by step."""

    store: Store
    clock: Clock = field(default_factory=Clock)
    secrets: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory = Directory(PEOPLE)
        self.seal = Seal(base64.b64encode(b"k" * 32).decode())
        self.on = SignOn(self.store, self.directory, self.seal, "示例县", self.clock)

    def invite(self, login: str, *, released: bool = True) -> str:
        """An account, and its link's token."""
        with self.store.session() as session:
            token = accounts.add(session, login, "root", self.clock(), zh="", en="", unit="", why="test")
            if released:
                grants.release(session, self.directory, None, login, self.clock())
        return token

    def join(self, login: str, *, released: bool = True) -> Opened:
        """An account whose owner has chosen a password, and enrolled a telephone where the roles want one."""
        opened = self.on.accept(self.invite(login, released=released), GOOD, HERE)
        return self.enrol(opened) if opened.stage == "enrol" else opened

    def enrol(self, opened: Opened) -> Opened:
        """Enrol a telephone, and keep what it holds."""
        begun = self.on.begin_enrolment(opened.cookie, "", HERE)
        self.secrets[opened.login] = secret_of(begun["uri"])
        return self.on.confirm_enrolment(opened.cookie, begun["pending"], self.code(opened.login), HERE)

    def code(self, login: str) -> str:
        """What the telephone shows; half a minute later than before, as no code is taken twice."""
        self.clock.pass_(seconds=30)
        return code_at(self.secrets[login], self.clock())

    def sign_in(self, login: str, password: str = GOOD) -> Opened:
        """All steps."""
        opened = self.on.password(login, password, HERE)
        return self.on.code(opened.cookie, self.code(login), HERE) if opened.stage == "code" else opened


def secret_of(uri: str) -> bytes:
    """The shared secret in an otpauth address."""
    text = parse_qs(urlsplit(uri).query)["secret"][0]
    assert re.fullmatch(r"[A-Z2-7]+", text)
    return base64.b32decode(text + "=" * (-len(text) % 8))

"""``sanwang account``: people's accounts and roles, from the management host's console (root).

On the pages the system administrator makes accounts and the security administrator hands out roles; here root does
both, to begin with and in an emergency. Everything is audited under the name of who called sudo.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from identity import accounts, grants, sessions, throttle
from identity.directory import Directory, Identity
from identity.refusal import Refusal
from identity.secrets import Secrets
from identity.tables import Account
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from provision.broker.client import operator
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, MISSING, emit, guarded
from store.audit import record
from store.base import utc_now
from store.engine import Store, open_store

app = typer.Typer(
    help="People's accounts and roles.\n\nexample: sanwang account add zhao --why 'new on the duty desk'",
    no_args_is_help=True,
    add_completion=False,
)

Login = Annotated[str, typer.Argument(help="login, as in the county's people.yml or of the account")]
Why = Annotated[str, typer.Option(help="the reason, kept in the audit log")]
Instance = Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]
Host = Annotated[str, typer.Option(help="address of the pages, as the browser reaches it")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="port of the pages there")]


class Wrong(Exception):
    """An argument makes no sense; the text says which."""


@dataclass(frozen=True, slots=True)
class County:
    """What the commands work on."""

    model: NetworkModel
    store: Store
    directory: Directory
    now: datetime
    who: str


@app.command()
def add(
    login: Login,
    why: Why,
    zh: Annotated[str, typer.Option(help="Chinese name, for somebody who is not in people.yml")] = "",
    en: Annotated[str, typer.Option(help="English name")] = "",
    unit: Annotated[str, typer.Option(help="site code of the person's unit")] = "",
    host: Host = "127.0.0.1",
    port: Port = 8443,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Make an account and print the one-time link by which its owner chooses a password (good for 48 hours).

    example: sanwang account add ma --zh 马文书 --en "Clerk Ma" --unit t02 --why "clerk of 西镇"
    """

    def action(county: County) -> None:
        if unit and unit not in county.model.sites:
            raise Wrong(f"--unit {unit!r}: not in the county: 'sanwang county show' lists the sites")
        with county.store.session() as session:
            token = accounts.add(session, login, county.who, county.now, zh=zh, en=en, unit=unit, why=why)
            grants.release(session, county.directory, None, login, county.now, county.who, why)
        _link(login, token, host, port, as_json)

    return _run(instance, action)


@app.command()
def reset(
    login: Login,
    why: Why,
    host: Host = "127.0.0.1",
    port: Port = 8443,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Forget the password, end the sessions, print a new one-time link. The second factor stays.

    example: sanwang account reset zhao --why "forgot the password"
    """

    def action(county: County) -> None:
        with county.store.session() as session:
            token = accounts.reset(session, login, county.who, county.now, why)
        _link(login, token, host, port, as_json)

    return _run(instance, action)


@app.command()
def lock(login: Login, why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """Let somebody in no more, and out at once.

    example: sanwang account lock zhao --why "left the county"
    """
    return _change(instance, as_json, f"{login} is locked", lambda c, s: accounts.lock(s, login, c.who, c.now, why))


@app.command()
def unlock(login: Login, why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """Let somebody in again; waits after wrong passwords end too.

    example: sanwang account unlock zhao --why "was mistaken for another"
    """
    return _change(instance, as_json, f"{login} is unlocked", lambda c, s: accounts.unlock(s, login, c.who, why))


@app.command()
def release(login: Login, why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """Vouch for the person behind a privileged account that the system administrator made on the pages.

    example: sanwang account release li --why "saw him enrol his telephone"
    """
    return _change(
        instance,
        as_json,
        f"{login} is released",
        lambda c, s: grants.release(s, c.directory, None, login, c.now, c.who, why),
    )


@app.command("forget-phone")
def forget_phone(login: Login, why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """A telephone was lost: the next sign-in enrols another one.

    example: sanwang account forget-phone li --why "telephone lost, 12345 called"
    """
    return _change(
        instance,
        as_json,
        f"{login} enrols another telephone at the next sign-in",
        lambda c, s: accounts.forget_second_factor(s, login, c.who, why),
    )


@app.command()
def grant(
    login: Login,
    role: Annotated[str, typer.Argument(help="engineer, approver, operator, supervisor, clerk ...")],
    why: Why,
    unit: Annotated[list[str] | None, typer.Option(help="site code it holds for; again for more; none: all")] = None,
    days: Annotated[int, typer.Option(help="for how long, 1 to 366")] = 365,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Hand a role to somebody, for a time. Their sessions end.

    example: sanwang account grant ma clerk --unit t02 --why "clerk of 西镇"
    """
    units = unit or []

    def change(county: County, session: Any) -> None:
        if unknown := sorted(set(units) - set(county.model.sites)):
            raise Wrong(f"--unit {', '.join(unknown)}: not in the county: 'sanwang county show' lists the sites")
        grants.give(session, county.directory, None, login, role, units, days, why, county.now, county.who)

    return _change(instance, as_json, f"{login} is {role} for {days} days", change)


@app.command()
def revoke(
    login: Login,
    role: Annotated[str, typer.Argument(help="the role to take back")],
    why: Why,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Take a granted role back. Roles written in people.yml are changed there.

    example: sanwang account revoke ma clerk --why "moved to another office"
    """

    def change(county: County, session: Any) -> None:
        person = county.directory.find(session, login, county.now)
        held = [duty.grant for duty in person.duties if duty.role == role and duty.grant] if person else []
        if not held:
            written = person is not None and role in person.roles
            hint = "it is written in people.yml: change it there" if written else "'sanwang account list' shows roles"
            raise Wrong(f"{login} has no granted role {role}; {hint}")
        for number in held:
            grants.end(session, None, number, why, county.now, county.who)

    return _change(instance, as_json, f"{login} is no longer {role}", change)


@app.command("list")
def list_(instance: Instance = "", as_json: AsJson = False) -> int:
    """Everybody: roles, account, second factor, state.

    example: sanwang account list
    """

    def action(county: County) -> None:
        with county.store.reading() as session:
            people = county.directory.everybody(session, county.now)
            held = {account.login: account for account in accounts.everyone(session)}
            waits = throttle.waits(session, county.now)
        rows = [_row(person, held.get(person.login), person.login in waits) for person in people]
        if as_json:
            emit({"people": rows})
            return
        for row in rows:
            print(f"{row['login']:<16} {row['state']:<12} {row['second_factor']:<6} {row['duties']}")

    return _run(instance, action)


@app.command("sessions")
def sessions_(
    login: Login,
    end: Annotated[bool, typer.Option("--end", help="end them all")] = False,
    why: Why = "",
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Where somebody is signed in; with --end: nowhere any more.

    example: sanwang account sessions zhao --end --why "notebook left in a train"
    """

    def action(county: County) -> None:
        with county.store.session() as session:
            rows = [
                {"how": row.how, "address": row.address, "since": row.created_at.isoformat(), "agent": row.agent}
                for row in sessions.of(session, login, county.now)
            ]
            if end:
                if not why:
                    raise Wrong("--why: write why: it is kept in the audit log")
                sessions.end_all(session, login)
                record(session, county.who, "sign.end", why, {"login": login, "sessions": len(rows)})
        if as_json:
            emit({"sessions": rows, "ended": end})
            return
        for row in rows:
            print(f"{row['since'][:19]}Z  {row['how']:<12} {row['address']:<16} {row['agent']}")
        print(f"{len(rows)} sessions{', ended' if end else ''}")

    return _run(instance, action)


@app.command("oidc-secret")
def oidc_secret(why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """Keep the client secret of the county's OpenID provider in the vault; asked for, or from SANWANG_OIDC_SECRET.

    The pages take it at their next start.

    example: sanwang account oidc-secret --why "registered at the city's provider"
    """

    def change(county: County, session: Any) -> None:
        secret = os.environ.get("SANWANG_OIDC_SECRET") or getpass.getpass("client secret: ")
        if not secret.strip():
            raise Wrong("the client secret: found nothing; expected what the provider gave")
        places = Places(instance or current_instance())
        Secrets(places.lib / "identity").vault.put("oidc/client", secret.strip())
        record(session, county.who, "oidc.secret", why)

    return _change(instance, as_json, "kept; restart the pages (serve) to use it", change)


def _row(person: Identity, account: Account | None, waits: bool) -> dict[str, str]:
    if account is None:
        state = "no account"
    elif account.locked_at is not None:
        state = "locked"
    elif waits:
        state = "waits"
    elif not account.password:
        state = "invited"
    elif person.strong and not account.released_by:
        state = "unreleased"
    else:
        state = "good"
    factor = "phone" if account is not None and account.totp else ("none!" if person.strong else "none")
    return {"login": person.login, "state": state, "second_factor": factor, "duties": " ".join(map(str, person.duties))}


def _change(instance: str, as_json: bool, done: str, change: Callable[[County, Any], object]) -> int:
    def action(county: County) -> None:
        with county.store.session() as session:
            change(county, session)
        if as_json:
            emit({"done": done})
        else:
            print(done)

    return _run(instance, action)


def _run(instance: str, action: Callable[[County], None]) -> int:
    """Open the instance's county and store, act, and say refusals in one line (exit code 2)."""

    def act() -> int:
        places = Places(instance or current_instance())
        if not (places.lib / "identity").is_dir():
            print(f"sanwang account: no instance {places.instance!r} here; next step: sanwang up", file=sys.stderr)
            return MISSING
        model = load_model(Path((places.lib / "county").read_text().strip()))
        with _opened(places) as store:
            try:
                action(County(model, store, Directory(model.people), utc_now(), operator()))
            except (Refusal, Wrong) as refusal:
                print(f"sanwang account: {refusal}", file=sys.stderr)
                return BAD_INPUT
        return 0

    return guarded(act)


@contextmanager
def _opened(places: Places) -> Iterator[Store]:
    store = open_store(places.database)
    try:
        yield store
    finally:
        store.close()


def _link(login: str, token: str, host: str, port: int, as_json: bool) -> None:
    where = host if port == 443 else f"{host}:{port}"
    link = f"https://{where}/ops/#invite={token}"
    if as_json:
        emit({"login": login, "link": link})
    else:
        print(f"for {login} alone, one use, 48 hours:\n{link}")


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang account")

"""``sanwang approve``: the second person's signature under a plan, and the check of it."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from identity.person_key import KeyProblem, load_key, make_key
from inventory.load import find, load_model
from inventory.places import Places, current_instance
from provision.broker.client import operator
from provision.change import approval
from provision.change.plan import Plan, PlanError, county_fingerprint
from sanwang.cli import run_app
from sanwang.plan import recorded_folder
from sanwang.plan_words import local
from sanwang.report import BAD_INPUT, emit, guarded
from store.audit import record
from store.engine import open_store

app = typer.Typer(add_completion=False)
keys = typer.Typer(add_completion=False)

PHRASE = "SANWANG_KEY_PASSPHRASE"
"""Environment variable that gives the pass phrase where nobody can be asked."""

_Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]


@app.command(
    epilog="examples: sanwang approve vrf.plan --as li --key ~/li.key;  sanwang approve vrf.plan --check;"
    "  sanwang approve keygen --out ~/li.key (a key pair of your own)"
)
def approve(
    file: Annotated[str, typer.Argument(metavar="PLAN", help="a saved plan, or `keygen` to make a key pair")],
    login: Annotated[str, typer.Option("--as", help="your login, as in the county's people.yml")] = "",
    key: Annotated[str, typer.Option(help="your private key's file")] = "",
    check: Annotated[bool, typer.Option("--check", help="sign nothing: verify who stands behind the plan")] = False,
    county: Annotated[str, typer.Option(help="the county's folder; default that of the instance")] = "",
    instance: Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")] = "",
    as_json: _Json = False,
) -> int:
    """Sign a plan that another person made: the signature covers every byte of it.

    Needs only the plan and the county's files. The pass phrase is asked for, or taken from SANWANG_KEY_PASSPHRASE.

    Exit code 0: signed (or, with --check, enough people stand behind it); 1: --check found too few; 2: refused.
    """

    def action() -> int:
        places = Places(instance or current_instance())
        folder = find(county) if county else recorded_folder(places)
        model = load_model(folder)
        print_of_files, now = county_fingerprint(folder), datetime.now(UTC)
        saved = Plan.load(file)
        if not check:
            if not login or not key:
                raise PlanError("found neither --as LOGIN with --key FILE nor --check; expected one of the two")
            what = f"plan {saved.id} by {saved.author}: {len(saved.devices)} devices, risk {saved.risk.level}"
            shown = ", ".join(f"{each.kind} {'good' if each.good else 'BAD'}" for each in saved.evidence) or "none"
            print(f"you sign {what}, evidence: {shown}; read it: sanwang plan show {file}", file=sys.stderr)
            private = load_key(Path(key), phrase(f"pass phrase of {key}: "))
            saved = approval.approve(
                saved, model, login, private, fingerprint=print_of_files, account=operator(), now=now
            )
            _audit(places, saved, login)
            saved.save(file)
        try:
            held, lack = approval.check(saved, model, fingerprint=print_of_files, now=now), ""
        except approval.NotApproved as few:
            held, lack = saved.approvals, str(few)
        for each in held:
            person = model.people[each.login]
            print(f"{each.login} ({person.zh} {person.en}) approved plan {saved.id}, {local(each.at)}: signature holds")
        print(lack or f"plan {saved.id} by {saved.author}: enough people stand behind it; next: sanwang apply {file}")
        if as_json:
            document = {"file": file, "id": saved.id, "digest": saved.digest, "author": saved.author}
            names = [each.login for each in held]
            emit({**document, "approved": not lack, "approvals": names, "needed": approval.needed(saved, model)})
        return 1 if check and lack else 0

    return _guarded(action)


@keys.command(epilog="example: sanwang approve keygen --out ~/li.key")
def keygen(
    out: Annotated[str, typer.Option(help="file of the private key: new, outside any git checkout")],
    as_json: _Json = False,
) -> int:
    """Make a key pair of your own. The private key stays in the file, under a pass phrase; the public one is printed.

    Let the county's people.yml have it: `li: {..., public_key: "..."}`. The change is reviewed as any other.
    """

    def action() -> int:
        public = make_key(Path(out), phrase("new pass phrase: ", twice=True))
        print(f"private key in {out} (mode 0600); keep the pass phrase in your head")
        print(f'people.yml, at your login:  public_key: "{public}"')
        if as_json:
            emit({"file": out, "public_key": public})
        return 0

    return _guarded(action)


def phrase(question: str, *, twice: bool = False) -> str:
    """The pass phrase: from the environment, else asked on the terminal.  KeyProblem when there is neither."""
    given = os.environ.get(PHRASE)
    if given:
        return given
    if not sys.stdin.isatty():
        raise KeyProblem(f"pass phrase: found no terminal to ask on; expected one, or {PHRASE}; set it")
    first = getpass.getpass(question)
    if twice and getpass.getpass("once more: ") != first:
        raise KeyProblem("pass phrase: found two that differ; expected the same twice; try again")
    return first


def _audit(places: Places, signed: Plan, login: str) -> None:
    """Note the approval where the instance lives here; a plan may also be approved on a machine without it."""
    if not (places.lib / "county").exists():
        print("no instance here: the approval is in the plan, and in no audit log", file=sys.stderr)
        return
    store = open_store(places.database)
    try:
        with store.session() as session:
            detail = {"plan": signed.digest, "author": signed.author, "account": operator()}
            record(session, login, "approve", signed.why, detail)
    finally:
        store.close()


def _guarded(action: Callable[[], int]) -> int:
    def inner() -> int:
        try:
            return action()
        except (PlanError, KeyProblem) as wrong:
            for line in str(wrong).splitlines():
                print(f"sanwang approve: {line}", file=sys.stderr)
            return BAD_INPUT
        except OSError as wrong:
            print(f"sanwang approve: {wrong.filename}: {wrong.strerror}; give another file", file=sys.stderr)
            return BAD_INPUT

    return guarded(inner)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    if argv[:1] == ["keygen"]:
        return run_app(keys, argv[1:], "sanwang approve keygen")
    return run_app(app, argv, "sanwang approve")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

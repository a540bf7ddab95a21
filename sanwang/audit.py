"""``sanwang audit``: read the audit log and verify its chain."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from identity.audit_export import differences, told
from inventory.places import Places, current_instance
from sanwang.cli import run_app
from sanwang.report import emit
from store.audit import AuditEntry, verify_chain
from store.engine import Store, open_store

app = typer.Typer(
    help="Read the audit log and verify its chain.\n\nexample: sanwang audit verify",
    no_args_is_help=True,
    add_completion=False,
)

_BAD, _MISSING = 2, 3
_HEAD = re.compile(r"(\d+):([0-9a-f]{64})")
_Json = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command()
def show(
    last: Annotated[int, typer.Option(help="how many of the newest entries", min=1)] = 50,
    who: Annotated[str, typer.Option(help="only entries of this person or service")] = "",
    what: Annotated[str, typer.Option(help="only this action, for example apply or meeting.book")] = "",
    as_json: _Json = False,
) -> int:
    """The newest entries, oldest of them first.

    example: sanwang audit show --last 20 --what meeting.book
    """
    query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(last)
    if who:
        query = query.where(AuditEntry.who == who)
    if what:
        query = query.where(AuditEntry.what == what)
    store = open_existing("audit")
    try:
        with store.reading() as session:
            entries = list(reversed(session.scalars(query).all()))
    finally:
        store.close()
    if as_json:
        emit({"entries": [_document(entry) for entry in entries]})
    else:
        for entry in entries:
            print(f"{entry.number:>6}  {entry.at[:19]}Z  {entry.who:<12} {entry.what:<16} {entry.why}  {entry.detail}")
    return 0


@app.command()
def verify(
    head: Annotated[str, typer.Option(help="NUMBER:DIGEST noted earlier; it must still be in the log")] = "",
    syslog: Annotated[
        Path | None, typer.Option(help="what the receiver of sign_on.audit_syslog kept: each entry is held against it")
    ] = None,
    as_json: _Json = False,
) -> int:
    """Walk the whole log: exit code 1 when an entry was changed, taken out or put in.

    Note the head that it prints somewhere else: with --head a cut-off tail is found too. With --syslog so is a log
    that was rewritten as a whole.

    example: sanwang audit verify --head 1204:9f2c...

    example: sanwang audit verify --syslog /media/stick/sanwang-audit.log
    """
    noted = None
    if head:
        parts = _HEAD.fullmatch(head)
        if parts is None:
            print(f"sanwang audit: --head {head!r}: expected NUMBER:DIGEST, 64 hexadecimal digits", file=sys.stderr)
            return _BAD
        noted = (int(parts[1]), parts[2])
    kept = told(syslog.read_text(encoding="utf-8", errors="replace")) if syslog and syslog.is_file() else []
    if syslog and not kept:
        print(f"sanwang audit: --syslog {syslog}: no audit entry in it; give what the receiver kept", file=sys.stderr)
        return _BAD
    store = open_existing("audit")
    try:
        with store.reading() as session:
            chain = verify_chain(session, noted)
        problems = [*chain.problems, *differences(store, kept)]
    finally:
        store.close()
    head_text = "{}:{}".format(*chain.head)
    if as_json:
        received = {"told": len(kept)} if syslog else {}
        emit({"ok": not problems, "entries": chain.entries, "head": head_text, "problems": problems, **received})
    else:
        for problem in problems:
            print(problem)
        if syslog:
            print(f"{len(kept)} entries at the receiver")
        print(f"{chain.entries} entries, {'THE CHAIN IS BROKEN' if problems else 'the chain holds'}")
        print(f"head {head_text}")
    return 1 if problems else 0


def _document(entry: AuditEntry) -> dict[str, object]:
    return {
        "number": entry.number,
        "at": entry.at,
        "who": entry.who,
        "what": entry.what,
        "why": entry.why,
        "detail": json.loads(entry.detail),
    }


def open_existing(command: str) -> Store:
    """The store of the instance, for ``sanwang <command>``; a look never makes a new one."""
    places = Places(current_instance())
    url = places.database
    if url == f"sqlite:///{places.lib}/sanwang.db" and not (places.lib / "sanwang.db").exists():
        print(f"sanwang {command}: {places.lib} holds no store yet: 'sanwang up' makes it", file=sys.stderr)
        raise typer.Exit(_MISSING)
    return open_store(url)


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang audit")

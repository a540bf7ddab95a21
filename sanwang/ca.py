"""``sanwang ca``: the county's own certificate authority."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from identity.ca import CountyCA, Issued
from identity.files import create_once
from inventory.load import load_model
from inventory.places import Places, current_instance
from provision.broker.client import operator
from sanwang.cli import run_app
from sanwang.report import emit
from store.audit import record
from store.base import utc_now
from store.engine import open_store

app = typer.Typer(
    help="The county's own certificate authority: show, list, issue to people, revoke.\n\nexample: sanwang ca show",
    no_args_is_help=True,
    add_completion=False,
)

_MISSING, _BAD = 3, 2
PHRASE = "SANWANG_PKCS12_PASSPHRASE"
"""Environment variable that gives the pass phrase where nobody can be asked."""
_Json = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command()
def show(
    pem: Annotated[bool, typer.Option("--pem", help="print the certificate itself, for a trust store")] = False,
    as_json: _Json = False,
) -> int:
    """The root certificate: subject, fingerprint, end.

    example: sanwang ca show --pem > county-ca.pem
    """
    authority = _open(_folder())
    if pem:
        print(authority.certificate_pem, end="")
        return 0
    root = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    seen = {
        "subject": root.subject.rfc4514_string(),
        "sha256": root.fingerprint(SHA256()).hex(":").upper(),
        "not_after": root.not_valid_after_utc.isoformat(),
        "file": str(_folder() / "ca.pem"),
        "issued": len(authority.index()),
    }
    if as_json:
        emit(seen)
    else:
        for name, value in seen.items():
            print(f"{name:<10} {value}")
    return 0


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="only certificates of this host")] = "",
    as_json: _Json = False,
) -> int:
    """Every certificate issued, oldest first.

    example: sanwang ca list c1-vpn
    """
    rows = [row for row in _open(_folder()).index() if name in ("", row.name)]
    if as_json:
        emit({"certificates": [asdict(row) for row in rows]})
    else:
        for row in rows:
            print(f"{row.serial:<40}  {row.kind:<6}  {row.name:<16}  {_state(row)}")
    return 0


@app.command()
def issue(
    person: Annotated[str, typer.Option(help="login: somebody of people.yml, or with an account")],
    out: Annotated[Path, typer.Option(help="new file for the key and certificate (PKCS #12), mode 0600")],
    why: Annotated[str, typer.Option(help="the reason, kept in the audit log")],
    as_json: _Json = False,
) -> int:
    """A key and certificate by which a person signs in; the file opens with a pass phrase, which is asked for.

    The pass phrase may stand in SANWANG_PKCS12_PASSPHRASE instead. The key is kept nowhere else.

    example: sanwang ca issue --person li --out li.p12 --why "smart card of li"
    """
    from identity.directory import Directory
    from identity.person_certificate import SHORTEST_PHRASE, make

    authority = _open(_folder())
    places = Places(current_instance())
    store = open_store(places.database)
    try:
        with store.reading() as session:
            people = load_model((places.lib / "county").read_text().strip()).people
            known = Directory(people).find(session, person, utc_now())
        if known is None:
            print(f"sanwang ca: --person {person!r}: nobody has this login: 'sanwang account list'", file=sys.stderr)
            return _BAD
        phrase = os.environ.get(PHRASE) or getpass.getpass(f"pass phrase for {out} ({SHORTEST_PHRASE} or more): ")
        if len(phrase) < SHORTEST_PHRASE:
            print(f"sanwang ca: pass phrase: expected {SHORTEST_PHRASE} characters or more", file=sys.stderr)
            return _BAD
        if out.exists():
            print(f"sanwang ca: {out}: found a file there; a key is never overwritten: name another", file=sys.stderr)
            return _BAD
        packed, serial = make(authority, person, phrase)
        create_once(out, packed)
        with store.session() as session:
            record(session, operator(), "certificate.issue", why, {"serial": serial, "person": person})
    finally:
        store.close()
    if as_json:
        emit({"serial": serial, "person": person, "file": str(out)})
    else:
        print(f"{out}: certificate {serial} of {person}; hand it over, and the pass phrase by another way")
    return 0


@app.command()
def revoke(
    serial: Annotated[str, typer.Argument(help="serial number, as 'sanwang ca list' prints it")],
    why: Annotated[str, typer.Option(help="the reason, kept in the audit log")],
    as_json: _Json = False,
) -> int:
    """Revoke a certificate; the new revocation list goes out with the next run of the playbooks.

    example: sanwang ca revoke 5f3c... --why "box of v03 was stolen"
    """
    authority = _open(_folder())
    try:
        row = authority.revoke(serial, why)
    except KeyError as unknown:
        print(f"sanwang ca: {unknown.args[0]}: 'sanwang ca list' shows them all", file=sys.stderr)
        return _BAD
    store = open_store(Places(current_instance()).database)
    try:
        with store.session() as session:
            record(session, getpass.getuser(), "certificate.revoke", why, {"serial": row.serial, "host": row.name})
    finally:
        store.close()
    if as_json:
        emit(asdict(row))
    else:
        print(f"revoked {row.serial} of {row.name}; give the list to the gateways: sanwang playbook run vpn.yml")
    return 0


def _state(row: Issued) -> str:
    return f"revoked {row.revoked_at}: {row.reason}" if row.revoked_at else f"good until {row.not_after}"


def _folder() -> Path:
    return Places(current_instance()).lib / "identity"


def _open(folder: Path) -> CountyCA:
    """The authority that is there; a look never makes a new one."""
    if not (folder / "ca.pem").exists():
        print(f"sanwang ca: {folder} holds no authority yet: 'sanwang up' makes it", file=sys.stderr)
        raise typer.Exit(_MISSING)
    return CountyCA(folder)


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang ca")

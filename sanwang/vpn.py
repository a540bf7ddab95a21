"""``sanwang vpn``: remote sites' access: list, new keys, revoke, enrol again, and what expires."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import segno
import typer

from drills.errors import Missing
from identity.ca import CountyCA
from inventory.places import Places, current_instance
from provision import play
from sanwang.cli import run_app
from sanwang.report import Lines, ask_broker, emit, guarded

app = typer.Typer(
    help="Remote sites' VPN access: list, rotate keys, revoke, enrol again, and what expires.\n\n"
    'Example: sanwang vpn list; sanwang vpn revoke v01 --why "box stolen"',
    add_completion=False,
    no_args_is_help=True,
)
Site = Annotated[str, typer.Argument(metavar="SITE", help="code of a site with a tunnel, such as v01")]
MaybeSite = Annotated[str, typer.Argument(metavar="SITE", help="code of a site with a tunnel, such as v01")]
Person = Annotated[str, typer.Option(metavar="LOGIN", help="somebody of people.yml instead of a site")]
Why = Annotated[str, typer.Option(help="the reason, kept in the audit log")]
Instance = Annotated[str, typer.Option(help="name of the instance")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command("list")
def list_(instance: Instance = "", as_json: AsJson = False) -> int:
    """Every remote site, as the gateway sees it; exit code 1 when one that is not revoked is down.

    Example: sanwang vpn list --json
    """

    def action() -> int:
        answer = ask_broker(instance, "vpn_list")
        if as_json:
            emit(answer)
        else:
            for row in answer["tunnels"]:
                more = f"by {row['revoked']['who']}: {row['revoked']['why']}" if row["revoked"] else ""
                age = f"handshake {row['handshake_s']} s ago" if row["handshake_s"] is not None else ""
                print(f"{row['site']:<8} {row['kind']:<9} {row['state']:<8} {row['box']:<10} {age}{more}".rstrip())
            for row in answer["guests"]:
                state = "here" if row["connected"] else "away"
                until = f" until {row['until'][:16]}" if row["until"] else ""
                reaches = "; ".join(row["reaches"])
                print(f"{row['name']:<8} {row['kind']:<9} {state:<8} guest {row['addresses'][0]}{until}: {reaches}")
        return 1 if any(row["state"] == "down" for row in answer["tunnels"]) else 0

    return guarded(action)


@app.command()
def rotate(site: Site, why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """New keys for a connected site, without losing it; a box that cannot take them keeps the old ones.

    Example: sanwang vpn rotate v01 --why "yearly change"
    """

    def action() -> int:
        answer = ask_broker(instance, "vpn_rotate", why, site=site)
        if as_json:
            emit(answer)
        else:
            print(f"{site} has new keys ({answer['seconds']} s)")
        return 0

    return guarded(action)


@app.command()
def revoke(
    why: Why, site: MaybeSite = "", person: Person = "", instance: Instance = "", as_json: AsJson = False
) -> int:
    """Take a site's or a person's access away: packets stop at once, the keys are worthless from now on.

    Example: sanwang vpn revoke v01 --why "box stolen"

    Example: sanwang vpn revoke --person li --why "notebook lost"
    """

    def action() -> int:
        who = _one_of(site, person)
        if person:
            answer = ask_broker(instance, "vpn_person_revoke", why, person=person)
        else:
            answer = ask_broker(instance, "vpn_revoke", why, site=site)
        again = f"--person {person}" if person else site
        if as_json:
            emit(answer)
        elif answer["changed"]:
            print(f"{who} is cut off ({answer['seconds']} s); give access again with: sanwang vpn enrol {again}")
        else:
            print(f"{who} had no access" if person else f"{who} was revoked already")
        return 0

    return guarded(action)


@app.command()
def enrol(
    why: Why,
    site: MaybeSite = "",
    person: Person = "",
    out: Annotated[
        Path | None, typer.Option(help="new file for a person's configuration; default: the terminal")
    ] = None,
    days: Annotated[int, typer.Option(help="how long a person's key is good; default and most: travellers.days")] = 0,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Give a revoked site access again (its box is enrolled over its staging port, which must be open), or a person.

    A person gets a WireGuard file and its QR code, once: the private key is kept nowhere.

    Example: sanwang vpn enrol v01 --why "new box delivered"

    Example: sanwang vpn enrol --person li --out li.conf --why "works at the dam this month" --days 30
    """

    def action() -> int:
        _one_of(site, person)
        if person:
            return _enrol_person(person, why, out, days, instance, as_json)
        places = Places(instance or current_instance())
        lines = Lines()
        answer = ask_broker(instance, "vpn_restore", why, site=site)
        result = play.run("site.yml", places=places, limit=answer["box"], progress=lines.step)
        for failure in result.failures:
            lines.note(failure)
        if as_json:
            emit({**answer, "enrolled": result.good, "failures": result.failures, "seconds": round(result.seconds, 1)})
        elif result.good:
            print(f"{site} is connected again, with new keys ({result.seconds:.0f} s)")
        return 0 if result.good else 1

    return guarded(action)


def _one_of(site: str, person: str) -> str:
    """The site or the person; wrong arguments when it is neither or both."""
    if bool(site) == bool(person):
        raise typer.BadParameter("found neither or both of SITE and --person LOGIN; expected one of them")
    return site or person


def _enrol_person(person: str, why: str, out: Path | None, days: int, instance: str, as_json: bool) -> int:
    """The file first: an access that nobody could write down would be given in vain."""
    if out is not None and out.exists():
        raise typer.BadParameter(f"--out: found {out}; expected a new file; choose another")
    if out is None and (as_json or not sys.stdout.isatty()):
        raise typer.BadParameter("found no terminal to show a private key on; expected --out FILE; give one")
    answer = ask_broker(instance, "vpn_person_enrol", why, person=person, days=days)
    text = answer.pop("configuration")
    if out is not None:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text)
    if sys.stdout.isatty() and not as_json:
        segno.make(text, error="l").terminal(compact=True)
    where = f"in {out} (0600)" if out else "above"
    print(f"{person}: {answer['address']} until {answer['until'][:16]}; the configuration is {where} and nowhere else")
    if as_json:
        emit({**answer, "file": str(out)})
    return 0


@app.command()
def secret(
    guest: Annotated[str, typer.Argument(metavar="GUEST", help="code of a third party, such as x01")],
    out: Annotated[Path, typer.Option(help="new file for the shared secret")],
    why: Why,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Write down the secret shared with a third party's gateway, to be handed over; audited.

    Example: sanwang vpn secret x01 --out x01.psk --why "handed to the bank's engineer"
    """

    def action() -> int:
        if out.exists():
            raise typer.BadParameter(f"--out: found {out}; expected a new file; choose another")
        answer = ask_broker(instance, "vpn_guest_secret", why, guest=guest)
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{answer.pop('secret')}\n")
        print(f"{guest}: the secret is in {out} (0600); our identity is {answer['identity']}, at {answer['address']}")
        if as_json:
            emit({**answer, "file": str(out)})
        return 0

    return guarded(action)


@app.command()
def expiry(
    days: Annotated[int, typer.Option(help="what ends within so many days counts as due")] = 30,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """When certificates end, soonest first; exit code 1 when one is due. Playbooks renew what is due.

    Example: sanwang vpn expiry --days 60
    """

    def action() -> int:
        folder = Places(instance or current_instance()).lib / "identity"
        if not (folder / "ca.pem").exists():
            raise Missing(f"{folder} holds no authority yet", "start the county with: make up")
        rows = expiring(CountyCA(folder), datetime.now(UTC))
        due = [row for row in rows if row["days_left"] < days]
        if as_json:
            emit({"due": len(due), "within_days": days, "certificates": rows})
        else:
            for row in rows:
                print(f"{row['not_after'][:10]}  {row['days_left']:>5} days  {row['kind']:<7} {row['name']}")
        return 1 if due else 0

    return guarded(action)


def expiring(authority: CountyCA, now: datetime) -> list[dict[str, Any]]:
    """The root and every host's newest certificate that was not revoked, the soonest end first."""
    newest = {(row.name, row.kind): row for row in authority.index() if not row.revoked_at}
    ends = [(row.name, row.kind, datetime.fromisoformat(row.not_after)) for row in newest.values()]
    ends.append(("county", "root", authority.not_after))
    return [
        {"name": name, "kind": kind, "not_after": end.isoformat(), "days_left": (end - now).days}
        for name, kind, end in sorted(ends, key=lambda each: each[2])
    ]


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang vpn")

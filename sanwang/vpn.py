"""``sanwang vpn``: remote sites' access: list, new keys, revoke, enrol again, and what expires."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

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
def revoke(site: Site, why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """Take a site's access away: its packets stop at once, its keys are worthless from now on.

    Example: sanwang vpn revoke v01 --why "box stolen"
    """

    def action() -> int:
        answer = ask_broker(instance, "vpn_revoke", why, site=site)
        if as_json:
            emit(answer)
        elif answer["changed"]:
            print(f"{site} is cut off ({answer['seconds']} s); give it access again with: sanwang vpn enrol {site}")
        else:
            print(f"{site} was revoked already")
        return 0

    return guarded(action)


@app.command()
def enrol(
    site: Site,
    why: Why,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Give a revoked site access again: new keys, and its box enrolled over its staging port, which must be open.

    Example: sanwang vpn enrol v01 --why "new box delivered"
    """

    def action() -> int:
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

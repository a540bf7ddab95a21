"""``sanwang backup``: devices' configurations into the county's repository, and Sanwang itself into a sealed file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from inventory.places import Places, current_instance
from provision.backup.archive import place
from provision.backup.putback import check as check_backup
from provision.backup.sealed import SealError, decode_key, key_id
from provision.backup.system import KEY, BackupError, create, find_key, recovery_key
from provision.broker.client import BrokerClient, operator
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, FAILED, MISSING, Lines, emit, guarded
from store.audit import record
from store.engine import open_store

app = typer.Typer(
    help="Keep devices' configurations (take), and Sanwang itself (create, check, key).\n\n"
    "example: sanwang backup take --why 'before the carrier works'",
    no_args_is_help=True,
    add_completion=False,
)


Instance = Annotated[str, typer.Option(help="name of the instance")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.callback()
def group() -> None:
    """Keep devices' configurations, and Sanwang itself."""


@app.command()
def take(
    hosts: Annotated[list[str] | None, typer.Argument(help="devices; default all", show_default=False)] = None,
    why: Annotated[str, typer.Option(help="the reason, kept beside the texts")] = "by hand",
    as_json: AsJson = False,
) -> int:
    """Read devices now and commit what changed; secrets stay out.  Exit code 1 when a device could not be read.

    The broker does the same by itself after every change.

    example: sanwang backup take t01-rt c1-fw --why "before the carrier works"
    """
    return guarded(lambda: _take(hosts, why, as_json))


def _take(hosts: list[str] | None, why: str, as_json: bool) -> int:
    places, lines, missing = Places(current_instance()), Lines(), []

    def tell(event: dict[str, Any]) -> None:
        if "error" in event:
            missing.append(event["host"])
            lines.note(f"{event['host']}: {event['error']}")

    client = BrokerClient(places.broker_socket)
    answer = client.call("backup", why=why, on_event=tell, **({"hosts": hosts} if hosts else {}))
    if as_json:
        emit({**answer, "repository": str(place(places)), "not_read": missing})
    else:
        kept = f"commit {answer['commit'][:12]}" if answer["commit"] else "nothing had changed"
        print(f"{answer['hosts']} devices read, {answer['missing']} not; {kept} in {place(places)}")
    return FAILED if missing else 0


@app.command("create")
def create_(
    out: Annotated[Path, typer.Option(help="a file, or a folder in which it gets a name by its time")],
    keep: Annotated[int, typer.Option(help="with a folder: remove all but the newest so many", min=0)] = 0,
    standby: Annotated[bool, typer.Option("--standby", help="bring a copy to the standby management host")] = False,
    why: Annotated[str, typer.Option(help="the reason, kept in it and in the audit log")] = "nightly",
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Keep Sanwang itself: store, keys, authority, county, plans, journals, devices' history; sealed, while it runs.

    Only the recovery key opens it (`sanwang backup key`): keep that in a safe, apart from the backups.

    example: sanwang backup create --out /var/backups/sanwang --keep 30 --standby
    """

    def action() -> int:
        places = Places(instance or current_instance())
        if standby and not out.is_dir():
            raise BackupError(f"--out {out}: found no folder; expected one, as the standby keeps copies by their times")
        made = create(places, out, who=operator(), why=why, keep=keep)
        copied = BrokerClient(places.broker_socket).call("copy", why=why, path=made.path) if standby else {}
        if as_json:
            emit({**asdict(made), "copied_to": copied.get("host", "")})
        else:
            gone = f"; {len(made.removed)} older removed" if made.removed else ""
            print(f"{made.path}: {made.files} files, {made.bytes} bytes, {made.seconds:.1f} s, key {made.key}{gone}")
            if copied:
                print(f"copied to {copied['host']}, {copied['folder']}")
        return 0

    return told(action)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="a backup")],
    key: Annotated[Path | None, typer.Option(help="file with the recovery key", show_default=False)] = None,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Read a backup to its end and prove every byte of it; writes nothing.

    example: sanwang backup check /var/backups/sanwang/sanwang-shili-20270501T010000Z.swb
    """

    def action() -> int:
        found = check_backup(file, find_key(Places(instance or current_instance()), key))
        size = sum(entry.size for entry in found.files.values())
        if as_json:
            kept = {name: value for name, value in asdict(found).items() if name != "files"}
            emit({**kept, "files": len(found.files), "bytes": size})
        else:
            print(
                f"{file}: whole; {found.instance}, {found.county}, of {found.made_at} on {found.made_on}: {found.why}"
            )
            print(f"{len(found.files)} files, {size} bytes; the audit has {found.audit[0]} entries")
        return 0

    return told(action)


@app.command("key")
def key_(instance: Instance = "") -> int:
    """Print the recovery key, for the safe and for the standby host.  Audited.

    example: sanwang backup key > /media/stick/recovery.key
    """

    def action() -> int:
        places = Places(instance or current_instance())
        if not (places.lib / "identity").is_dir():
            raise BackupError(f"{places.lib}: found no county; expected an instance that was up once: see --instance")
        text = recovery_key(places)
        store = open_store(places.database)
        try:
            with store.session() as session:
                record(session, operator(), "backup.key", "", {"key": key_id(decode_key(text, KEY))})
        finally:
            store.close()
        print(text)
        return 0

    return told(action)


def told(action: Callable[[], int]) -> int:
    """Run it; a backup that cannot be used gives 2, what the environment lacks gives 3, in plain words."""
    try:
        return guarded(action)
    except SealError as wrong:
        print(f"sanwang: {wrong}", file=sys.stderr)
        return BAD_INPUT
    except BackupError as lack:
        print(f"sanwang: {lack}", file=sys.stderr)
        return MISSING


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang backup")

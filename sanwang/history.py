"""``sanwang history``: what devices were, when, by whom and why."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from inventory.places import Places, current_instance
from provision.backup.archive import Archive, ArchiveError, document, place
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, MISSING, emit

app = typer.Typer(add_completion=False)

_COMMIT = re.compile(r"[0-9a-f]{4,40}")
_SHOWN_HOSTS = 4


@app.command()
def history(
    device: Annotated[str, typer.Argument(help="one device; default: the whole county")] = "",
    last: Annotated[int, typer.Option(help="how many of the newest", min=1)] = 20,
    commit: Annotated[str, typer.Option(help="with a device: what this commit changed on it")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Every kept version of devices' configurations, newest first; with --commit what one of them changed.

    example: sanwang history t01-rt --last 5
    """
    archive = Archive(place(Places(current_instance())))
    if commit and (not device or not _COMMIT.fullmatch(commit)):
        print(f"sanwang history: --commit {commit!r}: expected a device and a commit of its history", file=sys.stderr)
        return BAD_INPUT
    try:
        if commit:
            return _difference(archive, device, commit, as_json)
        versions = archive.history(device, last=last)
    except ArchiveError as error:
        print(f"sanwang history: {error}", file=sys.stderr)
        return MISSING
    if not archive.head():
        print(f"sanwang history: {archive.folder} holds nothing yet: 'sanwang backup take' begins it", file=sys.stderr)
        return MISSING
    if as_json:
        emit({"device": device, "versions": [document(version) for version in versions]})
    elif not versions:
        print(f"sanwang history: {device} was never kept: is the name right?", file=sys.stderr)
        return BAD_INPUT
    else:
        for version in versions:
            others = f" and {len(version.hosts) - _SHOWN_HOSTS} more" if len(version.hosts) > _SHOWN_HOSTS else ""
            hosts = ", ".join(version.hosts[:_SHOWN_HOSTS]) + others
            print(f"{version.commit[:12]}  {version.at}  {version.who:<12} {version.what:<12} {hosts}  {version.why}")
    return 0


def _difference(archive: Archive, device: str, commit: str, as_json: bool) -> int:
    text = archive.difference(device, commit)
    if as_json:
        emit({"device": device, "commit": commit, "diff": text})
    else:
        print(text, end="")
    return 0


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang history")

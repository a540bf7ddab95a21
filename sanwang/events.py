"""``sanwang events``: find what happened, and prove that the record of it is whole."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from sanwang.cli import run_app
from sanwang.report import emit

if TYPE_CHECKING:
    from collectors.tables import EventRow

app = typer.Typer(
    help="Find what happened, and prove that the record is whole.\n\nexample: sanwang events search --since 2h ospf",
    no_args_is_help=True,
    add_completion=False,
)

_BAD = 2
_SPAN = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_Json = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="words that the event holds")] = "",
    since: Annotated[str, typer.Option(help="30s, 15m, 2h, 7d ago, or a local time: 2026-11-22T14:00")] = "1d",
    until: Annotated[str, typer.Option(help="the same; default now")] = "",
    kind: Annotated[str, typer.Option(help="link, host, service, bfd, ospf, tunnel, fault, syslog, trap ...")] = "",
    subject: Annotated[str, typer.Option(help="a link or host; of a host also its services")] = "",
    limit: Annotated[int, typer.Option(help="at most so many, the newest", min=1, max=10_000)] = 100,
    as_json: _Json = False,
) -> int:
    """Events of the last six months, oldest of the found ones first.

    example: sanwang events search --since 2h --subject c1-core neighbour
    """
    from collectors.tables import search_events
    from sanwang.audit import open_existing

    now = datetime.now(UTC)
    first, last = _moment("--since", since, now), _moment("--until", until, now) if until else None
    store = open_existing("events")
    try:
        with store.reading() as session:
            found = search_events(session, since=first, until=last, kind=kind, subject=subject, text=text, limit=limit)
    finally:
        store.close()
    rows = list(reversed(found))
    if as_json:
        emit({"events": [_document(row) for row in rows], "since": first.isoformat(), "more": len(rows) == limit})
        return 0
    for row in rows:
        repeated = f"  (and {row.detail['repeated']} more)" if row.detail.get("repeated") else ""
        print(f"{row.at.astimezone():%m-%d %H:%M:%S}  {row.kind:<8} {row.subject:<22} {row.state}{repeated}")
    if len(rows) == limit:
        print(f"the newest {limit}; older ones with --until or a larger --limit")
    return 0


@app.command()
def verify(as_json: _Json = False) -> int:
    """Compute every seal anew: exit code 1 when a kept event was changed, taken out or put in.

    example: sanwang events verify --json
    """
    from collectors.seals import verify as prove
    from sanwang.audit import open_existing

    store = open_existing("events")
    try:
        with store.reading() as session:
            proof = prove(session)
    finally:
        store.close()
    oldest, seal = proof.oldest, proof.oldest_seal
    if as_json:
        emit(
            {
                "ok": proof.ok,
                "sealed": proof.events,
                "unsealed": proof.unsealed,
                "oldest": _document(oldest) if oldest else None,
                "seal": {"first": seal.first, "last": seal.last, "digest": seal.digest} if seal else None,
                "problems": proof.problems,
            }
        )
        return 0 if proof.ok else 1
    for problem in proof.problems:
        print(problem)
    words = "every one of them is what was sealed" if proof.ok else "THE RECORD IS NOT WHAT WAS SEALED"
    print(f"{proof.events} sealed events, {words}; {proof.unsealed} newer than the last seal")
    if oldest is not None:
        under = f"under the seal of {seal.first} to {seal.last}: {seal.digest}" if seal else "not sealed yet"
        print(
            f"oldest: {oldest.at.astimezone():%Y-%m-%d %H:%M:%S} {oldest.kind} {oldest.subject} {oldest.state}, {under}"
        )
    return 0 if proof.ok else 1


def _moment(option: str, words: str, now: datetime) -> datetime:
    if span := _SPAN.fullmatch(words):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        return datetime.fromisoformat(words).astimezone(UTC)
    except ValueError:
        print(
            f"sanwang events: {option} {words!r}: expected 30s, 15m, 2h, 7d or a time such as 2026-11-22T14:00",
            file=sys.stderr,
        )
        raise typer.Exit(_BAD) from None


def _document(row: EventRow) -> dict[str, object]:
    return {
        "number": row.number,
        "at": row.at.isoformat(),
        "kind": row.kind,
        "subject": row.subject,
        "state": row.state,
        "detail": json.loads(json.dumps(row.detail)),
    }


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang events")

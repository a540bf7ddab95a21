"""``sanwang notify``: passwords of the mail server and the gateway, a message to try them, and messages that wait."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from collectors.alerts.channels import Message, NotSent, send
from collectors.alerts.deliver import ways
from collectors.alerts.tables import DeliveryRow
from identity.secrets import Secrets
from inventory.alerting import CHANNELS
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from provision.broker.client import operator
from sanwang.audit import open_existing
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, FAILED, emit, guarded
from store import audit

app = typer.Typer(
    help="Passwords of the mail server and the gateway, a message to try them, and messages that wait.\n\n"
    "example: sanwang notify test zhao",
    no_args_is_help=True,
    add_completion=False,
)

_Json = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command()
def secret(channel: Annotated[str, typer.Argument(help="mail or sms")]) -> int:
    """Keep the password of the mail server, or the secret of the gateway, in the vault; asked for, or read from stdin.

    example: sanwang notify secret sms < token.txt
    """

    def action() -> int:
        if channel not in CHANNELS:
            return _bad(f"{channel!r}: expected one of {', '.join(CHANNELS)}")
        value = getpass.getpass(f"{channel}: ") if sys.stdin.isatty() else sys.stdin.readline()
        if not value.strip():
            return _bad("found nothing; expected the password or secret")
        places = Places(current_instance())
        store = open_existing("notify")
        try:
            Secrets(places.lib / "identity").vault.put(f"alerting/{channel}", value.strip())
            with store.session() as session:
                audit.record(session, operator(), "notify.secret", f"secret of {channel} set")
        finally:
            store.close()
        print(f"kept; the collector uses it with the next message. Try it: sanwang notify test LOGIN --by {channel}")
        return 0

    return guarded(action)


@app.command("test")
def try_(
    login: Annotated[str, typer.Argument(help="whom")],
    by: Annotated[str, typer.Option(help="mail or sms; default every way that the person has")] = "",
    as_json: _Json = False,
) -> int:
    """Send a person a message now; exit code 1 when one does not go out.

    example: sanwang notify test zhao --by sms
    """

    def action() -> int:
        model = _model()
        if login not in model.people:
            return _bad(f"{login}: expected a login of the county's people: {', '.join(model.people)}")
        alerting = model.alerting
        found = {
            **ways(model, alerting, login, "warning"),
            **ways(model, alerting, login, "critical"),
        }
        chosen = {channel: address for channel, address in found.items() if by in ("", channel)}
        if alerting is None or not chosen:
            return _bad(f"{login} has no such way; write one in alerting.yml: people, by, and mail or sms")
        now = datetime.now(UTC)
        words = Message(f"test:{login}:{now.timestamp()}", now, "三网告警测试", "A test of Sanwang's alerts")
        vault = Secrets(Places(current_instance()).lib / "identity").vault
        failed = {}
        for channel, address in chosen.items():
            try:
                send(alerting, channel, address, words, vault.find)
                print(f"{channel} to {address}: sent")
            except NotSent as problem:
                failed[channel] = str(problem)
                print(f"{channel} to {address}: {problem}")
        if as_json:
            emit({"sent": [channel for channel in chosen if channel not in failed], "failed": failed})
        return FAILED if failed else 0

    return guarded(action)


@app.command("list")
def list_(as_json: _Json = False) -> int:
    """Messages that wait for their server, or were given up; newest last.

    example: sanwang notify list --json
    """

    def action() -> int:
        store = open_existing("notify")
        try:
            with store.reading() as session:
                open_ones = select(DeliveryRow).where(DeliveryRow.sent_at.is_(None)).order_by(DeliveryRow.next_at)
                rows = session.scalars(open_ones).all()
        finally:
            store.close()
        for row in rows:
            then = f"again at {row.next_at.astimezone():%m-%d %H:%M:%S}" if row.next_at else "given up"
            print(f"{row.channel} to {row.address}, {row.attempts} tries, {then}: {row.error or 'not tried yet'}")
        if not rows:
            print("no message waits")
        if as_json:
            names = ("key", "channel", "address", "attempts", "error")
            emit(
                {
                    "messages": [
                        {**{name: getattr(row, name) for name in names}, "given_up": row.next_at is None}
                        for row in rows
                    ]
                }
            )
        return 0

    return guarded(action)


def _model() -> NetworkModel:
    return load_model(Path((Places(current_instance()).lib / "county").read_text(encoding="utf-8").strip()))


def _bad(words: str) -> int:
    print(f"sanwang notify: {words}", file=sys.stderr)
    return BAD_INPUT


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang notify")

"""``sanwang meet webhook``: programs that are told what happens to meetings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sanwang.meeting import BAD, county, fail, opened, who
from sanwang.report import emit
from store.base import utc_now
from vconf import webhooks
from vconf.tables import WebhookRow

app = typer.Typer(
    help="Programs that are told what happens to meetings.\n\nexample: sanwang meet webhook add https://oa.county/meet",
    no_args_is_help=True,
)
_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]


@app.command()
def add(url: Annotated[str, typer.Argument(help="https://host/path")], as_json: _Json = False) -> None:
    """Tell a program; prints the secret that signs what it gets, once.

    example: sanwang meet webhook add https://oa.county/meet
    """
    _, places = county()
    with opened(places) as store:
        try:
            with store.session() as session:
                row = webhooks.add(session, url, who(), utc_now())
        except webhooks.WebhookError as error:
            fail(BAD, str(error))
    if as_json:
        emit({"webhook": _document(row), "secret": row.secret})
    else:
        print(f"webhook {row.id}: {row.url}\nsecret {row.secret}")


@app.command(name="list")
def list_(as_json: _Json = False) -> None:
    """List the programs, and what the last attempt ran into.

    example: sanwang meet webhook list
    """
    _, places = county()
    with opened(places) as store, store.reading() as session:
        rows = webhooks.listed(session)
    if as_json:
        emit({"webhooks": [_document(row) for row in rows]})
        return
    for row in rows:
        print(f"{row.id:>4}  {row.url}  told to entry {row.told}  {row.problem or 'good'}")


@app.command()
def remove(number: Annotated[int, typer.Argument(metavar="WEBHOOK")], as_json: _Json = False) -> None:
    """Tell it nothing more.

    example: sanwang meet webhook remove 1
    """
    _, places = county()
    with opened(places) as store:
        try:
            with store.session() as session:
                webhooks.remove(session, number, who())
        except webhooks.WebhookError as error:
            fail(BAD, str(error))
    if as_json:
        emit({"removed": number})


def _document(row: WebhookRow) -> dict[str, Any]:
    return {"id": row.id, "url": row.url, "told": row.told, "failures": row.failures, "problem": row.problem}

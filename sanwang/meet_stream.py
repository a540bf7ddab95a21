"""``sanwang meet whip`` and ``whep``: links for encoders that publish into a meeting, and programs that view it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from sanwang.meeting import BAD, alive, base, county, fail, found, opened, who
from sanwang.report import emit
from vconf.whip import tickets
from vconf.whip.tickets import Kind, TicketError

_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Meeting = Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")]
_Minutes = Annotated[int, typer.Option(help="How long it is good; default as long as the meeting can last.", min=1)]
_HELP: dict[Kind, str] = {
    "whip": "Cameras and encoders that publish into a meeting as venues (WHIP, RFC 9725).",
    "whep": "Programs that view what a meeting is shown (WHEP).",
}


def group(kind: Kind) -> typer.Typer:
    """The commands of one of the two."""
    app = typer.Typer(help=f"{_HELP[kind]}\n\nexample: sanwang meet {kind} link 7 --name 指挥车", no_args_is_help=True)

    def link(
        meeting_id: _Meeting,
        name: Annotated[str, typer.Option(help="What the venue is called, or who views.")],
        minutes: _Minutes = 0,
        as_json: _Json = False,
    ) -> None:
        now = datetime.now(UTC)
        model, places = county()
        url = f"{base(model)}/meet/{kind}"
        with opened(places) as store:
            meeting = alive(found(store, meeting_id))
            try:
                expires = tickets.until(meeting, now, timedelta(minutes=minutes) if minutes else None)
                with store.session() as session:
                    made, token = tickets.issue(session, meeting_id, kind, name, who(), now, expires)
            except TicketError as error:
                fail(BAD, str(error))
        if as_json:
            emit({"stream": made.as_json(), "url": url, "token": token})
        else:
            print(f"link {made.number}: {made.name}, until {expires.astimezone():%Y-%m-%d %H:%M}")
            print(f"address       {url}\nbearer token  {token}")

    def list_(meeting_id: _Meeting, as_json: _Json = False) -> None:
        _, places = county()
        with opened(places) as store:
            found(store, meeting_id)
            with store.reading() as session:
                rows = [each for each in tickets.listed(session, meeting_id) if each.kind == kind]
        if as_json:
            emit({"streams": [each.as_json() for each in rows]})
            return
        for each in rows:
            state = "REVOKED" if each.revoked_at else f"until {each.expires_at.astimezone():%Y-%m-%d %H:%M}"
            print(f"{each.number:>5}  {each.name}  {state}  by {each.issued_by}")

    def revoke(
        meeting_id: _Meeting,
        number: Annotated[int, typer.Argument(metavar="LINK")],
        why: Annotated[str, typer.Option(help="For the audit.")] = "",
        as_json: _Json = False,
    ) -> None:
        _, places = county()
        with opened(places) as store:
            try:
                with store.session() as session:
                    ticket = tickets.revoke(session, meeting_id, number, who(), why, datetime.now(UTC))
            except TicketError as error:
                fail(BAD, str(error))
        if as_json:
            emit({"stream": ticket.as_json()})
        else:
            print(f"link {number}: revoked")

    app.command(
        name="link",
        help=f"Give a link; its token is shown this once.\n\nexample: sanwang meet {kind} link 7 --name 指挥车",
    )(link)
    app.command(name="list", help=f"List a meeting's links.\n\nexample: sanwang meet {kind} list 7")(list_)
    app.command(
        name="revoke",
        help=f"Take a link back; who came by it is put out.\n\nexample: sanwang meet {kind} revoke 7 3 --why 丢失",
    )(revoke)
    return app

"""``sanwang ticket``: faults, reports and requests with their time limits, from the command line."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from collectors.desk import actions, filing, view
from collectors.desk.steps import Desk, get
from collectors.desk.tables import TicketRow
from identity.people import Right
from inventory.supervision import REQUESTS
from provision.broker.client import operator
from sanwang.cli import run_app
from sanwang.desk import at_desk, local
from sanwang.report import emit
from store.engine import Store

app = typer.Typer(
    help="Faults, reports and requests with their time limits.\n\nexample: sanwang ticket list --light red",
    no_args_is_help=True,
    add_completion=False,
)

_RIGHTS = (Right.HANDLE, Right.SUPERVISE)
_Number = Annotated[int, typer.Argument(metavar="TICKET", help="its number")]
_Why = Annotated[str, typer.Option(help="for the history, the audit and whoever reads it")]
_Json = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="active, waiting, restored, closed or all")] = "active",
    kind: Annotated[str, typer.Option(help="fault, report or request")] = "",
    site: Annotated[str, typer.Option(help="code of a site")] = "",
    light: Annotated[str, typer.Option(help="yellow or red: those with such a card")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: _Json = False,
) -> int:
    """Tickets, newest first.

    example: sanwang ticket list --state all --site t01
    """

    def work(store: Store, desk: Desk) -> int:
        if state not in view.STATES:
            raise typer.BadParameter(f"--state {state!r}: expected one of {', '.join(view.STATES)}")
        if light not in ("", "yellow", "red"):
            raise typer.BadParameter(f"--light {light!r}: expected yellow or red")
        with store.reading() as session:
            found = view.find(
                session, state=state, kind=kind, sites=[site] if site else [], light=light, limit=limit
            )  # fmt: skip
            documents = view.summaries(session, desk, found, _RIGHTS)
            counted = view.counts(session)
        if as_json:
            emit({"tickets": documents, "counts": counted})
            return 0
        for each in documents:
            print(_line(each))
        print(" ".join(f"{name} {number}" for name, number in counted.items() if name != "mine"))
        return 0

    return at_desk("ticket list", work)


@app.command()
def show(number: _Number, as_json: _Json = False) -> int:
    """One ticket with its history.

    example: sanwang ticket show 12
    """

    def work(store: Store, desk: Desk) -> int:
        with store.reading() as session:
            document = view.detail(session, desk, get(session, number), _RIGHTS)
        _tell(document, as_json)
        return 0

    return at_desk("ticket show", work)


@app.command("open")
def open_(
    site: Annotated[str, typer.Argument(help="code of the unit's site")],
    text: Annotated[str, typer.Argument(help="what the unit says")],
    request: Annotated[str, typer.Option(help=f"a request: {', '.join(REQUESTS)}; without it: a fault report")] = "",
    detail: Annotated[str, typer.Option(help='of a request, as JSON, for example \'{"rate": "1G"}\'')] = "{}",
    organisation: Annotated[str, typer.Option(help="which body of a shared building")] = "",
    service: Annotated[str, typer.Option(help="of a report: the hosted system that fails")] = "",
    contact: Annotated[str, typer.Option(help="name and telephone of who asks")] = "",
    channel: Annotated[str, typer.Option(help="phone or desk")] = "phone",
    as_json: _Json = False,
) -> int:
    """Take a unit's report (报障) or request down, for one that telephones.

    example: sanwang ticket open t01 "no web pages since nine" --contact "Zhou, 0900-5550101"
    """

    def work(store: Store, desk: Desk) -> int:
        try:
            asked = json.loads(detail)
        except ValueError as problem:
            raise typer.BadParameter(f"--detail: {problem}; expected a JSON object") from None
        if not isinstance(asked, dict):
            raise typer.BadParameter(f"--detail: found a {type(asked).__name__}, expected a JSON object")
        who = operator()
        with store.session() as session:
            known: TicketRow | None = None
            if request:
                row = filing.request(
                    session, desk, who=who, site=site, kind=request, text=text, detail=asked,
                    organisation=organisation, contact=contact, channel=channel,
                )  # fmt: skip
            else:
                row, known = filing.report(
                    session, desk, who=who, site=site, text=text, organisation=organisation, service=service,
                    contact=contact, channel=channel,
                )  # fmt: skip
            document = view.detail(session, desk, row, _RIGHTS)
            words = filing.known_words(desk, known)
        if known is not None:
            print("\n".join(words))
        _tell(document, as_json)
        return 0

    return at_desk("ticket open", work)


@app.command()
def take(number: _Number, why: _Why = "", as_json: _Json = False) -> int:
    """Accept a ticket; it is yours then.

    example: sanwang ticket take 12
    """
    return _do("take", number, as_json, lambda s, d, who: actions.take(s, d, number, who, why))


@app.command()
def assign(
    number: _Number,
    to: Annotated[str, typer.Argument(help="login of a person of a team, or a team")],
    why: _Why = "",
    as_json: _Json = False,
) -> int:
    """Hand a ticket to somebody, or to a team.

    example: sanwang ticket assign 12 li --why "the fibre crew is his"
    """
    return _do("assign", number, as_json, lambda s, d, who: actions.assign(s, d, number, who, to, why))


@app.command()
def work(number: _Number, why: _Why = "", as_json: _Json = False) -> int:
    """Say that work on it has begun.

    example: sanwang ticket work 12 --why "crew left at 10:20"
    """
    return _do("work", number, as_json, lambda s, d, who: actions.work(s, d, number, who, why))


@app.command()
def wait(number: _Number, why: _Why, as_json: _Json = False) -> int:
    """Wait for the unit: its clock stands until you resume.

    example: sanwang ticket wait 12 --why "the unit has to open its machine room"
    """
    return _do("wait", number, as_json, lambda s, d, who: actions.wait(s, d, number, who, why))


@app.command()
def resume(number: _Number, why: _Why = "", as_json: _Json = False) -> int:
    """The unit has answered: the clock runs on.

    example: sanwang ticket resume 12
    """
    return _do("resume", number, as_json, lambda s, d, who: actions.resume(s, d, number, who, why))


@app.command()
def restore(
    number: _Number,
    why: _Why = "",
    cause: Annotated[str, typer.Option(help="of a fault: what it was")] = "",
    outcome: Annotated[str, typer.Option(help="of a request: granted or refused")] = "",
    as_json: _Json = False,
) -> int:
    """It works again; of a request: the answer. A granted meeting is booked at once.

    example: sanwang ticket restore 12 --cause "splice at pole 31"
    """

    def done(session: Session, desk: Desk, who: str) -> TicketRow:
        from dashboards.desk.grant import granting

        return actions.restore(session, desk, number, who, why, cause, outcome, granting(desk.model))

    return _do("restore", number, as_json, done)


@app.command()
def close(
    number: _Number,
    satisfaction: Annotated[int, typer.Option(help="the unit's mark, 1 (bad) to 5; 0: none", min=0, max=5)] = 0,
    why: _Why = "",
    as_json: _Json = False,
) -> int:
    """Close a restored ticket, with the unit's mark.

    example: sanwang ticket close 12 --satisfaction 5
    """
    return _do("close", number, as_json, lambda s, d, who: actions.close(s, d, number, who, satisfaction or None, why))


@app.command()
def reopen(number: _Number, why: _Why, as_json: _Json = False) -> int:
    """It was not restored after all: the clock runs on from where it stood.

    example: sanwang ticket reopen 12 --why "still slow"
    """
    return _do("reopen", number, as_json, lambda s, d, who: actions.reopen(s, d, number, who, why))


@app.command()
def comment(
    number: _Number, text: Annotated[str, typer.Argument(help="words for the history")], as_json: _Json = False
) -> int:
    """Write something into the history.

    example: sanwang ticket comment 12 "crew is on its way"
    """
    return _do("comment", number, as_json, lambda s, d, who: actions.comment(s, d, number, who, text))


@app.command()
def link(
    number: _Number,
    parent: Annotated[int, typer.Argument(metavar="TICKET", help="the ticket of the same matter")],
    why: _Why = "",
    as_json: _Json = False,
) -> int:
    """Hang a report on the ticket of the same matter; it ends with that one.

    example: sanwang ticket link 13 12
    """
    return _do("link", number, as_json, lambda s, d, who: actions.link(s, d, number, who, parent, why))


@app.command()
def withdraw(number: _Number, why: _Why, as_json: _Json = False) -> int:
    """The unit takes its report or request back.

    example: sanwang ticket withdraw 13 --why "it was the unit's own cable"
    """
    return _do("withdraw", number, as_json, lambda s, d, who: actions.withdraw(s, d, number, who, why))


@app.command()
def correct(number: _Number, why: _Why, as_json: _Json = False) -> int:
    """Order a correction (责令改正), as a supervisor; those who handle it are told.

    example: sanwang ticket correct 12 --why "send somebody today"
    """
    return _do("correct", number, as_json, lambda s, d, who: actions.correct(s, d, number, who, why))


@app.command("withdraw-card")
def withdraw_card(
    number: _Number,
    card: Annotated[str, typer.Argument(help="late-response, yellow or red")],
    why: _Why,
    as_json: _Json = False,
) -> int:
    """Take a card back, as a supervisor; it stays in the history and counts no more.

    example: sanwang ticket withdraw-card 12 red --why "the clock was wrong"
    """
    return _do("withdraw-card", number, as_json, lambda s, d, who: actions.withdraw_card(s, d, number, who, card, why))


def _do(name: str, number: int, as_json: bool, act: Any) -> int:
    def work(store: Store, desk: Desk) -> int:
        with store.session() as session:
            row = act(session, desk, operator())
            session.flush()
            document = view.detail(session, desk, row, _RIGHTS)
        _tell(document, as_json)
        return 0

    return at_desk(f"ticket {name} {number}", work)


def _line(each: dict[str, Any]) -> str:
    light = {"yellow": "YELLOW", "red": "RED"}.get(each["clock"]["light"], "")
    due = local(each["clock"]["due_at"])
    who = each["assignee"] or each["team"]
    linked = f" -> {each['parent']}" if each["parent"] else ""
    return (
        f"{each['id']:>5}  {each['state']:<9} {light:<6} due {due:<11}  {each['class']:<12} {each['site']:<6} "
        f"{who:<10} {each['subject']}{linked}"
    )


def _tell(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit({"ticket": document})
        return
    print(_line(document))
    for card in document["cards"]:
        withdrawn = card["withdrawn"]
        taken = f", withdrawn by {withdrawn['who']}: {withdrawn['why']}" if withdrawn else ""
        print(f"       {card['kind']} card {local(card['at'])}{taken}")
    for step in document["history"]:
        print(f"       {local(step['at'])}  {step['who']:<10} {step['what']:<14} {step['why']}")


def main(argv: list[str]) -> int:
    """Exit codes: 0 good, 2 bad input or not possible now, 3 the county has no desk or no store."""
    return run_app(app, argv, "sanwang ticket")

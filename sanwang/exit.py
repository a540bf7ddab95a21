"""``sanwang exit``: close the Internet exit of the whole county, open it again, look at it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sanwang.cli import run_app
from sanwang.report import ask_broker, emit, guarded

app = typer.Typer(
    help="Close the Internet exit of the whole county, open it again, look at it.\n\n"
    'Example: sanwang exit close --why "attack from outside"; sanwang exit status; sanwang exit open --why "over"',
    add_completion=False,
    no_args_is_help=True,
)
Why = Annotated[str, typer.Option(help="the reason, kept in the audit log")]
Instance = Annotated[str, typer.Option(help="name of the instance")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


def _switch(state: str, why: str, instance: str, as_json: bool) -> int:
    def action() -> int:
        answer = ask_broker(instance, "exit", why, state=state)
        if as_json:
            emit(answer)
        elif answer["changed"]:
            print(f"the Internet exit is {state} ({answer['seconds']} s)")
        else:
            print(f"the Internet exit was {state} already")
        return 0

    return guarded(action)


@app.command()
def close(why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """Make the county an intranet: nothing passes to or from the Internet, running flows included.

    Remote sites keep their tunnels. It stays closed until it is opened, whatever restarts meanwhile.

    Example: sanwang exit close --why "attack from outside"
    """
    return _switch("closed", why, instance, as_json)


@app.command("open")
def open_(why: Why, instance: Instance = "", as_json: AsJson = False) -> int:
    """Open the exit again: what the policy allows passes.

    Example: sanwang exit open --why "attack is over"
    """
    return _switch("open", why, instance, as_json)


@app.command()
def status(instance: Instance = "", as_json: AsJson = False) -> int:
    """What is wanted, what the firewall does, and which carrier's line works; exit code 1 when they do not agree.

    Example: sanwang exit status --json
    """

    def action() -> int:
        answer = ask_broker(instance, "exit_status")
        if as_json:
            emit(answer)
        else:
            _print(answer)
        return 0 if answer["agrees"] else 1

    return guarded(action)


@app.command()
def who(
    address: Annotated[str, typer.Argument(help="one of the exit's public addresses")],
    port: Annotated[int, typer.Argument(help="the public port")],
    why: Why,
    at: Annotated[str, typer.Option(help="time, as 2026-11-22T04:00:00+08:00; default now")] = "",
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Who inside spoke through a public address and port at a time; the question itself is audited.

    Example: sanwang exit who 198.18.32.22 40112 --at 2026-11-22T04:00:00+08:00 --why "police inquiry 17"
    """

    def action() -> int:
        answer = ask_broker(instance, "exit_who", why, address=address, port=port, at=at)
        holder = answer["holder"]
        if as_json:
            emit(answer)
        elif holder is None:
            print(f"nobody had {address} port {port} at {answer['at']} (UTC)")
        else:
            print(f"{holder['inside']} port {holder['inside_port']} ({answer['site'] or 'no site of its own'})")
            print(f"to {holder['outside']} port {holder['outside_port']} {holder['protocol']} since {holder['since']}")
        return 0 if holder else 1

    return guarded(action)


def _print(answer: dict[str, Any]) -> None:
    print(f"wanted {answer['state']}, the firewall's is {answer['running']}")
    if closed := answer["closed"]:
        print(f"closed by {closed['who']} at {closed['at']}: {closed['why']}")
        print(f"{answer['dropped_packets']} packets dropped since")
    for line in answer["lines"]:
        words = {True: "answers", False: "does not answer", None: "is the only one, not watched"}[line["alive"]]
        print(f"{line['carrier']} on {line['port']} {words}{', in use' if line['used'] else ''}")


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang exit")

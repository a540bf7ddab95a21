"""``sanwang meet load``: many halls join a booked meeting from one process, with real media."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory import relays
from inventory.model import NetworkModel
from inventory.places import Places
from sanwang.meeting import BAD, alive, base, county, fail, found, opened, token_key
from sanwang.report import FAILED, emit
from twin import names
from twin.namespaces import NETNS_DIR, in_namespace
from vconf import links, meetings

if TYPE_CHECKING:
    from vconf.load.way import Way


def load(
    meeting_id: Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting; it must be open.")],
    halls: Annotated[int, typer.Option(min=0, help="How many of its halls join; 0: all.")] = 0,
    seconds: Annotated[float, typer.Option(min=1, help="How long they stay once all have begun to join.")] = 60.0,
    send: Annotated[bool, typer.Option("--send", help="They send picture and sound, too.")] = False,
    clip: Annotated[Path | None, typer.Option(help="The film they send; default a moving test picture.")] = None,
    per_second: Annotated[float, typer.Option(min=0.1, max=50, help="How many join each second.")] = 4.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")] = False,
) -> int:
    """Let halls join a booked meeting, with real signalling, ICE, DTLS and SRTP, from this one process.

    Each hall receives what the conference shows it, opens every packet, asks again for what is lost, and follows the
    chair; in a county on this machine it does so from its own hall.  A hall that is there already is replaced.
    Ctrl-C: all leave, and the figures follow.  Exit code 1 when a hall is not in at the end, or sees no picture of a
    venue that sends one.

    example: sanwang meet load 7 --halls 60 --seconds 120 --send --json
    """
    from vconf.load import clip as clips
    from vconf.load.crowd import Crowd

    model, places = county()
    with opened(places) as store:
        meeting = alive(found(store, meeting_id))
    if meeting.state(datetime.now(UTC)) != "open":
        fail(BAD, f"meeting {meeting_id} is not open before {meeting.opens_at.astimezone():%Y-%m-%d %H:%M}")
    codes = meeting.halls[: halls or None]
    if len(codes) < halls:
        fail(BAD, f"--halls: found {halls}, but meeting {meeting_id} has {len(codes)}; book it with more halls")
    try:
        film = clips.make(clip) if send or clip else None
    except clips.ClipError as error:
        fail(BAD, f"--clip: {error}")

    async def run() -> dict[str, Any]:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        crowd = Crowd(_way(model, places, meeting), film)
        return await crowd.run(codes, seconds, stop, 1 / per_second, lambda line: print(line, file=sys.stderr))

    figures = asyncio.run(run())
    good = figures["inside"] == figures["halls"] == len(codes) and not figures["dark"] and figures["joins"] > 0
    if as_json:
        emit({"good": good, "meeting": meeting_id, **figures})
    else:
        _print(figures)
    return 0 if good else FAILED


def _way(model: NetworkModel, places: Places, meeting: meetings.Meeting) -> Way:
    """To the county's pages, each hall from where it is when the county runs on this machine."""
    from vconf.load.way import Way

    tokens: Tokens = token_key(places)
    trust = ssl.create_default_context(cadata=Secrets(places.lib / "identity").ca.certificate_pem)

    def address(hall: str) -> str:
        pages = relays.node_address(model, model.halls[hall]) or base(model)
        return f"wss://{pages.removeprefix('https://')}/meet/ws"

    def place(hall: str, make: Callable[[], None]) -> None:
        namespace = names.namespace(places.instance, model.halls[hall].host)
        if (NETNS_DIR / namespace).exists():
            in_namespace(namespace, make)
        else:
            make()

    return Way(address, lambda hall: links.join_token(tokens, links.Seat(hall, meeting.id)), trust, place)


def _print(figures: dict[str, Any]) -> None:
    received, sent = figures["received"], figures["sent"]
    print(f"halls      {figures['inside']} of {figures['halls']} are in after {figures['seconds']} s")
    for name, words in (
        ("join_ms", "joined"),
        ("first_packet_ms", "packet"),
        ("first_keyframe_ms", "picture"),
        ("switch_ms", "switch"),
    ):
        value = figures[name]
        if value["count"]:
            print(
                f"{words:<10} p50 {value['p50']} ms, p95 {value['p95']} ms, most {value['max']} ms ({value['count']})"
            )
    print(
        f"received   {received['packets']} packets, lost {received['lost']} ({received['lost_percent']} %), "
        f"repaired {received['repaired']}, wrong {received['wrong']}"
    )
    if sent["packets"]:
        print(f"sent       {sent['packets']} packets, keyframe requests {sent['keyframe_requests']}")
    for title in ("dark", "over", "interruptions", "refusals"):
        for key, value in figures[title].items():
            print(f"{title:<10} {key}: {value if isinstance(value, int | str) else ' '.join(value)}")

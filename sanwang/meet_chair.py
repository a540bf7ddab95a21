"""``sanwang meet act``, ``state`` and ``attendance``: what the chair does, decided, and who was there."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from identity.secrets import Secrets
from inventory.places import Places
from sanwang.meeting import BAD, MISSING, alive, county, fail, found, opened, token_key, who
from sanwang.report import FAILED, emit
from vconf import attendance, links, meetings, sheet
from vconf.chair import document
from vconf.chair.act import ACTIONS
from vconf.chair.state import Conference
from vconf.rooms.stored import recorded

_BASE = "https://localhost"
_TIMEOUT_S = 10.0
_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Meeting = Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")]


def act(
    meeting_id: _Meeting,
    action: Annotated[str, typer.Argument(help="broadcast, muteAll ...: 'sanwang meet actions' lists them.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="venue=t02, on=true")] = None,
    as_json: _Json = False,
) -> int:
    """Do what the chair does; exit code 1 when it is refused.

    example: sanwang meet act 7 broadcast venue=t02
    """
    if action not in ACTIONS or ACTIONS[action].may == "system":
        fail(BAD, f"action: found {action!r}, expected one of: {', '.join(_people())}")
    args = dict(_argument(each) for each in arguments or [])
    _, places = county()
    with opened(places) as store:
        meeting = alive(found(store, meeting_id))
    if not places.serve_socket.exists():
        fail(MISSING, f"the pages' server does not answer: no {places.serve_socket}; next step: sanwang status")
    try:
        answer = ask(places, meeting, "POST", "act", {"action": action, "args": args})
    except (httpx.HTTPError, OSError) as problem:
        fail(MISSING, f"the pages' server does not answer: {problem}; next step: sanwang status")
    told = answer.json()
    if answer.status_code != 200:
        detail = told.get("detail", told)
        if as_json:
            emit({"refused": detail})
        zh, en = (detail.get("zh", ""), detail.get("en", "")) if isinstance(detail, dict) else ("", str(detail))
        print(f"sanwang meet: refused: {en} {zh}".rstrip(), file=sys.stderr)
        return FAILED
    if as_json:
        emit({"meeting": meeting_id, "action": action, **told})
    else:
        print(f"meeting {meeting_id}: {action} done (state {told['number']})")
    return 0


def actions(as_json: _Json = False) -> None:
    """List the actions: who may do them, their arguments, what they do.

    example: sanwang meet actions
    """
    rows = {name: ACTIONS[name] for name in _people()}
    if as_json:
        emit(
            {
                "actions": {
                    name: {"may": row.may, "args": list(row.args), "line": row.line} for name, row in rows.items()
                }
            }
        )
        return
    for name, row in rows.items():
        args = " ".join(f"{arg}=" if arg in row.needs else f"[{arg}=]" for arg in row.args)
        print(f"{name:<16} {row.may:<8} {args:<36} {row.line}")


def state(meeting_id: _Meeting, as_json: _Json = False) -> None:
    """Show what the chair decided, as it is in the store.

    example: sanwang meet state 7 --json
    """
    _, places = county()
    with opened(places) as store:
        meeting = found(store, meeting_id)
        with store.reading() as session:
            conference = recorded(session, meeting_id)
    if as_json:
        whole = document.whole(conference) if conference else None
        emit({"meeting": meeting.as_json(), "state": whole})
    elif conference is None:
        print(f"meeting {meeting_id}: nobody was in it yet")
    else:
        _print(conference)


def attendance_(
    meeting_id: _Meeting,
    html: Annotated[Path | None, typer.Option(help="Write the sheet as a page to print.")] = None,
    as_json: _Json = False,
) -> None:
    """Print the sign-in sheet: who came, when, for how long, with how many people.

    example: sanwang meet attendance 7 --html sheet.html
    """
    model, places = county()
    with opened(places) as store:
        meeting = found(store, meeting_id)
        with store.reading() as session:
            lines = attendance.sheet(session, meeting, datetime.now(UTC))
            name = sheet.names(model, recorded(session, meeting_id))
    if html is not None:
        page = sheet.html(meeting, lines, name, datetime.now().astimezone())
        html.write_text(page, encoding="utf-8")
    if as_json:
        emit({"meeting": meeting.as_json(), "venues": [line.as_json() | {"zh": name(line.hall)} for line in lines]})
        return
    for line in lines:
        heads = "-" if line.heads is None else str(line.heads)
        joined = "-" if line.joined_at is None else f"{line.joined_at.astimezone():%H:%M:%S}"
        left = "-" if line.left_at is None else f"{line.left_at.astimezone():%H:%M:%S}"
        minutes = round(line.stayed.total_seconds() / 60)
        who_signed = f"  {name(line.hall)}  {line.name}".rstrip()
        print(f"{line.hall:<14} heads {heads:>5}  joined {joined:<9} left {left:<9} {minutes:>4} min{who_signed}")


COMMANDS: dict[str, Callable[..., Any]] = {
    "act": act,
    "actions": actions,
    "state": state,
    "attendance": attendance_,
}


def _people() -> list[str]:
    return [name for name, row in ACTIONS.items() if row.may != "system"]


def _argument(text: str) -> tuple[str, Any]:
    """``venue=t02``, ``on=true``, ``venues=t01,t02``, ``heads=42``."""
    name, sign, value = text.partition("=")
    if not sign:
        fail(BAD, f"argument: found {text!r}, expected NAME=VALUE, for example venue=t02")
    if name == "venues":
        return name, [each for each in value.split(",") if each]
    if name in ("on", "ticker", "minutes", "heads", "intervalS", "expect"):
        try:
            return name, json.loads(value)
        except ValueError:
            fail(BAD, f"{name}: found {value!r}, expected true, false or a number")
    return name, value


def ask(
    places: Places, meeting: meetings.Meeting, method: str, what: str, body: dict[str, Any] | None = None
) -> httpx.Response:
    """Ask the pages' server about a meeting, ``/api/meet/meetings/ID/<what>``, as its chair; httpx.HTTPError."""
    trust = ssl.create_default_context(cadata=Secrets(places.lib / "identity").ca.certificate_pem)
    transport = httpx.HTTPTransport(uds=str(places.serve_socket), verify=trust)
    token = links.chair_token(token_key(places), meeting, who(), datetime.now(UTC))
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(transport=transport, base_url=_BASE, timeout=_TIMEOUT_S, headers=headers) as client:
        return client.request(method, f"/api/meet/meetings/{meeting.id}/{what}", json=body)


def _print(conference: Conference) -> None:
    programme = conference.programme
    there = [venue.id for venue in conference.venues.values() if venue.there]
    muted = [venue.id for venue in conference.venues.values() if venue.muted]
    rows = {
        "state": f"{conference.number} of epoch {conference.epoch}{', ended' if conference.ended else ''}",
        "main": conference.main,
        "chair": conference.chair + ("" if conference.chair == conference.owner else f" for {conference.owner}"),
        "co-chairs": " ".join(conference.co_chairs),
        "there": " ".join(there),
        "waiting": " ".join(conference.waiting),
        "roll call": programme.roll,
        "broadcast": programme.broadcast,
        "polling": f"{programme.poll.venue} of {' '.join(programme.poll.venues)}" if programme.poll else "",
        "display": f"{programme.display.mode} {' '.join(programme.display.venues)}".strip(),
        "slides": conference.slides,
        "hands": " ".join(hand.venue for hand in conference.hands),
        "floor": " ".join(conference.floor),
        "muted": " ".join(muted),
        "banner": conference.banner.text if conference.banner else "",
        "recording": _recording(conference),
        "locked": "yes" if conference.locked else "",
    }
    for name, value in rows.items():
        if value:
            print(f"{name:<10} {value}")


def _recording(conference: Conference) -> str:
    recording = conference.recording
    if recording is None:
        return ""
    name = f"{conference.meeting}-{recording.number} by {recording.by}"
    return name if recording.running else f"{name}, but not now: {recording.problem or 'the recorder is starting'}"

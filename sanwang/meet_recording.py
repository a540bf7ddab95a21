"""``sanwang meet recording``: which recordings there are, taking one away, deleting one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from identity.secrets import Secrets
from identity.tokens import TokenRefused
from inventory.model import NetworkModel
from inventory.places import Places
from sanwang.meet_chair import ask
from sanwang.meeting import BAD, MISSING, county, fail, found, opened, who
from sanwang.report import FAILED, emit
from store.base import utc_now
from store.engine import Store
from vconf.recording import library, sealed
from vconf.rooms.stored import recorded
from vconf.tables import RecordingRow

app = typer.Typer(
    help="Recordings of meetings: which there are, taking one away, deleting one.  The chair begins and ends them: "
    "sanwang meet act 7 startRecording\n\nexample: sanwang meet recording list",
    no_args_is_help=True,
)
_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Recording = Annotated[str, typer.Argument(metavar="RECORDING", help="Its id, 7-1: of meeting 7 the first.")]
_Why = Annotated[str, typer.Option(help="The reason, for the audit.")]


@app.command(name="list")
def list_(
    meeting: Annotated[int | None, typer.Option(help="Of this meeting alone.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Deleted ones too.")] = False,
    as_json: _Json = False,
) -> None:
    """List the recordings: of which meeting, how large, until when they are kept.

    example: sanwang meet recording list --meeting 7 --json
    """
    _, places = county()
    with opened(places) as store:
        with store.reading() as session:
            rows = library.listed(session, meeting, everything=everything)
        said = _recorders(store, places, rows)
    if as_json:
        emit({"recordings": [_document(places, row, said) for row in rows]})
        return
    for row in rows:
        print(_line(places, row))
    if not rows:
        print("no recording: the chair begins one, or sanwang meet act MEETING startRecording")


@app.command()
def show(name: _Recording, as_json: _Json = False) -> None:
    """Show one recording: its tracks, the recorder's process while it runs, what went wrong.

    example: sanwang meet recording show 7-1
    """
    _, places = county()
    with opened(places) as store:
        row = _row(store, name)
        said = _recorders(store, places, [row])
    document = _document(places, row, said) | {"tracks": _tracks(places, name)}
    if as_json:
        emit({"recording": document})
        return
    print(_line(places, row))
    print(f"       by {row.begun_by}  kept until {_time(row.expires_at) if row.expires_at else 'it is deleted'}")
    if document["recorder"]:
        figures = "  ".join(f"{key} {value}" for key, value in document["recorder"].items())
        print(f"       recorder  {figures}")
    if row.problem:
        print(f"       last problem  {row.problem}")
    for track, size in document["tracks"].items():
        print(f"       {track:<24} {size / 1e6:>9.1f} MB")


@app.command()
def export(
    name: _Recording,
    why: _Why,
    to: Annotated[Path | None, typer.Option(help="Folder; default recording-ID here.")] = None,
    only: Annotated[str, typer.Option(help="programme, slides or a venue's code; default all.")] = "",
    as_json: _Json = False,
) -> int:
    """Decrypt a recording into MP4 files with chapters and a manifest for the training library; who and why is noted.

    example: sanwang meet recording export 7-1 --only programme --why 培训存档
    """
    import av

    from vconf.recording import export as exporting

    model, places = county()
    folder, to = places.lib / library.FOLDER / name, to or Path(f"recording-{name}")
    with opened(places) as store:
        row = _row(store, name)
        try:
            with store.session() as session:
                key = library.open_key(session, name, _county_key(places), who(), why, only or "all")
        except library.RecordingError as error:
            fail(BAD, str(error))
        meeting = found(store, row.meeting_id)
        names = _names(model, store, row.meeting_id)
    about = {
        "begun": row.begun_at.isoformat(),
        "ended": row.ended_at.isoformat() if row.ended_at else None,
        "meeting": {
            "id": meeting.id,
            "title": meeting.title,
            "start": meeting.start_at.isoformat(),
            "main": meeting.main,
        },
    }
    try:
        manifest = exporting.write(folder, key, name, to, about, names, only)
    except exporting.ExportError as error:
        fail(BAD, f"{error}; next step: sanwang meet recording show {name}")
    except exporting.SealError as error:
        print(f"sanwang meet: recording {name}: {error}: it was changed on the disk, nothing of this track is written")
        return FAILED
    except (OSError, av.FFmpegError) as error:
        fail(MISSING, f"{to}: {error}")
    if as_json:
        emit({"folder": str(to), "manifest": manifest})
        return 0
    for file in manifest["files"]:
        torn = "" if file["whole"] else "  torn by a crash: good up to there"
        print(f"{to / file['name']}  {file['seconds']:.0f} s  {file['octets'] / 1e6:.1f} MB  {file['zh']}{torn}")
    print(f"{to / 'manifest.json'}  {len(manifest['chapters'])} chapters")
    return 0


@app.command()
def delete(name: _Recording, why: _Why, as_json: _Json = False) -> None:
    """Delete a recording for good, its key first.

    example: sanwang meet recording delete 7-1 --why 误录
    """
    if not why.strip():
        fail(BAD, "--why: found nothing, expected the reason, for the audit")
    _, places = county()
    with opened(places) as store:
        try:
            with store.session() as session:
                row = library.delete(session, places.lib / library.FOLDER, name, who(), why, utc_now())
        except library.RecordingError as error:
            fail(BAD, str(error))
    if as_json:
        emit({"recording": library.as_json(row)})
    else:
        print(f"recording {name}: deleted")


def _row(store: Store, name: str) -> RecordingRow:
    try:
        with store.reading() as session:
            return library.get(session, name)
    except library.RecordingError as error:
        fail(BAD, str(error))


def _county_key(places: Places) -> str:
    return Secrets(places.lib / "identity").resolve(sealed.KEY)


def _names(model: NetworkModel, store: Store, meeting: int) -> dict[str, dict[str, str]]:
    """Venues' names: the county's halls, and guests as the meeting knew them."""
    with store.reading() as session:
        conference = recorded(session, meeting)
    guests = {code: {"zh": venue.zh, "en": venue.en} for code, venue in conference.venues.items()} if conference else {}
    return guests | {code: {"zh": hall.zh, "en": hall.en} for code, hall in model.halls.items()}


def _recorders(store: Store, places: Places, rows: list[RecordingRow]) -> dict[str, dict[str, Any]]:
    """What the recorders that run say of themselves, asked of the pages' server; nothing when it is not there."""
    said: dict[str, dict[str, Any]] = {}
    for meeting in {row.meeting_id for row in rows if row.ended_at is None}:
        try:
            answer = ask(places, found(store, meeting), "GET", "recordings")
        except (httpx.HTTPError, OSError, TokenRefused):  # no server, or the meeting is over
            continue
        for each in answer.json().get("recordings", ()):
            if each["recorder"]:
                said[each["id"]] = each["recorder"]
    return said


def _tracks(places: Places, name: str) -> dict[str, int]:
    """Octets by track."""
    from vconf.recording.track import parts, track_of

    tracks: dict[str, int] = {}
    for path, _ in parts(places.lib / library.FOLDER / name):
        tracks[track_of(path)] = tracks.get(track_of(path), 0) + path.stat().st_size
    return tracks


def _document(places: Places, row: RecordingRow, said: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return library.as_json(row, said.get) | {"octets": _octets(places, row)}


def _octets(places: Places, row: RecordingRow) -> int:
    return library.octets_in(places.lib / library.FOLDER / row.id) if row.ended_at is None else row.octets


def _line(places: Places, row: RecordingRow) -> str:
    state = "DELETED" if row.deleted_at else f"to {_time(row.ended_at)}" if row.ended_at else "RECORDING"
    size = f"{_octets(places, row) / 1e6:.1f} MB"
    return f"{row.id:>8}  meeting {row.meeting_id}  {_time(row.begun_at)}  {state:<19}  {size:>10}"


def _time(at: Any) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"

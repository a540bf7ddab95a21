"""``sanwang meet report`` and ``verify-report``: what is left of a meeting, on paper, signed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.secrets import Secrets
from inventory.places import Places, current_instance
from sanwang.meeting import BAD, MISSING, county, fail, found, opened, who
from sanwang.report import FAILED, emit
from store import audit

_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Meeting = Annotated[int, typer.Argument(metavar="MEETING", help="Number of the meeting.")]


def report(
    meeting_id: _Meeting,
    pdf: Annotated[Path | None, typer.Option(help="Write it as PDF, and its signature beside it (.p7s).")] = None,
    html: Annotated[Path | None, typer.Option(help="Write it as a page to print.")] = None,
    as_json: _Json = False,
) -> int:
    """Attendance, roll call, quality of each venue, the network's faults meanwhile, and what the chair did.

    example: sanwang meet report 7 --pdf meeting-7.pdf
    """
    from dashboards.meeting_page import html as page
    from dashboards.meeting_report import MeetingReports

    model, places = county()
    with opened(places) as store:
        meeting = found(store, meeting_id)
        reports = MeetingReports(model, store, Secrets(places.lib / "identity"))
        document = reports.document(meeting)
        try:
            if html is not None:
                html.write_text(page(document), encoding="utf-8")
            if pdf is not None:
                printed = reports.printed(meeting)
                pdf.write_bytes(printed.pdf)
                _beside(pdf).write_bytes(printed.signature)
                with store.session() as session:
                    audit.record(session, who(), "meeting.report", meeting.title, {"meeting": meeting.id})
        except (RuntimeError, OSError) as problem:
            fail(MISSING, f"{problem}")
    files = [str(each) for each in (html, pdf, _beside(pdf) if pdf else None) if each is not None]
    if as_json:
        emit({**document, "files": files})
        return 0
    for file in files:
        print(f"{file}: {Path(file).stat().st_size // 1024 + 1} KiB")
    if not files:
        _print(document)
    return 0


def verify_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The PDF; its signature is FILE.p7s.")],
    signature: Annotated[Path | None, typer.Option(help="The signature, where it is another file.")] = None,
    ca: Annotated[Path | None, typer.Option(help="The authority's certificate; default this county's.")] = None,
    as_json: _Json = False,
) -> int:
    """Prove that a report is as it was signed, by this county's authority; exit code 1 when it is not.

    example: sanwang meet verify-report meeting-7.pdf
    """
    from identity.sealing import SealBroken, verify

    secrets = None if ca is not None else Secrets(Places(current_instance()).lib / "identity")
    try:
        data, seal = file.read_bytes(), (signature or _beside(file)).read_bytes()
        trust = ca.read_text() if ca is not None else secrets.ca.certificate_pem if secrets is not None else ""
    except OSError as problem:
        fail(BAD, f"{problem.filename}: {problem.strerror}; expected the PDF and its signature")
    try:
        signed = verify(trust, data, seal)
        if secrets is not None and secrets.ca.revoked(signed.serial):
            raise SealBroken(f"the certificate {signed.serial} was revoked")
    except SealBroken as broken:
        if as_json:
            emit({"good": False, "why": str(broken)})
        print(f"sanwang meet: {file}: NOT as it was signed: {broken}", file=sys.stderr)
        return FAILED
    except OSError as problem:
        fail(MISSING, f"openssl: {problem.strerror}; next step: apt-get install openssl")
    if as_json:
        emit({"good": True, "signer": signed.name, "at": signed.at.timestamp(), "serial": signed.serial})
    else:
        print(f"{file}: good, signed by {signed.name} at {signed.at.astimezone():%Y-%m-%d %H:%M:%S}")
    return 0


COMMANDS: dict[str, Callable[..., Any]] = {"report": report, "verify-report": verify_report}


def _beside(file: Path) -> Path:
    from identity.sealing import SUFFIX

    return file.with_name(file.name + SUFFIX)


def _print(document: dict[str, Any]) -> None:
    meeting = document["meeting"]
    print(f"meeting {meeting['id']}  {meeting['title']}  {_local(document['began'])}-{_local(document['over'])}")
    print(f"venues {document['came']}/{document['booked']}  heads {document['heads']}")
    for venue in document["venues"]:
        quality = venue["quality"] or {}
        print(
            f"  {venue['hall']:<8} {venue['zh']}  heads {_known(venue['heads'])}"
            f"  {_local(venue['joined'])}-{_local(venue['left'])}  {venue['stayed_s'] // 60} min"
            f"  loss {_known(quality.get('up_lost_percent'))}/{_known(quality.get('down_lost_percent'))} %"
            f"  freezes {_known(quality.get('freezes'))}"
        )
    for fault in document["faults"]:
        print(f"  fault {fault['id']}  {_local(fault['opened'])}-{_local(fault['cleared'])}  {fault['en']}")
    print(f"  {len(document['actions'])} actions")


def _local(seconds: float | None) -> str:
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():%H:%M:%S}"


def _known(figure: float | None) -> str:
    """The figure, or a dash where nothing was measured."""
    return "-" if figure is None else str(figure)

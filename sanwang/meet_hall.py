"""``sanwang meet card``, ``unpair`` and ``lines``: the halls' own screens, and whether they are ready."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from inventory.model import Hall, NetworkModel
from provision.printing import print_pdf
from sanwang.meeting import BAD, MISSING, base, county, fail, opened, who
from sanwang.report import emit
from vconf import card as cards
from vconf import hall_devices, line_tests
from vconf.hall_door import duty

_Json = Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")]
_Hall = Annotated[str, typer.Argument(metavar="HALL", help="Code of the hall, t01.")]


def card(
    code: _Hall,
    html: Annotated[Path | None, typer.Option(help="Write the card as a page to print.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Print the card to this file (needs chromium).")] = None,
    as_json: _Json = False,
) -> None:
    """Make a pairing code for a hall's screen, good once and for a week, and the card to print.

    example: sanwang meet card t01 --pdf t01.pdf
    """
    model, places = county()
    hall = _hall(model, code)
    address = base(model, code)
    with opened(places) as store, store.session() as session:
        pairing = hall_devices.new_code(session, code, who(), datetime.now(UTC))
    called = duty(model)
    phone = called["phone"] if called else ""
    for paper in (html, pdf):
        if paper is not None:
            paper.touch(mode=0o600)  # whoever has the code can be the hall, once
    page = cards.html(hall, address, pairing, phone)
    if html is not None:
        html.write_text(page, encoding="utf-8")
    if pdf is not None:
        try:
            print_pdf(page, pdf)
        except RuntimeError as problem:
            pdf.unlink()
            fail(MISSING, f"--pdf: {problem}")
    if as_json:
        emit({"hall": code, "code": pairing, "page": f"{address}/hall/", "phone": phone})
    else:
        print(f"{hall.zh}: {address}/hall/\ncode {pairing[:5]} {pairing[5:]}, good once and for a week")


def unpair(
    code: _Hall,
    why: Annotated[str, typer.Option(help="For the audit.")] = "",
    as_json: _Json = False,
) -> None:
    """A screen was lost or exchanged: no browser is this hall's any more, and no card is good.

    example: sanwang meet unpair t01 --why 电视被盗
    """
    model, places = county()
    _hall(model, code)
    with opened(places) as store, store.session() as session:
        browsers = hall_devices.unpair(session, code, who(), why, datetime.now(UTC))
    if as_json:
        emit({"hall": code, "unpaired": browsers})
    else:
        print(f"{code}: {browsers} browsers unpaired")


def lines(as_json: _Json = False) -> None:
    """List every hall's screens and its last line test.

    example: sanwang meet lines
    """
    model, places = county()
    with opened(places) as store, store.reading() as session:
        tests = line_tests.latest(session, model.halls)
        screens = hall_devices.paired(session)
    if as_json:
        emit({"halls": {code: {"screens": screens.get(code, 0), "test": test} for code, test in tests.items()}})
        return
    for code, test in tests.items():
        print(f"{code:<8} screens {screens.get(code, 0)}  {_said(test)}")


def _said(test: dict[str, Any] | None) -> str:
    if test is None:
        return "never tested"
    at = datetime.fromtimestamp(test["at"]).astimezone()
    poor = "; ".join(f"{one['name']}: {one['en']}" for one in test["checks"] if not one["ok"])
    return f"{at:%Y-%m-%d %H:%M} {'ready' if test['ready'] else poor}"


def _hall(model: NetworkModel, code: str) -> Hall:
    if code not in model.halls:
        fail(BAD, f"hall: found {code!r}, expected one of: {', '.join(sorted(model.halls)[:12])} ...")
    return model.halls[code]


COMMANDS: dict[str, Callable[..., Any]] = {"card": card, "unpair": unpair, "lines": lines}

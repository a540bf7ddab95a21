"""What the commands of the desk share: the instance's county and store, who asks, and errors as exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

from collectors.desk.steps import Desk, DeskError, desk_of
from inventory.load import load_model
from inventory.places import Places, current_instance
from inventory.workdays import CHINA
from sanwang.audit import open_existing
from sanwang.report import BAD_INPUT, MISSING, guarded
from store.base import utc_now
from store.engine import Store

NO_DESK = (
    "the county's files have no section supervision; next step: copy supervision.yml and calendar.yml of the county "
    "xiao, then 'sanwang county check'"
)


def at_desk(command: str, work: Callable[[Store, Desk], int]) -> int:
    """Run ``work`` at the instance's desk; 2 for what cannot be, 3 where the county has no desk or store."""

    def action() -> int:
        folder = Places(current_instance()).lib / "county"
        try:
            model = load_model(folder.read_text(encoding="utf-8").strip())
        except OSError as problem:
            print(f"sanwang {command}: {folder}: {problem.strerror}; next step: sanwang up", file=sys.stderr)
            return MISSING
        desk = desk_of(model, utc_now)
        if desk is None:
            print(f"sanwang {command}: {NO_DESK}", file=sys.stderr)
            return MISSING
        store = open_existing(command)
        try:
            return work(store, desk)
        except DeskError as wrong:
            print(f"sanwang {command}: {wrong}", file=sys.stderr)
            return BAD_INPUT
        finally:
            store.close()

    return guarded(action)


def local(seconds: float | None) -> str:
    """UNIX seconds as local time, a dash for none."""
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone(CHINA):%m-%d %H:%M}"

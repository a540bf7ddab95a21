"""What the commands of meetings share: the instance's county and store, links, and how they tell and fail."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places, current_instance
from store.engine import Store, open_store
from vconf import links, meetings

BAD, MISSING = 2, 3


def county() -> tuple[NetworkModel, Places]:
    """The instance's county; exits with 2 when its files are wrong."""
    places = Places(current_instance())
    pointer = places.lib / "county"
    try:
        return load_model(Path(pointer.read_text().strip()) if pointer.exists() else "shili"), places
    except CountyErrors as errors:
        fail(BAD, str(errors))


@contextmanager
def opened(places: Places) -> Iterator[Store]:
    """Its store; exits with 3 when it cannot be opened."""
    try:
        store = open_store(places.database)
    except (OSError, SQLAlchemyError) as error:
        fail(MISSING, f"the store cannot be opened: {error}")
    try:
        yield store
    finally:
        store.close()


def found(store: Store, number: int) -> meetings.Meeting:
    """The meeting; exits with 2 when there is none."""
    with store.reading() as session:
        meeting = meetings.get(session, number)
    if meeting is None:
        fail(BAD, f"meeting {number}: not found; 'sanwang meet list --all' shows them")
    return meeting


def alive(meeting: meetings.Meeting) -> meetings.Meeting:
    """The meeting; exits with 2 when it is cancelled or over."""
    if (state := meeting.state(datetime.now(UTC))) in ("cancelled", "over"):
        fail(BAD, f"meeting {meeting.id} is {state}")
    return meeting


def token_key(places: Places) -> Tokens:
    """What signs the links."""
    return Tokens(Secrets(places.lib / "identity").resolve(links.KEY))


def base(model: NetworkModel, hall: str = "") -> str:
    """The pages' address, a hall's own where its site has a node; exits with 2 when the county has none."""
    try:
        return links.pages_address(model, hall)
    except LookupError as lack:
        fail(BAD, str(lack))


def who() -> str:
    """The login of who calls."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def fail(code: int, text: str) -> NoReturn:
    """One line of words, and the exit code."""
    print(f"sanwang meet: {text}", file=sys.stderr)
    raise typer.Exit(code)

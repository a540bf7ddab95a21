"""Two halls of the county in a booked meeting, each in a real browser inside its township's namespace."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drills.browser import Hall, Halls
from drills.lab import Lab
from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.model import Hall as Room
from inventory.model import NetworkModel
from inventory.relays import above
from store.engine import open_store
from vconf import links, meetings


def rooms(model: NetworkModel) -> tuple[Room, Room]:
    """Two halls with different first homes, away from the relay's centre where there are such."""
    centre = above(model, next(iter(model.halls.values()))).site
    away = sorted(model.halls.values(), key=lambda hall: (model.sites[hall.site].homes[0] == centre, hall.code))
    first = away[0]
    home = model.sites[first.site].homes[0]
    second = next((hall for hall in away[1:] if model.sites[hall.site].homes[0] != home), away[1])
    return first, second


@contextmanager
def booked_halls(
    lab: Lab, pair: tuple[Room, Room], *, title: str, who: str, probe: bool
) -> Iterator[tuple[list[Hall], Halls]]:
    """Book half an hour for the pair and open each hall's page; cancelled and closed when the block ends.

    ``probe`` counts decoded frames in the pages.  Yields the halls in the pair's order, and the browsers they live in.
    """
    secrets = Secrets(lab.places.lib / "identity")
    base = f"https://{lab.model.hosts[lab.model.nms].management}"
    store = open_store(lab.places.database)
    try:
        with store.session() as session:
            booked = meetings.book(
                session,
                title=title,
                start_at=datetime.now(UTC),
                duration=timedelta(minutes=30),
                halls=[room.code for room in pair],
                who=who,
                known_halls=lab.model.halls,
            )
        try:
            tokens = Tokens(secrets.resolve(links.KEY))
            urls = [links.link(tokens, base, booked, room.code, datetime.now(UTC)) for room in pair]
            with (
                tempfile.TemporaryDirectory(prefix="sanwang-halls-") as folder,
                Halls(Path(folder), secrets.resolve("ca")) as browsers,
            ):
                opened = [
                    browsers.open_hall(lab.twin.argv(room.host, []), url, name=room.code, probe=probe)
                    for room, url in zip(pair, urls, strict=True)
                ]
                yield opened, browsers
        finally:
            with store.session() as session:
                meetings.cancel(session, booked.id, who, f"{who} over")
    finally:
        store.close()

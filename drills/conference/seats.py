"""Who takes part in the drill's meeting, and where each is: halls of the county, and guests in the townships' halls."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from drills.errors import Missing
from drills.lab import Lab
from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory import relays
from store.engine import open_store
from twin.namespaces import in_namespace
from vconf import links, meetings
from vconf.load.way import Way

CONSOLE = "@drill"
"""The chair: a console beside the main venue, which no part of the drill cuts off."""

_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Seats:
    """A booked meeting; every code is in ``place``."""

    meeting: meetings.Meeting
    browsers: tuple[str, ...]  # halls with a real browser, the first one is the main venue
    load: tuple[str, ...]  # of the load tool: halls, then guests
    place: dict[str, str]  # participant -> host
    hall: dict[str, str]  # participant -> the hall that it sits in, itself or a guest's host
    site: dict[str, str]  # participant -> site

    @property
    def main(self) -> str:
        """The main venue."""
        return self.meeting.main

    @property
    def guests(self) -> tuple[str, ...]:
        """Who comes by a guest's link."""
        return tuple(code for code in self.load if code.startswith("g-"))

    @property
    def everybody(self) -> tuple[str, ...]:
        """All venues."""
        return self.browsers + self.load

    def at(self, site: str) -> tuple[str, ...]:
        """Venues of one site."""
        return tuple(code for code in self.everybody if self.site[code] == site)


@contextmanager
def booked(lab: Lab, halls: int, browsers: int) -> Iterator[Seats]:
    """Book a meeting of that many halls of the load tool and real browsers; cancelled when the block ends.

    A county has one booked hall a township: whoever is more than these comes as a guest, from the townships in turn.
    """
    model = lab.model
    if not model.halls:
        raise Missing(f"{model.name} has no halls", "write `hall:` at a township to run this drill")
    codes = _mixed(lab)
    real = tuple(codes[: min(browsers, max(1, len(codes)))])
    rest = codes[len(real) :][:halls]
    guests = [f"g-drill{number:02d}" for number in range(halls - len(rest))]
    around = sorted(model.halls)
    home = {code: code for code in codes} | {code: around[n % len(around)] for n, code in enumerate(guests)}
    store = open_store(lab.places.database)
    try:
        with store.session() as session:
            meeting = meetings.book(
                session,
                title="会议演练 Meeting drill",
                start_at=datetime.now(UTC),
                duration=timedelta(minutes=_MINUTES),
                halls=[*real, *rest],
                who="drill",
                known_halls=model.halls,
                main=real[0],
                chair=CONSOLE,
            )
            if guests:
                meeting = meetings.ask_guests(session, meeting.id, "drill", on=True)
        try:
            yield Seats(
                meeting,
                real,
                (*rest, *guests),
                {code: model.halls[at].host for code, at in home.items()} | {CONSOLE: model.halls[real[0]].host},
                home,
                {code: model.halls[at].site for code, at in home.items()},
            )
        finally:
            with store.session() as session:
                meetings.cancel(session, meeting.id, "drill", "drill over")
    finally:
        store.close()


def hall_link(lab: Lab, seats: Seats, code: str) -> str:
    """The link that a hall's browser opens."""
    return links.link(_tokens(lab), door(lab, seats, code), seats.meeting, code, datetime.now(UTC))


def door(lab: Lab, seats: Seats, code: str) -> str:
    """Where a participant's page comes from: its site's own node, or the county."""
    hall = lab.model.halls.get(seats.hall.get(code, ""))
    return (hall and relays.node_address(lab.model, hall)) or links.pages_address(lab.model)


def way(lab: Lab, seats: Seats) -> Way:
    """To the meeting, everybody from the own place."""
    tokens = _tokens(lab)

    def token(code: str) -> str:
        return links.join_token(tokens, _seat(seats, code))

    def place(code: str, make: Callable[[], None]) -> None:
        in_namespace(lab.namespace(seats.place[code]).name, make)

    trust = ssl.create_default_context(cadata=Secrets(lab.places.lib / "identity").ca.certificate_pem)
    return Way(lambda code: f"wss://{door(lab, seats, code).removeprefix('https://')}/meet/ws", token, trust, place)


def _seat(seats: Seats, code: str) -> links.Seat:
    if code == CONSOLE:
        return links.Seat(code[1:], seats.meeting.id, "chair")
    if code in seats.guests:
        return links.Seat(code, seats.meeting.id, "guest", code)
    return links.Seat(code, seats.meeting.id)


def _tokens(lab: Lab) -> Tokens:
    return Tokens(Secrets(lab.places.lib / "identity").resolve(links.KEY))


def _mixed(lab: Lab) -> list[str]:
    """Halls in an order in which neighbours have different first homes, away from the pages' centre first.

    The first one, the main venue, has no relay of its own if there is such a hall, the second one has.
    """
    model = lab.model
    centre = model.hosts[model.nms].site
    by_home: dict[str, list[str]] = {}
    for hall in sorted(model.halls.values(), key=lambda hall: hall.code):
        by_home.setdefault(model.sites[hall.site].homes[0], []).append(hall.code)
    homes = sorted(by_home, key=lambda home: (home == centre, home))
    mixed: list[str] = []
    while any(by_home.values()):
        mixed += [by_home[home].pop(0) for home in homes if by_home[home]]
    plain = [code for code in mixed if relays.node_of(model, model.halls[code]) is None]
    own = [code for code in mixed if code not in plain]
    return [*plain[:1], *own[:1], *plain[1:], *own[1:]]

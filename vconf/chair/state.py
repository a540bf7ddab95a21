"""What is true of a meeting that is going on: one frozen value, as JSON in the store and on the wire.

Times are UNIX seconds (UTC).  A participant is a venue ("t01", a guest "g-...") or a chair's console ("@li": a
browser that controls and watches without being a venue).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GRID_MOST = 9
"""Pictures that a grid made by itself holds."""

OPERATOR = "operator"
"""Somebody with a chair's token who is at no page: the command line, the API.  May what a chair may."""

Mode = Literal["fixed", "voice", "grid", "pip"]
Scope = Literal["all", "chair"]


@dataclass(frozen=True, slots=True)
class SignIn:
    """A venue's line on the sign-in sheet (签到)."""

    heads: int
    name: str  # who signed, may be ""
    at: float


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue (会场): booked, a guest, or a stream of a camera or an encoder (WHIP)."""

    id: str
    zh: str
    en: str
    kind: Literal["hall", "guest", "stream"] = "hall"
    present: bool = False  # connected, be it in the meeting or in the waiting room
    admitted: bool = False  # let in once; stays so until it is cut
    cut: bool = False
    muted: bool = False  # by the chair
    signed: SignIn | None = None
    since: float | None = None  # when it last came or went

    @property
    def there(self) -> bool:
        """In the meeting now."""
        return self.present and self.admitted


@dataclass(frozen=True, slots=True)
class Console:
    """A chair's page."""

    id: str
    name: str
    present: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """Polling (轮询): ``venue`` is shown until ``next_at``; "": nobody of the list is there."""

    scope: Scope
    venues: tuple[str, ...]
    interval_s: float
    venue: str
    next_at: float


@dataclass(frozen=True, slots=True)
class Display:
    """What is shown while nothing else is; ``venues`` () in a grid: the main venue and who else is there."""

    mode: Mode
    venues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Programme:
    """What everybody is shown: what an undo brings back."""

    roll: str = ""  # the venue that is called (点名)
    called: tuple[str, ...] = ()  # in this roll call, in order
    broadcast: str = ""  # the venue that is broadcast (广播会场)
    poll: Poll | None = None
    display: Display = Display("grid")


@dataclass(frozen=True, slots=True)
class Undo:
    """The programme before the last change of it."""

    action: str
    who: str
    at: float
    before: Programme


@dataclass(frozen=True, slots=True)
class Banner:
    """A line shown in every venue (字幕横幅), running or still."""

    text: str
    ticker: bool
    at: float


@dataclass(frozen=True, slots=True)
class Recording:
    """The chair wishes the meeting recorded; ``running``: it is, ``problem``: why it is not."""

    number: int  # 1 for the meeting's first
    by: str
    at: float
    running: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Hand:
    """A venue that asks for the floor (申请发言)."""

    venue: str
    at: float


@dataclass(frozen=True, slots=True)
class Conference:
    """The whole state; ``epoch`` counts signalling processes that took it up, ``number`` changes."""

    meeting: int
    main: str  # the main venue (主会场)
    owner: str  # whose chair it is by booking or by hand-over
    chair: str  # who holds it now: the owner, or who acts for an owner that is away; "": nobody
    starts_at: float
    ends_at: float
    epoch: int = 0
    number: int = 0
    ended: bool = False
    chair_away_at: float | None = None  # since when the holder is away
    co_chairs: tuple[str, ...] = ()  # venues, by appointment
    venues: Mapping[str, Venue] = field(default_factory=dict)
    consoles: Mapping[str, Console] = field(default_factory=dict)
    programme: Programme = Programme()
    programme_number: int = 0  # ``number`` when the programme last changed
    programme_at: float = 0.0  # since when it is so
    undo: Undo | None = None
    watching: Mapping[str, str] = field(default_factory=dict)  # selective view (选看): participant -> venue
    viewers: tuple[str, ...] = ()  # venues that may choose what they watch
    hands: tuple[Hand, ...] = ()  # in the order of asking
    floor: tuple[str, ...] = ()  # who was granted it
    floor_at: Mapping[str, float] = field(default_factory=dict)  # since when
    mute_all: bool = False  # who joins later is muted too
    slides: str = ""  # the venue whose second stream (双流) is shown
    banner: Banner | None = None
    recording: Recording | None = None
    recordings: int = 0  # begun so far
    locked: bool = False
    speaker: str = ""  # loudest venue, as the relay hears it
    deputies: tuple[str, ...] = ()  # this tier goes on without the one above: its halls, that may act for the chair

    def there(self, participant: str) -> bool:
        """In the meeting now, as a venue or as a console."""
        venue, console = self.venues.get(participant), self.consoles.get(participant)
        return (venue is not None and venue.there) or (console is not None and console.present)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Venues in the waiting room."""
        return tuple(v.id for v in self.venues.values() if v.present and not v.admitted)


def opened(
    *,
    meeting: int,
    venues: Mapping[str, tuple[str, str]],
    main: str,
    owner: str,
    starts_at: float,
    ends_at: float,
) -> Conference:
    """A meeting nobody is in yet.

    Args:
        meeting: Its number.
        venues: Booked halls: code -> name in Chinese and English.
        main: The main venue, one of them.
        owner: A venue of them, or a console "@login".
        starts_at: UNIX seconds.
        ends_at: UNIX seconds.
    """
    many = len(venues) > GRID_MOST
    return Conference(
        meeting=meeting,
        main=main,
        owner=owner,
        chair=owner,
        starts_at=starts_at,
        ends_at=ends_at,
        venues={code: Venue(code, zh, en) for code, (zh, en) in venues.items()},
        programme=Programme(display=Display("fixed", (main,)) if many else Display("grid")),
    )

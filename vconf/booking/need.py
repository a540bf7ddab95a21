"""What a meeting carries over each cable, from the ways of its halls.  Pure.

A hall sends its camera in up to three sizes and its voice; it gets the programme in full, small pictures of others,
the slides and the loudest voices.  Where a site has a relay of its own, its halls' streams go to the relay above, and
come from it, once each, however many halls of the site want them (decision 035).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inventory.model import Hall, NetworkModel
from inventory.relays import is_node
from vconf.chair.state import GRID_MOST

OVERHEAD = 1.1
"""RTP with its extensions, SRTP, UDP, IP, and the overlay's header, beside 1200 octets of payload; RTCP."""

LAYERS_BPS = (200_000, 600_000, 1_800_000)
"""A camera's sizes (web/shared/meet/media.ts)."""

SLIDES_BPS = 1_800_000
VOICE_BPS = 40_000
VOICES = 3
"""The loudest are sent on, no more (vconf/media/speakers.py)."""

FEW = 4
"""Up to so many halls a camera sends one size (``vconf.rooms.peers``)."""

Way = tuple[str, ...]
Direction = tuple[str, str]
"""A cable, and the host at the end that sends into it."""


@dataclass(frozen=True, slots=True)
class Both:
    """Bit/s from a hall, and to it."""

    up: int
    down: int


def hall_needs(halls: int, top: int = len(LAYERS_BPS) - 1) -> Both:
    """What one hall sends and gets at most in a meeting of so many; ``top``: the largest size that is used."""
    sizes = LAYERS_BPS[top : top + 1] if halls <= FEW else LAYERS_BPS[: top + 1]
    small = LAYERS_BPS[top] if halls <= FEW else LAYERS_BPS[0]
    others = max(0, min(halls - 2, GRID_MOST - 1))
    up = sum(sizes) + SLIDES_BPS + VOICE_BPS
    down = LAYERS_BPS[top] + small * others + SLIDES_BPS + VOICE_BPS * min(VOICES, max(1, halls - 1))
    return Both(round(up * OVERHEAD), round(down * OVERHEAD))


def demand(
    model: NetworkModel,
    ways: Mapping[str, Way | None],
    halls: Iterable[str],
    top: int = len(LAYERS_BPS) - 1,
) -> dict[Direction, int]:
    """Bit/s over each cable and direction.

    Args:
        model: The county.
        ways: Hall -> links to its relay, and on to the relay above (``ImpactMap.paths``); None: there is none.
        halls: Of the meeting.
        top: The largest camera size that is used.
    """
    there = [model.halls[code] for code in halls if code in model.halls and ways.get(code) is not None]
    needs, found = hall_needs(len(there), top), dict[Direction, int]()
    slides = round(SLIDES_BPS * OVERHEAD)
    showing: set[Direction] = set()  # one hall at a time shows slides
    nodes: dict[str, tuple[Way, list[Hall]]] = {}
    for hall in there:
        own, above = _split(model, hall, ways[hall.code] or ())
        for out, back in _walk(model, hall.host, own):
            found[out] = found.get(out, 0) + needs.up - slides
            showing.add(out)
            found[back] = found.get(back, 0) + needs.down
        if above:
            nodes.setdefault(hall.relay, (above, []))[1].append(hall)
    for relay, (way, own_halls) in nodes.items():
        out_bps, back_bps = _piped(len(own_halls), len(there), top)
        for out, back in _walk(model, relay, way):
            found[out] = found.get(out, 0) + out_bps - slides
            showing.add(out)
            found[back] = found.get(back, 0) + back_bps
    for out in showing:
        found[out] += slides
    return {direction: bps for direction, bps in found.items() if bps > 0}


def _piped(own: int, everybody: int, top: int) -> tuple[int, int]:
    """One copy of each stream between a site's relay and the one above: what goes out, what comes."""
    others = everybody - own
    if others <= 0:
        return 0, 0
    small = LAYERS_BPS[top] if everybody <= FEW else LAYERS_BPS[0]

    def of(senders: int) -> int:
        pictures = LAYERS_BPS[top] + small * max(0, min(senders, GRID_MOST) - 1)
        return round((pictures + SLIDES_BPS + VOICE_BPS * min(senders, VOICES)) * OVERHEAD)

    return of(own), of(others)


def _split(model: NetworkModel, hall: Hall, way: Way) -> tuple[Way, Way]:
    """A way up to its site's own relay, and from there on; () where it has none."""
    if not is_node(model, model.hosts[hall.relay]):
        return way, ()
    for place, (_, back) in enumerate(_walk(model, hall.host, way)):
        if back[1] == hall.relay:
            return way[: place + 1], way[place + 1 :]
    return way, ()


def _walk(model: NetworkModel, start: str, way: Way) -> Iterable[tuple[Direction, Direction]]:
    """Each cable of a way from a host: into it, and back."""
    here = start
    for name in way:
        ends = [end.host for end in model.links[name].ends]
        there = ends[1] if ends[0] == here else ends[0]
        yield (name, here), (name, there)
        here = there

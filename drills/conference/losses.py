"""What is lost while all are together: a relay, then a whole township; and how everybody is back without a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from drills.conference.judge import Judge, p95
from drills.conference.parts import Meeting, unix
from drills.conference.seats import CONSOLE
from drills.lab import Lab
from inventory import relays
from inventory.model import Host
from twin import faults
from twin.errors import TwinError
from vconf.load.hall import Hall

BACK_S, ALONE_S, MERGE_S = 20.0, 15.0, 20.0
"""How long each is waited for before it counts as never."""

GONE_S = 16.0
"""After this the county has taken a cut township's halls out, and nobody waits for anybody any more."""

_DARK_S = 0.5
_SERVICE = "/etc/sanwang/sv/relay"
Venues = Sequence[str]


def relays_to_kill(lab: Lab) -> list[Host]:
    """A township's relay, whose halls have another one to go to, where there is one; and a centre's with most halls."""
    model = lab.model
    serving = [hall.relay for hall in model.halls.values()]
    own = [host for host in relays.nodes(model) if host.name in serving][:1]
    centre = [relays.above(model, hall) for hall in model.halls.values()]
    return [*own, max(centre, key=lambda host: (sum(host is each for each in centre), host.name))]


def relays_killed(meeting: Meeting) -> dict[str, Any]:
    """One after the other; the slower one counts."""
    found = [_killed(meeting, relay) for relay in relays_to_kill(meeting.lab)]
    back = [each["back_s"] for each in found]
    return {"relays": found, "relay_killed_back_s": None if None in back else max(back)}


def _killed(meeting: Meeting, relay: Host) -> dict[str, Any]:
    """Kill it without a word; a township's stays dead, a centre's is started again by its supervisor.

    A hall is back when pictures that come over whatever relay serves it now have ended its last dark time.
    """
    lab = meeting.lab
    elsewhere = relays.is_node(lab.model, relay)
    mine = _served_by(meeting, relay)
    meeting.act("broadcast", venue=_seen_elsewhere(meeting, mine))
    time.sleep(2)
    since_s = time.monotonic()
    fault = None
    killed = lab.twin.run(relay.name, ["sv", "kill", _SERVICE])
    if killed.returncode:
        raise TwinError(f"{relay.name}: {killed.stdout}{killed.stderr}")
    try:
        if elsewhere:
            fault = faults.stop_daemon(lab.twin, relay.name, "relay")
        back = _back(meeting, mine, since_s)
        took = [at_s - since_s for at_s in back.values() if at_s]
        enough = len(took) >= 0.95 * len(mine)
        meeting.check(f"{relay.name} killed")
    finally:
        if fault is not None:
            faults.heal(lab.twin, fault)
    value = p95(took + [BACK_S] * (len(mine) - len(took)))
    meeting.tell(f"{relay.name} killed: {len(took)} of {len(mine)} halls are back, the 95th of 100 after {value:.1f} s")
    return {
        "relay": relay.name,
        "stays_dead": elsewhere,
        "halls": len(mine),
        "back_s": round(value, 2) if enough and value is not None else None,
    }


def _served_by(meeting: Meeting, relay: Host) -> list[str]:
    """Who gets its pictures from a relay now: the load's halls know, a browser's has its hall's own."""
    model, address = meeting.lab.model, str(relays.media(meeting.lab.model, relay)[0])
    load = meeting.halls.read(lambda hall: hall.relay == address)
    real = {code: model.halls[code].relay == relay.name for code in meeting.screens}
    return [code for code, mine in (real | load).items() if mine]


def _back(meeting: Meeting, codes: Venues, since_s: float) -> dict[str, float]:
    """When each got pictures again for good (monotonic); 0: not yet when the time was over."""
    end_s = since_s + BACK_S
    load = [code for code in codes if code in meeting.seats.load]

    def ended_s(hall: Hall) -> float:
        lives = time.monotonic() - hall.gaps.last_s < _DARK_S
        return hall.gaps.dark_until(since_s, _DARK_S) if lives else 0.0

    while True:
        time.sleep(0.5)
        now_s = time.monotonic()
        found = {code: _screen_back(meeting, code, since_s, now_s) for code in codes if code in meeting.screens}
        found |= meeting.halls.read(ended_s, load)
        if all(found.values()) or now_s > end_s:
            return found


def _screen_back(meeting: Meeting, code: str, since_s: float, now_s: float) -> float:
    gaps = meeting.screens[code].gaps(unix(since_s), unix(now_s))
    dark = [end for begin, end in gaps if end - begin >= _DARK_S]
    lives = gaps[-1][1] - gaps[-1][0] < _DARK_S
    return dark[-1] - unix(0.0) if dark and lives else 0.0


def _seen_elsewhere(meeting: Meeting, mine: Venues) -> str:
    """A venue to put on air that none of the lost ones depends on; the main venue where there is no other."""
    others = [code for code in meeting.seats.load if code not in mine]
    return others[0] if others else meeting.seats.load[0]


def township_to_cut(lab: Lab) -> str:
    """A site with a relay and a node of its own and a hall; "" when no township has one."""
    return next(
        (host.site for host in relays.nodes(lab.model) if any(h.site == host.site for h in lab.model.halls.values())),
        "",
    )


def township_cut(meeting: Meeting, site: str, settle: Callable[[], object]) -> dict[str, Any]:
    """Cut every line of a site: its halls go on alone, the others without them; heal: they are together again.

    Nothing is done but cutting and healing.
    """
    lab, seats, halls = meeting.lab, meeting.seats, meeting.halls
    inside = seats.at(site)
    outside = [code for code in seats.everybody if code not in inside]
    meeting.act("broadcast", venue=next(code for code in seats.load if code in outside))
    time.sleep(2)
    up = {site, *lab.model.sites[site].homes}
    lines = [
        link.name
        for link in lab.model.links.values()
        if len(ends := {lab.model.hosts[end.host].site for end in link.ends}) == 2 and site in ends and ends <= up
    ]
    meeting.tell(f"cutting {site} off: {', '.join(lines)}; {len(inside)} venues are there")
    apart = meeting.judge.alone(inside)
    since_s = time.monotonic()
    cut = [faults.cut(lab.twin, line) for line in lines]
    try:
        alone_s = _together(meeting, apart, inside, since_s, ALONE_S)
        meeting.tell(f"{site} alone after {_words(alone_s)}")
        time.sleep(max(0.0, GONE_S - (time.monotonic() - since_s)))
        meeting.check(f"{site} alone", apart, inside)
        meeting.judge.go(inside)
        meeting.check(f"county without {site}", codes=[*outside, CONSOLE])
        meeting.judge.come(inside)
        back_s = time.monotonic()
    finally:
        for fault in cut:
            faults.heal(lab.twin, fault)
    merge_s = _together(meeting, meeting.judge, inside, back_s, MERGE_S)
    meeting.tell(f"{site} is back after {_words(merge_s)}")
    settle()
    meeting.check(f"{site} merged")
    interruptions = halls.read(lambda hall: dict(hall.figures.interruptions), [c for c in inside if c in seats.load])
    return {
        "township": site,
        "township_venues": len(inside),
        "township_interruptions": interruptions,
        "alone_s": alone_s,
        "merge_s": merge_s,
    }


def _together(meeting: Meeting, judge: Judge, codes: Venues, since_s: float, within_s: float) -> float | None:
    """Seconds until all these are told what is right and get pictures that came since; None: not within the time."""
    while (now_s := time.monotonic()) < since_s + within_s:
        told = {code: each for code, each in meeting.told().items() if code in codes}
        if len(told) == len(codes) and not judge.differences(told) and _pictures(meeting, codes, since_s):
            return round(now_s - since_s, 2)
        time.sleep(0.05)
    return None


def _pictures(meeting: Meeting, codes: Venues, since_s: float) -> bool:
    """Everybody there sees what it is told to see, painted or decoded since."""
    load = [code for code in codes if code in meeting.seats.load]
    lit = meeting.halls.read(lambda hall: hall.inside and not hall.dark() and hall.gaps.last_s > since_s + 0.1, load)
    for code in codes:
        if code in meeting.screens:
            wanted = meeting.screens[code].told().get("you", {}).get("view", {}).get("show", [])
            frames = meeting.screens[code].look()
            lit[code] = bool(wanted) and any(
                f.venue == wanted[0] and f.at_s > unix(since_s) + 0.1 for f in frames[-30:]
            )
    return all(lit.values())


def _words(seconds: float | None) -> str:
    return "more than was waited" if seconds is None else f"{seconds:.1f} s"

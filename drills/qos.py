"""``sanwang drill qos``: the education network fills a township's uplink; a meeting on it must not lose a packet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drills.errors import Missing
from drills.flood import Flood, Stream, Talk
from drills.lab import Lab
from drills.policy import Place
from inventory.model import Link, LinkKind, NetworkModel
from provision.platforms.linux import shape
from twin import links

Progress = Callable[[str], None]
FLOODING_NETWORK = "edu"
OFFERED = 1.3  # of the line's rate, in each direction
FULL = 0.85  # of the shaped rate: the line counts as saturated
WATCH_S = 8.0
RAMP_S = 1.5
EF, AF41 = 46 << 2, 34 << 2  # as IP_TOS (RFC 4594)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it plays."""

    link: Link  # the township's preferred uplink
    hall: Place
    relay: Place
    port: int  # of the relay
    near: Place  # in the flooding network at the township's end, and at a centre
    far: Place


def stage(model: NetworkModel) -> Stage:
    """The first hall at a site on two centres that also has somebody in the flooding network."""
    for hall in model.halls.values():
        site = model.sites[hall.site]
        media = next((each for each in model.services.values() if each.kind == "media"), None)
        link = next(
            (
                each
                for each in model.links.values()
                if each.kind is LinkKind.ACCESS
                and {model.hosts[end.host].site for end in each.ends} == {site.code, *site.homes[:1]}
            ),
            None,
        )
        users = [each for each in model.endpoints if each.network == FLOODING_NETWORK]
        near = [each for each in users if each.site == site.code or model.sites[each.site].homes == (site.code,)]
        far = [each for each in users if model.sites[each.site].kind.value == "centre"]
        if not (site.dual_homed and media and link and near and far):
            continue
        ends = [Place(each.site, each.network, each.host, each.vrf, each.address) for each in (near[-1], far[-1])]
        relay = Place(media.backends[0].centre, media.network, media.backends[0].host, "", media.address)
        return Stage(link, Place(hall.site, "gov", hall.host, "", hall.address), relay, media.port, ends[0], ends[1])
    raise Missing(f"no hall's site on two centres has a user in {FLOODING_NETWORK}", "add one to run this drill")


def streams(port: int) -> list[Stream]:
    """A meeting of one hall: voice and picture both ways; and one that marks itself as voice on a port of its own."""
    return [
        Stream("voice up", 111, 160, 50, 0, port, down=False),
        Stream("picture up", 102, 1100, 150, 0, port, down=False),
        Stream("voice down", 111, 160, 50, EF, port, down=True),
        Stream("picture down", 102, 1100, 150, AF41, port, down=True),
        Stream("pretender up", 111, 1100, 150, EF, port + 1, down=False),
    ]


WANTED_MARKS = {"voice up": EF, "picture up": AF41, "voice down": EF, "picture down": AF41, "pretender up": 0}


def qos(lab: Lab, progress: Progress) -> dict[str, Any]:
    """Flood both ways, talk meanwhile, count; nothing of the county is changed."""
    where = stage(lab.model)
    shaped = _shaped_bps(lab, where)
    rate = where.link.rate_bps * OFFERED
    progress(f"{where.link.name}: {where.near} and {where.far} offer {rate / 1e6:.0f} Mbit/s each way")
    floods = [Flood(lab, where.near, where.far, rate), Flood(lab, where.far, where.near, rate)]
    talk = None
    try:
        time.sleep(RAMP_S)
        talk = Talk(lab, where.hall, where.relay, streams(where.port))
        before, began = links.bytes(lab.places, where.link), time.monotonic()
        time.sleep(WATCH_S)
        after, seconds = links.bytes(lab.places, where.link), time.monotonic() - began
        counted = [stream.sent for stream in talk.streams]
        time.sleep(0.5)
    finally:
        if talk is not None:
            talk.close()
        for flood in floods:
            flood.close()
    carried = [round((end - start) * 8 / seconds) for start, end in zip(before, after, strict=True)]
    rows: list[dict[str, Any]] = [
        {
            "stream": stream.name,
            "sent": count,
            "lost": stream.lost(count),
            "delay_p95_ms": _p95_ms(stream),
            "marks": sorted(stream.marks),
            "mark_wanted": WANTED_MARKS[stream.name],
        }
        for stream, count in zip(talk.streams, counted, strict=True)
    ]
    meeting = [row for row in rows if row["stream"] != "pretender up"]
    found = {
        "link": where.link.name,
        "rate_bps": where.link.rate_bps,
        "shaped_bps": shaped,
        "carried_bps": carried,
        "meeting_sent": sum(row["sent"] for row in meeting),
        "meeting_lost": sum(row["lost"] for row in meeting),
        "pretender_lost": rows[-1]["lost"],
        "delay_p95_ms": max(row["delay_p95_ms"] or 0.0 for row in meeting),
        "streams": rows,
    }
    progress(
        f"carried {carried[0] / 1e6:.0f} and {carried[1] / 1e6:.0f} Mbit/s; the meeting lost {found['meeting_lost']} of"
        f" {found['meeting_sent']}, the pretender {found['pretender_lost']} of {rows[-1]['sent']}"
    )
    return found


def _shaped_bps(lab: Lab, where: Stage) -> int:
    """The rate that the township's own port is shaped to, as its kernel says; Missing when it is not shaped."""
    end = next(end for end in where.link.ends if lab.model.hosts[end.host].site == where.hall.site)
    root = {"dev": end.port, "root": True, "kind": "htb", "handle": "1:"}
    said = lab.twin.run(end.host, ["tc", "class", "show", "dev", end.port]).stdout
    rate = int(shape.read([root], end.port, said)["rate_bps"])
    if not rate:
        raise Missing(f"{end.port} of {end.host} is not shaped", "run: sanwang playbook run backbone.yml")
    return rate


def _p95_ms(stream: Stream) -> float | None:
    delays = sorted(stream.arrived.values())
    return round(delays[int(0.95 * (len(delays) - 1))] * 1000, 1) if delays else None


def misses(found: dict[str, Any]) -> list[str]:
    """What went wrong, in words."""
    wrong = []
    if found["meeting_lost"]:
        wrong.append(f"the meeting lost {found['meeting_lost']} of {found['meeting_sent']} packets")
    for way, carried in zip(("up", "down"), found["carried_bps"], strict=True):
        if carried < FULL * found["shaped_bps"]:
            wrong.append(
                f"the line was not full ({way}): {carried / 1e6:.0f} of {found['shaped_bps'] / 1e6:.0f} Mbit/s"
            )
    if not found["pretender_lost"]:
        wrong.append("packets that marked themselves lost nothing: a mark was trusted that should not be")
    for row in found["streams"]:
        if row["marks"] not in ([row["mark_wanted"]], []):
            wrong.append(f"{row['stream']}: arrived with TOS {row['marks']}, expected {row['mark_wanted']}")
    return wrong

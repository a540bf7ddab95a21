"""``sanwang drill revoke``: a remote site's access taken away under running flows, and the site enrolled again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from drills import traveller
from drills.errors import Missing
from drills.flows import Flows
from drills.lab import Lab
from drills.policy import Place
from identity.secrets import Secrets
from inventory.model import NetworkModel, Tunnel
from provision import play

Progress = Callable[[str], None]
LIMIT_S = 5.0
WATCH_S = 3.0


def chosen(model: NetworkModel) -> list[Tunnel]:
    """The last site of each kind of tunnel, as long as another site remains that must not notice."""
    by_kind = {tunnel.kind: tunnel for tunnel in model.live_tunnels()}
    return list(by_kind.values()) if len(list(model.live_tunnels())) > 1 else []


def pair(model: NetworkModel, site: str) -> tuple[Place, Place]:
    """A remote site's user, and somebody on two centres in the same network."""
    mine = [each for each in model.endpoints if each.site == site and each.network != "mgmt"]
    inside = [each for each in model.endpoints if model.sites[each.site].dual_homed]
    for far in mine:
        for near in inside:
            if near.network == far.network:
                ends = [Place(each.site, each.network, each.host, each.vrf, each.address) for each in (far, near)]
                return ends[0], ends[1]
    raise Missing(f"{site} shares no network with a site on two centres", "add one to the county to run this drill")


def revoke(lab: Lab, progress: Progress) -> dict[str, Any]:
    """One site of each kind of tunnel, one after the other, each enrolled again before the next; then a person."""
    victims, login = chosen(lab.model), traveller.chosen(lab.model)
    if not victims and not login:
        raise Missing("the county has fewer than two remote sites, and no travellers", "add some to run this drill")
    rows = [_one(lab, tunnel, progress) for tunnel in victims]
    people = []
    if login:
        people.append(asyncio.run(traveller.travel(lab, login)))
        progress(f"{login} (a person's notebook): last packet after {people[0]['seconds']:.2f} s")
    return {
        "seconds": max(row["seconds"] for row in (*rows, *people)),
        "people": people,
        "others_lost": sum(row["others_lost"] for row in rows),
        "sites": rows,
        "enrolled_again": all(row["enrolled_again"] for row in rows),
    }


def _one(lab: Lab, tunnel: Tunnel, progress: Progress) -> dict[str, Any]:
    others = [each.site for each in lab.model.live_tunnels() if each.site != tunnel.site]
    flows = Flows(lab, [pair(lab.model, site) for site in (tunnel.site, *others)])
    try:
        if not flows.flowing(within_s=15):
            raise Missing("not every remote site's flow is answered", "look at: sanwang vpn list")
        mark = flows.mark()
        lab.broker().call("vpn_revoke", why="drill revoke", site=tunnel.site)
        returned = flows.mark()
        time.sleep(WATCH_S)
        seconds, *_ = flows.answered_for_s(mark)
        quiet = not flows.answered_since(returned)[0]
        lost = sum(flows.lost(mark)[1:])
    finally:
        flows.close()
    progress(f"{tunnel.site} ({tunnel.kind}): last packet after {seconds:.2f} s; the others lost {lost}")
    return {
        "site": tunnel.site,
        "kind": tunnel.kind,
        "seconds": round(seconds, 2),
        "stopped": quiet,
        "others_lost": lost,
        "enrolled_again": _enrol(lab, tunnel, progress),
    }


def _enrol(lab: Lab, tunnel: Tunnel, progress: Progress) -> bool:
    """A box from the factory in the old one's place, enrolled with new keys; True when its flow is answered again."""
    key = Secrets(lab.places.lib / "identity").ssh_public("ssh/bootstrap")
    lab.twin.factory_reset(tunnel.host, key)
    lab.broker().call("vpn_restore", why="drill revoke is over", site=tunnel.site)
    result = play.run("site.yml", places=lab.places, limit=tunnel.host)
    for failure in result.failures:
        progress(failure)
    flows = Flows(lab, [pair(lab.model, tunnel.site)])
    try:
        back = result.good and flows.flowing(within_s=20)
    finally:
        flows.close()
    progress(f"{tunnel.site} is {'connected again' if back else 'not connected'} after {result.seconds:.0f} s")
    return back


def misses(found: dict[str, Any]) -> list[str]:
    """What went over its limit, in words."""
    over = [
        f"{row['site']}: its packets went on for {row['seconds']} s, limit {LIMIT_S:.0f} s"
        for row in found["sites"]
        if row["seconds"] > LIMIT_S or not row["stopped"]
    ]
    for row in found["people"]:
        if row["seconds"] > LIMIT_S or not row["stopped"]:
            over.append(f"{row['site']}: its packets went on for {row['seconds']} s, limit {LIMIT_S:.0f} s")
        if not row["reached"] or not row["denied"]:
            over.append(f"{row['site']}: did not reach its service, or reached what is not its own")
    if found["others_lost"]:
        over.append(f"other remote sites lost {found['others_lost']} packets")
    return over + [f"{row['site']} did not come back" for row in found["sites"] if not row["enrolled_again"]]

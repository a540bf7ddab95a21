"""What the chair's page shows of each venue beside the conference: its quality, and what faults of the network mean.

Pure: what the relay measured and what the operations pages have seen are arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from inventory.model import NetworkModel
from vconf.rooms.peers import Room

Document = dict[str, Any]


def quality(measured: Mapping[str, Document], room: Room | None) -> dict[str, Document]:
    """The relay's figures (method ``peerQuality``) by venue, with what its page counted of frozen pictures.

    ``{venue: {up_lost_percent, ..., silent, freezes, freeze_ms}}``; the last two None where no page counts.
    """
    if room is None:
        return {}
    return {
        peer.code: {
            **measured[peer.id],
            "silent": peer.silent,
            "freezes": peer.report.get("freezes"),
            "freeze_ms": peer.report.get("freezeMs"),
        }
        for peer in room.peers.values()
        if peer.listed and peer.id in measured
    }


def faults(seen: Mapping[str, Any], model: NetworkModel, venues: Collection[str]) -> Document:
    """Faults of now, and which venues of the meeting they concern.

    Args:
        seen: The live document (``dashboards.live``): its ``impact`` and ``sources``.
        model: The county.
        venues: Codes.

    Returns:
        ``{"faults": [{kind, name, zh, en, venues}], "venues": {code: {state, by}}, "silent": str}``: ``state`` as
        ``inventory.impact.HallState``, ``by`` names of faults on the way that the venue had; ``silent`` says why
        nothing is known, "" when it is.
    """
    impact = seen.get("impact", {})
    lines = {cause["name"]: _lines(cause, model) for cause in impact.get("causes", ())}
    concerned = {}
    for hall in impact.get("halls", ()):
        code = hall["hall"]
        if code in venues:
            way = set(hall["before"])
            # on its way, or, when only its second way is gone, at its own site
            by = [name for name, found in lines.items() if found & way] or [
                name for name, found in lines.items() if any(_touches(model, one, code) for one in found)
            ]
            concerned[code] = {"state": str(hall["state"]), "by": by}
    told = seen.get("sources", {}).get("collector", "")
    return {
        "faults": [
            {
                "kind": cause["kind"],
                "name": cause["name"],
                **_names(cause, model),
                "venues": [code for code, found in concerned.items() if cause["name"] in found["by"]],
            }
            for cause in impact.get("causes", ())
        ],
        "venues": concerned,
        "silent": "" if told == "ok" else told,
    }


def _lines(cause: Mapping[str, Any], model: NetworkModel) -> set[str]:
    if cause["kind"] == "link":
        return {cause["name"]}
    hosts = [model.hosts[cause["name"]]] if cause["kind"] == "host" else model.site_hosts(cause["name"])
    return {port.link for host in hosts for port in host.ports} | set(cause["links"])


def _touches(model: NetworkModel, line: str, hall: str) -> bool:
    link, found = model.links.get(line), model.halls.get(hall)
    return link is not None and found is not None and found.site in {model.hosts[end.host].site for end in link.ends}


def _names(cause: Mapping[str, Any], model: NetworkModel) -> dict[str, str]:
    if cause["kind"] == "link":
        link = model.links[cause["name"]]
        sites = list(dict.fromkeys(model.hosts[end.host].site for end in link.ends))
    else:
        sites = [cause["site"]]
    return {
        "zh": "—".join(model.sites[site].zh for site in sites),
        "en": " — ".join(model.sites[site].en for site in sites),
    }

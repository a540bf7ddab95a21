"""The county as the map draws it: names, places, links and who hangs on whom. It changes only with the model."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from inventory.model import Link, NetworkModel

Document = dict[str, Any]


def county_document(model: NetworkModel) -> Document:
    """The map's data as JSON types. Rates in bit/s, lengths and places in kilometres."""
    tunnels = {tunnel.site: tunnel.kind for tunnel in model.tunnels.values()}
    return {
        "name": model.name,
        "zh": model.zh,
        "en": model.en,
        "networks": [
            {"name": net.name, "zh": net.zh, "en": net.en, "kind": net.kind} for net in model.networks.values()
        ],
        "sites": [
            {
                "code": site.code,
                "kind": site.kind.value,
                "zh": site.zh,
                "en": site.en,
                "homes": site.homes,
                "networks": site.networks,
                "organisations": [{"zh": zh, "en": en} for zh, en in site.organisations],
                "x": site.x,
                "y": site.y,
                "tunnel": tunnels.get(site.code, ""),
            }
            for site in model.sites.values()
        ],
        "links": [_link(model, link) for link in model.links.values()],
        "hosts": [
            {"name": host.name, "site": host.site, "role": host.role.value, "appliance": host.appliance}
            for host in model.hosts.values()
        ],
        "halls": [
            {"code": hall.code, "site": hall.site, "zh": hall.zh, "en": hall.en, "seats": hall.seats}
            for hall in model.halls.values()
        ],
        "services": [
            {"name": service.name, "zh": service.zh, "en": service.en, "network": service.network}
            for service in model.services.values()
        ],
        "ducts": [{"name": duct.name, "zh": duct.zh, "en": duct.en} for duct in model.ducts.values()],
    }


def _link(model: NetworkModel, link: Link) -> Document:
    return {
        "name": link.name,
        "kind": link.kind.value,
        "a": {"host": link.a.host, "port": link.a.port, "site": model.hosts[link.a.host].site},
        "b": {"host": link.b.host, "port": link.b.port, "site": model.hosts[link.b.host].site},
        "rate_bps": link.rate_bps,
        "length_km": link.length_km,
        "ducts": link.ducts,
    }


def encoded(document: Document) -> tuple[bytes, str]:
    """The document as JSON bytes and its strong ETag (RFC 9110 section 8.8.3)."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'

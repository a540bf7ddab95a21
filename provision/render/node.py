"""A site's node: what it must know of its halls and the county to go on alone (docs/protocol.md says what it does)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from identity.ca import dns_name
from inventory import relays
from inventory.model import Host, NetworkModel
from provision.environment import Environment
from provision.render.files import ConfigFile

NODE_FILE = "/etc/sanwang/node.json"
TOKEN_FILE = "/etc/sanwang/token-meet.pub"
LIB = "/var/lib/sanwang-node"


def node_files(model: NetworkModel, host: Host, environment: Environment) -> Iterator[ConfigFile]:
    """Its configuration, and the public half of the key that links and join tokens are signed with."""
    text = json.dumps(document(model, host, environment), indent=1, ensure_ascii=False) + "\n"
    yield ConfigFile(NODE_FILE, "0644", text, "relay")
    yield ConfigFile(TOKEN_FILE, "0644", "@secret:token-pub/meet@\n", "relay")


def document(model: NetworkModel, host: Host, environment: Environment) -> dict[str, Any]:
    """The node's configuration as JSON types."""
    return {
        "name": host.site,
        "listen": f"{relays.network_address(model, host, 'gov')}:{relays.NODE_PORT}",
        "parent": model.name,
        "county": [
            {"name": dns_name(each.name), "address": f"{each.management}:{relays.DOOR_PORT}"}
            for each in relays.managers(model)
        ],
        "county_names": {"zh": model.zh, "en": model.en},
        "also": [f"https://{each.address}" for each in model.services.values() if each.kind == "meet"],
        "relay": {"name": host.name, "control": f"{host.management}:{relays.CONTROL_PORT}"},
        "bus": {"server": f"tls://127.0.0.1:{relays.BUS_PORT}", "name": dns_name(host.name)},
        "halls": {
            hall.code: {"zh": hall.zh, "en": hall.en} for hall in model.halls.values() if hall.relay == host.name
        },
        "duty": _duty(model),
        "certificate": "/etc/sanwang/tls/host.crt",
        "key": "/etc/sanwang/tls/host.key",
        "ca": "/etc/sanwang/tls/ca.crt",
        "token_key": TOKEN_FILE,
        "pages": environment.pages,
        "lib": LIB,
    }


def _duty(model: NetworkModel) -> dict[str, str] | None:
    """Whom a hall calls: the contact of the house that the management host stands in; None: nobody is named."""
    contact = model.supervision.contacts.get(model.hosts[model.nms].site) if model.supervision else None
    return {"zh": contact.name, "en": contact.name, "phone": contact.phone} if contact else None

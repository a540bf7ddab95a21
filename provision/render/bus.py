"""The bus between tiers: nats-server's configuration on the management host and on every box that runs a node.

Each node's site is an account of its own, which hears what its county tells it (``tier.<county>.<site>.>``) and may ask
on one subject (``up.<county>.<site>``): no township can speak for the county or for another, or hear another's
meetings.  Who is who, the certificates say: a user is the DNS name in one.  A silent line is noticed within seconds,
for a meeting waits for it.  Files are named as seen from the folder with the host's own certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory import relays
from inventory.model import Host, NetworkModel

DOMAIN = "sanwang.internal"
MOST_BYTES = 1 << 20

_TLS = 'cert_file: "host.crt", key_file: "host.key", ca_file: "ca.crt", timeout: 3'


def hub_config(model: NetworkModel, host: Host) -> str:
    """For a management host."""
    return hub(
        host.name,
        model.name,
        users=[each.name for each in relays.managers(model)],
        children={each.site: each.name for each in relays.nodes(model)},
        leafs=f"{host.management}:{relays.LEAF_PORT}",
    )


def leaf_config(model: NetworkModel, host: Host) -> str:
    """For the box of a node: it joins the bus at the management host that acts, or at the one that stands by."""
    hubs = [f"{each.management}:{relays.LEAF_PORT}" for each in relays.managers(model)]
    return leaf(host.name, host.site, hubs)


def hub(
    name: str,
    county: str,
    *,
    users: Iterable[str],
    children: Mapping[str, str],
    leafs: str,
    clients: str = f"127.0.0.1:{relays.BUS_PORT}",
) -> str:
    """The text.

    Args:
        name: Of the host.
        county: The tier's name on the bus.
        users: Hosts whose processes are the county.
        children: Site -> the host of its node.
        leafs: Where leaves join, "address:port".
        clients: Where this host's own processes connect.
    """
    sites = sorted(children)
    exports = "".join(
        f'\n      {{ stream: "tier.{county}.{site}.>", accounts: ["{site}"] }}'
        f'\n      {{ service: "up.{county}.{site}", accounts: ["{site}"] }}'
        for site in sites
    )
    accounts = "".join(
        f'\n  "{site}" {{ imports: [\n'
        f'    {{ stream: {{ account: "{county}", subject: "tier.{county}.{site}.>" }} }}\n'
        f'    {{ service: {{ account: "{county}", subject: "up.{county}.{site}" }} }}\n  ] }}'
        for site in sites
    )
    leaves = "".join(f'\n    {{ user: "{children[site]}.{DOMAIN}", account: "{site}" }}' for site in sites)
    return f"""{_head(name, clients)}
tls {{ {_TLS}, verify_and_map: true }}
leafnodes {{
  listen: "{leafs}"
  tls {{ {_TLS}, verify_and_map: true }}
  authorization {{ users: [{leaves}
  ] }}
}}
accounts {{
  "{county}" {{
    users: [{_users(users)}]
    exports: [{exports}
    ]
  }}{accounts}
}}
"""


def leaf(name: str, site: str, hubs: Iterable[str], clients: str = f"127.0.0.1:{relays.BUS_PORT}") -> str:
    """The text of a leaf; ``hubs``: "address:port" of each that may be there, tried side by side."""
    remotes = "".join(f'\n    {{ urls: ["tls://{each}"], account: "{site}", tls {{ {_TLS} }} }}' for each in hubs)
    return f"""{_head(name, clients)}
tls {{ {_TLS}, verify_and_map: true }}
accounts {{ "{site}" {{ users: [{_users([name])}] }} }}
leafnodes {{
  reconnect: 1
  remotes: [{remotes}
  ]
}}
"""


def _head(name: str, clients: str) -> str:
    return f"""server_name: "{name}"
listen: "{clients}"
logtime: true
ping_interval: "1s"
ping_max: 2
write_deadline: "2s"
max_payload: {MOST_BYTES}
max_connections: 64"""


def _users(hosts: Iterable[str]) -> str:
    return ", ".join(f'{{ user: "{host}.{DOMAIN}" }}' for host in hosts)

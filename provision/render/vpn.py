"""WireGuard and strongSwan: the gateway's peers, and each small site's way to the gateway."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from inventory.guests import Guest
from inventory.model import Host, NetworkModel, Role, Tunnel
from provision.render.files import ConfigFile, fill

KEEPALIVE_S = 25
WIREGUARD_PORT = 51820
CHARON_RULE = 40000  # priority of charon's routing rule: after the main table's 32766


def vpn_files(model: NetworkModel, host: Host) -> Iterator[ConfigFile]:
    """Files of the VPN on a gateway or on a small site's box."""
    mine = [each for each in model.tunnels.values() if host.name in (each.host, each.gateway)]
    wireguard = [each for each in mine if each.kind == "wireguard"]
    ipsec = [each for each in mine if each.kind == "ipsec"]
    travelling = [each for each in model.guests.values() if each.kind == "wireguard" and host.name == model.vpn]
    if wireguard or (model.travellers and host.name == model.vpn):
        text = _wireguard(host, wireguard, travelling, model.revoked)
        yield ConfigFile("/etc/wireguard/wg0.conf", "0600", text, "wireguard")
    guests = [each for each in model.guests.values() if each.kind == "ipsec" and host.name == model.vpn]
    if ipsec or guests:
        yield from _ipsec(model, host, ipsec, guests)


def _wireguard(host: Host, tunnels: list[Tunnel], travelling: list[Guest], revoked: Collection[str]) -> str:
    peers: list[dict[str, object]] = []
    for tunnel in tunnels:
        if tunnel.gateway == host.name and tunnel.site in revoked:
            continue
        if tunnel.gateway == host.name:
            peers.append({"name": tunnel.host, "allowed": tunnel.inner, "endpoint": ""})
        else:
            endpoint = f"{tunnel.gateway_outer}:{tunnel.port}"
            peers.append({"name": tunnel.gateway, "allowed": tunnel.remote, "endpoint": endpoint})
    for peer in peers:
        peer["key"] = f"@secret:wg-pub/{peer['name']}@"
    peers += [{"name": each.name, "key": each.key, "allowed": each.prefixes, "endpoint": ""} for each in travelling]
    # A box has a port of its own too: without one, every `wg syncconf` moves it to another, and the gateway goes on
    # sending to the old one until the next keepalive.
    return fill("wg.conf.j2", host=host, peers=peers, listen=WIREGUARD_PORT, keepalive=KEEPALIVE_S)


def _ipsec(model: NetworkModel, host: Host, tunnels: list[Tunnel], guests: list[Guest]) -> Iterator[ConfigFile]:
    gateway = host.role is Role.VPN
    known = [each for each in tunnels if not gateway or each.site not in model.revoked]
    # A selector must hold an address of the gateway's own: userspace IPsec makes a route of it. So it is the network.
    common = {"host": host, "gateway": gateway, "networks": model.networks}
    text = fill("swanctl.conf.j2", tunnels=known, guests=guests, **common)
    for guest in guests:
        if guest.authority:
            yield ConfigFile(f"/etc/swanctl/x509ca/{guest.name}.pem", "0644", guest.authority, "ipsec")
    yield ConfigFile("/etc/swanctl/conf.d/county.conf", "0600", text, "ipsec")
    yield ConfigFile(f"/etc/swanctl/x509/{host.name}.pem", "0644", f"@secret:cert/{host.name}@\n", "ipsec")
    yield ConfigFile(f"/etc/swanctl/private/{host.name}.pem", "0600", f"@secret:key/{host.name}@\n", "ipsec")
    yield ConfigFile("/etc/swanctl/x509ca/county.pem", "0644", "@secret:ca@\n", "ipsec")
    yield ConfigFile("/etc/swanctl/x509crl/county.pem", "0644", "@secret:crl@\n", "ipsec")
    yield ConfigFile(
        "/etc/strongswan.d/county.conf", "0644", fill("strongswan.conf.j2", host=host, rule=CHARON_RULE), "ipsec"
    )
    text = "kernel-libipsec {\n    load = yes\n    allow_peer_ts = yes\n}\n"
    yield ConfigFile("/etc/strongswan.d/charon/kernel-libipsec.conf", "0644", text, "ipsec")

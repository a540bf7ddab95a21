"""Access switches: a vendor's switch between a site's router and its users, one patch cable per network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory import plan
from inventory.errors import Report
from inventory.expand.cable import Cable, End, Seat, cable
from inventory.expand.fibres import router_name
from inventory.expand.written import written_sites
from inventory.hardware import FIRST_CLOSED, last_closed, network_ports, vlan
from inventory.model import Bridge, LinkKind, Network, Role, Site, StaticRoute, Vrf
from inventory.schema import AccessIntent, Intent

PATCH_BPS = 10**9


def check_switches(
    intent: Intent, networks: Mapping[str, Network], sites: Mapping[str, Site], report: Report
) -> dict[str, str]:
    """Platform of each site's access switch, by the site's code; every network there must have its ports."""
    platforms: dict[str, str] = {}
    for written in written_sites(intent):
        if not isinstance(written.intent, AccessIntent) or written.intent.switch is None:
            continue
        platform = platforms[written.code] = written.intent.switch
        for name in sites[written.code].networks:
            try:
                network_ports(networks[name], platform)
            except ValueError:
                report.error(
                    (*written.key, "switch"),
                    f"{platform} at a member of {name} (number {networks[name].number})",
                    f"closed groups numbered {FIRST_CLOSED} to {last_closed(platform)}: the others have no port there",
                    f"take {written.code} out of networks.{name}.members, or remove `switch:`",
                )
    return platforms


def switch_name(site: str) -> str:
    """Name of a site's access switch."""
    return f"{site}-sw"


def users_name(site: str) -> str:
    """Name of the computer that stands for the users of a site with an access switch."""
    return f"{site}-pc"


def users_networks(site: Site, hall: bool) -> tuple[str, ...]:
    """Networks in which that computer has a leg; in gov a hall's computer stands for the users."""
    return tuple(name for name in site.networks if name != "mgmt" and not (hall and name == "gov"))


def switch_seats(site: Site, platform: str, hall: bool) -> Iterator[Seat]:
    """The switch, and its users' computer where it has a network left."""
    yield Seat(switch_name(site.code), site.code, Role.SWITCH, plan.SLOT_SWITCH, site.networks, platform)
    if networks := users_networks(site, hall):
        yield Seat(users_name(site.code), site.code, Role.LEAF, plan.SLOT_USER, networks)


def switch_cables(site: Site, platform: str, hall: bool, networks: Mapping[str, Network]) -> Iterator[Cable]:
    """An uplink per network, a cable per leg of the users' computer, and the hall's computer."""
    for name in site.networks:
        network = networks[name]
        yield cable(
            f"{switch_name(site.code)}-{name}",
            plan.switch_uplink_number(site.number, network.number),
            LinkKind.LAN,
            End(router_name(site), vrf=name, bridge=f"lan-{name}"),
            _port(site, network, network_ports(network, platform).uplink),
            rate_bps=PATCH_BPS,
        )
    for name in users_networks(site, hall):
        network = networks[name]
        yield cable(
            f"{users_name(site.code)}-{name}",
            plan.switch_user_number(site.number, network.number),
            LinkKind.LAN,
            user_port(site, platform, network),
            End(users_name(site.code), address=plan.site_address(network, site.number, plan.SLOT_USER)),
            rate_bps=PATCH_BPS,
        )


def user_port(site: Site, platform: str, network: Network) -> End:
    """The switch's first user port in a network: where its users' computer, or the hall's, is plugged in."""
    return _port(site, network, network_ports(network, platform).users[0])


def _port(site: Site, network: Network, label: str) -> End:
    return End(switch_name(site.code), bridge=f"vlan{vlan(network)}", label=label)


def switch_vrf(site: Site, mgmt: Network) -> Vrf:
    """The switch forwards nothing itself: an address in mgmt's VLAN and the way to the controller."""
    return Vrf(
        "",
        bridges=(Bridge(f"vlan{vlan(mgmt)}", plan.site_address(mgmt, site.number, plan.SLOT_SWITCH)),),
        routes=(StaticRoute(plan.DEFAULT, plan.site_address(mgmt, site.number, plan.SLOT_ROUTER).ip),),
    )

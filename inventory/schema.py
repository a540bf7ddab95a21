"""The county as engineers write it: one immutable pydantic tree, nothing unknown allowed.

Each top-level key is a section and may stand in any file of the county's folder.  The schema checks the
shape of single values; whatever needs two values to be compared is checked by ``inventory.expand``.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from inventory.alerting_schema import URL, AlertingIntent
from inventory.hardware import Platform
from inventory.people import Duty
from inventory.sign_on_schema import SignOnIntent
from inventory.supervision_schema import CalendarIntent, SupervisionIntent
from inventory.turn_schema import TurnIntent
from inventory.written import Code, Name, Named, Text, Written

RATE = r"^[1-9][0-9]{0,3}[MG]$"
KEY = r"^([A-Za-z0-9+/]{43}=)?$"
WIREGUARD_KEY = r"^[A-Za-z0-9+/]{43}=$"
IDENTITY = r"^[A-Za-z0-9][A-Za-z0-9.@-]{0,63}$"
PEM = r"^(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?)?$"

Rate = Annotated[str, StringConstraints(pattern=RATE)]
SiteNumber = Annotated[int, Field(ge=1, le=2047, strict=True)]
Box = Literal["firewall", "vpn", "server", "relay", "nms", "standby", "headend"]


def _written_as_text(value: object) -> object:
    """YAML reads `5000` as a number and `false` as a switch; ipaddress would take either for an address."""
    if not isinstance(value, str):
        raise ValueError("text such as 192.0.2.1 or 192.0.2.0/24")
    return value


Address = Annotated[IPv4Address, BeforeValidator(_written_as_text)]
Prefix = Annotated[IPv4Network, BeforeValidator(_written_as_text)]


def _several(value: object) -> object:
    """One selector may be written without brackets."""
    return (value,) if isinstance(value, str) else value


class CountyIntent(Named):
    """The county itself."""

    name: Code


class NetworkIntent(Named):
    """One of the networks; a closed group (专网) lists its members."""

    number: Annotated[int, Field(ge=1, le=31, strict=True)]
    kind: Literal["public", "mgmt", "closed"] = "public"
    members: tuple[Code, ...] = ()


class SiteIntent(Named):
    """A place with a number of its own."""

    number: SiteNumber
    at: tuple[float, float] = (0.0, 0.0)  # kilometres east and north of the information centre


class CentreIntent(SiteIntent):
    """A centre on the ring and the boxes that stand there beside its router."""

    boxes: tuple[Box, ...] = ()


class AccessIntent(SiteIntent):
    """A township, body or building with a router of its own."""

    homes: Annotated[tuple[Code, ...], Field(min_length=1, max_length=2)]
    networks: tuple[Code, ...] | None = None  # None: as usual for its kind
    organisations: tuple[Named, ...] = ()
    boxes: tuple[Literal["relay"], ...] = ()  # a media relay of its own, which serves the site's halls
    switch: Platform | None = None  # the vendor's access switch that its users hang on; None: they are on the router


class SmallIntent(SiteIntent):
    """A school or clinic on one fibre of its township's or centre's router."""

    home: Code
    km: Annotated[float, Field(ge=0, le=120)] = 1.0
    ducts: tuple[Code, ...] = ()


class RemoteIntent(SiteIntent):
    """A village, unit or partner that reaches the county through the VPN gateway."""

    home: Code  # the carrier, or the centre with the cable head-end
    networks: tuple[Code, ...] = ("gov",)


class ThirdPartyIntent(SiteIntent):
    """Another agency's IPsec gateway: theirs to configure; we agree on identities, a secret or their root, prefixes."""

    home: Code  # the carrier that it calls by
    address: Address | None = None  # where it calls from; None: its end of the carrier's line
    identity: Annotated[str, StringConstraints(pattern=IDENTITY)]  # what it calls itself in IKE
    authority: Annotated[str, StringConstraints(pattern=PEM)] = ""  # its root certificate; "": a secret shared with us
    prefixes: Annotated[tuple[Prefix, ...], Field(min_length=1)]  # its own, behind the tunnel
    network: Code = "gov"  # the one that it visits
    reaches: Annotated[tuple[Name, ...], Field(min_length=1)]  # services of that network, and nothing else


class CarrierIntent(SiteIntent):
    """A carrier with a line to the shared Internet exit."""

    metric: Annotated[int, Field(ge=1, le=255)]  # lower is preferred
    rate: Rate = "1G"
    probe: Address | None = None  # something beyond this carrier that answers ping; None: its end of the line


class InternetIntent(Written):
    """The Internet as the county sees it."""

    prefix: Prefix
    answers: Address  # an address there that answers web requests


class UplinkIntent(SiteIntent):
    """The line up to the city or the province."""

    zone: Literal["city", "province"]
    prefix: Prefix
    answers: Address
    rate: Rate = "1G"


class DuctIntent(Named):
    """A shared trench."""


class FibreIntent(Written):
    """A ring fibre (centre to centre) or an access fibre (site to centre)."""

    number: Annotated[int, Field(ge=1, le=2047, strict=True)]
    ends: tuple[Code, Code]
    km: Annotated[float, Field(ge=0, le=120)]
    ducts: tuple[Code, ...] = ()
    rate: Rate | None = None  # None: 1G on the ring, 100M on access


class ServiceIntent(Named):
    """A hosted system."""

    number: Annotated[int, Field(ge=1, le=99, strict=True)]
    network: Code
    port: Annotated[int, Field(ge=1, le=65535)]
    backends: Annotated[tuple[Code, ...], Field(min_length=1, max_length=3)]  # centres, first is preferred
    protocol: Literal["tcp", "udp"] = "tcp"
    traffic_class: Literal["control", "voice", "video", "training", "data"] = "data"
    kind: Literal["web", "meet", "media", "watch"] = "web"


class RuleIntent(Written):
    """Who may reach what across networks; everything else is denied."""

    name: Name
    source: Annotated[tuple[Text, ...], BeforeValidator(_several), Field(alias="from", min_length=1)]
    target: Annotated[tuple[Text, ...], BeforeValidator(_several), Field(alias="to", min_length=1)]
    why: Text


class HallIntent(Named):
    """A meeting room."""

    site: Code
    seats: Annotated[int, Field(ge=1, le=5000)]
    devices: tuple[Name, ...] = ("camera", "microphone", "screen")
    relay: Code | None = None  # the centre whose relay serves it, or takes over where the site has its own; None: the
    # county's first


class PersonIntent(Named):
    """Somebody who works with the system."""

    roles: Annotated[tuple[Duty, ...], Field(min_length=1)]
    public_key: Annotated[str, StringConstraints(pattern=KEY)] = ""
    units: tuple[Code, ...] = ()  # site codes that the roles hold for


class TravellersIntent(Written):
    """People who work from outside, each by one notebook with WireGuard: their addresses, and what a role reaches."""

    number: SiteNumber  # their prefix is that of a site of this number
    network: Code = "gov"
    reaches: Annotated[dict[Duty, tuple[Name, ...]], Field(min_length=1)]  # services; the network's name: all of it
    days: Annotated[int, Field(ge=1, le=366, strict=True)] = 90  # after which a key must be given anew


class VpnIntent(Written):
    """The VPN gateway's legs, and what remote sites reach through it beside the county's own 10.0.0.0/8."""

    networks: Annotated[tuple[Code, ...], Field(min_length=1)]
    reaches: tuple[Prefix, ...] = ()


class SwitchIntent(Written):
    """Who switched something, why and when (UTC, ISO 8601)."""

    who: Text
    why: Text
    at: Text


class TravellerIntent(SwitchIntent):
    """A person's notebook, let in by the VPN gateway until a day."""

    key: Annotated[str, StringConstraints(pattern=WIREGUARD_KEY)]  # public
    slot: Annotated[int, Field(ge=2, le=254, strict=True)]  # its address in the travellers' prefix
    until: Text  # UTC, ISO 8601


class SwitchesIntent(Written):
    """What operations staff switched, written by ``sanwang exit``, ``vpn`` and ``takeover`` into ``switches.yml``.

    It is intent like everything else, so that no later run takes it for drift and repairs it.
    """

    exit_closed: SwitchIntent | None = None  # the Internet exit is closed
    revoked: dict[Code, SwitchIntent] = {}  # remote sites that the VPN gateway no longer knows
    travellers: dict[Name, TravellerIntent] = {}  # people's notebooks, by login
    management: SwitchIntent | None = None  # the standby has taken the management host's place
    fenced: SwitchIntent | None = None  # the one whose place was taken is kept away from devices


class PriceIntent(Written):
    """What something costs, in CNY, and which document says so."""

    cny: Annotated[float, Field(gt=0, le=1e12)]
    source: Named


class LinePriceIntent(PriceIntent):
    """A broadband line's yearly price, and how many such lines the county gave up."""

    lines: Annotated[int, Field(ge=1, strict=True)]


class BoxPriceIntent(PriceIntent):
    """What the security boxes of so many sites cost together, once."""

    sites: Annotated[int, Field(ge=1, strict=True)]


class CostsIntent(Written):
    """Prices of what a network of the county's own spares it; the leaders' page computes the savings with them."""

    leased_line: PriceIntent  # a year, one leased 100 Mbit/s fibre
    line_rent: PriceIntent | None = None  # a year, all lines: a plan's own sum, for comparison
    broadband_line: LinePriceIntent | None = None  # a year
    security_boxes: BoxPriceIntent | None = None


class MetricsIntent(Written):
    """How many processes collect, and where measurements are kept for long."""

    collectors: Annotated[int, Field(ge=1, le=16, strict=True)] = 1
    remote_write: Annotated[str, StringConstraints(pattern=URL)] = ""
    history: Annotated[str, StringConstraints(pattern=URL)] = ""


class RecordingIntent(Written):
    """What recordings of meetings may take on the management host's disk, and how long they are kept (0: for good)."""

    keep_days: Annotated[int, Field(ge=0, le=36_500, strict=True)] = 180
    quota_gb: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 50
    free_gb: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 5


class Intent(Written):
    """Everything that is written about a county."""

    county: CountyIntent
    networks: dict[Code, NetworkIntent]
    centres: dict[Code, CentreIntent]
    townships: dict[Code, AccessIntent] = {}
    bodies: dict[Code, AccessIntent] = {}
    buildings: dict[Code, AccessIntent] = {}
    schools: dict[Code, SmallIntent] = {}
    clinics: dict[Code, SmallIntent] = {}
    villages: dict[Code, RemoteIntent] = {}
    units: dict[Code, RemoteIntent] = {}
    partners: dict[Code, RemoteIntent] = {}
    third_parties: dict[Code, ThirdPartyIntent] = {}
    subscribers: dict[Code, SmallIntent] = {}
    carriers: dict[Code, CarrierIntent] = {}
    internet: InternetIntent | None = None
    uplinks: dict[Code, UplinkIntent] = {}
    vpn: VpnIntent | None = None
    travellers: TravellersIntent | None = None
    ducts: dict[Code, DuctIntent] = {}
    fibres: dict[Name, FibreIntent]
    services: dict[Name, ServiceIntent] = {}
    policy: tuple[RuleIntent, ...] = ()
    halls: dict[Code, HallIntent] = {}
    people: dict[Name, PersonIntent] = {}
    sign_on: SignOnIntent = SignOnIntent()
    switches: SwitchesIntent = SwitchesIntent()
    costs: CostsIntent | None = None
    calendar: CalendarIntent | None = None
    supervision: SupervisionIntent | None = None
    alerting: AlertingIntent | None = None
    metrics: MetricsIntent = MetricsIntent()
    recording: RecordingIntent = RecordingIntent()
    turn: TurnIntent | None = None

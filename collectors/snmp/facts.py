"""The normalised facts of a device, whoever made it: units are in the names, what is not known is None.

``Facts.document()`` is the JSON of ``sanwang snmp facts``; docs/snmp.md describes it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from collectors.snmp.units import Reading


@dataclass(slots=True)
class System:
    """SNMPv2-MIB system group, and what the profile knows of the box."""

    name: str = ""
    description: str = ""
    object_id: str = ""
    location: str = ""
    contact: str = ""
    uptime_s: float | None = None
    vendor: str = ""
    profile: str = ""
    model: str = ""
    serial: str = ""
    version: str = ""


@dataclass(slots=True)
class Port:
    """IF-MIB: one interface.  Counters are since boot."""

    index: int
    name: str = ""
    description: str = ""  # ifDescr
    alias: str = ""
    type: int | None = None  # IANAifType
    speed_bps: int | None = None
    admin: str = ""
    oper: str = ""
    mac: str | None = None
    mtu: int | None = None
    in_octets: int | None = None
    out_octets: int | None = None
    in_packets: int | None = None
    out_packets: int | None = None
    in_errors: int | None = None
    out_errors: int | None = None
    in_discards: int | None = None
    out_discards: int | None = None


@dataclass(slots=True)
class Optic:
    """An optical module, or one lane of it.  ``reason``: why a figure that the device gives is None here."""

    port: str
    index: int | None = None  # ifIndex, where the module's port is known
    lane: int | None = None  # from 1, where a module has several
    rx_dbm: float | None = None
    tx_dbm: float | None = None
    bias_ma: float | None = None
    temperature_c: float | None = None
    voltage_v: float | None = None
    wavelength_nm: int | None = None
    model: str = ""
    serial: str = ""
    reason: str | None = None


@dataclass(slots=True)
class Processor:
    """One processor, or a board's average."""

    name: str
    usage_percent: float | None = None


@dataclass(slots=True)
class Memory:
    """One store of memory (never a disk)."""

    name: str
    used_percent: float | None = None
    total_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None


@dataclass(slots=True)
class Temperature:
    """One thermometer of the box (modules' are in ``optics``)."""

    name: str
    celsius: float | None = None


@dataclass(slots=True)
class Fan:
    """One fan; ``state`` in the profile's words: ok, failed, absent ..."""

    name: str
    state: str = ""
    speed_rpm: float | None = None
    speed_percent: float | None = None


@dataclass(slots=True)
class PowerSupply:
    """One power supply, or a board's feed."""

    name: str
    state: str = ""
    power_w: float | None = None
    voltage_v: float | None = None
    current_ma: float | None = None


@dataclass(slots=True)
class Neighbour:
    """LLDP (IEEE 802.1AB): who says hello on a port."""

    port: str
    system: str = ""
    remote_port: str = ""
    remote_port_description: str = ""
    chassis: str = ""
    description: str = ""
    management: str = ""


@dataclass(slots=True)
class BgpPeer:
    """BGP4-MIB (RFC 4273) or the vendor's."""

    address: str
    state: str = ""
    admin: str = ""
    remote_as: int | None = None
    local_address: str = ""
    router_id: str = ""
    established_s: float | None = None


@dataclass(slots=True)
class OspfNeighbour:
    """OSPF-MIB ospfNbrTable (RFC 4750)."""

    address: str
    router_id: str = ""
    state: str = ""


@dataclass(slots=True)
class PonPort:
    """A port of an OLT's passive optical network."""

    port: str
    index: int | None = None
    state: str = ""
    onus: int | None = None
    tx_dbm: float | None = None
    temperature_c: float | None = None
    voltage_v: float | None = None
    bias_ma: float | None = None


@dataclass(slots=True)
class Onu:
    """A subscriber's unit on a PON port."""

    port: str
    number: int | None = None
    name: str = ""
    serial: str = ""
    state: str = ""
    rx_dbm: float | None = None
    tx_dbm: float | None = None
    distance_m: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One figure that the fast loop asks for again: the instance and how its raw value is read.

    Attributes:
        oid: The whole instance, dotted.
        kind: Key in the document: "ports", "optics" ...
        subject: The port's or the row's name.
        field: Which figure, its unit in the name.
        counter: True for a running count, taken as it is.
        reading: How the raw value is read.
    """

    oid: str
    kind: str
    subject: str
    field: str
    counter: bool
    reading: Reading

    def read(self, raw: object) -> float | None:
        """The raw value in the unit of the field; None where there is none."""
        return self.reading.number(raw)


@dataclass(slots=True)
class Facts:
    """All that is known of one device."""

    system: System = field(default_factory=System)
    ports: list[Port] = field(default_factory=list)
    optics: list[Optic] = field(default_factory=list)
    processors: list[Processor] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    temperatures: list[Temperature] = field(default_factory=list)
    fans: list[Fan] = field(default_factory=list)
    power_supplies: list[PowerSupply] = field(default_factory=list)
    neighbours: list[Neighbour] = field(default_factory=list)
    bgp: list[BgpPeer] = field(default_factory=list)
    ospf: list[OspfNeighbour] = field(default_factory=list)
    pon_ports: list[PonPort] = field(default_factory=list)
    onus: list[Onu] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON: everything but the points."""
        whole = asdict(self) if not self.points else asdict(Facts(**{**_shallow(self), "points": []}))
        del whole["points"]
        return whole


def _shallow(facts: Facts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in Facts.__slots__}

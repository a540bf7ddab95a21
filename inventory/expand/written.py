"""Every written site with its section and kind: the one table that says what a section means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inventory.errors import Key
from inventory.model import Role, SiteKind
from inventory.plan import SLOT_ROUTER, SLOT_USER
from inventory.schema import Intent, SiteIntent


@dataclass(frozen=True, slots=True)
class Section:
    """What the sites of one section are."""

    name: str
    kind: SiteKind
    role: Role  # of the site's own (first) host
    suffix: str  # of that host's name
    slot: int
    networks: tuple[str, ...]  # unless the site says otherwise


SECTIONS = (
    Section("centres", SiteKind.CENTRE, Role.CORE, "core", SLOT_ROUTER, ()),
    Section("townships", SiteKind.TOWNSHIP, Role.ACCESS, "rt", SLOT_ROUTER, ("gov", "edu", "tv")),
    Section("bodies", SiteKind.BODY, Role.ACCESS, "rt", SLOT_ROUTER, ("gov",)),
    Section("buildings", SiteKind.BUILDING, Role.ACCESS, "rt", SLOT_ROUTER, ("gov",)),
    Section("schools", SiteKind.SCHOOL, Role.LEAF, "pc", SLOT_USER, ("edu",)),
    Section("clinics", SiteKind.CLINIC, Role.LEAF, "pc", SLOT_USER, ("gov",)),
    Section("villages", SiteKind.VILLAGE, Role.CPE, "cpe", SLOT_ROUTER, ("gov",)),
    Section("units", SiteKind.UNIT, Role.CPE, "cpe", SLOT_ROUTER, ("gov",)),
    Section("partners", SiteKind.UNIT, Role.PARTNER, "box", SLOT_ROUTER, ("gov",)),
    Section("third_parties", SiteKind.THIRD, Role.OUTSIDE, "gw", SLOT_ROUTER, ()),
    Section("subscribers", SiteKind.SUBSCRIBERS, Role.LEAF, "stb", SLOT_USER, ("tv",)),
    Section("carriers", SiteKind.CARRIER, Role.OUTSIDE, "isp", SLOT_ROUTER, ()),
    Section("uplinks", SiteKind.CITY, Role.OUTSIDE, "rt", SLOT_ROUTER, ()),
)
BY_NAME = {section.name: section for section in SECTIONS}
ACCESS = ("townships", "bodies", "buildings")
REMOTE = ("villages", "units", "partners")


@dataclass(frozen=True, slots=True)
class WrittenSite:
    """A site as written, with where it stands."""

    section: Section
    code: str
    intent: SiteIntent

    @property
    def key(self) -> Key:
        """Its place in the county's files."""
        return (self.section.name, self.code)

    @property
    def host(self) -> str:
        """Name of its own (first) host."""
        return f"{self.code}-{self.section.suffix}"


def written_sites(intent: Intent) -> Iterator[WrittenSite]:
    """All sites in the county's order."""
    for section in SECTIONS:
        for code, site in getattr(intent, section.name).items():
            yield WrittenSite(section, code, site)

"""Search over everything that has a name: sites, bodies, halls, services, links, ducts, devices, addresses.

A query's words must all occur in a thing's names (Chinese, English, its code, or the pinyin initials of the Chinese
name: "byz" finds 白云镇); an address, or its beginning, finds the device that has it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from collectors.desk.tables import TicketRow
from inventory.model import LinkKind, NetworkModel

MOST = 30

# First characters of each initial among the 3755 common characters of GB 2312 (rows 16 to 55), which stand in the order
# of their pinyin there; rarer ones stand in the order of their radicals and have none here.
_FIRST = "啊芭擦搭蛾发噶哈击喀垃妈拿哦啪期然撒塌挖昔压匝"
_LETTERS = "abcdefghjklmnopqrstwxyz"
_STARTS = [int.from_bytes(each.encode("gb2312")) for each in _FIRST]
_LAST = int.from_bytes("座".encode("gb2312"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be found."""

    kind: str  # "site", "organisation", "hall", "service", "link", "duct", "host", "meeting", "ticket"
    name: str  # its code or number
    zh: str
    en: str
    path: str  # of its page
    more: str = ""  # further words by which it is found: addresses

    @property
    def text(self) -> str:
        """All that is searched."""
        return f"{self.name} {self.zh} {self.en} {self.more} {initials(self.zh)}".casefold()

    def document(self) -> dict[str, str]:
        """As JSON types."""
        return {"kind": self.kind, "name": self.name, "zh": self.zh, "en": self.en, "path": self.path}


def initials(text: str) -> str:
    """Pinyin initials of the common characters; everything else is left out.

    >>> initials("白云镇会场"), initials("t01-rt")
    ('byzhc', '')
    """
    found = []
    for character in text:
        try:
            code = int.from_bytes(character.encode("gb2312"))
        except UnicodeEncodeError:
            continue
        if _STARTS[0] <= code <= _LAST:
            found.append(_LETTERS[bisect_right(_STARTS, code) - 1])
    return "".join(found)


def tickets(session: Session, asked: str) -> list[Entry]:
    """The newest tickets with that number, or that hold the first of the words."""
    first = asked.split()[0] if asked.split() else ""
    columns = (TicketRow.subject, TicketRow.text, TicketRow.site, TicketRow.organisation)
    fits = [column.icontains(first, autoescape=True) for column in columns]
    if first.isdigit() and len(first) < 10:
        fits.append(TicketRow.id == int(first))
    rows = (
        session.scalars(select(TicketRow).where(or_(*fits)).order_by(TicketRow.id.desc()).limit(MOST)) if first else ()
    )
    return [
        Entry(
            "ticket",
            str(row.id),
            row.text or row.subject,
            row.text or row.subject,
            f"/tickets/{row.id}",
            f"{row.subject} {row.site} {row.organisation}",
        )
        for row in rows
    ]


class Index:
    """The county's things, read once."""

    def __init__(self, model: NetworkModel) -> None:
        self._entries = [(entry.text, entry) for entry in _entries(model)]

    def find(self, asked: str, more: Iterable[Entry] = ()) -> list[dict[str, str]]:
        """What fits best first, at most thirty; ``more`` is searched too (meetings, tickets)."""
        words = asked.casefold().split()
        if not words:
            return []
        ranked = []
        for place, (text, entry) in enumerate([*self._entries, *((each.text, each) for each in more)]):
            if all(word in text for word in words):
                ranked.append((_rank(words, asked, entry), place, entry))
        return [entry.document() for _, _, entry in sorted(ranked, key=lambda each: each[:2])[:MOST]]


def _rank(words: Sequence[str], asked: str, entry: Entry) -> tuple[int, int]:
    wanted = asked.strip().casefold()
    names = (entry.name.casefold(), entry.zh.casefold(), entry.en.casefold(), initials(entry.zh))
    if wanted in names:
        best = 0
    elif any(name.startswith(words[0]) for name in names):
        best = 1
    elif any(words[0] in name for name in names):
        best = 2
    else:
        best = 3
    return best, len(entry.zh)


def _entries(model: NetworkModel) -> Iterator[Entry]:
    for site in model.sites.values():
        path = f"/site/{site.code}"
        yield Entry("site", site.code, site.zh, site.en, path)
        for zh, en in site.organisations:
            yield Entry("organisation", site.code, zh, en, path)
    for hall in model.halls.values():
        yield Entry("hall", hall.code, hall.zh, hall.en, f"/site/{hall.site}", str(hall.address))
    for service in model.services.values():
        where = f"/site/{model.hosts[service.backends[0].host].site}" if service.backends else "/"
        yield Entry("service", service.name, service.zh, service.en, where, str(service.address))
    for duct in model.ducts.values():
        yield Entry("duct", duct.name, duct.zh, duct.en, f"/cut/{duct.name}")
    for host in model.hosts.values():
        site = model.sites[host.site]
        addresses: set[IPv4Address] = {port.address.ip for port in host.ports if port.address is not None}
        if host.management is not None:
            addresses.add(host.management)
        addresses |= {bridge.address.ip for vrf in host.vrfs for bridge in vrf.bridges}
        addresses |= {loopback.ip for vrf in host.vrfs for loopback in vrf.loopbacks}
        more = " ".join(map(str, sorted(addresses)))
        yield Entry("host", host.name, site.zh, site.en, f"/site/{site.code}", more)
    for link in model.links.values():
        if link.kind is LinkKind.LAN:
            continue
        a, b = (model.sites[model.hosts[end.host].site] for end in link.ends)
        yield Entry("link", link.name, f"{a.zh} — {b.zh}", f"{a.en} — {b.en}", f"/link/{link.name}")

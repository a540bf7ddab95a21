"""What a cut would mean before it happens, on top of what is broken already.  Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce

from inventory.impact import Faults, Impact, ImpactMap, Meeting
from inventory.model import Link, NetworkModel


class UnknownTarget(LookupError):
    """What is named is nothing of the county; the words have the nearest names there are."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer: ``now`` without the cut, ``then`` with it."""

    cut: Faults
    together: Faults
    now: Impact
    then: Impact


def what_if(
    impacts: ImpactMap,
    word: str,
    broken: Faults,
    meetings: Sequence[Meeting] = (),
    load_bps: Mapping[str, float] | None = None,
) -> WhatIf:
    """The impact of cutting what the word names, beside what is ``broken`` now; UnknownTarget."""
    cut = cut_of(impacts.model, word)
    both = together((broken, cut))
    return WhatIf(cut, both, impacts.of(broken, meetings, load_bps), impacts.of(both, meetings, load_bps))


def cut_of(model: NetworkModel, word: str) -> Faults:
    """What fails with a link, a duct (all its links), a site (all its hosts), a host, a pair of hosts or sites; the
    first of these that has the name."""
    if word not in model.links and word not in model.ducts:
        if word in model.sites:
            return Faults(hosts=frozenset(host.name for host in model.site_hosts(word)))
        if word in model.hosts:
            return Faults(hosts=frozenset({word}))
    return Faults(links=frozenset(link.name for link in links_of(model, word)))


def together(faults: Iterable[Faults]) -> Faults:
    """All of them at once."""
    names = [field.name for field in fields(Faults)]

    def union(a: Faults, b: Faults) -> Faults:
        return Faults(**{name: getattr(a, name) | getattr(b, name) for name in names})

    return reduce(union, faults, Faults())


def links_of(model: NetworkModel, word: str) -> tuple[Link, ...]:
    """The links a word names: a link's own name, ``A-B`` (hosts or sites, either order), or a duct with all its links.

    Raises:
        UnknownTarget: it names none.
    """
    if word in model.links:
        return (model.links[word],)
    in_duct = tuple(link for link in model.links.values() if word in link.ducts)
    if in_duct:
        return in_duct
    for left, right in _pairs(word):
        between = tuple(link for link in model.links.values() if _joins(model, link, left, right))
        if between:
            return between
    known = nearest(word, [*model.links, *model.ducts])
    raise UnknownTarget(f"no link, pair of hosts or sites, or duct is called {word!r}{known}")


def nearest(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant, to end an error's line with."""
    close = difflib.get_close_matches(word, list(known), n=4, cutoff=0.4)
    return f"; near it: {', '.join(close)}" if close else ". Next: `sanwang county show` lists what there is"


def _pairs(word: str) -> Iterator[tuple[str, str]]:
    """Every way to cut a word at one of its hyphens: host names have hyphens too."""
    parts = word.split("-")
    for cut in range(1, len(parts)):
        yield "-".join(parts[:cut]), "-".join(parts[cut:])


def _joins(model: NetworkModel, link: Link, left: str, right: str) -> bool:
    """True when one end is (at) ``left`` and the other is (at) ``right``."""
    a, b = ({end.host, model.hosts[end.host].site} for end in link.ends)
    return (left in a and right in b) or (right in a and left in b)

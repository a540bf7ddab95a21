"""Which cables or host a person means by a word: a link, a pair of hosts or sites, a duct."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from inventory.model import Host, Link, NetworkModel
from twin.errors import TwinError


def links(model: NetworkModel, word: str) -> tuple[Link, ...]:
    """The links a word names: a link's own name, ``A-B`` (hosts or sites, either order), or a duct with all its links.

    TwinError (exit code 2) when it names none, with the nearest names there are.
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
    known = [*model.links, *model.ducts]
    raise TwinError(f"no link, pair of hosts or sites, or duct is called {word!r}{_nearest(word, known)}", 2)


def host(model: NetworkModel, word: str) -> Host:
    """The host of that name; TwinError (exit code 2) with the nearest names when there is none."""
    if word not in model.hosts:
        raise TwinError(f"no host is called {word!r}{_nearest(word, model.hosts)}", 2)
    return model.hosts[word]


def _pairs(word: str) -> Iterable[tuple[str, str]]:
    """Every way to cut a word at one of its hyphens: host names have hyphens too."""
    parts = word.split("-")
    for cut in range(1, len(parts)):
        yield "-".join(parts[:cut]), "-".join(parts[cut:])


def _joins(model: NetworkModel, link: Link, left: str, right: str) -> bool:
    """True when one end is (at) ``left`` and the other is (at) ``right``."""
    a, b = ({end.host, model.hosts[end.host].site} for end in link.ends)
    return (left in a and right in b) or (right in a and left in b)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=4, cutoff=0.4)
    return f"; near it: {', '.join(close)}" if close else ". Next: `sanwang county show` lists what there is"

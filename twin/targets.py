"""Which cables or host a person means by a word: a link, a pair of hosts or sites, a duct."""

from __future__ import annotations

from inventory.model import Host, Link, NetworkModel
from inventory.whatif import UnknownTarget, links_of, nearest
from twin.errors import TwinError


def links(model: NetworkModel, word: str) -> tuple[Link, ...]:
    """The links a word names, see ``inventory.whatif.links_of``.

    TwinError (exit code 2) when it names none, with the nearest names there are.
    """
    try:
        return links_of(model, word)
    except UnknownTarget as problem:
        raise TwinError(str(problem), 2) from None


def host(model: NetworkModel, word: str) -> Host:
    """The host of that name; TwinError (exit code 2) with the nearest names when there is none."""
    if word not in model.hosts:
        raise TwinError(f"no host is called {word!r}{nearest(word, model.hosts)}", 2)
    return model.hosts[word]

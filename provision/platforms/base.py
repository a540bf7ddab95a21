"""What provision knows of one vendor's command line, and the patch between two of its configurations.

>>> vrp = load("huawei_vrp5")
>>> patch(vrp, "interface Vlanif10\\n ip address 10.0.0.1 24\\n", "interface Vlanif10\\n ip address 10.0.0.2 24\\n")
('interface Vlanif10', 'ip address 10.0.0.2 24', 'quit')

How a session speaks to the device (prompts, errors, confirmations, saving) is ``Platform.words``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from provision.platforms.engine import PatchError, patch_lines
from provision.platforms.expand import expand
from provision.platforms.numbers import RangeError
from provision.platforms.rules import Rulebook, load_rulebook
from provision.platforms.show import difference
from provision.platforms.tree import Node, parse

if TYPE_CHECKING:
    from provision.vendor.words import Words

__all__ = ["PatchError", "Platform", "diff", "load", "names", "patch", "read"]

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Platform:
    """One command line."""

    name: str  # "huawei_vrp8": the folder's name
    folder: Path  # rulebook.yml, templates/
    rulebook: Rulebook

    @property
    def words(self) -> Words:
        """Prompts, questions, error patterns, how it confirms, undoes itself and saves."""
        from provision.vendor.words import words_of  # sessions need netmiko; a patch does not

        return words_of(self.name)


def names() -> tuple[str, ...]:
    """Every platform that has a rulebook."""
    return tuple(sorted(path.parent.name for path in _HERE.glob("*/rulebook.yml")))


@cache
def load(name: str) -> Platform:
    """The platform of that name.  Raises KeyError, naming those there are; RulebookError for a spoilt rulebook."""
    if name not in names():
        raise KeyError(f"no platform {name!r}: there are {', '.join(names())}")
    folder = _HERE / name
    return Platform(name, folder, load_rulebook(folder / "rulebook.yml"))


def read(platform: Platform, text: str) -> tuple[Node, ...]:
    """The configuration as a tree, lists of VLANs written out.  Raises PatchError for a list that cannot be read."""
    return _tree(platform.rulebook, text)


@lru_cache(maxsize=64)  # one look at a device reads the same text several times
def _tree(book: Rulebook, text: str) -> tuple[Node, ...]:
    try:
        return expand(parse(text, separators=book.separators, multiline=book.multiline), book.expansions)
    except RangeError as error:
        raise PatchError(str(error)) from error


def patch(platform: Platform, before: str, after: str) -> tuple[str, ...]:
    """The commands that make the configuration ``before`` into ``after``, in their order; () when nothing differs.

    They start and end in the configuration mode (``system-view``), entering and leaving views; committing, confirming
    and saving are the session's.  A command with line breaks in it (a banner) is one command, whose prompt comes after
    its last line.  Raises PatchError for a configuration that says one thing twice, naming both lines.
    """
    return patch_lines(platform.rulebook, read(platform, before), read(platform, after))


def diff(platform: Platform, before: str, after: str) -> str:
    """What differs, for people: ``-`` and ``+`` lines below the views they stand in; "" when nothing does.

    A secret that only one side names (``@secret:...@`` beside the device's own cipher text) is no difference.
    """
    return difference(platform.rulebook, read(platform, before), read(platform, after))

"""One line for many: ``vlan range 10,20-22`` and ``vlan 10 to 12`` are that many VLANs, each with its own view.

A device writes its VLANs so, those with a name apart.  Compared line by line such a list would be one setting, and
taking it away would take away the VLAN that only got a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from provision.platforms.numbers import Style, read_numbers
from provision.platforms.tree import Node


@dataclass(frozen=True, slots=True)
class Expansion:
    """A line that stands for several."""

    line: re.Pattern[str]  # of the whole line, with a group "numbers"
    to: str  # one of them, with {number}
    style: Style = "to"


def expand(nodes: tuple[Node, ...], expansions: tuple[Expansion, ...]) -> tuple[Node, ...]:
    """The same tree with every list written out.  Raises RangeError for a list that cannot be read."""
    if not expansions:
        return nodes
    grown: list[Node] = []
    for node in nodes:
        children = expand(node.children, expansions)
        for expansion in expansions:
            found = expansion.line.fullmatch(node.line)
            if found:
                numbers = sorted(read_numbers(found["numbers"], expansion.style))
                grown += [Node(expansion.to.format(number=number), children, node.number) for number in numbers]
                break
        else:
            grown.append(Node(node.line, children, node.number))
    return tuple(grown)

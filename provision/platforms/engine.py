"""From two configurations to the lines that make one into the other, in an order that a device accepts.

The rulebook says what a device does with a line; this file knows no vendor.  Three passes:

1. *clear*: an address that is needed elsewhere is taken from its old place first.
2. *settle*: what a device removes by itself (an interface's addresses when it moves to another VRF, everything about a
   BGP peer that is undone) is taken out of the old tree, so that what must be there afterwards counts as new.
3. *emit*: view by view, early removals, new and changed lines in the rulebook's order, other removals the other way
   round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface

from provision.platforms.acl import Steps, replace_rules
from provision.platforms.numbers import RangeError, read_numbers, write_numbers
from provision.platforms.rules import Rule, Rulebook, fill, same_secret
from provision.platforms.tree import Node

Key = tuple[int, tuple[str, ...]]

LISTED = ("acl", "entry")
"""Rules of an access list, which are worked out together."""


class PatchError(ValueError):
    """Two configurations between which no patch can be made; says which line and why."""


@dataclass(slots=True)
class _Item:
    """One setting of a view."""

    place: int
    rule: Rule
    line: str
    captured: tuple[str, ...]
    view: _View | None
    numbers: frozenset[int] = frozenset()

    def same(self, other: _Item) -> bool:
        """True when the device holds the same value; a secret that one side only names is taken for the same."""
        if self.rule.change == "ranges":
            return self.numbers == other.numbers and self.line.split()[0] == other.line.split()[0]
        return self.line == other.line or (self.rule.hidden and same_secret(self.line, other.line))


@dataclass(slots=True)
class _View:
    """The settings of a view, and what was settled about them."""

    items: dict[Key, _Item] = field(default_factory=dict)
    undone: dict[Key, _Item] = field(default_factory=dict)  # undone, then set anew
    early: list[_Item] = field(default_factory=list)  # taken away before anything new
    late: list[_Item] = field(default_factory=list)  # taken away, with what the device removes beside it
    steps: Steps = field(default_factory=Steps)  # of an access list


def patch_lines(book: Rulebook, before: tuple[Node, ...], after: tuple[Node, ...]) -> tuple[str, ...]:
    """The commands in their order, entering and leaving views; a text of several lines is one command.

    Raises PatchError for a configuration that says one thing twice.
    """
    old, new = _index(book, before, book.rules), _index(book, after, book.rules)
    first = list(_clear(book, old, new))
    _settle(book, old, new)
    return tuple(first + _emit(book, old, new))


def _index(book: Rulebook, nodes: tuple[Node, ...], rules: tuple[Rule, ...]) -> _View:
    view = _View()
    for node in nodes:
        if any(pattern.fullmatch(node.line) for pattern in book.ignored):
            continue
        place, rule, identity, captured = book.of(node.line, rules)
        opens = rule.inside is not None or bool(node.children)
        inner = _index(book, node.children, rule.inside or ()) if opens else None
        item = _Item(place, rule, node.line, captured, inner)
        if rule.change == "ranges":
            try:
                item.numbers = read_numbers(captured[-1], rule.ranges)
            except RangeError as error:
                raise PatchError(f"{node.line!r}: {error}") from error
        there = view.items.get((place, identity))
        if there is not None and rule.change == "ranges":
            item.numbers |= there.numbers
        elif there is not None and there.view is not None and inner is not None:
            inner.items = there.view.items | inner.items  # one view written in two places
        elif there is not None and there.line != node.line:
            raise PatchError(f"{there.line!r} and {node.line!r} are one setting: a device holds one of them")
        view.items[(place, identity)] = item
    return view


def _settle(book: Rulebook, old: _View, new: _View) -> None:
    """Take out of ``old`` whatever the device will remove by itself."""
    _settle_rules(book, old, new)
    for key, item in new.items.items():  # first: what goes with a new setting need not be taken away for itself
        there = old.items.get(key)
        if item.rule.resets and (there is None or not there.same(item)):
            _wipe(book, old, new, item.rule.resets, item)
    moved = True
    while moved:
        moved = False
        for key, item in list(old.items.items()):
            if key not in old.items or item.rule.change in LISTED:
                continue  # went with another
            wanted = new.items.get(key)
            if wanted is not None and item.rule.change == "undo" and not item.same(wanted):
                old.undone[key] = old.items.pop(key)
                _wipe(book, old, new, item.rule.takes, item)
                moved = True
            elif wanted is None and item.rule.takes and not item.rule.stays:
                del old.items[key]
                lost = _wipe(book, old, new, item.rule.takes, item)
                needed = item.rule.early or any(_holds(new, other) for other in lost)
                (old.early if needed else old.late).append(item)
                moved = True
    for key, item in old.items.items():
        wanted = new.items.get(key)
        if item.view is not None and wanted is not None and wanted.view is not None:
            _settle(book, item.view, wanted.view)


def _settle_rules(book: Rulebook, old: _View, new: _View) -> None:
    """Work out an access list's rules together; what hangs on one that is taken away on the way goes with it."""
    were, will = (
        {int(item.captured[0]): item for item in view.items.values() if item.rule.change in LISTED}
        for view in (old, new)
    )
    for item in (were | will).values():
        old.steps = replace_rules(
            {number: one.line for number, one in were.items()},
            {number: one.line for number, one in will.items()},
            remove=item.rule.undo,
            editable=item.rule.change == "acl",
            atomic=book.two_phase,
        )
        break
    for number in old.steps.undone | (set(were) - set(will)):
        _wipe(book, old, new, were[number].rule.takes, were[number])


def _wipe(book: Rulebook, view: _View, wanted: _View | None, patterns: tuple[str, ...], cause: _Item) -> list[_Item]:
    """Remove matching lines from a view and what is below; the lines that went.

    What the device only perhaps removes ("?") and nobody wants any longer is undone before.
    """
    surely = [Rule(fill(one, cause.line, cause.captured)) for one in patterns if not one.startswith("?")]
    perhaps = [Rule(fill(one[1:], cause.line, cause.captured)) for one in patterns if one.startswith("?")]
    lost = []
    for key, item in list(view.items.items()):
        plain = item.line.removeprefix(f"{book.negate} ")
        if item is cause or _own(item, cause):
            continue
        if any(rule.match(plain) for rule in surely):
            lost.append(view.items.pop(key))
        elif item.rule != cause.rule and any(rule.match(plain) for rule in perhaps):
            lost.append(view.items.pop(key))
            if wanted is None or key not in wanted.items:
                view.early.append(lost[-1])
        elif item.view is not None:
            below = wanted.items[key].view if wanted is not None and key in wanted.items else None
            lost += _wipe(book, item.view, below, patterns, cause)
    return lost


def _own(item: _Item, cause: _Item) -> bool:
    """True for a view that has the cause's setting for itself: a BGP peer of a VRF is not the global one."""
    return item.view is not None and any(
        one.rule == cause.rule and one.captured[:1] == cause.captured[:1] for one in item.view.items.values()
    )


def _holds(view: _View, wanted: _Item) -> bool:
    """True when the same line stands in a view or below."""
    return any(
        item.line == wanted.line or (item.view is not None and _holds(item.view, wanted))
        for item in view.items.values()
    )


def _clear(book: Rulebook, old: _View, new: _View) -> Iterator[str]:
    """Take addresses that another line needs from where they are now."""
    needed = [
        (block, key, _address(item))
        for block, view in new.items.items()
        for key, item in (view.view.items.items() if view.view else ())
        if item.rule.unique and not _has(old, block, key, item)
    ]
    for block, view in reversed(old.items.items()):
        if view.view is None:
            continue
        taken = []
        for key, item in reversed(list(view.view.items.items())):
            if not item.rule.unique or _has(new, block, key, item):
                continue
            network = _address(item).network
            if any(network.overlaps(other.network) for at, its, other in needed if (at, its) != (block, key)):
                taken.append(item.rule.removal(book.negate, item.line, item.captured))
                del view.view.items[key]
        if taken:
            yield from (view.line, *taken, book.leave)


def _has(view: _View, block: Key, key: Key, wanted: _Item) -> bool:
    there = view.items.get(block)
    item = there.view.items.get(key) if there is not None and there.view is not None else None
    return item is not None and item.same(wanted)


def _address(item: _Item) -> IPv4Interface:
    try:
        return IPv4Interface(f"{item.captured[0]}/{item.captured[1]}")
    except (ValueError, IndexError) as error:
        raise PatchError(f"{item.line!r}: expected an address and its mask") from error


def _emit(book: Rulebook, old: _View, new: _View) -> list[str]:
    """What one view needs, from inside it."""
    lines: list[str] = []
    goes = [
        item
        for key, item in old.items.items()
        if key not in new.items and not item.rule.stays and item.rule.change not in LISTED
    ]
    shrunk = [
        _part(item, item.numbers - new.items[key].numbers)
        for key, item in old.items.items()
        if item.rule.change == "ranges" and key in new.items and item.numbers - new.items[key].numbers
    ]
    goes += shrunk
    bare = any(item.rule.bare and key not in old.items for key, item in new.items.items())
    early = [item for item in goes if item.rule.early or bare] + old.early
    late = [item for item in goes if not (item.rule.early or bare)] + old.late
    for item in sorted(early, key=_place, reverse=True):
        lines += _remove(book, item)
    listed = False
    for key, item in sorted(new.items.items(), key=lambda pair: pair[0][0]):
        if key in old.undone:
            gone = old.undone[key]
            lines.append(gone.rule.removal(book.negate, gone.line, gone.captured))
        if item.rule.change not in LISTED:
            lines += _set(book, old, key, item)
        elif not listed:
            lines += old.steps.lines
            listed = True
    lines += old.steps.late
    for item in sorted(late, key=_place, reverse=True):
        lines += _remove(book, item)
    return lines


def _fresh(book: Rulebook, new: _View) -> _View:
    """The empty view that a new one is compared with."""
    old = _View()
    _settle_rules(book, old, new)
    return old


def _place(item: _Item) -> int:
    return item.place


def _part(item: _Item, numbers: frozenset[int]) -> _Item:
    return _Item(item.place, replace(item.rule, whole=""), item.line, item.captured, None, numbers)


def _set(book: Rulebook, old: _View, key: Key, item: _Item) -> list[str]:
    """A new or changed line, with its view."""
    there = old.items.get(key)
    if item.rule.change == "ranges":
        fresh = item.numbers - (there.numbers if there is not None else frozenset())
        template = item.rule.add or item.rule.line.replace("...", "{numbers}")
        first = item.rule.first if there is None and item.rule.first else template
        return [
            fill((template if place else first).replace("{numbers}", part), item.line, item.captured)
            for place, part in enumerate(write_numbers(fresh, item.rule.ranges, item.rule.per_line))
        ]
    if item.view is not None:
        inner = _emit(
            book, there.view if there is not None and there.view is not None else _fresh(book, item.view), item.view
        )
        if inner or there is None or not there.same(item):
            return [item.line, *inner, book.leave]
        return []
    if there is None:
        return [item.line]
    if there.same(item):
        return []
    if item.rule.change == "never":
        raise PatchError(
            f"{there.line!r} cannot become {item.line!r}: the device has no way to it; remove its view first"
        )
    return [item.line]


def _remove(book: Rulebook, item: _Item) -> list[str]:
    """The lines that take a setting away."""
    if item.rule.keeps:
        bare = item.view or _View()
        _settle(book, bare, _View())
        inner = _emit(book, bare, _View())
        return [item.line, *inner, book.leave] if inner else []
    if item.rule.change == "ranges" and item.rule.whole:
        return [fill(item.rule.whole, item.line, item.captured)]
    if item.rule.change == "ranges":
        template = item.rule.undo or f"{book.negate} {item.rule.line.replace('...', '{numbers}')}"
        return [
            fill(template.replace("{numbers}", part), item.line, item.captured)
            for part in write_numbers(item.numbers, item.rule.ranges, item.rule.per_line)
        ]
    return [item.rule.removal(book.negate, item.line, item.captured)]

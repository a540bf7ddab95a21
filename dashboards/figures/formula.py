"""A figure is its formula over its inputs, so that the explanation a reader opens can never differ from the value.

    Figure("in_service", Words("在网率", "In service"), "ratio", "up / all", (up, all))

The formula is arithmetic over the inputs' names. One unknown input makes the figure unknown, never 0.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Document = dict[str, Any]

_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Words(NamedTuple):
    """A text in both languages."""

    zh: str
    en: str

    def document(self) -> Document:
        """As JSON types."""
        return self._asdict()


_NOTHING_YET = Words("目前没有可计的", "nothing to count so far")


@dataclass(frozen=True, slots=True)
class Input:
    """One quantity that a figure is made of.

    Attributes:
        name: The formula's name of it, an identifier.
        words: What it is called on the page.
        value: None when nobody knows it.
        unit: "sites", "CNY/year", "bit/s", "s" ...; the page has the words.
        source: Where it came from: a file and line of the county, the fault book, Prometheus with the expression.
        at: When it was read or written, seconds UTC; None for what does not change by itself.
        items: What was counted, by name, when it is a count of things.
        why: Why it is unknown.
        since: When its measuring began, seconds UTC, where that is less than the period its name tells.
    """

    name: str
    words: Words
    value: float | None
    unit: str
    source: Words
    at: float | None = None
    items: tuple[Words, ...] = ()
    why: Words | None = None
    since: float | None = None

    def document(self) -> Document:
        """As JSON types."""
        return {
            "name": self.name,
            **self.words.document(),
            "value": self.value,
            "unit": self.unit,
            "source": self.source.document(),
            "at": self.at,
            "items": [item.document() for item in self.items],
            "why": self.why.document() if self.why else None,
            "since": self.since,
        }


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the leaders' page.

    Attributes:
        key: Unique on the page, an identifier.
        words: Its name.
        unit: As ``Input.unit``.
        expression: Arithmetic (+ - * / and brackets) over the inputs' names.
        inputs: Every name of the expression, and what else helps to judge it.
        note: How to read it.
        good: Says of a known value whether it is as it should be; None: there is no such thing.
    """

    key: str
    words: Words
    unit: str
    expression: str
    inputs: tuple[Input, ...]
    note: Words
    good: Callable[[float], bool] | None = None

    @property
    def value(self) -> float | None:
        """The expression's value; None when an input of it is unknown or it divides by nothing."""
        return evaluate(self.expression, {found.name: found.value for found in self.inputs})

    def document(self) -> Document:
        """As JSON types."""
        value = self.value
        judged = "plain" if self.good is None or value is None else "up" if self.good(value) else "degraded"
        return {
            "key": self.key,
            **self.words.document(),
            "value": value,
            "unit": self.unit,
            "tone": "unknown" if value is None else judged,
            "expression": self.expression,
            "inputs": [found.document() for found in self.inputs],
            "note": self.note.document(),
            "why": self._why().document() if value is None else None,
            "since": max((found.since for found in self.inputs if found.since is not None), default=None),
        }

    def _why(self) -> Words:
        """Why there is no value: what the first unknown input says, or there was nothing to divide by."""
        named = {node.id for node in ast.walk(ast.parse(self.expression)) if isinstance(node, ast.Name)}
        unknown = (found.why for found in self.inputs if found.name in named and found.value is None)
        return next(unknown, None) or _NOTHING_YET


def evaluate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """The value of an arithmetic expression; None for an unknown input or a division by nothing.

    Raises:
        ValueError: The expression has something other than names, numbers and + - * /, or a name without an input.
    """
    try:
        found = _value(ast.parse(expression, mode="eval").body, values)
    except ZeroDivisionError:
        return None
    except SyntaxError as problem:
        raise ValueError(f"{expression!r}: {problem.msg}") from None
    return found if found is not None and math.isfinite(found) else None


def _value(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        if node.id not in values:
            raise ValueError(f"{node.id!r}: no such input, expected one of {', '.join(values)}")
        return values[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, values), _value(node.right, values)
        return None if left is None or right is None else _OPERATORS[type(node.op)](left, right)
    raise ValueError(f"{ast.unparse(node)!r}: expected names, numbers and + - * / only")

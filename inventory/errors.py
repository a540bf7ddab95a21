"""What went wrong with a county's files, said so that an engineer can mend it at once.

Every problem names file, line, key, what was found, what was expected and the next step; a phase reports
all of its problems together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Key = tuple[str | int, ...]
"""Where a value stands in the county's files: section, code, field ... as written."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; line 0 means the whole file or folder."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake (or, as a warning, one risk) in the county's files."""

    place: Place
    key: str
    found: str
    expected: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: found {self.found}; expected {self.expected}; {self.advice}"

    def as_json(self) -> dict[str, str | int]:
        """The problem as one JSON object."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "key": self.key,
            "found": self.found,
            "expected": self.expected,
            "next": self.advice,
        }


class CountyErrors(Exception):
    """All problems of the first phase that had any."""

    def __init__(self, phase: str, problems: Iterable[Problem]) -> None:
        self.phase = phase
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class Report:
    """Collects problems while a phase runs; knows on which line each key was written."""

    places: Mapping[Key, Place] = field(default_factory=dict)
    root: Place = Place("county")
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def place(self, key: Key) -> Place:
        """The line of the key, or of the nearest key around it that was written."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                return self.places[key[:length]]
        return self.root

    def error(self, key: Key, found: str, expected: str, advice: str) -> None:
        """Note a mistake; the phase goes on, so that all of them are seen at once."""
        self.errors.append(Problem(self.place(key), dotted(key), found, expected, advice))

    def warning(self, key: Key, found: str, expected: str, advice: str) -> None:
        """Note a risk that an engineer may accept."""
        self.warnings.append(Problem(self.place(key), dotted(key), found, expected, advice))

    def settle(self, phase: str) -> None:
        """End of a phase: raise CountyErrors when it found any mistake."""
        if self.errors:
            ordered = sorted(self.errors, key=lambda problem: (problem.place.file, problem.place.line, problem.key))
            raise CountyErrors(phase, dict.fromkeys(ordered))


def dotted(key: Key) -> str:
    """``("townships", "t01", "homes", 1)`` as ``townships.t01.homes[1]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "county"

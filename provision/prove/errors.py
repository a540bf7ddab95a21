"""What a proof cannot read, said with file, line, found and expected."""

from __future__ import annotations


class ProveError(Exception):
    """A rendered configuration, or a question, that the proof does not understand."""

    def __init__(self, where: str, found: str, expected: str, advice: str) -> None:
        self.where, self.found, self.expected, self.advice = where, found, expected, advice
        super().__init__(f"{where}: found {found}; expected {expected}; {advice}")

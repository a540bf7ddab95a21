"""What a drill says when it cannot start."""

from __future__ import annotations


class Missing(Exception):
    """The environment lacks something (exit code 3): what it is and what to do, one line each."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines

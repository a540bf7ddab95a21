"""What can go wrong in the twin, in words for the person at the keyboard."""

from __future__ import annotations


class TwinError(Exception):
    """A twin could not do what was asked; ``exit_code`` follows the house's convention.

    1 the check failed, 2 bad input, 3 the environment lacks something.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code

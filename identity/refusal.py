"""A refusal in words for the person in front of the page: English for the command line, Chinese first on the pages."""

from __future__ import annotations


class Refusal(Exception):
    """What was asked is not done; says why and what can be done."""

    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh
        super().__init__(en)

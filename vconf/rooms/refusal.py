"""A request that cannot be met."""

from __future__ import annotations


class Refused(Exception):
    """``code`` for the page, text for people, ``zh`` the same in Chinese where there is such."""

    def __init__(self, code: str, text: str, zh: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.zh = zh

"""One cell's text as a value of the county's files."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping

from inventory.intake.words import folded

_LIST = re.compile(r"[、,;/|+]+")
_NUMBER = re.compile(r"[-+]?\d{1,6}(?:[.,]\d{1,9})?")
_UNIT = re.compile(r"(?:公里|千米|km|°|度)$", re.IGNORECASE)
_RATE = re.compile(r"([1-9]\d{0,3})\s*([MG兆])(?:b(?:it)?(?:/?p?s)?)?", re.IGNORECASE)
_RATE_WORDS = {"百兆": "100M", "千兆": "1G", "万兆": "10G"}
KM_PER_DEGREE = 111.195
"""Of a great circle on a sphere of 6371 km: a county is small, and its map needs no more."""


class Unfit(ValueError):
    """A text that is no such value: what was expected, and the next step."""

    def __init__(self, expected: str, advice: str = "correct the cell") -> None:
        super().__init__(expected)
        self.expected, self.advice = expected, advice


def narrow(text: str) -> str:
    """Full-width letters and digits as plain ones."""
    return unicodedata.normalize("NFKC", text).strip()


def whole(text: str) -> int:
    """A whole number.  Raises Unfit."""
    if not re.fullmatch(r"\d{1,9}", narrow(text), re.ASCII):
        raise Unfit("a whole number", "write digits only")
    return int(narrow(text))


def decimal(text: str) -> float:
    """A number, with a unit or a decimal comma if need be.  Raises Unfit."""
    bare = _UNIT.sub("", narrow(text)).strip()
    if not _NUMBER.fullmatch(bare):
        raise Unfit("a number such as 11.2", "write digits and a point")
    return float(bare.replace(",", "."))


def rate(text: str) -> str:
    """``100M`` or ``1G``.  Raises Unfit."""
    bare = narrow(text)
    found = _RATE.fullmatch(bare)
    if bare in _RATE_WORDS:
        return _RATE_WORDS[bare]
    if not found:
        raise Unfit("a rate such as 100M or 1G")
    return found[1] + found[2].upper().replace("兆", "M")


def choice(text: str, words: Mapping[str, tuple[str, ...]]) -> str:
    """The key that the text, or one of the key's words, names.  Raises Unfit."""
    wanted = folded(text)
    for key, others in words.items():
        if wanted in map(folded, (key, *others)):
            return key
    raise Unfit(f"one of {', '.join(words)}")


def several(text: str, names: Mapping[str, str], what: str) -> list[str]:
    """Codes, each written as itself or by its name in ``names`` (folded name or code -> code).  Raises Unfit.

    Parts stand between 、 , ; / | or +, or between blanks where no name has any.
    """
    found: list[str] = []
    for part in filter(None, map(str.strip, _LIST.split(narrow(text)))):
        pieces = [part] if folded(part) in names else part.split()
        for piece in pieces:
            if folded(piece) not in names:
                known = ", ".join(dict.fromkeys(names.values())) or "none yet"
                raise Unfit(f"{what}, by code or name: {known[:200]}", f"correct {piece!r}, or add a row for it")
            found.append(names[folded(piece)])
    return list(dict.fromkeys(found))


def choices(text: str, words: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Several of ``choice``.  Raises Unfit."""
    return list(dict.fromkeys(choice(part, words) for part in filter(None, re.split(r"[、,;/|+\s]+", narrow(text)))))


def kilometres(lon: float, lat: float, origin: tuple[float, float]) -> tuple[float, float]:
    """Kilometres east and north of ``origin`` (longitude, latitude in degrees), to ten metres.  Raises Unfit."""
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise Unfit("degrees: longitude -180 to 180, latitude -90 to 90")
    east = (lon - origin[0]) * KM_PER_DEGREE * math.cos(math.radians(origin[1]))
    north = (lat - origin[1]) * KM_PER_DEGREE
    if math.hypot(east, north) > 500:
        raise Unfit("a place within 500 km of --origin", "check longitude and latitude: are they swapped?")
    return round(east, 2), round(north, 2)

"""Read a county's folder of YAML files into ``Intent`` and ``NetworkModel``, keeping every line number.

``load_model("shili")`` is what the other rooms call; ``load("shili")`` also returns what was written and
the warnings.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from inventory.errors import CountyErrors, Key, Place, Problem, Report
from inventory.expand import expand
from inventory.explain import explain
from inventory.model import NetworkModel
from inventory.places import COUNTIES
from inventory.schema import Intent

WHOLE = ".import-whole"
"""In a county's folder: the new files of an import that was killed while it put them in their places."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A county as written, as expanded, and what to be warned about."""

    folder: Path
    intent: Intent
    model: NetworkModel
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """The files' contents merged by section, and the line of every key in them."""

    data: dict[str, Any]
    places: Mapping[Key, Place]
    root: Place


def load_model(county: str | Path = "shili") -> NetworkModel:
    """The expanded county: a folder's name under ``inventory/counties``, or a path.

    Raises CountyErrors with every mistake of the first phase that found any.
    """
    return load(county).model


def load(county: str | Path = "shili") -> Loaded:
    """Read, check and expand a county.  Raises CountyErrors."""
    folder = find(county)
    source = read(folder)
    report = Report(source.places, source.root)
    intent = validate(source, report)
    model = expand(intent, report)
    return Loaded(folder, intent, model, tuple(report.warnings))


def find(county: str | Path) -> Path:
    """The county's folder.  Raises CountyErrors when there is none."""
    folder = COUNTIES / county if isinstance(county, str) and "/" not in county else Path(county)
    if not folder.is_dir() and Path(county).is_dir():
        folder = Path(county)
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in COUNTIES.iterdir() if path.is_dir()))
        raise CountyErrors(
            "files",
            [
                Problem(
                    Place(str(county)),
                    "county",
                    "no such folder",
                    f"a folder with *.yml files, or one of: {known}",
                    "start one with `sanwang county new DIR`",
                )
            ],
        )
    return folder


def read(folder: Path) -> Source:
    """Merge all ``*.yml`` of a folder.  Raises CountyErrors on unreadable YAML or a section written twice."""
    problems: list[Problem] = []
    places: dict[Key, Place] = {}
    data: dict[str, Any] = {}
    if (folder / WHOLE).is_dir():
        found, advice = "an import that was interrupted", f"finish it: sanwang import finish --into {folder}"
        raise CountyErrors("files", [Problem(Place(folder.name), "county", found, "whole files", advice)])
    for path in sorted(folder.glob("*.yml")):
        try:
            tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
        except (YAMLError, UnicodeDecodeError) as error:
            problems.append(_unreadable(path, error))
            continue
        if tree is None:
            continue
        if not isinstance(tree, CommentedMap):
            problems.append(
                Problem(Place(path.name, 1), "file", "no sections", "`section:` at the left margin", "write one")
            )
            continue
        for section, value in tree.items():
            place = Place(path.name, tree.lc.key(section)[0] + 1)
            if section in data:
                problems.append(
                    Problem(
                        place,
                        str(section),
                        f"the section a second time (first at {places[(str(section),)]})",
                        "each section in one file",
                        "merge the two",
                    )
                )
                continue
            places[(str(section),)] = place
            data[str(section)] = _plain(value, (str(section),), path.name, places)
    if not data and not problems:
        problems.append(
            Problem(Place(folder.name), "county", "no *.yml file", "at least county.yml", "see `sanwang county new`")
        )
    if problems:
        raise CountyErrors("files", problems)
    return Source(data, places, Place(folder.name))


def validate(source: Source, report: Report) -> Intent:
    """Check the shape of every value.  Raises CountyErrors."""
    try:
        return Intent.model_validate(source.data)
    except ValidationError as failure:
        for error in failure.errors():
            key = _key(error["loc"], source.places)
            found, expected, advice = explain(error)
            report.error(key, found, expected, advice)
        report.settle("schema")
        raise  # settle always raises here: pydantic found something


def _plain(value: Any, key: Key, file: str, places: dict[Key, Place]) -> Any:
    """A round-trip YAML value as plain Python, noting the line of every key on the way."""
    if isinstance(value, CommentedMap):
        mapping: dict[str, Any] = {}
        for name, item in value.items():
            inner = (*key, str(name))
            places[inner] = Place(file, value.lc.key(name)[0] + 1)
            mapping[str(name)] = _plain(item, inner, file, places)
        return mapping
    if isinstance(value, CommentedSeq):
        items: list[Any] = []
        for index, item in enumerate(value):
            places[(*key, index)] = Place(file, value.lc.item(index)[0] + 1)
            items.append(_plain(item, (*key, index), file, places))
        return items
    if isinstance(value, bool | int | float | datetime.date) or value is None:
        return float(value) if isinstance(value, float) else value
    return str(value)


def _unreadable(path: Path, error: Exception) -> Problem:
    """A file that is not YAML, with the parser's own mark."""
    line, found = 0, "bytes that are not UTF-8"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        found = str(error.problem or error.context)
        found = re.sub(r"\s+", " ", found.split("\n")[0]).removeprefix("found ").split(" with value ")[0]
    elif isinstance(error, YAMLError):
        found = str(error).split("\n")[0]
    return Problem(Place(path.name, line), "file", found, "YAML in UTF-8", "mend the line, or the one above it")


def _key(location: tuple[int | str, ...], places: Mapping[Key, Place]) -> Key:
    """Pydantic's location without the parts it invents (``[key]``)."""
    return tuple(part for part in location if part != "[key]")

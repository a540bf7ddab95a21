"""A county's YAML files with entries added and values changed, everything else left byte for byte as it was."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from inventory.intake.merge import Merged

_ENDING = re.compile(r"[^\s#]")


def texts_of(folder: Path, merged: Merged) -> dict[str, str]:
    """File name -> its new text, of those that become others.  Files were read once already: they are YAML."""
    before = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yml"))}
    texts = dict(before)
    homes = {str(section): name for name, text in texts.items() for section in YAML().load(text) or ()}
    changed: dict[tuple[str, str], dict[str, Any]] = {}
    for change in merged.changes:
        changed.setdefault((change.section, change.code), {})[change.field] = change.after
    for (section, code), values in changed.items():
        texts[homes[section]] = _changed(texts[homes[section]], section, code, values)
    for (section, code), values in merged.added.items():
        name = homes.setdefault(section, f"{section}.yml")
        texts[name] = _added(texts.get(name, ""), section, code, values)
    return {name: text for name, text in texts.items() if text != before.get(name)}


def _added(text: str, section: str, code: str, values: Mapping[str, Any]) -> str:
    """The entry as the last of its section, on one line as counties write them."""
    tree = YAML().load(text) or CommentedMap()
    line = _dumped(code, _flow(values))
    rows = text.splitlines(keepends=True)
    if rows and not rows[-1].endswith("\n"):
        rows[-1] += "\n"
    if section not in tree:
        return "".join([*rows, *(["\n"] if rows else []), f"{section}:\n", f"  {line}"])
    at = tree.lc.key(section)[0]
    if not tree[section]:  # `section:` or `section: {}`
        rows[at] = f"{section}:\n"
        return "".join([*rows[: at + 1], f"  {line}", *rows[at + 1 :]])
    if tree[section].fa.flow_style():
        grown = CommentedMap(tree[section])
        grown[code] = _flow(values)
        end = _end(rows, at)
        return "".join([*rows[:at], f"{section}:\n", *_entries(grown), *rows[end:]])
    column = tree[section].lc.key(next(iter(tree[section])))[1]
    end = _end(rows, at)
    return "".join([*rows[:end], f"{' ' * column}{line}", *rows[end:]])


def _entries(mapping: Mapping[str, Any]) -> list[str]:
    return [f"  {_dumped(code, value)}" for code, value in mapping.items()]


def _changed(text: str, section: str, code: str, values: Mapping[str, Any]) -> str:
    """The entry in the style it has, a comment at the end of its line kept."""
    tree = YAML().load(text)
    if tree[section].fa.flow_style():
        for name, value in values.items():
            tree[section][code][name] = _flow(value)
        rows = text.splitlines(keepends=True)
        at = tree.lc.key(section)[0]
        return "".join([*rows[:at], f"{section}:\n", *_entries(tree[section]), *rows[_end(rows, at) :]])
    rows = text.splitlines(keepends=True)
    at, column = tree[section].lc.key(code)
    codes = list(tree[section])
    after = codes[codes.index(code) + 1 :]
    limit = tree[section].lc.key(after[0])[0] if after else _end(rows, tree.lc.key(section)[0])
    end = max(number for number in range(at, limit) if _ENDING.match(rows[number].lstrip() or "#")) + 1
    entry = tree[section][code]
    for name, value in values.items():
        entry[name] = _flow(value)
    dumped = _dumped(code, entry).splitlines(keepends=True)
    while len(dumped) > 1 and not _ENDING.match(dumped[-1].lstrip() or "#"):
        dumped.pop()  # ruamel hangs what follows an entry on the entry
    return "".join([*rows[:at], *(" " * column + line if line.strip() else line for line in dumped), *rows[end:]])


def _end(rows: list[str], at: int) -> int:
    """The line after the last of the section that begins at ``at``, without the comments before the next one."""
    last = at
    for number in range(at + 1, len(rows)):
        if rows[number].strip() and not rows[number].startswith((" ", "#", "\t")):
            break
        if _ENDING.match(rows[number].lstrip() or "#"):
            last = number
    return last + 1


def _flow(value: Any) -> Any:
    """Lists and mappings in brackets."""
    if isinstance(value, Mapping):
        mapping = CommentedMap((name, _flow(item)) for name, item in value.items())
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list | tuple):
        items = CommentedSeq(_flow(item) for item in value)
        items.fa.set_flow_style()
        return items
    return value


def _dumped(code: str, value: Any) -> str:
    yaml = YAML()
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.allow_unicode = True
    out = io.StringIO()
    yaml.dump({code: value}, out)
    return out.getvalue()

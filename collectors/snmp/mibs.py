"""Names of MIB objects as object identifiers, by pysnmp: its own modules and the IETF's, compiled (pysnmp-mibs).

The collector does not carry pysnmp's modules in its memory: what the shipped profiles name is kept in ``names.json``,
which ``sanwang snmp compile`` writes and a test compares with pysnmp's answer.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

NAMES = Path(__file__).parent / "names.json"
_NAME = re.compile(r"([A-Z][A-Za-z0-9-]*)::([a-z][A-Za-z0-9-]*)")


class UnknownName(ValueError):
    """No such module, or no such object in it."""


@cache
def _known() -> dict[str, str]:
    try:
        names: dict[str, str] = json.loads(NAMES.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return names


@cache
def _builder() -> Any:
    from pysnmp.smi import builder

    mibs = builder.MibBuilder()
    mibs.add_mib_sources(builder.ZipMibSource("pysnmp_mibs"))
    return mibs


def resolve(name: str) -> str:
    """``IF-MIB::ifName`` as ``1.3.6.1.2.1.31.1.1.1.1``.

    Raises:
        UnknownName: the text is no ``MODULE::object``, or pysnmp does not know it.
    """
    return _known().get(name) or ask(name)


@cache
def ask(name: str) -> str:
    """The same, by pysnmp alone.

    Raises:
        UnknownName: as above.
    """
    from pysnmp.smi.error import SmiError

    found = _NAME.fullmatch(name)
    if found is None:
        raise UnknownName(f"{name!r}: not of the form MODULE::object")
    module, symbol = found.groups()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the compiled modules call pysnmp by its older names
        try:
            (thing,) = _builder().import_symbols(module, symbol)
        except SmiError:
            raise UnknownName(f"{name}: no such object in pysnmp's modules; write its oid: and name:") from None
    oid = getattr(thing, "name", None)
    if not isinstance(oid, tuple) or not oid:
        raise UnknownName(f"{name}: a type, not an object")
    return ".".join(map(str, oid))


def compiled(names: Iterable[str]) -> str:
    """What ``names.json`` is to hold for these names.

    Raises:
        UnknownName: pysnmp does not know one.
    """
    return json.dumps({name: ask(name) for name in sorted(set(names))}, indent=1) + "\n"

"""Names of MIB objects as object identifiers, by pysnmp: its own modules and the IETF's, compiled (pysnmp-mibs)."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import Any

_NAME = re.compile(r"([A-Z][A-Za-z0-9-]*)::([a-z][A-Za-z0-9-]*)")


class UnknownName(ValueError):
    """No such module, or no such object in it."""


@cache
def _builder() -> Any:
    from pysnmp.smi import builder

    mibs = builder.MibBuilder()
    mibs.add_mib_sources(builder.ZipMibSource("pysnmp_mibs"))
    return mibs


@cache
def resolve(name: str) -> str:
    """``IF-MIB::ifName`` as ``1.3.6.1.2.1.31.1.1.1.1``.

    Raises:
        UnknownName: the text is no ``MODULE::object``, or pysnmp does not know it.
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

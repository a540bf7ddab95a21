"""A small county with more outside than the one to start from: two carriers, a village on each, an IPsec partner,
another agency's own gateway, and people who work from outside.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from inventory.places import COUNTIES

_CARRIER = "  n2: {number: 6, zh: 第二运营商, en: Second Carrier, at: [7.5, -3.0], metric: 20, rate: 20M}\n"
_VILLAGE = "  v02: {number: 402, zh: 下坪村, en: Xiaping Village, at: [-4.9, 7.6], home: n2, networks: [gov, edu]}\n"
_PARTNER = (
    "\npartners:\n"
    "  ip01: {number: 431, zh: 信用联社, en: Rural Credit Union, at: [2.1, -1.5], home: n1, networks: [gov]}\n"
)
_GUESTS = (
    "\nthird_parties:\n"
    "  x01: {number: 451, zh: 县支行, en: Bank branch, home: n1, identity: gw.bank.example,"
    " prefixes: [192.168.40.0/24], reaches: [exchange]}\n"
    "\ntravellers: {number: 450, reaches: {engineer: [gov], leader: [portal, exchange]}}\n"
)


def with_two_carriers(folder: Path) -> Path:
    """Write the county into a new folder and return it."""
    shutil.copytree(COUNTIES / "xiao", folder)
    (folder / "switches.yml").unlink(missing_ok=True)
    sites = folder / "sites.yml"
    text = sites.read_text(encoding="utf-8")
    for section, line in (("\ncarriers:\n", _CARRIER), ("\nvillages:\n", _VILLAGE)):
        assert text.count(section) == 1
        text = text.replace(section, section + line)  # the second carrier is written first: only its metric counts
    assert text.count("metric: 10}") == 1
    text = text.replace("metric: 10}", "metric: 10, rate: 20M}")  # lines that a test can fill
    sites.write_text(text + _PARTNER + _GUESTS, encoding="utf-8")
    return folder

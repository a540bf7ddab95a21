"""Vendor profiles: what is wrong in one is said with file, line and key; the longest match wins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from collectors.snmp.mibs import NAMES, UnknownName, ask, compiled, resolve
from collectors.snmp.profile import load, match, names, profiles
from inventory.errors import CountyErrors

GOOD = """\
profile: acme
vendor: Acme
system: AOS
match:
  - { object: 1.3.6.1.4.1.99999 }
groups:
  - fact: processors
    table: acmeCpuTable
    index: own
    label: "CPU {1}"
    columns:
      usage_percent: { oid: 1.3.6.1.4.1.99999.1.1, name: acmeCpu, unit: percent }
"""


@pytest.mark.parametrize(
    ("object_id", "described", "expected"),
    [
        ("1.3.6.1.4.1.2011.2.23.291", "Huawei Versatile Routing Platform", "huawei-vrp"),
        ("1.3.6.1.4.1.2011.2.123", "Huawei Integrated Access Software", "huawei-smartax"),
        ("1.3.6.1.4.1.8072.3.2.10", "SONiC Software Version: SONiC.x", "sonic"),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux box 6.1", "linux"),
        ("1.3.6.1.4.1.3902.3.100.20", "ZXR10 ROS", "zte-zxr10"),
        ("1.3.6.1.4.1.3902.1082.1001.320.2.1", "C320", "zte-zxa10"),
        ("1.3.6.1.4.1.52642.1.1.10.1.805", "FS", "fs-fsos"),
        ("1.3.6.1.4.1.52642.1.99.5802", "FSOS", "fs-centec"),
        ("1.3.6.1.4.1.20110.1", "not Huawei's: its number only begins so", "generic"),
        ("", "", "generic"),
    ],
)
def test_the_longest_match_wins(object_id: str, described: str, expected: str) -> None:
    assert match(object_id, described).name == expected


def test_the_kept_names_are_what_pysnmp_says() -> None:
    assert NAMES.read_text(encoding="utf-8") == compiled(names())
    assert resolve("IF-MIB::ifHCInOctets") == ask("IF-MIB::ifHCInOctets") == "1.3.6.1.2.1.31.1.1.1.6"


def test_the_collector_reads_profiles_without_pysnmp() -> None:
    program = (
        "import sys; from collectors.snmp.profile import match; assert match('', '').columns; "
        "assert not [name for name in sys.modules if name.startswith('pysnmp')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("name", ["IF-MIB::ifNope", "NO-SUCH-MIB::ifName", "ifName", "IF-MIB::interfaces::x"])
def test_a_wrong_name_is_an_error(name: str) -> None:
    with pytest.raises(UnknownName):
        ask(name)


def test_a_good_profile_is_read(tmp_path: Path) -> None:
    (tmp_path / "acme.yml").write_text(GOOD)
    (column,) = load(tmp_path)["acme"].columns
    assert (column.oid, column.kind, column.field, column.fast) == (
        "1.3.6.1.4.1.99999.1.1", "processors", "usage_percent", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("unit: percent", "unit: dBm", 12, "a column in dBm cannot fill usage_percent"),
        ("usage_percent:", "use_percent:", 7, "processors has no field 'use_percent'"),
        ("fact: processors", "fact: procesors", 7, "one of bgp"),
        ("oid: 1.3.6.1.4.1.99999.1.1, name: acmeCpu", 'object: "IF-MIB::ifNope"', 12, "no such object"),
        (", name: acmeCpu", "", 12, "with its name: in the vendor's MIB"),
        ("index: own", "index: port", 9, "one of 'ifindex', 'entity', 'scalar' or 'own'"),
        ("vendor: Acme", "vendor: [Acme", 3, "YAML in UTF-8"),
        ("vendor: Acme", "vendor: Acme\nversion: '('", 3, "a regular expression"),
        ("profile: acme", "profile: bcme", 0, "name the file as the profile"),
        ("match:", "also: [nobody]\nmatch:", 0, "found nobody"),
        ("system: AOS", "system: AOS\ncolour: blue", 4, "a key nobody reads"),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    (tmp_path / "acme.yml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(CountyErrors) as caught:
        load(tmp_path)
    assert said in str(caught.value), caught.value
    assert any(abs(problem.place.line - line) <= 5 for problem in caught.value.problems), caught.value
    assert all(problem.place.file == "acme.yml" for problem in caught.value.problems)


def test_every_shipped_profile_has_columns_and_a_match() -> None:
    assert len(profiles()) >= 16
    for name, profile in profiles().items():
        assert profile.columns
        assert profile.match or name in ("generic", "standard")

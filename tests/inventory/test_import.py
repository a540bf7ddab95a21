"""``sanwang import``: tables of a living county into its files, whole or not at all."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import CountyErrors, Problem
from inventory.intake.tables import LARGEST, sheets_of
from inventory.intake.take_in import take_in
from inventory.intake.words import HEADINGS, KINDS, heading_of, kind_of
from inventory.load import load, read
from inventory.places import COUNTIES
from sanwang.importing import main

CHINESE = """\
某县站点清册
序号,种类,代码,编号,名称,英文名,主用中心,备用中心,网络,东,北,主用光缆(公里),备用光缆公里,管道,会场座位,备注
1,乡镇,,,南乡,South Township,电子政务信息中心,c2,电子政务网、远程教育网,3.5,-9,12.3公里,13,东线管道,25,新建
2,乡镇,t01,11,东镇,,c1,c2,,9.0,2.0,11.2,10.1,,,
3,机关,,,财政局,,c1,c3,电子政务网；审计专网,０.2,0.3,1.1,1.2,,,
"""


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """The small county, to be written to."""
    return Path(shutil.copytree(COUNTIES / "xiao", tmp_path / "xiao"))


def table(folder: Path, text: str, encoding: str = "utf-8", name: str = "t.csv") -> str:
    path = folder.parent / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any], str]:
    code = main([*argv, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]), err


def texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", ","), ("utf-8-sig", ";"), ("gb18030", ","), ("gb18030", ";"), ("utf-16", "\t")]
)
def test_a_chinese_office_table_becomes_entries(
    county: Path, capsys: pytest.CaptureFixture[str], encoding: str, mark: str
) -> None:
    before = texts(county)
    path = table(county, CHINESE.replace(",", mark).replace("\n", "\r\n"), encoding)
    code, shown, _ = run(capsys, "sites", path, "--into", str(county))
    assert code == 0
    assert texts(county) == before, "nothing is written without --write"
    code, done, _ = run(capsys, "sites", path, "--into", str(county), "--write")
    assert code == 0
    assert done["written"]
    assert done["diff"] == shown["diff"]
    model = load(county).model
    assert model.sites["t03"].zh == "南乡"
    assert model.sites["t03"].number == 13
    assert model.sites["t03"].homes == ("c1", "c2")
    assert model.sites["b04"].en == "Body b04"
    assert "audit" in model.sites["b04"].networks
    assert {name: (model.links[name].length_km, model.links[name].ducts) for name in ("t03-c1", "t03-c2")} == {
        "t03-c1": (12.3, ("east",)),
        "t03-c2": (13.0, ()),
    }
    assert model.halls["t03"].zh == "南乡会场"
    assert "# Schools hang on one fibre" in (county / "sites.yml").read_text(), "comments stay"
    code, again, _ = run(capsys, "sites", path, "--into", str(county), "--write")
    assert code == 0
    assert (again["added"], again["written"]) == ([], False), "taken in twice, there once"


def test_numbers_are_never_given_twice(county: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(
        capsys,
        "sites",
        table(county, "kind,code,name,home,home 2,km,km 2\n乡镇,t05,丙乡,c1,c2,1,2\n"),
        "--into",
        str(county),
        "--write",
    )
    for name in ("sites.yml", "fibres.yml"):
        lines = (county / name).read_text().splitlines(keepends=True)
        (county / name).write_text("".join(line for line in lines if "t05" not in line))
    assert "t05" not in load(county).model.sites
    code, shown, _ = run(
        capsys,
        "sites",
        table(county, "kind,code,name,home,home 2,km,km 2\n乡镇,t06,丁乡,c1,c2,1,2\n"),
        "--into",
        str(county),
    )
    numbers = {each["code"]: each["value"] for each in shown["proposed"] if each["field"] == "number"}
    assert code == 0
    assert numbers == {"t06": 14, "t06-c1": 209, "t06-c2": 210}, "13, 207 and 208 were t05's"
    wrong = table(county, "kind,code,name,number,home,home 2,km,km 2\n乡镇,t06,丁乡,13,c1,c2,1,2\n")
    code, shown, _ = run(capsys, "sites", wrong, "--into", str(county))
    assert code == 2
    assert "never given: 13 was t05's" in shown["errors"][0]["expected"]


def test_a_changed_entry_keeps_its_place_and_its_number(county: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(county, "kind;code;chinese name;east;north\ntownship;t01;东新镇;9,5;2\n")
    code, shown, _ = run(capsys, "sites", path, "--into", str(county), "--write")
    assert code == 0
    assert shown["changed"] == [
        {"section": "townships", "code": "t01", "field": "zh", "before": "东镇", "after": "东新镇"},
        {"section": "townships", "code": "t01", "field": "at", "before": [9.0, 2.0], "after": [9.5, 2.0]},
    ]
    lines = (county / "sites.yml").read_text().splitlines()
    written = (COUNTIES / "xiao" / "sites.yml").read_text()
    (old,) = (line for line in written.splitlines() if line.startswith("  t01: "))
    assert old.replace("东镇", "东新镇").replace("9.0", "9.5") in lines
    assert len(lines) == len((COUNTIES / "xiao" / "sites.yml").read_text().splitlines())
    code, shown, _ = run(capsys, "sites", table(county, "kind,code,number\ntownship,t01,12\n"), "--into", str(county))
    assert code == 2
    assert "a number never changes" in shown["errors"][0]["expected"]


WRONG = [
    ("kind,code,name,home\n火星,t9,甲,c1\n", 2, "column A (kind)", "'火星'", "乡镇 township"),
    ("kind,code,name,home,home 2,km,km 2\n乡镇,t09,甲,c9,c2,1,2\n", 2, "column D (home)", "'c9'", "by code or name"),
    ("kind,code,name,home,km\n学校,s9,甲,t01,很远\n", 2, "column E (km)", "'很远'", "a number"),
    ("kind,code,name,home,km\n学校,s9,甲,t01,500\n", 2, "column E (km): schools.s9.km", "500", "at most 120"),
    ("kind,code,name,home,seats\n学校,s9,甲,t01,3\n", 2, "column E (seats)", "'3'", "nothing in a row of schools"),
    ("kind,code,name,number,上联\n学校,s9,甲,11,t01\n", 2, "schools.s9.number", "11, taken", "nowhere else"),
    ("kind,code,name,longitude,latitude,home\n学校,s9,甲,105.1,32.2,t01\n", 2, "longitude", "105.1", "--origin"),
    ("kind,code,name,home,km\n乡镇,t09,甲,c1、c2,3\n", 2, "", "", "fibre"),
    ("kind,code,name,code\n乡镇,t09,甲,t09\n", 1, "column D (code)", "second column", "once"),
    ("kind,code,name\n乡镇,t01,东镇\n乡镇,t01,东镇\n", 3, "row", "second row", "row of its own"),
    ("alpha,beta\n1,2\n", 1, "row", "no row of known headings", "headings such as"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "row", "key", "found", "expected"), WRONG)
def test_every_bad_row_is_named(
    county: Path, capsys: pytest.CaptureFixture[str], text: str, row: int, key: str, found: str, expected: str
) -> None:
    before = texts(county)
    code, shown, err = run(capsys, "sites", table(county, text), "--into", str(county), "--write")
    assert code == 2
    assert not shown["written"]
    assert texts(county) == before
    first = shown["errors"][0]
    assert (first["file"], first["line"]) == ("t.csv", row)
    assert key in first["key"]
    assert found in first["found"]
    assert expected in first["expected"] + first["next"]
    assert f"t.csv:{row}: " in err


def test_degrees_become_kilometres(county: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(county, "种类,代码,名称,经度,纬度,上联,光缆公里\n学校,s009,河口小学,105.90,32.40,t01,2\n")
    code, shown, _ = run(capsys, "sites", path, "--into", str(county), "--origin", "105.84,32.43")
    assert code == 0
    east, north = shown["added"][0]["at"]
    assert abs(east - 5.63) < 0.05
    assert abs(north + 3.34) < 0.05
    assert main(["sites", path, "--into", str(county), "--origin", "32.43,105.84"]) == 2, (
        "longitude and latitude swapped"
    )


def test_excel_from_the_template(county: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "站点.xlsx"
    code, shown, _ = run(capsys, "template", "--out", str(path))
    assert code == 0
    assert shown["sheets"][0] == "站点"
    book = openpyxl.load_workbook(path)
    names = [cell.value for cell in book["站点"][1]]
    row = {
        "种类": "乡镇",
        "代码": "t07",
        "编号": 17.0,
        "名称": "戊乡",
        "上联": "c1",
        "备用上联": "c2",
        "光缆公里": 7.5,
        "备用光缆公里": 8,
    }
    book["站点"].append([row.get(name) for name in names])
    ducts = [cell.value for cell in book["管道"][1]]
    book["管道"].append([{"代码": "south", "名称": "南线管道", "英文名": "Southern duct"}.get(name) for name in ducts])
    book["运营商"].append(["n2", 6, "第二运营商", "Second Carrier", None, None, None, None, "千兆", 20])
    assert [cell.value for cell in book["运营商"][1]][:4] == ["代码", "编号", "名称", "英文名"]
    book.save(path)
    code, shown, err = run(capsys, "sites", str(path), "--into", str(county), "--write")
    assert code == 0, err
    model = load(county).model
    assert model.sites["t07"].number == 17
    assert model.links["t07-c2"].length_km == 8.0
    assert "n2" in {exit_.carrier for exit_ in model.exits}
    assert "south" in read(county).data["ducts"]
    assert main(["template", "--out", str(path)]) == 2, "a file that is there is not overwritten"
    assert main(["template", "--english", "--out", str(tmp_path / "sites.xlsx")]) == 0


def test_a_kill_while_writing_leaves_all_or_nothing(
    county: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(county, CHINESE)
    before = texts(county)
    real = Path.replace

    class Killed(BaseException):
        pass

    def killing(after: int) -> None:
        left = [after]

        def replace(self: Path, target: Path) -> Path:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(self, target)

        monkeypatch.setattr(Path, "replace", replace)

    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        main(["sites", path, "--into", str(county), "--write"])
    assert texts(county) == before, "before the moment: never happened"
    monkeypatch.undo()
    for after in range(3):
        killing(after)
        with pytest.raises(Killed):
            main(["sites", path, "--into", str(county), "--write"])
        monkeypatch.undo()
        with pytest.raises(CountyErrors, match="import finish"):
            load(county)
        assert main(["finish", "--into", str(county)]) == 0
        assert "t03" in load(county).model.sites
        shutil.rmtree(county)
        shutil.copytree(COUNTIES / "xiao", county)
    capsys.readouterr()


def test_headings_and_kinds_name_one_thing_each() -> None:
    for name, heading in HEADINGS.items():
        assert {heading_of(word) for word in (*heading.zh, *heading.en)} == {name}
    for section, words in KINDS.items():
        assert {kind_of(word) for word in (section, *words)} == {section}


def test_the_docs_have_the_headings() -> None:
    text = (COUNTIES.parents[1] / "docs" / "brownfield.md").read_text(encoding="utf-8")
    for name, heading in HEADINGS.items():
        row = f"| {', '.join(heading.zh)} | {', '.join(heading.en)} |"
        assert row in text, f"docs/brownfield.md lacks the row of {name}: {row}"


def told(raw: bytes, county: str = "xiao") -> None:
    """Any bytes give an intake or CountyErrors that say where."""
    problems: tuple[Problem, ...] = ()
    try:
        take_in(sheets_of("f", raw), county)
    except CountyErrors as wrong:
        problems = wrong.problems
    assert all(problem.found and problem.expected and problem.advice for problem in problems)


CELLS = st.sampled_from(
    [word for each in HEADINGS.values() for word in (each.zh[0], each.en[0])]
    + [words[0] for words in KINDS.values()]
    + [
        "c1",
        "c2",
        "t01",
        "t77",
        "南乡",
        "11",
        "9.5",
        "-3",
        "gov",
        "审计专网",
        "1e99",
        "nan",
        "#REF!",
        "\x00",
        '"',
        "　",
        "８",
        "",
    ]
)


@given(st.lists(st.lists(CELLS, max_size=8), max_size=6), st.sampled_from([",", ";", "\t"]))
def test_any_table_is_taken_or_told(rows: list[list[str]], mark: str) -> None:
    told("\n".join(mark.join(row) for row in rows).encode())


@given(st.binary(max_size=400))
def test_any_bytes_are_taken_or_told(raw: bytes) -> None:
    told(raw)


BOOK = io.BytesIO()
_book = openpyxl.Workbook()
_book.active.append(["种类", "代码", "名称", "上联", "光缆公里"])
_book.active.append(["学校", "s9", "甲", "t01", 2])
_book.save(BOOK)


@given(st.integers(0, len(BOOK.getvalue()) - 1), st.integers(0, 255), st.booleans())
def test_a_spoilt_workbook_is_told(at: int, byte: int, cut: bool) -> None:
    raw = bytearray(BOOK.getvalue())
    raw[at] = byte
    told(bytes(raw[:at] if cut else raw))


def test_too_large_and_too_old_files_are_told() -> None:
    for raw, word in ((b"\xd0\xcf\x11\xe0old", "xlsx"), (b"", "headings"), (b"\xff\xfe\x00", "UTF-8")):
        with pytest.raises(CountyErrors, match=word):
            sheets_of("f", raw)
    assert LARGEST > 1 << 20

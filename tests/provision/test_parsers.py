"""Parsers of devices' outputs: real samples, our own transcripts, and bytes that are neither."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provision.parsers.catalog import ALIASES, UnknownParser, commands, find, platforms
from provision.parsers.run import NotUnderstood, parse
from provision.parsers.transcript import clean, decode
from sanwang.main import main

SAMPLES = os.environ.get("SANWANG_SAMPLES")
OURS = Path(__file__).parent.parent / "data" / "cli"
TRANSCRIPTS = sorted(OURS.glob("*/*.raw"))
VENDORS = ("huawei_vrp", "huawei_smartax", "hp_comware", "ruijie_rgos", "zte_zxros")
KNOWN = [(platform, command) for platform in VENDORS for command in commands(platform)]


def command_of(file: Path) -> str:
    """The command whose output a file holds: its name up to ``__``, ``_`` for spaces."""
    return file.name.partition("__")[0].replace("_", " ")


def expected(file: Path) -> list[dict[str, Any]]:
    """The rows written beside a transcript."""
    rows: list[dict[str, Any]] = yaml.safe_load(file.with_suffix(".yml").read_text())["parsed_sample"]
    return rows


def label(file: Path) -> str:
    """Platform and file, for the test's name."""
    return f"{file.parent.name}-{file.stem}"


@pytest.mark.skipif(not SAMPLES, reason="SANWANG_SAMPLES names no folder of real devices' outputs")
def test_every_real_sample_reads_as_the_file_beside_it() -> None:
    files = sorted(Path(str(SAMPLES)).glob("cli/*/*.raw"))
    assert len(files) >= 21
    for file in files:
        assert parse(file.parent.name, command_of(file), decode(file.read_bytes())) == expected(file), file


@pytest.mark.parametrize("file", TRANSCRIPTS, ids=label)
def test_our_transcripts_read_as_the_file_beside_them(file: Path) -> None:
    assert parse(file.parent.name, command_of(file), decode(file.read_bytes())) == expected(file)


def test_every_template_of_ours_has_a_transcript() -> None:
    folder = Path(__file__).parents[2] / "provision" / "parsers" / "templates"
    read = {f"{file.parent.name}_{file.name.partition('__')[0]}" for file in TRANSCRIPTS}
    assert {template.stem for template in folder.glob("*.textfsm")} == read


@pytest.mark.parametrize("file", TRANSCRIPTS, ids=label)
def test_what_a_terminal_adds_changes_nothing(file: Path) -> None:
    lines = file.read_text().split("\n")
    middle = len(lines) // 2
    pager = " --More-- \x08\x08\x08\x08\x08\x08          \x08\x08\x08\x08\x08\x08"
    vrp = "  ---- More ----\x1b[42D" + " " * 42 + "\x1b[42D"
    for added in (pager, vrp):
        seen = [*lines[:middle], added + lines[middle], *lines[middle + 1 :]]
        text = "\r\r\n".join(seen)
        assert parse(file.parent.name, command_of(file), text) == expected(file)


def test_text_is_read_in_the_encodings_that_chinese_devices_print() -> None:
    line = " GigabitEthernet 0/1   up   up   县法院 办公室\n"
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        (row,) = parse("ruijie_os", "sh int de", decode(line.encode(encoding)))
        assert row["description"] == "县法院 办公室"


def test_only_what_a_terminal_added_is_removed() -> None:
    text = "Interface is up\n  more than one ---- line\n<none>\n"
    assert clean(text) == "Interface is up\n  more than one ---- line\n\n"
    assert clean("<c1-agg>display version\nVRP\n<c1-agg>") == "\nVRP\n"
    assert clean("displayed\nVRP") == "displayed\nVRP"


@pytest.mark.parametrize(
    ("platform", "typed", "full"),
    [
        ("huawei_vrp8", "dis int br", "display interface brief"),
        ("huawei_vrp5", "display interface GigabitEthernet0/0/1", "display interface"),
        ("huawei_vrp8", "display_configuration_commit_list", "display configuration commit list"),
        ("huawei_vrp8", "display configuration commit list 5 verbose", "display configuration commit list verbose"),
        ("huawei_vrp8", "commit trial 120", "commit trial"),
        ("h3c_comware", "dis link-aggregation member-port", "display link-aggregation member-port"),
        ("ruijie_rgos", "show interface status", "show interfaces status"),
        ("ruijie_rgos", "show interfaces gigabitEthernet 0/1", "show interfaces"),
        ("zte_zxr10", "sh ver", "show version"),
    ],
)
def test_commands_are_found_as_they_are_typed(platform: str, typed: str, full: str) -> None:
    assert find(platform, typed).command == full


def test_every_listed_command_finds_a_template_of_its_own_name() -> None:
    for platform, command in KNOWN:
        assert find(platform, command).command == command


def test_unknown_names_list_what_is_known() -> None:
    with pytest.raises(UnknownParser) as platform:
        find("no_such_os", "show version")
    assert {"huawei_vrp8", "ruijie_rgos", "zte_zxros"} <= set(platform.value.known)
    with pytest.raises(UnknownParser) as command:
        find("huawei_vrp8", "display nonsense")
    assert "display version" in command.value.known
    assert "show version" not in command.value.known


def test_every_alias_stands_for_a_platform_with_templates() -> None:
    assert set(ALIASES.values()) <= set(platforms())


def test_a_line_that_is_not_understood_is_named() -> None:
    text = "\n\nInterface   Status  Vlan  Duplex  Speed  Type\n% Invalid input detected at '^' marker.\n"
    with pytest.raises(NotUnderstood) as wrong:
        parse("ruijie_rgos", "show interfaces status", text)
    assert (wrong.value.number, wrong.value.line) == (4, "% Invalid input detected at '^' marker.")
    # A template that skips what it does not know still has to know something.
    with pytest.raises(NotUnderstood, match=r"line 1 .*Unrecognized"):
        parse("huawei_vrp", "display port vlan", "Error: Unrecognized command found at '^' position.\n")


def test_lines_that_no_device_prints_end_in_time() -> None:
    with pytest.raises(NotUnderstood, match=r"line 2 "):
        parse("huawei_vrp8", "commit trial", "[*c1]commit trial 60\nWarning: " + "a b" * 1000)
    wide = "Warning: The trial " + " " * 100_000 + "ends."
    (row,) = parse("huawei_vrp8", "commit trial", wide)
    assert row["warning"].endswith("ends.")


def test_an_empty_output_is_no_rows() -> None:
    assert parse("ruijie_rgos", "show arp", " \n\n") == []


@given(st.sampled_from(KNOWN), st.binary(max_size=400))
def test_no_bytes_crash_a_parser(known: tuple[str, str], raw: bytes) -> None:
    with suppress(NotUnderstood):
        json.dumps(parse(*known, decode(raw)))


@given(st.sampled_from(TRANSCRIPTS), st.data())
def test_no_damage_to_a_transcript_crashes_its_parser(file: Path, data: st.DataObject) -> None:
    raw = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        raw[start : start + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=12))
    with suppress(NotUnderstood):
        json.dumps(parse(file.parent.name, command_of(file), decode(bytes(raw))))


class TestCommand:
    """``sanwang cli`` as it is typed."""

    def test_rows_are_the_last_line_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        file = OURS / "ruijie_rgos" / "show_vlan__four.raw"
        assert main(["cli", "parse", "ruijie_rgos", "show vlan", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1]) == expected(file)

    def test_a_table_is_printed_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        file = OURS / "ruijie_rgos" / "show_vlan__four.raw"
        assert main(["cli", "parse", "ruijie_rgos", "show vlan", str(file)]) == 0
        assert "court office" in capsys.readouterr().out

    def test_a_line_not_understood_is_exit_1_with_the_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "out.txt"
        file.write_text("hello\n")
        assert main(["cli", "parse", "zte_zxr10", "show version", str(file)]) == 1
        assert "line 1" in (told := capsys.readouterr().err)
        assert "'hello'" in told

    @pytest.mark.parametrize("platform", ["no_such_os", "huawei_vrp8"])
    def test_unknown_names_are_exit_2(self, platform: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "out.txt"
        file.write_text("hello\n")
        assert main(["cli", "parse", platform, "show nonsense", str(file)]) == 2
        assert ("display version" if platform == "huawei_vrp8" else "huawei_vrp8") in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["absent.txt", ".", "a\0b"])
    def test_a_file_that_cannot_be_read_is_exit_2(
        self, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["cli", "parse", "huawei_vrp8", "display version", str(tmp_path / name)]) == 2
        assert "cannot be read" in capsys.readouterr().err

    def test_what_is_known_is_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["cli", "list", "--json"]) == 0
        assert {*ALIASES, *platforms()} == set(json.loads(capsys.readouterr().out))
        assert main(["cli", "list", "ruijie_os"]) == 0
        assert "show ip ospf neighbor\n" in capsys.readouterr().out
        assert main(["cli", "list", "no_such_os"]) == 2

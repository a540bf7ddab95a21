"""The exit's record of translations: what the kernel says, who held a public end when, and what is kept how long."""

from __future__ import annotations

import gzip
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from provision.platforms.linux.natlog import holder, kept, path_of, row, tidy

PUBLIC = frozenset({"198.18.32.21"})
NEW = (
    "[1795322881.085135]\t    [NEW] tcp      6 120 SYN_SENT src=10.8.11.10 dst=203.0.113.80 sport=40000 dport=80"
    " [UNREPLIED] src=203.0.113.80 dst=198.18.32.21 sport=80 dport=40112"
)
END = (
    "[1795322890.004000]\t[DESTROY] tcp      6 src=10.8.11.10 dst=203.0.113.80 sport=40000 dport=80 packets=5 bytes=400"
    " src=203.0.113.80 dst=198.18.32.21 sport=80 dport=40112 packets=4 bytes=300 [ASSURED]"
)
PING = (
    "[1795322881.5]\t    [NEW] icmp     1 30 src=10.8.11.10 dst=203.0.113.80 type=8 code=0 id=25344 [UNREPLIED]"
    " src=203.0.113.80 dst=198.18.32.21 type=0 code=0 id=7"
)


def rows(*lines: str) -> list[list[str]]:
    return [found for line in lines if (found := row(line, PUBLIC))]


def test_a_translation_is_a_row_and_what_was_not_translated_is_none() -> None:
    assert row(NEW, PUBLIC) == [
        "2026-11-22T04:48:01.085",
        "new",
        "tcp",
        "10.8.11.10",
        "40000",
        "203.0.113.80",
        "80",
        "198.18.32.21",
        "40112",
    ]
    ended, pinged = rows(END, PING)
    assert (ended[1], ended[3:5], ended[7:]) == ("end", ["10.8.11.10", "40000"], ["198.18.32.21", "40112"])
    assert (pinged[2], pinged[4], pinged[8]) == ("icmp", "25344", "7")
    assert row(NEW.replace("dst=198.18.32.21", "dst=10.8.11.10"), PUBLIC) is None
    own = NEW.replace("src=10.8.11.10", "src=198.18.32.21")
    assert row(own, PUBLIC) is None


@given(st.text())
def test_no_line_confuses_it(line: str) -> None:
    assert row(line, PUBLIC) is None


def test_a_public_end_is_held_from_its_begin_to_its_end() -> None:
    written = rows(NEW, END)
    assert holder(written, "198.18.32.21", "40112", "2026-11-22T04:48:00.999") is None
    held = holder(written, "198.18.32.21", "40112", "2026-11-22T04:48:05.999")
    assert held is not None
    assert (held["inside"], held["inside_port"], held["outside"]) == ("10.8.11.10", "40000", "203.0.113.80")
    assert holder(written, "198.18.32.21", "40112", "2026-11-22T05:00:00.999") is None
    assert holder(written, "198.18.32.21", "40113", "2026-11-22T04:48:05.999") is None


def test_past_days_are_compressed_and_still_read_and_old_ones_go(tmp_path: Path) -> None:
    folder = str(tmp_path)
    for day in ("2026-05-01", "2026-11-21", "2026-11-22"):
        line = NEW if day == "2026-11-22" else END
        Path(path_of(folder, day)).write_text("\t".join(rows(line)[0]) + "\n")
    tidy(folder, "2026-11-22", 190)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-11-21.tsv.gz", "2026-11-22.tsv"]
    assert [each[1] for each in kept(folder, "2026-11-22T05:00:00")] == ["end", "new"]
    with gzip.open(tmp_path / "2026-11-21.tsv.gz", "rt") as packed:
        assert packed.read().count("\t") == 8
    tidy(folder, "2026-11-22", 190)
    assert len(list(tmp_path.iterdir())) == 2

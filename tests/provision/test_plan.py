"""A saved plan: the same when read again, and no byte of it can be edited unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.change.diff import counts, file_diff, printable
from provision.change.plan import (
    Evidence,
    Plan,
    PlanError,
    bundle_fingerprint,
    canonical,
    county_fingerprint,
    digest_of,
    state_fingerprint,
)
from tests.provision import plans


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    county = plans.county(folder / "county")
    held = plans.without_line(county, "c1-fw", "/etc/nftables.conf", "school-portal")
    plan = plans.make(county, {"c1-fw": held, "b01-rt": plans.Held.as_model(county, "b01-rt")})
    plan = plan.with_evidence(
        Evidence("rehearsal", "2027-05-01T08:00:00+00:00", True, "县内全通", {"pairs": 12, "s": 1.5})
    )
    plan.save(folder / "it.plan")
    return folder / "it.plan"


def test_what_is_loaded_is_what_was_saved(saved: Path) -> None:
    plan = Plan.load(saved)
    plan.save(saved.with_suffix(".again"))
    assert saved.with_suffix(".again").read_bytes() == saved.read_bytes()
    assert plan.digest == json.loads(saved.read_text())["digest"]
    assert [device.host for device in plan.devices] == ["c1-fw"]
    assert plan.device("c1-fw").groups == ("nft",)
    with pytest.raises(KeyError, match="b01-rt"):
        plan.device("b01-rt")


@given(data=st.data())
def test_any_edit_of_any_byte_is_found(saved: Path, data: st.DataObject) -> None:
    good = saved.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    kind = data.draw(st.sampled_from(["change", "insert", "delete", "swap"]))
    byte = data.draw(st.binary(min_size=1, max_size=1))
    if kind == "change":
        bad = good[:at] + byte + good[at + 1 :]
    elif kind == "insert":
        bad = good[:at] + byte + good[at:]
    elif kind == "delete":
        bad = good[:at] + good[at + 1 :]
    else:
        other = data.draw(st.integers(0, len(good) - 1))
        swapped = bytearray(good)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        bad = bytes(swapped)
    if bad == good:
        return
    with pytest.raises(PlanError) as found:
        Plan.parse(bad, "it.plan")
    assert str(found.value).startswith("it.plan: ")
    assert "sanwang plan" in str(found.value)


def test_every_single_byte_flipped_is_found(saved: Path) -> None:
    good = saved.read_bytes()
    for at in range(0, len(good), 7):
        with pytest.raises(PlanError):
            Plan.parse(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])


@given(st.binary(max_size=400))
def test_no_bytes_of_others_are_a_plan(text: bytes) -> None:
    with pytest.raises(PlanError):
        Plan.parse(text)


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (lambda document: document["content"].update(why="another"), "digest"),
        (lambda document: document["evidence"][0].update(good=False), "seal"),
        (lambda document: document.update(format="sanwang plan 9"), "format"),
        (lambda document: document.update(more=1), "keys"),
        (lambda document: document.update(content=[]), "content"),
    ],
)
def test_an_edit_is_named_by_its_place(saved: Path, edit: object, key: str) -> None:
    document = json.loads(saved.read_text())
    edit(document)  # type: ignore[operator]
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    with pytest.raises(PlanError, match=f"it: {key}: found"):
        Plan.parse(text.encode(), "it")


def test_a_plan_with_a_right_seal_and_a_wrong_shape_is_refused(saved: Path) -> None:
    """Whoever edits may compute digest and seal anew: the shape is still held, and the signature no longer fits."""
    for edit in (
        lambda content: content.update(devices="none"),
        lambda content: content["devices"][0].update(extra=1),
        lambda content: content["touches"].update(links_age_s="3"),
        lambda content: content["stages"][0].update(hosts=["b01-rt"]),
        lambda content: content["stages"].clear(),
        lambda content: content.update(window_end="tomorrow"),
        lambda content: content.update(window_start="2027-05-01T09:00:00"),
    ):
        document = json.loads(saved.read_text())
        edit(document["content"])
        document["digest"] = digest_of(document["content"])
        document["seal"] = digest_of({key: value for key, value in document.items() if key != "seal"})
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        with pytest.raises(PlanError, match="found"):
            Plan.parse(text.encode())


def test_no_file_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="No such file"):
        Plan.load(tmp_path / "nothing.plan")
    with pytest.raises(PlanError, match="Is a directory"):
        Plan.load(tmp_path)


def test_fingerprints_move_with_what_they_cover(tmp_path: Path) -> None:
    state = {"files": {"/a": {"sha256": "1", "mode": "0644"}}, "running": {"nft": "2"}, "drift": {}}
    assert state_fingerprint(state) == state_fingerprint(state | {"drift": {"nft": ["told"]}})
    for other in ({"files": {}}, {"running": {"nft": "3"}}):
        assert state_fingerprint(state) != state_fingerprint(state | other)
    files = [("/a", "0644", "x"), ("/b", "0600", "y")]
    assert bundle_fingerprint(files) == bundle_fingerprint(reversed(files))
    assert len({bundle_fingerprint([("/a", mode, text)]) for mode in ("0644", "0600") for text in "xy"}) == 4
    (tmp_path / "a.yml").write_text("a: 1\n")
    before = county_fingerprint(tmp_path)
    (tmp_path / "notes.txt").write_text("not read by anybody")
    assert county_fingerprint(tmp_path) == before
    (tmp_path / "a.yml").rename(tmp_path / "b.yml")
    assert county_fingerprint(tmp_path) != before


def test_canonical_is_one_text_per_value() -> None:
    assert (
        canonical({"b": 1, "a": ["县", None]})
        == canonical({"a": ["县", None], "b": 1})
        == '{"a":["县",null],"b":1}'.encode()
    )
    with pytest.raises(ValueError):
        canonical(float("nan"))


def test_a_diff_tells_what_the_mask_hides_and_what_the_mode_is() -> None:
    assert "a secret in it differs" in file_diff("/etc/wg0.conf", "key <secret>\n", "key <secret>\n")
    moved = file_diff("/x", "a\n", "a\n", mode_before="0644", mode_after="0600")
    assert " mode 0644 becomes 0600" in moved
    assert "secret" not in moved
    text = file_diff("/x", "a\nb\n", "a\nc\nd\n", mode_before="0644", mode_after="0644")
    assert text.splitlines()[:2] == ["--- /x", "+++ /x"]
    assert counts(text) == (2, 1)


@given(st.text())
def test_nothing_shown_can_move_the_cursor_or_turn_the_line_round(text: str) -> None:
    shown = printable(text)
    assert not any(char in shown for char in "\x1b\r\x08\x9b\u202e\u2066\ud800")
    shown.encode()
    if all(char.isprintable() or char in "\n\t" for char in text):
        assert shown == text

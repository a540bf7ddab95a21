"""A dead switch's successor of another vendor: what is written into the county's files, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills import replace
from drills.lab import Lab
from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.places import Places
from provision import play
from provision.broker.county import County
from provision.change import applied
from store.audit import AuditEntry
from store.engine import open_store
from tests.provision import plans
from twin.county import Twin

COMMENT = "  # by the window\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """An instance without a twin: b01's switch is Huawei's and dead, b02 has none."""
    monkeypatch.setattr(Places, "lib", property(lambda _: tmp_path / "lib"))
    monkeypatch.setattr(Places, "run", property(lambda _: tmp_path / "run"))
    monkeypatch.delenv("SANWANG_DATABASE", raising=False)
    places = Places("zpunit")
    for folder in (places.lib, places.run):
        folder.mkdir()
    county = plans.county(tmp_path / "county")
    sites = county.folder / "sites.yml"
    rows = []
    for row in sites.read_text(encoding="utf-8").splitlines(keepends=True):
        for code, switch in (("b01", "switch: huawei_vrp8, "), ("b02", "")):
            if row.startswith(f"  {code}: "):
                bare = re.sub(r"switch: \w+, ", "", row.rstrip("\n"))
                row = bare.replace("homes:", f"{switch}homes:") + COMMENT
        rows.append(row)
    sites.write_text("".join(rows), encoding="utf-8")
    (places.lib / "county").write_text(f"{county.folder}\n")
    applied.keep(places, county.folder)
    open_store(places.database).close()
    model = load_model(county.folder)
    monkeypatch.setattr(replace, "_answers", lambda lab, host: host == "t01-rt")
    with plans.broker(County(county.folder), {}, places.broker_socket):
        yield Lab(places, model, Twin(model, places))


def folder(lab: Lab) -> Path:
    return Path((lab.places.lib / "county").read_text().strip())


def test_one_value_of_one_file_changes_and_the_audit_says_who_and_why(lab: Lab) -> None:
    before = {path.name: path.read_text(encoding="utf-8") for path in folder(lab).glob("*.yml")}
    replace.other_vendor(lab, "b01-sw", "ruijie_rgos", "lightning")
    after = {path.name: path.read_text(encoding="utf-8") for path in folder(lab).glob("*.yml")}
    assert {name for name in before if before[name] != after[name]} == {"sites.yml"}
    old, new = (texts["sites.yml"].splitlines() for texts in (before, after))
    (changed,) = [at for at in range(len(old)) if old[at] != new[at]]
    assert len(old) == len(new)
    assert new[changed].split() == old[changed].replace("huawei_vrp8", "ruijie_rgos").split(), "its comment stays too"
    assert COMMENT.strip() in new[changed]
    assert load_model(folder(lab)).hosts["b01-sw"].platform == "ruijie_rgos"
    assert load_model(applied.folder(lab.places)).hosts["b01-sw"].platform == "ruijie_rgos"
    store = open_store(lab.places.database)
    with store.reading() as session:
        (entry,) = session.query(AuditEntry).all()
        assert (entry.what, entry.why) == ("replace", "lightning")
        assert "huawei_vrp8" in str(entry.detail)
        assert "ruijie_rgos" in str(entry.detail)
    store.close()


@pytest.mark.parametrize(
    ("host", "platform", "words"),
    [
        ("t01-rt", "ruijie_rgos", "which is no access switch; expected one of t01-sw"),
        ("x99-sw", "ruijie_rgos", "which is no access switch"),
        ("b01-sw", "cisco_ios", "found 'cisco_ios'; expected one of huawei_vrp5"),
    ],
)
def test_what_cannot_be_replaced_so_is_refused_and_nothing_is_written(
    lab: Lab, host: str, platform: str, words: str
) -> None:
    before = (folder(lab) / "sites.yml").read_text(encoding="utf-8")
    with pytest.raises(play.PlayError, match=words):
        replace.other_vendor(lab, host, platform)
    assert (folder(lab) / "sites.yml").read_text(encoding="utf-8") == before


def test_a_switch_that_answers_is_not_dead(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replace, "_answers", lambda *_: True)
    with pytest.raises(play.PlayError, match="answers in band"):
        replace.other_vendor(lab, "b01-sw", "ruijie_rgos")


def test_a_county_with_errors_is_left_as_it_is(lab: Lab) -> None:
    services = folder(lab) / "services.yml"
    services.write_text(services.read_text(encoding="utf-8") + "\nnonsense: 1\n", encoding="utf-8")
    before = (folder(lab) / "sites.yml").read_text(encoding="utf-8")
    with pytest.raises(CountyErrors):
        replace.other_vendor(lab, "b01-sw", "ruijie_rgos")
    assert (folder(lab) / "sites.yml").read_text(encoding="utf-8") == before


def test_the_drill_takes_another_vendor_than_the_switch_has(lab: Lab) -> None:
    switch, platform = replace.choose_switch(lab.model)
    assert switch.endswith("-sw")
    assert platform != lab.model.hosts[switch].platform

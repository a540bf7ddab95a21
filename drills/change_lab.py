"""A running county whose files are borrowed for a drill: changed and changed back, planned, signed by a second person.

The county's own folder is never touched: the instance reads a copy until the drill is over.  A drill that was killed is
cleaned up by the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ruamel.yaml import YAML

from drills.errors import Missing
from drills.lab import Lab
from identity.person_key import public_text
from inventory.model import NetworkModel, SiteKind
from inventory.places import Places
from provision.broker.county import County
from provision.change import applied, approval, planner
from provision.change.plan import Plan, county_fingerprint
from store.engine import open_store
from twin import rewire

AUTHOR, APPROVER = "drillauthor", "drillapprover"
_NOT_SITES = {"county", "networks", "services", "people", "ducts", "halls", "policy", "switches"}
_MARK = " (drill)"


@dataclass
class ChangeLab:
    """The borrowed county."""

    lab: Lab
    folder: Path
    texts: dict[str, str]  # its files as they were
    key: Ed25519PrivateKey

    def write(self, *, marked: bool) -> None:
        """Write the county as it was, or with the drill's change in it."""
        for name, text in self.texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        if not marked:
            return
        yaml = YAML()
        newcomer = _newcomer(self.lab.model)
        for name in self.texts:
            document = yaml.load(self.folder / name)
            if isinstance(document, dict) and _mark(document, newcomer):
                yaml.dump(document, self.folder / name)

    def plan(self) -> tuple[Plan, Path]:
        """A plan of what the files say now, signed by the second person, and where it is saved.

        The cables that it needs are plugged first, as a technician would.
        """
        places, client = self.lab.places, self.lab.broker()
        county = County(self.folder)
        rewire.plug(self.lab.twin, county.model)
        before, now = county_fingerprint(self.folder), datetime.now(UTC)
        looked = planner.look(client, county)
        planner.require_all(looked)
        if not looked.devices:
            raise Missing("the drill's change changes no device", "look at what the county's files say")
        window = planner.Window(now - timedelta(seconds=1), now + timedelta(hours=2))
        store = open_store(places.database)
        try:
            made = planner.make_plan(
                looked, county, places, store, author=AUTHOR, why="drill", window=window, before=before
            )
        finally:
            store.close()
        signed = approval.approve(
            made, county.model, APPROVER, self.key, fingerprint=before, account="drill", now=datetime.now(UTC)
        )
        path = self.folder.with_name("drill.plan")
        signed.save(path)
        return signed, path


def _newcomer(model: NetworkModel) -> tuple[str, str]:
    """(a closed group, a dual-homed body that is not in it); empty names where the county has no such pair."""
    for network in model.networks.values():
        for site in model.sites.values():
            fits = site.kind is SiteKind.BODY and site.dual_homed and network.name not in site.networks
            if network.kind == "closed" and fits:
                return network.name, site.code
    return "", ""


def _mark(document: dict[str, Any], newcomer: tuple[str, str]) -> bool:
    """Put the change into one file's document; whether it has any part in it."""
    touched = False
    for section, items in document.items():
        if section not in _NOT_SITES and isinstance(items, dict):
            for item in items.values():
                if isinstance(item, dict) and "number" in item and "en" in item:
                    item["en"] = str(item["en"]) + _MARK
                    touched = True
    for rule in document.get("policy") or ():
        rule["name"] = f"{rule['name']}-drill"
        touched = True
    group = (document.get("networks") or {}).get(newcomer[0])
    if group is not None:
        group["members"].append(newcomer[1])
        touched = True
    return touched


@contextmanager
def borrowed(lab: Lab) -> Iterator[ChangeLab]:
    """The instance reads a copy of its county, with two more people, until the block ends."""
    record = lab.places.lib / "county"
    folder = lab.places.lib / "drill-county"
    _give_back(lab.places)
    original = Path(record.read_text().strip())
    folder.mkdir(mode=0o700)
    for file in sorted(original.glob("*.yml")):
        shutil.copy(file, folder / file.name)
    key = Ed25519PrivateKey.generate()
    _add_people(folder, key)
    if applied.folder(lab.places).is_dir():
        shutil.copytree(applied.folder(lab.places), folder / "applied")
    (folder / "original").write_text(f"{original}\n")
    _point(record, folder)
    try:
        lab.broker().call("reload_model")
        yield ChangeLab(
            lab, folder, {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.yml")}, key
        )
    finally:
        _give_back(lab.places)
        lab.broker().call("reload_model")
        rewire.plug(lab.twin, lab.model)
        rewire.unplug(lab.twin)


def _give_back(places: Places) -> None:
    """Point the instance at its own folder again; also after a drill that was killed."""
    folder = places.lib / "drill-county"
    if (folder / "original").exists():
        _point(places.lib / "county", Path((folder / "original").read_text().strip()))
        if (folder / "applied").is_dir():
            applied.keep(places, folder / "applied")
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name("drill.plan").unlink(missing_ok=True)


def _point(record: Path, folder: Path) -> None:
    beside = record.with_name("county.new")
    beside.write_text(f"{folder}\n")
    beside.replace(record)


def _add_people(folder: Path, key: Ed25519PrivateKey) -> None:
    yaml = YAML()
    for file in sorted(folder.glob("*.yml")):
        document = yaml.load(file)
        if isinstance(document, dict) and isinstance(document.get("people"), dict):
            for login, public in ((AUTHOR, ""), (APPROVER, public_text(key))):
                person = {"zh": "演练", "en": "Drill", "roles": ["engineer"]}
                document["people"][login] = person | ({"public_key": public} if public else {})
            yaml.dump(document, file)
            return
    raise Missing("the county's files name no people", "add a section `people:`")

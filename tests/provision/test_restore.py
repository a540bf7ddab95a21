"""One device gets back what git kept of it: real device tool, real archive, real broker; only SSH is not there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from collectors.tables import LinkStateRow, write_links
from identity.secrets import Secrets
from inventory.places import Places
from provision.backup.archive import Archive, Kept, Snapshot, place
from provision.backup.restore import Restore
from provision.broker.client import BrokerClient
from provision.broker.devices import Devices
from provision.broker.wire import BrokerError
from provision.change.checks import NotNow
from store.audit import AuditEntry
from store.engine import open_store
from tests.provision.box import Box
from tests.provision.boxes import Bench

pytestmark = pytest.mark.twin
HOST = "t01-rt"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(Places, "lib", property(lambda _: tmp_path / "lib"))
    monkeypatch.delenv("SANWANG_DATABASE", raising=False)
    (tmp_path / "lib").mkdir()
    places = Places("zsunit")
    store = open_store(places.database)
    box = Box(tmp_path / HOST)

    async def enrolled(*_: object) -> bool:
        return True

    monkeypatch.setattr(Devices, "enrolled", enrolled)
    try:
        box.start()
        made = Bench(tmp_path / "county", {HOST: box}, store, places)
        now = datetime.now(UTC)
        with store.session() as session:
            write_links(session, dict.fromkeys(made.county.model.links, ("up", "", now)))
        yield made
    finally:
        with contextlib.suppress(AssertionError):
            box.cut()
        store.close()


def kept(bench: Bench, client: BrokerClient, comment: str, **more: str) -> str:
    """The box gets a ruleset with this comment, and git keeps it."""
    box = bench.boxes[HOST]
    assert box.device("apply", bundle=box.bundle(comment, **more))["errors"] == []
    return str(client.call("backup", hosts=[HOST], why=comment)["commit"])


def restore(bench: Bench, client: BrokerClient, commit: str = "") -> Restore:
    return Restore(client, bench.county.model, bench.store, HOST, commit, why="a test")


def test_an_older_commit_comes_back_whole(bench: Bench) -> None:
    box = bench.boxes[HOST]
    with bench.broker() as client:
        first = kept(bench, client, "first", **{"x.conf": "port 1\n"})
        kept(bench, client, "second", **{"y.conf": "port 2\n"})
        asked = restore(bench, client, first[:9])
        assert asked.commit == first
        assert {each["path"] for each in asked.found["diff"]} == {
            "/etc/nftables.conf",
            "/etc/sanwang/x.conf",
            "/etc/sanwang/y.conf",
        }
        assert box.has() == "second", "looking changes nothing"
        done = asked.run(confirm_s=30)
        assert (done.outcome, done.reasons, done.good) == ("restored", [], True)
        assert box.has() == "first"
        assert box.run("cat", "/etc/sanwang/x.conf").stdout == "port 1\n"
        assert box.run("test", "-e", "/etc/sanwang/y.conf").returncode == 1
        assert box.device("state")["pending"] is None, "it is confirmed"
        assert restore(bench, client, first).run(confirm_s=30).outcome == "unchanged", "twice is once"
    with bench.store.reading() as session:
        told = [entry.what for entry in session.query(AuditEntry).order_by(AuditEntry.number)]
    assert told[-3:] == ["restore.sent", "confirm", "restore"]


def test_what_makes_a_neighbour_ill_is_taken_back(bench: Bench) -> None:
    box = bench.boxes[HOST]
    with bench.broker() as client:
        first = kept(bench, client, "first")
        kept(bench, client, "second")
        asked = restore(bench, client, first)
        sent = asked._ask

        def ask(method: str, **params: object) -> dict[str, object]:
            answer = sent(method, **params)
            if method == "restore":
                bench.ill.add("c1-core")
            return answer

        asked._ask = ask  # type: ignore[method-assign]
        done = asked.run(confirm_s=6)
        assert (done.outcome, done.good) == ("reverted", False)
        assert done.reasons == ["c1-core: c1-core is ill"]
        assert box.has() == "second"
        bench.ill = {HOST}  # ill before, ill after: that is no reason against it
        assert restore(bench, client, first).run(confirm_s=6).outcome == "restored"
        assert box.has() == "first"


def test_what_moved_between_the_look_and_the_change_is_refused(bench: Bench) -> None:
    with bench.broker() as client:
        first = kept(bench, client, "first")
        kept(bench, client, "second")
        asked = restore(bench, client, first)
        kept(bench, client, "third")
        with pytest.raises(BrokerError, match="no longer as it was") as stale:
            asked.run(confirm_s=30)
        assert stale.value.kind == "stale"
        assert bench.boxes[HOST].has() == "third"


def test_a_secret_comes_from_the_vault_and_one_that_is_gone_is_refused(bench: Bench) -> None:
    box, identity = bench.boxes[HOST], bench.places.lib / "identity"
    value = Secrets(identity).resolve(f"wg/{HOST}")
    with bench.broker() as client:
        kept(bench, client, "first")
        archive = Archive(place(bench.places))
        snapshot = archive.snapshot(HOST)
        assert snapshot is not None
        wg = Kept(f"PrivateKey = @secret:wg/{HOST}@\n", "0600", "of another value", "sysctl")
        commit = archive.put({HOST: Snapshot({**snapshot.files, "/etc/sanwang/wg": wg})}, who="li", what="x", why="")
        asked = restore(bench, client, commit)
        assert asked.found["renewed"] == ["/etc/sanwang/wg"]
        assert value not in str(asked.found)
        assert asked.run(confirm_s=30).good
        assert box.run("cat", "/etc/sanwang/wg").stdout == f"PrivateKey = {value}\n"
        Secrets(identity).burn(HOST, "stolen")
        with pytest.raises(BrokerError, match=f"wg/{HOST} is no longer in the vault"):
            restore(bench, client, commit)
        hidden = Kept("password=<secret>\n", "0600", "of a value", "sysctl")
        commit = archive.put({HOST: Snapshot({"/etc/sanwang/p": hidden})}, who="li", what="x", why="")
        with pytest.raises(BrokerError, match="/etc/sanwang/p line 1 holds a secret that the vault never knew"):
            restore(bench, client, commit)


def test_what_is_not_there_is_told(bench: Bench) -> None:
    with bench.broker() as client:
        with pytest.raises(BrokerError, match="never kept"):
            restore(bench, client)
        commit = kept(bench, client, "first")
        for wrong, why in (("feed", "'feed' is no commit"), ("--all", "is no commit"), (commit + "0", "is no commit")):
            with pytest.raises(BrokerError, match=why):
                restore(bench, client, wrong)
        with pytest.raises(BrokerError, match="holds nothing of c1-core"):
            client.call("restore", host="c1-core", commit=commit, check=True)
        with pytest.raises(BrokerError, match="did you mean t01-rt"):
            client.call("restore", host="t1-rt", check=True)


def test_protection_that_is_not_known_stops_it(bench: Bench) -> None:
    with bench.broker() as client:
        first = kept(bench, client, "first")
        kept(bench, client, "second")
        links = bench.county.model.links
        now = datetime.now(UTC)
        with bench.store.session() as session:
            session.execute(update(LinkStateRow).values(checked_at=now - timedelta(minutes=5)))
        with pytest.raises(NotNow, match="protection is not known"):
            restore(bench, client, first).run(confirm_s=30)
        with bench.store.session() as session:
            write_links(session, dict.fromkeys(links, ("up", "", now)) | {"ring-c1-c2": ("down", "cut", now)})
        with pytest.raises(NotNow, match="already switched"):
            restore(bench, client, first).run(confirm_s=30)
        with bench.store.session() as session:  # the device's own fibre may be down because of what is put right
            write_links(session, dict.fromkeys(links, ("up", "", now)) | {"t01-c1": ("down", "cut", now)})
        assert restore(bench, client, first).run(confirm_s=30).outcome == "restored"

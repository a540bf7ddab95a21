"""A meeting is recorded: real halls, a real relay, the recorder in its own process; both are killed on the way."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import av
import pytest

from bench.soak_centre import Ground
from inventory.places import Places
from sanwang import meet
from sanwang import meeting as meeting_commands
from store.audit import AuditEntry
from tests.vconf import recorded
from tests.vconf.recorded import Centre, Sent, until
from vconf.client.peer import Peer
from vconf.load import clip
from vconf.load.camera import Camera
from vconf.load.crowd import Crowd
from vconf.load.hall import Hall
from vconf.recording import library
from vconf.recording.sealed import SealedReader, unwrap
from vconf.recording.track import parts
from vconf.tables import RecordingRow


class Loss:
    """Every so-manyth packet of pictures and sound that a hall sends is lost while ``every`` is set."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.every = self.lost = 0
        count, really = [0], Peer.send_raw

        def lossy(peer: Peer, data: bytes) -> None:
            if self.every and data[0] >> 6 == 2 and data[1] & 0x7F in (96, 97, 111):
                count[0] += 1
                if count[0] % self.every == 0:
                    self.lost += 1
                    return
            really(peer, data)

        patch.setattr(Peer, "send_raw", lossy)


async def _slides(hall: Hall, camera_of: Any) -> asyncio.Task[None]:
    """The hall shows its second stream."""
    peers: list[Peer] = []
    transport, peer = await hall._transport(peers)
    camera = Camera(peer, camera_of)
    await hall._channel.request(
        "produce", transport=transport, kind="video", source="slides", rtpParameters=camera.video(), paused=False
    )
    await hall._channel.request("act", action="slides", on=True)

    async def send() -> None:
        try:
            while True:
                camera.due(time.monotonic())
                await asyncio.sleep(0.02)
        finally:
            await peer.close()

    return asyncio.create_task(send())


def _row(centre: Centre) -> RecordingRow:
    with centre.store.reading() as session:
        return library.get(session, "1-1")


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_a_meeting_is_recorded_through_crashes(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent, loss = Sent(), Loss(monkeypatch)
    sent.listen(monkeypatch)
    films = [recorded.film(tmp_path, venue) for venue in (0, 1)]
    meeting = ground.book(["t01", "t02", "t03"], 30)
    centre = Centre(ground, library.Limits(free_bytes=1))
    told: dict[str, Any] = {}

    async def meet_() -> None:
        async with centre.running():
            way = ground.way(centre.port, meeting)
            crowds = [Crowd(way, film) for film in films]
            first, second = crowds[0].join("t01"), crowds[1].join("t02")
            await until(lambda: all(hall.inside and not hall.dark() for hall in (first, second)))

            def recording() -> Any:
                return first.conference["recording"]

            async def act(action: str, **args: Any) -> None:
                await first._channel.request("act", action=action, **args)

            await act("startRecording")
            assert second.conference["recording"] is not None
            await until(lambda: recording()["running"])
            told["began"] = time.monotonic()
            await until(lambda: (centre.keeper.running("1-1") or {}).get("streams") == 4)
            late = Crowd(way, None)
            third = late.join("t03")
            await until(lambda: third.inside)
            assert third.conference["recording"]["by"] == "t01"
            await act("broadcast", venue="t02")
            await asyncio.sleep(2.5)
            loss.every = 8
            await asyncio.sleep(1.5)
            loss.every = 0
            await act("broadcast", venue="t01")
            slides = await _slides(first, films[1])
            await asyncio.sleep(2.5)
            slides.cancel()
            # the recorder is killed: what it wrote plays, the chair is told, another one goes on
            told["killed"] = time.monotonic()
            pid = centre.kill_recorder("1-1")
            await until(lambda: recording()["problem"] == "died")
            await until(lambda: recording()["running"])
            assert (centre.keeper.running("1-1") or {})["pid"] != pid
            await asyncio.sleep(2.0)
            # the relay is killed
            await centre.kill_relay()
            told["relay"] = time.monotonic()
            await centre.start_relay()
            await until(lambda: first.inside and second.inside and not first.dark() and recording()["running"])
            await asyncio.sleep(2.5)
            await act("stopRecording")
            await until(lambda: _row(centre).ended_at is not None)
            assert recording() is None
            assert centre.keeper.running("1-1") is None
            row = _row(centre)
            assert row.octets == library.octets_in(centre.folder / "1-1") > 100_000
            assert row.key is not None
            await crowds[0].leave(["t01"])
            await crowds[1].leave(["t02"])
            await late.leave(["t03"])

    asyncio.run(meet_())
    assert loss.lost > 5

    # the command line takes it away, for a reason
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.setenv("SANWANG_DATABASE", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setenv("SANWANG_INSTANCE", "recorded")
    monkeypatch.setattr(meeting_commands, "load_model", lambda county: ground.model)
    out = tmp_path / "out"
    assert meet.main(["recording", "export", "1-1", "--why", " ", "--to", str(out)]) == 2
    assert not out.exists()
    capsys.readouterr()
    assert meet.main(["recording", "export", "1-1", "--why", "training", "--to", str(out), "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out.splitlines()[-1])["manifest"]
    assert manifest == json.loads((out / "manifest.json").read_text())
    _check_files(out, manifest, sent, films, told)

    # tampered with: refused, and nothing of it is left
    path = max((path for path, _ in parts(centre.folder / "1-1", "t02-video")), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert (
        meet.main(["recording", "export", "1-1", "--why", "again", "--only", "t02", "--to", str(tmp_path / "x")]) == 1
    )
    assert "is not what was written" in capsys.readouterr().out
    assert not list((tmp_path / "x").glob("*.mp4"))
    assert meet.main(["recording", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["recordings"][0]["id"] == "1-1"
    assert meet.main(["recording", "show", "1-1"]) == 0
    assert "programme-video" in capsys.readouterr().out
    assert meet.main(["recording", "delete", "1-1", "--why", "test"]) == 0
    assert not (centre.folder / "1-1").exists()
    assert meet.main(["recording", "export", "1-1", "--why", "too late"]) == 2
    assert "deleted" in capsys.readouterr().err
    _check_audit(ground)


def _check_files(out: Path, manifest: dict[str, Any], sent: Sent, films: list[Any], told: dict[str, Any]) -> None:
    files = {file["name"]: file for file in manifest["files"]}
    assert set(files) == {"programme.mp4", "slides.mp4", "t01.mp4", "t02.mp4"}
    kinds = [each["kind"] for each in manifest["chapters"]]
    assert kinds[:4] == ["start", "broadcast", "broadcast", "slides"]
    assert "resumed" in kinds
    offsets: dict[str, float] = {}
    for venue, name in enumerate(("t01.mp4", "t02.mp4")):
        seen = recorded.pictures(out / name)
        assert all(whose == venue for _, whose, _ in seen), "another venue's picture, or a broken one"
        apart = _apart([(at, number) for at, _, number in seen], sent.pictures[id(films[venue])], told["began"])
        offsets[name] = statistics.median(apart)
        steady = [abs(later - earlier) for earlier, later in itertools.pairwise(apart)]
        assert statistics.median(steady) < 0.03, "pictures keep their distances"
        beeps = [at for at, number in sent.sounds[id(films[venue])] if number == 0]
        heard, late = recorded.beeps(out / name), []
        for at in heard:  # beside the picture of that moment
            near = min(range(len(seen)), key=lambda index: abs(seen[index][0] - at))
            late.append(min((sent_s - at - apart[near] for sent_s in beeps), key=abs))
        print(name, len(seen), "pictures; sound after picture, seconds:", [round(each, 3) for each in late])
        assert len(heard) >= 4
        assert abs(statistics.median(late)) < 0.08
        crash = [at for at, _, _ in seen if at < told["killed"] - offsets[name]]
        assert len(crash) > 0.8 * clip.RATE * (crash[-1] - crash[0])
        assert len(seen) - len(crash) > 2 * clip.RATE, "it went on after both crashes"
    assert abs(offsets["t01.mp4"] - offsets["t02.mp4"]) < 0.5, "the venues share one time"
    shown = [whose for _, whose, _ in recorded.pictures(out / "programme.mp4")]
    assert [venue for venue, _ in itertools.groupby(shown)] in ([0, 1, 0], [1, 0]), "t02 was broadcast, then t01"
    assert -1 not in shown
    assert {whose for _, whose, _ in recorded.pictures(out / "slides.mp4")} == {1}
    with av.open(str(out / "programme.mp4")) as programme:
        assert len(programme.chapters()) == len(manifest["chapters"])
        assert programme.duration is not None
    # the recorder was killed: what is missing before the crash is two seconds at most
    crash_s = told["killed"] - offsets["t01.mp4"]
    before = [at for at, _, _ in recorded.pictures(out / "t01.mp4") if at < crash_s + 0.1]
    print("before the crash", round(crash_s - before[-1], 2), "s are lost")
    assert crash_s - before[-1] < 2.0
    assert files["t01.mp4"]["whole"] is False
    assert "WEBVTT" in (out / "chapters.zh.vtt").read_text()


def _apart(seen: list[tuple[float, int]], sent: list[tuple[float, int]], began_s: float) -> list[float]:
    """Of each picture how much later its camera's clock was when it sent it.

    A number comes every two seconds, and again when a keyframe was asked for: the one that fits the others is meant.
    """
    for _ in range(2):
        found = []
        for at, number in seen:
            candidates = [sent_s - at for sent_s, each in sent if each == number]
            found.append(min(candidates, key=lambda each: abs(each - began_s)))
        began_s = statistics.median(found)
    return found


def _check_audit(ground: Ground) -> None:
    store = ground.store()
    with store.reading() as session:
        entries = [entry for entry in session.query(AuditEntry).order_by(AuditEntry.number) if "ecording" in entry.what]
    store.close()
    what = [entry.what.removeprefix("meeting.") for entry in entries]
    assert what[0] == "startRecording"
    assert {"recordingProblem", "stopRecording", "recordingEnded"} <= set(what)
    assert what[-1] == "recordingDeleted"
    opened = next(entry for entry in entries if entry.what == "meeting.recordingOpened")
    assert opened.why == "training"
    assert json.loads(opened.detail)["recording"] == "1-1"


def test_without_room_nothing_is_recorded_until_there_is(ground: Ground) -> None:
    meeting = ground.book(["t01"], 30)
    centre = Centre(ground, library.Limits(quota_bytes=0, free_bytes=1))

    async def meet_() -> None:
        async with centre.running():
            crowd = Crowd(ground.way(centre.port, meeting), recorded.film(ground.folder, 0))
            hall = crowd.join("t01")
            await until(lambda: hall.inside)
            await hall._channel.request("act", action="startRecording")
            await until(lambda: hall.conference["recording"]["problem"] == "space")
            assert hall.conference["recording"]["running"] is False
            centre.keeper._limits = library.Limits(free_bytes=1)
            await until(lambda: hall.conference["recording"]["running"])
            await until(lambda: (centre.keeper.running("1-1") or {}).get("octets", 0) > 10_000)
            centre.keeper._limits = library.Limits(quota_bytes=1000, free_bytes=1)  # the disk fills
            await until(lambda: hall.conference["recording"]["problem"] == "space")
            await crowd.leave(["t01"])

    asyncio.run(meet_())
    with centre.ground.store().reading() as session:
        row = library.get(session, "1-1")
        assert "expected less than" in row.problem
        assert row.key is not None
        key = unwrap(ground.secrets.resolve("psk/recordings"), "1-1", row.key)
    for path, _ in parts(centre.folder / "1-1"):
        reader = SealedReader(path, key, "1-1")
        assert len(list(reader.chunks())) >= 1
        assert reader.ended, "ended in good order"

"""What a recording is made of: packets to frames, frames on one time, fragments, sealed files."""

from __future__ import annotations

import io
import itertools
import os
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from aiortc.codecs.vpx import Vp8Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from vconf.load import clip
from vconf.media import rtp
from vconf.recording import chapters, depacketise, sps, track
from vconf.recording.clock import StreamClock, VenueClock
from vconf.recording.depacketise import Frame
from vconf.recording.inbound import HOLD_S, Inbound
from vconf.recording.programme import Programme, featured
from vconf.recording.sealed import SealedReader, SealedWriter, SealError, new_key, unwrap, wrap
from vconf.recording.track import Track, parts

RATE = clip.RATE


@pytest.fixture(scope="module")
def film() -> clip.Clip:
    return clip.make()


def packets(film: clip.Clip, count: int, first: int = 65_500) -> list[rtp.Packet]:
    """Pictures of the clip as packets of one stream, the numbers going round."""
    found, sequence = [], first
    for number in range(count):
        payloads = film.pictures[number % len(film.pictures)].payloads
        for at, payload in enumerate(payloads, 1):
            timestamp = (0xFFFFF000 + number * 90_000 // RATE) & 0xFFFFFFFF
            found.append(rtp.Packet(102, sequence & 0xFFFF, timestamp, 7, payload, marker=at == len(payloads)))
            sequence += 1
    return found


def at_s(packet: rtp.Packet) -> float:
    """When its picture was taken."""
    return ((packet.timestamp - 0xFFFFF000) & 0xFFFFFFFF) / 90_000


def inbound() -> Inbound:
    return Inbound(7, True, depacketise.H264(), StreamClock(90_000, VenueClock()))


def received(stream: Inbound, arriving: Iterator[tuple[float, rtp.Packet]]) -> list[tuple[float, Frame]]:
    frames: list[tuple[float, Frame]] = []
    now_s = 0.0
    for now_s, packet in arriving:
        frames += stream.packet(packet, now_s)
        frames += stream.tick(now_s)
    frames += stream.tick(now_s + 2 * HOLD_S)
    return frames


def test_packets_become_the_frames_they_were_made_of(film: clip.Clip) -> None:
    frames = received(inbound(), ((at_s(packet), packet) for packet in packets(film, 60)))
    assert len(frames) == 60
    decoder = av.CodecContext.create("h264", "r")
    pictures = []
    for _, frame in frames:
        annexb = b"".join(b"\0\0\0\1" + unit for unit in units(frame.data))
        pictures += decoder.decode(av.Packet(annexb))
    assert len(pictures + decoder.decode(None)) == 60
    assert [frame.keyframe for _, frame in frames[:30]] == [number in (0, 15) for number in range(30)]
    assert sps.h264_size(next(units(frames[0][1].data))) == (clip.WIDTH, clip.HEIGHT)
    assert all(abs(at - number / RATE) < 0.001 for number, (at, _) in enumerate(frames))


def units(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


@given(
    order=st.randoms(use_true_random=False), lost=st.sets(st.integers(0, 150), max_size=12), spread=st.integers(1, 8)
)
@settings(max_examples=60, deadline=None)
def test_what_is_out_of_order_is_mended_and_what_is_lost_spoils_nothing_else(
    film: clip.Clip, order: random.Random, lost: set[int], spread: int
) -> None:
    """Every frame that comes out was sent, whole; after a loss none comes before a keyframe."""
    sent = packets(film, 45)
    original = received(inbound(), ((0.0, packet) for packet in sent))
    moved = sorted(
        ((number + order.random() * spread, packet) for number, packet in enumerate(sent) if number not in lost),
        key=lambda row: row[0],
    )
    stream = inbound()
    frames = [frame for _, frame in received(stream, ((at / 30, packet) for at, packet in moved))]
    whole = {frame.timestamp: frame.data for _, frame in original}
    assert all(whole[frame.timestamp] == frame.data for frame in frames)
    if not lost and moved[0][1].sequence == sent[0].sequence:
        assert len(frames) == 45
    at = [list(whole).index(frame.timestamp) for frame in frames]
    for earlier, later in itertools.pairwise(at):
        assert later == earlier + 1 or frames[at.index(later)].keyframe


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=60), st.booleans(), st.booleans()), max_size=40))
@settings(max_examples=300, deadline=None)
def test_whatever_outsiders_send_raises_nothing(said: list[tuple[int, bytes, bool, bool]]) -> None:
    for mime in ("video/h264", "video/vp8", "audio/opus"):
        reader = depacketise.of(mime)
        for timestamp, payload, marker, gap in said:
            if gap:
                reader.lost()
            frame = reader.packet(timestamp, payload, marker)
            if frame is not None and frame.keyframe and mime != "audio/opus":
                try:
                    size = sps.vp8_size(frame.data) if mime == "video/vp8" else sps.h264_size(frame.config[2:])
                    assert min(size) > 0
                except sps.SpsError:
                    pass


@given(st.binary(max_size=80))
@settings(max_examples=300)
def test_a_parameter_set_is_read_or_refused(unit: bytes) -> None:
    for data in (unit, b"\x67" + unit):
        try:
            assert min(sps.h264_size(data)) > 0
        except sps.SpsError:
            pass


def test_lost_packets_are_asked_for_and_then_a_keyframe(film: clip.Clip) -> None:
    stream, sent = inbound(), packets(film, 20)
    for number, packet in enumerate(sent[:10]):
        if number != 4:
            list(stream.packet(packet, number / 100))
    asked = stream.feedback(1, 0.2)
    assert len(asked) == 16  # one NACK, one number
    assert stream.feedback(1, 0.21) == b""
    list(stream.tick(2.0))
    assert stream.broken
    assert stream.figures.lost == 1
    assert stream.feedback(1, 2.0)[1] == 206  # a keyframe request


def test_sound_and_picture_meet_by_the_senders_reports() -> None:
    """The picture's packets come 200 ms late; both clocks count from anywhere."""
    venue = VenueClock()
    sound, picture = StreamClock(48_000, venue), StreamClock(90_000, venue)
    sound.report(int(5000.0 * 2**32), 1000)
    picture.report(int(5000.5 * 2**32), 77)
    heard = seen = 0.0
    for number in range(500):
        at = number / 50
        heard = sound.time((1000 + number * 960) & 0xFFFFFFFF, 300.0 + at + 0.01)
        seen = picture.time((77 - 45_000 + number * 1800) & 0xFFFFFFFF, 300.0 + at + 0.2)
        assert abs(heard - seen) < 0.2
    assert abs(heard - seen) < 0.002
    assert abs(heard - (300.0 + 499 / 50 + 0.01)) < 0.01
    for clock, zero, hz in ((sound, 1000, 48_000), (picture, 77 - 45_000, 90_000)):  # the sender's clock is set
        clock.report(int((5000.0 + 10 + 3600) * 2**32), (zero + 10 * hz) & 0xFFFFFFFF)
    assert abs(sound.time(1000 + 480_000, 310.01) - 310.01) < 0.02
    assert abs(picture.time(77 - 45_000 + 900_000, 310.2) - 310.01) < 0.02


def record(film: clip.Clip, folder: Path, key: bytes, pictures: range, sounds: range = range(0)) -> tuple[Track, Track]:
    seen, heard = Track(folder, "t01-video", key, "7-1"), Track(folder, "t01-audio", key, "7-1")
    for _, frame in received(inbound(), ((0.0, packet) for packet in packets(film, len(pictures)))):
        at = ((frame.timestamp - 0xFFFFF000) & 0xFFFFFFFF) / 90_000
        seen.add("h264", pictures.start / RATE + at, frame)
    for number in sounds:
        heard.add("opus", number / 50, Frame(number, film.sounds[number % 100].payload, True))
    return seen, heard


def played(path: Path, key: bytes) -> list[float]:
    """Times of all frames that can be decoded."""
    data = b"".join(list(SealedReader(path, key, "7-1").chunks())[1:])
    with av.open(io.BytesIO(data), "r") as found:
        frames = found.decode(video=0) if found.streams.video else found.decode(audio=0)
        return [float(frame.time) for frame in frames if frame.time is not None]


def test_fragments_play_and_gaps_stay_gaps(film: clip.Clip, tmp_path: Path) -> None:
    key = new_key()
    seen, heard = record(film, tmp_path, key, range(45), range(100))
    for number in range(200, 250):
        heard.add("opus", number / 50, Frame(number, film.sounds[number % 100].payload, True))
    seen.close()
    heard.close()
    video, audio = (played(path, key) for path in sorted(tmp_path.iterdir(), reverse=True))
    assert len(video) == 45
    assert [round(at * RATE) for at in video] == list(range(45))
    assert len(audio) == 150
    assert audio[100] - audio[99] > 1.9


def test_what_a_crash_leaves_plays_to_the_last_fragment(film: clip.Clip, tmp_path: Path) -> None:
    key = new_key()
    seen, _ = record(film, tmp_path, key, range(75))
    assert seen.file is not None
    path = seen.file.path
    seen.file.close(whole=False)  # what was in memory is gone
    times = played(path, key)
    assert 75 / RATE - times[-1] < 2.0
    reader = SealedReader(path, key, "7-1")
    chunks = len(list(reader.chunks()))
    assert not reader.ended
    os.truncate(path, path.stat().st_size - 5)
    torn = SealedReader(path, key, "7-1")
    assert len(list(torn.chunks())) == chunks - 1
    assert not torn.ended


def test_another_recorder_goes_on_in_a_part_of_its_own_and_sizes_are_told(film: clip.Clip, tmp_path: Path) -> None:
    key = new_key()
    for begin in (0, 60):
        seen, _ = record(film, tmp_path, key, range(begin, begin + 30))
        seen.close()
    names = [path.name for path, _ in parts(tmp_path, "t01-video")]
    assert names == ["t01-video.0001.swr", "t01-video.0002.swr"]
    assert played(tmp_path / names[1], key)[0] == pytest.approx(4.0, abs=0.01)
    assert track.track_of(tmp_path / names[0]) == "t01-video"
    codecs = Track(tmp_path, "t02-video", key, "7-1")
    vp8 = b"\x10\2\0\x9d\x01\x2a" + (320).to_bytes(2, "little") + (180).to_bytes(2, "little") + bytes(20)
    codecs.add("vp8", 0.0, Frame(0, vp8, True))
    _, first = received(inbound(), ((0.0, packet) for packet in packets(film, 1)))[0]
    codecs.add("h264", 1.0, first)
    codecs.close()
    assert len(parts(tmp_path, "t02-video")) == 2


def test_a_picture_of_another_size_stays_in_its_part_and_plays(
    film: clip.Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the relay goes to another layer, or another venue is on air."""
    key, stream = new_key(), inbound()
    monkeypatch.setattr(clip, "WIDTH", 640)
    monkeypatch.setattr(clip, "HEIGHT", 360)
    sent = packets(film, 15) + [
        rtp.Packet(102, (65_500 + 2000 + number) & 0xFFFF, (packet.timestamp + 90_000) & 0xFFFFFFFF, 7, packet.payload,
                   marker=packet.marker)
        for number, packet in enumerate(packets(clip.make(), 15))
    ]  # fmt: skip
    seen = Track(tmp_path, "t01-video", key, "7-1")
    for at, frame in received(stream, ((at_s(packet), packet) for packet in sent)):
        seen.add("h264", at, frame)
    seen.close()
    assert len(parts(tmp_path)) == 1
    data = b"".join(list(SealedReader(parts(tmp_path)[0][0], key, "7-1").chunks())[1:])
    with av.open(io.BytesIO(data), "r") as found:
        sizes = [(frame.width, frame.height) for frame in found.decode(video=0)]
    assert sizes == [(320, 180)] * 15 + [(640, 360)] * 15


def test_vp8_is_kept_as_well(tmp_path: Path) -> None:
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 160, 90, "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, 15), {"deadline": "realtime"}
    key, sequence = new_key(), 0
    stream = Inbound(7, True, depacketise.Vp8(), StreamClock(90_000, VenueClock()))
    seen = Track(tmp_path, "t01-video", key, "7-1")
    for number in range(30):
        picture = av.VideoFrame(160, 90, "yuv420p")
        picture.pts, picture.time_base = number, encoder.time_base
        for packet in encoder.encode(picture):
            payloads = Vp8Encoder._packetize(bytes(packet), number)
            for at, payload in enumerate(payloads, 1):
                sequence += 1
                sent = rtp.Packet(104, sequence, number * 6000, 7, payload, marker=at == len(payloads))
                for when, frame in stream.packet(sent, number / 15):
                    seen.add("vp8", when, frame)
    seen.close()
    assert len(played(parts(tmp_path)[0][0], key)) == 30


def _written(folder: Path, key: bytes) -> Path:
    file = SealedWriter(folder / "t01-video.0001.swr", key, "7-1")
    for text in (b"one", b"two" * 100, b"three"):
        file.write(text)
    file.close()
    return file.path


@given(at=st.integers(0, 480), value=st.integers(1, 255))
@settings(max_examples=120, deadline=None)
def test_no_octet_can_be_changed_unseen(tmp_path_factory: pytest.TempPathFactory, at: int, value: int) -> None:
    folder, key = tmp_path_factory.mktemp("sealed"), new_key()
    path = _written(folder, key)
    data = bytearray(path.read_bytes())
    at %= len(data)
    data[at] ^= value
    path.write_bytes(data)
    reader = SealedReader(path, key, "7-1")
    try:
        found = list(reader.chunks())
    except SealError:
        return
    assert not reader.ended  # a length that was changed looks like a torn end, and is told as one
    assert found == [b"one", b"two" * 100, b"three"][: len(found)]


def test_chunks_are_not_moved_repeated_or_taken_from_another(tmp_path: Path) -> None:
    key = new_key()
    path = _written(tmp_path, key)
    reader = SealedReader(path, key, "7-1")
    assert list(reader.chunks()) == [b"one", b"two" * 100, b"three"]
    assert reader.ended
    data = path.read_bytes()
    assert b"two" not in data
    head = 26 + len(path.name)
    first = data[head : head + 5 + 19]
    path.write_bytes(data[:head] + first + data[head:])
    with pytest.raises(SealError, match="chunk 1 is not what was written"):
        list(SealedReader(path, key, "7-1").chunks())
    path.write_bytes(data)
    for key_, recording in ((new_key(), "7-1"), (key, "7-2")):
        with pytest.raises(SealError):
            list(SealedReader(path, key_, recording).chunks())
    path.rename(tmp_path / "t02-video.0001.swr")
    with pytest.raises(SealError, match="was written as"):
        list(SealedReader(tmp_path / "t02-video.0001.swr", key, "7-1").chunks())
    with pytest.raises(FileExistsError):
        _written(tmp_path, key) and _written(tmp_path, key)


def test_a_key_opens_its_own_recording_alone() -> None:
    county, other = "QUJD" * 10 + "QUI=", "QUJE" * 10 + "QUI="
    key = new_key()
    wrapped = wrap(county, "7-1", key)
    assert unwrap(county, "7-1", wrapped) == key
    for secret, name in ((other, "7-1"), (county, "7-2")):
        with pytest.raises(SealError, match="was not sealed by this county's secret"):
            unwrap(secret, name, wrapped)


def conference(*show: str, layout: str = "single", why: str = "broadcast", **more: object) -> dict[str, object]:
    return {"you": {"air": {"layout": layout, "show": list(show), "why": why}}, **more}


def test_the_programme_changes_at_the_new_venue_s_keyframe() -> None:
    seen: list[tuple[float, bytes]] = []
    heard: list[bytes] = []
    made = Programme(
        lambda codec, at_s, frame: seen.append((at_s, frame.data)), lambda codec, at_s, frame: heard.append(frame.data)
    )
    made.show("t01", 0.0)
    made.frame("t01", "h264", 0.0, Frame(0, b"1", True), 0.0)
    made.show("t02", 1.0)
    assert made.wants == "t02"
    made.frame("t02", "h264", 1.1, Frame(0, b"2 delta", False), 1.1)
    made.frame("t01", "h264", 1.2, Frame(0, b"1 still", False), 1.2)
    made.frame("t02", "h264", 1.3, Frame(0, b"2 key", True), 1.3)
    made.frame("t01", "h264", 1.4, Frame(0, b"1 gone", False), 1.4)
    assert [data for _, data in seen] == [b"1", b"1 still", b"2 key"]
    for number in range(100):  # t01 speaks, then t02 louder
        now_s = number / 50
        made.level("t01", 30, now_s)
        made.level("t02", 90 if number < 50 else 10, now_s)
        for venue in ("t01", "t02"):
            made.sound(venue, now_s, Frame(0, venue.encode(), True), now_s)
    assert heard[:40] == [b"t01"] * 40
    assert heard[-20:] == [b"t02"] * 20
    assert len(heard) == 100
    made.show("t03", 5.0)  # a venue without a picture: the former one's ends
    made.frame("t02", "h264", 8.0, Frame(0, b"too long", False), 8.0)
    assert seen[-1][1] == b"2 key"


def test_who_is_featured() -> None:
    assert featured(conference("t05")) == "t05"
    grid = conference("t01", "t02", "t03", layout="grid", why="display", speaker="t03", floor=["t02"])
    assert featured(grid) == "t02"
    assert featured(grid | {"floor": []}) == "t03"
    assert featured(grid | {"floor": [], "speaker": ""}) == "t01"
    assert featured(conference()) == ""


def test_chapters_follow_the_chair() -> None:
    names = {"t02": {"zh": "白云", "en": "Baiyun"}}
    before: dict[str, object] = {"broadcast": "", "roll": None, "slides": "", "floor": [], "banner": None}
    found = list(chapters.first(0.2, before, names, again=False))
    found += chapters.between(4.0, before, before | {"broadcast": "t02"}, names)
    found += chapters.between(
        6.0, before | {"broadcast": "t02"}, before | {"banner": {"text": "a <b>", "at": 1}}, names
    )
    assert [(each["kind"], each["en"]) for each in found] == [
        ("start", "Recording begins"),
        ("broadcast", "Broadcast: Baiyun"),
        ("display", "Broadcast ends"),
        ("banner", "Banner: a <b>"),
    ]
    assert next(chapters.first(60.0, before, names, again=True))["kind"] == "resumed"
    text = chapters.webvtt(found, 9.0)
    assert "00:00:04.000 --> 00:00:06.000\n广播：白云" in text
    assert "a &lt;b>" in text
    assert text.startswith("WEBVTT\n")

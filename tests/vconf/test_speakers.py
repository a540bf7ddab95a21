"""Who is heard: the loudest, soon enough, without flapping; and what is asked of a sender whose packets are lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vconf.media import rtcp
from vconf.media.plane import StreamState
from vconf.media.source import Source
from vconf.media.speakers import Speakers

LOOK_S = 0.04


def talk(speakers: Speakers, levels: dict[str, int], seconds: float, at_s: float = 0.0) -> list[list[str]]:
    told: list[list[str]] = []
    for step in range(int(seconds / LOOK_S)):
        speakers.look(levels)
        said = speakers.announce(at_s + step * LOOK_S)
        if said is not None:
            told.append(said)
    return told


SILENCE = dict.fromkeys("abcdef", 127)


def test_the_loudest_three_are_heard_and_a_fourth_takes_the_quietest_ones_place() -> None:
    speakers = Speakers()
    talk(speakers, SILENCE | {"a": 20, "b": 30, "c": 40}, 1)
    assert speakers.heard == ["a", "b", "c"]
    talk(speakers, SILENCE | {"a": 20, "b": 30, "d": 36}, 0.12, 1)
    assert "d" not in speakers.heard  # c draws breath
    talk(speakers, SILENCE | {"a": 20, "b": 30, "d": 36}, 0.6, 1.1)
    assert set(speakers.heard) == {"a", "b", "d"}


def test_a_speaker_in_silence_is_heard_within_two_looks() -> None:
    speakers = Speakers()
    talk(speakers, SILENCE, 2)
    assert "f" not in speakers.heard
    talk(speakers, SILENCE | {"f": 30}, 2 * LOOK_S, 2)
    assert speakers.heard[0] == "f"


def test_two_of_the_same_loudness_do_not_take_turns() -> None:
    speakers = Speakers(places=1)
    changes = 0
    for step in range(200):
        levels = {"a": 30 + step % 2 * 5, "b": 30 + (step + 1) % 2 * 5}
        changes += speakers.look(levels)
    assert changes == 1


def test_who_speaks_is_told_at_most_every_while_and_silence_is_not() -> None:
    speakers = Speakers()
    assert talk(speakers, SILENCE, 5) == []
    assert talk(speakers, SILENCE | {"b": 20}, 3, 5) == [["b"]]
    turns = [SILENCE | {"b": 20}, SILENCE | {"c": 15}] * 10
    told = [said for number, levels in enumerate(turns) for said in talk(speakers, levels, 0.2, 8 + number * 0.2)]
    assert 1 <= len(told) <= 3


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 127)), max_size=40), st.integers(1, 4))
def test_never_more_than_places_and_never_one_who_left(steps: list[dict[str, int]], places: int) -> None:
    speakers = Speakers(places=places)
    for levels in steps:
        speakers.look(levels)
        assert len(speakers.heard) == min(places, len(levels))
        assert len(set(speakers.heard)) == len(speakers.heard)
        assert set(speakers.heard) <= set(levels)


def source() -> Source:
    return Source(1, 1000, "video")


def nothing(stream: int, extended: int) -> bool:
    return False


def test_what_is_missing_is_asked_for_and_forgotten_when_it_came() -> None:
    stream, state = source(), StreamState(highest=70_010)
    stream.gap(70_000, 4)
    assert stream.nacks(1.0, state, nothing) == [70_000 - 65_536 + n for n in range(4)]
    assert stream.nacks(1.01, state, nothing) == []  # asked a moment ago
    assert stream.nacks(1.2, state, lambda s, extended: extended < 70_002) == [4466, 4467]
    assert stream.nacked == 6


def test_nacks_end_in_a_keyframe_request_and_requests_are_joined() -> None:
    stream, state = source(), StreamState(highest=70_010)
    stream.gap(70_000, 1)
    asked = [now for now in (0.1 * step for step in range(20)) if stream.nacks(now, state, nothing)]
    assert len(asked) == 8
    assert stream.keyframe_due(5.0)
    assert not stream.keyframe_due(5.1)
    assert stream.keyframe_due(5.6)  # none came: ask again
    stream.keyframe_came()
    assert not stream.keyframe_due(9.0)


def test_a_big_gap_asks_for_a_keyframe_instead_and_voice_twice_at_most() -> None:
    stream = source()
    stream.gap(70_000, 900)
    assert stream.nacks(1.0, StreamState(highest=71_000), nothing) == []
    assert stream.keyframe_due(1.0)
    voice = Source(2, 1001, "audio")
    voice.gap(70_000, 3)
    asked = [now for now in (0.1 * step for step in range(9)) if voice.nacks(now, StreamState(highest=70_010), nothing)]
    assert len(asked) == 2
    assert not voice.is_missing
    voice.gap(70_000, 900)
    assert not voice.keyframe_due(9.0)


def test_the_report_counts_what_was_lost_since_the_last() -> None:
    stream = source()
    assert stream.report_block(StreamState(), 1.0) is None
    stream.sender_report(rtcp.SenderReport(1000, 0x1122334455667788, 9, 1, 1), 1.0)
    first = stream.report_block(StreamState(packets=90, base=65_536, highest=65_635, jitter=12), 1.5)
    assert first == rtcp.ReportBlock(1000, 25, 10, 65_635, 12, 0x33445566, 32_768)
    second = stream.report_block(StreamState(packets=190, base=65_536, highest=65_735), 2.0)
    assert second is not None
    assert (second.fraction_lost, second.lost) == (0, 10)


def test_the_rate_is_measured_over_a_second() -> None:
    stream = source()
    for tenth in range(40):
        stream.measure(StreamState(octets=tenth * 12_500), 5 + tenth / 10)
    assert abs(stream.bps - 1_000_000) < 20_000

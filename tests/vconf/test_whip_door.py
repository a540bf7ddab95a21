"""The HTTP and the SDP of WHIP and WHEP: who may, what is refused with which status, and offers that are nonsense."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inventory.places import Places
from sanwang import meet
from sanwang import meeting as meeting_commands
from tests.vconf.test_signalling import Door, county, door
from vconf.media import ortc
from vconf.meetings import Meeting
from vconf.whip import sdp, tickets, wire
from vconf.whip.wire import SdpError

__all__ = ["door"]
OFFICE = {"x-login": "office"}
KEYS = """\
a=ice-ufrag:c3779cbf
a=ice-pwd:4e3dafc7ccc322c8e106bb5f4dcbb8be
a=fingerprint:sha-256 69:C5:81:ED:9B:A9:CE:23:02:8B:13:ED:94:C7:6B:BB:70:8C:83:15:B0:6D:74:CC:36:9A:EE:77:86:E5:1E:1C
a=setup:actpass
"""
HEAD = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n"
AUDIO = f"""\
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
{KEYS}a=mid:0
a=sendonly
a=rtcp-mux
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:14 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:0 PCMU/8000
a=ssrc:3325570224 cname:x
"""
VIDEO = f"""\
m=video 9 UDP/TLS/RTP/SAVPF 45 109 110 96 97
c=IN IP4 0.0.0.0
{KEYS}a=mid:1
a=sendonly
a=rtcp-mux
a=rtpmap:45 AV1/90000
a=rtpmap:109 H264/90000
a=rtcp-fb:109 nack
a=rtcp-fb:109 nack pli
a=rtcp-fb:109 goog-remb
a=rtcp-fb:109 transport-cc
a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:110 rtx/90000
a=fmtp:110 apt=109
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=ssrc-group:FID 1000 1001
a=ssrc:1000 cname:x
a=ssrc:1001 cname:x
"""
OFFER = f"{HEAD}a=group:BUNDLE 0 1\n{AUDIO}{VIDEO}"
WATCH = OFFER.replace("sendonly", "recvonly")
TRANSPORT: dict[str, Any] = {
    "iceParameters": {"usernameFragment": "abcd", "password": "0123456789012345678901", "iceLite": True},
    "iceCandidates": [{"foundation": "1", "priority": 1, "ip": "10.8.1.5", "port": 3478, "type": "host"}],
    "dtlsParameters": {"fingerprints": [{"algorithm": "sha-256", "value": "AA:BB"}]},
}


def test_a_publishers_offer_is_read_and_answered_in_its_own_numbers() -> None:
    offer = sdp.read(OFFER, sends=True)
    assert [(s.kind, s.mid) for s in offer.wanted] == [("audio", "0"), ("video", "1")]
    voice, camera = (ortc.read(section.kind, section.parameters) for section in offer.wanted)
    assert (voice.codec, voice.payload_type, voice.mid, voice.extensions) == (
        *("opus", 111, "0"),
        {"urn:ietf:params:rtp-hdrext:sdes:mid": 4, "urn:ietf:params:rtp-hdrext:ssrc-audio-level": 14},
    )
    assert (camera.codec, camera.payload_type, camera.rtx_payload_type) == ("h264", 109, 110)
    assert (camera.encodings[0].ssrc, camera.encodings[0].rtx_ssrc) == (1000, 1001)
    lines = sdp.answer(offer, TRANSPORT).splitlines()
    assert {"a=ice-lite", "a=setup:passive", "a=recvonly", "a=group:BUNDLE 0 1"} <= set(lines)
    assert "m=video 9 UDP/TLS/RTP/SAVPF 109 110" in lines
    assert "a=rtcp-fb:109 transport-cc" in lines
    assert "a=rtcp-fb:109 goog-remb" not in lines
    assert "a=candidate:1 1 udp 1 10.8.1.5 3478 typ host" in lines


def test_a_viewers_offer_is_answered_with_one_ssrc_a_section() -> None:
    offer = sdp.read(WATCH, sends=False)
    camera = offer.wanted[1]
    assert camera.types == {"102": 109, "103": 110, "104": 96, "105": 97}
    assert ortc.decodes(camera.capabilities) == {"h264", "vp8"}
    text = sdp.answer(offer, TRANSPORT, {"1": sdp.Given(7, 8, "relay")})
    audio, video = text.split("m=audio ")[1].split("m=video ")
    assert audio.startswith("0 ")  # refused: nobody gave it anything
    assert "a=inactive" in audio
    assert {"a=sendonly", "a=ssrc-group:FID 7 8", "a=ssrc:7 cname:relay", "a=rtpmap:96 VP8/90000"} <= set(
        video.splitlines()
    )
    assert "a=rtcp-fb:109 goog-remb" in video
    assert "transport-cc" not in video
    assert "extmap" not in video


@pytest.mark.parametrize(
    ("offer", "said", "malformed"),
    [
        ("", "0 m-sections", True),
        ("{}", "0 m-sections", True),
        (OFFER.replace("m=audio 9", "m=audio nine"), "no SDP", True),
        (OFFER.replace("a=setup:actpass", "a=setup:passive"), "DTLS server", False),
        (OFFER.replace("a=group:BUNDLE 0 1\n", ""), "a=group:BUNDLE", False),
        (OFFER.replace("a=mid:1", "a=mid:0"), "twice", True),
        (WATCH, "nothing to take", False),
        (HEAD + VIDEO.replace("H264", "H265").replace("VP8", "VP9"), "H.264 constrained baseline", False),
        (HEAD + VIDEO.replace("42e01f", "640028").replace("VP8", "VP9"), "H.264 constrained baseline", False),
        (HEAD + "".join(line for line in AUDIO.splitlines(True) if "fingerprint" not in line), "no a=setup", False),
        (OFFER * 100, "characters", True),
    ],
)
def test_offers_that_cannot_be_served_are_refused_in_words(offer: str, said: str, malformed: bool) -> None:
    with pytest.raises(SdpError, match=said) as refused:
        sdp.read(offer, sends=True)
    assert refused.value.malformed is malformed


@given(
    seed=st.sampled_from([OFFER, WATCH, HEAD + VIDEO]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.text(max_size=12)), max_size=6),
    sends=st.booleans(),
)
@example(seed=HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 999\n", cuts=[], sends=True)
@example(seed=OFFER.replace("apt=109", "apt=x"), cuts=[], sends=True)
@example(seed=OFFER.replace("a=ssrc-group:FID 1000 1001", "a=ssrc-group:FID 1000"), cuts=[], sends=True)
def test_a_broken_offer_is_refused_or_served_and_nothing_else(
    seed: str, cuts: list[tuple[float, int, str]], sends: bool
) -> None:
    for place, length, text in cuts:
        at = int(place * len(seed))
        seed = seed[:at] + text + seed[at + length :]
    try:
        offer = sdp.read(seed, sends=sends)
        told = [(section.kind, section.parameters) for section in offer.wanted] if sends else []
        given = None if sends else {section.mid: sdp.Given(7, 8, "x") for section in offer.wanted}
        again = sdp.answer(offer, TRANSPORT, given)
        sdp.restarted(offer, TRANSPORT, given)
    except SdpError:
        return
    assert again.count("m=") == len(offer.sections)
    for kind, parameters in told:
        try:
            ortc.read(kind, parameters)
        except ortc.OrtcError:
            pass


@given(st.text(max_size=300) | st.just("a=ice-ufrag:abcd\r\na=ice-pwd:" + "x" * 22))
def test_a_fragment_restarts_or_does_not(text: str) -> None:
    found = wire.fragment(text)
    assert found is None or (len(found[0]) >= 4 and len(found[1]) >= 22)


def ticket(door: Door, meeting: Meeting, kind: tickets.Kind, hours: float = 1.0) -> tuple[tickets.Ticket, str]:
    now = datetime.now(UTC)
    with door.store.session() as session:
        return tickets.issue(session, meeting.id, kind, "cam", "li", now, now + timedelta(hours=hours))


def post(door: Door, kind: str, token: str, offer: str, content_type: str = "application/sdp") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "content-type": content_type}
    answer = door.client.post(f"/meet/{kind}", content=offer.encode(), headers=headers)
    assert isinstance(answer, httpx.Response)
    return answer


def test_each_refusal_has_the_status_that_the_specification_asks_for(door: Door) -> None:
    meeting, later = door.book("t01", "t02"), door.book("t01", starts_in=timedelta(hours=5))
    good, token = ticket(door, meeting, "whip")
    _, viewing = ticket(door, meeting, "whep")
    _, early = ticket(door, later, "whip")
    for kind, shown, status in (
        ("whip", "", 401),
        ("whip", "x" * 43, 401),
        ("whip", viewing, 401),
        ("whep", token, 401),
        ("whip", door.link(meeting, "t01"), 401),
        ("whip", early, 409),
    ):
        answer = post(door, kind, shown, OFFER)
        assert answer.status_code == status, (kind, shown, answer.text)
        assert (answer.headers.get("www-authenticate") is not None) == (status == 401)
    assert post(door, "whip", token, OFFER, "application/json").status_code == 415
    assert post(door, "whip", token, "v=0").status_code == 400
    assert post(door, "whip", token, WATCH).status_code == 422
    assert post(door, "whip", token, "v=0\n" * 20_000).status_code == 413
    assert post(door, "whip", token, OFFER.replace("3325570224", "9999999999")).status_code == 422  # by the relay
    assert door.client.get("/meet/whip").status_code == 405
    able = door.client.options("/meet/whip")
    assert (able.status_code, able.headers["accept-post"]) == (204, "application/sdp")
    assert not any(peer.code == good.code for room in door.rooms.rooms.values() for peer in room.peers.values())
    answer = post(door, "whip", token, OFFER)
    assert answer.status_code == 201
    assert answer.headers["location"].startswith("/meet/whip/")
    with door.chair(meeting, "li") as (page, _):
        page.ask("act", action="lock", on=True)
        page.ask("act", action="cut", venue=good.code)
        refused = post(door, "whip", token, OFFER)
        assert refused.status_code == 403
        page.ask("act", action="admit", venue=good.code)
        assert post(door, "whip", token, OFFER).status_code == 201  # its next try is let in
    with door.store.session() as session:
        tickets.revoke(session, meeting.id, good.number, "li", "", datetime.now(UTC))
    assert post(door, "whip", token, OFFER).status_code == 401
    assert [post(door, "whip", "x", OFFER).status_code for _ in range(40)][-1] == 429


def test_a_viewer_is_nobody_in_the_meeting(door: Door) -> None:
    meeting = door.book("t01", "t02")
    _, token = ticket(door, meeting, "whep")
    with door.hall(meeting, "t01") as (page, _):
        assert post(door, "whep", token, WATCH).status_code == 201
        welcome = page.ask("state")
        assert welcome["peers"] == []
        assert welcome["conference"]["present"] == 1
        assert page.ask("consumePicture", transport=page.ask("createTransport")["id"])["code"] == "unknown"
    assert [session.ticket.kind for session in door.streams.sessions.held.values()] == ["whep"]


def test_links_are_given_listed_and_taken_back_over_rest_and_in_the_command_line(
    door: Door, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meeting = door.book("t01")
    where = f"/api/meet/meetings/{meeting.id}/streams"
    body = {"kind": "whip", "name": "指挥车", "minutes": 30}
    assert door.client.post(where, json=body).status_code == 401
    assert door.client.post(where, json=body, headers={"x-login": "elsewhere"}).status_code == 403
    made = door.client.post(where, json=body, headers=OFFICE)
    assert made.status_code == 201, made.text
    assert made.json()["url"].endswith("/meet/whip")
    assert post(door, "whip", made.json()["token"], OFFER).status_code == 201
    for wrong in ({**body, "kind": "rtmp"}, {**body, "name": ""}, {**body, "minutes": 0}):
        assert door.client.post(where, json=wrong, headers=OFFICE).status_code == 422
    listed = door.client.get(where, headers=OFFICE).json()["streams"]
    assert [(row["name"], row["revoked"]) for row in listed] == [("指挥车", False)]
    assert "token" not in listed[0]
    assert door.client.delete(f"{where}/99", headers=OFFICE).status_code == 404
    gone = door.client.delete(f"{where}/{listed[0]['id']}?why=x", headers=OFFICE)
    assert gone.json()["stream"]["revoked"] is True
    assert post(door, "whip", made.json()["token"], OFFER).status_code == 401

    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.setenv("SANWANG_DATABASE", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setattr(meeting_commands, "load_model", lambda county_: county())

    def run(*argv: str) -> tuple[int, Any]:
        code = meet.main([*argv, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    code, link = run("whep", "link", str(meeting.id), "--name", "大屏", "--minutes", "5")
    assert (code, link["stream"]["kind"]) == (0, "whep")
    assert post(door, "whep", link["token"], WATCH).status_code == 201
    assert run("whep", "revoke", str(meeting.id), str(link["stream"]["id"]))[0] == 0
    assert post(door, "whep", link["token"], WATCH).status_code == 401
    assert [row["revoked"] for row in run("whep", "list", str(meeting.id))[1]["streams"]] == [True]
    assert meet.main(["whip", "link", str(meeting.id), "--name", ""]) == 2
    assert meet.main(["whip", "revoke", str(meeting.id), "99"]) == 2


def test_the_pages_server_brings_no_codecs_along_until_an_offer_comes() -> None:
    code = "import sys, sanwang.serve; print([name for name in ('av', 'aiortc') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"

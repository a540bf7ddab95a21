"""Sessions against stateful stand-ins over SSH: whole changes, refused lines, trials, saving, what is left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from provision.vendor import VendorError, words
from provision.vendor import session as session_module
from tests.provision.vendor_box import PASSWORD, Box, start
from twin.standins.platforms import PLATFORMS

ALL = sorted(PLATFORMS)


@pytest.fixture(scope="module", params=ALL)
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made, process = start(request.param, tmp_path_factory.mktemp(request.param), 24)
    with process:
        try:
            yield made
        finally:
            process.terminate()


def change(box: Box, text: str, lines: int = 2) -> list[str]:
    """Lines that describe two ports, over and over, up to a number of lines of description."""
    out: list[str] = []
    for number in range(lines):
        port = box.speech.port if number % 2 == 0 else box.speech.other
        out += [port, f"{box.speech.describe} {text}{number}", box.speech.up]
    return out


def test_a_change_runs_at_once_and_starts_only_when_saved(box: Box) -> None:
    with box.open(box.fresh()) as session:
        session.configure(change(box, "uplink"))
        assert "uplink1" in session.running()
        assert "uplink1" not in session.saved()
        session.save()
        assert "uplink0" in session.saved()
        assert session.show(session.words.running)
        assert session.alive
    assert not session.alive


def test_a_refused_line_is_named_and_nothing_stays(box: Box) -> None:
    """Line 37 of 80: on a device with a candidate nothing of it runs, elsewhere the caller gets what was sent."""
    lines = change(box, "x", 27)[:79]
    lines.insert(36, "flibber flabber 1")
    with box.open(box.fresh()) as session:
        before = session.running()
        with pytest.raises(VendorError) as caught:
            session.configure(lines)
        error = caught.value
        assert (error.kind, error.number, error.line) == ("refused", 37, "flibber flabber 1")
        assert "line 37 of 80" in error.message
        assert error.words
        if session.words.two_phase:
            assert error.sent == ()
        else:
            assert error.sent == tuple(lines[:36])
            session.undo()
        assert session.running() == before
        session.configure(change(box, "after"))
        assert "after1" in session.running()


def test_a_view_that_is_refused_does_not_leave_the_view_above(box: Box) -> None:
    """The lines of the view that did not open, and its quit, must not end configuration mode with lines pending."""
    lines = [*change(box, "kept", 1), f"{box.speech.port}/99/99/99", f"{box.speech.describe} lost", box.speech.up]
    with box.open(box.fresh()) as session:
        before = session.running()
        with pytest.raises(VendorError) as caught:
            session.configure(lines)
        assert caught.value.number == 4
        if not session.words.two_phase:
            session.undo()
        assert session.running() == before


@pytest.mark.parametrize("end", ["confirm", "undo"])
def test_a_change_on_trial_is_confirmed_or_taken_back(box: Box, end: str) -> None:
    with box.open(box.fresh()) as session:
        before = session.running()
        session.configure(change(box, "trial"), confirm_s=60, label="p-1f3a")
        assert "trial1" in session.running()
        getattr(session, end)()
        after = session.running()
        assert (after == before) if end == "undo" else ("trial1" in after)
        session.configure(change(box, "again"), confirm_s=60, label="p-1f3a")
        session.confirm()
        assert "again1" in session.running()
        assert "again" not in session.saved()


@pytest.mark.parametrize("end", ["confirm", "undo"])
def test_a_change_that_is_there_already_changes_nothing(box: Box, end: str) -> None:
    with box.open(box.fresh()) as session:
        session.configure(change(box, "same"))
        before = session.running()
        session.configure(change(box, "same"), confirm_s=60, label="p-9")
        getattr(session, end)()
        assert session.running() == before
        assert session.alive


def test_a_confirmation_that_comes_too_late_is_an_error(box: Box) -> None:
    """What is on trial no more is not there: never a silent yes."""
    with box.open(box.fresh()) as session:
        before = session.running()
        session.configure(change(box, "late"), confirm_s=60, label="p-late")
        session.undo()
        assert session.running() == before
        with pytest.raises(VendorError):
            session.confirm("p-late")
        assert session.running() == before
        assert not session._dialogue.configuring


def test_another_session_ends_what_a_lost_one_began(box: Box) -> None:
    """The controller dies between change and verdict: the label, or the configuration it kept, is enough."""
    port = box.fresh()
    with box.open(port) as first:
        before = first.running()
        first.configure(change(box, "trial"), confirm_s=120, label="p-77")
    with box.open(port) as second:
        assert "trial1" in second.running()
        if second.words.confirm == "trial":
            second.undo("p-77")
        else:
            second.undo(before=before)
        assert second.running() == before


def test_on_trial_a_refused_line_leaves_nothing_to_undo(box: Box) -> None:
    with box.open(box.fresh()) as session:
        before = session.running()
        with pytest.raises(VendorError) as caught:
            session.configure([*change(box, "trial"), "flibber flabber"], confirm_s=60, label="p-2")
        assert caught.value.sent == ()
        assert session.running() == before
        session.configure(change(box, "next"), confirm_s=60, label="p-3")
        session.confirm()
        assert "next1" in session.running()


def test_the_device_may_be_renamed(box: Box) -> None:
    with box.open(box.fresh()) as session:
        session.configure([f"{box.speech.rename} elsewhere", *change(box, "renamed")])
        assert "renamed1" in session.running()
        session.configure(change(box, "more"))
        session.save()
    with box.open(box.ports[0]) as session:
        assert session.alive


def test_a_question_nobody_foresaw_is_answered_no(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that the words know is answered Yes; one that they do not know is answered No and refused."""
    ask, make = {
        "huawei_vrp8": ("undo ospf 7", ["ospf 7", "quit"]),
        "huawei_vrp5": ("undo ospf 7", ["ospf 7", "quit"]),
    }.get(box.platform, ("", []))
    if not ask:
        pytest.skip("no line of configuration asks here")
    plain = words.words_of(box.platform)
    port = box.fresh()
    with box.open(port) as session:
        session.configure(make)
        session.configure([ask])  # known: answered Yes
        assert "ospf 7" not in session.running()
        session.configure(make)
        before = session.running()
    monkeypatch.setattr(session_module, "words_of", lambda _: replace(plain, questions=()))
    with box.open(port) as session:
        with pytest.raises(VendorError, match="nobody foresaw") as caught:
            session.configure([ask, *change(box, "eaten")])
        assert caught.value.kind == "refused"
        assert session.running() == before


def test_a_session_that_breaks_before_the_commit_leaves_no_trace(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    if not words.words_of(box.platform).two_phase:
        pytest.skip("takes effect line by line")
    port = box.fresh()
    with box.open(port) as session:
        before = session.running()
        dialogue = session._dialogue
        ask = dialogue.ask

        def cut(line: str, *, timeout_s: float = 30.0) -> str:
            if line.startswith("commit"):
                dialogue.connection.remote_conn.close()
            return ask(line, timeout_s=timeout_s)

        monkeypatch.setattr(dialogue, "ask", cut)
        with pytest.raises(VendorError) as caught:
            session.configure(change(box, "lost"))
        assert caught.value.kind == "unreachable"
    with box.open(port) as session:
        assert session.running() == before


def test_wrong_key_wrong_password_nobody_there(box: Box) -> None:
    port = box.fresh()
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
    with pytest.raises(VendorError, match="another host key than the one pinned"):
        box.open(port, pin=other)
    with pytest.raises(VendorError, match="refuses the login of admin"):
        box.open(port, password="wrong")
    with pytest.raises(VendorError, match="does not answer"):
        box.open(1)
    with box.open(port, pin="") as session:
        assert session.host_key == box.pin


def test_no_vty_left_is_said(box: Box) -> None:
    port = box.fresh()
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(box.open(port))
        with pytest.raises(VendorError) as caught:
            box.open(port)
        assert caught.value.kind == "busy"
    with box.open(port) as session:
        assert session.alive


def test_nothing_but_configuration_is_sent_as_configuration(box: Box) -> None:
    with box.open(box.fresh()) as session:
        before = session.running()
        for line in ("save", "write", "reboot", "commit label x", "reset saved-configuration", "reload"):
            with pytest.raises(VendorError, match="is not configuration") as caught:
                session.configure([*change(box, "x"), line, "quit"])
            assert caught.value.kind == "request"
        for line in ("description a\rb", "description \x1b"):
            with pytest.raises(VendorError, match="one line of text"):
                session.configure([line])
        with pytest.raises(VendorError, match="label"):
            session.configure(change(box, "x"), label="7 of 9")
        with pytest.raises(VendorError, match="nothing to undo"):
            session.undo()
        assert session.running() == before


def test_the_transcript_shows_what_happened_and_no_secret(box: Box) -> None:
    with box.open(box.fresh()) as session:
        session.configure(change(box, "seen"))
        with pytest.raises(VendorError) as caught:
            session.configure(["flibber password cipher Top.Secret-99"])
    text = box.log.read_text()
    assert "seen1" in text
    assert "flibber" in text
    for secret in ("Top.Secret-99", PASSWORD):
        assert secret not in text
        assert secret not in caught.value.message + caught.value.line + caught.value.words


def test_configuration_mode_is_told_by_the_prompt(box: Box) -> None:
    with box.open(box.fresh()) as session:
        connection = session._dialogue.connection
        assert not connection.check_config_mode()
        session._enter()
        assert connection.check_config_mode()
        session._leave()
        assert not connection.check_config_mode()


def test_a_device_that_vanishes_is_unreachable(tmp_path: pytest.TempPathFactory) -> None:
    box, process = start("huawei_vrp5", tmp_path, 1)  # type: ignore[arg-type]
    with process:
        session = box.open(box.ports[0])
        process.kill()
        process.wait(10)
        with pytest.raises(VendorError) as caught:
            session.configure(change(box, "x"))
        assert caught.value.kind == "unreachable"
        session.close()
    assert isinstance(process, subprocess.Popen)

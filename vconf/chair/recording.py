"""Whether the meeting is recorded (录制): the chair's wish, and how the recorder is.

Every venue is told for as long as the chair wishes it, whether or not the recorder can do it at that moment: nobody is
to speak into a recording without knowing.
"""

from __future__ import annotations

from dataclasses import replace

from vconf.chair.arguments import Arguments
from vconf.chair.effects import Outcome
from vconf.chair.refusal import Refused
from vconf.chair.state import Conference, Recording


def start(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Record from now on; the recorder says when it does."""
    if state.recording is not None:
        raise Refused("recorded")
    recording = Recording(state.recordings + 1, who, now)
    return Outcome(replace(state, recording=recording, recordings=recording.number))


def stop(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """Record no longer; the next recording is another one."""
    if state.recording is None:
        raise Refused("not-recorded")
    return Outcome(replace(state, recording=None))


def recorder(state: Conference, who: str, args: Arguments, now: float) -> Outcome:
    """How the recorder is: it records, or why it does not."""
    recording = state.recording
    if recording is None or recording.number != args["recording"]:
        return Outcome(state)
    return Outcome(replace(state, recording=replace(recording, running=args["running"], problem=args["problem"])))

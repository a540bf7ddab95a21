"""How a sequence tells its progress on a terminal, and how errors become exit codes."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from drills.errors import Missing
from drills.sequence import Progress
from inventory.errors import CountyErrors
from inventory.places import Places, current_instance
from provision.broker.client import BrokerClient
from provision.broker.wire import BrokerError
from provision.play import PlayError
from twin.errors import TwinError

MISSING = 3
BAD_INPUT = 2
FAILED = 1


class Lines(Progress):
    """Stages as lines, steps as one line that is redrawn on a terminal and sparse where there is none."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._live = sys.stderr.isatty()
        self._last = ("", 0.0)
        self._open = False

    def stage(self, name: str) -> None:
        """Print the stage with the time since the start."""
        self._finish()
        print(f"[{time.monotonic() - self._start:6.1f} s] {name}", file=sys.stderr, flush=True)

    def step(self, what: str, done: int, total: int) -> None:
        """Show ``what done/total``; without a terminal at most every two seconds and at the end."""
        now = time.monotonic()
        label, shown = self._last
        if self._live:
            print(f"\r\x1b[K           {what} {done}/{total}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif done >= total or label != what or now - shown > 2:
            if label == what and done >= total and now - shown < 0.1:
                return
            print(f"           {what} {done}/{total}", file=sys.stderr, flush=True)
            self._last = (what, now)

    def note(self, text: str) -> None:
        """One line of news."""
        self._finish()
        print(f"           {text}", file=sys.stderr, flush=True)

    def _finish(self) -> None:
        if self._open:
            print(file=sys.stderr)
            self._open = False


def guarded(action: Callable[[], int]) -> int:
    """Run the action; what the environment lacks gives 3, a county that is wrong gives 2, both in plain words.

    Being told to end (SIGTERM) is Ctrl-C: what was begun is cleaned up.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return action()
    except Missing as lack:
        for line in lack.lines:
            print(f"sanwang: {line}", file=sys.stderr)
        return MISSING
    except CountyErrors as wrong:
        print(wrong, file=sys.stderr)
        return BAD_INPUT
    except TwinError as wrong:
        print(f"sanwang: {wrong}", file=sys.stderr)
        return wrong.exit_code
    except PlayError as wrong:
        print(f"sanwang: {wrong}", file=sys.stderr)
        return BAD_INPUT
    except BrokerError as wrong:
        print(f"sanwang: the device broker: {wrong.message}", file=sys.stderr)
        return {"request": BAD_INPUT, "county": BAD_INPUT, "device": FAILED}.get(wrong.kind, MISSING)


def ask_broker(instance: str, method: str, why: str = "", **params: Any) -> dict[str, Any]:
    """One question to an instance's device broker ("" is the current one); BrokerError when it does not answer."""
    socket = Places(instance or current_instance()).broker_socket
    answer: dict[str, Any] = BrokerClient(socket).call(method, why=why, **params)
    return answer


def emit(document: dict[str, Any]) -> None:
    """The JSON document, as the last line of stdout."""
    print(json.dumps(document, ensure_ascii=False), flush=True)
